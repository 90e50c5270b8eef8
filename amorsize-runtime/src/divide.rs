//! [`pieces`]: loops whose closure gets what a worker takes at a time, as a whole.
//!
//! To the executor, the model and the recorder such a loop is one over the elements of its data, with a producer that
//! yields a piece's elements as one item.

use std::ops::Range;

use rayon::iter::ParallelIterator;
use rayon::iter::plumbing::{Folder, Producer, UnindexedConsumer};

use crate::drive::{Call, run_as_rayon};
use crate::loops::Loop;
use crate::pieces::{Pieces, fold_all};
use crate::run::{Run, Uncounted};
use crate::tuned::{Cost, PerItem};

/// Data that can be cut in two: slices, ranges of integers (of up to 32 bits, `usize` and `isize`), and tuples of two to
/// four of these.
///
/// A tuple is as long as its shortest part, like what `zip` makes; its pieces have parts of one length.
///
/// Types of your own, such as views of matrices, can implement it. A wrong count makes wrong pieces and nothing worse.
pub trait Divide: Send + Sized {
    /// How many elements there are.
    fn count(&self) -> usize;

    /// The first `at` elements, and all others. `at` is at most [`count`](Divide::count).
    fn divide_at(self, at: usize) -> (Self, Self);
}

impl<T: Sync> Divide for &[T] {
    #[inline]
    fn count(&self) -> usize {
        self.len()
    }

    #[inline]
    fn divide_at(self, at: usize) -> (Self, Self) {
        self.split_at(at)
    }
}

impl<T: Send> Divide for &mut [T] {
    #[inline]
    fn count(&self) -> usize {
        self.len()
    }

    #[inline]
    fn divide_at(self, at: usize) -> (Self, Self) {
        self.split_at_mut(at)
    }
}

macro_rules! divide_ranges {
    ($($type:ty)*) => {
        $(
            impl Divide for Range<$type> {
                #[inline]
                fn count(&self) -> usize {
                    self.len()
                }

                #[inline]
                fn divide_at(self, at: usize) -> (Self, Self) {
                    // Wraps where the type is signed and `at` is above its largest number.
                    let middle = self.start.wrapping_add(at as $type);
                    (self.start..middle, middle..self.end)
                }
            }
        )*
    };
}

// Those whose lengths always fit.
divide_ranges!(usize u32 u16 u8 isize i32 i16 i8);

macro_rules! divide_tuples {
    ($(($($part:ident $index:tt),*))*) => {
        $(
            impl<$($part: Divide),*> Divide for ($($part,)*) {
                #[inline]
                fn count(&self) -> usize {
                    let mut shortest = usize::MAX;
                    $(shortest = shortest.min(self.$index.count());)*
                    shortest
                }

                #[inline]
                fn divide_at(self, at: usize) -> (Self, Self) {
                    let parts = ($(self.$index.divide_at(at),)*);
                    (($(parts.$index.0,)*), ($(parts.$index.1,)*))
                }
            }
        )*
    };
}

divide_tuples!((A 0, B 1) (A 0, B 1, C 2) (A 0, B 1, C 2, D 3));

/// A parallel iterator over pieces of `data`: each item is a run of its elements, and together they are all of it, in order.
///
/// For work that costs something once per piece, such as one inversion for many quotients: cut into the fewest pieces
/// that keep the workers busy, and run serially as one. In a function under `#[amorsize::tune]` the cost of a piece is
/// measured beside that of an element, and the plan chooses their number. Elsewhere rayon does.
///
/// What the closure computes must not depend on where the pieces begin. Empty data has no piece.
pub fn pieces<D: Divide>(data: D) -> ParPieces<D> {
    ParPieces { whole: Whole { data, min: 1 } }
}

/// What [`pieces`] returns.
#[derive(Clone, Debug)]
#[must_use = "parallel iterators do nothing until they are consumed"]
pub struct ParPieces<D> {
    whole: Whole<D>,
}

impl<D: Divide> ParPieces<D> {
    /// No piece has fewer than `min` elements, unless there are fewer in all.
    pub fn with_min_len(self, min: usize) -> Self {
        ParPieces { whole: Whole { min, ..self.whole } }
    }

    /// Runs by the plan of `target`.
    #[inline]
    pub fn tuned(self, target: &'static Loop) -> TunedPieces<D> {
        self.tuned_at_cost(target, PerItem)
    }

    /// The same for elements of `cost` units of work each.
    #[inline]
    pub(crate) fn tuned_at_cost<K>(self, target: &'static Loop, cost: K) -> TunedPieces<D, K> {
        TunedPieces { whole: self.whole, target: target.for_items::<D>(), cost }
    }
}

impl<D: Divide> ParallelIterator for ParPieces<D> {
    type Item = D;

    fn drive_unindexed<C: UnindexedConsumer<D>>(self, consumer: C) -> C::Result {
        let producer = self.whole.trimmed();
        let len = producer.data.count();
        run_as_rayon(Run { producer, consumer: Uncounted { base: consumer, exact: false }, len })
    }
}

/// A parallel iterator over the pieces of `D` that runs by the plan of a loop.
#[derive(Clone, Debug)]
#[must_use = "parallel iterators do nothing until they are consumed"]
pub struct TunedPieces<D, K = PerItem> {
    whole: Whole<D>,
    target: &'static Loop,
    /// Units of work per element.
    cost: K,
}

impl<D: Divide, K: Cost> TunedPieces<D, K> {
    /// No piece has fewer than `min` elements, unless there are fewer in all.
    pub fn with_min_len(self, min: usize) -> Self {
        TunedPieces { whole: Whole { min, ..self.whole }, ..self }
    }
}

impl<D: Divide, K: Cost> ParallelIterator for TunedPieces<D, K> {
    type Item = D;

    #[inline]
    fn drive_unindexed<C: UnindexedConsumer<D>>(self, consumer: C) -> C::Result {
        let TunedPieces { whole, target, cost } = self;
        let producer = whole.trimmed();
        let call = Call {
            len: producer.data.count(),
            overlong: false,
            consumer: Uncounted { base: consumer, exact: false },
            open_ended: true,
            target,
            cost,
        };
        call.run(producer)
    }
}

/// Elements that are one item.
#[derive(Clone, Debug)]
struct Whole<D> {
    data: D,
    min: usize,
}

impl<D: Divide> Whole<D> {
    /// Without what a tuple's longer parts have beyond its shortest one.
    fn trimmed(self) -> Self {
        let count = self.data.count();
        Whole { data: self.data.divide_at(count).0, ..self }
    }
}

impl<D: Divide> Producer for Whole<D> {
    type Item = D;
    type IntoIter = std::option::IntoIter<D>;

    /// Not as many items as a producer should yield. Nothing counts on that: consumers are [`Uncounted`].
    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        Some(self.data).filter(|data| data.count() > 0).into_iter()
    }

    fn min_len(&self) -> usize {
        self.min
    }

    #[inline]
    fn split_at(self, index: usize) -> (Self, Self) {
        let (left, right) = self.data.divide_at(index);
        (Whole { data: left, min: self.min }, Whole { data: right, min: self.min })
    }
}

impl<D: Divide> Pieces for Whole<D> {
    const IS_WHOLE: bool = true;

    #[inline]
    fn fold_piece<F: Folder<D>>(self, folder: F) -> F {
        fold_all(self, folder)
    }
}
