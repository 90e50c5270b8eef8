//! Collecting where nobody knows beforehand how many items there will be: into a vector, or apart into two collections.
//!
//! Rayon makes lists of vectors and copies all of them into one, in a serial run too; its folders move from variable to variable with each
//! item, and extend a vector by the standard iterator's `next`. Here a run that one folder went through is a vector as it
//! is, and the standard iterator of each chunk pushes into it. Where the vectors of a crew are large, as many workers put them
//! together: most of the time goes into pages of memory that are used for the first time.

use std::marker::PhantomData;

use rayon::iter::plumbing::{
    Consumer, Folder, Producer, ProducerCallback, Reducer, UnindexedConsumer,
};
use rayon::iter::{
    IndexedParallelIterator, IntoParallelIterator, ParallelExtend, ParallelIterator,
};

use crate::collection;
use crate::crew::{self, Division};
use crate::machine;
use crate::model::Limits;
use crate::pieces::AtOnce;
use crate::pool::Pool;
use crate::run::{Lengths, Run};

/// What a worker copies at least, in bytes: it takes many times what it takes a hot helper to come.
const SHARE_BYTES: usize = 128 << 10;

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
        if others.is_empty() {
            return all;
        }
        let others = Joined::of(others);
        all.reserve_exact(others.len);
        if others.workers > 1 {
            all.par_extend(others);
        } else {
            others.parts.into_iter().for_each(|mut part| all.append(&mut part));
        }
        all
    }

    fn into_collection<C: Default + ParallelExtend<T>>(self) -> C {
        let mut parts = self.others;
        parts.insert(0, self.first);
        let mut collection = C::default();
        collection.par_extend(Joined::of(parts));
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

/// The items of vectors, one after the other. A consumer is led through those of each vector at once, by as many workers as
/// pay.
struct Joined<T> {
    parts: Vec<Vec<T>>,
    /// How many items there are.
    len: usize,
    workers: usize,
}

impl<T> Joined<T> {
    /// For whoever collects from a call on this thread.
    fn of(parts: Vec<Vec<T>>) -> Self {
        let len = parts.iter().map(Vec::len).sum::<usize>();
        let enough = (len * size_of::<T>() / SHARE_BYTES).min(collection::workers());
        let workers =
            if enough < 2 { 1 } else { machine::limit_by_pool(Limits::cores(enough)).workers };
        Joined { parts, len, workers }
    }
}

impl<T: Send> ParallelIterator for Joined<T> {
    type Item = T;

    fn drive_unindexed<C: UnindexedConsumer<T>>(self, consumer: C) -> C::Result {
        let Joined { mut parts, workers, .. } = self;
        if workers == 1 {
            let folder = consumer.into_folder();
            return parts.into_iter().fold(folder, Folder::consume_iter).complete();
        }
        let Some(last) = parts.pop() else { return consumer.into_folder().complete() };
        let (mut runs, mut reducers) = (Vec::with_capacity(parts.len() + 1), Vec::new());
        let mut rest = consumer;
        for part in parts {
            let (consumer, after, reducer) = rest.split_at(part.len());
            runs.push((part, consumer));
            reducers.push(reducer);
            rest = after;
        }
        runs.push((last, rest));
        let fold = |(part, consumer): (Vec<T>, C)| -> C::Result {
            consumer.into_folder().consume_iter(part).complete()
        };
        let results: Vec<C::Result> =
            OnCrew { items: runs.into_par_iter(), workers }.map(fold).collect();
        let mut results = results.into_iter();
        let first = results.next().expect("there is a last part");
        reducers
            .into_iter()
            .zip(results)
            .fold(first, |left, (reducer, right)| reducer.reduce(left, right))
    }

    fn opt_len(&self) -> Option<usize> {
        Some(self.len)
    }
}

/// Items that a crew of so many workers is led through, one by one.
struct OnCrew<I> {
    items: I,
    workers: usize,
}

impl<I: IndexedParallelIterator> ParallelIterator for OnCrew<I> {
    type Item = I::Item;

    fn drive_unindexed<C: UnindexedConsumer<I::Item>>(self, consumer: C) -> C::Result {
        let OnCrew { items, workers } = self;
        let len = items.len();
        items.with_producer(Divided { consumer, len, workers })
    }

    fn opt_len(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// Carries a consumer into `with_producer`.
struct Divided<C> {
    consumer: C,
    len: usize,
    workers: usize,
}

impl<T, C: Consumer<T>> ProducerCallback<T> for Divided<C> {
    type Output = C::Result;

    fn callback<P: Producer<Item = T>>(self, producer: P) -> C::Result {
        let Divided { consumer, len, workers } = self;
        let producer = AtOnce(producer);
        let division = Division { lengths: Lengths::of(&producer), ..Division::of(workers, 1) };
        let run = Run { producer, consumer, len };
        crew::fold(None, run, division, &Pool::Rayon).0.close()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

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
    fn a_crew_joins_parts_in_their_order_and_each_item_moves_once() {
        let alive = Arc::new(());
        let item = |i: usize| (i, alive.clone());
        for lens in [&[][..], &[3], &[0, 2, 0, 1, 4], &[0, 0, 0], &[1; 100]] {
            let len = lens.iter().sum();
            let mut items = 0..len;
            let mut part = |&len: &usize| items.by_ref().take(len).map(item).collect();
            let parts: Vec<Vec<_>> = lens.iter().map(&mut part).collect();
            let mut all = vec![item(usize::MAX)];
            all.par_extend(Joined { parts, len, workers: 3 });
            assert_eq!(Arc::strong_count(&alive), all.len() + 1);
            assert!(all.iter().skip(1).map(|(i, _)| *i).eq(0..len), "{lens:?}");
        }
        assert_eq!(Arc::strong_count(&alive), 1);
    }

    #[test]
    fn parts_become_collections_that_grow_item_by_item() {
        let parts = || Gather::new().reduce(part(&[3, 1]), part(&[2, 3]));
        assert_eq!(parts().into_collection::<BTreeSet<u8>>(), BTreeSet::from([1, 2, 3]));
        let mut set = BTreeSet::new();
        set.par_extend(Joined { parts: vec![vec![3, 1], vec![2, 3]], len: 4, workers: 2 });
        assert_eq!(set, BTreeSet::from([1, 2, 3]));
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
