//! Executors that offer no parallel iterators: a user divides the work by hand, as here.

use std::num::NonZero;
use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use chili::{Config, Scope, ThreadPool};

use crate::openmp::{self, Schedule};

/// Pieces per thread of a dynamic schedule, as OpenMP's `dynamic` leaves them to its users, and leaves of chili's recursion
/// where each has a folder of its own.
const PIECES_PER_THREAD: usize = 16;

/// Leaves of chili's recursion: its forks cost a few nanoseconds until its heartbeat asks for one.
const LEAVES: usize = 1_024;

/// An executor with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forked {
    /// `std::thread::scope`, one piece for each thread.
    Scope,
    /// Recursion with `chili::Scope::join`.
    Chili,
    /// `#pragma omp parallel for`, where there is a compiler for it.
    OpenMp(Schedule),
}

/// Something that can be cut in two.
pub(crate) trait Part: Send + Sized {
    fn len(&self) -> usize;

    fn split_at(self, index: usize) -> (Self, Self);
}

impl Forked {
    pub(crate) const ALL: [Forked; 5] = [
        Forked::Scope,
        Forked::Chili,
        Forked::OpenMp(Schedule::Static),
        Forked::OpenMp(Schedule::Dynamic),
        Forked::OpenMp(Schedule::Guided),
    ];

    pub(crate) fn is_there(self) -> bool {
        !matches!(self, Forked::OpenMp(_)) || openmp::IS_THERE
    }

    /// Runs all pieces of `part` and merges what they return, from left to right.
    pub(crate) fn run<P: Part, R: Send>(
        self,
        part: P,
        run: impl Fn(P) -> R + Sync,
        merge: impl Fn(R, R) -> R + Sync,
    ) -> R {
        self.run_leaves(LEAVES, part, run, merge)
    }

    /// The same where a piece is not free: it has a map, a box or a vector of its own, which is merged.
    pub(crate) fn fold<P: Part, R: Send>(
        self,
        part: P,
        fold: impl Fn(P) -> R + Sync,
        merge: impl Fn(R, R) -> R + Sync,
    ) -> R {
        self.run_leaves(rayon::current_num_threads() * PIECES_PER_THREAD, part, fold, merge)
    }

    fn run_leaves<P: Part, R: Send>(
        self,
        leaves: usize,
        part: P,
        run: impl Fn(P) -> R + Sync,
        merge: impl Fn(R, R) -> R + Sync,
    ) -> R {
        let threads = rayon::current_num_threads();
        match self {
            Forked::Scope => scope(pieces(part, threads), &run, &merge),
            Forked::Chili => {
                let leaf = part.len().div_ceil(leaves);
                halve(&mut chili_scope(), part, leaf, &run, &merge)
            }
            Forked::OpenMp(schedule) => {
                let count = match schedule {
                    Schedule::Static => threads,
                    Schedule::Dynamic | Schedule::Guided => threads * PIECES_PER_THREAD,
                };
                let results = openmp::map(pieces(part, count), schedule, threads, &run);
                results.into_iter().reduce(merge).expect("there is a piece, be it empty")
            }
        }
    }
}

/// About equal ones, at least one.
fn pieces<P: Part>(part: P, count: usize) -> Vec<P> {
    let mut pieces = Vec::with_capacity(count);
    let mut rest = part;
    for left in (2..=count).rev() {
        let len = rest.len();
        if len < 2 {
            break;
        }
        let (piece, more) = rest.split_at(len.div_ceil(left).min(len - 1));
        pieces.push(piece);
        rest = more;
    }
    pieces.push(rest);
    pieces
}

fn scope<P: Send, R: Send>(
    pieces: Vec<P>,
    run: &(impl Fn(P) -> R + Sync),
    merge: &impl Fn(R, R) -> R,
) -> R {
    let mut pieces = pieces.into_iter();
    let first = pieces.next().expect("there is a piece, be it empty");
    thread::scope(|scope| {
        let others: Vec<_> = pieces.map(|piece| scope.spawn(|| run(piece))).collect();
        let first = run(first);
        others.into_iter().map(|other| other.join().expect("no panic")).fold(first, merge)
    })
}

fn halve<P: Part, R: Send>(
    scope: &mut Scope<'_>,
    part: P,
    leaf: usize,
    run: &(impl Fn(P) -> R + Sync),
    merge: &(impl Fn(R, R) -> R + Sync),
) -> R {
    let len = part.len();
    if len <= leaf.max(1) {
        return run(part);
    }
    let (left, right) = part.split_at(len / 2);
    let (left, right) = scope.join(
        |scope| halve(scope, left, leaf, run, merge),
        |scope| halve(scope, right, leaf, run, merge),
    );
    merge(left, right)
}

