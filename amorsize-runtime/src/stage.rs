//! [`Staged`]: adaptors that change the number of items, as stages on the standard iterator of each
//! chunk.
//!
//! Rayon runs `filter` and its like through one folder per adaptor, item by item. Here they are
//! applied to the chunk's iterator as a whole: a chunk is
//! `folder.consume_iter(producer.into_iter().filter(p).map(f))`, which is what the compiler sees of a
//! plain loop. No type of such an iterator is named, so that its closures can be those that `mapped.rs`
//! speaks of. A consumer that is full stops a chunk at the next item that passes all stages.

use std::fmt;

use rayon::iter::plumbing::{Consumer, Folder, UnindexedConsumer};
use rayon::iter::{
    FromParallelIterator, IndexedParallelIterator, ParallelExtend, ParallelIterator,
};

use crate::folded::{Folded, FoldedWith};
use crate::tuned::{Cost, PerItem, Tuned};
use crate::{collection, gather};

/// A transformation of the standard iterator over a chunk.
pub trait Stage<T>: Send + Sync {
    /// What it yields.
    type Out: Send;

    /// Leads the folder through what the stage makes of the items of one chunk.
    fn feed<It, F>(&self, items: It, folder: F) -> F
    where
        It: Iterator<Item = T>,
        F: Folder<Self::Out>;

    /// Whether it lets nothing pass any more.
    #[inline]
    fn is_over(&self) -> bool {
        false
    }
}

/// A tuned parallel iterator followed by stages.
#[derive(Clone, Debug)]
#[must_use = "parallel iterators do nothing until they are consumed"]
pub struct Staged<I, S, K = PerItem> {
    base: Tuned<I, K>,
    stage: S,
}

impl<I, S, K> Staged<I, S, K> {
    pub(crate) fn new(base: Tuned<I, K>, stage: S) -> Self {
        Staged { base, stage }
    }

    pub(crate) fn then<N>(self, next: N) -> Staged<I, Then<S, N>, K> {
        Staged { base: self.base, stage: Then(self.stage, next) }
    }
}

impl<I, S, K> ParallelIterator for Staged<I, S, K>
where
    I: IndexedParallelIterator,
    K: Cost,
    S: Stage<I::Item>,
{
    type Item = S::Out;

    #[inline]
    fn drive_unindexed<C: UnindexedConsumer<S::Out>>(self, consumer: C) -> C::Result {
        self.base.run_in_steps(StagedConsumer { base: consumer, stage: &self.stage })
    }
}

/// Defines the methods that add a stage.
macro_rules! stages {
    ($($name:ident [$($generics:tt)*] $stage:ident ($arg:ident: $type:ty) where { $($bounds:tt)* };)*) => {
        $(
            #[doc = concat!("As rayon's `", stringify!($name), "`; one more stage over each chunk.")]
            #[inline]
            pub fn $name<$($generics)*>(self, $arg: $type) -> Staged<I, Then<S, $stage<$type>>, K>
            where
                $($bounds)*
            {
                self.then($stage($arg))
            }
        )*
    };
}

