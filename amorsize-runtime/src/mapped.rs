//! [`Mapped`]: rayon's `map`, with a closure that the compiler inlines.
//!
//! Rayon gives `&F` to the standard iterator's `map`. Each item then goes through the standard library's `FnMut for &F`, which is
//! compiled apart from the loop, so that closures of more than a few instructions are called item by item, and never vectorised.
//! Here the standard iterator gets a closure that calls `F`, where the type of that iterator needs no name: in `fold_with`.
//! Items of many units of work are the exception, see [`Cost::call`].

use std::fmt;
use std::marker::PhantomData;

use rayon::iter::plumbing::{
    Consumer, Folder, Producer, ProducerCallback, UnindexedConsumer, bridge,
};
use rayon::iter::{IndexedParallelIterator, ParallelIterator};

use crate::tuned::{Cost, PerItem};

/// Items of `I` after a function, which is called as `K` says.
#[derive(Clone)]
#[must_use = "parallel iterators do nothing until they are consumed"]
pub struct Mapped<I, F, K = PerItem> {
    base: I,
    map_op: F,
    cost: PhantomData<K>,
}

impl<I, F, K> Mapped<I, F, K> {
    #[inline]
    pub(crate) fn new(base: I, map_op: F) -> Self {
        Mapped { base, map_op, cost: PhantomData }
    }
}

/// As rayon's: closures have nothing to show.
impl<I: fmt::Debug, F, K> fmt::Debug for Mapped<I, F, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapped").field("base", &self.base).finish_non_exhaustive()
    }
}

impl<I, F, R, K> ParallelIterator for Mapped<I, F, K>
where
    I: IndexedParallelIterator,
    F: Fn(I::Item) -> R + Sync + Send,
    R: Send,
    K: Cost,
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

impl<I, F, R, K> IndexedParallelIterator for Mapped<I, F, K>
where
    I: IndexedParallelIterator,
    F: Fn(I::Item) -> R + Sync + Send,
    R: Send,
    K: Cost,
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
        self.base.with_producer(Callback { callback, map_op: &self.map_op, cost: self.cost })
    }
}

struct Callback<'f, CB, F, K> {
    callback: CB,
    map_op: &'f F,
    cost: PhantomData<K>,
}

impl<T, F, R, CB, K> ProducerCallback<T> for Callback<'_, CB, F, K>
where
    F: Fn(T) -> R + Sync,
    R: Send,
    CB: ProducerCallback<R>,
    K: Cost,
{
    type Output = CB::Output;

    #[inline]
    fn callback<P: Producer<Item = T>>(self, base: P) -> CB::Output {
        let Callback { callback, map_op, cost } = self;
        callback.callback(MappedProducer { base, map_op, cost })
    }
}

struct MappedProducer<'f, P, F, K> {
    base: P,
    map_op: &'f F,
    cost: PhantomData<K>,
}

impl<'f, P, F, R, K> Producer for MappedProducer<'f, P, F, K>
where
    P: Producer,
    F: Fn(P::Item) -> R + Sync,
    R: Send,
    K: Cost,
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
        let MappedProducer { base, map_op, cost } = self;
        let (left, right) = base.split_at(index);
        (MappedProducer { base: left, map_op, cost }, MappedProducer { base: right, map_op, cost })
    }

    #[inline]
    fn fold_with<G: Folder<R>>(self, folder: G) -> G {
        let MappedProducer { base, map_op, cost } = self;
        base.fold_with(MappedFolder { base: folder, map_op, cost }).base
    }
}

/// Passes what a function makes of items on to `base`.
struct MappedFolder<'f, G, F, K> {
    base: G,
    map_op: &'f F,
    cost: PhantomData<K>,
}

impl<T, R, G, F, K> Folder<T> for MappedFolder<'_, G, F, K>
where
    F: Fn(T) -> R,
    G: Folder<R>,
    K: Cost,
{
    type Result = G::Result;

    #[inline]
    fn consume(mut self, item: T) -> Self {
        self.base = self.base.consume(K::call(self.map_op, item));
        self
    }

    #[inline]
    fn consume_iter<It: IntoIterator<Item = T>>(mut self, items: It) -> Self {
        let mapped = items.into_iter().map(|item| K::call(self.map_op, item));
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
