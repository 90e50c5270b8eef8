//! Adaptors of what can be indexed.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::iter::plumbing::{Consumer, ProducerCallback, UnindexedConsumer};
use rayon::prelude::*;

use crate::harness::programs;
use crate::inputs::{numbers, others, rows, words};

/// Can be indexed, but tells nobody how many items it has unless it is asked as such.
struct Untold(Range<usize>);

impl ParallelIterator for Untold {
    type Item = usize;

    fn drive_unindexed<C: UnindexedConsumer<usize>>(self, consumer: C) -> C::Result {
        self.0.into_par_iter().drive_unindexed(consumer)
    }
}

impl IndexedParallelIterator for Untold {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn drive<C: Consumer<usize>>(self, consumer: C) -> C::Result {
        self.0.into_par_iter().drive(consumer)
    }

    fn with_producer<CB: ProducerCallback<usize>>(self, callback: CB) -> CB::Output {
        self.0.into_par_iter().with_producer(callback)
    }
}

programs! { Indexed, n;
    chain_whose_second_half_does_not_tell_its_length(n: usize = n) -> Vec<usize> {
        (0..n).into_par_iter().chain(Untold(n..2 * n)).map(|x| x + 1).collect()
    }
    sum_of_what_does_not_tell_its_length(n: usize = n) -> usize {
        (0..n).into_par_iter().chain(Untold(n..2 * n)).filter(|x| x % 2 == 0).sum()
    }
    map(xs: &[u32] = &numbers(n)) -> Vec<u64> { xs.par_iter().map(|&x| u64::from(x) * 3).collect() }
    map_with_type_arguments(xs: &[u32] = &numbers(n)) -> Vec<u64> {
        xs.par_iter().map::<_, u64>(|&x| x.into()).collect::<Vec<_>>()
    }
    map_of_a_function(words: &[String] = &words(n)) -> Vec<usize> {
        words.par_iter().map(String::len).collect()
    }
    map_to_borrowed_parts(words: &[String] = &words(n)) -> Vec<&str> {
        words.par_iter().map(|word| &word[1..]).collect()
    }
    map_to_closures(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().map(|x| move |y| x + y).map(|add| add(3)).collect()
    }
    map_with_mutable_state(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter()
            .map_with(Vec::new(), |seen, &x| {
                seen.push(x);
                x + u32::from(seen.is_empty())
            })
            .collect()
    }
    map_init_with_a_buffer(xs: &[u32] = &numbers(n)) -> Vec<usize> {
        let buffered = |buffer: &mut String, x: &u32| {
            buffer.clear();
            buffer.push_str(&x.to_string());
            buffer.len()
        };
        xs.par_iter().map_init(String::new, buffered).collect()
    }
    cloned_with_a_type_argument(words: &[String] = &words(n)) -> Vec<String> {
        words.par_iter().cloned::<String>().collect()
    }
    cloned(words: &[String] = &words(n)) -> Vec<String> { words.par_iter().cloned().collect() }
    copied(xs: &[u32] = &numbers(n)) -> u32 { xs.par_iter().copied().sum() }
    copied_after_a_map(xs: &[(u32, u32)] = &[(1, n as u32), (2, 3)]) -> Vec<u32> {
        xs.par_iter().map(|(x, _)| x).copied().collect()
    }
    inspect(xs: &[u32] = &numbers(n)) -> (u32, usize) {
        let seen = AtomicUsize::new(0);
        let sum = xs
            .par_iter()
            .inspect(|_| {
                seen.fetch_add(1, Ordering::Relaxed);
            })
            .sum();
        (sum, seen.into_inner())
    }
    update(words: Vec<String> = words(n)) -> Vec<String> {
        words.into_par_iter().update(|word| word.insert(0, '-')).collect()
    }
    update_of_references(xs: &mut [u32] = &mut numbers(n)) -> Vec<u32> {
        xs.par_iter_mut().update(|x| **x += 1).map(|x| *x).collect()
    }
    flat_map(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().flat_map(|&x| (0..x % 4).into_par_iter().map(move |y| x + y)).collect()
    }
    flat_map_of_slices(rows: &[Vec<u32>] = &rows(n)) -> Vec<&u32> {
        rows.par_iter().flat_map(|row| row.par_iter()).collect()
    }
    flat_map_of_vecs(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().flat_map(|&x| vec![x; (x % 3) as usize]).collect()
    }
    flat_map_of_options(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().flat_map(|x| x.checked_sub(100)).collect()
    }
    flat_map_of_what_cannot_be_indexed(words: &[String] = &words(n)) -> Vec<char> {
        words.par_iter().flat_map(|word| word.par_chars().filter(char::is_ascii_digit)).collect()
    }
    flatten(rows: Vec<Vec<u32>> = rows(n)) -> Vec<u32> { rows.into_par_iter().flatten().collect() }
    flatten_references(rows: &[Vec<u32>] = &rows(n)) -> Vec<&u32> {
        rows.par_iter().flatten().collect()
    }
    flatten_options(xs: &[u32] = &numbers(n)) -> usize {
        xs.par_iter().map(|x| x.checked_sub(50)).flatten().count()
    }

    fold_in_order(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        let appended = |mut left: Vec<u32>, mut right: Vec<u32>| {
            left.append(&mut right);
            left
        };
        xs.par_iter()
            .fold(Vec::new, |mut all, &x| {
                all.push(x);
                all
            })
            .reduce(Vec::new, appended)
    }
    fold_into_a_string(words: &[String] = &words(n)) -> String {
        words.par_iter().fold(String::new, |all, word| all + word).collect()
    }
    fold_with_a_start(xs: &[u32] = &numbers(n)) -> u32 {
        xs.par_iter().fold_with(0, |sum, x| sum + x).sum()
    }
    fold_and_fold_again(xs: &[u32] = &numbers(n)) -> u32 {
        xs.par_iter().fold(|| 0, |sum, x| sum + x).fold(|| 0, |sum, x| sum + x).sum()
    }
    try_fold(xs: &[u32] = &numbers(n)) -> Option<u32> {
        xs.par_iter()
            .try_fold(|| 0_u32, |sum, &x| sum.checked_add(x))
            .try_reduce(|| 0, |x, y| x.checked_add(y))
    }
    try_fold_that_fails(xs: &[u32] = &numbers(n)) -> Result<u32, &str> {
        let sum = |sum: u32, x: &u32| if *x == 99 { Err("99") } else { Ok(sum + x) };
        xs.par_iter().try_fold(|| 0, sum).try_reduce(|| 0, |x, y| Ok(x + y))
    }
    try_fold_with_a_start(xs: &[u32] = &numbers(n)) -> Option<u32> {
        xs.par_iter()
            .try_fold_with(1_u32, |all, x| all.checked_mul(x % 3 + 1))
            .try_reduce(|| 1, u32::checked_mul)
    }
    chain(xs: &[u32] = &numbers(n), ys: &[u32] = &others(n / 2)) -> Vec<u32> {
        xs.par_iter().chain(ys.par_iter()).chain(xs).map(|x| x + 1).collect()
    }
    chain_of_different_types(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().map(|x| x + 1).chain((0..5_u32).into_par_iter().map(|x| x * 2)).collect()
    }
    chain_of_a_vec_and_an_option(xs: Vec<u32> = numbers(n)) -> Vec<u32> {
        xs.into_par_iter().chain(Some(4)).rev().collect()
    }
    chain_of_what_cannot_be_indexed(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        let ys: std::collections::BTreeSet<u32> = xs.iter().copied().collect();
        xs.par_iter().chain(ys.par_iter()).copied().collect()
    }
    chain_of_what_is_filtered(xs: &[u32] = &numbers(n)) -> Vec<&u32> {
        xs.par_iter().chain(xs.par_iter().filter(|x| **x > 9)).collect()
    }
    chain_of_ranges_of_u64(n: u64 = n as u64) -> Vec<u64> {
        (0..n).into_par_iter().chain((5..n).into_par_iter()).collect()
    }
    chain_of_inclusive_ranges(n: usize = n) -> Vec<usize> {
        (0..=n).into_par_iter().chain(5..=n).collect()
    }
    chain_then_count(xs: &[u32] = &numbers(n), ys: &[u32] = &others(n)) -> (usize, u32) {
        (
            xs.par_iter().chain(ys.par_iter()).count(),
            ys.par_iter().chain(xs).filter(|x| **x % 3 == 0).sum(),
        )
    }
    while_some(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().map(|&x| (x < 1_000).then_some(x)).while_some().collect()
    }
    while_some_stops(xs: &[u32] = &numbers(n)) -> bool {
        xs.par_iter().map(|&x| (x != 99).then_some(x)).while_some().all(|x| x != 99)
    }
    panic_fuse(xs: &[u32] = &numbers(n)) -> u32 { xs.par_iter().panic_fuse().map(|x| x + 1).sum() }
    intersperse(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().copied().intersperse(1_000).collect()
    }
    intersperse_reversed(words: &[String] = &words(n)) -> String {
        words.par_iter().map(String::as_str).intersperse(", ").rev().collect()
    }
    take_any(xs: &[u32] = &numbers(n)) -> (usize, usize) {
        (xs.par_iter().take_any(10).count(), xs.par_iter().take_any(usize::MAX).count())
    }
    skip_any(xs: &[u32] = &numbers(n)) -> (usize, Vec<u32>) {
        (xs.par_iter().skip_any(10).count(), xs.par_iter().copied().skip_any(0).collect())
    }
    take_any_while(xs: &[u32] = &numbers(n)) -> (bool, usize) {
        let taken = xs.par_iter().take_any_while(|x| **x != 99);
        (taken.clone().all(|x| *x != 99), xs.par_iter().take_any_while(|_| true).count())
    }
    skip_any_while(xs: &[u32] = &numbers(n)) -> (usize, Vec<u32>) {
        let none = xs.par_iter().skip_any_while(|_| true).count();
        (none, xs.par_iter().copied().skip_any_while(|_| false).collect())
    }

    zip(xs: &[u32] = &numbers(n), ys: &[u32] = &others(n)) -> Vec<u32> {
        xs.par_iter().zip(ys.par_iter()).map(|(x, y)| x * y).collect()
    }
    zip_with_a_reference(xs: &[u32] = &numbers(n), ys: &[u32] = &others(n)) -> u32 {
        xs.par_iter().zip(ys).map(|(x, y)| x & y).sum()
    }
    zip_with_a_range(xs: &[u32] = &numbers(n)) -> Vec<(&u32, u32)> {
        xs.par_iter().zip(3..u32::MAX).collect()
    }
    zip_of_different_lengths<'a>(
        xs: &'a [u32] = &numbers(n),
        ys: &'a [u32] = &others(n * 2 / 3),
    ) -> Vec<(&'a u32, &'a u32)> {
        xs.par_iter().zip(ys.par_iter()).collect()
    }
    zip_with_something_mutable(
        xs: &mut [u32] = &mut numbers(n),
        ys: &[u32] = &others(n),
    ) -> Vec<u32> {
        xs.par_iter_mut().zip(ys.par_iter()).for_each(|(x, y)| *x -= (*x).min(*y));
        xs.to_vec()
    }
    zip_of_values(xs: Vec<String> = words(n), ys: Vec<u32> = others(n)) -> Vec<String> {
        xs.into_par_iter().zip(ys.into_par_iter()).map(|(word, y)| format!("{word}{y}")).collect()
    }
    zip_of_zips(xs: &[u32] = &numbers(n), ys: &[u32] = &others(n)) -> u32 {
        xs.par_iter().zip(ys.par_iter().zip(xs.par_iter().rev())).map(|(x, (y, z))| x ^ y ^ z).sum()
    }
    zip_with_chunks(xs: &[u32] = &numbers(n), ys: &[u32] = &others(n)) -> Vec<u32> {
        xs.par_chunks(4)
            .zip(ys.par_chunks(4))
            .map(|(a, b)| a.iter().zip(b).map(|(x, y)| x * y).sum())
            .collect()
    }
    zip_eq<'a>(xs: &'a [u32] = &numbers(n), ys: &'a [u32] = &others(n)) -> Vec<(&'a u32, &'a u32)> {
        xs.par_iter().zip_eq(ys.par_iter()).collect()
    }
    interleave(xs: &[u32] = &numbers(n), ys: &[u32] = &others(n / 2)) -> Vec<u32> {
        xs.par_iter().interleave(ys.par_iter()).copied().collect()
    }
    interleave_with_something_longer<'a>(
        xs: &'a [u32] = &numbers(n / 3),
        ys: &'a [u32] = &others(n),
    ) -> Vec<&'a u32> {
        xs.par_iter().interleave(ys).rev().collect()
    }
    interleave_shortest<'a>(
        xs: &'a [u32] = &numbers(n),
        ys: &'a [u32] = &others(n / 2),
    ) -> Vec<&'a u32> {
        xs.par_iter().interleave_shortest(ys.par_iter()).collect()
    }
    chunks(xs: &[u32] = &numbers(n)) -> Vec<Vec<u32>> { xs.par_iter().copied().chunks(7).collect() }
    chunks_of_chunks(xs: Vec<u32> = numbers(n)) -> Vec<usize> {
        xs.into_par_iter().chunks(3).chunks(2).map(|chunk| chunk.concat().len()).collect()
    }
    chunks_reversed(xs: &[u32] = &numbers(n)) -> Vec<Vec<&u32>> {
        xs.par_iter().chunks(10).rev().collect()
    }
    fold_chunks(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().fold_chunks(8, || 1, |sum, x| sum + x).collect()
    }
    fold_chunks_with(xs: &[u32] = &numbers(n)) -> Vec<String> {
        xs.par_iter().fold_chunks_with(3, String::from(":"), |all, x| format!("{all}{x}")).collect()
    }
    enumerate(xs: &[u32] = &numbers(n)) -> Vec<(usize, &u32)> {
        xs.par_iter().enumerate().collect()
    }
    enumerate_after_rev(xs: &[u32] = &numbers(n)) -> Vec<(usize, u32)> {
        xs.par_iter().copied().rev().enumerate().collect()
    }
    enumerate_then_filter(xs: &[u32] = &numbers(n)) -> Vec<usize> {
        xs.par_iter().enumerate().filter(|(_, x)| **x % 2 == 0).map(|(i, _)| i).collect()
    }
    step_by(xs: &[u32] = &numbers(n)) -> Vec<&u32> { xs.par_iter().step_by(3).collect() }
    step_by_of_a_range(n: usize = n) -> Vec<usize> {
        (0..n).into_par_iter().step_by(7).rev().collect()
    }
    skip(xs: &[u32] = &numbers(n)) -> Vec<&u32> { xs.par_iter().skip(5).collect() }
    skip_more_than_there_is(xs: &[u32] = &numbers(n)) -> Vec<&u32> {
        xs.par_iter().skip(10_000).collect()
    }
    take(xs: &[u32] = &numbers(n)) -> Vec<&u32> { xs.par_iter().take(50).collect() }
    take_nothing(xs: &[u32] = &numbers(n)) -> u32 { xs.par_iter().take(0).sum() }
    take_of_a_mutable_slice(xs: &mut [u32] = &mut numbers(n)) -> Vec<u32> {
        xs.par_iter_mut().skip(3).take(30).for_each(|x| *x = 0);
        xs.to_vec()
    }
    positions(xs: &[u32] = &numbers(n)) -> Vec<usize> {
        xs.par_iter().positions(|x| x % 5 == 0).collect()
    }
    rev(xs: &[u32] = &numbers(n)) -> Vec<&u32> { xs.par_iter().rev().collect() }
    rev_twice(xs: Vec<String> = words(n)) -> Vec<String> {
        xs.into_par_iter().rev().skip(1).rev().collect()
    }
    rev_of_mutable_chunks(xs: &mut [u32] = &mut numbers(n)) -> Vec<u32> {
        xs.par_chunks_mut(6).rev().enumerate().for_each(|(i, chunk)| chunk.fill(i as u32));
        xs.to_vec()
    }
    exponential_blocks(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().by_exponential_blocks().map(|x| x + 1).collect()
    }
    uniform_blocks(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().by_uniform_blocks(16).map(|x| x + 1).collect()
    }
    uniform_blocks_and_an_early_exit(xs: &[u32] = &numbers(n)) -> Option<&u32> {
        xs.par_iter().by_uniform_blocks(10).find_first(|x| **x > 400)
    }
    everything_in_a_row(xs: &[u32] = &numbers(n), ys: &[u32] = &others(n)) -> Vec<(usize, u32)> {
        xs.par_iter()
            .zip(ys)
            .rev()
            .skip(1)
            .step_by(2)
            .take(200)
            .map(|(x, y)| x + y)
            .enumerate()
            .rev()
            .collect()
    }
    the_same_iterator_twice(xs: &[u32] = &numbers(n)) -> (u32, usize) {
        let odd = xs.par_iter().map(|x| x | 1);
        (odd.clone().sum(), odd.enumerate().count())
    }
    lengths(xs: &[u32] = &numbers(n)) -> (usize, Option<usize>, usize) {
        (
            xs.par_iter().len(),
            xs.par_iter().map(|x| x + 1).opt_len(),
            xs.par_iter().skip(3).step_by(2).count(),
        )
    }
    length_after_a_filter(xs: &[u32] = &numbers(n)) -> (Option<usize>, usize) {
        let odd = xs.par_iter().filter(|x| **x % 2 == 1);
        (odd.opt_len(), odd.count())
    }
}