impl<I, S, K> Staged<I, S, K>
where
    I: IndexedParallelIterator,
    K: Cost,
    S: Stage<I::Item>,
{
    stages! {
        map [F, R] Map (map_op: F) where { F: Fn(S::Out) -> R + Sync + Send, R: Send };
        filter [P] Filter (filter_op: P) where { P: Fn(&S::Out) -> bool + Sync + Send };
        filter_map [P, R] FilterMap (filter_op: P) where {
            P: Fn(S::Out) -> Option<R> + Sync + Send, R: Send
        };
        flat_map_iter [F, U] FlatMapIter (map_op: F) where {
            F: Fn(S::Out) -> U + Sync + Send, U: IntoIterator<Item: Send>
        };
        inspect [OP] Inspect (inspect_op: OP) where { OP: Fn(&S::Out) + Sync + Send };
        update [F] Update (update_op: F) where { F: Fn(&mut S::Out) + Sync + Send };
    }

    /// As rayon's `for_each`.
    #[inline]
    pub fn for_each<OP>(self, op: OP)
    where
        OP: Fn(S::Out) + Sync + Send,
    {
        FromParallelIterator::from_par_iter(self.map(op))
    }

    /// As rayon's `fold`.
    #[inline]
    pub fn fold<U, ID, F>(self, identity: ID, fold_op: F) -> Folded<Self, ID, F>
    where
        ID: Fn() -> U + Sync + Send,
        F: Fn(U, S::Out) -> U + Sync + Send,
        U: Send,
    {
        Folded::new(self, identity, fold_op)
    }

    /// As rayon's `fold_with`.
    #[inline]
    pub fn fold_with<F, U>(self, init: U, fold_op: F) -> FoldedWith<Self, U, F>
    where
        F: Fn(U, S::Out) -> U + Sync + Send,
        U: Send + Clone,
    {
        FoldedWith::new(self, init, fold_op)
    }

    /// As rayon's `collect`. What is done with the parts once all items are done counts as part of the call.
    #[inline]
    pub fn collect<C: FromParallelIterator<S::Out>>(self) -> C {
        collection::collect(self.base.target(), || C::from_par_iter(self))
    }

    /// As [`collect`](Self::collect) into a vector, and faster: what one worker gathers is not copied. The attribute chooses it
    /// where the source says that a `Vec` is collected.
    #[inline]
    pub fn collect_vec(self) -> Vec<S::Out> {
        collection::collect(self.base.target(), || gather::into_vec(self))
    }

    /// As rayon's `partition`.
    #[inline]
    pub fn partition<A, B, P>(self, predicate: P) -> (A, B)
    where
        A: Default + Send + ParallelExtend<S::Out>,
        B: Default + Send + ParallelExtend<S::Out>,
        P: Fn(&S::Out) -> bool + Sync + Send,
    {
        let apart = move |item| if predicate(&item) { Ok(item) } else { Err(item) };
        collection::collect(self.base.target(), || gather::partition(self.map(apart)))
    }

    /// As rayon's `flatten_iter`; one more stage over each chunk.
    #[inline]
    pub fn flatten_iter(self) -> Staged<I, Then<S, FlattenIter>, K>
    where
        S::Out: IntoIterator<Item: Send>,
    {
        self.then(FlattenIter)
    }
}

impl<I: IndexedParallelIterator, S, K: Cost> Staged<I, S, K> {
    /// As rayon's `unzip`.
    #[inline]
    pub fn unzip<A, B, FromA, FromB>(self) -> (FromA, FromB)
    where
        S: Stage<I::Item, Out = (A, B)>,
        FromA: Default + Send + ParallelExtend<A>,
        FromB: Default + Send + ParallelExtend<B>,
        A: Send,
        B: Send,
    {
        collection::collect(self.base.target(), || gather::unzip(self))
    }

    /// As rayon's `cloned`; one more stage over each chunk.
    #[inline]
    pub fn cloned<'a, T>(self) -> Staged<I, Then<S, Cloned>, K>
    where
        T: 'a + Clone + Send + Sync,
        S: Stage<I::Item, Out = &'a T>,
    {
        self.then(Cloned)
    }

    /// As rayon's `copied`; one more stage over each chunk.
    #[inline]
    pub fn copied<'a, T>(self) -> Staged<I, Then<S, Copied>, K>
    where
        T: 'a + Copy + Send + Sync,
        S: Stage<I::Item, Out = &'a T>,
    {
        self.then(Copied)
    }
}

/// One stage after another.
#[derive(Clone, Debug)]
pub struct Then<A, B>(A, B);

impl<T, A, B> Stage<T> for Then<A, B>
where
    A: Stage<T>,
    B: Stage<A::Out>,
{
    type Out = B::Out;

    #[inline]
    fn feed<It, F>(&self, items: It, folder: F) -> F
    where
        It: Iterator<Item = T>,
        F: Folder<B::Out>,
    {
        self.0.feed(items, StagedFolder { base: folder, stage: &self.1 }).base
    }

    #[inline]
    fn is_over(&self) -> bool {
        self.0.is_over() || self.1.is_over()
    }
}

/// The items as they are.
#[derive(Clone, Debug)]
pub struct Same;

impl<T: Send> Stage<T> for Same {
    type Out = T;

    #[inline]
    fn feed<It: Iterator<Item = T>, F: Folder<T>>(&self, items: It, folder: F) -> F {
        folder.consume_iter(items)
    }
}

/// Defines a stage that carries a closure. The iterator is made with a closure that calls it, see `mapped.rs`.
macro_rules! closure_stage {
    ($name:ident, $doc:literal, [$($generics:ident),*], $closure:path, $out:ty,
        |$items:ident, $op:ident| $made:expr, where { $($bounds:tt)* }) => {
        #[doc = $doc]
        #[derive(Clone)]
        pub struct $name<C>(pub(crate) C);

        impl<C> fmt::Debug for $name<C> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }

        impl<T, C $(, $generics)*> Stage<T> for $name<C>
        where
            C: $closure + Send + Sync,
            $($bounds)*
        {
            type Out = $out;

            #[allow(clippy::redundant_closure, reason = "the reference itself is not inlined")]
            #[inline]
            fn feed<It: Iterator<Item = T>, F: Folder<$out>>(&self, $items: It, folder: F) -> F {
                let $op = &self.0;
                folder.consume_iter($made)
            }
        }
    };
}

