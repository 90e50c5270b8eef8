//! The crew of one parallel call: the caller and its helpers share one run of items.
//!
//! The run is cut as a balanced tree, lazily: a worker halves what it owns at chunk borders, offers
//! the right half and goes on with the left, until one chunk remains, which it folds at once. It
//! then takes its right halves back, unless another worker has taken them. What it takes back follows what it has
//! folded and goes under the same folder, if folders are open-ended (`run.rs`); otherwise, and where another worker
//! came between, it reduces the two results itself: reducers never change threads and results are never
//! reduced out of order. A worker with nothing to do takes the largest offer of another one. Nothing here is
//! `unsafe`: tasks and results change hands under a lock that is held for a move.
//!
//! Whoever has something on offer summons helpers while any are missing: on many cores they are there sooner than if
//! the caller summoned them all, and the first ones find work while others are still being summoned.
//!
//! A worker with nothing to take and nothing to wait for goes home: whatever is not on offer is
//! being folded, chunk by chunk, and a chunk is never divided. Where items wait instead of computing, it
//! stays and looks again from time to time.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use rayon::iter::plumbing::{Consumer, Reducer};

use crate::clock::Instant;
use crate::handover::{self, Desk, SharedDesk, Spawner};
use crate::machine;
use crate::pieces::Pieces;
use crate::pool::{self, Busy};
use crate::run::{Folded, FoldedBy, Lengths, Open, OpenBy, Run, middle};

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
    /// The chunk is a length that these allow.
    pub(crate) lengths: Lengths,
    /// Helpers stay to the end, as more may be offered while others wait in their items.
    pub(crate) patient: bool,
}

/// What the workers of one call did, in all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shift {
    /// Time that workers were there and had something to do.
    pub(crate) busy_ns: u64,
    /// Time in reductions: in those of the uppermost levels where there is one for each piece.
    pub(crate) reducing_ns: u64,
    /// How many reductions that were.
    pub(crate) reductions: u64,
}

impl Shift {
    /// What a reduction took on average.
    pub(crate) fn reduce_ns(&self) -> Option<f64> {
        (self.reductions > 0).then(|| self.reducing_ns as f64 / self.reductions as f64)
    }
}

/// Folds `run` on the caller and on up to `division.workers − 1` helpers, after what the caller has folded of
/// the items before it.
pub(crate) fn fold<P, C>(
    before: Option<OpenBy<P::Item, C>>,
    run: Run<P, C>,
    division: Division,
    spawner: &dyn Spawner,
) -> (FoldedBy<P::Item, C>, Shift)
where
    P: Pieces,
    C: Consumer<P::Item>,
{
    let pieces = run.len.div_ceil(division.chunk);
    let helpers = division.workers.min(pieces).saturating_sub(1);
    let start = Instant::now();
    if helpers == 0 {
        let folded = run.fold_onto(before, division.lengths);
        return (folded, Shift { busy_ns: elapsed_ns(start), ..Shift::default() });
    }
    handover::at_desk(|desk| {
        let board = Board::new(helpers + 1, pieces, division, desk, spawner);
        let crew: Crew<'_, P, C, C::Result> = Crew::new(board);
        let (mut work, mut folded) = (Some((before, run)), None);
        handover::lend(desk, helpers, spawner, &|seat| crew.board.help(&crew, seat), &mut || {
            let (before, run) = work.take().expect("the caller works once");
            crew.board.missing.store(desk.missing(helpers), Ordering::Relaxed);
            folded = Some(crew.fold(before, run, 0, 0));
            crew.board.close(start);
        });
        (folded.expect("the caller has worked"), crew.board.into_shift())
    })
}

fn elapsed_ns(since: Instant) -> u64 {
    since.elapsed().as_nanos() as u64
}

/// What the workers of a call share, whatever its items are. It has no type parameters, so that one copy
/// of its code serves all loops of a program.
struct Board<'s> {
    division: Division,
    desk: &'s SharedDesk,
    spawner: &'s dyn Spawner,
    /// Helpers that nobody has summoned yet.
    missing: AtomicUsize,
    /// By seat number.
    seats: Vec<Seat>,
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

