//! Divide and conquer: two branches that say how many units of work they are.
//!
//! What is measured of such a loop is the time of a unit, from branches that did not fork. A fork below the
//! cut-off that follows from it is two plain calls, which are timed now and then. Above it, the caller takes the left
//! branch and keeps the right one on offer (`offers.rs`). Who has taken the left branch takes the right one too, unless
//! somebody else has.

use std::cell::Cell;

use amorsize_profile::{LoopFacts, MachineFacts};

use crate::clock::{self, Instant};
use crate::force::{self, Force};
use crate::handover;
use crate::linger;
use crate::loops::Loop;
use crate::machine;
use crate::model::{self, Limits};
use crate::offers::{self, Branch, Offers, Summoned, Waiting};
use crate::pool::{self, Busy};
use crate::sampling;

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
        if target.serial().is_untimed(costs.worth()) && !sampling::call_is_due() {
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
    sampling::schedule_call();
    target.activate();
    #[cfg(feature = "record")]
    crate::record::note_untuned(target);
    if target.options().on_pool && pool::is_outside() {
        let (mut branches, mut results) = (Some((left, right)), None);
        pool::enter(&mut || {
            let (left, right) = branches.take().expect("the pool runs it once");
            results = Some(run(target, costs, left, right));
        });
        return results.expect("the pool has run it");
    }
    // The next fork looks again: as soon as somebody has taken an offer, there are more.
    if force::current().is_none() && offers::are_plenty() {
        return (left(), right());
    }
    let left = || timed(target, costs.left, left);
    let right = || timed(target, costs.right, right);
    match way(target, costs) {
        Way::Serial => (left(), right()),
        Way::Rayon => rayon::join(left, right),
        Way::Fork { workers } => fork(target, workers, left, costs.right, right),
    }
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
    // Where too little is known yet, the branches tell. Nobody is summoned before that.
    let Some(facts) = target.facts(worth).filter(|_| target.is_known()) else {
        return Way::Fork { workers: 1 };
    };
    let serial_ns = facts.item_ns * worth as f64;
    // While recording, thresholds are not where calls look for them.
    let below = target.planned();
    let hot = || hot_helpers(&machine::facts());
    if below.is_untimed(worth) || below.is_certain_with(worth, hot) {
        if below.is_missed(worth) {
            pool::note_missed(serial_ns, &machine::facts());
        }
        return Way::Serial;
    }
    let limits = machine::limits_by_cores(None, target.options().max_workers);
    // The costs say how even the branches are, and results are the caller's to combine.
    let branches = LoopFacts { item_ns: serial_ns / 2.0, item_cv: 0.0, reduce_ns: 0.0, ..facts };
    let machine = machine::facts_for(serial_ns);
    if limits.workers < 2 || !model::fork_pays(&branches, &machine, hot_helpers(&machine)) {
        return Way::Serial;
    }
    fork_within(target.limit_by_load(machine::limit_by_pool(limits)).workers)
}

/// How many helpers would come at once: whoever has a branch looks for the next one when that is done.
fn hot_helpers(machine: &MachineFacts) -> usize {
    let awake = usize::from(pool::busy_helpers() > 0);
    pool::helpers_counted_hot(machine).max(awake)
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
fn timed<R>(target: &'static Loop, cost: usize, branch: impl FnOnce() -> R) -> R {
    let (before, start) = (forks(), Instant::now());
    let result = branch();
    if forks() == before {
        let busy_ns = clock::ns(start.elapsed());
        if target.observe_branch(cost, busy_ns) {
            summon_late(target);
        }
    }
    result
}

/// Summons a helper for what is on offer since nothing was known of its cost, if it pays.
fn summon_late(target: &'static Loop) {
    let Some(cost) = offers::oldest_cost(target) else { return };
    if let Way::Fork { workers } = way(target, Costs { left: cost, right: cost }) {
        offers::summon(workers);
    }
}

/// Runs `left` here and `right` on a helper, or here too if none has taken it by then.
fn fork<A, B, RA, RB>(
    target: &'static Loop,
    workers: usize,
    left: A,
    cost_right: usize,
    right: B,
) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    let _ = FORKS.try_with(|forks| forks.set(forks.get().wrapping_add(1)));
    let right = Branch::new(right);
    let summoned = Summoned::default();
    let help = |_| {
        // A helper that was summoned for an earlier offer at this desk may come as well.
        let Some(_busy) = summoned.take().or_else(|| Busy::helper_within(workers)) else { return };
        if let Ok(branch) = right.take(Offers::of_this_thread()) {
            right.run(branch);
            pool::note_use(pool::now_ns(), 1);
        }
    };
    let (mut left, mut left_result) = (Some(left), None);
    let waiting = Waiting::default();
    handover::at_desk(1, |desk| {
        linger::stay(desk, 0);
        handover::lend(desk, 1, &waiting, &help, &mut || {
            let left = left.take().expect("the caller works once");
            let offered = offers::offer(desk, &summoned, target, cost_right, workers);
            offers::summon(workers);
            left_result = Some(left());
            drop(offered);
            match right.take(None) {
                Ok(branch) => {
                    // Whoever was summoned comes too late.
                    drop(summoned.take());
                    right.run(branch);
                }
                Err(source) => waiting.begin(source),
            }
        });
    });
    (left_result.expect("the caller has worked"), right.result().expect("somebody took the branch"))
}