closure_stage!(
    Map, "`map` as a stage.", [R], Fn(T) -> R, R,
    |items, op| items.map(|item| op(item)), where { R: Send }
);
closure_stage!(
    FilterMap, "`filter_map` as a stage.", [R], Fn(T) -> Option<R>, R,
    |items, op| items.filter_map(|item| op(item)), where { R: Send }
);
closure_stage!(
    Filter, "`filter` as a stage.", [], Fn(&T) -> bool, T,
    |items, op| items.filter(|item| op(item)), where { T: Send }
);
closure_stage!(
    Inspect, "`inspect` as a stage.", [], Fn(&T), T,
    |items, op| items.inspect(|item| op(item)), where { T: Send }
);
closure_stage!(
    FlatMapIter, "`flat_map_iter` as a stage.", [U], Fn(T) -> U, U::Item,
    |items, op| items.flat_map(|item| op(item)), where { U: IntoIterator<Item: Send> }
);
closure_stage!(
    Update, "`update` as a stage.", [], Fn(&mut T), T,
    |items, op| items.map(|mut item| {
        op(&mut item);
        item
    }), where { T: Send }
);

/// `flatten_iter` as a stage.
#[derive(Clone, Debug)]
pub struct FlattenIter;

impl<T: IntoIterator<Item: Send>> Stage<T> for FlattenIter {
    type Out = T::Item;

    #[inline]
    fn feed<It: Iterator<Item = T>, F: Folder<T::Item>>(&self, items: It, folder: F) -> F {
        folder.consume_iter(items.flatten())
    }
}

/// `cloned` as a stage.
#[derive(Clone, Debug)]
pub struct Cloned;

impl<'a, T: 'a + Clone + Send> Stage<&'a T> for Cloned {
    type Out = T;

    #[inline]
    fn feed<It: Iterator<Item = &'a T>, F: Folder<T>>(&self, items: It, folder: F) -> F {
        folder.consume_iter(items.cloned())
    }
}

/// `copied` as a stage.
#[derive(Clone, Debug)]
pub struct Copied;

impl<'a, T: 'a + Copy + Send> Stage<&'a T> for Copied {
    type Out = T;

    #[inline]
    fn feed<It: Iterator<Item = &'a T>, F: Folder<T>>(&self, items: It, folder: F) -> F {
        folder.consume_iter(items.copied())
    }
}

/// Passes what comes out of a stage on to `base`.
struct StagedConsumer<'s, C, S> {
    base: C,
    stage: &'s S,
}

impl<'s, T, C, S> Consumer<T> for StagedConsumer<'s, C, S>
where
    S: Stage<T>,
    C: UnindexedConsumer<S::Out>,
{
    type Folder = StagedFolder<'s, C::Folder, S>;
    type Reducer = C::Reducer;
    type Result = C::Result;

    fn split_at(self, _: usize) -> (Self, Self, C::Reducer) {
        // The number of items that come out of the left part is unknown.
        let (left, reducer) = (self.split_off_left(), self.to_reducer());
        (left, self, reducer)
    }

    fn into_folder(self) -> Self::Folder {
        StagedFolder { base: self.base.into_folder(), stage: self.stage }
    }

    fn full(&self) -> bool {
        self.stage.is_over() || self.base.full()
    }
}

impl<T, C, S> UnindexedConsumer<T> for StagedConsumer<'_, C, S>
where
    S: Stage<T>,
    C: UnindexedConsumer<S::Out>,
{
    fn split_off_left(&self) -> Self {
        StagedConsumer { base: self.base.split_off_left(), stage: self.stage }
    }

    fn to_reducer(&self) -> C::Reducer {
        self.base.to_reducer()
    }
}

struct StagedFolder<'s, F, S> {
    base: F,
    stage: &'s S,
}

impl<T, F, S> Folder<T> for StagedFolder<'_, F, S>
where
    S: Stage<T>,
    F: Folder<S::Out>,
{
    type Result = F::Result;

    fn consume(self, item: T) -> Self {
        self.consume_iter(std::iter::once(item))
    }

    #[inline]
    fn consume_iter<It: IntoIterator<Item = T>>(mut self, items: It) -> Self {
        self.base = self.stage.feed(items.into_iter(), self.base);
        self
    }

    fn complete(self) -> F::Result {
        self.base.complete()
    }

    fn full(&self) -> bool {
        self.stage.is_over() || self.base.full()
    }
}