impl Part for Range<usize> {
    fn len(&self) -> usize {
        ExactSizeIterator::len(self)
    }

    fn split_at(self, index: usize) -> (Self, Self) {
        let middle = self.start + index;
        (self.start..middle, middle..self.end)
    }
}

impl<T: Sync> Part for &[T] {
    fn len(&self) -> usize {
        <[T]>::len(self)
    }

    fn split_at(self, index: usize) -> (Self, Self) {
        <[T]>::split_at(self, index)
    }
}

impl<T: Send> Part for &mut [T] {
    fn len(&self) -> usize {
        <[T]>::len(self)
    }

    fn split_at(self, index: usize) -> (Self, Self) {
        self.split_at_mut(index)
    }
}

/// Both at once; the first has no more items than the second.
impl<A: Part, B: Part> Part for (A, B) {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn split_at(self, index: usize) -> (Self, Self) {
        let (a, after_a) = self.0.split_at(index);
        let (b, after_b) = self.1.split_at(index);
        ((a, b), (after_a, after_b))
    }
}

/// Rows of `width` elements each.
pub(crate) struct RowsMut<'a, T> {
    elements: &'a mut [T],
    width: usize,
}

impl<'a, T> RowsMut<'a, T> {
    pub(crate) fn new(elements: &'a mut [T], width: usize) -> Self {
        RowsMut { elements, width }
    }

    pub(crate) fn iter(self) -> std::slice::ChunksMut<'a, T> {
        self.elements.chunks_mut(self.width)
    }
}

impl<T: Send> Part for RowsMut<'_, T> {
    fn len(&self) -> usize {
        self.elements.len().div_ceil(self.width)
    }

    fn split_at(self, index: usize) -> (Self, Self) {
        let (left, right) = self.elements.split_at_mut(index * self.width);
        (RowsMut::new(left, self.width), RowsMut::new(right, self.width))
    }
}

/// A vector whose items are made by a [`Forked`] executor, each in its place.
pub(crate) fn collected<T: Send>(n: usize, fill: impl FnOnce(&mut [Option<T>])) -> Vec<T> {
    let mut items: Vec<Option<T>> = (0..n).map(|_| None).collect();
    fill(&mut items);
    items.into_iter().map(|item| item.expect("every item was made")).collect()
}

/// A scope of chili's pool, which has as many threads as rayon's, the caller included.
pub(crate) fn chili_scope() -> Scope<'static> {
    static POOL: OnceLock<ThreadPool> = OnceLock::new();
    let new = || {
        let thread_count = NonZero::new(rayon::current_num_threads());
        ThreadPool::with_config(Config { thread_count, ..Config::default() })
    };
    POOL.get_or_init(new).scope()
}

/// The pool of paralight's users: it belongs to the program, and one pipeline at a time has it.
pub(crate) fn with_paralight<R>(run: impl FnOnce(&mut paralight::threads::ThreadPool) -> R) -> R {
    use paralight::threads::{
        CpuPinningPolicy, RangeStrategy, ThreadCount, ThreadPool, ThreadPoolBuilder,
    };
    static POOL: Mutex<Option<ThreadPool>> = Mutex::new(None);
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    let new = || {
        let threads = rayon::current_num_threads();
        ThreadPoolBuilder {
            num_threads: ThreadCount::try_from(threads).expect("at least one thread"),
            range_strategy: RangeStrategy::WorkStealing,
            cpu_pinning: CpuPinningPolicy::No,
        }
        .build()
    };
    run(pool.get_or_insert_with(new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_in_order_and_about_equal() {
        for (n, count) in [(0, 3), (1, 3), (3, 3), (10, 3), (5, 1), (100, 16)] {
            let all = pieces(0..n, count);
            assert!(all.iter().cloned().flatten().eq(0..n), "{n} {count}");
            let lengths: Vec<usize> = all.iter().map(Part::len).collect();
            let (least, most) = (lengths.iter().min(), lengths.iter().max());
            assert!(most.expect("a piece") - least.expect("a piece") <= 1, "{lengths:?}");
        }
    }

    #[test]
    fn every_executor_merges_in_order() {
        for forked in Forked::ALL {
            let run = |part: Range<usize>| part.collect::<Vec<_>>();
            let merge = |mut left: Vec<usize>, right: Vec<usize>| {
                left.extend(right);
                left
            };
            for n in [0, 1, 2, 1_000] {
                assert!(forked.run(0..n, run, merge).into_iter().eq(0..n), "{forked:?} {n}");
                assert!(forked.fold(0..n, run, merge).into_iter().eq(0..n), "{forked:?} {n}");
            }
        }
    }
}
