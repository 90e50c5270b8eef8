//! What the workers of a call share, whatever its items are: where each says what it offers, and how the others find it.
//!
//! Nothing here has type parameters, so that one copy of the code serves all loops of a program.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::crew::Division;
use crate::half::Done;
use crate::handover::{Desk, SharedDesk, Spawner};
use crate::machine;
use crate::pool::{self, Busy};

/// How often in a row a helper sees that there is nothing to come before it goes home. Seats are looked at one after the
/// other: a run may pass from one that is still to be seen to one that was.
const LOOKS_BEFORE_LEAVING: u32 = 2;
/// How often a helper looks in a row for what may come before it leaves its core to others: whoever divides a run at that
/// moment may be waiting for one.
const LOOKS_BEFORE_YIELDING: u32 = 1_000;
/// How often a worker looks for the result of a half before it does something else, and how often it does for each look at
/// what others offer: every look at a place keeps who writes there waiting.
const LOOKS_BEFORE_SLEEPING: u32 = 4_000;
const LOOKS_PER_OFFER: u32 = 8;
/// From how long a shift on, in nanoseconds, a helper says that its core is free again. After shorter ones the call is as good
/// as over, and many helpers would say so at once.
const LONG_SHIFT_NS: u64 = 20_000;
/// How long a helper sleeps before it looks again, where items wait.
const NAP: Duration = Duration::from_micros(200);
/// For how long, in nanoseconds, a helper waits at most for a worker who divides a run. That takes microseconds, or as long as
/// a system lets others run first. Who is at it for longer runs what users wrote, and that may wait for this very thread, which
/// came here from within an item, say.
const LONGEST_DIVISION_NS: u64 = 10_000_000;

/// What the workers of one call did, in all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shift {
    /// Time that workers were there and had something to do.
    pub(crate) busy_ns: u64,
    /// Time in reductions, and in making the folders whose results were reduced: in those of the uppermost levels where
    /// there is one for each piece. 0 where that was not timed.
    pub(crate) reducing_ns: u64,
    /// How many reductions that were.
    pub(crate) reductions: u64,
}

