//! Rayon's pool as the source of helpers, and how ready they are.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicIsize, AtomicU64, AtomicUsize, Ordering};

use amorsize_profile::MachineFacts;

use crate::clock::Instant;
use crate::handover::{Spawner, Ticket};
use crate::linger;
use crate::machine;
use crate::model::{Bound, Limits};

/// Where helpers come from.
pub(crate) enum Pool {
    /// The pool of the calling thread if it is a pool thread, the global pool otherwise.
    Rayon,
    /// A pool for items that wait more than they compute.
    Io,
}

impl Spawner for Pool {
    fn spawn(&self, ticket: Ticket) {
        let pool_of_its_own = match self {
            Pool::Rayon => None,
            Pool::Io => io_pool(),
        };
        match pool_of_its_own {
            Some(pool) => pool.spawn(|| ticket.redeem(&mut linger::Leaving)),
            None if is_there() => rayon::spawn(|| linger::redeem(ticket)),
            // A helper that never comes: the caller does the work.
            None => drop(ticket),
        }
    }

    fn run_other_work(&self) -> bool {
        match self {
            Pool::Rayon => rayon::yield_now() == Some(rayon::Yield::Executed),
            // It might be a helper's job, whose items wait for long.
            Pool::Io => false,
        }
    }
}

/// Threads that calls from this one can have: those of its pool if it is a pool thread, else of the global
/// pool, which this builds. One, the caller, where the system gives no threads.
pub(crate) fn threads() -> usize {
    if is_there() { rayon::current_num_threads() } else { 1 }
}

/// Whether this thread has a pool. Rayon panics where it cannot build its global one.
fn is_there() -> bool {
    static GLOBAL: OnceLock<bool> = OnceLock::new();
    // Where there are no threads at all, rayon makes do with the caller.
    let build = || {
        cfg!(target_family = "wasm")
            || match rayon::ThreadPoolBuilder::new().build_global() {
                Ok(()) => true,
                // The user has built it, or it failed for a reason of the system's.
                Err(error) => std::error::Error::source(&error).is_none(),
            }
    };
    rayon::current_thread_index().is_some() || *GLOBAL.get_or_init(build)
}

/// Whether this thread is outside of the pool that it could [`enter`].
pub(crate) fn is_outside() -> bool {
    rayon::current_thread_index().is_none() && is_there()
}

/// Runs `work` on a thread of rayon's global pool, once, and waits for it.
pub(crate) fn enter(work: &mut (dyn FnMut() + Send)) {
    rayon::scope(|_| work());
}

/// Threads of the pool for items that wait, for each core and at least.
const IO_THREADS_PER_CORE: usize = 8;
const FEWEST_IO_THREADS: usize = 32;

/// Made when it is first needed; `None` where the system does not give so many threads.
fn io_pool() -> Option<&'static rayon::ThreadPool> {
    static POOL: OnceLock<Option<rayon::ThreadPool>> = OnceLock::new();
    let build = || {
        let name = |index| format!("amorsize-io-{index}");
        let threads = io_threads();
        rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(name).build().ok()
    };
    POOL.get_or_init(build).as_ref()
}

fn io_threads() -> usize {
    IO_THREADS_PER_CORE.saturating_mul(machine::usable_cores()).max(FEWEST_IO_THREADS)
}

/// The limits of a loop whose items wait: the threads of their pool, the caller included.
pub fn io_limits(max_workers: Option<usize>) -> Limits {
    let threads = Limits { bound: Bound::Pool, ..Limits::cores(io_threads()) };
    match max_workers.filter(|&most| most < threads.workers) {
        Some(most) => Limits { workers: most.max(1), bound: Bound::MaxWorkers, ..threads },
        None => threads,
    }
}

/// Helpers of this process that compute or are expected to, less callers that only wait for one.
static BUSY_HELPERS: AtomicIsize = AtomicIsize::new(0);

/// How many cores helpers keep busy at the moment.
pub(crate) fn busy_helpers() -> usize {
    BUSY_HELPERS.load(Ordering::Relaxed).try_into().unwrap_or(0)
}

/// Whether so many busy helpers and their caller are fewer than `workers`.
fn has_room(busy: isize, workers: usize) -> bool {
    busy < workers as isize - 1
}

