//! Collecting items that may be failures: into a `Result` or an `Option` of a collection.
//!
//! Rayon maps each item by a closure that keeps the first error, and the compiler does not inline it into the loop. Here the
//! successes are one more stage on the standard iterator of each chunk, that ends at the first failure of any of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::iter::plumbing::Folder;
use rayon::iter::{FromParallelIterator, IndexedParallelIterator};

use crate::slot::Slot;
use crate::stage::{Same, Stage, Staged};
use crate::tuned::{Cost, Tuned};

/// What can be collected from items that may be failures.
///
/// A `Result` from `Result`s, an `Option` from `Option`s; of any collection that rayon can make of the successes.
pub trait FromFallible<T>: Sized {
    #[doc(hidden)]
    fn from_fallible<I, S, K>(items: Staged<I, S, K>) -> Self
    where
        I: IndexedParallelIterator,
        S: Stage<I::Item, Out = T>,
        K: Cost;
}

impl<T, E, C> FromFallible<Result<T, E>> for Result<C, E>
where
    T: Send,
    E: Send,
    C: FromParallelIterator<T>,
{
    fn from_fallible<I, S, K>(items: Staged<I, S, K>) -> Self
    where
        I: IndexedParallelIterator,
        S: Stage<I::Item, Out = Result<T, E>>,
        K: Cost,
    {
        successes(items)
    }
}

impl<T, C> FromFallible<Option<T>> for Option<C>
where
    T: Send,
    C: FromParallelIterator<T>,
{
    fn from_fallible<I, S, K>(items: Staged<I, S, K>) -> Self
    where
        I: IndexedParallelIterator,
        S: Stage<I::Item, Out = Option<T>>,
        K: Cost,
    {
        successes(items).ok()
    }
}

/// All successes, or the failure that was found first.
fn successes<C, T, I, S, K>(items: Staged<I, S, K>) -> Result<C, T::Failure>
where
    C: FromParallelIterator<T::Success>,
    T: Fallible,
    I: IndexedParallelIterator,
    S: Stage<I::Item, Out = T>,
    K: Cost,
{
    let failure = FirstFailure { happened: AtomicBool::new(false), kept: Mutex::new(None) };
    let collection = items.then(Successes(&failure)).collect();
    match failure.kept.into_inner().unwrap_or_else(PoisonError::into_inner) {
        None => Ok(collection),
        Some(failure) => Err(failure),
    }
}

/// An item that may be a failure.
pub(crate) trait Fallible {
    /// What it is otherwise.
    type Success: Send;
    /// What is known of a failure.
    type Failure: Send;

    /// Which of the two it is.
    fn into_result(self) -> Result<Self::Success, Self::Failure>;
}

impl<T: Send, E: Send> Fallible for Result<T, E> {
    type Success = T;
    type Failure = E;

    #[inline]
    fn into_result(self) -> Self {
        self
    }
}

impl<T: Send> Fallible for Option<T> {
    type Success = T;
    type Failure = ();

    #[inline]
    fn into_result(self) -> Result<T, ()> {
        self.ok_or(())
    }
}

/// The failure that was found first.
struct FirstFailure<E> {
    happened: AtomicBool,
    kept: Mutex<Option<E>>,
}

impl<E> FirstFailure<E> {
    #[inline]
    fn happened(&self) -> bool {
        self.happened.load(Ordering::Relaxed)
    }

    #[cold]
    #[inline(never)]
    fn keep(&self, failure: E) {
        self.happened.store(true, Ordering::Relaxed);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.is_none() {
            *kept = Some(failure);
        }
    }
}

/// The successes in front of the first failure as a stage.
pub(crate) struct Successes<'f, E>(&'f FirstFailure<E>);

impl<T, E> Stage<T> for Successes<'_, E>
where
    T: Fallible<Failure = E>,
    E: Send,
{
    type Out = T::Success;

    #[inline]
    fn feed<It, F>(&self, items: It, folder: F) -> F
    where
        It: Iterator<Item = T>,
        F: Folder<T::Success>,
    {
        folder.consume_iter(InFront { items, failure: self.0 })
    }

    #[inline]
    fn is_over(&self) -> bool {
        self.0.happened()
    }
}

/// The successes in front of the first failure.
pub(crate) struct InFront<'f, It, E> {
    items: It,
    failure: &'f FirstFailure<E>,
}

impl<T, It, E> Iterator for InFront<'_, It, E>
where
    It: Iterator<Item = T>,
    T: Fallible<Failure = E>,
{
    type Item = T::Success;

    #[inline]
    fn next(&mut self) -> Option<T::Success> {
        if self.failure.happened() {
            return None;
        }
        match self.items.next()?.into_result() {
            Ok(success) => Some(success),
            Err(failure) => {
                self.failure.keep(failure);
                None
            }
        }
    }

    /// As many as there are items, so that a collection makes room once. Only a failure makes that wrong, after which nothing of
    /// what was collected is kept.
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

impl<I: IndexedParallelIterator, K: Cost> Tuned<I, K> {
    /// Collects the successes of items that may be failures: into a `Result` or an `Option` of a collection.
    ///
    /// Faster than [`collect`](Self::collect), and the same otherwise: after a failure each worker ends what it is at and begins
    /// no other item, and of several failures any may be returned. The attribute chooses it where the source says that a `Result` or an `Option` is collected.
    #[inline]
    pub fn try_collect<R: FromFallible<I::Item>>(self) -> R {
        R::from_fallible(Staged::new(self, Same))
    }
}

impl<I, S, K> Staged<I, S, K>
where
    I: IndexedParallelIterator,
    K: Cost,
    S: Stage<I::Item>,
{
    /// As [`Tuned::try_collect`].
    #[inline]
    pub fn try_collect<R: FromFallible<S::Out>>(self) -> R {
        R::from_fallible(self)
    }
}

/// What the attribute puts in front of a `collect` into a `Result` or an `Option`: `xs.par_iter().map(f).collect()` becomes
/// `….map(f).__slot().__fallible().collect()`, where `collect` is [`try_collect`](Tuned::try_collect) if a tuned iterator comes
/// out of the chain, see `slot.rs`.
#[derive(Debug)]
pub struct Items<I>(I);

impl<I: IndexedParallelIterator, K: Cost> Slot<Tuned<I, K>> {
    /// For a tuned iterator.
    #[inline]
    pub fn __fallible(self) -> Items<Staged<I, Same, K>> {
        Items(Staged::new(self.into_inner(), Same))
    }
}

impl<I, S, K> Slot<Staged<I, S, K>> {
    /// For a tuned iterator with stages.
    #[inline]
    pub fn __fallible(self) -> Items<Staged<I, S, K>> {
        Items(self.into_inner())
    }
}

/// For everything else.
pub trait AnyItems<I> {
    /// Gives it back.
    fn __fallible(self) -> I;
}

impl<I> AnyItems<I> for Slot<I> {
    #[inline]
    fn __fallible(self) -> I {
        self.into_inner()
    }
}

impl<I, S, K> Items<Staged<I, S, K>>
where
    I: IndexedParallelIterator,
    S: Stage<I::Item>,
    K: Cost,
{
    /// As [`Staged::try_collect`].
    #[inline]
    pub fn collect<R: FromFallible<S::Out>>(self) -> R {
        self.0.try_collect()
    }
}