impl Shift {
    pub(crate) fn and(self, other: Shift) -> Shift {
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

/// A thread at work on a call.
#[derive(Debug, Default)]
pub(crate) struct Worker {
    /// 0 for the caller.
    pub(crate) seat: usize,
    /// What it has done, without its time, and what others have done of its run.
    pub(crate) shift: Shift,
    /// For how long it was not at its run.
    absent_ns: u64,
}

impl Worker {
    /// At this seat.
    pub(crate) fn at(seat: usize) -> Self {
        Worker { seat, ..Worker::default() }
    }

    /// All that was done for its run, which took so long.
    pub(crate) fn shift_of(mut self, took_ns: u64) -> Shift {
        self.shift.busy_ns += took_ns.saturating_sub(self.absent_ns);
        self.shift
    }

    /// It waited for others, or folded what it took from them, which is in the shift of that run.
    pub(crate) fn note_absence(&mut self, ns: u64) {
        self.absent_ns += ns;
    }

    /// Adds what making a folder took, if that was timed.
    pub(crate) fn note_opening(&mut self, ns: u64) {
        self.shift.reducing_ns += ns;
    }

    /// Adds a reduction and, if it was timed, what it took.
    pub(crate) fn note_reduction(&mut self, ns: u64) {
        self.shift.reducing_ns += ns;
        self.shift.reductions += 1;
    }
}

/// What a worker does with what it finds on the board.
pub(crate) trait Tasks {
    /// Whether nobody has taken the share yet, without a look at the lock.
    fn is_share_on_offer(&self, share: usize) -> bool;

    /// Takes a share, if it is still there, and folds it at `seat`, offering halves from `from` on. Returns how long that
    /// took, in nanoseconds.
    fn take_share(&self, share: usize, seat: usize, from: usize) -> Option<u64>;

    /// As for a share: the half that `owner` offers at `level`.
    fn is_half_on_offer(&self, owner: usize, level: usize) -> bool;

    fn take_half(&self, owner: usize, level: usize, seat: usize, from: usize) -> Option<u64>;
}

/// What the workers of a call share. In the order in which a helper needs it: what all of them read, and nobody writes as
/// long as all goes well, lies on as few cache lines as can be.
#[repr(C)]
pub(crate) struct Board<'s> {
    /// Helpers that nobody has summoned yet.
    missing: AtomicUsize,
    /// How many shares the run was cut into, besides the caller's own.
    shares: usize,
    /// How many halves a worker may have on offer.
    pub(crate) levels: usize,
    /// A helper waits for each share, and none will be divided.
    all_is_dealt_out: bool,
    /// Some item panicked: what is left is dropped, not folded.
    abandoned: AtomicBool,
    desk: &'s SharedDesk,
    pub(crate) division: Division,
    /// By seat number.
    seats: Vec<Seat>,
    spawner: &'s (dyn Spawner + Sync),
    /// No more work will be offered.
    finished: AtomicBool,
    /// Helpers that do not count as busy any more.
    gone: AtomicUsize,
}

/// Where one worker says what it offers. Nobody else writes there, so that nothing has to be read and written in one
/// operation.
///
/// Bit `i` is set while level `i` of its part of the tree is on offer or was taken: the lowest level holds the most
/// items. The topmost bit is [`DIVIDING`].
#[derive(Debug, Default)]
#[repr(align(128))]
struct Seat(AtomicU64);

/// The worker has, or is about to take, a run of which it may offer parts.
const DIVIDING: u64 = 1 << 63;

/// As many levels as there are bits for.
const MOST_LEVELS: usize = 63;

impl Seat {
    fn clear_and_set(&self, clear: u64, set: u64) {
        self.0.store(self.0.load(Ordering::Relaxed) & !clear | set, Ordering::Release);
    }
}

thread_local! {
    /// Seats of an earlier call, all of them empty.
    static SEATS: Cell<Vec<Seat>> = const { Cell::new(Vec::new()) };
}

/// What a look came to.
enum Look {
    /// Something was taken, and folded in so many nanoseconds.
    Took(u64),
    /// Somebody may offer more.
    MayCome,
    Nothing,
}

impl<'s> Board<'s> {
    /// For a run that is cut into `shares` besides the caller's own, none of more than `pieces` pieces.
    pub(crate) fn new(
        workers: usize,
        shares: usize,
        pieces: usize,
        division: Division,
        desk: &'s SharedDesk,
        spawner: &'s (dyn Spawner + Sync),
    ) -> Self {
        let mut seats = SEATS.try_with(Cell::take).unwrap_or_default();
        seats.resize_with(workers, Seat::default);
        let depth = pieces.checked_next_power_of_two().map_or(64, usize::trailing_zeros) as usize;
        // One more for what is taken while a half is waited for. Beyond it a worker keeps what it has to itself.
        let levels = if pieces > 1 { (depth + 1).min(MOST_LEVELS) } else { 0 };
        // The caller has its own share from the beginning.
        *seats[0].0.get_mut() = if pieces > 1 { DIVIDING } else { 0 };
        Board {
            division,
            desk,
            spawner,
            missing: AtomicUsize::new(0),
            shares,
            all_is_dealt_out: levels == 0 && desk.waiting(shares) == shares,
            seats,
            levels,
            finished: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            gone: AtomicUsize::new(0),
        }
    }

    /// The caller and the helpers that it may have.
    pub(crate) fn workers(&self) -> usize {
        self.seats.len()
    }

    /// The caller begins: so many helpers may be missing.
    pub(crate) fn begin(&self) {
        let missing = self.desk.missing(self.workers() - 1);
        // Mostly none is, and helpers who have come are looking at what is beside it.
        if missing > 0 {
            self.missing.store(missing, Ordering::Relaxed);
            if self.division.sparing {
                self.summon_missing(1);
            }
        }
        self.summon(0);
    }

    /// A helper's work.
    pub(crate) fn help(&self, tasks: &dyn Tasks, seat: usize) {
        self.summon(seat);
        let mut worked_ns = self.take_own_share(tasks, seat);
        if !self.all_is_dealt_out {
            worked_ns += self.look_for_work(tasks, seat);
        }
        if worked_ns > LONG_SHIFT_NS && !self.division.patient {
            self.gone.fetch_add(1, Ordering::Relaxed);
            Busy::one_less();
        }
    }