/// Counts as a busy helper, or as one less, until it is dropped.
pub(crate) struct Busy(isize);

impl Busy {
    /// So many helpers more.
    pub(crate) fn helpers(count: usize) -> Self {
        let count = count as isize;
        BUSY_HELPERS.fetch_add(count, Ordering::Relaxed);
        Busy(count)
    }

    /// One of them has gone home. It says so itself, and the caller [`forgets`](Busy::forget) it.
    pub(crate) fn one_less() {
        BUSY_HELPERS.fetch_sub(1, Ordering::Relaxed);
    }

    /// So many of them have said that they have gone.
    pub(crate) fn forget(&mut self, gone: usize) {
        self.0 -= gone as isize;
    }

    /// Whether fewer than `workers` threads are busy. The caller is one of them.
    pub(crate) fn is_one_missing(workers: usize) -> bool {
        has_room(BUSY_HELPERS.load(Ordering::Relaxed), workers)
    }

    /// One more helper, if fewer than `workers` threads are busy.
    pub(crate) fn helper_within(workers: usize) -> Option<Self> {
        // Mostly there is none, and others need not hear about it.
        if !Busy::is_one_missing(workers) {
            return None;
        }
        let start = |busy| has_room(busy, workers).then_some(busy + 1);
        BUSY_HELPERS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, start).ok()?;
        Some(Busy(1))
    }

    /// A caller that waits.
    pub(crate) fn waiting() -> Self {
        BUSY_HELPERS.fetch_sub(1, Ordering::Relaxed);
        Busy(-1)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY_HELPERS.fetch_sub(self.0, Ordering::Relaxed);
    }
}

static HEAT: Heat = Heat::new();

/// Notes that so many helpers had work until now.
pub(crate) fn note_use(now_ns: u64, helpers: usize) {
    HEAT.note_use(now_ns, helpers);
}

/// Notes that a call of this length just ran serially and would not have with hot helpers.
pub(crate) fn note_missed(serial_ns: f64, machine: &MachineFacts) {
    HEAT.note_missed(now_ns(), serial_ns, machine);
}

/// How many helpers are hot now. Work that did not come from a tuned loop is not known about.
#[cfg(feature = "record")]
pub(crate) fn hot_helpers(machine: &MachineFacts) -> usize {
    HEAT.hot(now_ns(), machine)
}

/// How many helpers a decision counts as hot: those that are, or all of them once so many calls in a row
/// would have gained from hot ones that the next does well to make them hot.
pub(crate) fn helpers_counted_hot(machine: &MachineFacts) -> usize {
    let now_ns = now_ns();
    if HEAT.is_worth_warming(now_ns, machine) { usize::MAX } else { HEAT.hot(now_ns, machine) }
}

/// Nanoseconds since any fixed moment.
pub(crate) fn now_ns() -> u64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    ORIGIN.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// A hot helper that takes so many times as long as usual does not come any more.
const HOT_IS_LATE: f64 = 10.0;
/// The same of a cold one.
const COLD_IS_LATE: f64 = 2.0;

/// How long to wait for a helper that was summoned, in nanoseconds.
pub(crate) fn late_after_ns(now_ns: u64, machine: &MachineFacts) -> f64 {
    if HEAT.hot(now_ns, machine) > 0 {
        HOT_IS_LATE * machine.wake_ns
    } else {
        COLD_IS_LATE * (machine.cold_spawn_ns + machine.cold_wake_ns)
    }
}

/// Missed calls that have taken this many times as long as a cold spawn make one worth its price, which the
/// caller pays. If that was wrong, because no further call comes, the price is about 3 % of what they took.
const WORTH_WARMING: f64 = 32.0;

/// What is known of how hot the pool is. Times are in nanoseconds since any fixed moment. Each is stored
/// by itself: a mixture of two calls does no harm.
#[derive(Debug)]
struct Heat {
    /// When helpers last had work, and how many they were.
    last_use_ns: AtomicU64,
    helpers: AtomicUsize,
    /// Time of calls that ran serially because helpers were cold, each soon after the one before, and
    /// when the last of them ended.
    missed_ns: AtomicU64,
    last_miss_ns: AtomicU64,
}

