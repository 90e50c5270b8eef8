//! Ranges of every integer type as indexed parallel iterators.
//!
//! Rayon indexes only those ranges whose length always fits a `usize` on every platform, so that
//! `0..n` of `u64` and `0..=n` of `usize` are unindexed there. Here they are indexed whenever their
//! length does fit.

use std::fmt::{self, Write};

use rayon::iter::plumbing::{Consumer, Producer, ProducerCallback, UnindexedConsumer, bridge};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use rayon::{range, range_inclusive};

/// An integer type whose ranges can be tuned.
pub trait RangeInteger: Copy + Send + fmt::Debug + 'static {
    /// Drives the range `start..end`.
    #[doc(hidden)]
    fn with_range<CB: ProducerCallback<Self>>(iter: RangeIter<Self>, callback: CB) -> CB::Output;

    /// Drives the range `start..=end`.
    #[doc(hidden)]
    fn with_range_inclusive<CB>(iter: RangeInclusiveIter<Self>, callback: CB) -> CB::Output
    where
        CB: ProducerCallback<Self>;

    /// `None` where the length does not fit.
    #[doc(hidden)]
    fn range_len(iter: &range::Iter<Self>) -> Option<usize>;

    /// `None` where the length does not fit.
    #[doc(hidden)]
    fn range_inclusive_len(iter: &range_inclusive::Iter<Self>) -> Option<usize>;

    #[doc(hidden)]
    fn offset(self, by: u128) -> Self;

    #[doc(hidden)]
    fn from_digits(digits: Digits) -> Self;

    /// How many numbers `self..end` are, where that is not below `self`.
    #[doc(hidden)]
    fn distance(self, end: Self) -> u128;
}

macro_rules! iter {
    ($(#[$doc:meta])* $name:ident, $base:path, $with:ident, $len:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name<T> {
            base: $base,
        }

        impl<T: RangeInteger> $name<T> {
            #[inline]
            pub(crate) fn new(base: $base) -> Self {
                $name { base }
            }
        }

        impl<T: RangeInteger> ParallelIterator for $name<T> {
            type Item = T;

            #[inline]
            fn drive_unindexed<C: UnindexedConsumer<T>>(self, consumer: C) -> C::Result {
                bridge(self, consumer)
            }

            #[inline]
            fn opt_len(&self) -> Option<usize> {
                T::$len(&self.base)
            }
        }

        impl<T: RangeInteger> IndexedParallelIterator for $name<T> {
            /// `usize::MAX` for longer ranges: no call can tell the difference, unless it ends early.
            #[inline]
            fn len(&self) -> usize {
                self.opt_len().unwrap_or(usize::MAX)
            }

            #[inline]
            fn drive<C: Consumer<T>>(self, consumer: C) -> C::Result {
                bridge(self, consumer)
            }

            #[inline]
            fn with_producer<CB: ProducerCallback<T>>(self, callback: CB) -> CB::Output {
                T::$with(self, callback)
            }
        }
    };
}

iter!(
    /// Rayon's iterator over `start..end`, indexed.
    RangeIter, range::Iter<T>, with_range, range_len
);
iter!(
    /// Rayon's iterator over `start..=end`, indexed.
    RangeInclusiveIter, range_inclusive::Iter<T>, with_range_inclusive, range_inclusive_len
);

/// How rayon treats a range type: `indexed` ranges are left to it, others get our producer.
macro_rules! integer {
    ($type:ty, $range:ident, $inclusive:ident) => {
        impl RangeInteger for $type {
            #[inline]
            fn with_range<CB: ProducerCallback<Self>>(
                iter: RangeIter<Self>,
                callback: CB,
            ) -> CB::Output {
                integer!(@with $range, iter, callback, 0)
            }

            #[inline]
            fn with_range_inclusive<CB: ProducerCallback<Self>>(
                iter: RangeInclusiveIter<Self>,
                callback: CB,
            ) -> CB::Output {
                integer!(@with $inclusive, iter, callback, 1)
            }

            #[inline]
            fn range_len(iter: &range::Iter<Self>) -> Option<usize> {
                iter.opt_len()
            }

            #[inline]
            fn range_inclusive_len(iter: &range_inclusive::Iter<Self>) -> Option<usize> {
                iter.opt_len()
            }

            #[inline]
            fn offset(self, by: u128) -> Self {
                self.wrapping_add(by as $type)
            }

            fn distance(self, end: Self) -> u128 {
                // Sign extension does no harm: it is the same on both sides.
                (end as u128).wrapping_sub(self as u128)
            }

            fn from_digits(Digits { magnitude, negative }: Digits) -> Self {
                (if negative { magnitude.wrapping_neg() } else { magnitude }) as $type
            }
        }
    };
    (@with indexed, $iter:ident, $callback:ident, $last:literal) => {
        $iter.base.with_producer($callback)
    };
    (@with unindexed, $iter:ident, $callback:ident, $last:literal) => {
        match (bounds(&$iter.base), $iter.opt_len()) {
            (Some([start, _]), Some(len)) => {
                $callback.callback(Counting { start: Self::from_digits(start), len })
            }
            (Some(bounds), None) => {
                let [start, end] = bounds.map(Self::from_digits);
                // All 2^128 numbers are counted as one less; nothing lives to see the last of them.
                let len = start.distance(end).saturating_add($last);
                $callback.callback(Counting { start, len })
            }
            // Not reached with any release of rayon that is known, and right all the same.
            (None, _) => $iter.base.collect::<Vec<_>>().into_par_iter().with_producer($callback),
        }
    };
}

