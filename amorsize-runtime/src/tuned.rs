//! [`Tuned`]: a parallel iterator that runs by the plan of a loop.
//!
//! Rayon's producer-style adaptors (`enumerate`, `zip`, `map`, …) drive themselves with rayon's own
//! bridge when they are outermost. So [`Tuned`] stays outermost: it has inherent methods of the
//! same names that wrap the adaptor around its base and itself around the adaptor, and Rust prefers
//! inherent methods over a trait's. A run of such a chain is `producer.fold_with(folder)`, which leads
//! the folder through an iterator of the standard library's (`slice::Iter`, `Enumerate`, `Map`, …), so
//! that serial code is real serial code. `map` is an adaptor of our own, see `mapped.rs`.

use std::cmp::Ordering;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{self, AtomicBool};

use rayon::iter::plumbing::{Consumer, ProducerCallback, UnindexedConsumer};
use rayon::iter::{
    Chain, Chunks, Cloned, Copied, Enumerate, FoldChunks, FoldChunksWith, FromParallelIterator,
    IndexedParallelIterator, Inspect, Interleave, InterleaveShortest, IntoParallelIterator,
    MapInit, MapWith, MaxLen, MinLen, PanicFuse, ParallelExtend, ParallelIterator, Rev, Skip,
    StepBy, Take, Update, Zip, ZipEq,
};

use rayon::slice::{ChunksExactMut, RChunksExactMut};

use crate::chained::Chained;
use crate::collection;
use crate::drive::{self, Call, InSteps};
use crate::folded::{Folded, FoldedWith};
use crate::loops::Loop;
use crate::mapped::Mapped;
use crate::operand::{NoIndex, Unindexed};
use crate::run::Uncounted;
use crate::stage::{self, Staged};

/// A parallel iterator over `I`'s items that runs by the plan of a loop.
///
/// Made by `#[amorsize::tune]` or by [`Tune::tuned`]. It has all the methods of rayon's
/// [`ParallelIterator`] and [`IndexedParallelIterator`], which must be in scope as usual.
#[derive(Clone, Debug)]
#[must_use = "parallel iterators do nothing until they are consumed"]
pub struct Tuned<I, K = PerItem> {
    base: I,
    target: &'static Loop,
    /// Units of work per item.
    cost: K,
    length_told: Flag,
}

/// Whether somebody has asked for the number of items. Only then may rayon pass a consumer that counts on it to
/// `drive_unindexed`: see its `ParallelIterator::opt_len`.
#[derive(Debug, Default)]
struct Flag(AtomicBool);

impl Flag {
    #[inline]
    fn get(&self) -> bool {
        self.0.load(atomic::Ordering::Relaxed)
    }

    #[inline]
    fn set(&self) {
        self.0.store(true, atomic::Ordering::Relaxed);
    }
}

impl Clone for Flag {
    fn clone(&self) -> Self {
        Flag(AtomicBool::new(self.get()))
    }
}

/// How many units of work an item is.
pub trait Cost: Copy + Send + Sync {
    #[doc(hidden)]
    fn per_item(self) -> f64;

    /// Calls the function of a `map` or `for_each`.
    #[doc(hidden)]
    #[inline]
    fn call<T, R>(map_op: &impl Fn(T) -> R, item: T) -> R {
        map_op(item)
    }
}

/// One: what is measured is the time of an item. Takes no room and no time.
#[derive(Clone, Copy, Debug)]
pub struct PerItem;

impl Cost for PerItem {
    #[inline]
    fn per_item(self) -> f64 {
        1.0
    }
}

/// As the option `cost` says; what is no positive number counts as 1.
impl Cost for f64 {
    #[inline]
    fn per_item(self) -> f64 {
        if self > 0.0 && self.is_finite() { self } else { 1.0 }
    }

    /// Apart from the loop over items. An item of many units of work is a loop of its own, as a rule over a slice that it alone
    /// may write to. The compiler knows that of a function's arguments, not of what it has taken from an iterator.
    #[inline(never)]
    fn call<T, R>(map_op: &impl Fn(T) -> R, item: T) -> R {
        map_op(item)
    }
}

/// `.tuned(&LOOP)`: tunes a parallel iterator by hand.
///
/// For what rayon can index; ranges of `u64`, for example, become tuned loops only under the
/// attribute.
pub trait Tune: IndexedParallelIterator {
    /// Runs this iterator by the plan of `target`.
    fn tuned(self, target: &'static Loop) -> Tuned<Self> {
        Tuned::new(self, target, PerItem)
    }
}

impl<I: IndexedParallelIterator> Tune for I {}

impl<I: IndexedParallelIterator, K: Cost> Tuned<I, K> {
    #[inline]
    pub(crate) fn new(base: I, target: &'static Loop, cost: K) -> Self {
        Tuned { base, target: target.for_items::<I::Item>(), cost, length_told: Flag::default() }
    }

