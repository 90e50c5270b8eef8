//! Divide and conquer: two branches that say how many units of work they are.
//!
//! What is measured of such a loop is the time of a unit, from branches that did not fork. A fork below the
//! cut-off that follows from it is two plain calls. Above it, the caller takes the left branch and keeps the
//! right one on offer. As long as all workers are busy nobody is told; at any later fork on the same thread
//! that finds a worker missing, a helper is summoned for the oldest offer, which is the largest. Who has
//! taken the left branch takes the right one too, unless a helper has.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use amorsize_profile::LoopFacts;

use crate::clock::Instant;
use crate::force::{self, Force};
use crate::handover::{self, Desk, SharedDesk};
use crate::linger;
use crate::loops::Loop;
use crate::machine;
use crate::model::{self, Limits, Plan};
use crate::pool::{self, Busy, Pool};

/// The share of a parallel call's time that entering the pool may cost.
const ENTRY_SHARE: f64 = 0.03;

/// Runs two closures, in parallel where that pays, and returns both results.
///
/// The costs are in any unit of work that grows like the time of the branches, such as their numbers of
/// items. Inside a function under `#[amorsize::tune]` the time of a unit is measured as the program runs,
/// and branches that are too short for it run one after the other: the recursion needs no threshold of its
/// own. Elsewhere this is [`rayon::join`], and the costs are not looked at.
///
/// # Panics
///
/// Panics if one of the closures does, after both have ended; the right one may not have run then.
#[inline]
pub fn join<A, B, RA, RB>(cost_left: usize, left: A, cost_right: usize, right: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    _ = (cost_left, cost_right);
    rayon::join(left, right)
}

impl Loop {
    /// What [`join`] becomes under the attribute.
    #[doc(hidden)]
    #[inline]
    pub fn join<A, B, RA, RB>(
        &'static self,
        cost_left: usize,
        left: A,
        cost_right: usize,
        right: B,
    ) -> (RA, RB)
    where
        A: FnOnce() -> RA + Send,
        B: FnOnce() -> RB + Send,
        RA: Send,
        RB: Send,
    {
        let target = self.for_items::<A>();
        let costs = Costs { left: cost_left, right: cost_right };
        if target.serial().is_untimed(costs.worth()) {
            return (left(), right());
        }
        run(target, costs, left, right)
    }
}

/// Units of work in the two branches.
#[derive(Clone, Copy)]
struct Costs {
    left: usize,
    right: usize,
}

impl Costs {
    /// The units of a fork with equal branches that gains as much: as its smaller branch takes.
    #[inline]
    fn worth(self) -> usize {
        self.left.min(self.right).saturating_mul(2)
    }
}

#[inline(never)]
fn run<A, B, RA, RB>(target: &'static Loop, costs: Costs, left: A, right: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    target.activate();
    #[cfg(feature = "record")]
    crate::record::note_untuned(target);
    let way = way(target, costs);
    if rayon::current_thread_index().is_none() && enters_pool(target, costs, &way) {
        let (mut branches, mut results) = (Some((left, right)), None);
        pool::enter(&mut || {
            let (left, right) = branches.take().expect("the pool runs it once");
            results = Some(run(target, costs, left, right));
        });
        return results.expect("the pool has run it");
    }
    let left = || timed(target, costs.left, left);
    let right = || timed(target, costs.right, right);
    match way {
        Way::Serial => (left(), right()),
        Way::Rayon => rayon::join(left, right),
        Way::Fork { workers } => fork(workers, left, right),
    }
}

/// Whether a call from outside the pool goes there as a whole. A caller that stays outside works from the first
/// moment, but is one thread more than there are cores, which shows in long calls; to enter and to come back
/// takes a cold start.
fn enters_pool(target: &Loop, costs: Costs, way: &Way) -> bool {
    if target.options().on_pool {
        return true;
    }
    let &Way::Fork { workers } = way else { return false };
    let facts = target.facts(costs.worth()).filter(|_| force::current().is_none());
    let Some(facts) = facts else { return false };
    let serial_ns = facts.item_ns * costs.left.saturating_add(costs.right) as f64;
    let machine = machine::facts_for(serial_ns);
    let price_ns = machine.cold_spawn_ns + machine.cold_wake_ns;
    price_ns < ENTRY_SHARE * serial_ns / workers as f64
}

enum Way {
    Serial,
    Rayon,
    Fork { workers: usize },
}

