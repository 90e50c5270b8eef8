//! Loops compared with sequential ones, over numbers of items, plans and constraints chosen at random.

use std::fmt::Debug;

use amorsize::{Force, force};
use rayon::prelude::*;

use crate::harness::{pool, turn};
use crate::inputs::{numbers, others, spin};

/// Random cases per property.
const CASES: u64 = 300;

/// Numbers that look random: the generator SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number below 2, 4, 8 … or `limit`, so that small ones are as frequent as large ones.
    fn up_to(&mut self, limit: usize) -> usize {
        let bits = self.next() % u64::from(limit.ilog2() + 2);
        (self.next() % (1 << bits)) as usize % (limit + 1)
    }
}

/// One call of a loop.
#[derive(Clone, Debug)]
struct Case {
    xs: Vec<u32>,
    ys: Vec<u32>,
    min_len: usize,
    max_len: usize,
    /// Whatever the property needs it for; at least 1.
    size: usize,
}

impl Case {
    fn random(random: &mut Random) -> Self {
        let n = random.up_to(2_000);
        Case {
            xs: numbers(n),
            ys: others(if random.next() % 2 == 0 { n } else { random.up_to(2_000) }),
            min_len: 1 + random.up_to(300),
            max_len: 1 + random.up_to(300),
            size: 1 + random.up_to(100),
        }
    }
}

fn random_plan(random: &mut Random) -> Option<Force> {
    match random.next() % 10 {
        0 => None,
        1 => Some(Force::Serial),
        2 => Some(Force::Rayon),
        3 => Some(Force::Workers { workers: 1 + random.up_to(15), chunk: None }),
        _ => Some(Force::Workers {
            workers: 1 + random.up_to(15),
            chunk: Some(1 + random.up_to(500)),
        }),
    }
}

/// Compares a loop with a sequential one in [`CASES`] cases.
fn check<R: Debug + PartialEq + Send>(
    seed: u64,
    sequential: impl Fn(&Case) -> R,
    tuned: impl Fn(&Case) -> R + Sync,
) {
    let _turn = turn();
    let mut random = Random(seed);
    for _ in 0..CASES {
        let case = Case::random(&mut random);
        let plan = random_plan(&mut random);
        force(plan);
        let expected = sequential(&case);
        let seen = pool().install(|| tuned(&case));
        force(None);
        assert_eq!(seen, expected, "{plan:?}, {case:?}");
    }
}

#[test]
fn mapped_items_are_collected_in_order() {
    #[amorsize::tune]
    fn tuned(case: &Case) -> Vec<u32> {
        let xs = case.xs.par_iter().with_min_len(case.min_len).with_max_len(case.max_len);
        xs.map(|x| x * 2).collect()
    }

    check(1, |case| case.xs.iter().map(|x| x * 2).collect(), tuned);
}

#[test]
fn filtered_items_are_collected_in_order() {
    #[amorsize::tune]
    fn tuned(case: &Case) -> Vec<(usize, u32)> {
        let xs = case.xs.par_iter().with_max_len(case.max_len).enumerate();
        xs.filter(|(_, x)| **x as usize % case.size == 0).map(|(i, x)| (i, *x)).collect()
    }

    let sequential = |case: &Case| {
        let xs = case.xs.iter().enumerate();
        xs.filter(|(_, x)| **x as usize % case.size == 0).map(|(i, x)| (i, *x)).collect()
    };
    check(2, sequential, tuned);
}

#[test]
fn adaptors_pick_the_same_items() {
    #[amorsize::tune]
    fn tuned(case: &Case) -> Vec<(u32, u32)> {
        let zipped = case.xs.par_iter().with_min_len(case.min_len).zip(&case.ys);
        let picked = zipped.rev().skip(case.size / 2).take(10 * case.size).step_by(case.size);
        picked.map(|(x, y)| (*x, *y)).collect()
    }

    let sequential = |case: &Case| {
        let zipped = case.xs.iter().zip(&case.ys).rev().skip(case.size / 2).take(10 * case.size);
        zipped.step_by(case.size).map(|(x, y)| (*x, *y)).collect()
    };
    check(3, sequential, tuned);
}

#[test]
fn chained_items_stay_in_order() {
    #[amorsize::tune]
    fn tuned(case: &Case) -> Vec<u32> {
        let chained = case.xs.par_iter().chain(&case.ys).with_max_len(case.max_len);
        chained.interleave_shortest(case.ys.par_iter()).copied().collect()
    }

    let sequential = |case: &Case| {
        let (mut interleaved, mut ys) = (Vec::new(), case.ys.iter());
        for x in case.xs.iter().chain(&case.ys) {
            interleaved.push(*x);
            match ys.next() {
                Some(y) => interleaved.push(*y),
                None => break,
            }
        }
        interleaved
    };
    check(4, sequential, tuned);
}

#[test]
fn chunks_hold_the_same_items() {
    #[amorsize::tune]
    fn tuned(case: &Case) -> (Vec<Vec<u32>>, Vec<u32>) {
        let chunks = case.xs.par_iter().copied().chunks(case.size).with_min_len(case.min_len);
        (chunks.collect(), case.ys.par_rchunks(case.size).map(|chunk| chunk[0]).collect())
    }

    let sequential = |case: &Case| {
        let chunks = case.xs.chunks(case.size).map(<[u32]>::to_vec).collect();
        (chunks, case.ys.rchunks(case.size).map(|chunk| chunk[0]).collect())
    };
    check(5, sequential, tuned);
}

