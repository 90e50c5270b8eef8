//! [`Mapped`]: rayon's `map`, with a closure that the compiler inlines.
//!
//! Rayon gives `&F` to the standard iterator's `map`. Each item then goes through the standard library's `FnMut for &F`, which is
//! compiled apart from the loop, so that closures of more than a few instructions are called item by item, and never vectorised.
//! Here the standard iterator gets a closure that calls `F`, where the type of that iterator needs no name: in `fold_with`.

use std::fmt;

use rayon::iter::plumbing::{
    Consumer, Folder, Producer, ProducerCallback, UnindexedConsumer, bridge,
};
use rayon::iter::{IndexedParallelIterator, ParallelIterator};

/// Items of `I` after a function.
#[derive(Clone)]
#[must_use = "parallel iterators do nothing until they are consumed"]
pub struct Mapped<I, F> {
    base: I,
    map_op: F,
}

impl<I, F> Mapped<I, F> {
    #[inline]
    pub(crate) fn new(base: I, map_op: F) -> Self {
        Mapped { base, map_op }
    }
}

/// As rayon's: closures have nothing to show.
impl<I: fmt::Debug, F> fmt::Debug for Mapped<I, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapped").field("base", &self.base).finish_non_exhaustive()
    }
}

impl<I, F, R> ParallelIterator for Mapped<I, F>
where
    I: IndexedParallelIterator,
    F: Fn(I::Item) -> R + Sync + Send,
    R: Send,
{
    type Item = R;

    fn drive_unindexed<C: UnindexedConsumer<R>>(self, consumer: C) -> C::Result {
        bridge(self, consumer)
    }

    #[inline]
    fn opt_len(&self) -> Option<usize> {
        self.base.opt_len()
    }
}

impl<I, F, R> IndexedParallelIterator for Mapped<I, F>
where
    I: IndexedParallelIterator,
    F: Fn(I::Item) -> R + Sync + Send,
    R: Send,
{
    #[inline]
    fn len(&self) -> usize {
        self.base.len()
    }

    fn drive<C: Consumer<R>>(self, consumer: C) -> C::Result {
        bridge(self, consumer)
    }

    #[inline]
    fn with_producer<CB: ProducerCallback<R>>(self, callback: CB) -> CB::Output {
        self.base.with_producer(Callback { callback, map_op: &self.map_op })
    }
}

struct Callback<'f, CB, F> {
    callback: CB,
    map_op: &'f F,
}

impl<T, F, R, CB> ProducerCallback<T> for Callback<'_, CB, F>
where
    F: Fn(T) -> R + Sync,
    R: Send,
    CB: ProducerCallback<R>,
{
    type Output = CB::Output;

    #[inline]
    fn callback<P: Producer<Item = T>>(self, base: P) -> CB::Output {
        self.callback.callback(MappedProducer { base, map_op: self.map_op })
    }
}

struct MappedProducer<'f, P, F> {
    base: P,
    map_op: &'f F,
}

impl<'f, P, F, R> Producer for MappedProducer<'f, P, F>
where
    P: Producer,
    F: Fn(P::Item) -> R + Sync,
    R: Send,
{
    type Item = R;
    type IntoIter = std::iter::Map<P::IntoIter, &'f F>;

    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        self.base.into_iter().map(self.map_op)
    }

    fn min_len(&self) -> usize {
        self.base.min_len()
    }

    fn max_len(&self) -> usize {
        self.base.max_len()
    }

    #[inline]
    fn split_at(self, index: usize) -> (Self, Self) {
        let MappedProducer { base, map_op } = self;
        let (left, right) = base.split_at(index);
        (MappedProducer { base: left, map_op }, MappedProducer { base: right, map_op })
    }

    #[inline]
    fn fold_with<G: Folder<R>>(self, folder: G) -> G {
        self.base.fold_with(MappedFolder { base: folder, map_op: self.map_op }).base
    }
}

/// Passes what a function makes of items on to `base`.
struct MappedFolder<'f, G, F> {
    base: G,
    map_op: &'f F,
}

impl<T, R, G, F> Folder<T> for MappedFolder<'_, G, F>
where
    F: Fn(T) -> R,
    G: Folder<R>,
{
    type Result = G::Result;

    #[inline]
    fn consume(mut self, item: T) -> Self {
        self.base = self.base.consume((self.map_op)(item));
        self
    }

    #[inline]
    fn consume_iter<It: IntoIterator<Item = T>>(mut self, items: It) -> Self {
        let mapped = items.into_iter().map(|item| (self.map_op)(item));
        self.base = self.base.consume_iter(mapped);
        self
    }

    fn complete(self) -> G::Result {
        self.base.complete()
    }

    fn full(&self) -> bool {
        self.base.full()
    }
}
