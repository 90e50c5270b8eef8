//! Runs of items: how they are cut, and what a thread makes of them.
//!
//! A folder is made for the first piece of a run. Where its consumer does not count items, the folder goes
//! on into the pieces that follow, as long as the same worker folds them: there is one folder, and one
//! reduction, for each time that a worker takes something from another one, however small the pieces are. Where
//! reductions are cheap a crew closes folders earlier, see `Division::folder_items`.

use rayon::iter::plumbing::{Consumer, Folder, Reducer, UnindexedConsumer};

use crate::pieces::Pieces;
use crate::pool;

/// A contiguous run of items with the consumer of just these items.
pub(crate) struct Run<P, C> {
    pub(crate) producer: P,
    pub(crate) consumer: C,
    pub(crate) len: usize,
}

impl<P: Pieces, C: Consumer<P::Item>> Run<P, C> {
    pub(crate) fn split_at(self, index: usize) -> (Self, Self, C::Reducer) {
        let (left, right) = self.producer.split_at(index);
        let (left_consumer, right_consumer, reducer) = self.consumer.split_at(index);
        (
            Run { producer: left, consumer: left_consumer, len: index },
            Run { producer: right, consumer: right_consumer, len: self.len - index },
            reducer,
        )
    }

    /// Folds the run on this thread, under the folder that is open, or one that `make` opens if there is none.
    pub(crate) fn fold_onto(
        self,
        open: Option<OpenBy<P::Item, C>>,
        lengths: Lengths,
        make: impl FnOnce(C) -> OpenBy<P::Item, C>,
    ) -> FoldedBy<P::Item, C> {
        if !lengths.open_ended {
            return Folded::Closed(self.fold_within(lengths));
        }
        let Run { producer, consumer, len } = self;
        let open = match open {
            Some(full) if full.folder.full() => return Folded::Open(full),
            Some(open) => open,
            None => make(consumer),
        };
        let (folder, items) = (producer.fold_piece(open.folder), open.items + len);
        Folded::Open(Open { folder, items, ..open })
    }

    /// Folds the run on this thread with as many items under one folder as `lengths` allow.
    pub(crate) fn fold_within(self, lengths: Lengths) -> C::Result {
        // What is full is not cut any further: there may be more pieces than anyone can wait for.
        if lengths.allow(self.len) || self.consumer.full() {
            return self.producer.fold_piece(self.consumer.into_folder()).complete();
        }
        let middle = self.len - self.len / 2;
        let (left, right, reducer) = self.split_at(middle);
        let left = left.fold_within(lengths);
        reducer.reduce(left, right.fold_within(lengths))
    }
}

/// Folds all of few items on this thread, as the plain iterator would.
#[inline]
pub(crate) fn fold_at_once<P, C>(producer: P, consumer: C) -> C::Result
where
    P: Pieces,
    C: Consumer<P::Item>,
{
    if consumer.full() {
        return consumer.into_folder().complete();
    }
    producer.fold_few(consumer.into_folder()).complete()
}

/// What has been made of a run's items.
pub(crate) enum Folded<F, R, D> {
    /// The folder may go on into the items that follow.
    Open(Open<F, R, D>),
    Closed(R),
}

/// A folder, after a result of the items before its own with what reduces the two.
pub(crate) struct Open<F, R, D> {
    before: Option<(R, D)>,
    folder: F,
    /// How many items it was led through.
    items: usize,
    /// What it took to make it, where that was timed.
    opening_ns: u64,
}

/// What `C` makes of items `T`.
pub(crate) type FoldedBy<T, C> =
    Folded<<C as Consumer<T>>::Folder, <C as Consumer<T>>::Result, <C as Consumer<T>>::Reducer>;

/// As [`FoldedBy`].
pub(crate) type OpenBy<T, C> =
    Open<<C as Consumer<T>>::Folder, <C as Consumer<T>>::Result, <C as Consumer<T>>::Reducer>;

impl<F, R, D> Open<F, R, D> {
    /// A folder of `consumer`.
    pub(crate) fn of<T>(consumer: impl Consumer<T, Folder = F, Result = R, Reducer = D>) -> Self
    where
        F: Folder<T, Result = R>,
        D: Reducer<R>,
    {
        Open { before: None, folder: consumer.into_folder(), items: 0, opening_ns: 0 }
    }

    /// The same, timed.
    pub(crate) fn timed<T>(consumer: impl Consumer<T, Folder = F, Result = R, Reducer = D>) -> Self
    where
        F: Folder<T, Result = R>,
        D: Reducer<R>,
    {
        let start_ns = pool::now_ns();
        let open = Open::of(consumer);
        Open { opening_ns: pool::now_ns() - start_ns, ..open }
    }

