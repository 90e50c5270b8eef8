//! Producers cut in three, at every pair of places and in both orders: the parts are the items, forwards and
//! backwards.

use std::fmt::Debug;

use rayon::iter::plumbing::{Folder, Producer, ProducerCallback};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use crate::pieces::{AtOnce, Pieces, Stepwise};
use crate::range::{RangeInclusiveIter, RangeIter};

/// Cuts a producer of `len` items before items `first` and `second`.
struct Cut {
    len: usize,
    first: usize,
    second: usize,
    right_first: bool,
}

/// How the items of a part are taken.
#[derive(Clone, Copy, Debug)]
enum Way {
    Forwards,
    Backwards,
    /// From both ends in turn.
    Inwards,
    /// As the crew does.
    AtOnce,
    Stepwise,
    /// As rayon does.
    FoldWith,
}

struct Taken<'c>(&'c Cut, Way);

impl<T> ProducerCallback<T> for Taken<'_> {
    type Output = Vec<T>;

    fn callback<P: Producer<Item = T>>(self, producer: P) -> Vec<T> {
        let Cut { len, first, second, right_first } = *self.0;
        let (left, middle, right) = if right_first {
            let (rest, right) = producer.split_at(second);
            let (left, middle) = rest.split_at(first);
            (left, middle, right)
        } else {
            let (left, rest) = producer.split_at(first);
            let (middle, right) = rest.split_at(second - first);
            (left, middle, right)
        };
        let parts = [(left, first), (middle, second - first), (right, len - second)];
        parts.into_iter().flat_map(|(part, len)| taken(part, len, self.1)).collect()
    }
}

fn taken<P: Producer>(part: P, len: usize, way: Way) -> Vec<P::Item> {
    match way {
        Way::Forwards => {
            let items = part.into_iter();
            assert_eq!(items.len(), len);
            items.collect()
        }
        Way::Backwards => {
            let mut items: Vec<P::Item> = part.into_iter().rev().collect();
            items.reverse();
            items
        }
        Way::Inwards => {
            let (mut items, mut front, mut back) = (part.into_iter(), Vec::new(), Vec::new());
            while let Some(item) = items.next() {
                front.push(item);
                back.extend(items.next_back());
            }
            front.extend(back.into_iter().rev());
            front
        }
        Way::AtOnce => AtOnce(part).fold_piece(List(Vec::new())).0,
        Way::Stepwise => Stepwise { producer: part, len }.fold_piece(List(Vec::new())).0,
        Way::FoldWith => AtOnce(part).fold_with(List(Vec::new())).0,
    }
}

struct List<T>(Vec<T>);

impl<T> Folder<T> for List<T> {
    type Result = Vec<T>;

    fn consume(mut self, item: T) -> Self {
        self.0.push(item);
        self
    }

    fn complete(self) -> Vec<T> {
        self.0
    }

    fn full(&self) -> bool {
        false
    }
}

fn check<I>(iter: impl Fn() -> I)
where
    I: IndexedParallelIterator<Item: Debug + PartialEq>,
{
    let len = iter().len();
    let uncut = Cut { len, first: 0, second: len, right_first: false };
    let expected = iter().with_producer(Taken(&uncut, Way::Forwards));
    assert_eq!(expected.len(), len);
    for (first, second) in (0..=len).flat_map(|first| (first..=len).map(move |s| (first, s))) {
        for right_first in [false, true] {
            let cut = Cut { len, first, second, right_first };
            for way in [
                Way::Forwards,
                Way::Backwards,
                Way::Inwards,
                Way::AtOnce,
                Way::Stepwise,
                Way::FoldWith,
            ] {
                let items = iter().with_producer(Taken(&cut, way));
                assert_eq!(items, expected, "{first} {second} {right_first} {way:?}");
            }
        }
    }
}

fn range(start: i64, end: i64) -> RangeIter<i64> {
    RangeIter::new((start..end).into_par_iter())
}

#[test]
fn ranges_in_three_parts_are_whole() {
    check(|| range(-4, 6));
    check(|| range(3, 3));
    check(|| RangeIter::new((1_u128 << 90..(1 << 90) + 9).into_par_iter()));
    check(|| RangeIter::new((u64::MAX - 9..u64::MAX).into_par_iter()));
    check(|| RangeInclusiveIter::new((-4_i128..=5).into_par_iter()));
    check(|| RangeInclusiveIter::new((u64::MAX - 9..=u64::MAX).into_par_iter()));
    check(|| RangeInclusiveIter::new((i64::MIN..=i64::MIN + 9).into_par_iter()));
}

#[test]
fn ranges_under_an_adaptor_in_three_parts_are_whole() {
    let other = [10, 11, 12, 13, 14, 15, 16, 17, 18, 19];
    check(|| range(-4, 6).map(|x| 2 * x));
    check(|| range(-4, 6).enumerate());
    check(|| range(-4, 6).rev());
    check(|| range(-4, 6).skip(3));
    check(|| range(-4, 6).take(7));
    check(|| range(-14, 6).step_by(3));
    check(|| range(-14, 6).chunks(3));
    check(|| range(-4, 6).zip(other));
    check(|| range(-4, 1).chain(other[..4].to_vec()));
    check(|| range(-4, 1).interleave(other[..4].to_vec()));
    check(|| range(-4, 1).interleave_shortest(other[..3].to_vec()));
    check(|| range(-4, 6).with_min_len(2).with_max_len(3));
    check(|| range(-14, 6).fold_chunks(3, || 0, |sum, x| sum + x));
    check(|| range(-4, 6).panic_fuse());
    check(|| range(-4, 6).map_init(|| 1, |one, x| x + *one));
}
