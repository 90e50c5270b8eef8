//! [`Chained`]: rayon's `chain`, which tells how many items it has even if a `usize` cannot count them.

use rayon::iter::plumbing::{Consumer, ProducerCallback, UnindexedConsumer};
use rayon::iter::{IndexedParallelIterator, ParallelIterator};

/// The items of one iterator, and then those of another.
#[derive(Clone, Debug)]
#[must_use = "parallel iterators do nothing until they are consumed"]
pub struct Chained<A, B> {
    first: A,
    second: B,
}

impl<A, B> Chained<A, B> {
    pub(crate) fn new(first: A, second: B) -> Self {
        Chained { first, second }
    }
}

impl<A, B> ParallelIterator for Chained<A, B>
where
    A: IndexedParallelIterator,
    B: IndexedParallelIterator<Item = A::Item>,
{
    type Item = A::Item;

    fn drive_unindexed<C: UnindexedConsumer<A::Item>>(self, consumer: C) -> C::Result {
        self.first.chain(self.second).drive_unindexed(consumer)
    }

    fn opt_len(&self) -> Option<usize> {
        self.first.opt_len()?.checked_add(self.second.opt_len()?)
    }
}

impl<A, B> IndexedParallelIterator for Chained<A, B>
where
    A: IndexedParallelIterator,
    B: IndexedParallelIterator<Item = A::Item>,
{
    /// Of more than a `usize` can count, as many as it can: rayon's panics.
    fn len(&self) -> usize {
        self.first.len().saturating_add(self.second.len())
    }

    fn drive<C: Consumer<A::Item>>(self, consumer: C) -> C::Result {
        self.first.chain(self.second).drive(consumer)
    }

    #[inline]
    fn with_producer<CB: ProducerCallback<A::Item>>(self, callback: CB) -> CB::Output {
        self.first.chain(self.second).with_producer(callback)
    }
}
