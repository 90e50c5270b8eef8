//! Loops that end early, over more items than anyone can wait for.

use std::cmp::Ordering;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rayon::prelude::*;

use crate::harness::programs;
use crate::inputs::numbers;

/// A number of items that takes hours, where there are 64 bits for it.
const MANY: usize = 1 << (usize::BITS / 8 * 5);

programs! { Indexed, n;
    find_any(n: usize = n) -> Option<usize> { (0..MANY).into_par_iter().find_any(|&x| x == n) }
    find_any_in_a_wide_range(n: u64 = n as u64) -> Option<u64> {
        (0..1 << 50).into_par_iter().find_any(|&x| x == n)
    }
    find_first(n: usize = n) -> Option<usize> { (0..MANY).into_par_iter().find_first(|&x| x >= n) }
    find_first_in_reverse(n: usize = n) -> Option<usize> {
        (0..MANY).into_par_iter().rev().find_first(|&x| x < MANY - n)
    }
    find_map_any(n: usize = n) -> Option<String> {
        (0..MANY).into_par_iter().find_map_any(|x| (x == n).then(|| x.to_string()))
    }
    find_map_first(n: usize = n) -> Option<usize> {
        (0..MANY).into_par_iter().find_map_first(|x| x.checked_sub(n))
    }
    position_any(n: usize = n) -> Option<usize> {
        (5..MANY).into_par_iter().position_any(|x| x == n + 5)
    }
    position_first(n: usize = n) -> Option<usize> {
        (5..MANY).into_par_iter().position_first(|x| x >= n + 5)
    }
    any(n: usize = n) -> bool { (0..MANY).into_par_iter().any(|x| x == n) }
    all(n: usize = n) -> bool { (0..MANY).into_par_iter().all(|x| x != n) }
    range_of_all_of_usize(n: usize = n) -> Option<usize> {
        (0..usize::MAX).into_par_iter().find_any(|&x| x == n)
    }
    range_of_all_of_u64(n: u64 = n as u64) -> bool { (0..u64::MAX).into_par_iter().any(|x| x == n) }
    range_of_all_of_i64(n: i64 = n as i64) -> Option<i64> {
        (i64::MIN..i64::MAX).into_par_iter().find_any(|&x| x == i64::MIN + n)
    }
    any_after_a_map(n: usize = n) -> bool {
        (0..MANY).into_par_iter().map(|x| x / 2).zip(1..MANY).any(|(x, y)| x + y > n)
    }
    try_for_each(n: usize = n) -> Result<(), usize> {
        (0..MANY).into_par_iter().try_for_each(|x| if x == n { Err(x) } else { Ok(()) })
    }
    try_for_each_with(n: usize = n) -> Option<()> {
        (0..MANY).into_par_iter().try_for_each_with(1, |one, x| (x != n + *one).then_some(()))
    }
    try_for_each_init(n: usize = n) -> Option<()> {
        (0..MANY).into_par_iter().try_for_each_init(|| 1, |one, x| (x != n + *one).then_some(()))
    }
    try_fold(n: usize = n) -> Option<usize> {
        (0..MANY)
            .into_par_iter()
            .try_fold(|| 0, |max: usize, x| (x != n).then_some(max.max(x)))
            .try_reduce(|| 0, |x, y| Some(x.max(y)))
    }
    try_reduce(n: usize = n) -> Result<usize, usize> {
        (0..MANY)
            .into_par_iter()
            .map(|x| if x == n { Err(x) } else { Ok(x) })
            .try_reduce(|| 0, |x, y| Ok(x.max(y)))
    }
    try_reduce_with(n: usize = n) -> Option<Option<usize>> {
        (0..MANY)
            .into_par_iter()
            .map(|x| (x != n).then_some(x))
            .try_reduce_with(|x, y| Some(x.max(y)))
    }
    collect_into_none(n: usize = n) -> Option<()> {
        (0..MANY).into_par_iter().map(|x| (x != n).then_some(())).collect()
    }
    collect_into_an_error(n: usize = n) -> Result<(), usize> {
        (0..MANY).into_par_iter().map(|x| if x == n { Err(x) } else { Ok(()) }).collect()
    }
    while_some(n: usize = n) -> bool {
        (0..MANY).into_par_iter().map(|x| (x != n).then_some(x)).while_some().all(|x| x != n)
    }
    take_any(n: usize = n) -> usize { (0..MANY).into_par_iter().take_any(n).count() }
    take_any_while(n: usize = n) -> bool {
        (0..MANY).into_par_iter().take_any_while(|&x| x != n).all(|x| x != n)
    }
    eq(n: usize = n) -> bool {
        (0..MANY)
            .into_par_iter()
            .eq((0..MANY).into_par_iter().map(|x| if x == n { 0 } else { x + 1 }))
    }
    cmp(n: usize = n) -> Ordering {
        (0..MANY).into_par_iter().cmp((0..MANY).into_par_iter().map(|x| x + x / (n + 1)))
    }
    partial_cmp(n: usize = n) -> bool {
        (0..MANY).into_par_iter().lt((0..MANY).into_par_iter().map(|x| x + x / (n + 1)))
    }
    filter_that_passes_items_on(n: usize = n) -> Option<usize> {
        (0..MANY).into_par_iter().filter(|x| x % 2 == 0).find_any(|&x| x == 2 * n)
    }
    filter_that_passes_few_items_on(n: usize = n) -> Option<usize> {
        (0..MANY).into_par_iter().filter(|&x| x <= n).find_any(|&x| x == n)
    }
    filter_map_that_passes_items_on(n: usize = n) -> bool {
        (0..MANY).into_par_iter().filter_map(|x| x.checked_sub(2)).any(|x| x == n)
    }
    flat_map_iter_that_never_ends(n: usize = n) -> usize {
        (0..MANY).into_par_iter().flat_map_iter(std::iter::repeat).take_any(n).count()
    }
    uniform_blocks(n: usize = n) -> Option<usize> {
        (0..MANY).into_par_iter().by_uniform_blocks(64).find_any(|&x| x == n)
    }
    exponential_blocks(n: usize = n) -> Option<usize> {
        (0..MANY).into_par_iter().by_exponential_blocks().find_any(|&x| x == n)
    }
    pieces_of_few_items(n: usize = n) -> Option<usize> {
        (0..MANY).into_par_iter().with_max_len(100).find_any(|&x| x == n)
    }
    pieces_of_many_items(n: usize = n) -> Option<usize> {
        (0..MANY).into_par_iter().with_min_len(MANY / 4).find_any(|&x| x == n)
    }
    loop_in_a_loop(n: usize = n) -> bool {
        (0..MANY).into_par_iter().any(|x| (0..MANY).into_par_iter().any(|y| y == n + x % 100))
    }
    fused_panic(n: usize = n) -> usize {
        (0..MANY)
            .into_par_iter()
            .panic_fuse()
            .map(|x| if x == n { panic!("item {x}") } else { x })
            .max()
            .unwrap_or(0)
    }
    few_items_after_the_exit(xs: &[u32] = &numbers(n)) -> bool {
        let calls = AtomicUsize::new(0);
        let found = xs.par_iter().with_max_len(1).any(|x| {
            calls.fetch_add(1, Relaxed);
            *x < 1_000
        });
        found == (calls.into_inner() > 0)
    }
}
