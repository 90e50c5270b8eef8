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
//! A helper goes home once nothing is on offer and nobody is dividing a run: whatever is left is being folded, chunk by
//! chunk, and a chunk is never divided. So the caller, when it has the result, seldom finds one that it would have to wait
//! for. Where items wait instead of computing, helpers stay and look again from time to time.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rayon::iter::plumbing::{Consumer, Reducer};

use crate::half::{Done, Half};
use crate::handover::{self, Desk, SharedDesk, Spawner};
use crate::machine;
use crate::pieces::Pieces;
use crate::pool::{self, Busy};
use crate::run::{Folded, FoldedBy, Lengths, Open, OpenBy, Run, middle};

/// How often in a row a helper sees that there is nothing to come before it goes home. Seats are looked at one after the
/// other: a run may pass from one that is still to be seen to one that was.
const LOOKS_BEFORE_LEAVING: u32 = 2;
/// How often a helper looks in a row for what may come before it leaves its core to others: whoever divides a run at that
/// moment may be waiting for one.
const LOOKS_BEFORE_YIELDING: u32 = 1_000;
/// How often a worker looks for the result of a half before it does something else.
const LOOKS_BEFORE_SLEEPING: u32 = 4_000;
/// How long a helper sleeps before it looks again, where items wait.
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
    /// A folder that was led through so many items is closed, and the next chunk has a new one. What a folder collects
    /// grows with it, and an allocator gives large blocks back to the system, from which the next call has to get
    /// them anew, page by page.
    pub(crate) folder_items: usize,
    /// Helpers stay to the end, as more may be offered while others wait in their items.
    pub(crate) patient: bool,
}

impl Division {
    /// Into chunks of so many items, whatever the user asks for.
    pub(crate) fn of(workers: usize, chunk: usize) -> Self {
        let folder_items = usize::MAX;
        Division { workers, chunk, lengths: Lengths::ANY, folder_items, patient: false }
    }

    /// Where a run is cut in two; `None` if it is not.
    fn middle<P: Pieces, C: Consumer<P::Item>>(self, run: &Run<P, C>) -> Option<usize> {
        middle(run.len, self.chunk, self.lengths.min).filter(|_| !run.consumer.full())
    }
}

/// What the workers of one call did, in all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shift {
    /// Time that workers were there and had something to do.
    pub(crate) busy_ns: u64,
    /// Time in reductions, and in making the folders whose results were reduced: in those of the uppermost levels where
    /// there is one for each piece.
    pub(crate) reducing_ns: u64,
    /// How many reductions that were.
    pub(crate) reductions: u64,
}

impl Shift {
    fn and(self, other: Shift) -> Shift {
        Shift {
            busy_ns: self.busy_ns + other.busy_ns,
            reducing_ns: self.reducing_ns + other.reducing_ns,
            reductions: self.reductions + other.reductions,
        }
    }

    /// What a reduction took on average, with the folder that it needed.
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
    let before = match Open::unless_full(before) {
        Ok(before) => before,
        Err(full) => return (Folded::Open(full), Shift::default()),
    };
    let start_ns = pool::now_ns();
    let Some(middle) = division.middle(&run).filter(|_| helpers > 0) else {
        let folded = run.fold_onto(before, division.lengths, Open::of);
        return (folded, Shift { busy_ns: pool::now_ns() - start_ns, ..Shift::default() });
    };
    let (left, right, reducer) = run.split_at(middle);
    handover::at_desk(|desk| {
        let board = Board::new(helpers + 1, pieces, division, desk, spawner);
        let crew: Crew<'_, P, C, C::Result> = Crew::new(board, Half::of(right));
        let (mut work, mut folded) = (Some((before, left, reducer)), None);
        handover::lend(desk, helpers, spawner, &|seat| crew.board.help(&crew, seat), &mut || {
            let (before, left, reducer) = work.take().expect("the caller works once");
            crew.board.missing.store(desk.missing(helpers), Ordering::Relaxed);
            let _open = OpenUntilDropped { board: &crew.board, start_ns };
            folded = Some(crew.fold_both(before, left, reducer, 0, 0));
        });
        (folded.expect("the caller has worked"), crew.board.into_shift())
    })
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
    /// Some item panicked: what is left is dropped, not folded.
    abandoned: AtomicBool,
}

