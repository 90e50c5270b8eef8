//! The attribute on the loops that users write: same results as without it, under every plan.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use amorsize::{Force, force, loops};
use rayon::prelude::*;

/// Runs `test` under plans of every kind. Plans are in force for the whole process: tests take turns.
fn under_every_plan(test: impl Fn()) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn: MutexGuard<'_, ()> = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let forced = [
        Force::Serial,
        Force::Rayon,
        Force::Workers { workers: 2, chunk: Some(1) },
        Force::Workers { workers: 8, chunk: None },
    ];
    for plan in forced.map(Some).into_iter().chain([None]) {
        force(plan);
        test();
    }
}

fn was_called(name: &str) -> bool {
    loops().iter().any(|each| each.name == name)
}

#[amorsize::tune]
fn squares(xs: &[u64]) -> Vec<u64> {
    xs.par_iter().enumerate().map(|(i, x)| x * x + i as u64).collect()
}

#[amorsize::tune]
fn several(xs: &mut [u32], ys: &[u32]) -> (u32, usize) {
    xs.par_iter_mut().zip(ys.par_iter()).for_each(|(x, y)| *x += y);
    let sum = xs.par_chunks(16).map(|chunk| chunk.iter().sum::<u32>()).sum();
    let odd = xs.par_iter().filter(|x| **x % 2 == 1).count();
    (sum, odd)
}

#[test]
fn several_loops_of_a_function_are_told_apart() {
    under_every_plan(|| {
        let mut xs: Vec<u32> = (0..1_000).collect();
        let ys = xs.clone();
        assert_eq!(several(&mut xs, &ys), (999_000, 0));
        let xs: Vec<u64> = (0..1_000).collect();
        assert!(squares(&xs).into_iter().eq((0..1_000).map(|x| x * x + x)));
    });
    for name in
        ["attribute::squares", "attribute::several", "attribute::several#2", "attribute::several#3"]
    {
        assert!(was_called(name), "{name}");
    }
    assert!(!was_called("attribute::several#4"), "what is zipped is no loop of its own");
}

struct Column<T>(Vec<T>);

impl<T: Copy + Sync + Into<f64>> Column<T> {
    #[amorsize::tune]
    fn total(&self) -> f64 {
        self.0.par_iter().map(|&x| x.into()).sum()
    }
}

#[test]
fn a_generic_function_has_a_loop_for_each_type_of_items() {
    under_every_plan(|| {
        assert_eq!(Column(vec![1_u8; 300]).total(), 300.0);
        assert_eq!(Column(vec![0.5_f32; 200]).total(), 100.0);
        assert_eq!(Column(vec![2_u8; 100]).total(), 200.0);
    });
    let total = loops().into_iter().filter(|each| each.name == "attribute::total");
    let mut types: Vec<&str> = total.map(|each| each.item_type).collect();
    types.sort_unstable();
    assert_eq!(types, ["&f32", "&u8"]);
}

#[amorsize::tune]
fn ranges(n: u64) -> (u64, i32, usize, u64) {
    (
        (0..n).into_par_iter().filter(|x| x % 3 == 0).map(|x| x * 2).sum(),
        (1..=100).into_par_iter().map(|x| x - 1).sum(),
        (0..1000).into_par_iter().map(|i| i * 2).sum(),
        (0..=n).into_par_iter().rev().take(3).max().unwrap_or(0),
    )
}

#[test]
fn ranges_of_any_integer_type_are_inferred_as_without_the_attribute() {
    under_every_plan(|| assert_eq!(ranges(99), (3_168, 4_950, 999_000, 99)));
}

struct Matrix {
    rows: Vec<Vec<f64>>,
}

trait Norm {
    fn norm(&self) -> f64;
}

impl Matrix {
    #[amorsize::tune(name = "matrix product", max_workers = 2, chunk = 4)]
    #[inline]
    fn product(&self, vector: &[f64]) -> Vec<f64> {
        let row = |row: &Vec<f64>| row.iter().zip(vector).map(|(a, b)| a * b).sum::<f64>();
        self.rows.par_iter().map(row).collect()
    }
}

impl Norm for Matrix {
    #[amorsize::tune]
    fn norm(&self) -> f64 {
        self.rows
            .par_iter()
            .map(|row| row.par_iter().map(|x| x.abs()).sum::<f64>())
            .reduce(|| 0.0, f64::max)
    }
}

#[test]
fn methods_are_tuned_like_functions() {
    let matrix = Matrix { rows: (0..20).map(|i| vec![f64::from(i); 10]).collect() };
    under_every_plan(|| {
        assert_eq!(matrix.norm(), 190.0);
        assert!(matrix.product(&[1.0; 10]).into_iter().eq((0..20).map(|i| f64::from(i) * 10.0)));
    });
    assert!(was_called("matrix product") && was_called("attribute::norm#2"));
}