integer!(u8, indexed, indexed);
integer!(u16, indexed, indexed);
integer!(u32, indexed, unindexed);
integer!(u64, unindexed, unindexed);
integer!(u128, unindexed, unindexed);
integer!(usize, indexed, unindexed);
integer!(i8, indexed, indexed);
integer!(i16, indexed, indexed);
integer!(i32, indexed, unindexed);
integer!(i64, unindexed, unindexed);
integer!(i128, unindexed, unindexed);
integer!(isize, indexed, unindexed);

/// A number as it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Digits {
    magnitude: u128,
    negative: bool,
}

/// The two numbers of a range. Rayon keeps its ranges private and shows them in `Debug` alone, as
/// `Iter { range: 3..9 }`; reading them there costs about a tenth of a microsecond per call.
fn bounds(iter: &impl fmt::Debug) -> Option<[Digits; 2]> {
    #[derive(Default)]
    struct Numbers {
        found: [Digits; 2],
        /// How many were begun.
        begun: usize,
        in_digits: bool,
        negative: bool,
    }

    impl Write for Numbers {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for byte in text.bytes() {
                let is_digit = byte.is_ascii_digit();
                if is_digit && !self.in_digits {
                    let number = self.found.get_mut(self.begun).ok_or(fmt::Error)?;
                    number.negative = self.negative;
                    self.begun += 1;
                }
                if is_digit {
                    let Digits { magnitude, .. } = &mut self.found[self.begun - 1];
                    *magnitude = magnitude.wrapping_mul(10).wrapping_add(u128::from(byte - b'0'));
                }
                (self.in_digits, self.negative) = (is_digit, byte == b'-');
            }
            Ok(())
        }
    }

    let mut numbers = Numbers::default();
    write!(numbers, "{iter:?}").ok()?;
    (numbers.begun == 2).then_some(numbers.found)
}

/// `len` consecutive numbers from `start` on.
struct Counting<T, N> {
    start: T,
    len: N,
}

/// The standard iterator over [`Counting`].
struct CountingIter<T, N> {
    start: T,
    indices: std::ops::Range<N>,
}

/// What the numbers of a range are counted with: a `usize`, unless they are more.
trait Count: Copy + Default + Send {
    fn to_u128(self) -> u128;

    /// `index` of them, and the others.
    fn split_at(self, index: usize) -> (Self, Self);
}

impl Count for usize {
    #[inline]
    fn to_u128(self) -> u128 {
        self as u128
    }

    #[inline]
    fn split_at(self, index: usize) -> (Self, Self) {
        (index, self - index)
    }
}

impl Count for u128 {
    #[inline]
    fn to_u128(self) -> u128 {
        self
    }

    #[inline]
    fn split_at(self, index: usize) -> (Self, Self) {
        (index as u128, self - index as u128)
    }
}

impl<T: RangeInteger, N: Count> Producer for Counting<T, N>
where
    std::ops::Range<N>: DoubleEndedIterator<Item = N>,
{
    type Item = T;
    type IntoIter = CountingIter<T, N>;

    #[inline]
    fn into_iter(self) -> CountingIter<T, N> {
        CountingIter { start: self.start, indices: N::default()..self.len }
    }

    fn split_at(self, index: usize) -> (Self, Self) {
        let (left, right) = self.len.split_at(index);
        (
            Counting { start: self.start, len: left },
            Counting { start: self.start.offset(index as u128), len: right },
        )
    }
}

