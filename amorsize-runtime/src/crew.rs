//! The crew of one parallel call: the caller and its helpers share one run of items.
//!
//! The run is cut as a balanced tree, lazily: a worker halves what it owns at chunk borders, offers
//! the right half and goes on with the left, until one chunk remains, which it folds at once. It
//! then takes its right halves back, unless another worker has taken them, and reduces the two
//! results itself: reducers never change threads and results are never reduced out of order. A
//! worker with nothing to do takes the largest offer of another one. Nothing here is `unsafe`: tasks
//! and results change hands under a lock that is held for a move.
//!
//! A worker with nothing to take and nothing to wait for goes home: whatever is not on offer is
//! being folded, chunk by chunk, and a chunk is never divided.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rayon::iter::plumbing::{Consumer, Folder, Producer, Reducer};

use crate::handover::{self, Spawner};

/// How often an idle helper looks for offers before it goes home.
const LOOKS_BEFORE_LEAVING: u32 = 400;
/// How often a worker looks for the result of a half before it does something else.
const LOOKS_BEFORE_SLEEPING: u32 = 4_000;
/// How long a worker sleeps at most before it looks again.
const NAP: Duration = Duration::from_micros(200);

/// Levels of the tree at which reductions are timed: enough to know their cost, few enough not to add
/// to it.
const TIMED_LEVELS: usize = 2;

/// How a run is divided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Division {
    /// Workers, the caller included.
    pub(crate) workers: usize,
    /// Items that are offered and folded as one.
    pub(crate) chunk: usize,
    /// Most items under one folder.
    pub(crate) max_len: usize,
}

/// A contiguous run of items with the consumer of just these items.
pub(crate) struct Run<P, C> {
    pub(crate) producer: P,
    pub(crate) consumer: C,
    pub(crate) len: usize,
}

impl<P: Producer, C: Consumer<P::Item>> Run<P, C> {
    pub(crate) fn split_at(self, index: usize) -> (Self, Self, C::Reducer) {
        let (left, right) = self.producer.split_at(index);
        let (left_consumer, right_consumer, reducer) = self.consumer.split_at(index);
        (
            Run { producer: left, consumer: left_consumer, len: index },
            Run { producer: right, consumer: right_consumer, len: self.len - index },
            reducer,
        )
    }

    /// Folds the run on this thread, as the plain iterator would.
    #[inline]
    pub(crate) fn fold(self) -> C::Result {
        if self.consumer.full() {
            return self.consumer.into_folder().complete();
        }
        self.consumer.into_folder().consume_iter(self.producer.into_iter()).complete()
    }

    /// Folds the run on this thread in the chunks that a crew would make of it.
    pub(crate) fn fold_in_chunks(self, chunk: usize, max_len: usize) -> C::Result {
        let Some(middle) = middle(self.len, chunk) else {
            return self.fold_within(max_len);
        };
        let (left, right, reducer) = self.split_at(middle);
        let left = left.fold_in_chunks(chunk, max_len);
        reducer.reduce(left, right.fold_in_chunks(chunk, max_len))
    }

    /// Folds the run on this thread with at most `max_len` items under one folder. Not inlined: apart
    /// from the fast path, a program holds one copy of a loop's body.
    #[inline(never)]
    pub(crate) fn fold_within(self, max_len: usize) -> C::Result {
        if self.len <= max_len {
            return self.fold();
        }
        let middle = self.len - self.len / 2;
        let (left, right, reducer) = self.split_at(middle);
        let left = left.fold_within(max_len);
        reducer.reduce(left, right.fold_within(max_len))
    }
}

/// Where a run of `len` items is cut in two when chunks have this size; `None` if it is one chunk.
pub(crate) fn middle(len: usize, chunk: usize) -> Option<usize> {
    let pieces = len.div_ceil(chunk);
    (pieces > 1).then(|| (pieces - pieces / 2) * chunk)
}

/// What the workers of one call did, in all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shift {
    /// Time that workers were there and had something to do.
    pub(crate) busy_ns: u64,
    /// Time in the reductions of the uppermost levels.
    pub(crate) reducing_ns: u64,
    /// How many reductions that were.
    pub(crate) reductions: u64,
}

/// Folds `run` on the caller and on up to `division.workers − 1` helpers.
pub(crate) fn fold<P, C>(
    run: Run<P, C>,
    division: Division,
    spawner: &impl Spawner,
) -> (C::Result, Shift)
where
    P: Producer,
    C: Consumer<P::Item>,
{
    let pieces = run.len.div_ceil(division.chunk);
    let helpers = division.workers.min(pieces).saturating_sub(1);
    let start = Instant::now();
    if helpers == 0 {
        let result = run.fold_within(division.max_len);
        return (result, Shift { busy_ns: start.elapsed().as_nanos() as u64, ..Shift::default() });
    }
    let crew: Crew<'_, P, C, C::Result, _> = Crew::new(helpers + 1, pieces, division, spawner);
    let result = handover::share(helpers, spawner, &|seat| crew.help(seat), || {
        let result = crew.fold(run, 0, 0);
        crew.finished.store(true, Ordering::Release);
        crew.clock_out(start);
        result
    });
    let shift = Shift {
        busy_ns: crew.present_ns.into_inner().saturating_sub(crew.idle_ns.into_inner()),
        reducing_ns: crew.reducing_ns.into_inner(),
        reductions: crew.reductions.into_inner(),
    };
    (result, shift)
}

