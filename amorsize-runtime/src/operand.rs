//! What the attribute appends to the argument of `zip`, `chain` and the like, which belongs to the loop
//! that calls them: `a.par_iter().chain(b)` becomes
//! `….chain((b).__slot().__range().__kind().__operand().__given())`.
//!
//! As with entry calls (`slot.rs`), each step finds out by method lookup what the argument is. What can
//! be indexed is given as it is, a tuned iterator without its own plan; other parallel iterators become
//! [`Unindexed`], with which only `chain` can do something; anything else, as the method may belong to
//! a type that is not rayon's, is given as it is. A range is no iterator of rayon's yet, and the method may be one of a plain
//! iterator: it becomes [`Numbers`], which are both.

use std::ops::{Range, RangeInclusive};

use rayon::iter::plumbing::UnindexedConsumer;
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use rayon::{range, range_inclusive};

use crate::range::{RangeInclusiveIter, RangeInteger, RangeIter};
use crate::slot::{Kind, Slot};

/// A range given to a parallel iterator or to a plain one.
#[derive(Clone, Debug)]
pub struct Numbers<R>(R);

impl<T> Slot<Range<T>> {
    /// First step for arguments, for ranges.
    #[inline]
    pub fn __range(self) -> Slot<Numbers<Range<T>>> {
        Slot(Numbers(self.0))
    }
}

impl<T> Slot<RangeInclusive<T>> {
    /// First step for arguments, for inclusive ranges.
    #[inline]
    pub fn __range(self) -> Slot<Numbers<RangeInclusive<T>>> {
        Slot(Numbers(self.0))
    }
}

/// First step for arguments, for everything else.
pub trait NoRange {
    /// Passes the argument on.
    fn __range(self) -> Self;
}

impl<I> NoRange for Slot<I> {
    #[inline]
    fn __range(self) -> Self {
        self
    }
}

impl<T: RangeInteger> IntoParallelIterator for Numbers<Range<T>>
where
    Range<T>: IntoParallelIterator<Iter = range::Iter<T>>,
{
    type Item = T;
    type Iter = RangeIter<T>;

    #[inline]
    fn into_par_iter(self) -> RangeIter<T> {
        RangeIter::new(self.0.into_par_iter())
    }
}

impl<T: RangeInteger> IntoParallelIterator for Numbers<RangeInclusive<T>>
where
    RangeInclusive<T>: IntoParallelIterator<Iter = range_inclusive::Iter<T>>,
{
    type Item = T;
    type Iter = RangeInclusiveIter<T>;

    #[inline]
    fn into_par_iter(self) -> RangeInclusiveIter<T> {
        RangeInclusiveIter::new(self.0.into_par_iter())
    }
}

impl<R: IntoIterator> IntoIterator for Numbers<R> {
    type Item = R::Item;
    type IntoIter = R::IntoIter;

    #[inline]
    fn into_iter(self) -> R::IntoIter {
        self.0.into_iter()
    }
}

/// An argument that can be indexed.
#[derive(Debug)]
pub struct Indexed<A>(A);

/// An argument that rayon cannot index, or that is no parallel iterator.
#[derive(Debug)]
pub struct Other<A>(A);

impl<A: IntoParallelIterator<Iter: IndexedParallelIterator>> Kind<A> {
    /// Third step, for what can be indexed.
    #[inline]
    pub fn __operand(self) -> Indexed<A> {
        Indexed(self.into_inner())
    }
}

/// Third step, for everything else.
pub trait AnyOperand<A> {
    /// Passes the argument on.
    fn __operand(self) -> Other<A>;
}

impl<A> AnyOperand<A> for Kind<A> {
    #[inline]
    fn __operand(self) -> Other<A> {
        Other(self.into_inner())
    }
}

impl<A> Indexed<A> {
    /// Last step, for what can be indexed.
    #[inline]
    pub fn __given(self) -> A {
        self.0
    }
}

impl<A: IntoParallelIterator> Other<A> {
    /// Last step, for what rayon cannot index.
    #[inline]
    pub fn __given(self) -> Unindexed<A> {
        Unindexed(self.0)
    }
}

/// Last step, for what is no parallel iterator.
pub trait NoOperand<A> {
    /// Gives the argument back.
    fn __given(self) -> A;
}

impl<A> NoOperand<A> for Other<A> {
    #[inline]
    fn __given(self) -> A {
        self.0
    }
}

/// What becomes a parallel iterator that cannot be indexed.
#[derive(Debug)]
pub struct Unindexed<A>(A);

impl<A: IntoParallelIterator> IntoParallelIterator for Unindexed<A> {
    type Item = A::Item;
    type Iter = NoIndex<A::Iter>;

    #[inline]
    fn into_par_iter(self) -> NoIndex<A::Iter> {
        NoIndex(self.0.into_par_iter())
    }
}

/// For methods of the same name on iterators that are not parallel.
impl<A: IntoIterator> IntoIterator for Unindexed<A> {
    type Item = A::Item;
    type IntoIter = A::IntoIter;

    #[inline]
    fn into_iter(self) -> A::IntoIter {
        self.0.into_iter()
    }
}

/// A parallel iterator of which the compiler knows that it cannot be indexed.
#[derive(Clone, Debug)]
pub struct NoIndex<I>(I);

impl<I: ParallelIterator> ParallelIterator for NoIndex<I> {
    type Item = I::Item;

    #[inline]
    fn drive_unindexed<C: UnindexedConsumer<I::Item>>(self, consumer: C) -> C::Result {
        self.0.drive_unindexed(consumer)
    }

    fn opt_len(&self) -> Option<usize> {
        self.0.opt_len()
    }
}