#[amorsize::tune]
fn generic<'a, T, I, const N: usize>(items: I, arrays: &'a [[T; N]]) -> Vec<&'a T>
where
    T: Ord + Sync + 'a,
    I: IntoParallelIterator<Item = &'a T>,
    I::Iter: IndexedParallelIterator,
{
    let mut all: Vec<&T> = items.into_par_iter().collect();
    all.extend(arrays.par_iter().filter_map(|array| array.iter().max()).collect::<Vec<_>>());
    all.sort();
    all
}

#[test]
fn generic_functions_are_tuned() {
    under_every_plan(|| {
        let items = vec![3, 1, 2];
        assert_eq!(generic(&items, &[[7, 8], [5, 4]]), [&1, &2, &3, &5, &8]);
    });
}

#[amorsize::tune]
fn with_inner_attributes(xs: &[u32]) -> u32 {
    #![allow(unused_variables)]
    let unused = 1;
    xs.par_iter().sum()
}

#[test]
fn inner_attributes_stay_first() {
    under_every_plan(|| assert_eq!(with_inner_attributes(&[1, 2]), 3));
}

/// Has methods with rayon's names that have nothing to do with rayon.
struct Parser;

impl Parser {
    fn par_iter(&self) -> std::vec::IntoIter<u8> {
        vec![1, 2, 3].into_iter()
    }

    fn par_chunks(&self, size: usize) -> usize {
        size
    }
}

#[amorsize::tune]
fn untouched(map: &HashMap<u32, u32>) -> (u8, usize, u32, usize) {
    let own = Parser.par_iter().map(|x| x * 2).sum();
    let chunks = Parser.par_chunks(9);
    let total = map.par_iter().map(|(key, value)| key * value).sum();
    let bridged = (0..10_u8).par_bridge().filter(|x| x % 2 == 0).count();
    (own, chunks, total, bridged)
}

#[test]
fn what_cannot_be_indexed_or_is_not_rayons_passes_through() {
    let map = HashMap::from([(1, 2), (3, 4)]);
    under_every_plan(|| assert_eq!(untouched(&map), (12, 9, 14, 5)));
}

#[amorsize::tune]
fn everywhere(xs: &[u32]) -> Vec<u32> {
    fn inner(xs: &[u32]) -> u32 {
        xs.par_iter().sum()
    }
    let closure = || xs.par_windows(2).map(|pair| pair[1] - pair[0]).max();
    assert_eq!(xs.par_iter().count(), xs.len());
    vec![inner(xs), closure().unwrap_or(0)]
}

#[test]
fn loops_in_closures_macros_and_inner_functions_are_found() {
    under_every_plan(|| assert_eq!(everywhere(&[1, 3, 6]), [10, 3]));
    assert!(was_called("attribute::everywhere#3"));
}

#[amorsize::tune(cost = unit)]
fn with_inner_functions(unit: usize, xs: &[u32]) -> (u32, u32, u32) {
    fn without_a_cost(xs: &[u32]) -> u32 {
        xs.par_iter().sum()
    }
    #[amorsize::tune(name = "of its own")]
    fn of_its_own(xs: &[u32]) -> u32 {
        xs.par_iter().map(|x| 2 * x).sum()
    }
    (xs.par_iter().max().map_or(0, |&x| x), without_a_cost(xs), of_its_own(xs))
}

#[test]
fn functions_in_functions_have_no_part_in_the_cost_and_loops_of_their_own() {
    under_every_plan(|| assert_eq!(with_inner_functions(3, &[1, 2, 3]), (3, 6, 12)));
    assert!(was_called("of its own"));
}

/// As rayon's: type arguments, and what is shown of an iterator with closures.
#[amorsize::tune]
fn shown(xs: &[u32]) -> (String, Vec<Vec<u32>>) {
    let doubled = xs.par_iter().map(|x| 2 * x);
    let text = format!("{doubled:?}");
    let folded = doubled.fold_with::<_, Vec<u32>>(Vec::new(), |mut all, x| {
        all.push(x);
        all
    });
    assert!(format!("{folded:?}").contains("base"));
    (text, folded.collect())
}

#[test]
fn iterators_with_closures_can_be_shown() {
    let (text, folded) = shown(&[1, 2]);
    assert!(text.contains("Mapped") && text.contains("[1, 2]"), "{text}");
    assert_eq!(folded.concat(), [2, 4]);
}