struct Crew<'s, P, C, R, S> {
    division: Division,
    spawner: &'s S,
    /// By seat number. Each worker makes room for its halves when it first offers one.
    seats: Box<[Seat<P, C, R>]>,
    levels: usize,
    /// No more work will be offered.
    finished: AtomicBool,
    /// How long workers were there, in all.
    present_ns: AtomicU64,
    /// How long they were there and had nothing to do, in all.
    idle_ns: AtomicU64,
    /// See [`Shift`].
    reducing_ns: AtomicU64,
    /// See [`Shift`].
    reductions: AtomicU64,
    /// Some item panicked: what is left is dropped, not folded.
    abandoned: AtomicBool,
}

/// What one worker offers, by depth in its part of the tree: the lowest level holds the most items.
#[repr(align(128))]
struct Seat<P, C, R> {
    /// Bit `i` is set while level `i` is on offer: a hint for those who look, checked under the lock.
    offers: AtomicU64,
    halves: OnceLock<Box<[Half<P, C, R>]>>,
}

/// The right half of a run while its owner folds the left one.
struct Half<P, C, R> {
    state: Mutex<State<P, C, R>>,
    /// The result is there: a hint, so that waiting does not take the lock.
    done: AtomicBool,
}

/// What a worker took from another one: where the result goes, and the items.
type Offer<'c, P, C, R> = (&'c Half<P, C, R>, Run<P, C>);

enum State<P, C, R> {
    Empty,
    Offered(Run<P, C>),
    /// Somebody folds it. The thread is the owner if it sleeps until the result is there.
    Taken(Option<thread::Thread>),
    Done(thread::Result<R>),
}

impl<P, C, R> Half<P, C, R> {
    fn lock(&self) -> MutexGuard<'_, State<P, C, R>> {
        // No user code runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn offer(&self, run: Run<P, C>) {
        self.done.store(false, Ordering::Relaxed);
        *self.lock() = State::Offered(run);
    }

    /// Takes the run, for whoever comes first; `on_taken` replaces it.
    fn take(&self, on_taken: State<P, C, R>) -> Option<Run<P, C>> {
        let mut state = self.lock();
        match std::mem::replace(&mut *state, on_taken) {
            State::Offered(run) => Some(run),
            other => {
                *state = other;
                None
            }
        }
    }

    fn finish(&self, result: thread::Result<R>) {
        let before = std::mem::replace(&mut *self.lock(), State::Done(result));
        self.done.store(true, Ordering::Release);
        if let State::Taken(Some(owner)) = before {
            owner.unpark();
        }
    }

    fn result(&self) -> Option<thread::Result<R>> {
        if !self.done.load(Ordering::Acquire) {
            return None;
        }
        match std::mem::replace(&mut *self.lock(), State::Empty) {
            State::Done(result) => Some(result),
            _ => unreachable!("only the owner takes a result"),
        }
    }

    /// Sleeps for a while unless the result is there.
    fn sleep(&self) {
        match &mut *self.lock() {
            State::Taken(owner) => _ = owner.get_or_insert_with(thread::current),
            _ => return,
        }
        if !self.done.load(Ordering::Acquire) {
            thread::park_timeout(NAP);
        }
    }
}

