//! Collecting where nobody knows beforehand how many items there will be: into a vector, or apart into two collections.
//!
//! Rayon makes lists of vectors and copies all of them into one, in a serial run too; its folders move from variable to variable with each
//! item, and extend a vector by the standard iterator's `next`. Here a run that one folder went through is a vector as it
//! is, and the standard iterator of each chunk pushes into it.

use std::marker::PhantomData;

use rayon::iter::plumbing::{Consumer, Folder, Reducer, UnindexedConsumer};
use rayon::iter::{ParallelExtend, ParallelIterator};

/// All items, in their order.
#[inline]
pub(crate) fn into_vec<I: ParallelIterator>(items: I) -> Vec<I::Item> {
    let parts: Parts<I::Item> = items.drive_unindexed(Gather::new());
    parts.into_vec()
}

/// The items that are `Ok`, and those that are not.
#[inline]
pub(crate) fn partition<I, A, B, FromA, FromB>(items: I) -> (FromA, FromB)
where
    I: ParallelIterator<Item = Result<A, B>>,
    A: Send,
    B: Send,
    FromA: Default + ParallelExtend<A>,
    FromB: Default + ParallelExtend<B>,
{
    let Two(ok, not): Two<A, B> = items.drive_unindexed(Gather::new());
    (ok.into_collection(), not.into_collection())
}

/// The first components of all items, and the second ones.
#[inline]
pub(crate) fn unzip<I, A, B, FromA, FromB>(items: I) -> (FromA, FromB)
where
    I: ParallelIterator<Item = (A, B)>,
    A: Send,
    B: Send,
    FromA: Default + ParallelExtend<A>,
    FromB: Default + ParallelExtend<B>,
{
    let Two(first, second): Two<A, B> = items.drive_unindexed(Gather::new());
    (first.into_collection(), second.into_collection())
}

/// Where one folder puts its items.
trait Place: Default + Send {
    /// What was put there after those here.
    fn append(&mut self, after: Self);
}

/// Where it puts items of type `T`.
trait PlaceFor<T>: Place {
    fn extend(&mut self, items: impl Iterator<Item = T>);
}

/// Vectors one after the other.
struct Parts<T> {
    first: Vec<T>,
    others: Vec<Vec<T>>,
}

impl<T: Send> Parts<T> {
    fn into_vec(self) -> Vec<T> {
        let Parts { first: mut all, others } = self;
        all.reserve_exact(others.iter().map(Vec::len).sum());
        for mut part in others {
            all.append(&mut part);
        }
        all
    }

    fn into_collection<C: Default + ParallelExtend<T>>(self) -> C {
        let mut collection = C::default();
        collection.par_extend(OnCaller(self.into_vec()));
        collection
    }
}

impl<T> Default for Parts<T> {
    #[inline]
    fn default() -> Self {
        Parts { first: Vec::new(), others: Vec::new() }
    }
}

impl<T: Send> Place for Parts<T> {
    fn append(&mut self, after: Self) {
        self.others.push(after.first);
        self.others.extend(after.others);
    }
}

impl<T: Send> PlaceFor<T> for Parts<T> {
    #[inline]
    fn extend(&mut self, items: impl Iterator<Item = T>) {
        self.first.reserve(items.size_hint().0);
        items.for_each(|item| self.first.push(item));
    }
}

struct Two<A, B>(Parts<A>, Parts<B>);

impl<A, B> Default for Two<A, B> {
    #[inline]
    fn default() -> Self {
        Two(Parts::default(), Parts::default())
    }
}

impl<A: Send, B: Send> Place for Two<A, B> {
    fn append(&mut self, after: Self) {
        self.0.append(after.0);
        self.1.append(after.1);
    }
}

impl<A: Send, B: Send> PlaceFor<Result<A, B>> for Two<A, B> {
    #[inline]
    fn extend(&mut self, items: impl Iterator<Item = Result<A, B>>) {
        items.for_each(|item| match item {
            Ok(a) => self.0.first.push(a),
            Err(b) => self.1.first.push(b),
        });
    }
}

impl<A: Send, B: Send> PlaceFor<(A, B)> for Two<A, B> {
    #[inline]
    fn extend(&mut self, items: impl Iterator<Item = (A, B)>) {
        items.for_each(|(a, b)| {
            self.0.first.push(a);
            self.1.first.push(b);
        });
    }
}

/// Gathers items in places.
struct Gather<P>(PhantomData<fn() -> P>);

impl<P> Gather<P> {
    fn new() -> Self {
        Gather(PhantomData)
    }
}

impl<T, P: PlaceFor<T>> Consumer<T> for Gather<P> {
    type Folder = InPlace<P>;
    type Reducer = Self;
    type Result = P;

    fn split_at(self, _: usize) -> (Self, Self, Self) {
        (Gather::new(), Gather::new(), self)
    }

    #[inline]
    fn into_folder(self) -> InPlace<P> {
        InPlace(P::default())
    }

    #[inline]
    fn full(&self) -> bool {
        false
    }
}

impl<T, P: PlaceFor<T>> UnindexedConsumer<T> for Gather<P> {
    fn split_off_left(&self) -> Self {
        Gather::new()
    }

    fn to_reducer(&self) -> Self {
        Gather::new()
    }
}

impl<P: Place> Reducer<P> for Gather<P> {
    fn reduce(self, mut left: P, right: P) -> P {
        left.append(right);
        left
    }
}

/// Puts its items into a place.
struct InPlace<P>(P);

impl<T, P: PlaceFor<T>> Folder<T> for InPlace<P> {
    type Result = P;

    fn consume(self, item: T) -> Self {
        self.consume_iter([item])
    }

    #[inline]
    fn consume_iter<It: IntoIterator<Item = T>>(mut self, items: It) -> Self {
        self.0.extend(items.into_iter());
        self
    }

    #[inline]
    fn complete(self) -> P {
        self.0
    }

    #[inline]
    fn full(&self) -> bool {
        false
    }
}

/// Items that whoever consumes them is led through on its own thread: they are only copied.
struct OnCaller<T>(Vec<T>);

impl<T: Send> ParallelIterator for OnCaller<T> {
    type Item = T;

    fn drive_unindexed<C: UnindexedConsumer<T>>(self, consumer: C) -> C::Result {
        consumer.into_folder().consume_iter(self.0).complete()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(items: &[u8]) -> Parts<u8> {
        Gather::new().into_folder().consume_iter(items.iter().copied()).complete()
    }

    #[test]
    fn parts_keep_their_order_however_they_are_put_together() {
        let of_left =
            |[a, b, c]: [Parts<u8>; 3]| Gather::new().reduce(Gather::new().reduce(a, b), c);
        let of_right =
            |[a, b, c]: [Parts<u8>; 3]| Gather::new().reduce(a, Gather::new().reduce(b, c));
        for put_together in [of_left, of_right] {
            for items in [[&[1, 2][..], &[3], &[4, 5]], [&[], &[1, 2, 3, 4, 5], &[]]] {
                assert_eq!(put_together(items.map(part)).into_vec(), [1, 2, 3, 4, 5]);
            }
        }
    }

    #[test]
    fn what_one_folder_gathered_is_not_copied() {
        let evens = (0..100_u8).filter(|n| n % 2 == 0);
        let parts: Parts<u8> =
            Gather::new().into_folder().consume(1).consume_iter(evens).complete();
        let at = parts.first.as_ptr();
        let gathered = parts.into_vec();
        assert_eq!((gathered.as_ptr(), gathered.len(), gathered[50]), (at, 51, 98));
    }
}
