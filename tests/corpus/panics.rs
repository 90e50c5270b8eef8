//! Functions that panic: the panic reaches the caller, and nothing is lost on the way.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};

use rayon::prelude::*;

use crate::counted::Counted;
use crate::harness::programs;
use crate::inputs::{counted, numbers, rows};

/// The value of an item, unless it is 13.
fn lucky(item: &Counted) -> u32 {
    assert!(item.value() != 13, "item 13");
    item.value()
}

/// An item whose drop may panic.
#[derive(Debug)]
struct Mine(u32);

impl Drop for Mine {
    fn drop(&mut self) {
        assert!(self.0 != 13, "drop of item 13");
    }
}

programs! { Indexed, n;
    in_map(items: Vec<Counted> = counted(n)) -> Vec<u32> {
        items.into_par_iter().map(|item| lucky(&item)).collect()
    }
    in_map_of_references(items: &[Counted] = &counted(n)) -> u32 {
        items.par_iter().map(lucky).sum()
    }
    in_map_of_a_range(n: usize = n) -> Vec<usize> {
        (0..n).into_par_iter().map(|i| 100 / 13_usize.abs_diff(i)).collect()
    }
    in_for_each(items: Vec<Counted> = counted(n)) -> () {
        items.into_par_iter().for_each(|item| assert!(lucky(&item) < 10_000))
    }
    in_for_each_of_mutable_items(items: &mut [Counted] = &mut counted(n)) -> () {
        items.par_iter_mut().for_each(|item| item.set(lucky(item) + 1));
    }
    in_the_first_item(items: Vec<Counted> = counted(n)) -> usize {
        items.into_par_iter().inspect(|item| assert!(item.value() > 0, "item 0")).count()
    }
    in_the_last_item(
        items: Vec<Counted> = counted(n),
        last: u32 = n.saturating_sub(1) as u32,
    ) -> Vec<Counted> {
        items.into_par_iter().inspect(|item| assert!(item.value() != last, "item {last}")).collect()
    }
    in_every_item(items: Vec<Counted> = counted(n)) -> Vec<Counted> {
        items
            .into_par_iter()
            .map(|item| if item.value() < 10_000 { panic!("every item") } else { item })
            .collect()
    }
    in_update(items: Vec<Counted> = counted(n)) -> Vec<Counted> {
        items.into_par_iter().update(|item| item.set(lucky(item))).collect()
    }
    in_map_with(items: Vec<Counted> = counted(n)) -> Vec<u32> {
        items
            .into_par_iter()
            .map_with(Counted::new(1), |one, item| one.value() + lucky(&item))
            .collect()
    }
    in_map_init(items: Vec<Counted> = counted(n)) -> Vec<u32> {
        items
            .into_par_iter()
            .map_init(|| Counted::new(1), |one, item| one.value() + lucky(&item))
            .collect()
    }
    in_the_start_of_map_init(items: Vec<Counted> = counted(n + 1)) -> Vec<u32> {
        items.into_par_iter().map_init(|| panic!("no start"), |(), item| item.value()).collect()
    }
    in_filter(items: Vec<Counted> = counted(n)) -> Vec<Counted> {
        items.into_par_iter().filter(|item| lucky(item) % 2 == 0).collect()
    }
    in_filter_map(items: Vec<Counted> = counted(n)) -> Vec<u32> {
        items.into_par_iter().filter_map(|item| lucky(&item).checked_sub(5)).collect()
    }
    in_flat_map(items: Vec<Counted> = counted(n)) -> Vec<u32> {
        items.into_par_iter().flat_map(|item| vec![lucky(&item); 2]).collect()
    }
    in_flat_map_iter(items: Vec<Counted> = counted(n)) -> Vec<u32> {
        items.into_par_iter().flat_map_iter(|item| vec![lucky(&item); 2]).collect()
    }
    in_the_iterator_of_flat_map_iter(items: &[Counted] = &counted(n)) -> Vec<u32> {
        items.par_iter().flat_map_iter(|item| (0..2).map(move |i| lucky(item) + i)).collect()
    }
    in_a_stage_after_others(items: Vec<Counted> = counted(n)) -> Vec<u32> {
        items
            .into_par_iter()
            .filter(|item| item.value() % 2 == 1)
            .map(|item| lucky(&item))
            .filter(|x| x % 3 == 1)
            .collect()
    }
    in_fold(items: Vec<Counted> = counted(n)) -> u32 {
        items.into_par_iter().fold(|| 0, |sum, item| sum + lucky(&item)).sum()
    }
    in_fold_with_items_in_hand(items: Vec<Counted> = counted(n)) -> usize {
        let pushed = |mut all: Vec<Counted>, item: Counted| {
            lucky(&item);
            all.push(item);
            all
        };
        items.into_par_iter().fold(Vec::new, pushed).map(|all| all.len()).sum()
    }
    in_the_start_of_fold(items: Vec<Counted> = counted(n + 1)) -> u32 {
        items.into_par_iter().fold(|| panic!("no start"), |sum: u32, item| sum + item.value()).sum()
    }
    in_reduce(items: Vec<Counted> = counted(n)) -> Counted {
        items
            .into_par_iter()
            .reduce(|| Counted::new(0), |x, y| if lucky(&x) > lucky(&y) { x } else { y })
    }
    in_reduce_with(items: Vec<Counted> = counted(n)) -> Option<Counted> {
        items.into_par_iter().reduce_with(|x, y| {
            if x.value() + y.value() < 20_000 { panic!("no reduction") } else { x }
        })
    }
    in_the_start_of_reduce(items: Vec<Counted> = counted(n + 1)) -> Counted {
        items.into_par_iter().reduce(|| panic!("no start"), |x, _| x)
    }
    in_chunks(items: Vec<Counted> = counted(n)) -> Vec<u32> {
        items.into_par_iter().chunks(4).map(|chunk| chunk.iter().map(lucky).sum()).collect()
    }
    in_fold_chunks(items: Vec<Counted> = counted(n)) -> Vec<u32> {
        items.into_par_iter().fold_chunks(4, || 0, |sum, item| sum + lucky(&item)).collect()
    }
    in_what_is_zipped(
        items: Vec<Counted> = counted(n),
        more: Vec<Counted> = counted(n),
    ) -> Vec<(Counted, u32)> {
        items.into_par_iter().zip(more.into_par_iter().map(|item| lucky(&item))).collect()
    }
    in_what_is_chained(
        items: Vec<Counted> = counted(n),
        more: Vec<Counted> = counted(n),
    ) -> Vec<u32> {
        items
            .into_par_iter()
            .map(|item| item.value())
            .chain(more.into_par_iter().map(|item| lucky(&item)))
            .collect()
    }
    in_find_any(items: Vec<Counted> = counted(n)) -> Option<Counted> {
        items.into_par_iter().find_any(|item| lucky(item) > 10_000)
    }
    in_find_first(items: Vec<Counted> = counted(n)) -> Option<Counted> {
        items.into_par_iter().find_first(|item| lucky(item) > 10_000)
    }
    in_position_last(items: &[Counted] = &counted(n)) -> Option<usize> {
        items.par_iter().position_last(|item| lucky(item) > 10_000)
    }
    in_all(items: &[Counted] = &counted(n)) -> bool {
        items.par_iter().all(|item| lucky(item) < 10_000)
    }
    in_try_for_each(items: Vec<Counted> = counted(n)) -> Option<()> {
        items.into_par_iter().try_for_each(|item| lucky(&item).checked_add(1).map(|_| ()))
    }
    in_min_by(items: Vec<Counted> = counted(n)) -> Option<Counted> {
        items.into_par_iter().min_by(|x, y| lucky(x).cmp(&lucky(y)))
    }
    in_max_by_key(items: Vec<Counted> = counted(n)) -> Option<Counted> {
        items.into_par_iter().max_by_key(lucky)
    }
    in_partition(items: Vec<Counted> = counted(n)) -> (Vec<Counted>, Vec<Counted>) {
        items.into_par_iter().partition(|item| lucky(item) % 2 == 0)
    }
    in_unzip(items: Vec<Counted> = counted(n)) -> (Vec<Counted>, Vec<u32>) {
        items
            .into_par_iter()
            .map(|item| {
                let x = lucky(&item);
                (item, x)
            })
            .unzip()
    }
    in_collect_into_vec(items: Vec<Counted> = counted(n)) -> (bool, usize) {
        let mut all = counted(3);
        let collected = catch_unwind(AssertUnwindSafe(|| {
            items.into_par_iter().update(|item| item.set(lucky(item))).collect_into_vec(&mut all);
        }));
        (collected.is_err(), all.len())
    }
    in_collect_into_a_set(items: Vec<Counted> = counted(n)) -> HashSet<Counted> {
        items.into_par_iter().update(|item| item.set(lucky(item) / 10_000)).collect()
    }
    in_extend(items: Vec<Counted> = counted(n)) -> (bool, Option<Counted>) {
        let mut all = counted(3);
        let extended = catch_unwind(AssertUnwindSafe(|| {
            all.par_extend(items.into_par_iter().filter(|item| lucky(item) % 2 == 0));
        }));
        (extended.is_err(), all.into_iter().next())
    }
    in_a_drain(items: &mut Vec<Counted> = &mut counted(n)) -> (bool, Vec<u32>) {
        let half = items.len() / 2;
        let drained = catch_unwind(AssertUnwindSafe(|| {
            items.par_drain(..half).for_each(|item| assert!(lucky(&item) < 10_000))
        }));
        (drained.is_err(), items.iter().map(Counted::value).collect())
    }
    in_the_drop_of_an_item(n: u32 = n as u32) -> () {
        (0..n).into_par_iter().map(Mine).for_each(drop)
    }
    in_the_drop_of_a_filtered_item(n: u32 = n as u32) -> usize {
        (0..n).into_par_iter().map(Mine).filter(|_| false).count()
    }
    in_a_loop_in_a_loop(rows: &[Vec<u32>] = &rows(n)) -> Vec<u32> {
        let small = |x: &u32| {
            assert!(*x < 250, "large");
            *x
        };
        rows.par_iter().map(|row| row.par_iter().map(small).sum()).collect()
    }
    in_a_fused_loop(items: Vec<Counted> = counted(n)) -> Vec<u32> {
        items.into_par_iter().panic_fuse().map(|item| lucky(&item)).collect()
    }
    in_blocks(items: Vec<Counted> = counted(n)) -> Vec<u32> {
        items.into_par_iter().by_uniform_blocks(8).map(|item| lucky(&item)).collect()
    }
    in_pieces_of_one_item(items: Vec<Counted> = counted(n)) -> Vec<u32> {
        items.into_par_iter().with_max_len(1).map(|item| lucky(&item)).collect()
    }
    caught_in_the_item(items: Vec<Counted> = counted(n)) -> Vec<Option<u32>> {
        items
            .into_par_iter()
            .map(|item| catch_unwind(AssertUnwindSafe(|| lucky(&item))).ok())
            .collect()
    }
    caught_and_tried_again(items: &[Counted] = &counted(n)) -> Vec<Result<u32, ()>> {
        let sum = |unlucky: u32| {
            let value = |item: &Counted| {
                assert!(item.value() != unlucky, "unlucky");
                item.value()
            };
            catch_unwind(AssertUnwindSafe(|| items.par_iter().map(value).sum())).map_err(drop)
        };
        vec![sum(13), sum(10_000), sum(0), sum(599), sum(10_000)]
    }
    with_a_payload_that_is_counted(items: Vec<Counted> = counted(n)) -> usize {
        items
            .into_par_iter()
            .map(|item| if item.value() == 13 { panic_any(item) } else { item })
            .count()
    }
    with_a_payload_that_is_resumed(n: u32 = n as u32) -> u32 {
        (0..n)
            .into_par_iter()
            .map(|x| if x == 13 { resume_unwind(Box::new("thirteen")) } else { x })
            .sum()
    }
    from_the_standard_library(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        (0..xs.len() + 1).into_par_iter().map(|i| xs[i]).collect()
    }
    from_rayon_as_lengths_differ(xs: &[u32] = &numbers(n)) -> usize {
        xs.par_iter().zip_eq(&xs[xs.len() / 2..]).count()
    }
    from_rayon_as_chunks_are_empty(xs: &[u32] = &numbers(n), size: usize = n % 2) -> usize {
        xs.par_chunks(size).count()
    }
    from_rayon_as_chunks_of_items_are_empty(
        xs: &[u32] = &numbers(n),
        size: usize = n % 2,
    ) -> usize {
        xs.par_iter().chunks(size).count()
    }
    from_rayon_as_folded_chunks_are_empty(xs: &[u32] = &numbers(n), size: usize = n % 2) -> u32 {
        xs.par_iter().fold_chunks(size, || 0, |sum, x| sum + x).sum()
    }
    from_rayon_as_windows_are_empty(xs: &[u32] = &numbers(n), size: usize = n % 2) -> usize {
        xs.par_windows(size).count()
    }
    from_rayon_as_steps_are_empty(xs: &[u32] = &numbers(n), step: usize = n % 2) -> usize {
        xs.par_iter().step_by(step).count()
    }
    from_rayon_as_blocks_are_empty(xs: &[u32] = &numbers(n), size: usize = n % 2) -> usize {
        xs.par_iter().by_uniform_blocks(size).count()
    }
    from_rayon_as_a_drain_is_out_of_bounds(xs: &mut Vec<u32> = &mut numbers(n)) -> usize {
        xs.par_drain(..20).count()
    }
}