    pub(crate) fn target(&self) -> &'static Loop {
        self.target
    }

    pub(crate) fn into_base(self) -> I {
        self.base
    }

    /// A call in which the number of results does not matter.
    #[inline]
    fn call<C>(&self, consumer: C, open_ended: bool) -> Call<C, K> {
        // Some that can be indexed do not tell otherwise.
        let told = self.base.opt_len();
        let len = told.unwrap_or_else(|| self.base.len());
        Call {
            consumer,
            open_ended,
            len,
            overlong: told.is_none() && len == usize::MAX,
            target: self.target,
            cost: self.cost,
        }
    }

    /// Runs with a consumer that may be full before it sees an item.
    #[inline]
    pub(crate) fn run_in_steps<C: Consumer<I::Item>>(self, consumer: C) -> C::Result {
        let call = self.call(consumer, true);
        self.base.with_producer(InSteps(call))
    }
}

impl<I: IndexedParallelIterator, K: Cost> ParallelIterator for Tuned<I, K> {
    type Item = I::Item;

    #[inline]
    fn drive_unindexed<C: UnindexedConsumer<I::Item>>(self, consumer: C) -> C::Result {
        let exact = self.length_told.get();
        let call = self.call(Uncounted { base: consumer, exact }, !exact);
        self.base.with_producer(call)
    }

    fn opt_len(&self) -> Option<usize> {
        self.length_told.set();
        self.base.opt_len()
    }
}

impl<I: IndexedParallelIterator, K: Cost> IndexedParallelIterator for Tuned<I, K> {
    fn len(&self) -> usize {
        self.length_told.set();
        self.base.len()
    }

    #[inline]
    fn drive<C: Consumer<I::Item>>(self, consumer: C) -> C::Result {
        let call = Call { len: self.base.len(), ..self.call(consumer, false) };
        self.base.with_producer(call)
    }

    /// Reached when generic code hides the methods below and wraps an adaptor of rayon around us:
    /// rayon then runs the loop, in pieces no smaller than the plan's chunk.
    fn with_producer<CB: ProducerCallback<I::Item>>(self, callback: CB) -> CB::Output {
        #[cfg(feature = "record")]
        crate::record::note_untuned(self.target);
        match drive::smallest_piece(self.target, self.base.len(), self.cost.per_item()) {
            None => self.base.with_producer(callback),
            Some(piece) => self.base.with_min_len(piece).with_producer(callback),
        }
    }

    // The trait's own versions of what follows put an adaptor of rayon's around us.

    fn cmp<O>(self, other: O) -> Ordering
    where
        O: IntoParallelIterator<Item = I::Item, Iter: IndexedParallelIterator>,
        I::Item: Ord,
    {
        let other = other.into_par_iter();
        let lengths = self.len().cmp(&other.len());
        let first_difference =
            self.zip(other).map(|(a, b)| a.cmp(&b)).find_first(|ordering| ordering.is_ne());
        first_difference.unwrap_or(lengths)
    }

    fn partial_cmp<O>(self, other: O) -> Option<Ordering>
    where
        O: IntoParallelIterator<Iter: IndexedParallelIterator>,
        I::Item: PartialOrd<O::Item>,
    {
        let other = other.into_par_iter();
        let lengths = self.len().cmp(&other.len());
        let first_difference = self
            .zip(other)
            .map(|(a, b)| a.partial_cmp(&b))
            .find_first(|ordering| *ordering != Some(Ordering::Equal));
        first_difference.unwrap_or(Some(lengths))
    }

    fn eq<O>(self, other: O) -> bool
    where
        O: IntoParallelIterator<Iter: IndexedParallelIterator>,
        I::Item: PartialEq<O::Item>,
    {
        let other = other.into_par_iter();
        self.len() == other.len() && self.zip(other).all(|(a, b)| a == b)
    }

    fn position_any<P>(self, predicate: P) -> Option<usize>
    where
        P: Fn(I::Item) -> bool + Sync + Send,
    {
        let found = self.map(predicate).enumerate().find_any(|&(_, is_it)| is_it);
        found.map(|(index, _)| index)
    }

    fn position_first<P>(self, predicate: P) -> Option<usize>
    where
        P: Fn(I::Item) -> bool + Sync + Send,
    {
        Tuned::position_first(self, predicate)
    }

    fn position_last<P>(self, predicate: P) -> Option<usize>
    where
        P: Fn(I::Item) -> bool + Sync + Send,
    {
        let found = self.map(predicate).enumerate().find_last(|&(_, is_it)| is_it);
        found.map(|(index, _)| index)
    }
}