impl<T: RangeInteger, N: Count> Iterator for CountingIter<T, N>
where
    std::ops::Range<N>: Iterator<Item = N>,
{
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.indices.next().map(|index| self.start.offset(index.to_u128()))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.indices.size_hint()
    }

    #[inline]
    fn fold<B, F: FnMut(B, T) -> B>(self, init: B, mut f: F) -> B {
        self.indices.fold(init, |all, index| f(all, self.start.offset(index.to_u128())))
    }
}

impl<T: RangeInteger, N: Count> DoubleEndedIterator for CountingIter<T, N>
where
    std::ops::Range<N>: DoubleEndedIterator<Item = N>,
{
    #[inline]
    fn next_back(&mut self) -> Option<T> {
        self.indices.next_back().map(|index| self.start.offset(index.to_u128()))
    }
}

impl<T: RangeInteger, N: Count> ExactSizeIterator for CountingIter<T, N>
where
    std::ops::Range<N>: Iterator<Item = N>,
{
    #[inline]
    fn len(&self) -> usize {
        self.indices.size_hint().0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<I: IndexedParallelIterator>(iter: I) -> Vec<I::Item> {
        iter.collect()
    }

    #[test]
    fn every_integer_type_yields_its_range_in_order() {
        macro_rules! check {
            ($($type:ty),*) => {$(
                for (start, end) in [(0, 9), (3, 3), (9, 3), (<$type>::MAX - 5, <$type>::MAX),
                    (<$type>::MIN, <$type>::MIN + 5)]
                {
                    let range: std::ops::Range<$type> = start..end;
                    let expected: Vec<_> = range.clone().collect();
                    assert_eq!(all(RangeIter::new(range.into_par_iter())), expected);
                    let range: std::ops::RangeInclusive<$type> = start..=end;
                    let expected: Vec<_> = range.clone().collect();
                    assert_eq!(all(RangeInclusiveIter::new(range.into_par_iter())), expected);
                }
            )*};
        }
        check!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);
    }

    #[test]
    fn rayon_still_shows_the_bounds_of_its_ranges() {
        let digits = |magnitude, negative| Digits { magnitude, negative };
        let (minus_7, plus_5) = (digits(7, true), digits(5, false));
        assert_eq!(bounds(&(-7_i64..5).into_par_iter()), Some([minus_7, plus_5]));
        let (twelve, last) = (digits(12, false), digits(u128::from(u64::MAX), false));
        assert_eq!(bounds(&(12_u64..=u64::MAX).into_par_iter()), Some([twelve, last]));
        assert_eq!(bounds(&"no number"), None);
        assert_eq!(bounds(&"1 2 3"), None);
    }

    /// The first and the last item.
    struct Ends;

    impl<T> ProducerCallback<T> for Ends {
        type Output = [Option<T>; 2];

        fn callback<P: Producer<Item = T>>(self, producer: P) -> [Option<T>; 2] {
            let (left, right) = producer.split_at(usize::MAX / 2);
            [left.into_iter().next(), right.into_iter().next_back()]
        }
    }

    #[test]
    fn ranges_too_long_for_usize_end_where_they_should() {
        let all_of_u64 = RangeInclusiveIter::new((0..=u64::MAX).into_par_iter());
        assert_eq!(all_of_u64.with_producer(Ends), [Some(0), Some(u64::MAX)]);
        let all_of_i64 = RangeInclusiveIter::new((i64::MIN..=i64::MAX).into_par_iter());
        assert_eq!(all_of_i64.with_producer(Ends), [Some(i64::MIN), Some(i64::MAX)]);
        let end = 1_i128 << 100;
        let wide = || RangeIter::new((-end..end).into_par_iter());
        assert_eq!(wide().with_producer(Ends), [Some(-end), Some(end - 1)]);
        assert_eq!(wide().chain(wide()).with_producer(Ends), [Some(-end), Some(end - 1)]);
        assert_eq!(wide().rev().with_producer(Ends), [Some(end - 1), Some(-end)]);
        assert_eq!(wide().chain(wide()).find_any(|&x| x == 5 - end), Some(5 - end));
    }

    #[test]
    fn counting_splits_and_reverses() {
        let (left, right) = Counting { start: -2_i64, len: 5_usize }.split_at(2);
        assert_eq!(left.into_iter().collect::<Vec<_>>(), [-2, -1]);
        assert_eq!(right.into_iter().rev().collect::<Vec<_>>(), [2, 1, 0]);
    }
}