    /// Takes the share that is meant for this seat, and that only the caller would take from it: where all looked for
    /// something at once, they would keep each other from it.
    fn take_own_share(&self, tasks: &dyn Tasks, seat: usize) -> u64 {
        let share = seat - 1;
        if share >= self.shares {
            return 0;
        }
        self.take(seat, || tasks.take_share(share, seat, 0)).unwrap_or(0)
    }

    fn look_for_work(&self, tasks: &dyn Tasks, seat: usize) -> u64 {
        let (mut in_vain, mut looks, mut worked_ns) = (0, 0_u32, 0);
        // Since when somebody may come to offer more; 0 until that takes a while.
        let mut since_ns = 0;
        while in_vain < LOOKS_BEFORE_LEAVING {
            match self.take_an_offer(tasks, seat, 0) {
                Look::Took(ns) => (in_vain, looks, since_ns, worked_ns) = (0, 0, 0, worked_ns + ns),
                _ if self.finished.load(Ordering::Acquire) => break,
                Look::Nothing => in_vain += 1,
                Look::MayCome => {
                    (in_vain, looks) = (0, looks.wrapping_add(1));
                    let rests = self.division.patient || looks % LOOKS_BEFORE_YIELDING == 0;
                    if !rests {
                        std::hint::spin_loop();
                        continue;
                    }
                    let now_ns = pool::now_ns();
                    if since_ns == 0 {
                        since_ns = now_ns;
                    } else if now_ns - since_ns > LONGEST_DIVISION_NS {
                        break;
                    }
                    if self.division.patient { thread::sleep(NAP) } else { thread::yield_now() }
                }
            }
        }
        worked_ns
    }

    /// Waits for what another worker took, folding offers of others meanwhile.
    pub(crate) fn wait(&self, tasks: &dyn Tasks, done: &Done, worker: &mut Worker, level: usize) {
        if done.is_set() {
            return;
        }
        let (start_ns, mut looks) = (pool::now_ns(), 0);
        while !done.is_set() {
            let looks_around = looks % LOOKS_PER_OFFER == 0;
            looks = looks.wrapping_add(1);
            let look = looks_around.then(|| self.take_an_offer(tasks, worker.seat, level));
            if let Some(Look::Took(_)) = look {
                looks = 0;
            } else if looks < LOOKS_BEFORE_SLEEPING && !self.division.patient {
                // Where items wait there are more workers than cores: looking would keep others from working.
                std::hint::spin_loop();
            } else if !self.spawner.run_other_work() {
                done.sleep();
            }
        }
        worker.note_absence(pool::now_ns() - start_ns);
    }

    /// Folds a share that nobody came for, or the largest half that the next worker offers who has one.
    fn take_an_offer(&self, tasks: &dyn Tasks, seat: usize, level: usize) -> Look {
        let mut look = Look::Nothing;
        let nobodys = self.desk.entered()..self.shares;
        for share in nobodys.filter(|&share| tasks.is_share_on_offer(share)) {
            look = Look::MayCome;
            if let Some(ns) = self.take(seat, || tasks.take_share(share, seat, level)) {
                return Look::Took(ns);
            }
        }
        if self.levels == 0 {
            return look;
        }
        for owner in (seat + 1..self.workers()).chain(0..seat) {
            match self.take_from(tasks, owner, seat, level) {
                Look::Took(ns) => return Look::Took(ns),
                Look::MayCome => look = Look::MayCome,
                Look::Nothing => {}
            }
        }
        look
    }

    /// Folds the largest half that one worker offers.
    fn take_from(&self, tasks: &dyn Tasks, owner: usize, seat: usize, level: usize) -> Look {
        let offers = self.seats[owner].0.load(Ordering::Acquire);
        let mut look = if offers & DIVIDING != 0 { Look::MayCome } else { Look::Nothing };
        let mut levels = offers & !DIVIDING;
        while levels != 0 {
            let on_offer = levels.trailing_zeros() as usize;
            levels &= levels - 1;
            if !tasks.is_half_on_offer(owner, on_offer) {
                continue;
            }
            look = Look::MayCome;
            if let Some(ns) = self.take(seat, || tasks.take_half(owner, on_offer, seat, level)) {
                return Look::Took(ns);
            }
        }
        look
    }

