//! What the user asks of the pieces of a loop, and loops in unusual places.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::iter::ParallelIterator as Any;
use rayon::prelude::*;

use crate::harness::programs;
use crate::inputs::{numbers, others, rows, words};

/// The lengths of the pieces that one folder each worked on.
fn pieces<T: Send>(items: impl Any<Item = T>) -> Vec<usize> {
    items.fold(|| 0, |len, _| len + 1).collect()
}

programs! { Indexed, n;
    pieces_of_one_item(xs: &[u32] = &numbers(n)) -> Vec<usize> {
        pieces(xs.par_iter().with_max_len(1)).into_iter().filter(|&len| len > 0).collect()
    }
    pieces_of_at_most_seven_items(xs: &[u32] = &numbers(n)) -> (bool, usize) {
        let pieces = pieces(xs.par_iter().with_max_len(7));
        (pieces.iter().all(|&len| len <= 7), pieces.iter().sum())
    }
    pieces_of_at_least_ten_items(xs: &[u32] = &numbers(n)) -> (bool, usize) {
        let pieces = pieces(xs.par_iter().with_min_len(10));
        (pieces.iter().all(|&len| len >= 10 || len == xs.len()), pieces.iter().sum())
    }
    pieces_of_all_items(xs: &[u32] = &numbers(n)) -> Vec<usize> {
        pieces(xs.par_iter().with_min_len(1_000_000))
    }
    pieces_after_a_stage(xs: &[u32] = &numbers(n)) -> (bool, usize) {
        let pieces = pieces(xs.par_iter().with_max_len(5).filter(|_| true));
        (pieces.iter().all(|&len| len <= 5), pieces.iter().sum())
    }
    pieces_under_an_adaptor(xs: &[u32] = &numbers(n)) -> (bool, usize) {
        let pieces = pieces(xs.par_iter().with_max_len(6).map(|x| x + 1).enumerate().rev());
        (pieces.iter().all(|&len| len <= 6), pieces.iter().sum())
    }
    pieces_of_a_range(n: usize = n) -> (bool, usize) {
        let pieces = pieces((0..n).into_par_iter().map(|x| x + 1).with_max_len(4));
        (pieces.iter().all(|&len| len <= 4), pieces.iter().sum())
    }
    pieces_for_each_init(xs: &[u32] = &numbers(n)) -> bool {
        let starts = AtomicUsize::new(0);
        xs.par_iter()
            .with_max_len(3)
            .for_each_init(|| starts.fetch_add(1, Ordering::Relaxed), |_, _| ());
        starts.into_inner() >= xs.len() / 3
    }
    min_over_max(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().with_max_len(3).with_min_len(10).map(|x| x + 1).collect()
    }
    max_over_min(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().with_min_len(8).with_max_len(2).map(|x| x + 1).collect()
    }
    min_and_max_of_what_is_zipped(
        xs: &[u32] = &numbers(n),
        ys: &[u32] = &others(n),
    ) -> (bool, u32) {
        let zipped = xs.par_iter().with_min_len(2).zip(ys.par_iter().with_max_len(4));
        (pieces(zipped.clone()).iter().all(|&len| len <= 4), zipped.map(|(x, y)| x ^ y).sum())
    }
    min_of_one(xs: &[u32] = &numbers(n)) -> Vec<&u32> {
        xs.par_iter().with_min_len(1).rev().collect()
    }

    min_of_nothing(xs: &[u32] = &numbers(n)) -> Vec<&u32> {
        xs.par_iter().with_min_len(0).with_max_len(0).collect()
    }
    max_of_everything(xs: &[u32] = &numbers(n)) -> u32 {
        xs.par_iter().with_max_len(usize::MAX).sum()
    }
    max_with_chunks(xs: &[u32] = &numbers(n)) -> Vec<usize> {
        xs.par_iter().chunks(3).with_max_len(2).map(|chunk| chunk.len()).collect()
    }
    max_with_blocks(xs: &[u32] = &numbers(n)) -> Vec<&u32> {
        xs.par_iter().with_max_len(2).by_uniform_blocks(9).collect()
    }
    max_with_an_early_exit(xs: &[u32] = &numbers(n)) -> Option<&u32> {
        xs.par_iter().with_max_len(1).find_first(|x| **x > 300)
    }
    max_with_stages(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().with_max_len(1).filter(|x| **x % 2 == 0).map(|x| x / 2).collect()
    }
    max_collected_into_a_vec(words: Vec<String> = words(n)) -> Vec<String> {
        let mut all = Vec::new();
        words.into_par_iter().with_max_len(2).collect_into_vec(&mut all);
        all
    }

    max_with_what_was_used_before(
        xs: &[u32] = &numbers(n),
        ys: &[u32] = &others(n),
    ) -> (u32, bool) {
        let ys = ys.par_iter();
        let pieces = |_| pieces(xs.par_iter().with_max_len(1).zip(ys.clone()));
        (ys.clone().sum(), (0..3).flat_map(pieces).all(|len| len <= 1))
    }
    loop_in_a_loop(rows: &[Vec<u32>] = &rows(n)) -> Vec<u32> {
        rows.par_iter().map(|row| row.par_iter().sum()).collect()
    }
    loop_in_a_loop_in_a_loop(n: usize = n.min(20)) -> usize {
        let inner = |i: usize, j: usize| (0..n).into_par_iter().filter(|k| i * j > k * k).count();
        (0..n)
            .into_par_iter()
            .map(|i| (0..i).into_par_iter().map(|j| inner(i, j)).sum::<usize>())
            .sum()
    }
    loop_in_a_reduction(xs: &[u32] = &numbers(n)) -> u32 {
        let add = |x: u32, y: u32| [x, y].par_iter().sum::<u32>();
        xs.par_iter().copied().reduce(|| 0, add)
    }
    loop_in_a_fold(rows: &[Vec<u32>] = &rows(n)) -> u32 {
        rows.par_iter()
            .fold(|| 0, |sum, row| sum + row.par_iter().copied().max().unwrap_or(0))
            .sum()
    }
    loop_in_a_stage(rows: &[Vec<u32>] = &rows(n)) -> usize {
        rows.par_iter().filter(|row| row.par_iter().any(|x| *x > 200)).count()
    }
    loop_in_what_is_zipped(xs: &[u32] = &numbers(n), rows: &[Vec<u32>] = &rows(n)) -> Vec<u32> {
        xs.par_iter()
            .zip(rows.par_iter().map(|row| row.par_iter().sum::<u32>()))
            .map(|(x, y)| x + y)
            .collect()
    }
    loop_in_a_closure(xs: &[u32] = &numbers(n)) -> u32 {
        let above = |limit: u32| xs.par_iter().filter(|x| **x > limit).count() as u32;
        above(10) + above(100) * 1_000
    }
    loop_in_a_boxed_closure(xs: Vec<u32> = numbers(n)) -> Vec<u32> {
        let above: Box<dyn Fn(u32) -> Vec<u32>> =
            Box::new(move |y| xs.par_iter().map(|x| x + y).collect());
        above(3)
    }
    loop_in_another_macro(xs: &[u32] = &numbers(n)) -> String {
        assert_eq!(xs.par_iter().count(), xs.len(), "{}", xs.par_iter().count());
        let all = vec![xs.par_iter().sum::<u32>(), xs.par_iter().copied().max().unwrap_or(0)];
        format!("{:?} {}", all, xs.par_iter().map(|x| x % 2).sum::<u32>())
    }
    loop_in_matches(xs: &[u32] = &numbers(n)) -> bool {
        matches!(xs.par_iter().max(), Some(max) if *max == 508)
    }
    loop_in_both_branches_of_join(xs: &[u32] = &numbers(n)) -> (u32, Option<&u32>) {
        rayon::join(|| xs.par_iter().sum(), || xs.par_iter().min())
    }
    loop_in_a_scope(xs: &[u32] = &numbers(n)) -> (u32, u32) {
        let (mut sum, mut max) = (0, 0);
        rayon::scope(|scope| {
            scope.spawn(|_| sum = xs.par_iter().sum());
            scope.spawn(|_| max = xs.par_iter().copied().max().unwrap_or(0));
        });
        (sum, max)
    }
    loop_in_a_thread(xs: &[u32] = &numbers(n)) -> u32 {
        std::thread::scope(|scope| {
            scope.spawn(|| xs.par_iter().sum()).join().expect("the thread does not panic")
        })
    }
    loop_in_another_pool(xs: &[u32] = &numbers(n)) -> (u32, Vec<u32>) {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads can be started");
        let inner = |x: &u32| pool.install(|| [*x, 1, 2].par_iter().max().copied()).unwrap_or(0);
        (pool.install(|| xs.par_iter().sum()), xs.par_iter().take(20).map(inner).collect())
    }
    loop_in_a_pool_of_one_thread(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("threads can be started");
        pool.install(|| xs.par_iter().map(|x| x + 1).collect())
    }
    loop_on_every_thread(xs: &[u32] = &numbers(n)) -> bool {
        let sums = rayon::broadcast(|_| xs.par_iter().sum::<u32>());
        sums.iter().all(|sum| *sum == sums[0])
    }
    loop_over_a_loops_results(xs: &[u32] = &numbers(n)) -> usize {
        xs.par_iter()
            .filter(|x| **x > 9)
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|x| x / 2)
            .collect::<Vec<_>>()
            .len()
    }
    lock_that_is_held_by_the_caller(xs: Vec<u32> = numbers(n)) -> u32 {
        let xs = std::sync::RwLock::new(xs);
        let guard = xs.read().expect("no one panicked");
        guard.par_iter().map(|x| x + u32::from(xs.is_poisoned())).sum()
    }
}