/// Where one worker says what it is about. Nobody else writes there, so that nothing has to be read and written in one
/// operation.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Seat {
    /// Bit `i` is set while level `i` of its part of the tree is on offer or was taken: the lowest level holds the most
    /// items. The topmost bit is [`DIVIDING`].
    offers: AtomicU64,
    /// How long the worker was at something, in nanoseconds, and for how much of that it waited for a half.
    present_ns: AtomicU64,
    idle_ns: AtomicU64,
    /// See [`Shift`].
    reducing_ns: AtomicU64,
    /// See [`Shift`].
    reductions: AtomicU64,
}

/// The worker has, or is about to take, a run of which it may offer parts.
const DIVIDING: u64 = 1 << 63;

impl Seat {
    fn clear_and_set(&self, clear: u64, set: u64) {
        self.offers.store(self.offers.load(Ordering::Relaxed) & !clear | set, Ordering::Release);
    }

    fn count(counter: &AtomicU64, more: u64) {
        counter.store(counter.load(Ordering::Relaxed) + more, Ordering::Relaxed);
    }

    fn shift(&mut self) -> Shift {
        let busy_ns = self.present_ns.get_mut().saturating_sub(*self.idle_ns.get_mut());
        let reducing_ns = *self.reducing_ns.get_mut();
        Shift { busy_ns, reducing_ns, reductions: *self.reductions.get_mut() }
    }
}

thread_local! {
    /// Seats of an earlier call, all of them empty.
    static SEATS: Cell<Vec<Seat>> = const { Cell::new(Vec::new()) };
}

/// What a worker does with what it finds on the board.
trait Tasks {
    /// Whether what `owner` offers at `level` is there, without a look at the lock.
    fn is_on_offer(&self, owner: usize, level: usize) -> bool;

    /// Takes what `owner` offers at `level`, if it is still there, and folds it at `seat`, offering
    /// halves from `from` on. Returns how long that took, in nanoseconds.
    fn take_and_fold(&self, owner: usize, level: usize, seat: usize, from: usize) -> Option<u64>;
}