    /// Takes something and folds it: whoever looks meanwhile sees that more may come.
    fn take(&self, seat: usize, take_and_fold: impl FnOnce() -> Option<u64>) -> Option<u64> {
        if self.levels == 0 {
            return take_and_fold();
        }
        self.seats[seat].clear_and_set(0, DIVIDING);
        let took_ns = take_and_fold();
        self.seats[seat].clear_and_set(DIVIDING, 0);
        took_ns
    }

    /// The worker offers a half, after which it still has the other one.
    pub(crate) fn offer(&self, seat: usize, level: usize) {
        self.seats[seat].clear_and_set(0, 1 << level | DIVIDING);
    }

    /// The worker is about to take back what it offers at `level`.
    pub(crate) fn withdraw(&self, seat: usize, level: usize) {
        self.seats[seat].clear_and_set(1 << level, DIVIDING);
    }

    /// The worker has nothing that it could offer.
    pub(crate) fn divides_no_more(&self, seat: usize) {
        if self.levels > 0 {
            self.seats[seat].clear_and_set(DIVIDING, 0);
        }
    }

    /// Summons helpers until none is missing, together with all who do the same. The caller, at seat 0, also
    /// sees to those who do not come.
    pub(crate) fn summon(&self, seat: usize) {
        if self.missing.load(Ordering::Relaxed) > 0 && !(seat == 0 && self.division.sparing) {
            self.summon_missing(usize::MAX);
        } else if seat == 0 {
            self.summon_again();
        }
    }

    /// Summons up to so many helpers while any are missing.
    fn summon_missing(&self, most: usize) {
        let one_less = |missing: usize| missing.checked_sub(1);
        let is_one_missing =
            || self.missing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok();
        for _ in (0..most).take_while(|_| is_one_missing()) {
            Desk::summon_one(self.desk, self.spawner);
        }
        self.desk.summoned_ns.store(pool::now_ns(), Ordering::Relaxed);
    }

    /// Summons one helper more if those who were summoned are late. A pool counts a thread that looks for work as
    /// awake and wakes no other one for a single job, even when the system lets that thread wait for the
    /// core that the caller keeps busy. For a second job it does.
    fn summon_again(&self) {
        let pending = self.desk.pending();
        if pending == 0 || pending > self.workers() - 1 {
            return;
        }
        let now_ns = pool::now_ns();
        let waited_ns = now_ns.saturating_sub(self.desk.summoned_ns.load(Ordering::Relaxed));
        if waited_ns as f64 > pool::late_after_ns(now_ns, &machine::facts()) {
            self.desk.summoned_ns.store(now_ns, Ordering::Relaxed);
            Desk::summon_one(self.desk, self.spawner);
        }
    }

    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    /// The call is over.
    pub(crate) fn end(self) {
        // A thread that is ending keeps no seats.
        let _ = SEATS.try_with(|seats| seats.set(self.seats));
    }
}

/// Helpers may wait for offers until the caller has the result or unwinds.
pub(crate) struct OpenUntilDropped<'b, 's>(pub(crate) &'b Board<'s>);

impl Drop for OpenUntilDropped<'_, '_> {
    fn drop(&mut self) {
        self.0.finished.store(true, Ordering::Release);
    }
}

/// The helpers of a call count as busy until it is dropped. The caller says so for all of them.
pub(crate) struct BusyHelpers<'b, 's> {
    board: &'b Board<'s>,
    /// Items that wait leave the cores to others.
    busy: Option<Busy>,
}

impl<'b, 's> BusyHelpers<'b, 's> {
    pub(crate) fn of(board: &'b Board<'s>) -> Self {
        let helpers = board.workers() - 1;
        BusyHelpers { board, busy: (!board.division.patient).then(|| Busy::helpers(helpers)) }
    }
}

impl Drop for BusyHelpers<'_, '_> {
    fn drop(&mut self) {
        let gone = self.board.gone.load(Ordering::Relaxed);
        self.busy.iter_mut().for_each(|busy| busy.forget(gone));
    }
}
