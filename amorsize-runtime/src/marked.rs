//! What the attribute puts in front of a `collect` whose type it knows: `xs.par_iter().filter(p).collect()` becomes
//! `….filter(p).__slot().__vec().collect()` where a vector is collected. If a tuned iterator comes out of the chain, `collect` is
//! then the way of our own into that type; everything else is as it was. See `slot.rs`.

use rayon::iter::{FromParallelIterator, IndexedParallelIterator};

use crate::fallible::{Fallible, FromFallible};
use crate::slot::Slot;
use crate::stage::{Same, Stage, Staged};
use crate::tuned::{Cost, Tuned};

/// What is collected into a vector.
#[derive(Debug)]
pub struct ForVec<I>(I);

/// What is collected into a `Result` or an `Option`.
#[derive(Debug)]
pub struct ForSuccesses<I>(I);

/// What is collected into a `Result` or an `Option` of a vector.
#[derive(Debug)]
pub struct ForVecOfSuccesses<I>(I);

impl<I, S, K> Slot<Staged<I, S, K>> {
    /// Where a vector is collected.
    #[inline]
    pub fn __vec(self) -> ForVec<Staged<I, S, K>> {
        ForVec(self.into_inner())
    }

    /// Where a `Result` or an `Option` is.
    #[inline]
    pub fn __successes(self) -> ForSuccesses<Staged<I, S, K>> {
        ForSuccesses(self.into_inner())
    }

    /// Where a `Result` or an `Option` of a vector is.
    #[inline]
    pub fn __vec_of_successes(self) -> ForVecOfSuccesses<Staged<I, S, K>> {
        ForVecOfSuccesses(self.into_inner())
    }
}

/// Without stages the number of items is known, and rayon puts each into its place in the vector.
impl<I: IndexedParallelIterator, K: Cost> Slot<Tuned<I, K>> {
    /// Where a `Result` or an `Option` is collected.
    #[inline]
    pub fn __successes(self) -> ForSuccesses<Staged<I, Same, K>> {
        ForSuccesses(Staged::new(self.into_inner(), Same))
    }

    /// Where a `Result` or an `Option` of a vector is.
    #[inline]
    pub fn __vec_of_successes(self) -> ForVecOfSuccesses<Staged<I, Same, K>> {
        ForVecOfSuccesses(Staged::new(self.into_inner(), Same))
    }
}

/// For everything else, which is given back.
pub trait Unmarked<I> {
    /// Where a vector is collected.
    fn __vec(self) -> I;

    /// Where a `Result` or an `Option` is.
    fn __successes(self) -> I;

    /// Where a `Result` or an `Option` of a vector is.
    fn __vec_of_successes(self) -> I;
}

impl<I> Unmarked<I> for Slot<I> {
    #[inline]
    fn __vec(self) -> I {
        self.into_inner()
    }

    #[inline]
    fn __successes(self) -> I {
        self.into_inner()
    }

    #[inline]
    fn __vec_of_successes(self) -> I {
        self.into_inner()
    }
}

impl<I, S, K> ForVec<Staged<I, S, K>>
where
    I: IndexedParallelIterator,
    S: Stage<I::Item>,
    K: Cost,
{
    /// As [`Staged::collect_vec`], into what the source calls `Vec`.
    #[inline]
    pub fn collect<C: FromParallelIterator<S::Out> + From<Vec<S::Out>>>(self) -> C {
        self.0.collect_vec().into()
    }
}

impl<I, S, K> ForSuccesses<Staged<I, S, K>>
where
    I: IndexedParallelIterator,
    S: Stage<I::Item, Out: Fallible>,
    K: Cost,
{
    /// As [`Staged::try_collect`].
    #[inline]
    pub fn collect<R>(self) -> R
    where
        R: FromFallible<S::Out, Collection: FromParallelIterator<<S::Out as Fallible>::Success>>,
    {
        self.0.try_collect()
    }
}

impl<I, S, K> ForVecOfSuccesses<Staged<I, S, K>>
where
    I: IndexedParallelIterator,
    S: Stage<I::Item, Out: Fallible>,
    K: Cost,
{
    /// As [`Staged::try_collect_vec`].
    #[inline]
    pub fn collect<R>(self) -> R
    where
        R: FromFallible<S::Out, Collection: From<Vec<<S::Out as Fallible>::Success>>>,
    {
        self.0.try_collect_vec()
    }
}