/// What a look at all seats came to.
enum Look {
    /// Something was taken, and folded in so many nanoseconds.
    Took(u64),
    /// Somebody may offer more.
    MayCome,
    Nothing,
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
        let mut seats = SEATS.try_with(Cell::take).unwrap_or_default();
        seats.resize_with(workers, Seat::default);
        // What the caller offers first is there from the beginning.
        *seats[0].offers.get_mut() = 1 | DIVIDING;
        Board {
            division,
            desk,
            spawner,
            missing: AtomicUsize::new(0),
            seats,
            // Twice the depth leaves room for runs that are taken while waiting; beyond it a worker
            // keeps what it has to itself.
            levels: (2 * depth + 2).min(DIVIDING.trailing_zeros() as usize),
            finished: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
        }
    }

    /// A helper's work.
    fn help(&self, tasks: &dyn Tasks, seat: usize) {
        // Items that wait leave the cores to others.
        let _busy = (!self.division.patient).then(Busy::helper);
        let (mut in_vain, mut waited) = (0, 0);
        while in_vain < LOOKS_BEFORE_LEAVING {
            match self.take_an_offer(tasks, seat, 0) {
                Look::Took(ns) => {
                    Seat::count(&self.seats[seat].present_ns, ns);
                    (in_vain, waited) = (0, 0);
                }
                _ if self.finished.load(Ordering::Acquire) => break,
                _ if self.division.patient => thread::sleep(NAP),
                Look::MayCome if waited < LOOKS_BEFORE_YIELDING => {
                    (in_vain, waited) = (0, waited + 1);
                    std::hint::spin_loop();
                }
                Look::MayCome => {
                    (in_vain, waited) = (0, 0);
                    thread::yield_now();
                }
                Look::Nothing => in_vain += 1,
            }
        }
    }

    /// Waits for a half that another worker took, folding offers of others meanwhile.
    fn wait(&self, tasks: &dyn Tasks, done: &Done, seat: usize, level: usize) {
        if done.is_set() {
            return;
        }
        let (start_ns, mut took_ns, mut looks) = (pool::now_ns(), 0, 0);
        while !done.is_set() {
            if let Look::Took(ns) = self.take_an_offer(tasks, seat, level) {
                took_ns += ns;
                looks = 0;
            } else if looks < LOOKS_BEFORE_SLEEPING && !self.division.patient {
                // Where items wait there are more workers than cores: looking would keep others from working.
                looks += 1;
                std::hint::spin_loop();
            } else if !self.spawner.run_other_work() {
                done.sleep();
            }
        }
        let idle_ns = (pool::now_ns() - start_ns).saturating_sub(took_ns);
        Seat::count(&self.seats[seat].idle_ns, idle_ns);
    }

    /// Folds the largest offer of the next worker that has one.
    fn take_an_offer(&self, tasks: &dyn Tasks, seat: usize, level: usize) -> Look {
        let workers = self.seats.len();
        let mut look = Look::Nothing;
        for owner in (seat + 1..workers).chain(0..seat) {
            let offers = self.seats[owner].offers.load(Ordering::Acquire);
            if offers & DIVIDING != 0 {
                look = Look::MayCome;
            }
            let mut levels = offers & !DIVIDING;
            while levels != 0 {
                let on_offer = levels.trailing_zeros() as usize;
                levels &= levels - 1;
                if !tasks.is_on_offer(owner, on_offer) {
                    continue;
                }
                look = Look::MayCome;
                self.seats[seat].clear_and_set(0, DIVIDING);
                let took = tasks.take_and_fold(owner, on_offer, seat, level);
                self.seats[seat].clear_and_set(DIVIDING, 0);
                if let Some(ns) = took {
                    return Look::Took(ns);
                }
            }
        }
        look
    }

    /// The worker offers a half, after which it still has the other one.
    fn offer(&self, seat: usize, level: usize) {
        self.seats[seat].clear_and_set(0, 1 << level | DIVIDING);
    }

    /// The worker is about to take back what it offers at `level`.
    fn withdraw(&self, seat: usize, level: usize) {
        self.seats[seat].clear_and_set(1 << level, DIVIDING);
    }

    /// The worker has nothing that it could offer.
    fn divides_no_more(&self, seat: usize) {
        self.seats[seat].clear_and_set(DIVIDING, 0);
    }

    /// Summons helpers until none is missing, together with all who do the same. The caller, at seat 0, also
    /// sees to those who do not come.
    fn summon(&self, seat: usize) {
        if self.missing.load(Ordering::Relaxed) > 0 {
            let one_less = |missing: usize| missing.checked_sub(1);
            while self.missing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
            {
                Desk::summon_one(self.desk, self.spawner);
            }
            self.desk.summoned_ns.store(pool::now_ns(), Ordering::Relaxed);
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

    fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    fn note_reduction(&self, seat: usize, start_ns: u64) {
        let seat = &self.seats[seat];
        Seat::count(&seat.reducing_ns, pool::now_ns() - start_ns);
        Seat::count(&seat.reductions, 1);
    }

    fn into_shift(mut self) -> Shift {
        let shifts = self.seats.iter_mut().map(|seat| std::mem::take(seat).shift());
        let shift = shifts.fold(Shift::default(), Shift::and);
        // A thread that is ending keeps no seats.
        let _ = SEATS.try_with(|seats| seats.set(self.seats));
        shift
    }
}

/// Helpers may wait for offers until the caller, there since `start_ns`, has the result or unwinds.
struct OpenUntilDropped<'b, 's> {
    board: &'b Board<'s>,
    start_ns: u64,
}

impl Drop for OpenUntilDropped<'_, '_> {
    fn drop(&mut self) {
        self.board.finished.store(true, Ordering::Release);
        Seat::count(&self.board.seats[0].present_ns, pool::now_ns() - self.start_ns);
    }
}

struct Crew<'s, P, C, R> {
    board: Board<'s>,
    /// What the caller offers first: the first helper need not look far for it.
    first: Half<P, C, R>,
    /// By seat number. Each worker makes room for its halves when it first offers one.
    halves: Vec<OnceLock<Vec<Half<P, C, R>>>>,
}