#[test]
fn folds_are_reduced_in_order() {
    #[amorsize::tune]
    fn tuned(case: &Case) -> Vec<u32> {
        let pushed = |mut all: Vec<u32>, &x: &u32| {
            spin(x);
            all.push(x);
            all
        };
        let folded = case.xs.par_iter().with_max_len(case.max_len).fold(Vec::new, pushed);
        folded.reduce(Vec::new, |mut left, mut right| {
            left.append(&mut right);
            left
        })
    }

    check(6, |case| case.xs.clone(), tuned);
}

#[test]
fn no_piece_is_longer_than_asked_for() {
    #[amorsize::tune]
    fn longest(case: &Case) -> Option<usize> {
        let xs = case.xs.par_iter().with_max_len(case.max_len).map(|&x| spin(x));
        xs.fold(|| 0, |len, _| len + 1).max()
    }

    check(7, |_| true, |case| longest(case).is_none_or(|len| len <= case.max_len));
}

#[test]
fn no_piece_is_shorter_than_asked_for() {
    #[amorsize::tune]
    fn shortest(case: &Case) -> Option<usize> {
        let xs = case.xs.par_iter().with_min_len(case.min_len).map(|&x| spin(x));
        xs.fold(|| 0, |len, _| len + 1).min()
    }

    let long_enough = |case: &Case, len| len >= case.min_len.min(case.xs.len());
    check(13, |_| true, |case| shortest(case).is_none_or(|len| long_enough(case, len)));
}

#[test]
fn sums_and_extremes_are_the_same() {
    #[amorsize::tune]
    fn tuned(case: &Case) -> (u32, Option<u32>, Option<(usize, &u32)>, usize) {
        let xs = case.xs.par_iter().with_min_len(case.min_len).with_max_len(case.max_len);
        let key = |(_, x): &(usize, &u32)| **x as usize % case.size;
        let indexed = xs.clone().enumerate();
        (xs.clone().sum(), xs.copied().min(), indexed.max_by_key(key), case.ys.par_iter().count())
    }

    let sequential = |case: &Case| {
        let key = |(_, x): &(usize, &u32)| **x as usize % case.size;
        let extreme = case.xs.iter().enumerate().max_by_key(key).map(|(i, x)| (i, *x));
        (case.xs.iter().sum(), case.xs.iter().copied().min(), extreme, case.ys.len())
    };
    let tuned = |case: &Case| {
        let (sum, min, extreme, count) = tuned(case);
        (sum, min, extreme.map(|(i, x)| (i, *x)), count)
    };
    check(8, sequential, tuned);
}

#[test]
fn the_first_and_the_last_match_are_found() {
    #[amorsize::tune]
    fn tuned(case: &Case) -> [Option<usize>; 4] {
        let is_it = |x: &u32| *x as usize % (5 * case.size) == 7;
        let xs = case.xs.par_iter().with_max_len(case.max_len).enumerate();
        let index = |(i, _): (usize, &u32)| i;
        [
            xs.clone().find_first(|(_, x)| is_it(x)).map(index),
            xs.clone().find_last(|(_, x)| is_it(x)).map(index),
            case.xs.par_iter().position_first(is_it),
            xs.filter(|(_, x)| is_it(x)).find_last(|(i, _)| i % 2 == 0).map(index),
        ]
    }

    let sequential = |case: &Case| {
        let is_it = |x: &u32| *x as usize % (5 * case.size) == 7;
        let first = case.xs.iter().position(is_it);
        let matches = || (0..case.xs.len()).rev().filter(|&i| is_it(&case.xs[i]));
        [first, matches().next(), first, matches().find(|i| i % 2 == 0)]
    };
    check(9, sequential, tuned);
}

#[test]
fn flattened_items_stay_in_order() {
    #[amorsize::tune]
    fn tuned(case: &Case) -> Vec<u32> {
        let xs = case.xs.par_iter().with_min_len(case.min_len).with_max_len(case.max_len);
        xs.flat_map_iter(|&x| (0..x % 4).map(move |i| x + i)).filter(|x| x % 3 > 0).collect()
    }

    let sequential = |case: &Case| {
        let xs = case.xs.iter().flat_map(|&x| (0..x % 4).map(move |i| x + i));
        xs.filter(|x| x % 3 > 0).collect()
    };
    check(10, sequential, tuned);
}

#[test]
fn ranges_hold_the_same_numbers() {
    #[amorsize::tune]
    fn tuned(case: &Case) -> (Vec<i64>, u64, Vec<usize>) {
        let (n, m) = (case.xs.len(), case.ys.len());
        (
            (-(n as i64)..=m as i64).into_par_iter().with_max_len(case.max_len).rev().collect(),
            (n as u64..m as u64).into_par_iter().filter(|x| x % 3 == 0).sum(),
            (0..=n).into_par_iter().step_by(case.size).collect(),
        )
    }

    let sequential = |case: &Case| {
        let (n, m) = (case.xs.len(), case.ys.len());
        (
            (-(n as i64)..=m as i64).rev().collect(),
            (n as u64..m as u64).filter(|x| x % 3 == 0).sum(),
            (0..=n).step_by(case.size).collect(),
        )
    };
    check(11, sequential, tuned);
}

#[test]
fn items_are_written_in_place() {
    #[amorsize::tune]
    fn tuned(case: &Case) -> Vec<u32> {
        let mut xs = case.xs.clone();
        xs.par_iter_mut().with_max_len(case.max_len).zip(&case.ys).for_each(|(x, y)| *x ^= y);
        xs.par_chunks_mut(case.size).enumerate().for_each(|(i, chunk)| chunk[0] = i as u32);
        xs
    }

    let sequential = |case: &Case| {
        let mut xs = case.xs.clone();
        xs.iter_mut().zip(&case.ys).for_each(|(x, y)| *x ^= y);
        xs.chunks_mut(case.size).enumerate().for_each(|(i, chunk)| chunk[0] = i as u32);
        xs
    };
    check(12, sequential, tuned);
}
