//! The memory of a loop's items, as the tracking allocator counts it.
//!
//! What a worker has in use at its peak is its folder, what an item takes and gives back, and what an item leaves behind:
//! its result. The last two are told apart because results pile up however many workers there are, and because
//! what they pile up in (a vector that doubles) is no item's. So the largest of the one is taken, and the mean of
//! the other.

use std::sync::{Mutex, PoisonError};

use rayon::iter::plumbing::{Folder, Producer};

use crate::allocator::{Window, live};
use crate::pieces::{Pieces, fold_all};

/// What serial items took, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// What a folder, and whatever else a run of items begins with, took before the first item.
    folder: Option<i64>,
    /// The most that was taken and given back again.
    passing: i64,
    /// What was left behind, in all.
    left: i64,
    items: i64,
}

impl Taken {
    /// Adds a window in which so many items were processed.
    pub(super) fn add(&mut self, window: &Window, items: usize) {
        let growth = window.growth();
        self.passing = self.passing.max(growth.peak - growth.end.max(0));
        self.left += growth.end;
        self.items += items as i64;
    }

    pub(super) fn add_all(&mut self, other: Taken) {
        self.folder = self.folder.max(other.folder);
        self.passing = self.passing.max(other.passing);
        self.left += other.left;
        self.items += other.items;
    }

    /// What a worker has in use at its peak; `None` before the first item.
    pub(super) fn task_bytes(&self) -> Option<u64> {
        let left = self.left.checked_div(self.items)?.max(0);
        u64::try_from(self.folder.unwrap_or(0).max(0) + self.passing + left).ok()
    }
}

/// What a run of items took, each looked at by itself.
pub(super) struct Watch {
    /// The bytes in use before the folder was made.
    start: i64,
    taken: Mutex<Taken>,
}

impl Watch {
    pub(super) fn start() -> Self {
        Watch { start: live(), taken: Mutex::default() }
    }

    pub(super) fn end(self) -> Taken {
        self.taken.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Items that are watched. All of them run on one thread: the one that made the watch.
pub(super) struct Watched<'w, P> {
    pub(super) producer: P,
    pub(super) watch: &'w Watch,
}

impl<P: Pieces> Pieces for Watched<'_, P> {
    fn fold_piece<F: Folder<Self::Item>>(self, folder: F) -> F {
        fold_all(self, folder)
    }
}

impl<'w, P: Producer> Producer for Watched<'w, P> {
    type Item = P::Item;
    type IntoIter = WatchedIter<'w, P::IntoIter>;

    fn into_iter(self) -> Self::IntoIter {
        let Watched { producer, watch } = self;
        let iter = producer.into_iter();
        let mut taken = watch.taken.lock().unwrap_or_else(PoisonError::into_inner);
        // Later pieces find results of earlier ones in use.
        taken.folder.get_or_insert(live() - watch.start);
        WatchedIter { iter, watch, item: None, taken: Taken::default() }
    }

    fn min_len(&self) -> usize {
        self.producer.min_len()
    }

    fn max_len(&self) -> usize {
        self.producer.max_len()
    }

    fn split_at(self, index: usize) -> (Self, Self) {
        let Watched { producer, watch } = self;
        let (left, right) = producer.split_at(index);
        (Watched { producer: left, watch }, Watched { producer: right, watch })
    }
}

/// Everything from asking for an item until the next one is asked for is that item's: where a stage makes the items,
/// asking is the work.
pub(super) struct WatchedIter<'w, I> {
    iter: I,
    watch: &'w Watch,
    item: Option<Window>,
    taken: Taken,
}

impl<I> WatchedIter<'_, I> {
    fn end_item(&mut self, items: usize) {
        if let Some(window) = self.item.take() {
            self.taken.add(&window, items);
        }
    }

    fn ask<T>(&mut self, ask: impl FnOnce(&mut I) -> Option<T>) -> Option<T> {
        self.end_item(1);
        self.item = Some(Window::open());
        let item = ask(&mut self.iter);
        if item.is_none() {
            // A stage may have been at work in vain.
            self.end_item(0);
        }
        item
    }
}

impl<I: Iterator> Iterator for WatchedIter<'_, I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.ask(I::next)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.iter.size_hint()
    }
}

impl<I: DoubleEndedIterator> DoubleEndedIterator for WatchedIter<'_, I> {
    fn next_back(&mut self) -> Option<I::Item> {
        self.ask(I::next_back)
    }
}

impl<I: ExactSizeIterator> ExactSizeIterator for WatchedIter<'_, I> {
    fn len(&self) -> usize {
        self.iter.len()
    }
}

impl<I> Drop for WatchedIter<'_, I> {
    fn drop(&mut self) {
        // The folder wanted no more, or an item panicked.
        self.end_item(1);
        self.watch.taken.lock().unwrap_or_else(PoisonError::into_inner).add_all(self.taken);
    }
}
