//! What loops run over, as far as it can be indexed.

use std::borrow::Cow;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use rayon::prelude::*;

use crate::harness::programs;
use crate::inputs::{numbers, others, rows, words};

/// A type of the user's that gives out an iterator of rayon's.
pub(crate) struct Grid(Vec<u32>);

impl<'g> IntoParallelIterator for &'g Grid {
    type Item = &'g u32;
    type Iter = rayon::slice::Iter<'g, u32>;

    fn into_par_iter(self) -> Self::Iter {
        self.0.par_iter()
    }
}

/// A ring whose first item is not at the start of its memory.
fn ring(n: usize) -> VecDeque<u32> {
    let mut ring: VecDeque<u32> = numbers(n).into();
    ring.rotate_left(n / 3);
    ring
}

fn some(n: usize) -> Option<u32> {
    (n % 2 == 1).then_some(7)
}

fn ok(n: usize) -> Result<u32, String> {
    some(n).ok_or_else(|| "even".to_owned())
}

programs! { Indexed, n;
    slice(xs: &[u32] = &numbers(n)) -> Vec<u32> { xs.par_iter().map(|x| x + 1).collect() }
    slice_by_value(xs: &[u32] = &numbers(n)) -> u32 { xs.into_par_iter().sum() }
    slice_of_references(xs: &[&u32] = &numbers(n).iter().collect::<Vec<_>>()) -> Vec<u32> {
        xs.par_iter().map(|&&x| x).collect()
    }
    part_of_a_slice(xs: &[u32] = &numbers(n)) -> Vec<&u32> {
        xs[xs.len() / 4..].par_iter().collect()
    }
    mutable_slice(xs: &mut [u32] = &mut numbers(n)) -> Vec<u32> {
        xs.par_iter_mut().for_each(|x| *x *= 2);
        xs.to_vec()
    }
    mutable_slice_by_value(xs: &mut [u32] = &mut numbers(n)) -> Vec<u32> {
        xs.into_par_iter()
            .map(|x| {
                *x += 1;
                *x
            })
            .collect()
    }
    mutable_slice_reborrowed(xs: &mut [u32] = &mut numbers(n)) -> u32 {
        (&mut *xs).into_par_iter().for_each(|x| *x += 3);
        (&*xs).into_par_iter().sum()
    }
    vec(xs: Vec<u32> = numbers(n)) -> Vec<u64> { xs.par_iter().map(|&x| u64::from(x)).collect() }
    vec_by_reference(xs: &Vec<u32> = &numbers(n)) -> usize { xs.into_par_iter().count() }
    vec_by_value(xs: Vec<String> = words(n)) -> Vec<String> {
        xs.into_par_iter().map(|word| word + "!").collect()
    }
    mutable_vec(xs: &mut Vec<String> = &mut words(n)) -> Vec<String> {
        xs.par_iter_mut().enumerate().for_each(|(i, word)| word.push_str(&i.to_string()));
        xs.clone()
    }
    vec_of_vecs(xs: Vec<Vec<u32>> = rows(n)) -> Vec<u32> {
        xs.into_par_iter().map(|row| row.into_iter().sum()).collect()
    }
    vec_that_is_made_on_the_spot(n: usize = n) -> Vec<usize> {
        vec![n, n + 1, n + 2].into_par_iter().map(|x| x * x).collect()
    }
    boxed_slice(xs: Box<[u32]> = numbers(n).into()) -> Vec<u32> {
        xs.par_iter().map(|x| x ^ 5).collect()
    }
    boxed_slice_by_value(xs: Box<[String]> = words(n).into()) -> Vec<String> {
        xs.into_vec().into_par_iter().rev().collect()
    }
    mutable_boxed_slice(xs: &mut Box<[u32]> = &mut numbers(n).into()) -> Vec<u32> {
        xs.par_iter_mut().for_each(|x| *x = x.count_ones());
        xs.to_vec()
    }
    shared_slice(xs: Arc<[u32]> = numbers(n).into()) -> Vec<u32> {
        xs.par_iter().map(|x| x / 2).collect()
    }
    counted_vec(xs: Rc<Vec<u32>> = Rc::new(numbers(n))) -> u32 { xs.par_iter().sum() }
    borrowed_or_owned(xs: Cow<'_, [u32]> = Cow::Owned(numbers(n))) -> Option<&'static str> {
        xs.par_iter().max().map(|&max| if max > 100 { "large" } else { "small" })
    }
    locked_vec(xs: &Mutex<Vec<u32>> = &Mutex::new(numbers(n))) -> u32 {
        xs.lock().expect("no one panicked").par_iter_mut().for_each(|x| *x += 1);
        xs.lock().expect("no one panicked").par_iter().sum()
    }
    bytes_of_a_string(text: String = words(n).concat()) -> usize {
        text.as_bytes().par_iter().filter(|byte| byte.is_ascii_digit()).count()
    }
    array(xs: [u32; 5] = [3, 1, n as u32, 1, 5]) -> Vec<u32> {
        xs.par_iter().map(|x| x * 2).collect()
    }
    array_by_value(xs: [String; 3] = [1, 2, n].map(|x| x.to_string())) -> Vec<String> {
        xs.into_par_iter().map(|x| x + "?").collect()
    }
    mutable_array(xs: &mut [u32; 4] = &mut [n as u32, 2, 3, 4]) -> [u32; 4] {
        xs.par_iter_mut().for_each(|x| *x *= *x);
        *xs
    }
    array_without_items(xs: [u32; 0] = []) -> Vec<u32> { xs.into_par_iter().collect() }
    array_of_arrays(
        xs: &[[u32; 2]] = &numbers(n).iter().map(|&x| [x, x + 1]).collect::<Vec<_>>(),
    ) -> u32 {
        xs.par_iter().flat_map_iter(|pair| pair.iter().copied()).sum()
    }
    item_without_size(xs: Vec<()> = vec![(); n]) -> usize {
        xs.into_par_iter().map(|()| 2_usize).sum()
    }

    chunks(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_chunks(7).map(|chunk| chunk.iter().sum()).collect()
    }
    exact_chunks(xs: &[u32] = &numbers(n)) -> Vec<Vec<u32>> {
        xs.par_chunks_exact(4).map(<[u32]>::to_vec).collect()
    }
    exact_chunks_and_the_rest(xs: &[u32] = &numbers(n)) -> (Vec<u32>, &[u32]) {
        let chunks = xs.par_chunks_exact(4);
        let rest = chunks.remainder();
        (chunks.map(|chunk| chunk[0]).collect(), rest)
    }
    exact_chunks_from_the_end_and_the_rest(xs: &[u32] = &numbers(n)) -> (usize, &[u32]) {
        let chunks = xs.par_rchunks_exact(4);
        let rest = chunks.remainder();
        (chunks.count(), rest)
    }
    mutable_exact_chunks_and_the_rest(xs: &mut [u32] = &mut numbers(n)) -> (Vec<u32>, u32) {
        let mut chunks = xs.par_chunks_exact_mut(4);
        chunks.remainder().fill(1);
        let rest = chunks.take_remainder().iter().sum();
        chunks.for_each(|chunk| chunk[0] = 0);
        (xs.to_vec(), rest)
    }
    rest_of_mutable_exact_chunks(xs: &mut [u32] = &mut numbers(n)) -> (u32, Vec<u32>) {
        let sum = xs.par_rchunks_exact_mut(7).map(|chunk| chunk[0]).sum();
        (sum, xs.par_rchunks_exact_mut(7).into_remainder().to_vec())
    }
    mutable_chunks(xs: &mut [u32] = &mut numbers(n)) -> Vec<u32> {
        xs.par_chunks_mut(5)
            .enumerate()
            .for_each(|(i, chunk)| chunk.iter_mut().for_each(|x| *x += i as u32));
        xs.to_vec()
    }
    mutable_exact_chunks(xs: &mut [u32] = &mut numbers(n)) -> Vec<u32> {
        xs.par_chunks_exact_mut(3).for_each(|chunk| chunk.reverse());
        xs.to_vec()
    }
    chunks_from_the_end(xs: &[u32] = &numbers(n)) -> Vec<usize> {
        xs.par_rchunks(7).map(<[u32]>::len).collect()
    }
    exact_chunks_from_the_end(xs: &[u32] = &numbers(n)) -> Vec<&[u32]> {
        xs.par_rchunks_exact(7).collect()
    }
    mutable_chunks_from_the_end(xs: &mut [u32] = &mut numbers(n)) -> Vec<u32> {
        xs.par_rchunks_mut(8).for_each(<[u32]>::sort);
        xs.to_vec()
    }
    mutable_exact_chunks_from_the_end(xs: &mut [u32] = &mut numbers(n)) -> Vec<u32> {
        xs.par_rchunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
        xs.to_vec()
    }
    windows(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_windows(3).map(|three| three[0].max(three[1]).max(three[2])).collect()
    }
    array_windows(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_array_windows().map(|[x, y]| x + y).collect()
    }
    windows_as_long_as_the_slice(xs: &[u32] = &numbers(n)) -> usize {
        xs.par_windows(xs.len().max(1)).count()
    }

    drained_vec(xs: &mut Vec<String> = &mut words(n)) -> (Vec<String>, Vec<String>) {
        (xs.par_drain(..).map(|word| word + ".").collect(), xs.clone())
    }
    drained_part_of_a_vec(xs: &mut Vec<u32> = &mut numbers(n)) -> (u32, Vec<u32>) {
        let (from, to) = (xs.len() / 3, xs.len() / 2);
        (xs.par_drain(from..to).sum(), xs.clone())
    }
    ring_by_reference(xs: &VecDeque<u32> = &ring(n)) -> Vec<u32> {
        xs.par_iter().map(|x| x + 1).collect()
    }
    ring_by_value(xs: VecDeque<u32> = ring(n)) -> Vec<u32> { xs.into_par_iter().rev().collect() }
    mutable_ring(xs: &mut VecDeque<u32> = &mut ring(n)) -> VecDeque<u32> {
        xs.par_iter_mut().for_each(|x| *x %= 10);
        xs.clone()
    }
    drained_ring(xs: &mut VecDeque<u32> = &mut ring(n)) -> (Vec<u32>, VecDeque<u32>) {
        let half = xs.len() / 2;
        (xs.par_drain(..half).collect(), xs.clone())
    }
    heap_by_reference(xs: &BinaryHeap<u32> = &numbers(n).into()) -> Vec<u32> {
        xs.par_iter().copied().collect()
    }
    heap_by_value(xs: BinaryHeap<u32> = numbers(n).into()) -> u32 {
        xs.into_par_iter().map(|x| x * 3).sum()
    }
    drained_heap(xs: &mut BinaryHeap<u32> = &mut numbers(n).into()) -> (Option<u32>, bool) {
        (xs.par_drain().min(), xs.is_empty())
    }
    option_by_value(x: Option<u32> = some(n)) -> Vec<u32> {
        x.into_par_iter().map(|x| x + 1).collect()
    }
    option_by_reference(x: &Option<u32> = &some(n)) -> u32 { x.par_iter().sum() }
    mutable_option(x: &mut Option<u32> = &mut some(n)) -> Option<u32> {
        x.par_iter_mut().for_each(|x| *x += 1);
        *x
    }
    result_by_value(x: Result<u32, String> = ok(n)) -> Vec<u32> { x.into_par_iter().collect() }
    result_by_reference(x: &Result<u32, String> = &ok(n)) -> usize { x.par_iter().count() }
    mutable_result(x: &mut Result<u32, String> = &mut ok(n)) -> Result<u32, String> {
        x.par_iter_mut().for_each(|x| *x *= 2);
        x.clone()
    }

    range_of_u8(end: u8 = (n % 256) as u8) -> Vec<u8> {
        (0..end).into_par_iter().map(|x| x / 2).collect()
    }
    range_of_u16(end: u16 = n as u16) -> u16 { (0..end).into_par_iter().map(|x| x % 7).sum() }
    range_of_u32(end: u32 = n as u32) -> Vec<u32> { (5..end).into_par_iter().rev().collect() }
    range_of_u64(end: u64 = n as u64) -> Vec<u64> {
        (0..end).into_par_iter().map(|x| x * x).collect()
    }
    range_of_usize(end: usize = n) -> Vec<usize> {
        (0..end).into_par_iter().map(|i| end - i).collect()
    }
    range_of_i8(end: i8 = (n % 128) as i8) -> Vec<i8> { (-end..end).into_par_iter().collect() }
    range_of_i16(end: i16 = n as i16) -> i16 { (-end..end).into_par_iter().map(|x| x % 5).sum() }
    range_of_i32(end: i32 = n as i32) -> Vec<i32> {
        (-end..end).into_par_iter().map(|x| x * x).collect()
    }
    range_of_i64(end: i64 = n as i64) -> Vec<i64> { (-end..end).into_par_iter().collect() }
    range_of_isize(end: isize = n as isize) -> isize { (-end..end).into_par_iter().sum() }
    range_of_u128(end: u128 = n as u128) -> Vec<u128> {
        (0..end).into_par_iter().map(|x| x << 70).collect()
    }
    range_of_i128(end: i128 = n as i128) -> i128 {
        (-end..=end).into_par_iter().filter(|x| x % 2 == 0).count() as i128
    }
    range_at_the_end_of_u128(n: u128 = n as u128) -> Vec<u128> {
        (u128::MAX - n..=u128::MAX).into_par_iter().collect()
    }
    range_of_char(n: usize = n) -> String {
        ('\u{d000}'..char::from_u32(0xe000 + n as u32).expect("a character"))
            .into_par_iter()
            .skip(2_000)
            .collect()
    }
    range_that_is_a_variable(range: Range<usize> = 3..n) -> Vec<usize> {
        range.into_par_iter().collect()
    }
    range_at_the_end_of_u64(n: u64 = n as u64) -> Vec<u64> {
        (u64::MAX - n..u64::MAX).into_par_iter().collect()
    }
    range_at_the_start_of_i64(n: i64 = n as i64) -> Vec<i64> {
        (i64::MIN..i64::MIN + n).into_par_iter().collect()
    }
    range_that_ends_before_it_starts(end: u64 = n as u64) -> Vec<u64> {
        (1_000..end).into_par_iter().collect()
    }
    range_of_an_inferred_type(n: usize = n) -> (i32, i64) {
        let zero = if n == 0 { 1 } else { 0 };
        (
            (zero..100).into_par_iter().map(|x| x * 2).sum(),
            (0..50).into_par_iter().map(|x| x - 10_i64).sum(),
        )
    }
    inclusive_range_of_u8(end: u8 = (n % 256) as u8) -> Vec<u8> {
        (0..=end).into_par_iter().collect()
    }
    inclusive_range_of_all_of_u8(n: u32 = n as u32) -> u32 {
        (0..=u8::MAX).into_par_iter().map(|x| u32::from(x) + n).sum()
    }
    inclusive_range_of_u16(end: u16 = n as u16) -> u16 {
        (0..=end).into_par_iter().map(|x| x % 3).sum()
    }
    inclusive_range_of_u32(end: u32 = n as u32) -> Vec<u32> { (3..=end).into_par_iter().collect() }
    inclusive_range_of_u64(end: u64 = n as u64) -> Vec<u64> {
        (1..=end).into_par_iter().map(|x| 1_000 / x).collect()
    }
    inclusive_range_of_usize(end: usize = n) -> usize { (1..=end).into_par_iter().sum() }
    inclusive_range_of_i8(end: i8 = (n % 128) as i8) -> Vec<i8> {
        (-end..=end).into_par_iter().collect()
    }
    inclusive_range_of_i16(end: i16 = n as i16) -> i16 { (-end..=end).into_par_iter().sum() }
    inclusive_range_of_i32(end: i32 = n as i32) -> Vec<i32> {
        (-end..=end).into_par_iter().collect()
    }
    inclusive_range_of_i64(end: i64 = n as i64) -> i64 {
        (-end..=end).into_par_iter().map(|x| x * x).sum()
    }
    inclusive_range_of_isize(end: isize = n as isize) -> isize {
        (-end..=end).into_par_iter().sum()
    }
    inclusive_range_of_char(n: usize = n) -> String {
        ('a'..=if n % 2 == 0 { 'z' } else { 'k' }).into_par_iter().rev().collect()
    }
    inclusive_range_that_ends_before_it_starts(end: i64 = n as i64) -> Vec<i64> {
        (700..=end).into_par_iter().collect()
    }
    inclusive_range_at_the_end_of_u64(n: u64 = n as u64) -> Vec<u64> {
        (u64::MAX - n..=u64::MAX).into_par_iter().map(|x| u64::MAX - x).collect()
    }

    pair_of_slices(xs: &[u32] = &numbers(n), ys: &[u32] = &others(n + 3)) -> u32 {
        (xs, ys).into_par_iter().map(|(x, y)| x * y).sum()
    }
    pair_by_reference(pair: &(Vec<u32>, Vec<u32>) = &(numbers(n), others(n))) -> Vec<u32> {
        pair.par_iter().map(|(x, y)| x.max(y)).copied().collect()
    }
    mutable_pair(
        pair: &mut (Vec<u32>, Vec<u32>) = &mut (numbers(n), others(n)),
    ) -> (Vec<u32>, Vec<u32>) {
        pair.par_iter_mut().for_each(|(x, y)| std::mem::swap(x, y));
        pair.clone()
    }
    triple_of_different_kinds(
        xs: &mut [u32] = &mut numbers(n),
        ys: Vec<String> = words(n),
    ) -> Vec<u32> {
        (&mut *xs, ys, 0_u32..1_000).into_par_iter().for_each(|(x, y, i)| *x += y.len() as u32 * i);
        xs.to_vec()
    }
    one_tuple(xs: &[u32] = &numbers(n)) -> u32 { (xs,).into_par_iter().map(|(x,)| x).sum() }
    nested_tuple(xs: &[u32] = &numbers(n), ys: &[u32] = &others(n)) -> Vec<u32> {
        ((xs, ys).into_par_iter(), ys).into_par_iter().map(|((x, y), z)| x + y + z).collect()
    }
    type_of_the_user(grid: &Grid = &Grid(numbers(n))) -> (u32, Vec<u32>) {
        (grid.par_iter().sum(), grid.into_par_iter().rev().copied().collect())
    }
    repeated(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().copied().chain(rayon::iter::repeat_n(7, 20)).collect()
    }
    repeated_for_ever(xs: &[u32] = &numbers(n)) -> u32 {
        xs.par_iter().zip(rayon::iter::repeat(3).take(xs.len())).map(|(x, y)| x * y).sum()
    }
    chained_to_what_is_no_entry_call(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        rayon::iter::once(9).chain(xs.into_par_iter().copied()).collect()
    }
    in_the_argument_of_a_sequential_zip(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        let doubled = xs.iter().zip(xs.par_iter().map(|x| x * 2).collect::<Vec<_>>());
        doubled.map(|(x, y)| x + y).collect()
    }
    once_more(xs: &[u32] = &numbers(n)) -> Vec<u32> {
        xs.par_iter().copied().chain(rayon::iter::once(9)).chain(rayon::iter::empty()).collect()
    }
}
