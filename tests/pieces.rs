//! Pieces as items: all of the data in order, whatever runs in parallel, and as one piece where nothing does.

mod plans;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use amorsize::{Divide, Force, force};
use plans::{turn, under_each};
use rayon::prelude::*;

const PLANS: [Option<Force>; 7] = [
    None,
    Some(Force::Serial),
    Some(Force::Rayon),
    Some(Force::Workers { workers: 2, chunk: Some(100) }),
    Some(Force::Workers { workers: 3, chunk: Some(7) }),
    Some(Force::Workers { workers: 8, chunk: None }),
    Some(Force::Workers { workers: 8, chunk: Some(1) }),
];

fn under_every_plan(test: impl Fn() + Sync) {
    under_each(&PLANS, test);
}

const COUNTS: [usize; 8] = [0, 1, 2, 3, 63, 64, 1_000, 10_007];

#[amorsize::tune]
fn bounds(n: usize) -> Vec<(usize, usize)> {
    amorsize::pieces(0..n).map(|piece| (piece.start, piece.end)).collect()
}

#[test]
fn pieces_are_all_of_the_data_in_order_and_none_is_empty() {
    under_every_plan(|| {
        for n in COUNTS {
            let mut next = 0;
            for (start, end) in bounds(n) {
                assert!(start == next && start < end, "{start}..{end} after {next}");
                next = end;
            }
            assert_eq!(next, n);
        }
    });
}

#[test]
fn a_serial_run_has_one_piece() {
    let _turn = turn();
    force(Some(Force::Serial));
    assert_eq!(bounds(1_000_000), [(0, 1_000_000)]);
    force(Some(Force::Workers { workers: 2, chunk: Some(250) }));
    assert_eq!(bounds(1_000).len(), 4);
    force(None);
}

#[amorsize::tune(cost = 2)]
fn add(xs: &[u64], ys: &[u64], sums: &mut [u64]) {
    amorsize::pieces((xs, ys, sums)).for_each(|(xs, ys, sums)| {
        assert!(xs.len() == ys.len() && ys.len() == sums.len());
        for ((x, y), sum) in xs.iter().zip(ys).zip(sums) {
            *sum = x + y;
        }
    });
}

#[test]
fn parts_of_a_tuple_are_cut_at_the_same_places_and_end_with_the_shortest() {
    under_every_plan(|| {
        for n in COUNTS {
            let xs: Vec<u64> = (0..n as u64).collect();
            let ys: Vec<u64> = (0..n as u64 + 5).rev().collect();
            let mut sums = vec![0; n + 1];
            add(&xs, &ys, &mut sums);
            assert_eq!(sums.split_last(), Some((&0, &*vec![n as u64 + 4; n])));
        }
    });
}

fn untuned(n: usize, min: usize) -> Vec<usize> {
    amorsize::pieces(0..n).with_min_len(min).map(|piece| piece.len()).collect()
}

#[amorsize::tune(skip = 1)]
fn skipped(n: usize) -> usize {
    let lengths: usize = amorsize::pieces(0..n).map(|piece| piece.len()).sum();
    (0..lengths).into_par_iter().count()
}

#[test]
fn without_the_attribute_rayon_chooses_the_pieces() {
    for n in COUNTS {
        assert_eq!(untuned(n, 1).iter().sum::<usize>(), n);
        assert!(untuned(n, 10).iter().all(|&piece| piece >= n.min(10)));
        assert!(untuned(n, 1).iter().all(|&piece| piece > 0));
        assert_eq!(skipped(n), n);
    }
    let shortest = amorsize::pieces((0..10_usize, 0..7_u32)).map(|(a, b)| (a.len(), b.len()));
    assert_eq!(shortest.reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1)), (7, 7));
}

#[amorsize::tune]
fn long_pieces(n: usize) -> Vec<usize> {
    amorsize::pieces(0..n).with_min_len(100).map(|piece| piece.len()).collect()
}

#[test]
fn no_piece_is_shorter_than_asked_for() {
    under_every_plan(|| {
        for n in COUNTS {
            let lengths = long_pieces(n);
            assert_eq!(lengths.iter().sum::<usize>(), n);
            assert!(lengths.iter().all(|&length| length >= n.min(100)), "{lengths:?}");
        }
    });
}

/// Drops what it has left.
struct Counted<'a>(&'a AtomicUsize, usize);

impl Divide for Counted<'_> {
    fn count(&self) -> usize {
        self.1
    }

    fn divide_at(mut self, at: usize) -> (Self, Self) {
        let all = std::mem::take(&mut self.1);
        (Counted(self.0, at), Counted(self.0, all - at))
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(self.1, Ordering::Relaxed);
    }
}

#[amorsize::tune]
fn panics_at(piece_with: usize, dropped: &AtomicUsize, n: usize) {
    let before = AtomicUsize::new(0);
    amorsize::pieces(Counted(dropped, n)).for_each(|piece| {
        let start = before.fetch_add(piece.count(), Ordering::Relaxed);
        assert!(!(start..start + piece.count()).contains(&piece_with), "as asked");
    });
}

#[test]
fn a_panic_reaches_the_caller_and_all_of_the_data_is_dropped_once() {
    under_every_plan(|| {
        for piece_with in [0, 500, 999] {
            let dropped = AtomicUsize::new(0);
            let run = AssertUnwindSafe(|| panics_at(piece_with, &dropped, 1_000));
            let panic = catch_unwind(run).expect_err("asked for");
            assert_eq!(panic.downcast_ref(), Some(&"as asked"));
            assert_eq!(dropped.into_inner(), 1_000);
        }
    });
}

#[test]
fn a_loop_by_hand_runs_pieces_too() {
    static LOOP: amorsize::Loop = amorsize::tuned_loop!("by hand");
    let mut numbers = vec![1; 1_000];
    amorsize::pieces(&mut numbers[..]).tuned(&LOOP).for_each(|piece| piece.fill(2));
    assert_eq!(numbers, [2; 1_000]);
}