fn way(target: &'static Loop, costs: Costs) -> Way {
    let fork_within = |workers| if workers > 1 { Way::Fork { workers } } else { Way::Serial };
    match force::current() {
        None => {}
        Some(Force::Serial) => return Way::Serial,
        Some(Force::Rayon) => return Way::Rayon,
        Some(Force::Workers { workers, chunk }) => {
            let shortest = costs.left.min(costs.right);
            let is_chunk = shortest >= chunk.unwrap_or(1);
            let workers = machine::limit_by_pool(Limits::cores(workers)).workers;
            return if is_chunk { fork_within(workers) } else { Way::Serial };
        }
    }
    let worth = costs.worth();
    // Where nothing is known yet, the branches tell.
    let Some(facts) = target.facts(worth) else { return Way::Serial };
    let serial_ns = facts.item_ns * worth as f64;
    // While recording, thresholds are not where calls look for them.
    let below = target.planned();
    if below.is_untimed(worth) || below.is_certain(worth) {
        if below.is_missed(worth) {
            pool::note_missed(serial_ns, &machine::facts());
        }
        return Way::Serial;
    }
    let limits = machine::limits_by_cores(None, target.options().max_workers);
    // The costs say how even the branches are, and results are the caller's to combine.
    let branches = LoopFacts { item_ns: serial_ns / 2.0, item_cv: 0.0, reduce_ns: 0.0, ..facts };
    let machine = machine::facts_for(serial_ns);
    let pair = Limits { workers: limits.workers.min(2), ..limits };
    let hot = pool::helpers_counted_hot(&machine);
    match model::decide(2, &branches, &machine, &pair, hot).plan {
        Plan::Serial => Way::Serial,
        Plan::Parallel { .. } => {
            fork_within(target.limit_by_load(machine::limit_by_pool(limits)).workers)
        }
    }
}

thread_local! {
    /// Forks of this thread so far.
    static FORKS: Cell<usize> = const { Cell::new(0) };
}

/// A thread that is ending has no counter any more; what it measures then counts as serial.
fn forks() -> usize {
    FORKS.try_with(Cell::get).unwrap_or(0)
}

/// Runs a branch and learns from it, unless it forked.
fn timed<R>(target: &Loop, cost: usize, branch: impl FnOnce() -> R) -> R {
    let (before, start) = (forks(), Instant::now());
    let result = branch();
    if forks() == before {
        target.observe(cost, start.elapsed().as_nanos() as f64);
    }
    result
}

/// The helper that was summoned for an offer and has not come.
type Summoned = Arc<Mutex<Option<Busy>>>;

thread_local! {
    /// What this thread has on offer and has not summoned anybody for, the oldest first.
    static OFFERS: RefCell<VecDeque<(SharedDesk, Summoned)>> = const { RefCell::new(VecDeque::new()) };
}

/// What a thread has on offer while it takes the left branch.
struct Offered<'d>(&'d SharedDesk);

impl<'d> Offered<'d> {
    /// Adds an offer, and summons a helper for the oldest one of this thread if there is room.
    fn new(desk: &'d SharedDesk, summoned: &Summoned, workers: usize) -> Self {
        let add = |offers: &RefCell<VecDeque<_>>| {
            let mut offers = offers.borrow_mut();
            offers.push_back((SharedDesk::clone(desk), Arc::clone(summoned)));
            Busy::helper_within(workers).and_then(|busy| Some((busy, offers.pop_front()?)))
        };
        // A thread that is ending offers nothing.
        if let Ok(Some((busy, (oldest, summoned)))) = OFFERS.try_with(add) {
            *lock(&summoned) = Some(busy);
            Desk::summon(&oldest, 1, &Pool::Rayon);
        }
        Offered(desk)
    }
}

impl Drop for Offered<'_> {
    fn drop(&mut self) {
        let _ = OFFERS.try_with(|offers| {
            let mut offers = offers.borrow_mut();
            // Unless a helper was summoned for it.
            if offers.back().is_some_and(|(last, _)| SharedDesk::ptr_eq(last, self.0)) {
                offers.pop_back();
            }
        });
    }
}

/// No user code runs under the locks of this module.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A branch that somebody takes, and then its result.
struct Branch<F, R> {
    branch: Mutex<Option<F>>,
    result: Mutex<Option<R>>,
}

impl<F: FnOnce() -> R, R> Branch<F, R> {
    fn take(&self) -> Option<F> {
        lock(&self.branch).take()
    }

    fn run(&self, branch: F) {
        let result = branch();
        *lock(&self.result) = Some(result);
    }
}

/// Runs `left` here and `right` on a helper, or here too if none has taken it by then.
fn fork<A, B, RA, RB>(workers: usize, left: A, right: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    let _ = FORKS.try_with(|forks| forks.set(forks.get().wrapping_add(1)));
    let right = Branch { branch: Mutex::new(Some(right)), result: Mutex::new(None) };
    let summoned = Summoned::default();
    let help = |_| {
        // A helper that was summoned for an earlier offer at this desk may come as well.
        let expected = lock(&summoned).take();
        let Some(_busy) = expected.or_else(|| Busy::helper_within(workers)) else { return };
        if let Some(branch) = right.take() {
            right.run(branch);
        }
    };
    let (mut left, mut left_result, mut waiting) = (Some(left), None, None);
    handover::at_desk(1, |desk| {
        linger::stay(desk, 0);
        handover::lend(desk, 1, &Pool::Rayon, &help, &mut || {
            let left = left.take().expect("the caller works once");
            let offered = Offered::new(desk, &summoned, workers);
            left_result = Some(left());
            drop(offered);
            match right.take() {
                Some(branch) => {
                    // Whoever was summoned comes too late.
                    *lock(&summoned) = None;
                    right.run(branch);
                }
                None => waiting = Some(Busy::waiting()),
            }
        });
    });
    if waiting.is_some() {
        pool::note_use(pool::now_ns(), 1);
    }
    let right_result = right.result.into_inner().unwrap_or_else(PoisonError::into_inner);
    (left_result.expect("the caller has worked"), right_result.expect("somebody took the branch"))
}
