//! [`Folded`] and [`FoldedWith`]: rayon's `fold` and `fold_with`, with a closure that the compiler inlines into the loop; see
//! `mapped.rs`.

use std::fmt;

use rayon::iter::ParallelIterator;
use rayon::iter::plumbing::{Consumer, Folder, UnindexedConsumer};

/// What a function makes of the items of `I`: one value for each folder, which begins with what `identity` returns.
#[derive(Clone)]
#[must_use = "parallel iterators do nothing until they are consumed"]
pub struct Folded<I, ID, F> {
    base: I,
    identity: ID,
    fold_op: F,
}

impl<I, ID, F> Folded<I, ID, F> {
    #[inline]
    pub(crate) fn new(base: I, identity: ID, fold_op: F) -> Self {
        Folded { base, identity, fold_op }
    }
}

impl<I: fmt::Debug, ID, F> fmt::Debug for Folded<I, ID, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folded").field("base", &self.base).finish_non_exhaustive()
    }
}

impl<I, ID, F, U> ParallelIterator for Folded<I, ID, F>
where
    I: ParallelIterator,
    ID: Fn() -> U + Sync + Send,
    F: Fn(U, I::Item) -> U + Sync + Send,
    U: Send,
{
    type Item = U;

    #[inline]
    fn drive_unindexed<C: UnindexedConsumer<U>>(self, consumer: C) -> C::Result {
        let (begin, fold_op) = (Call(&self.identity), &self.fold_op);
        self.base.drive_unindexed(FoldConsumer { base: consumer, begin, fold_op })
    }
}

/// The same, where each folder begins with a clone of `init`.
#[derive(Clone)]
#[must_use = "parallel iterators do nothing until they are consumed"]
pub struct FoldedWith<I, U, F> {
    base: I,
    init: U,
    fold_op: F,
}

impl<I, U, F> FoldedWith<I, U, F> {
    #[inline]
    pub(crate) fn new(base: I, init: U, fold_op: F) -> Self {
        FoldedWith { base, init, fold_op }
    }
}

impl<I: fmt::Debug, U: fmt::Debug, F> fmt::Debug for FoldedWith<I, U, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("FoldedWith");
        shown.field("base", &self.base).field("init", &self.init).finish_non_exhaustive()
    }
}

impl<I, U, F> ParallelIterator for FoldedWith<I, U, F>
where
    I: ParallelIterator,
    F: Fn(U, I::Item) -> U + Sync + Send,
    U: Send + Clone,
{
    type Item = U;

    #[inline]
    fn drive_unindexed<C: UnindexedConsumer<U>>(self, consumer: C) -> C::Result {
        let (begin, fold_op) = (Value(self.init), &self.fold_op);
        self.base.drive_unindexed(FoldConsumer { base: consumer, begin, fold_op })
    }
}

/// What folders begin with.
trait Begin: Clone + Send {
    type Value: Send;

    fn value(self) -> Self::Value;
}

struct Call<'f, ID>(&'f ID);

impl<ID> Clone for Call<'_, ID> {
    fn clone(&self) -> Self {
        Call(self.0)
    }
}

impl<U: Send, ID: Fn() -> U + Sync> Begin for Call<'_, ID> {
    type Value = U;

    #[inline]
    fn value(self) -> U {
        (self.0)()
    }
}

#[derive(Clone)]
struct Value<U>(U);

impl<U: Clone + Send> Begin for Value<U> {
    type Value = U;

    #[inline]
    fn value(self) -> U {
        self.0
    }
}

struct FoldConsumer<'f, C, B, F> {
    base: C,
    begin: B,
    fold_op: &'f F,
}

impl<'f, T, C, B, F> Consumer<T> for FoldConsumer<'f, C, B, F>
where
    C: Consumer<B::Value>,
    B: Begin,
    F: Fn(B::Value, T) -> B::Value + Sync,
{
    type Folder = FoldFolder<'f, C::Folder, B::Value, F>;
    type Reducer = C::Reducer;
    type Result = C::Result;

    fn split_at(self, index: usize) -> (Self, Self, C::Reducer) {
        let (left, right, reducer) = self.base.split_at(index);
        let begin = self.begin.clone();
        (FoldConsumer { base: left, begin, ..self }, FoldConsumer { base: right, ..self }, reducer)
    }

    #[inline]
    fn into_folder(self) -> Self::Folder {
        let FoldConsumer { base, begin, fold_op } = self;
        FoldFolder { base: base.into_folder(), value: begin.value(), fold_op }
    }

    fn full(&self) -> bool {
        self.base.full()
    }
}

impl<T, C, B, F> UnindexedConsumer<T> for FoldConsumer<'_, C, B, F>
where
    C: UnindexedConsumer<B::Value>,
    B: Begin,
    F: Fn(B::Value, T) -> B::Value + Sync,
{
    fn split_off_left(&self) -> Self {
        FoldConsumer { base: self.base.split_off_left(), begin: self.begin.clone(), ..*self }
    }

    fn to_reducer(&self) -> C::Reducer {
        self.base.to_reducer()
    }
}

/// Passes what has become of its items on to `base` when there are no more.
struct FoldFolder<'f, G, U, F> {
    base: G,
    value: U,
    fold_op: &'f F,
}

/// Larger values than this are copied for each item, which takes less than to do without.
const SMALL_BYTES: usize = 32;

impl<T, U, G, F> Folder<T> for FoldFolder<'_, G, U, F>
where
    G: Folder<U>,
    F: Fn(U, T) -> U,
{
    type Result = G::Result;

    #[inline]
    fn consume(mut self, item: T) -> Self {
        self.value = (self.fold_op)(self.value, item);
        self
    }

    #[inline]
    fn consume_iter<It: IntoIterator<Item = T>>(self, items: It) -> Self {
        let FoldFolder { base, mut value, fold_op } = self;
        if size_of::<U>() > SMALL_BYTES {
            for item in items {
                if base.full() {
                    break;
                }
                value = fold_op(value, item);
            }
            return FoldFolder { base, value, fold_op };
        }
        // The compiler copies a variable of which it does not see where it comes from to the closure and back for each item, and
        // waits for these copies. That it need not copy what was taken out of an `Option` it does see.
        let mut place = Some(value);
        for item in items {
            if base.full() {
                break;
            }
            place = place.take().map(|value| fold_op(value, item));
        }
        FoldFolder { base, value: place.expect("each value has been put back"), fold_op }
    }

    #[inline]
    fn complete(self) -> G::Result {
        self.base.consume(self.value).complete()
    }

    fn full(&self) -> bool {
        self.base.full()
    }
}
