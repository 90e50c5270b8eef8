//! Adaptors that change the number of items, and what may follow them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::iter::Either;
use rayon::prelude::*;

use crate::harness::programs;
use crate::inputs::{numbers, others, rows, words};

programs! { Indexed, n;
    filter(xs: &[u32] = &numbers(n)) -> Vec<&u32> {
        xs.par_iter().filter(|x| **x % 3 == 0).collect()
    }
    filter_nothing_out(xs: Vec<String> = words(n)) -> Vec<String> {
        xs.into_par_iter().filter(|_| true).collect()
    }
    filter_everything_out(xs: Vec<String> = words(n)) -> Vec<String> {
        xs.into_par_iter().filter(|_| false).collect()
    }
    filter_map(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().filter_map(|x| x.checked_sub(200)).collect()
    }
    filter_map_that_parses(words: &[String] = &words(n)) -> Vec<u32> {
        words.par_iter().filter_map(|word| word[1..].parse().ok()).collect()
    }
    flat_map_iter(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().flat_map_iter(|&x| (0..x % 5).map(move |y| x + y)).collect()
    }
    flat_map_iter_of_options(xs: &[u32] = &numbers(n)) -> u32 {
        xs.par_iter().flat_map_iter(|x| x.checked_sub(300)).sum()
    }
    flat_map_iter_of_chars(words: &[String] = &words(n)) -> String {
        words.par_iter().flat_map_iter(|word| word.chars()).collect()
    }
    flatten_iter(rows: Vec<Vec<u32>> = rows(n)) -> Vec<u32> {
        rows.into_par_iter().flatten_iter().collect()
    }
    flatten_iter_of_options(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().map(|&x| (x > 9).then_some(x)).flatten_iter().collect()
    }
    filter_of_a_range(n: u64 = n as u64) -> Vec<u64> {
        (0..n).into_par_iter().filter(|x| x.is_power_of_two()).collect()
    }
    filter_of_mutable_items(xs: &mut [u32] = &mut numbers(n)) -> Vec<u32> {
        xs.par_iter_mut().filter(|x| **x % 2 == 1).for_each(|x| *x = 0);
        xs.to_vec()
    }
    filter_after_a_map(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().map(|x| x * 2).filter(|x| x % 3 == 0).collect()
    }
    filter_after_zip_and_rev<'a>(
        xs: &'a [u32] = &numbers(n),
        ys: &'a [u32] = &others(n),
    ) -> Vec<(&'a u32, &'a u32)> {
        xs.par_iter().zip(ys).rev().filter(|(x, y)| x > y).collect()
    }

    map_after(xs: &[u32] = &numbers(n)) -> Vec<String> {
        xs.par_iter().filter(|x| **x > 99).map(u32::to_string).collect()
    }
    map_with_after(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().filter(|x| **x > 99).map_with(3, |three, x| x + *three).collect()
    }
    map_init_after(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().filter_map(|x| x.checked_sub(9)).map_init(|| 4, |four, x| x + *four).collect()
    }
    cloned_after(words: &[String] = &words(n)) -> Vec<String> {
        words.par_iter().filter(|word| word.len() == 3).cloned().collect()
    }
    copied_after(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().filter(|x| **x < 99).copied().collect()
    }
    copied_after_with_a_type_argument(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().filter(|x| **x < 99).copied::<u32>().collect()
    }
    inspect_after(xs: &[u32] = &numbers(n)) -> (usize, usize) {
        let seen = AtomicUsize::new(0);
        let see = |_: &&u32| {
            seen.fetch_add(1, Ordering::Relaxed);
        };
        let count = xs.par_iter().filter(|x| **x < 99).inspect(see).count();
        (count, seen.into_inner())
    }
    update_after(xs: Vec<u32> = numbers(n)) -> Vec<u32> {
        xs.into_par_iter().filter(|x| *x < 99).update(|x| *x += 1).collect()
    }
    filter_after_filter(xs: &[u32] = &numbers(n)) -> u32 {
        xs.par_iter().filter(|x| **x > 9).filter(|x| **x < 99).sum()
    }
    every_stage(rows: &[Vec<u32>] = &rows(n)) -> Vec<u32> {
        rows.par_iter()
            .filter(|row| !row.is_empty())
            .flat_map_iter(|row| row.iter())
            .copied()
            .update(|x| *x += 1)
            .filter_map(|x| x.checked_sub(2))
            .inspect(|x| assert!(*x < 1_000))
            .map(|x| vec![x; 2])
            .flatten_iter()
            .collect()
    }
    flat_map_after(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().filter(|x| **x % 2 == 0).flat_map(|&x| [x, x + 1].into_par_iter()).collect()
    }
    flatten_after(rows: Vec<Vec<u32>> = rows(n)) -> Vec<u32> {
        rows.into_par_iter().filter(|row| row.len() > 1).flatten().collect()
    }
    fold_after(xs: &[u32] = &numbers(n)) -> u64 {
        xs.par_iter().filter(|x| **x % 2 == 0).fold(|| 0, |sum, &x| sum + u64::from(x)).sum()
    }
    fold_with_after(xs: &[u32] = &numbers(n)) -> u32 {
        xs.par_iter().filter_map(|x| x.checked_sub(1)).fold_with(0, |a, b| a + b).sum()
    }
    try_fold_after(xs: &[u32] = &numbers(n)) -> Option<u32> {
        xs.par_iter()
            .filter(|x| **x > 5)
            .try_fold(|| 0_u32, |sum, &x| sum.checked_add(x))
            .try_reduce(|| 0, u32::checked_add)
    }
    chain_after<'a>(xs: &'a [u32] = &numbers(n), ys: &'a [u32] = &others(n)) -> Vec<&'a u32> {
        xs.par_iter().filter(|x| **x > 9).chain(ys.par_iter().filter(|y| **y > 9)).collect()
    }
    chain_after_with_a_set<'a>(
        xs: &'a [u32] = &numbers(n),
        ys: &'a BTreeSet<u32> = &others(n).into_iter().collect(),
    ) -> Vec<&'a u32> {
        xs.par_iter().filter(|x| **x > 9).chain(ys).collect()
    }
    while_some_after(xs: &[u32] = &numbers(n)) -> u32 {
        xs.par_iter().filter(|x| **x > 9).map(|x| Some(x + 1)).while_some().sum()
    }
    panic_fuse_after(xs: &[u32] = &numbers(n)) -> usize {
        xs.par_iter().filter(|x| **x > 9).panic_fuse().count()
    }
    intersperse_after(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().flat_map_iter(|&x| [x, x + 1]).intersperse(0).collect()
    }
    take_any_after(xs: &[u32] = &numbers(n)) -> usize {
        xs.par_iter().filter(|x| **x > 9).take_any(20).count()
    }
    skip_any_after(xs: &[u32] = &numbers(n)) -> usize {
        xs.par_iter().filter(|x| **x > 9).skip_any(20).count()
    }
    take_any_while_after(xs: &[u32] = &numbers(n)) -> bool {
        xs.par_iter().filter(|x| **x > 9).take_any_while(|x| **x != 99).all(|x| *x != 99)
    }

    collect_after_into_a_set(xs: &[u32] = &numbers(n)) -> BTreeSet<u32> {
        xs.par_iter().filter(|x| **x % 4 == 1).copied().collect()
    }
    unzip_after(xs: &[u32] = &numbers(n)) -> (Vec<u32>, Vec<bool>) {
        xs.par_iter().filter(|x| **x > 9).map(|x| (x + 1, x % 2 == 0)).unzip()
    }
    partition_after(xs: &[u32] = &numbers(n)) -> (Vec<u32>, Vec<u32>) {
        xs.par_iter().copied().filter(|x| *x > 9).partition(|x| x % 2 == 0)
    }
    partition_map_after(xs: &[u32] = &numbers(n)) -> (Vec<u32>, Vec<String>) {
        xs.par_iter().filter(|x| **x > 9).partition_map(|&x| {
            if x % 2 == 0 { Either::Left(x) } else { Either::Right(x.to_string()) }
        })
    }
    reduce_after(words: &[String] = &words(n)) -> String {
        words
            .par_iter()
            .filter(|word| word.len() < 4)
            .cloned()
            .reduce(String::new, |left, right| left + &right)
    }
    reduce_with_after(words: &[String] = &words(n)) -> Option<String> {
        words
            .par_iter()
            .filter_map(|word| word.strip_prefix("w1"))
            .map(str::to_owned)
            .reduce_with(|left, right| left + &right)
    }
    min_and_max_after(xs: &[u32] = &numbers(n)) -> (Option<&u32>, Option<&u32>) {
        let large = xs.par_iter().filter(|x| **x > 9);
        (large.clone().min(), large.max_by_key(|x| **x % 100))
    }
    find_first_after(xs: &[u32] = &numbers(n)) -> Option<u32> {
        xs.par_iter().map(|x| x + 1).filter(|x| *x > 300).find_first(|x| x % 2 == 0)
    }
    find_last_after(xs: &[u32] = &numbers(n)) -> Option<&u32> {
        xs.par_iter().filter(|x| **x > 300).find_last(|x| **x % 2 == 0)
    }
    find_map_first_after(xs: &[u32] = &numbers(n)) -> Option<u32> {
        xs.par_iter().filter(|x| **x % 3 == 0).find_map_first(|x| x.checked_sub(300))
    }
    any_and_all_after(xs: &[u32] = &numbers(n)) -> (bool, bool) {
        (
            xs.par_iter().filter(|x| **x > 9).any(|x| *x == 99),
            xs.par_iter().filter(|x| **x > 9).all(|x| *x > 9),
        )
    }
    try_for_each_after(xs: &[u32] = &numbers(n)) -> Result<(), u32> {
        xs.par_iter().filter(|x| **x > 9).try_for_each(|&x| if x == 99 { Err(x) } else { Ok(()) })
    }
    extend_after(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        let mut all = vec![1, 2];
        all.par_extend(xs.par_iter().filter(|x| **x > 9));
        all
    }
    flat_map_iter_for_ever(xs: &[u32] = &numbers(n)) -> bool {
        xs.par_iter().flat_map_iter(|&x| std::iter::repeat(x)).any(|x| x == 0)
    }
    flat_map_iter_with_captured_data(
        xs: &[u32] = &numbers(n),
        rows: &[Vec<u32>] = &rows(7),
    ) -> Vec<u32> {
        xs.par_iter().flat_map_iter(|&x| rows[x as usize % 7].iter().map(move |y| x * y)).collect()
    }
    the_same_stages_twice(xs: &[u32] = &numbers(n)) -> (usize, u32) {
        let small = xs.par_iter().copied().filter(|x| *x < 99);
        (small.clone().count(), small.map(|x| x * 2).sum())
    }
}
