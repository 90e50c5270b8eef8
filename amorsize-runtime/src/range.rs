//! Ranges of every integer type as indexed parallel iterators.
//!
//! Rayon indexes only those ranges whose length always fits a `usize` on every platform, so that
//! `0..n` of `u64` and `0..=n` of `usize` are unindexed there. Here they are indexed whenever their
//! length does fit.

use std::fmt::{self, Write};

use rayon::iter::plumbing::{Consumer, Producer, ProducerCallback, UnindexedConsumer};
use rayon::iter::{IndexedParallelIterator, ParallelIterator};
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

    #[doc(hidden)]
    fn drive_range<C>(iter: range::Iter<Self>, consumer: C) -> C::Result
    where
        C: UnindexedConsumer<Self>;

    #[doc(hidden)]
    fn drive_range_inclusive<C>(iter: range_inclusive::Iter<Self>, consumer: C) -> C::Result
    where
        C: UnindexedConsumer<Self>;

    /// `None` where the length does not fit.
    #[doc(hidden)]
    fn range_len(iter: &range::Iter<Self>) -> Option<usize>;

    /// `None` where the length does not fit.
    #[doc(hidden)]
    fn range_inclusive_len(iter: &range_inclusive::Iter<Self>) -> Option<usize>;

    #[doc(hidden)]
    fn offset(self, by: usize) -> Self;

    #[doc(hidden)]
    fn from_digits(digits: Digits) -> Self;
}

macro_rules! iter {
    ($(#[$doc:meta])* $name:ident, $base:path, $with:ident, $drive:ident, $len:ident) => {
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

            /// As rayon does it, for lengths beyond `usize` too.
            #[inline]
            fn drive_unindexed<C: UnindexedConsumer<T>>(self, consumer: C) -> C::Result {
                T::$drive(self.base, consumer)
            }

            #[inline]
            fn opt_len(&self) -> Option<usize> {
                T::$len(&self.base)
            }
        }

        impl<T: RangeInteger> IndexedParallelIterator for $name<T> {
            #[inline]
            fn len(&self) -> usize {
                // As rayon does where it must know the length.
                self.opt_len().expect("the length of a tuned range fits a usize")
            }

            #[inline]
            fn drive<C: Consumer<T>>(self, consumer: C) -> C::Result {
                rayon::iter::plumbing::bridge(self, consumer)
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
    RangeIter, range::Iter<T>, with_range, drive_range, range_len
);
iter!(
    /// Rayon's iterator over `start..=end`, indexed.
    RangeInclusiveIter, range_inclusive::Iter<T>, with_range_inclusive, drive_range_inclusive,
    range_inclusive_len
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
                integer!(@with $range, iter, callback)
            }

            #[inline]
            fn with_range_inclusive<CB: ProducerCallback<Self>>(
                iter: RangeInclusiveIter<Self>,
                callback: CB,
            ) -> CB::Output {
                integer!(@with $inclusive, iter, callback)
            }

            #[inline]
            fn drive_range<C>(iter: range::Iter<Self>, consumer: C) -> C::Result
            where
                C: UnindexedConsumer<Self>,
            {
                iter.drive_unindexed(consumer)
            }

            #[inline]
            fn drive_range_inclusive<C>(iter: range_inclusive::Iter<Self>, consumer: C) -> C::Result
            where
                C: UnindexedConsumer<Self>,
            {
                iter.drive_unindexed(consumer)
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
            fn offset(self, by: usize) -> Self {
                self.wrapping_add(by as $type)
            }

            fn from_digits(Digits { magnitude, negative }: Digits) -> Self {
                (if negative { magnitude.wrapping_neg() } else { magnitude }) as $type
            }
        }
    };
    (@with indexed, $iter:ident, $callback:ident) => { $iter.base.with_producer($callback) };
    (@with unindexed, $iter:ident, $callback:ident) => {{
        let len = $iter.len();
        match start(&$iter.base).map(Self::from_digits) {
            Some(start) => $callback.callback(Counting { start, len }),
            // Not reached with any release of rayon that is known, and right all the same.
            None => $iter.base.collect::<Vec<_>>().into_par_iter().with_producer($callback),
        }
    }};
}

use rayon::iter::IntoParallelIterator;

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

/// The first number of a range. Rayon keeps its ranges private and shows them in `Debug` alone, as
/// `Iter { range: 3..9 }`; reading it there costs about a tenth of a microsecond per call.
fn start(iter: &impl fmt::Debug) -> Option<Digits> {
    #[derive(Default)]
    struct FirstNumber {
        digits: Option<Digits>,
        negative: bool,
        complete: bool,
    }

    impl Write for FirstNumber {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for byte in text.bytes() {
                match (byte, &mut self.digits) {
                    (b'0'..=b'9', digits) if !self.complete => {
                        let new = Digits { magnitude: 0, negative: self.negative };
                        let Digits { magnitude, .. } = digits.get_or_insert(new);
                        *magnitude =
                            magnitude.wrapping_mul(10).wrapping_add(u128::from(byte - b'0'));
                    }
                    (b'-', None) => self.negative = true,
                    (_, Some(_)) => self.complete = true,
                    (_, None) => self.negative = false,
                }
            }
            Ok(())
        }
    }

    let mut first = FirstNumber::default();
    write!(first, "{iter:?}").ok()?;
    first.digits
}

/// `len` consecutive numbers from `start` on.
struct Counting<T> {
    start: T,
    len: usize,
}

/// The standard iterator over [`Counting`].
struct CountingIter<T> {
    start: T,
    indices: std::ops::Range<usize>,
}

impl<T: RangeInteger> Producer for Counting<T> {
    type Item = T;
    type IntoIter = CountingIter<T>;

    #[inline]
    fn into_iter(self) -> CountingIter<T> {
        CountingIter { start: self.start, indices: 0..self.len }
    }

    fn split_at(self, index: usize) -> (Self, Self) {
        let right = Counting { start: self.start.offset(index), len: self.len - index };
        (Counting { start: self.start, len: index }, right)
    }
}

impl<T: RangeInteger> Iterator for CountingIter<T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.indices.next().map(|index| self.start.offset(index))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.indices.size_hint()
    }

    #[inline]
    fn fold<B, F: FnMut(B, T) -> B>(self, init: B, mut f: F) -> B {
        self.indices.fold(init, |all, index| f(all, self.start.offset(index)))
    }
}

impl<T: RangeInteger> DoubleEndedIterator for CountingIter<T> {
    #[inline]
    fn next_back(&mut self) -> Option<T> {
        self.indices.next_back().map(|index| self.start.offset(index))
    }
}

impl<T: RangeInteger> ExactSizeIterator for CountingIter<T> {}

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
    fn rayon_still_shows_where_its_ranges_start() {
        let digits = |magnitude, negative| Some(Digits { magnitude, negative });
        assert_eq!(start(&(-7_i64..5).into_par_iter()), digits(7, true));
        assert_eq!(start(&(12_u64..=u64::MAX).into_par_iter()), digits(12, false));
        assert_eq!(start(&"no number"), None);
    }

    #[test]
    fn counting_splits_and_reverses() {
        let (left, right) = Counting { start: -2_i64, len: 5 }.split_at(2);
        assert_eq!(left.into_iter().collect::<Vec<_>>(), [-2, -1]);
        assert_eq!(right.into_iter().rev().collect::<Vec<_>>(), [2, 1, 0]);
    }
}