    /// What is open, as the error if it wants no more items.
    pub(crate) fn unless_full<T>(open: Option<Self>) -> Result<Option<Self>, Self>
    where
        F: Folder<T>,
    {
        match open {
            Some(open) if open.folder.full() => Err(open),
            open => Ok(open),
        }
    }
}

impl<F, R, D> Folded<F, R, D> {
    /// The result, or what may go on.
    pub(crate) fn resume(self) -> (Option<R>, Option<Open<F, R, D>>) {
        match self {
            Folded::Closed(result) => (Some(result), None),
            Folded::Open(open) => (None, Some(open)),
        }
    }

    /// How many items the folder was led through that may go on.
    pub(crate) fn open_items(&self) -> usize {
        match self {
            Folded::Closed(_) => 0,
            Folded::Open(open) => open.items,
        }
    }

    /// What it took to make the folder that may go on.
    pub(crate) fn opening_ns(&self) -> u64 {
        match self {
            Folded::Closed(_) => 0,
            Folded::Open(open) => open.opening_ns,
        }
    }

    /// Puts the result of the items before these in front.
    pub(crate) fn after(self, left: R, reducer: D, reduce: impl FnOnce(D, R, R) -> R) -> Self {
        match self {
            Folded::Closed(right) => Folded::Closed(reduce(reducer, left, right)),
            Folded::Open(open) => {
                let before = match open.before {
                    None => (left, reducer),
                    Some((right, next)) => (reduce(reducer, left, right), next),
                };
                Folded::Open(Open { before: Some(before), ..open })
            }
        }
    }

    pub(crate) fn close<T>(self) -> R
    where
        F: Folder<T, Result = R>,
        D: Reducer<R>,
    {
        match self {
            Folded::Closed(result) => result,
            Folded::Open(open) => {
                let right = open.folder.complete();
                match open.before {
                    None => right,
                    Some((left, reducer)) => reducer.reduce(left, right),
                }
            }
        }
    }
}

/// What is asked of the folders of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lengths {
    /// How many items the user's `with_min_len` asks to be under one folder; at least 1.
    pub(crate) min: usize,
    /// How many `with_max_len` allows; at least 1. As in rayon, it gives way where a run can only be cut into pieces
    /// shorter than `min`.
    pub(crate) max: usize,
    /// A folder may go on into the next piece.
    pub(crate) open_ended: bool,
    /// Pieces may cost something of their own: no more of them are made than are needed. See [`Pieces::IS_WHOLE`].
    pub(crate) whole: bool,
}

impl Lengths {
    /// Nothing.
    pub(crate) const ANY: Lengths =
        Lengths { min: 1, max: usize::MAX, open_ended: true, whole: false };

    /// Those that the user asks for.
    pub(crate) fn of<P: Pieces>(producer: &P) -> Self {
        let (min, max) = (producer.min_len().max(1), producer.max_len().max(1));
        Lengths { min, max, open_ended: false, whole: P::IS_WHOLE }
    }

    /// Whether `len` items may, or must, be under one folder.
    pub(crate) fn allow(self, len: usize) -> bool {
        len <= self.max || len / 2 < self.min
    }
}

/// How many chunks of this size a run of `len` items has. What is left over at the end is a chunk of its own, unless it has
/// fewer than `min` items.
pub(crate) fn pieces(len: usize, chunk: usize, min: usize) -> usize {
    let rest = len % chunk;
    len / chunk + usize::from(rest > 0 && rest >= min)
}

/// Where a run of `len` items is cut in two when chunks have this size; `None` if it is one chunk.
pub(crate) fn middle(len: usize, chunk: usize, min: usize) -> Option<usize> {
    let pieces = pieces(len, chunk, min);
    (pieces > 1).then(|| (pieces - pieces / 2) * chunk)
}

/// A consumer that can be split without a number of items, for a run whose items are counted all the same.
pub(crate) struct Uncounted<C> {
    pub(crate) base: C,
    /// It has to be told the numbers nevertheless.
    pub(crate) exact: bool,
}

impl<T, C: UnindexedConsumer<T>> Consumer<T> for Uncounted<C> {
    type Folder = C::Folder;
    type Reducer = C::Reducer;
    type Result = C::Result;

    fn split_at(self, index: usize) -> (Self, Self, C::Reducer) {
        let Uncounted { base, exact } = self;
        let (left, right, reducer) = if exact {
            base.split_at(index)
        } else {
            let (left, reducer) = (base.split_off_left(), base.to_reducer());
            (left, base, reducer)
        };
        (Uncounted { base: left, exact }, Uncounted { base: right, exact }, reducer)
    }

    #[inline]
    fn into_folder(self) -> C::Folder {
        self.base.into_folder()
    }

    fn full(&self) -> bool {
        self.base.full()
    }
}