#[amorsize::tune]
fn merged(words: &[String]) -> Vec<(char, usize)> {
    let counts = words
        .par_iter()
        .fold(HashMap::new, |mut counts: HashMap<char, usize>, word| {
            word.chars().for_each(|c| *counts.entry(c).or_default() += 1);
            counts
        })
        .reduce(HashMap::new, |mut left, right| {
            right.into_iter().for_each(|(c, count)| *left.entry(c).or_default() += count);
            left
        });
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort();
    counts
}

#[test]
fn merged_maps_hold_every_item() {
    let words: Vec<String> = (100..1_000).map(|n| n.to_string()).collect();
    under_every_plan(|| {
        let counts = merged(&words);
        assert_eq!(counts.len(), 10);
        assert_eq!(counts.iter().map(|(_, count)| count).sum::<usize>(), 2_700);
    });
}

/// What is called `Vec` is another type here.
mod deques {
    use std::collections::VecDeque as Vec;

    use rayon::prelude::*;

    #[amorsize::tune]
    pub(super) fn even(n: u32) -> Vec<u32> {
        (0..n).into_par_iter().filter(|n| n % 2 == 0).collect()
    }

    #[amorsize::tune]
    pub(super) fn even_or_none(n: u32, bad: u32) -> Option<Vec<u32>> {
        let evens = (0..n).into_par_iter().filter(|n| n % 2 == 0);
        evens.map(|n| (n != bad).then_some(n)).collect()
    }
}

#[test]
fn a_vec_that_is_none_is_collected_all_the_same() {
    let expected = || (0..1_000_u32).step_by(2);
    under_every_plan(|| {
        assert!(deques::even(1_000).into_iter().eq(expected()));
        assert!(deques::even_or_none(1_000, 1).expect("none is bad").into_iter().eq(expected()));
        assert!(deques::even_or_none(1_000, 500).is_none());
    });
}

/// What some crates have in place of rayon where that is switched off.
mod serial {
    pub(crate) trait IntoParIter: IntoIterator + Sized {
        fn into_par_iter(self) -> Self::IntoIter {
            self.into_iter()
        }
    }

    impl<I: IntoIterator> IntoParIter for I {}

    #[amorsize::tune]
    pub(crate) fn squares(n: u64) -> u64 {
        let squares: Vec<u64> = (0..n).into_par_iter().map(|i| i * i).collect();
        squares.into_par_iter().zip(0..n).zip(0..=n).map(|((square, i), j)| square + i - j).sum()
    }
}

#[test]
fn methods_in_place_of_rayons_give_plain_iterators() {
    assert_eq!(serial::squares(4), 14);
    assert!(!was_called("attribute::serial::squares"));
}

/// Makes functions from expressions, a type, a pattern and a statement.
macro_rules! with_expressions {
    ($name:ident, $xs:ident, $part:expr, $range:expr, $factor:expr, $t:ty, $p:pat, $last:stmt) => {
        #[amorsize::tune]
        fn $name($xs: &[u64]) -> [u64; 2] {
            let all: $t = $xs;
            let $p = all else { return [0; 2] };
            let of_part = $part.par_iter().map(|x| x * $factor).sum();
            let of_range = $range.into_par_iter().map(|i: u64| $factor * i).sum();
            $last;
            [of_part, of_range]
        }
    };
}

with_expressions!(of_part_and_range, xs, &xs[1..], 0..4, 1 + 2, &[u64], &[.., 9], let _shifted = 1 << 1);

#[test]
fn expressions_that_a_macro_was_given_stay_whole() {
    assert_eq!(of_part_and_range(&[1, 2, 9]), [33, 18]);
}

/// Makes functions from blocks.
macro_rules! with_body {
    ($name:ident, $xs:ident, $body:block) => {
        #[amorsize::tune]
        fn $name($xs: &[f64]) -> (f64, usize) $body
    };
}

with_body!(largest_and_count, xs, {
    let halves: &(dyn Fn(f64) -> (f64, usize) + Sync) = &|x| (x / 2.0, 1);
    let larger = |a: (f64, usize), b: (f64, usize)| -> (f64, usize) { (a.0.max(b.0), a.1 + b.1) };
    let few = xs.len() < 2;
    let found = xs.par_iter().map(|x| halves(*x)).reduce(|| (f64::MIN, 0), larger);
    if few { (0.0, found.1) } else { found }
});

#[test]
fn bodies_may_come_from_macros_and_hold_arrows_and_comparisons() {
    let xs: Vec<f64> = (0..1_000).map(f64::from).collect();
    under_every_plan(|| {
        assert_eq!(largest_and_count(&xs), (499.5, 1_000));
        assert_eq!(largest_and_count(&xs[..1]), (0.0, 1));
    });
    assert!(was_called("attribute::largest_and_count"));
}