impl Heat {
    const fn new() -> Self {
        Heat {
            last_use_ns: AtomicU64::new(0),
            helpers: AtomicUsize::new(0),
            missed_ns: AtomicU64::new(0),
            last_miss_ns: AtomicU64::new(0),
        }
    }

    fn note_use(&self, now_ns: u64, helpers: usize) {
        self.last_use_ns.store(now_ns, Ordering::Relaxed);
        self.helpers.store(helpers, Ordering::Relaxed);
        self.missed_ns.store(0, Ordering::Relaxed);
    }

    fn note_missed(&self, now_ns: u64, serial_ns: f64, machine: &MachineFacts) {
        let last_ns = self.last_miss_ns.swap(now_ns, Ordering::Relaxed);
        let gap_ns = now_ns.saturating_sub(last_ns) as f64 - serial_ns;
        let in_a_row = gap_ns < machine.hot_for_ns;
        let before_ns = if in_a_row { self.missed_ns.load(Ordering::Relaxed) } else { 0 };
        self.missed_ns.store(before_ns + serial_ns as u64, Ordering::Relaxed);
    }

    fn hot(&self, now_ns: u64, machine: &MachineFacts) -> usize {
        let helpers = self.helpers.load(Ordering::Relaxed);
        if helpers > 0 && is_recent(&self.last_use_ns, now_ns, machine) { helpers } else { 0 }
    }

    fn is_worth_warming(&self, now_ns: u64, machine: &MachineFacts) -> bool {
        self.missed_ns.load(Ordering::Relaxed) as f64 > WORTH_WARMING * machine.cold_spawn_ns
            && is_recent(&self.last_miss_ns, now_ns, machine)
    }
}

/// Whether helpers that had work then are still hot now.
fn is_recent(then_ns: &AtomicU64, now_ns: u64, machine: &MachineFacts) -> bool {
    let passed_ns = now_ns.saturating_sub(then_ns.load(Ordering::Relaxed));
    (passed_ns as f64) < machine.hot_for_ns
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hot for 50 µs; a cold spawn costs 5 µs, so that 160 µs have to be missed.
    const MACHINE: MachineFacts = MachineFacts {
        spawn_ns: 200.0,
        wake_ns: 1_000.0,
        cold_spawn_ns: 5_000.0,
        cold_wake_ns: 20_000.0,
        hot_for_ns: 50_000.0,
        claim_ns: 50.0,
        reference_ns: 1_000.0,
    };

    #[test]
    fn helpers_are_hot_for_a_while_after_work() {
        let heat = Heat::new();
        assert_eq!(heat.hot(10, &MACHINE), 0);
        heat.note_use(1_000, 3);
        assert_eq!(heat.hot(1_000, &MACHINE), 3);
        assert_eq!(heat.hot(50_999, &MACHINE), 3);
        assert_eq!(heat.hot(51_000, &MACHINE), 0);
    }

    /// Calls of 30 µs with pauses of this length, until warming is worth it; gives up after 100.
    fn calls_until_worth_warming(pause_ns: u64) -> Option<usize> {
        let heat = Heat::new();
        let mut now_ns = 1_000_000;
        (1..100).find(|_| {
            now_ns += 30_000;
            heat.note_missed(now_ns, 30_000.0, &MACHINE);
            now_ns += pause_ns;
            heat.is_worth_warming(now_ns, &MACHINE)
        })
    }

    #[test]
    fn enough_missed_calls_in_a_row_make_warming_worth_its_price() {
        assert_eq!(calls_until_worth_warming(0), Some(6));
        assert_eq!(calls_until_worth_warming(49_999), Some(6));
        // By the next call helpers would be cold again.
        assert_eq!(calls_until_worth_warming(50_001), None);
    }

    #[test]
    fn a_parallel_call_ends_the_row() {
        let heat = Heat::new();
        heat.note_missed(2_000_000, 1e6, &MACHINE);
        assert!(heat.is_worth_warming(2_000_100, &MACHINE));
        heat.note_use(2_000_200, 1);
        assert!(!heat.is_worth_warming(2_000_300, &MACHINE));
    }
}
