//! What the attribute appends to an entry call: `xs.par_iter()` becomes
//! `xs.par_iter().__slot().__kind().__tune(&LOOP)`.
//!
//! The attribute sees tokens, not types. These three steps find out by method lookup what the entry
//! call returned. Every step takes `self` by value: an inherent method whose bound does not hold
//! falls through to the trait's method of that name.
//!
//! - `__slot` is a trait's method on everything.
//! - `__kind` is inherent for ranges, whose item type may not be inferred yet: whether rayon can
//!   index a range depends on that type, so the question is not asked. It is a trait's for the rest.
//! - `__tune` (or `__tune_at_cost`, under the option `cost`) is inherent for what can be indexed and
//!   gives [`Tuned`]; for anything else, such as a hash map's iterator or a method of the user's that
//!   happens to have an entry call's name, it is a trait's and gives back what went in.

use rayon::iter::{Empty, IndexedParallelIterator, empty};
use rayon::{range, range_inclusive};

use crate::divide::{Divide, ParPieces, TunedPieces};
use crate::loops::Loop;
use crate::range::{RangeInclusiveIter, RangeInteger, RangeIter};
use crate::tuned::{Cost, PerItem, Tuned};

/// The result of an entry call.
#[derive(Debug)]
pub struct Slot<I>(pub(crate) I);

/// The result of an entry call, ranges made indexable.
#[derive(Debug)]
pub struct Kind<I>(I);

/// First step, for everything.
pub trait IntoSlot: Sized {
    /// Wraps the result of an entry call.
    #[inline]
    fn __slot(self) -> Slot<Self> {
        Slot(self)
    }
}

impl<I> IntoSlot for I {}

impl<I: IndexedParallelIterator, K: Cost> Slot<Tuned<I, K>> {
    /// Second step, for what is tuned already: a loop has one plan.
    #[inline]
    pub fn __kind(self) -> Kind<I> {
        Kind(self.0.into_base())
    }
}

impl<T: RangeInteger> Slot<range::Iter<T>> {
    /// Second step, for ranges.
    #[inline]
    pub fn __kind(self) -> Kind<RangeIter<T>> {
        Kind(RangeIter::new(self.0))
    }
}

impl<T: RangeInteger> Slot<range_inclusive::Iter<T>> {
    /// Second step, for inclusive ranges.
    #[inline]
    pub fn __kind(self) -> Kind<RangeInclusiveIter<T>> {
        Kind(RangeInclusiveIter::new(self.0))
    }
}

/// Second step, for everything else.
pub trait AnyKind<I> {
    /// Passes the iterator on.
    fn __kind(self) -> Kind<I>;
}

impl<I> AnyKind<I> for Slot<I> {
    #[inline]
    fn __kind(self) -> Kind<I> {
        Kind(self.0)
    }
}

impl<I> Slot<I> {
    pub(crate) fn into_inner(self) -> I {
        self.0
    }
}

impl<I> Kind<I> {
    pub(crate) fn into_inner(self) -> I {
        self.0
    }
}

impl<I: IndexedParallelIterator> Kind<I> {
    /// Third step, for what can be tuned.
    #[inline]
    pub fn __tune(self, target: &'static Loop) -> Tuned<I> {
        Tuned::new(self.0, target, PerItem)
    }

    /// The same for items of `cost` units of work each.
    #[inline]
    pub fn __tune_at_cost(self, target: &'static Loop, cost: f64) -> Tuned<I, f64> {
        Tuned::new(self.0, target, cost)
    }
}

impl<D: Divide> Kind<ParPieces<D>> {
    /// Third step, for pieces.
    #[inline]
    pub fn __tune(self, target: &'static Loop) -> TunedPieces<D> {
        self.0.tuned(target)
    }

    /// The same for elements of `cost` units of work each.
    #[inline]
    pub fn __tune_at_cost(self, target: &'static Loop, cost: f64) -> TunedPieces<D, f64> {
        self.0.tuned_at_cost(target, cost)
    }
}

/// Third step, for what cannot.
pub trait Untuned<I> {
    /// Gives the iterator back.
    fn __tune(self, target: &'static Loop) -> I;

    /// The same.
    fn __tune_at_cost(self, target: &'static Loop, cost: f64) -> I;
}

impl<I> Untuned<I> for Kind<I> {
    #[inline]
    fn __tune(self, target: &'static Loop) -> I {
        #[cfg(feature = "record")]
        crate::record::note_untuned(target);
        #[cfg(not(feature = "record"))]
        let _ = target;
        self.0
    }

    #[inline]
    fn __tune_at_cost(self, target: &'static Loop, _: f64) -> I {
        self.__tune(target)
    }
}

/// An iterator that is nothing but rayon's. The attribute has a function that nobody calls call its
/// `panic_fuse` and `interleave_shortest`, so that rayon's `ParallelIterator` and `IndexedParallelIterator` are in use wherever
/// the user has imported them: the loops themselves may need them no more, as [`Tuned`] has methods of its own by the names of
/// those traits'.
#[must_use]
pub fn nothing() -> Empty<()> {
    empty()
}

/// What those calls mean where a trait is not imported: found last, by reference.
pub trait NotImported: Sized {
    /// Never called.
    fn interleave_shortest(self, _: Empty<()>) {}

    /// Never called.
    fn panic_fuse(self) {}
}

impl NotImported for &Empty<()> {}
