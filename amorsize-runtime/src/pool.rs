//! Rayon's pool as the source of helpers, and how ready they are.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use crate::handover::Spawner;

/// The pool of the calling thread if it is a pool thread, the global pool otherwise.
pub(crate) struct RayonPool;

impl Spawner for RayonPool {
    fn spawn(&self, job: Box<dyn FnOnce() + Send>) {
        rayon::spawn(job);
    }

    fn run_other_work(&self) -> bool {
        rayon::yield_now() == Some(rayon::Yield::Executed)
    }
}

/// When helpers last had work from a loop of this process, in nanoseconds since [`now_ns`] began to
/// count, and how many they were. Each is stored by itself: a mixture of two calls does no harm.
static LAST_USE_NS: AtomicU64 = AtomicU64::new(0);
static LAST_HELPERS: AtomicUsize = AtomicUsize::new(0);

/// Notes that so many helpers had work just now.
pub(crate) fn note_use(helpers: usize) {
    LAST_USE_NS.store(now_ns(), Ordering::Relaxed);
    LAST_HELPERS.store(helpers, Ordering::Relaxed);
}

/// How many helpers are hot now, if each stays so for `hot_for_ns` after its work. Work that did not
/// come from a tuned loop is not known about.
pub(crate) fn hot_helpers(hot_for_ns: f64) -> usize {
    let helpers = LAST_HELPERS.load(Ordering::Relaxed);
    // The clock is looked at only where it can matter.
    if helpers == 0 {
        return 0;
    }
    let idle_ns = now_ns().saturating_sub(LAST_USE_NS.load(Ordering::Relaxed));
    if (idle_ns as f64) < hot_for_ns { helpers } else { 0 }
}

fn now_ns() -> u64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    ORIGIN.get_or_init(Instant::now).elapsed().as_nanos() as u64
}
