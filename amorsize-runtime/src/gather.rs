//! Collecting into a vector where nobody knows beforehand how many items there will be.
//!
//! Rayon makes a list of vectors and copies all of them into one, in a serial run too; and its folder takes what the stages yield
//! by `Vec::extend`, which asks the standard iterator for one item after the other. Here a run that one folder went through is
//! a vector as it is, and the stages push into it.

use rayon::iter::ParallelIterator;
use rayon::iter::plumbing::{Consumer, Folder, Reducer, UnindexedConsumer};

/// The items in their order.
#[inline]
pub(crate) fn into_vec<I: ParallelIterator>(items: I) -> Vec<I::Item> {
    items.drive_unindexed(Gather).into_vec()
}

/// Vectors one after the other.
struct Parts<T> {
    first: Vec<T>,
    others: Vec<Vec<T>>,
}

impl<T> Parts<T> {
    fn into_vec(self) -> Vec<T> {
        let Parts { first: mut all, others } = self;
        all.reserve_exact(others.iter().map(Vec::len).sum());
        for mut part in others {
            all.append(&mut part);
        }
        all
    }
}

/// Makes parts of any items.
struct Gather;

impl<T: Send> Consumer<T> for Gather {
    type Folder = Part<T>;
    type Reducer = Gather;
    type Result = Parts<T>;

    fn split_at(self, _: usize) -> (Self, Self, Self) {
        (Gather, Gather, Gather)
    }

    #[inline]
    fn into_folder(self) -> Part<T> {
        Part(Vec::new())
    }

    #[inline]
    fn full(&self) -> bool {
        false
    }
}

impl<T: Send> UnindexedConsumer<T> for Gather {
    fn split_off_left(&self) -> Self {
        Gather
    }

    fn to_reducer(&self) -> Self {
        Gather
    }
}

impl<T> Reducer<Parts<T>> for Gather {
    fn reduce(self, mut left: Parts<T>, right: Parts<T>) -> Parts<T> {
        left.others.push(right.first);
        left.others.extend(right.others);
        left
    }
}

/// What one folder gathers.
struct Part<T>(Vec<T>);

impl<T> Folder<T> for Part<T> {
    type Result = Parts<T>;

    #[inline]
    fn consume(mut self, item: T) -> Self {
        self.0.push(item);
        self
    }

    #[inline]
    fn consume_iter<It: IntoIterator<Item = T>>(mut self, items: It) -> Self {
        let items = items.into_iter();
        // Room for what there will be at least is made once, and may be filled by a copy.
        if items.size_hint().0 > 0 {
            self.0.extend(items);
        } else {
            items.for_each(|item| self.0.push(item));
        }
        self
    }

    #[inline]
    fn complete(self) -> Parts<T> {
        Parts { first: self.0, others: Vec::new() }
    }

    #[inline]
    fn full(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(items: &[u8]) -> Parts<u8> {
        Gather.into_folder().consume_iter(items.iter().copied()).complete()
    }

    #[test]
    fn parts_keep_their_order_however_they_are_put_together() {
        let of_left = |[a, b, c]: [Parts<u8>; 3]| Gather.reduce(Gather.reduce(a, b), c);
        let of_right = |[a, b, c]: [Parts<u8>; 3]| Gather.reduce(a, Gather.reduce(b, c));
        for put_together in [of_left, of_right] {
            for items in [[&[1, 2][..], &[3], &[4, 5]], [&[], &[1, 2, 3, 4, 5], &[]]] {
                assert_eq!(put_together(items.map(part)).into_vec(), [1, 2, 3, 4, 5]);
            }
        }
    }

    #[test]
    fn what_one_folder_gathered_is_not_copied() {
        let evens = (0..100_u8).filter(|n| n % 2 == 0);
        let parts = Gather.into_folder().consume(1).consume_iter(evens).complete();
        let at = parts.first.as_ptr();
        let gathered = parts.into_vec();
        assert_eq!((gathered.as_ptr(), gathered.len(), gathered[50]), (at, 51, 98));
    }
}
