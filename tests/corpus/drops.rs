//! Items that are counted: every one is dropped, and once.

use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::sync::Mutex;

use rayon::iter::Either;
use rayon::prelude::*;

use crate::counted::Counted;
use crate::harness::programs;
use crate::inputs::counted;

fn values<'c>(items: impl IntoIterator<Item = &'c Counted>) -> Vec<u32> {
    items.into_iter().map(Counted::value).collect()
}

programs! { Indexed, n;
    items_that_are_mapped(items: Vec<Counted> = counted(n)) -> Vec<u32> {
        items.into_par_iter().map(|item| item.value()).collect()
    }
    items_that_are_kept(items: Vec<Counted> = counted(n)) -> Vec<Counted> {
        items.into_par_iter().rev().collect()
    }
    items_that_are_only_counted(items: Vec<Counted> = counted(n)) -> usize {
        items.into_par_iter().count()
    }
    items_that_are_dropped_in_for_each(items: Vec<Counted> = counted(n)) -> () {
        items.into_par_iter().for_each(drop)
    }
    items_of_an_array(n: u32 = n as u32) -> Vec<Counted> {
        [n, 1, 2].map(Counted::new).into_par_iter().skip(1).collect()
    }
    items_of_a_ring(items: Vec<Counted> = counted(n)) -> Vec<Counted> {
        VecDeque::from(items).into_par_iter().step_by(2).collect()
    }
    items_of_a_heap(items: Vec<Counted> = counted(n)) -> Option<Counted> {
        BinaryHeap::from(items).into_par_iter().max()
    }
    item_of_an_option(n: u32 = n as u32) -> Vec<Counted> {
        Some(Counted::new(n)).into_par_iter().collect()
    }
    items_and_closure_that_seldom_run(items: Vec<Counted> = counted(n)) -> u32 {
        let captured = Counted::new(1);
        let iter = items.into_par_iter().map(move |item| item.value() + captured.value());
        if iter.len() > 100 { 0 } else { iter.sum() }
    }
    items_and_stages_that_seldom_run(items: Vec<Counted> = counted(n)) -> usize {
        let captured = Counted::new(1);
        let large = items.len() > 100;
        let dropped =
            items.into_par_iter().filter(move |item| item.value() > captured.value()).map(drop);
        if large { 0 } else { dropped.count() }
    }
    what_a_closure_captures(n: u32 = n as u32) -> Vec<u32> {
        let captured = Counted::new(7);
        (0..n).into_par_iter().map(move |x| x + captured.value()).filter(|x| x % 2 == 0).collect()
    }
    zip_of_different_lengths(
        items: Vec<Counted> = counted(n),
        more: Vec<Counted> = counted(n / 2),
    ) -> Vec<(Counted, Counted)> {
        items.into_par_iter().zip(more).collect()
    }
    zip_with_a_longer_vec(
        items: Vec<Counted> = counted(n / 3),
        more: Vec<Counted> = counted(n),
    ) -> usize {
        items.into_par_iter().zip(more.into_par_iter()).count()
    }
    interleave_shortest(
        items: Vec<Counted> = counted(n / 3),
        more: Vec<Counted> = counted(n),
    ) -> Vec<Counted> {
        items.into_par_iter().interleave_shortest(more).collect()
    }
    chain(items: Vec<Counted> = counted(n), more: Vec<Counted> = counted(5)) -> Vec<Counted> {
        items.into_par_iter().chain(more).skip(3).collect()
    }
    skip(items: Vec<Counted> = counted(n)) -> Vec<Counted> {
        items.into_par_iter().skip(20).collect()
    }
    take(items: Vec<Counted> = counted(n)) -> Vec<Counted> {
        items.into_par_iter().take(20).collect()
    }
    step_by(items: Vec<Counted> = counted(n)) -> Vec<Counted> {
        items.into_par_iter().step_by(7).collect()
    }
    chunks(items: Vec<Counted> = counted(n)) -> Vec<Vec<Counted>> {
        items.into_par_iter().chunks(8).collect()
    }
    fold_chunks(items: Vec<Counted> = counted(n)) -> Vec<Counted> {
        items
            .into_par_iter()
            .fold_chunks_with(4, Counted::new(0), |sum, item| {
                Counted::new(sum.value() + item.value())
            })
            .collect()
    }
    filter(items: Vec<Counted> = counted(n)) -> Vec<Counted> {
        items.into_par_iter().filter(|item| item.value() % 3 == 0).collect()
    }
    filter_map(items: Vec<Counted> = counted(n)) -> Vec<Counted> {
        items.into_par_iter().filter_map(|item| (item.value() > 20).then_some(item)).collect()
    }
    flat_map_iter(items: Vec<Counted> = counted(n)) -> Vec<Counted> {
        items.into_par_iter().flat_map_iter(|item| vec![item.clone(), item]).collect()
    }
    flatten(items: Vec<Counted> = counted(n)) -> Vec<Counted> {
        items.into_par_iter().map(|item| vec![item; 3]).flatten().collect()
    }
    flatten_iter_left_early(items: Vec<Counted> = counted(n)) -> Option<Counted> {
        items
            .into_par_iter()
            .map(|item| vec![item; 3])
            .flatten_iter()
            .find_first(|item| item.value() == 20)
    }
    cloned(items: &[Counted] = &counted(n)) -> Vec<Counted> { items.par_iter().cloned().collect() }
    intersperse(items: Vec<Counted> = counted(n)) -> Vec<Counted> {
        items.into_par_iter().intersperse(Counted::new(0)).collect()
    }
    repeat(items: Vec<Counted> = counted(n)) -> Vec<Counted> {
        items.into_par_iter().chain(rayon::iter::repeat_n(Counted::new(1), 9)).collect()
    }
    state_of_map_with(items: Vec<Counted> = counted(n)) -> Vec<u32> {
        items
            .into_par_iter()
            .map_with(Counted::new(3), |three, item| three.value() + item.value())
            .collect()
    }
    state_of_map_init(items: Vec<Counted> = counted(n)) -> Vec<u32> {
        items
            .into_par_iter()
            .map_init(|| Counted::new(3), |three, item| three.value() + item.value())
            .collect()
    }
    state_of_for_each_with(items: &[Counted] = &counted(n)) -> () {
        items.par_iter().for_each_with(Counted::new(0), |state, item| state.clone_from(item))
    }
    state_of_fold_with(items: Vec<Counted> = counted(n)) -> u32 {
        let add = |sum: Counted, item: Counted| Counted::new(sum.value() + item.value());
        items.into_par_iter().fold_with(Counted::new(0), add).map(|sum| sum.value()).sum()
    }
    fold(items: Vec<Counted> = counted(n)) -> Vec<Counted> {
        let pushed = |mut all: Vec<Counted>, item| {
            all.push(item);
            all
        };
        items.into_par_iter().fold(Vec::new, pushed).reduce(Vec::new, |mut left, right| {
            left.extend(right);
            left
        })
    }
    try_fold_that_fails(items: Vec<Counted> = counted(n)) -> Option<Counted> {
        let add = |sum: Counted, item: Counted| {
            (item.value() != 25).then(|| Counted::new(sum.value() + item.value()))
        };
        items.into_par_iter().try_fold(|| Counted::new(0), add).try_reduce(|| Counted::new(0), add)
    }
    reduce(items: Vec<Counted> = counted(n)) -> Counted {
        items.into_par_iter().reduce(|| Counted::new(1), |x, y| if x >= y { x } else { y })
    }
    min_by_key(items: Vec<Counted> = counted(n)) -> Option<Counted> {
        items.into_par_iter().min_by_key(|item| Counted::new(item.value() % 7))
    }
    find_any(items: Vec<Counted> = counted(n)) -> Option<Counted> {
        items.into_par_iter().find_any(|item| item.value() == 30)
    }
    find_first(items: Vec<Counted> = counted(n)) -> Option<Counted> {
        items.into_par_iter().find_first(|item| item.value() >= 30)
    }
    find_last(items: Vec<Counted> = counted(n)) -> Option<Counted> {
        items.into_par_iter().find_last(|item| item.value() < 30)
    }
    try_for_each_that_fails(items: Vec<Counted> = counted(n)) -> Result<(), Counted> {
        items
            .into_par_iter()
            .try_for_each(|item| if item.value() == 30 { Err(item) } else { Ok(()) })
    }
    while_some(items: Vec<Counted> = counted(n)) -> bool {
        items
            .into_par_iter()
            .map(|item| (item.value() != 30).then_some(item))
            .while_some()
            .all(|item| item.value() != 30)
    }
    take_any(items: Vec<Counted> = counted(n)) -> usize {
        items.into_par_iter().take_any(10).collect::<Vec<_>>().len()
    }
    skip_any(items: Vec<Counted> = counted(n)) -> usize {
        items.into_par_iter().skip_any(10).collect::<Vec<_>>().len()
    }
    collect_into_none(items: Vec<Counted> = counted(n)) -> Option<Vec<Counted>> {
        items.into_par_iter().map(|item| (item.value() != 30).then_some(item)).collect()
    }
    collect_into_an_error(items: Vec<Counted> = counted(n)) -> Result<Vec<Counted>, Counted> {
        items
            .into_par_iter()
            .map(|item| if item.value() == 30 { Err(item) } else { Ok(item) })
            .collect()
    }
    collect_into_a_map_with_equal_keys(items: Vec<Counted> = counted(n)) -> BTreeMap<u32, Counted> {
        items.into_par_iter().map(|item| (item.value() % 5, item)).collect()
    }
    collect_into_a_hash_set(items: Vec<Counted> = counted(n)) -> usize {
        items
            .into_par_iter()
            .update(|item| item.set(item.value() % 5))
            .collect::<HashSet<_>>()
            .len()
    }
    collect_into_a_hash_map(items: Vec<Counted> = counted(n)) -> usize {
        items.into_par_iter().map(|item| (item.value() % 9, item)).collect::<HashMap<_, _>>().len()
    }
    collect_into_a_list(items: Vec<Counted> = counted(n)) -> LinkedList<Counted> {
        items.into_par_iter().collect()
    }
    collect_into_a_vec_in_use(
        items: Vec<Counted> = counted(n),
        more: Vec<Counted> = counted(40),
    ) -> Vec<Counted> {
        let mut all = more;
        items.into_par_iter().collect_into_vec(&mut all);
        all
    }
    extend_a_vec_in_use(
        items: Vec<Counted> = counted(n),
        more: Vec<Counted> = counted(40),
    ) -> Vec<Counted> {
        let mut all = more;
        all.par_extend(items.into_par_iter().filter(|item| item.value() % 2 == 0));
        all
    }
    unzip(items: Vec<Counted> = counted(n)) -> (Vec<Counted>, LinkedList<Counted>) {
        items.into_par_iter().map(|item| (item.clone(), item)).unzip()
    }
    unzip_into_vecs(
        items: Vec<Counted> = counted(n),
        more: Vec<Counted> = counted(3),
    ) -> (Vec<Counted>, Vec<Counted>) {
        let (mut left, mut right) = (more, Vec::new());
        items
            .into_par_iter()
            .map(|item| (item.clone(), item))
            .unzip_into_vecs(&mut left, &mut right);
        (left, right)
    }
    partition(items: Vec<Counted> = counted(n)) -> (Vec<Counted>, Vec<Counted>) {
        items.into_par_iter().partition(|item| item.value() % 2 == 0)
    }
    partition_map(items: Vec<Counted> = counted(n)) -> (Vec<Counted>, Vec<u32>) {
        items.into_par_iter().partition_map(|item| {
            if item.value() % 2 == 0 { Either::Left(item) } else { Either::Right(item.value()) }
        })
    }
    comparison(
        items: Vec<Counted> = counted(n),
        more: Vec<Counted> = counted(n + 1),
    ) -> std::cmp::Ordering {
        items.into_par_iter().cmp(more)
    }
    equality(items: Vec<Counted> = counted(n), more: Vec<Counted> = counted(n)) -> bool {
        items.into_par_iter().eq(more.into_par_iter().rev())
    }
    drain(items: &mut Vec<Counted> = &mut counted(n)) -> (Vec<u32>, usize) {
        (items.par_drain(..).map(|item| item.value()).collect(), items.len())
    }
    drain_of_a_part(items: &mut Vec<Counted> = &mut counted(n)) -> (Vec<Counted>, Vec<u32>) {
        let len = items.len();
        (items.par_drain(len / 4..len / 2).collect(), values(&*items))
    }
    drain_that_seldom_runs(items: &mut Vec<Counted> = &mut counted(n)) -> Vec<u32> {
        let half = items.len() / 2;
        let drained = items.par_drain(half..).map(drop);
        if half < 50 {
            drained.collect()
        } else {
            drop(drained)
        }
        values(&*items)
    }
    drain_that_is_left_early(
        items: &mut Vec<Counted> = &mut counted(n),
    ) -> (Option<Counted>, Vec<u32>) {
        let half = items.len() / 2;
        let found = items.par_drain(..half).find_any(|item| item.value() == 30);
        (found, values(&*items))
    }
    items_of_loops_in_loops(items: Vec<Counted> = counted(n)) -> Vec<Counted> {
        items.into_par_iter().flat_map(|item| vec![item; 3].into_par_iter().skip(1)).collect()
    }
    items_that_are_moved_elsewhere(items: Vec<Counted> = counted(n)) -> Vec<u32> {
        let elsewhere = Mutex::new(Vec::new());
        items
            .into_par_iter()
            .for_each(|item| elsewhere.lock().expect("no one panicked").push(item));
        let mut moved = values(&*elsewhere.lock().expect("no one panicked"));
        moved.sort();
        moved
    }
}
