//! What the attribute appends to the argument of `zip`, `chain` and the like, which belongs to the loop
//! that calls them: `a.par_iter().chain(b)` becomes
//! `….chain((b).__slot().__kind().__operand().__given())`.
//!
//! As with entry calls (`slot.rs`), each step finds out by method lookup what the argument is. What can
//! be indexed is given as it is, a tuned iterator without its own plan; other parallel iterators become
//! [`Unindexed`], with which only `chain` can do something; anything else, as the method may belong to
//! a type that is not rayon's, is given as it is.

use rayon::iter::plumbing::UnindexedConsumer;
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use crate::slot::Kind;

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