/// Where one worker says what it offers, by depth in its part of the tree: the lowest level holds the
/// most items.
#[derive(Default)]
#[repr(align(128))]
struct Seat {
    /// Bit `i` is set while level `i` is on offer: a hint for those who look, checked under the lock.
    offers: AtomicU64,
}

/// What a worker does with what it finds on the board.
trait Tasks {
    /// Takes what `owner` offers at `level`, if it is still there, and folds it at `seat`, offering
    /// halves from `from` on. False if it is not.
    fn take_and_fold(&self, owner: usize, level: usize, seat: usize, from: usize) -> bool;
}

impl<'s> Board<'s> {
    fn new(
        workers: usize,
        pieces: usize,
        division: Division,
        desk: &'s SharedDesk,
        spawner: &'s dyn Spawner,
    ) -> Self {
        let depth = pieces.checked_next_power_of_two().map_or(64, usize::trailing_zeros) as usize;
        Board {
            division,
            desk,
            spawner,
            missing: AtomicUsize::new(0),
            seats: (0..workers).map(|_| Seat::default()).collect(),
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

    /// A helper's work.
    fn help(&self, tasks: &dyn Tasks, seat: usize) {
        let start = Instant::now();
        // Items that wait leave the cores to others.
        let _busy = (!self.division.patient).then(Busy::helper);
        let mut idle = Idle::default();
        while !self.finished.load(Ordering::Acquire) {
            if self.take_an_offer(tasks, seat, 0, &mut idle) {
                continue;
            }
            let looks = idle.look();
            if self.division.patient {
                thread::sleep(NAP);
            } else if looks < LOOKS_BEFORE_LEAVING {
                std::hint::spin_loop();
            } else {
                break;
            }
        }
        idle.end(self);
        self.present_ns.fetch_add(elapsed_ns(start), Ordering::Relaxed);
    }

    /// Waits for a half that another worker took, folding offers of others meanwhile.
    fn wait(&self, tasks: &dyn Tasks, done: &Done, seat: usize, level: usize) {
        let mut idle = Idle::default();
        while !done.is_set() {
            if self.take_an_offer(tasks, seat, level, &mut idle) {
                continue;
            }
            // Where items wait there are more workers than cores: looking would keep others from working.
            if idle.look() < LOOKS_BEFORE_SLEEPING && !self.division.patient {
                std::hint::spin_loop();
            } else if !self.spawner.run_other_work() {
                done.sleep();
            }
        }
        idle.end(self);
    }

    /// Folds the largest offer of the next worker that has one.
    fn take_an_offer(&self, tasks: &dyn Tasks, seat: usize, level: usize, idle: &mut Idle) -> bool {
        let workers = self.seats.len();
        for distance in 1..workers {
            let owner = (seat + distance) % workers;
            let offers = self.seats[owner].offers.load(Ordering::Acquire);
            if offers == 0 {
                continue;
            }
            idle.end(self);
            if tasks.take_and_fold(owner, offers.trailing_zeros() as usize, seat, level) {
                return true;
            }
        }
        false
    }

    fn offer(&self, seat: usize, level: usize) {
        self.seats[seat].offers.fetch_or(1 << level, Ordering::Release);
    }

    /// Summons helpers until none is missing, together with all who do the same. The caller, at seat 0, also
    /// sees to those who do not come.
    fn summon(&self, seat: usize) {
        if self.missing.load(Ordering::Relaxed) > 0 {
            self.desk.summoned_ns.store(pool::now_ns(), Ordering::Relaxed);
            let one_less = |missing: usize| missing.checked_sub(1);
            while self.missing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
            {
                Desk::summon_one(self.desk, self.spawner);
            }
        } else if seat == 0 {
            self.summon_again();
        }
    }

    /// Summons one helper more if those who were summoned are late. A pool counts a thread that looks for work as
    /// awake and wakes no other one for a single job, even when the system lets that thread wait for the
    /// core that the caller keeps busy. For a second job it does.
    fn summon_again(&self) {
        let pending = self.desk.pending();
        if pending == 0 || pending > self.seats.len() - 1 {
            return;
        }
        let now_ns = pool::now_ns();
        let waited_ns = now_ns.saturating_sub(self.desk.summoned_ns.load(Ordering::Relaxed));
        if waited_ns as f64 > pool::late_after_ns(now_ns, &machine::facts()) {
            self.desk.summoned_ns.store(now_ns, Ordering::Relaxed);
            Desk::summon_one(self.desk, self.spawner);
        }
    }

    fn withdraw(&self, seat: usize, level: usize) {
        self.seats[seat].offers.fetch_and(!(1 << level), Ordering::Relaxed);
    }

    fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    fn note_reduction(&self, start: Instant) {
        self.reducing_ns.fetch_add(elapsed_ns(start), Ordering::Relaxed);
        self.reductions.fetch_add(1, Ordering::Relaxed);
    }

    /// The caller, there since `start`, has the result.
    fn close(&self, start: Instant) {
        self.finished.store(true, Ordering::Release);
        self.present_ns.fetch_add(elapsed_ns(start), Ordering::Relaxed);
    }

    fn into_shift(self) -> Shift {
        Shift {
            busy_ns: self.present_ns.into_inner().saturating_sub(self.idle_ns.into_inner()),
            reducing_ns: self.reducing_ns.into_inner(),
            reductions: self.reductions.into_inner(),
        }
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

    fn end(&mut self, board: &Board<'_>) {
        if let Some(since) = self.since.take() {
            board.idle_ns.fetch_add(elapsed_ns(since), Ordering::Relaxed);
        }
        self.looks = 0;
    }
}

/// Tells the owner of a half that its result is there.
#[derive(Default)]
struct Done {
    set: AtomicBool,
    /// The owner, if it sleeps until then.
    sleeper: Mutex<Option<thread::Thread>>,
}

impl Done {
    fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }

    fn clear(&self) {
        self.set.store(false, Ordering::Relaxed);
    }

    fn set(&self) {
        self.set.store(true, Ordering::Release);
        // An owner that says later that it sleeps has seen the flag: it looks after it took this lock.
        let sleeper = self.sleeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(owner) = sleeper {
            owner.unpark();
        }
    }

    /// Sleeps for a while unless it is set.
    fn sleep(&self) {
        *self.sleeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current());
        if !self.is_set() {
            thread::park_timeout(NAP);
        }
    }
}

/// The right half of a run while its owner folds the left one.
struct Half<P, C, R> {
    state: Mutex<State<P, C, R>>,
    done: Done,
}

enum State<P, C, R> {
    Empty,
    Offered(Run<P, C>),
    /// Somebody folds it.
    Taken,
    Done(thread::Result<R>),
}

impl<P, C, R> Half<P, C, R> {
    fn replace(&self, state: State<P, C, R>) -> State<P, C, R> {
        // No user code runs under the lock.
        std::mem::replace(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner), state)
    }

