//! How many workers loops have whose items wait, according to the profile, on the user's own pool.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use amorsize::expansion::{LoopFacts, Options};
use amorsize::{Loop, Tune};
use rayon::prelude::*;

/// More threads than there are cores.
fn threads() -> usize {
    8.max(amorsize_runtime::usable_cores() + 1)
}

/// A call of a loop whose items have this CPU share, on a pool of [`threads`]: the most items in progress at any
/// moment. They wait until all threads have one, but not for longer than `patience`.
fn most_in_progress(target: &'static Loop, cpu_share: f64, patience: Duration) -> usize {
    let facts = LoopFacts { item_ns: 1e7, cpu_share: Some(cpu_share), ..LoopFacts::default() };
    assert!(target.adopt(facts));
    let threads = threads();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
    let start = OnceLock::new();
    let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    pool.install(|| {
        (0..16 * threads).into_par_iter().tuned(target).for_each(|_| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let start = start.get_or_init(Instant::now);
            while most.load(Ordering::SeqCst) < threads && start.elapsed() < patience {
                thread::yield_now();
            }
            now.fetch_sub(1, Ordering::SeqCst);
        });
    });
    most.into_inner()
}

/// Long enough for a thread to come that should not.
const SHORT: Duration = Duration::from_millis(100);

static WAITING: Loop = Loop::new("waiting", Options::NONE, &[]);
static FEW_WAITING: Loop =
    Loop::new("few waiting", Options { max_workers: Some(3), ..Options::NONE }, &[]);
static COMPUTING: Loop = Loop::new("computing", Options::NONE, &[]);

#[test]
fn items_that_wait_have_as_many_workers_as_the_pool_has_threads() {
    assert_eq!(most_in_progress(&WAITING, 0.02, Duration::from_secs(30)), threads());
}

#[test]
fn items_that_wait_respect_the_user_s_limit() {
    let most = most_in_progress(&FEW_WAITING, 0.02, SHORT);
    assert!(most <= 3, "{most}");
}

#[test]
fn items_that_compute_have_no_more_workers_than_cores() {
    let most = most_in_progress(&COMPUTING, 1.0, SHORT);
    assert!(most <= amorsize_runtime::usable_cores(), "{most}");
}

#[test]
fn a_plan_for_another_executor_counts_threads_that_wait() {
    static KERNEL: Loop = Loop::new("kernel", Options::NONE, &[]);
    let facts = LoopFacts { item_ns: 1e7, cpu_share: Some(0.1), ..LoopFacts::default() };
    assert!(KERNEL.adopt(facts));
    let workers = KERNEL.plan(100_000).workers();
    assert!(workers >= 10 * amorsize_runtime::usable_cores(), "{workers}");
}
