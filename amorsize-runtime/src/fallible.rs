//! Items that may be failures: collected into a `Result` or an `Option` of a collection, or of nothing by `try_for_each`.
//!
//! Rayon maps each item by a closure that keeps the first error, and the compiler does not inline it into the loop. Here the
//! successes are one more stage on the standard iterator of each chunk, that ends at the first failure of any of them.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::iter::plumbing::Folder;
use rayon::iter::{FromParallelIterator, IndexedParallelIterator};

use crate::stage::{Same, Stage, Staged};
use crate::tuned::{Cost, Tuned};
use crate::{collection, placed};

/// An item that may be a failure: a `Result`, an `Option` or a `ControlFlow`.
pub trait Fallible: Send {
    /// What it is otherwise.
    type Success: Send;
    /// What is known of a failure.
    type Failure: Send;

    #[doc(hidden)]
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

impl<B: Send, T: Send> Fallible for ControlFlow<B, T> {
    type Success = T;
    type Failure = B;

    #[inline]
    fn into_result(self) -> Result<T, B> {
        match self {
            ControlFlow::Continue(success) => Ok(success),
            ControlFlow::Break(failure) => Err(failure),
        }
    }
}

/// What can be collected from items that may be failures: a `Result` of a collection from `Result`s, an `Option` of one from
/// `Option`s.
pub trait FromFallible<T: Fallible> {
    /// What becomes of the successes.
    type Collection;

    #[doc(hidden)]
    fn from_result(all: Result<Self::Collection, T::Failure>) -> Self;
}

impl<T: Send, E: Send, C> FromFallible<Result<T, E>> for Result<C, E> {
    type Collection = C;

    #[inline]
    fn from_result(all: Self) -> Self {
        all
    }
}

impl<T: Send, C> FromFallible<Option<T>> for Option<C> {
    type Collection = C;

    #[inline]
    fn from_result(all: Result<C, ()>) -> Self {
        all.ok()
    }
}

impl<B: Send, T: Send, C> FromFallible<ControlFlow<B, T>> for ControlFlow<B, C> {
    type Collection = C;

    #[inline]
    fn from_result(all: Result<C, B>) -> Self {
        match all {
            Ok(collection) => ControlFlow::Continue(collection),
            Err(failure) => ControlFlow::Break(failure),
        }
    }
}

/// The failure that was found first.
pub(crate) struct FirstFailure<E> {
    happened: AtomicBool,
    kept: Mutex<Option<E>>,
}

impl<E> FirstFailure<E> {
    pub(crate) fn none() -> Self {
        FirstFailure { happened: AtomicBool::new(false), kept: Mutex::new(None) }
    }

    /// The collection of all items, unless one has failed.
    fn or<C>(self, collection: C) -> Result<C, E> {
        match self.kept.into_inner().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(collection),
            Some(failure) => Err(failure),
        }
    }

    #[inline]
    pub(crate) fn happened(&self) -> bool {
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
        folder.consume_iter(InFront::of(items, self.0))
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

impl<'f, It, E> InFront<'f, It, E> {
    #[inline]
    pub(crate) fn of(items: It, failure: &'f FirstFailure<E>) -> Self {
        InFront { items, failure }
    }
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

impl<I, K> Tuned<I, K>
where
    I: IndexedParallelIterator<Item: Fallible>,
    K: Cost,
{
    /// Collects the successes of items that may be failures: into a `Result` or an `Option` of a collection.
    ///
    /// Faster than [`collect`](Self::collect), and the same otherwise: after a failure each worker ends what it is at and begins
    /// no other item, and of several failures any may be returned. The attribute chooses it where the source says that a `Result`
    /// or an `Option` is collected.
    #[inline]
    pub fn try_collect<R>(self) -> R
    where
        R: FromFallible<I::Item, Collection: FromParallelIterator<<I::Item as Fallible>::Success>>,
    {
        Staged::new(self, Same).try_collect()
    }

    /// As [`try_collect`](Self::try_collect) with a vector as the collection, or what can be made of one, and faster for that:
    /// each success is written to its place.
    ///
    /// # Panics
    ///
    /// If an iterator that somebody else has written has more items than its `len` says, or fewer. So does rayon's `collect`.
    #[inline]
    pub fn try_collect_vec<R>(self) -> R
    where
        R: FromFallible<I::Item, Collection: From<Vec<<I::Item as Fallible>::Success>>>,
    {
        let failure = FirstFailure::none();
        match collection::collect(self.target(), || placed::collect(self, &failure)) {
            Ok(vec) => R::from_result(failure.or(vec.into())),
            Err(items) => Staged::new(items, Same).try_collect_vec(),
        }
    }
}

impl<I, S, K> Staged<I, S, K>
where
    I: IndexedParallelIterator,
    K: Cost,
    S: Stage<I::Item, Out: Fallible>,
{
    /// As [`Tuned::try_collect`].
    #[inline]
    pub fn try_collect<R>(self) -> R
    where
        R: FromFallible<S::Out, Collection: FromParallelIterator<<S::Out as Fallible>::Success>>,
    {
        let failure = FirstFailure::none();
        let collection = self.then(Successes(&failure)).collect();
        R::from_result(failure.or(collection))
    }

    /// As [`Tuned::try_collect_vec`].
    #[inline]
    pub fn try_collect_vec<R>(self) -> R
    where
        R: FromFallible<S::Out, Collection: From<Vec<<S::Out as Fallible>::Success>>>,
    {
        let failure = FirstFailure::none();
        let vec = self.then(Successes(&failure)).collect_vec();
        R::from_result(failure.or(vec.into()))
    }
}

impl<I: IndexedParallelIterator, K: Cost> Tuned<I, K> {
    /// As rayon's `try_for_each`.
    #[inline]
    pub fn try_for_each<OP, R>(self, op: OP) -> R
    where
        OP: Fn(I::Item) -> R + Sync + Send,
        R: Fallible<Success = ()> + FromFallible<R, Collection = ()>,
    {
        Staged::new(self, Same).try_for_each(op)
    }
}

impl<I, S, K> Staged<I, S, K>
where
    I: IndexedParallelIterator,
    K: Cost,
    S: Stage<I::Item>,
{
    /// As rayon's `try_for_each`.
    #[inline]
    pub fn try_for_each<OP, R>(self, op: OP) -> R
    where
        OP: Fn(S::Out) -> R + Sync + Send,
        R: Fallible<Success = ()> + FromFallible<R, Collection = ()>,
    {
        let failure = FirstFailure::none();
        self.map(op).then(Successes(&failure)).for_each(|()| ());
        R::from_result(failure.or(()))
    }
}