impl<'s, P, C, R> Crew<'s, P, C, R>
where
    P: Pieces,
    C: Consumer<P::Item, Result = R>,
    R: Send,
{
    fn new(board: Board<'s>, first: Half<P, C, R>) -> Self {
        let halves = board.seats.iter().map(|_| OnceLock::new()).collect();
        Crew { board, first, halves }
    }

    fn half(&self, seat: usize, level: usize) -> &Half<P, C, R> {
        if (seat, level) == (0, 0) {
            return &self.first;
        }
        let empty = |_| Half::empty();
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
            return Folded::Open(before.unwrap_or_else(|| Open::of(run.consumer)));
        }
        let Some(middle) = board.division.middle(&run) else {
            board.divides_no_more(seat);
            return run.fold_onto(before, board.division.lengths, Open::timed);
        };
        let (left, right, reducer) = run.split_at(middle);
        if level == board.levels {
            let left = self.fold(before, left, seat, level);
            return self.fold_next(left, reducer, right, seat, level);
        }
        self.half(seat, level).offer(right);
        board.offer(seat, level);
        self.fold_both(before, left, reducer, seat, level)
    }

    /// Folds `left`, and then what is on offer at `level`, unless another worker takes it.
    fn fold_both(
        &self,
        before: Option<OpenBy<P::Item, C>>,
        left: Run<P, C>,
        reducer: C::Reducer,
        seat: usize,
        level: usize,
    ) -> FoldedBy<P::Item, C> {
        let (board, half) = (&self.board, self.half(seat, level));
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
        board.divides_no_more(seat);
        let left = left.and_then(|left| catch_unwind(AssertUnwindSafe(|| self.close(left, seat))));
        if left.is_err() {
            board.abandon();
        }
        board.wait(self, &half.done, seat, level + 1);
        match (left, half.result()) {
            (Ok(left), Ok(right)) => Folded::Closed(self.reduce(reducer, left, right, seat, level)),
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
        let (left, before) = if left.open_items() < self.board.division.folder_items {
            left.resume()
        } else {
            (Some(self.close(left, seat)), None)
        };
        let right = self.fold(before, right, seat, level);
        match left {
            None => right,
            Some(left) => right.after(left, reducer, |reducer, left, right| {
                self.reduce(reducer, left, right, seat, level)
            }),
        }
    }

    fn close(&self, folded: FoldedBy<P::Item, C>, seat: usize) -> R {
        Seat::count(&self.board.seats[seat].reducing_ns, folded.opening_ns());
        folded.close()
    }

    fn reduce(&self, reducer: impl Reducer<R>, left: R, right: R, seat: usize, level: usize) -> R {
        // Without open ends there are as many reductions as pieces.
        if level >= TIMED_LEVELS && !self.board.division.lengths.open_ended {
            return reducer.reduce(left, right);
        }
        let start_ns = pool::now_ns();
        let result = reducer.reduce(left, right);
        self.board.note_reduction(seat, start_ns);
        result
    }
}

impl<P, C, R> Tasks for Crew<'_, P, C, R>
where
    P: Pieces,
    C: Consumer<P::Item, Result = R>,
    R: Send,
{
    fn is_on_offer(&self, owner: usize, level: usize) -> bool {
        self.half(owner, level).is_on_offer()
    }

    fn take_and_fold(&self, owner: usize, level: usize, seat: usize, from: usize) -> Option<u64> {
        let half = self.half(owner, level);
        let run = half.take()?;
        let start_ns = pool::now_ns();
        let fold = || self.close(self.fold(None, run, seat, from), seat);
        let result = catch_unwind(AssertUnwindSafe(fold));
        if result.is_err() {
            self.board.abandon();
        }
        half.finish(result);
        Some(pool::now_ns() - start_ns)
    }
}

#[cfg(all(test, not(loom)))]
#[path = "crew_tests.rs"]
mod tests;