impl<'s, P, C, R, S> Crew<'s, P, C, R, S>
where
    P: Producer,
    C: Consumer<P::Item, Result = R>,
    R: Send,
    S: Spawner,
{
    fn new(workers: usize, pieces: usize, division: Division, spawner: &'s S) -> Self {
        let depth = pieces.checked_next_power_of_two().map_or(64, usize::trailing_zeros) as usize;
        Crew {
            division,
            spawner,
            seats: (0..workers)
                .map(|_| Seat { offers: AtomicU64::new(0), halves: OnceLock::new() })
                .collect(),
            // Twice the depth leaves room for runs that are taken while waiting; beyond it a worker
            // keeps what it has to itself.
            levels: (2 * depth + 2).min(u64::BITS as usize),
            finished: AtomicBool::new(false),
            present_ns: AtomicU64::new(0),
            idle_ns: AtomicU64::new(0),
            reducing_ns: AtomicU64::new(0),
            reductions: AtomicU64::new(0),
            abandoned: AtomicBool::new(false),
        }
    }

    fn halves(&self, seat: usize) -> &[Half<P, C, R>] {
        self.seats[seat].halves.get_or_init(|| {
            (0..self.levels)
                .map(|_| Half { state: Mutex::new(State::Empty), done: AtomicBool::new(false) })
                .collect()
        })
    }

    /// Folds `run` at `seat`, offering right halves from `level` on.
    fn fold(&self, run: Run<P, C>, seat: usize, level: usize) -> R {
        if self.abandoned.load(Ordering::Relaxed) {
            return run.consumer.into_folder().complete();
        }
        let Some(middle) = middle(run.len, self.division.chunk).filter(|_| !run.consumer.full())
        else {
            return run.fold_within(self.division.max_len);
        };
        let (left, right, reducer) = run.split_at(middle);
        if level == self.levels {
            let left = self.fold(left, seat, level);
            return reducer.reduce(left, self.fold(right, seat, level));
        }
        let bit = 1 << level;
        let half = &self.halves(seat)[level];
        half.offer(right);
        self.seats[seat].offers.fetch_or(bit, Ordering::Release);
        // Whatever happens, the right half is accounted for before this frame is left: it may borrow
        // what the left half's panic is about to drop.
        let left = catch_unwind(AssertUnwindSafe(|| self.fold(left, seat, level + 1)));
        if left.is_err() {
            self.abandoned.store(true, Ordering::Relaxed);
        }
        self.seats[seat].offers.fetch_and(!bit, Ordering::Relaxed);
        match half.take(State::Empty) {
            Some(right) => match left {
                Ok(left) => {
                    let right = self.fold(right, seat, level);
                    self.reduce(reducer, left, right, level)
                }
                Err(payload) => {
                    drop(right);
                    resume_unwind(payload)
                }
            },
            None => match (left, self.wait(half, seat, level + 1)) {
                (Ok(left), Ok(right)) => self.reduce(reducer, left, right, level),
                (Err(payload), _) | (_, Err(payload)) => resume_unwind(payload),
            },
        }
    }

    fn reduce(&self, reducer: impl Reducer<R>, left: R, right: R, level: usize) -> R {
        if level >= TIMED_LEVELS {
            return reducer.reduce(left, right);
        }
        let start = Instant::now();
        let result = reducer.reduce(left, right);
        self.reducing_ns.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        self.reductions.fetch_add(1, Ordering::Relaxed);
        result
    }

    /// Waits for a half that another worker took, folding offers of others meanwhile.
    fn wait(&self, half: &Half<P, C, R>, seat: usize, level: usize) -> thread::Result<R> {
        let mut idle = Idle::default();
        loop {
            if let Some(result) = half.result() {
                idle.end(self);
                return result;
            }
            if let Some(offer) = self.take_an_offer(seat) {
                idle.end(self);
                self.fold_for_owner(offer, seat, level);
            } else if idle.look() < LOOKS_BEFORE_SLEEPING {
                std::hint::spin_loop();
            } else if !self.spawner.run_other_work() {
                half.sleep();
            }
        }
    }

    /// A helper's work.
    fn help(&self, seat: usize) {
        let start = Instant::now();
        let mut idle = Idle::default();
        while !self.finished.load(Ordering::Acquire) {
            if let Some(offer) = self.take_an_offer(seat) {
                idle.end(self);
                self.fold_for_owner(offer, seat, 0);
            } else if idle.look() < LOOKS_BEFORE_LEAVING {
                std::hint::spin_loop();
            } else {
                break;
            }
        }
        idle.end(self);
        self.clock_out(start);
    }

    fn clock_out(&self, start: Instant) {
        self.present_ns.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
    }

    /// Takes the largest offer of the next worker that has one.
    fn take_an_offer(&self, seat: usize) -> Option<Offer<'_, P, C, R>> {
        let workers = self.seats.len();
        for distance in 1..workers {
            let victim = &self.seats[(seat + distance) % workers];
            let offers = victim.offers.load(Ordering::Acquire);
            if offers == 0 {
                continue;
            }
            let lowest = offers.trailing_zeros() as usize;
            let half = &victim.halves.get().expect("made before the first offer")[lowest];
            if let Some(run) = half.take(State::Taken(None)) {
                victim.offers.fetch_and(!(1 << lowest), Ordering::Relaxed);
                return Some((half, run));
            }
        }
        None
    }

    /// Folds what was taken from another worker and tells it the result.
    fn fold_for_owner(&self, (half, run): Offer<'_, P, C, R>, seat: usize, level: usize) {
        let result = catch_unwind(AssertUnwindSafe(|| self.fold(run, seat, level)));
        if result.is_err() {
            self.abandoned.store(true, Ordering::Relaxed);
        }
        half.finish(result);
    }
}

/// A stretch of looking for work in vain.
#[derive(Default)]
struct Idle {
    looks: u32,
    since: Option<Instant>,
}

impl Idle {
    /// Counts one more look in vain.
    fn look(&mut self) -> u32 {
        self.since.get_or_insert_with(Instant::now);
        self.looks += 1;
        self.looks
    }

    fn end<P, C, R, S>(&mut self, crew: &Crew<'_, P, C, R, S>) {
        if let Some(since) = self.since.take() {
            crew.idle_ns.fetch_add(since.elapsed().as_nanos() as u64, Ordering::Relaxed);
        }
        self.looks = 0;
    }
}

#[cfg(all(test, not(loom)))]
#[path = "crew_tests.rs"]
mod tests;