    fn offer(&self, run: Run<P, C>) {
        self.done.clear();
        self.replace(State::Offered(run));
    }

    /// Takes the run, for whoever comes first.
    fn take(&self) -> Option<Run<P, C>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::Taken) {
            State::Offered(run) => Some(run),
            other => {
                *state = other;
                None
            }
        }
    }

    fn finish(&self, result: thread::Result<R>) {
        self.replace(State::Done(result));
        self.done.set();
    }

    fn result(&self) -> thread::Result<R> {
        match self.replace(State::Empty) {
            State::Done(result) => result,
            _ => unreachable!("the owner has waited for it"),
        }
    }
}

struct Crew<'s, P, C, R> {
    board: Board<'s>,
    /// By seat number. Each worker makes room for its halves when it first offers one.
    halves: Vec<OnceLock<Vec<Half<P, C, R>>>>,
}

impl<'s, P, C, R> Crew<'s, P, C, R>
where
    P: Pieces,
    C: Consumer<P::Item, Result = R>,
    R: Send,
{
    fn new(board: Board<'s>) -> Self {
        let halves = board.seats.iter().map(|_| OnceLock::new()).collect();
        Crew { board, halves }
    }

    fn half(&self, seat: usize, level: usize) -> &Half<P, C, R> {
        let empty = |_| Half { state: Mutex::new(State::Empty), done: Done::default() };
        let halves = self.halves[seat].get_or_init(|| (0..self.board.levels).map(empty).collect());
        &halves[level]
    }

    /// Folds `run` at `seat`, after what this worker has folded of the items before it, offering right
    /// halves from `level` on.
    fn fold(
        &self,
        before: Option<OpenBy<P::Item, C>>,
        run: Run<P, C>,
        seat: usize,
        level: usize,
    ) -> FoldedBy<P::Item, C> {
        let board = &self.board;
        let before = match Open::unless_full(before) {
            Ok(before) => before,
            Err(full) => return Folded::Open(full),
        };
        if board.abandoned.load(Ordering::Relaxed) {
            let nothing = || Open::new(run.consumer.into_folder());
            return Folded::Open(before.unwrap_or_else(nothing));
        }
        let Division { chunk, lengths, .. } = board.division;
        let Some(middle) = middle(run.len, chunk, lengths.min).filter(|_| !run.consumer.full())
        else {
            return run.fold_onto(before, lengths);
        };
        let (left, right, reducer) = run.split_at(middle);
        if level == board.levels {
            let left = self.fold(before, left, seat, level);
            return self.fold_next(left, reducer, right, seat, level);
        }
        let half = self.half(seat, level);
        half.offer(right);
        board.offer(seat, level);
        // Whatever happens, the right half is accounted for before this frame is left: it may borrow
        // what the left half's panic is about to drop.
        let left = catch_unwind(AssertUnwindSafe(|| {
            board.summon(seat);
            self.fold(before, left, seat, level + 1)
        }));
        if left.is_err() {
            board.abandon();
        }
        board.withdraw(seat, level);
        if let Some(right) = half.take() {
            return match left {
                Ok(left) => self.fold_next(left, reducer, right, seat, level),
                Err(payload) => {
                    drop(right);
                    resume_unwind(payload)
                }
            };
        }
        let left = left.and_then(|left| catch_unwind(AssertUnwindSafe(|| left.close())));
        if left.is_err() {
            board.abandon();
        }
        board.wait(self, &half.done, seat, level + 1);
        match (left, half.result()) {
            (Ok(left), Ok(right)) => Folded::Closed(self.reduce(reducer, left, right, level)),
            (Err(payload), _) | (_, Err(payload)) => resume_unwind(payload),
        }
    }

    /// Folds the run that follows `left`, under the same folder if it is open.
    fn fold_next(
        &self,
        left: FoldedBy<P::Item, C>,
        reducer: C::Reducer,
        right: Run<P, C>,
        seat: usize,
        level: usize,
    ) -> FoldedBy<P::Item, C> {
        let (left, before) = left.resume();
        let right = self.fold(before, right, seat, level);
        match left {
            None => right,
            Some(left) => right.after(left, reducer, |reducer, left, right| {
                self.reduce(reducer, left, right, level)
            }),
        }
    }

    fn reduce(&self, reducer: impl Reducer<R>, left: R, right: R, level: usize) -> R {
        // Without open ends there are as many reductions as pieces.
        if level >= TIMED_LEVELS && !self.board.division.lengths.open_ended {
            return reducer.reduce(left, right);
        }
        let start = Instant::now();
        let result = reducer.reduce(left, right);
        self.board.note_reduction(start);
        result
    }
}

impl<P, C, R> Tasks for Crew<'_, P, C, R>
where
    P: Pieces,
    C: Consumer<P::Item, Result = R>,
    R: Send,
{
    fn take_and_fold(&self, owner: usize, level: usize, seat: usize, from: usize) -> bool {
        let half = self.half(owner, level);
        let Some(run) = half.take() else { return false };
        self.board.withdraw(owner, level);
        let fold = || self.fold(None, run, seat, from).close();
        let result = catch_unwind(AssertUnwindSafe(fold));
        if result.is_err() {
            self.board.abandon();
        }
        half.finish(result);
        true
    }
}

#[cfg(all(test, not(loom)))]
#[path = "crew_tests.rs"]
mod tests;
