//! What ends a loop.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::ffi::OsString;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, mpsc};

use rayon::iter::Either;
use rayon::prelude::*;

use crate::harness::programs;
use crate::inputs::{ascending, numbers, others, words};

fn checked(x: u32) -> Result<u32, String> {
    if x == 99 { Err("99".to_owned()) } else { Ok(x) }
}

programs! { Indexed, n;
    collect_into_a_vec_deque(xs: &[u32] = &numbers(n)) -> VecDeque<u32> {
        xs.par_iter().map(|x| x + 1).collect()
    }
    collect_into_a_linked_list(xs: &[u32] = &numbers(n)) -> LinkedList<u32> {
        xs.par_iter().copied().collect()
    }
    collect_into_a_hash_map(xs: &[u32] = &numbers(n)) -> BTreeMap<u32, usize> {
        let map: HashMap<u32, usize> = xs.par_iter().enumerate().map(|(i, &x)| (x, i)).collect();
        map.into_iter().collect()
    }
    collect_into_a_btree_map(xs: &[u32] = &numbers(n)) -> BTreeMap<u32, usize> {
        xs.par_iter().enumerate().map(|(i, &x)| (x, i)).collect()
    }
    collect_into_a_hash_set(xs: &[u32] = &numbers(n)) -> usize {
        xs.par_iter().map(|x| x / 2).collect::<HashSet<_>>().len()
    }
    collect_into_a_btree_set(xs: &[u32] = &numbers(n)) -> BTreeSet<u32> {
        xs.par_iter().map(|x| x / 2).collect()
    }
    collect_into_a_heap(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().copied().collect::<BinaryHeap<_>>().into_sorted_vec()
    }
    collect_into_a_string_of_chars(xs: &[u32] = &numbers(n)) -> String {
        xs.par_iter().filter_map(|&x| char::from_u32(x + 32)).collect()
    }
    collect_into_a_string_of_strings(words: Vec<String> = words(n)) -> String {
        words.into_par_iter().collect()
    }
    collect_into_a_string_of_slices(words: &[String] = &words(n)) -> String {
        words.par_iter().map(|word| &word[..1]).collect()
    }
    collect_into_an_os_string(words: &[String] = &words(n)) -> OsString {
        words.par_iter().map(OsString::from).collect()
    }
    collect_into_a_boxed_slice(xs: &[u32] = &numbers(n)) -> Box<[u32]> {
        xs.par_iter().map(|x| x + 1).collect()
    }
    collect_into_a_counted_slice(xs: &[u32] = &numbers(n)) -> Rc<[u32]> {
        xs.par_iter().map(|x| x + 1).collect()
    }
    collect_into_a_shared_slice(words: Vec<String> = words(n)) -> Arc<[String]> {
        words.into_par_iter().collect()
    }
    collect_into_a_cow(xs: &[u32] = &numbers(n)) -> Cow<'static, [u32]> {
        xs.par_iter().map(|x| x + 1).collect()
    }
    collect_into_a_cow_of_text(words: &[String] = &words(n)) -> Cow<'_, str> {
        words.par_iter().map(String::as_str).collect()
    }
    collect_into_an_option(xs: &[u32] = &numbers(n)) -> Option<Vec<u32>> {
        xs.par_iter().map(|x| x.checked_add(1)).collect()
    }
    collect_into_none(xs: &[u32] = &numbers(n)) -> Option<Vec<u32>> {
        xs.par_iter().map(|x| x.checked_sub(1)).collect()
    }
    collect_into_a_result(xs: &[u32] = &numbers(n)) -> Result<Vec<u32>, String> {
        xs.par_iter().map(|x| checked(x * 2 + 1_000)).collect()
    }
    collect_into_an_error(xs: &[u32] = &numbers(n)) -> Result<Vec<u32>, String> {
        xs.par_iter().map(|&x| checked(x)).collect()
    }
    collect_into_a_result_of_a_map(
        words: &[String] = &words(n),
    ) -> Result<BTreeMap<u32, usize>, std::num::ParseIntError> {
        words.par_iter().map(|word| Ok((word[1..].parse()?, word.len()))).collect()
    }
    collect_into_a_declared_result(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        let all: Result<Vec<u32>, String> = xs.par_iter().map(|&x| checked(x)).collect();
        all.unwrap_or_default()
    }
    collect_into_a_named_result(xs: &[u32] = &numbers(n)) -> Result<usize, String> {
        let even = xs.par_iter().filter(|&x| x % 2 == 0).map(|&x| checked(x));
        Ok(even.collect::<Result<BTreeSet<u32>, _>>()?.len())
    }
    collect_into_a_result_of_io(xs: &[u32] = &numbers(n)) -> usize {
        let bytes = xs.par_iter().map(|&x| Ok(u8::try_from(x % 999).unwrap_or_default()));
        bytes.collect::<std::io::Result<Vec<u8>>>().map_or(0, |all| all.len())
    }
    collect_into_a_result_of_a_pair(xs: &[u32] = &numbers(n)) -> Result<(Vec<u32>, Vec<bool>), String> {
        xs.par_iter().map(|x| checked(x + 1_000).map(|x| (x, x % 2 == 0))).collect()
    }
    collect_what_is_inferred_into_an_option(xs: &[u32] = &numbers(n)) -> Option<Vec<u32>> {
        xs.par_iter().map(|_| Default::default()).collect()
    }
    collect_what_rayon_adapts_into_an_option(xs: &[u32] = &numbers(n)) -> Option<Vec<u32>> {
        xs.par_iter().flat_map(|&x| vec![Some(x); 2]).collect()
    }
    collect_what_is_collected_into_a_result(xs: &[u32] = &numbers(n)) -> Result<Vec<u32>, String> {
        xs.par_iter().map(|x| x + 1_000).collect::<Vec<_>>().into_iter().map(checked).collect()
    }
    collect_into_a_pair(xs: &[u32] = &numbers(n)) -> (Vec<u32>, BTreeSet<u32>) {
        xs.par_iter().map(|x| (x + 1, x % 9)).collect()
    }
    collect_into_a_pair_of_either(xs: &[u32] = &numbers(n)) -> (Vec<u32>, Vec<String>) {
        xs.par_iter()
            .map(|&x| if x % 2 == 0 { Either::Left(x) } else { Either::Right(x.to_string()) })
            .collect()
    }
    collect_into_nested_pairs(xs: &[u32] = &numbers(n)) -> ((Vec<u32>, Vec<u32>), Vec<bool>) {
        xs.par_iter().map(|x| ((x + 1, x + 2), x % 2 == 0)).collect()
    }
    collect_into_unit(xs: &[u32] = &numbers(n)) -> u64 {
        let sum = AtomicU64::new(0);
        let (): () = xs
            .par_iter()
            .map(|&x| {
                sum.fetch_add(u64::from(x), Relaxed);
            })
            .collect();
        sum.into_inner()
    }
    collect_into_vec(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        let mut all = vec![1, 2, 3];
        xs.par_iter().map(|x| x * x).collect_into_vec(&mut all);
        all
    }
    collect_vec_list(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().map(|x| x * x).collect_vec_list().into_iter().flatten().collect()
    }
    unzip(xs: &[u32] = &numbers(n)) -> (Vec<u32>, Vec<u32>) {
        xs.par_iter().map(|x| (x / 7, x % 7)).unzip()
    }
    unzip_into_sets(xs: &[u32] = &numbers(n)) -> (BTreeSet<u32>, usize) {
        let (small, large): (BTreeSet<u32>, HashSet<u32>) =
            xs.par_iter().map(|x| (x % 7, x / 7)).unzip();
        (small, large.len())
    }
    unzip_into_vecs(words: &[String] = &words(n)) -> (Vec<usize>, Vec<String>) {
        let (mut lengths, mut copies) = (Vec::new(), vec![String::new()]);
        words
            .par_iter()
            .map(|word| (word.len(), word.clone()))
            .unzip_into_vecs(&mut lengths, &mut copies);
        (lengths, copies)
    }
    partition(xs: Vec<u32> = numbers(n)) -> (Vec<u32>, Vec<u32>) {
        xs.into_par_iter().partition(|x| x % 3 == 0)
    }
    partition_into_sets(xs: &[u32] = &numbers(n)) -> (BTreeSet<&u32>, LinkedList<&u32>) {
        xs.par_iter().partition(|x| **x % 3 == 0)
    }
    partition_map(words: &[String] = &words(n)) -> (Vec<u32>, Vec<&str>) {
        words.par_iter().partition_map(|word| match word[1..].parse::<u32>() {
            Ok(number) if number > 99 => Either::Left(number),
            _ => Either::Right(&word[1..]),
        })
    }
    for_each(xs: &[u32] = &numbers(n)) -> BTreeSet<u32> {
        let seen = Mutex::new(BTreeSet::new());
        xs.par_iter().for_each(|&x| {
            seen.lock().expect("no one panicked").insert(x);
        });
        seen.into_inner().expect("no one panicked")
    }
    for_each_writes_where_it_reads(xs: &mut [u32] = &mut numbers(n)) -> Vec<u32> {
        xs.par_iter_mut().enumerate().for_each(|(i, x)| *x += i as u32);
        xs.to_vec()
    }
    for_each_with_a_sender(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        let (sender, receiver) = mpsc::channel();
        xs.par_iter()
            .for_each_with(sender, |sender, &x| sender.send(x).expect("there is a receiver"));
        let mut all: Vec<u32> = receiver.into_iter().collect();
        all.sort();
        all
    }
    for_each_init(xs: &[u32] = &numbers(n)) -> u64 {
        let sum = AtomicU64::new(0);
        xs.par_iter().for_each_init(
            || 2_u64,
            |two, &x| {
                sum.fetch_add(*two * u64::from(x), Relaxed);
            },
        );
        sum.into_inner()
    }
    try_for_each(xs: &[u32] = &numbers(n)) -> Result<(), String> {
        xs.par_iter().try_for_each(|&x| checked(x).map(drop))
    }
    try_for_each_of_options(xs: &[u32] = &numbers(n)) -> Option<()> {
        xs.par_iter().try_for_each(|x| x.checked_add(1).map(drop))
    }
    try_for_each_of_control_flow(xs: &[u32] = &numbers(n)) -> ControlFlow<u32> {
        xs.par_iter().try_for_each(|&x| {
            if x == 99 { ControlFlow::Break(x) } else { ControlFlow::Continue(()) }
        })
    }
    try_for_each_with(xs: &[u32] = &numbers(n)) -> Result<(), String> {
        xs.par_iter().try_for_each_with(1, |one, x| checked(x + *one).map(drop))
    }
    try_for_each_init(xs: &[u32] = &numbers(n)) -> Result<(), String> {
        xs.par_iter().try_for_each_init(|| 1_000, |offset, x| checked(x + *offset).map(drop))
    }
    reduce(words: Vec<String> = words(n)) -> String {
        words.into_par_iter().reduce(String::new, |left, right| left + &right)
    }
    reduce_with(words: Vec<String> = words(n)) -> Option<String> {
        words.into_par_iter().reduce_with(|left, right| left + &right)
    }
    reduce_of_pairs(xs: &[u32] = &numbers(n)) -> (u32, u32) {
        xs.par_iter().map(|&x| (x, x)).reduce(|| (u32::MAX, 0), |a, b| (a.0.min(b.0), a.1.max(b.1)))
    }
    try_reduce(xs: &[u32] = &numbers(n)) -> Option<u32> {
        xs.par_iter().map(|&x| Some(x)).try_reduce(|| 0, u32::checked_add)
    }
    try_reduce_that_fails(xs: &[u32] = &numbers(n)) -> Result<u32, String> {
        xs.par_iter().map(|&x| checked(x)).try_reduce(|| 0, |x, y| Ok(x + y))
    }
    try_reduce_with(xs: &[u32] = &numbers(n)) -> Option<Result<u32, String>> {
        xs.par_iter().map(|x| checked(x + 1_000)).try_reduce_with(|x, y| Ok(x.max(y)))
    }
    sum(xs: &[u32] = &numbers(n)) -> u32 { xs.par_iter().sum() }
    sum_of_floats(xs: &[u32] = &numbers(n)) -> f64 { xs.par_iter().map(|&x| f64::from(x)).sum() }
    sum_of_options(xs: &[u32] = &numbers(n)) -> u64 {
        xs.par_iter().map(|&x| u64::from(x)).sum::<u64>()
    }
    product(xs: &[u32] = &numbers(n)) -> u128 {
        xs.par_iter().map(|&x| u128::from(x % 2 + 1)).take(100).product()
    }
    product_of_floats(xs: &[u32] = &numbers(n)) -> f64 {
        xs.par_iter().take(9).map(|&x| f64::from(x + 1)).product()
    }
    min(xs: &[u32] = &numbers(n)) -> Option<&u32> { xs.par_iter().min() }
    min_by(xs: &[u32] = &numbers(n)) -> Option<u32> {
        xs.par_iter().copied().min_by(|x, y| (x % 100).cmp(&(y % 100)))
    }
    min_by_key(xs: &[u32] = &numbers(n)) -> Option<(usize, &u32)> {
        xs.par_iter().enumerate().min_by_key(|(_, x)| **x % 10)
    }
    max(xs: &[u32] = &numbers(n)) -> Option<&u32> { xs.par_iter().max() }
    max_by(xs: &[u32] = &numbers(n)) -> Option<f64> {
        xs.par_iter().map(|&x| f64::from(x).sin()).max_by(f64::total_cmp)
    }
    max_by_key(xs: &[u32] = &numbers(n)) -> Option<(usize, &u32)> {
        xs.par_iter().enumerate().max_by_key(|(_, x)| **x % 10)
    }
    count(xs: &[u32] = &numbers(n)) -> usize { xs.par_iter().count() }
    count_calls_every_function(xs: &[u32] = &numbers(n)) -> (usize, usize) {
        let calls = AtomicUsize::new(0);
        let count = xs
            .par_iter()
            .map(|x| {
                calls.fetch_add(1, Relaxed);
                x + 1
            })
            .count();
        (count, calls.into_inner())
    }
    find_any(xs: &[u32] = &numbers(n)) -> (Option<&u32>, bool) {
        (xs.par_iter().find_any(|x| **x == 7), xs.par_iter().find_any(|x| **x > 300).is_some())
    }
    find_first(xs: &[u32] = &numbers(n)) -> Option<(usize, &u32)> {
        xs.par_iter().enumerate().find_first(|(_, x)| **x > 300)
    }
    find_last(xs: &[u32] = &numbers(n)) -> Option<(usize, &u32)> {
        xs.par_iter().enumerate().find_last(|(_, x)| **x > 300)
    }
    find_map_any(xs: &[u32] = &numbers(n)) -> Option<String> {
        xs.par_iter().find_map_any(|x| (*x == 7).then(|| x.to_string()))
    }
    find_map_first(xs: &[u32] = &numbers(n)) -> Option<u32> {
        xs.par_iter().find_map_first(|x| x.checked_sub(300))
    }
    find_map_last(xs: &[u32] = &numbers(n)) -> Option<u32> {
        xs.par_iter().find_map_last(|x| x.checked_sub(300))
    }
    position_any(xs: &[u32] = &numbers(n)) -> Option<u32> {
        xs.par_iter().position_any(|x| *x == 99).map(|position| xs[position])
    }
    position_first(xs: &[u32] = &numbers(n)) -> Option<usize> {
        xs.par_iter().position_first(|x| *x > 300)
    }
    position_last(xs: &[u32] = &numbers(n)) -> Option<usize> {
        xs.par_iter().rev().position_last(|x| *x > 300)
    }
    any(xs: &[u32] = &numbers(n)) -> (bool, bool) {
        (xs.par_iter().any(|x| *x == 99), xs.par_iter().any(|x| *x == 999))
    }
    all(xs: &[u32] = &numbers(n)) -> (bool, bool) {
        (xs.par_iter().all(|x| *x != 99), xs.par_iter().all(|x| *x != 999))
    }
    cmp(xs: &[u32] = &numbers(n), ys: &[u32] = &numbers(n + 1)) -> [Ordering; 3] {
        [
            xs.par_iter().cmp(ys.par_iter()),
            xs.par_iter().cmp(xs),
            ys.par_iter().cmp(xs.par_iter().rev()),
        ]
    }
    partial_cmp(xs: &[u32] = &numbers(n)) -> [Option<Ordering>; 2] {
        let floats: Vec<f64> = xs.par_iter().map(|&x| f64::from(x)).collect();
        let with_nan: Vec<f64> =
            floats.par_iter().map(|&x| if x == 99.0 { f64::NAN } else { x }).collect();
        [floats.par_iter().partial_cmp(&floats), floats.par_iter().partial_cmp(with_nan.par_iter())]
    }
    eq(xs: &[u32] = &numbers(n), ys: &[u32] = &others(n)) -> (bool, bool, bool) {
        (xs.par_iter().eq(ys.par_iter()), xs.par_iter().eq(xs), xs.par_iter().eq(&xs[n_min(xs)..]))
    }
    ne(xs: &[u32] = &numbers(n), ys: &[u32] = &others(n)) -> (bool, bool) {
        (xs.par_iter().ne(ys.par_iter()), ys.par_iter().ne(ys))
    }
    lt(xs: &[u32] = &numbers(n), ys: &[u32] = &others(n)) -> (bool, bool) {
        (xs.par_iter().lt(ys.par_iter()), xs.par_iter().lt(xs))
    }
    le(xs: &[u32] = &numbers(n), ys: &[u32] = &others(n)) -> (bool, bool) {
        (xs.par_iter().le(ys.par_iter()), xs.par_iter().le(xs))
    }
    gt(xs: &[u32] = &numbers(n), ys: &[u32] = &others(n)) -> (bool, bool) {
        (xs.par_iter().gt(ys.par_iter()), xs.par_iter().gt(xs))
    }
    ge(xs: &[u32] = &numbers(n), ys: &[u32] = &others(n)) -> (bool, bool) {
        (xs.par_iter().ge(ys.par_iter()), xs.par_iter().ge(xs))
    }
    compared_in_every_way(xs: &[u32] = &ascending(n), ys: &[u32] = &ascending(n + 4)) -> [bool; 6] {
        let (a, b) = (&xs.par_iter().map(|x| x * 2), &ys.par_iter().map(|y| y * 2));
        [
            a.clone().eq(b.clone()),
            a.clone().ne(b.clone()),
            a.clone().lt(b.clone()),
            a.clone().le(b.clone()),
            a.clone().gt(b.clone()),
            a.clone().ge(b.clone()),
        ]
    }
    extend_a_vec(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        let mut all = vec![1, 2];
        all.par_extend(xs.par_iter().map(|x| x + 1));
        all.par_extend(xs.par_iter());
        all
    }
    extend_a_map(xs: &[u32] = &numbers(n)) -> BTreeMap<u32, usize> {
        let mut all = BTreeMap::from([(1, 1)]);
        all.par_extend(xs.par_iter().enumerate().map(|(i, &x)| (x, i)));
        all
    }
    extend_a_string(words: &[String] = &words(n)) -> String {
        let mut all = String::from(">");
        all.par_extend(words.par_iter().map(|word| word.as_str()));
        all
    }
    extend_a_pair(xs: &[u32] = &numbers(n)) -> (Vec<u32>, HashSet<u32>) {
        let mut all = (vec![0], HashSet::new());
        all.par_extend(xs.par_iter().map(|&x| (x, 5)));
        all
    }
    make_with_from_par_iter(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        Vec::from_par_iter(xs.par_iter().map(|x| x + 1))
    }
    end_in_a_sort(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        let mut all: Vec<u32> = xs.par_iter().map(|x| x ^ 21).collect();
        all.par_sort_unstable();
        all
    }
}

fn n_min(xs: &[u32]) -> usize {
    xs.len().min(1)
}
