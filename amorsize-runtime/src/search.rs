//! Searches for the first item of several: rayon's `find_first` and its like, with closures that the compiler inlines.
//!
//! Rayon asks its consumer after each item whether one further left has been found, by way of memory. Here the standard iterator of each
//! chunk ends where an item with a smaller index was found; rayon's consumer only says which chunks are not worth beginning.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::iter::plumbing::Folder;
use rayon::iter::{IndexedParallelIterator, ParallelIterator};

use crate::stage::{Stage, Staged};
use crate::tuned::{Cost, Tuned};

/// Of each chunk the first item of which `find_op` makes something, unless one further left was found: a stage on items with
/// their indices.
struct First<F> {
    find_op: F,
    /// The smallest index found.
    found: AtomicUsize,
}

impl<T, R, F> Stage<(usize, T)> for First<F>
where
    F: Fn(usize, T) -> Option<R> + Sync + Send,
    R: Send,
{
    type Out = R;

    #[inline]
    fn feed<It, G>(&self, items: It, folder: G) -> G
    where
        It: Iterator<Item = (usize, T)>,
        G: Folder<R>,
    {
        let First { find_op, found } = self;
        let in_front = items.take_while(|(index, _)| *index < found.load(Ordering::Relaxed));
        folder.consume_iter(in_front.filter_map(|(index, item)| {
            let result = find_op(index, item)?;
            found.fetch_min(index, Ordering::Relaxed);
            Some(result)
        }))
    }
}

impl<I: IndexedParallelIterator, K: Cost> Tuned<I, K> {
    /// As rayon's `find_map_first`.
    #[inline]
    pub fn find_map_first<F, R>(self, find_op: F) -> Option<R>
    where
        F: Fn(I::Item) -> Option<R> + Sync + Send,
        R: Send,
    {
        if I::opt_len(&self).is_none() {
            // Perhaps there are more items than indices: rayon does without.
            return self.into_base().find_map_first(find_op);
        }
        self.first(|_, item| find_op(item))
    }

    /// As rayon's `find_first`.
    #[inline]
    pub fn find_first<P>(self, predicate: P) -> Option<I::Item>
    where
        P: Fn(&I::Item) -> bool + Sync + Send,
    {
        self.find_map_first(|item| predicate(&item).then_some(item))
    }

    /// As rayon's `position_first`.
    #[inline]
    pub fn position_first<P>(self, predicate: P) -> Option<usize>
    where
        P: Fn(I::Item) -> bool + Sync + Send,
    {
        self.first(|index, item| predicate(item).then_some(index))
    }

    #[inline]
    fn first<F, R>(self, find_op: F) -> Option<R>
    where
        F: Fn(usize, I::Item) -> Option<R> + Sync + Send,
        R: Send,
    {
        let first = First { find_op, found: AtomicUsize::new(usize::MAX) };
        Staged::new(self.enumerate(), first).find_first(|_| true)
    }
}