/// Defines methods that wrap one of rayon's adaptors around the base.
macro_rules! rewrap {
    ($($(#[$doc:meta])* $name:ident [$($generics:tt)*] ($($arg:ident: $type:ty),*) -> $adaptor:ty
        where { $($bounds:tt)* };)*) => {
        $(
            #[doc = concat!("As rayon's `", stringify!($name), "`; stays tuned.")]
            #[inline]
            #[track_caller]
            pub fn $name<$($generics)*>(self $(, $arg: $type)*) -> Tuned<$adaptor, K>
            where
                $($bounds)*
            {
                let Tuned { base, target, cost, .. } = self;
                Tuned { base: base.$name($($arg),*), target, cost, length_told: Flag::default() }
            }
        )*
    };
}

impl<I: IndexedParallelIterator, K: Cost> Tuned<I, K> {
    rewrap! {
        map_with [F, T, R] (init: T, map_op: F) -> MapWith<I, T, F> where {
            F: Fn(&mut T, I::Item) -> R + Sync + Send, T: Send + Clone, R: Send
        };
        map_init [F, INIT, T, R] (init: INIT, map_op: F) -> MapInit<I, INIT, F> where {
            F: Fn(&mut T, I::Item) -> R + Sync + Send, INIT: Fn() -> T + Sync + Send, R: Send
        };
        inspect [OP] (inspect_op: OP) -> Inspect<I, OP> where { OP: Fn(&I::Item) + Sync + Send };
        update [F] (update_op: F) -> Update<I, F> where { F: Fn(&mut I::Item) + Sync + Send };
        enumerate [] () -> Enumerate<I> where {};
        rev [] () -> Rev<I> where {};
        skip [] (n: usize) -> Skip<I> where {};
        take [] (n: usize) -> Take<I> where {};
        step_by [] (step: usize) -> StepBy<I> where {};
        chunks [] (chunk_size: usize) -> Chunks<I> where {};
        fold_chunks [T, ID, F] (chunk_size: usize, identity: ID, fold_op: F)
            -> FoldChunks<I, ID, F>
            where {
                ID: Fn() -> T + Send + Sync, F: Fn(T, I::Item) -> T + Send + Sync, T: Send
            };
        fold_chunks_with [T, F] (chunk_size: usize, init: T, fold_op: F) -> FoldChunksWith<I, T, F>
            where { T: Send + Clone, F: Fn(T, I::Item) -> T + Send + Sync };
        with_min_len [] (min: usize) -> MinLen<I> where {};
        with_max_len [] (max: usize) -> MaxLen<I> where {};
        panic_fuse [] () -> PanicFuse<I> where {};
        zip [Z] (zip_op: Z) -> Zip<I, Z::Iter> where {
            Z: IntoParallelIterator<Iter: IndexedParallelIterator>
        };
        zip_eq [Z] (zip_op: Z) -> ZipEq<I, Z::Iter> where {
            Z: IntoParallelIterator<Iter: IndexedParallelIterator>
        };
        interleave [X] (other: X) -> Interleave<I, X::Iter> where {
            X: IntoParallelIterator<Item = I::Item, Iter: IndexedParallelIterator>
        };
        interleave_shortest [X] (other: X) -> InterleaveShortest<I, X::Iter> where {
            X: IntoParallelIterator<Item = I::Item, Iter: IndexedParallelIterator>
        };
    }

    /// As rayon's `map`; stays tuned.
    #[inline]
    pub fn map<F, R>(self, map_op: F) -> Tuned<Mapped<I, F, K>, K>
    where
        F: Fn(I::Item) -> R + Sync + Send,
        R: Send,
    {
        let Tuned { base, target, cost, .. } = self;
        Tuned { base: Mapped::new(base, map_op), target, cost, length_told: Flag::default() }
    }

    /// As rayon's `for_each`.
    #[inline]
    pub fn for_each<OP>(self, op: OP)
    where
        OP: Fn(I::Item) + Sync + Send,
    {
        FromParallelIterator::from_par_iter(self.map(op))
    }

    /// As rayon's `fold`.
    #[inline]
    pub fn fold<U, ID, F>(self, identity: ID, fold_op: F) -> Folded<Self, ID, F>
    where
        ID: Fn() -> U + Sync + Send,
        F: Fn(U, I::Item) -> U + Sync + Send,
        U: Send,
    {
        Folded::new(self, identity, fold_op)
    }

    /// As rayon's `fold_with`.
    #[inline]
    pub fn fold_with<F, U>(self, init: U, fold_op: F) -> FoldedWith<Self, U, F>
    where
        F: Fn(U, I::Item) -> U + Sync + Send,
        U: Send + Clone,
    {
        FoldedWith::new(self, init, fold_op)
    }

    /// As rayon's `collect`. What is done with the parts once all items are done counts as part of the call.
    #[inline]
    pub fn collect<C: FromParallelIterator<I::Item>>(self) -> C {
        collection::collect(self.target, || C::from_par_iter(self))
    }

    /// As rayon's `partition`.
    #[inline]
    pub fn partition<A, B, P>(self, predicate: P) -> (A, B)
    where
        A: Default + Send + ParallelExtend<I::Item>,
        B: Default + Send + ParallelExtend<I::Item>,
        P: Fn(&I::Item) -> bool + Sync + Send,
    {
        Staged::new(self, stage::Same).partition(predicate)
    }

    /// As rayon's `chain`; stays tuned if `other` can be indexed.
    #[inline]
    pub fn chain<C: ChainTo<I, K>>(self, other: C) -> C::Chained {
        other.chain_to(self)
    }

    /// As rayon's `filter`; runs as the standard library's `filter` over each chunk.
    #[inline]
    pub fn filter<P>(self, filter_op: P) -> Staged<I, stage::Filter<P>, K>
    where
        P: Fn(&I::Item) -> bool + Sync + Send,
    {
        Staged::new(self, stage::Filter(filter_op))
    }

    /// As rayon's `filter_map`; runs as the standard library's `filter_map` over each chunk.
    #[inline]
    pub fn filter_map<P, R>(self, filter_op: P) -> Staged<I, stage::FilterMap<P>, K>
    where
        P: Fn(I::Item) -> Option<R> + Sync + Send,
        R: Send,
    {
        Staged::new(self, stage::FilterMap(filter_op))
    }

    /// As rayon's `flat_map_iter`; runs as the standard library's `flat_map` over each chunk.
    #[inline]
    pub fn flat_map_iter<F, S>(self, map_op: F) -> Staged<I, stage::FlatMapIter<F>, K>
    where
        F: Fn(I::Item) -> S + Sync + Send,
        S: IntoIterator<Item: Send>,
    {
        Staged::new(self, stage::FlatMapIter(map_op))
    }

    /// As rayon's `flatten_iter`; runs as the standard library's `flatten` over each chunk.
    #[inline]
    pub fn flatten_iter(self) -> Staged<I, stage::FlattenIter, K>
    where
        I::Item: IntoIterator<Item: Send>,
    {
        Staged::new(self, stage::FlattenIter)
    }
}

impl<I, K: Cost> Tuned<I, K> {
    rewrap! {
        cloned ['a, T] () -> Cloned<I> where {
            T: 'a + Clone + Send + Sync, I: IndexedParallelIterator<Item = &'a T>
        };
        copied ['a, T] () -> Copied<I> where {
            T: 'a + Copy + Send + Sync, I: IndexedParallelIterator<Item = &'a T>
        };
    }
}

/// What a tuned iterator over `I` can be chained with.
pub trait ChainTo<I: IndexedParallelIterator, K> {
    /// The iterator over the items of both.
    type Chained: ParallelIterator<Item = I::Item>;

    #[doc(hidden)]
    fn chain_to(self, first: Tuned<I, K>) -> Self::Chained;
}

impl<I, K, C> ChainTo<I, K> for C
where
    I: IndexedParallelIterator,
    K: Cost,
    C: IntoParallelIterator<Item = I::Item, Iter: IndexedParallelIterator>,
{
    type Chained = Tuned<Chained<I, C::Iter>, K>;

    #[inline]
    fn chain_to(self, first: Tuned<I, K>) -> Self::Chained {
        let Tuned { base, target, cost, .. } = first;
        let base = Chained::new(base, self.into_par_iter());
        Tuned { base, target, cost, length_told: Flag::default() }
    }
}

/// The second half of a chain that cannot be indexed: the first half is tuned, this one is not.
impl<I, K, C> ChainTo<I, K> for Unindexed<C>
where
    I: IndexedParallelIterator,
    K: Cost,
    C: IntoParallelIterator<Item = I::Item>,
{
    type Chained = Chain<Tuned<I, K>, NoIndex<C::Iter>>;

    #[inline]
    fn chain_to(self, first: Tuned<I, K>) -> Self::Chained {
        ParallelIterator::chain(first, self)
    }
}

impl<'a, T, K> Tuned<ChunksExactMut<'a, T>, K>
where
    T: Send,
{
    /// As rayon's.
    pub fn into_remainder(self) -> &'a mut [T] {
        self.base.into_remainder()
    }
}

impl<'a, T, K> Tuned<RChunksExactMut<'a, T>, K>
where
    T: Send,
{
    /// As rayon's.
    pub fn into_remainder(self) -> &'a mut [T] {
        self.base.into_remainder()
    }
}

/// For methods of the iterator itself, such as `remainder` of `par_chunks_exact`.
impl<I, K> Deref for Tuned<I, K> {
    type Target = I;

    fn deref(&self) -> &I {
        &self.base
    }
}

impl<I, K> DerefMut for Tuned<I, K> {
    fn deref_mut(&mut self) -> &mut I {
        &mut self.base
    }
}
