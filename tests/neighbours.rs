//! The option `respect_load` while other processes come and go. The test runs itself again in a process of its own,
//! with eight threads.

#![cfg(target_os = "linux")]

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use amorsize::expansion::{LoopFacts, Options};
use amorsize::{Loop, Tune};
use rayon::prelude::*;

mod others;
mod skip;
mod unset;

use others::Others;
use skip::skip;
use unset::unset_variables;

const THREADS: usize = 8;
const ITEMS: usize = 64;

static PLAIN: Loop = Loop::new("plain", Options::NONE, &[]);
static RESPECTING: Loop =
    Loop::new("respecting", Options { respect_load: true, ..Options::NONE }, &[]);

/// How long the machine may take to notice what it does: a load average is one of a minute.
const PATIENCE: Duration = Duration::from_secs(180);
/// How long it may take to calm down. Somebody else may keep it busy for good.
const UNTIL_CALM: Duration = Duration::from_secs(45);

/// Asks for plans, a few a second and not for longer than that, until one has such workers.
fn plans_become_within(patience: Duration, reached: impl Fn(usize) -> bool) -> bool {
    let start = Instant::now();
    while !reached(RESPECTING.plan(ITEMS).workers()) {
        if start.elapsed() > patience {
            return false;
        }
        thread::sleep(Duration::from_millis(200));
    }
    true
}

/// The most items in progress at any moment of a call whose items wait until all threads have one, but not for long.
/// Where helpers may have to wait for a core themselves, there may have to be several calls.
fn most_in_progress(target: &'static Loop, calls: usize) -> usize {
    let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for _ in 0..calls {
        let start = Instant::now();
        (0..ITEMS).into_par_iter().tuned(target).for_each(|_| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let all = || most.load(Ordering::SeqCst) == THREADS;
            while !all() && start.elapsed() < Duration::from_millis(500) {
                thread::yield_now();
            }
            now.fetch_sub(1, Ordering::SeqCst);
        });
        if most.load(Ordering::SeqCst) == THREADS {
            break;
        }
    }
    most.into_inner()
}

#[test]
fn a_loop_that_respects_the_load_has_fewer_workers_beside_other_processes_and_all_afterwards() {
    const INSIDE: &str = "AMORSIZE_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_none() {
        let name = "a_loop_that_respects_the_load_has_fewer_workers_beside_other_processes_and_all_afterwards";
        let status =
            unset_variables(&mut Command::new(std::env::current_exe().expect("a test has a path")))
                .args(["--exact", name])
                .env(INSIDE, "1")
                .env("RAYON_NUM_THREADS", THREADS.to_string())
                .status();
        return assert!(status.expect("a test can be run").success());
    }
    let facts = LoopFacts { item_ns: 1e7, reduce_ns: 50.0, ..LoopFacts::default() };
    assert!(PLAIN.adopt(facts) && RESPECTING.adopt(facts));
    if amorsize_runtime::machine_load().cpu_percent.is_none() {
        return skip("the system does not tell how busy it is");
    }
    if !plans_become_within(UNTIL_CALM, |workers| workers == THREADS) {
        return skip("something else keeps this machine busy");
    }

    let processors = thread::available_parallelism().map_or(1, usize::from);
    let others = Others::start(2 * processors.max(THREADS));
    let fewer = plans_become_within(PATIENCE, |workers| workers < THREADS);
    assert!(fewer, "{:?}", amorsize_runtime::machine_load());
    assert_eq!(PLAIN.plan(ITEMS).workers(), THREADS);
    let most = most_in_progress(&RESPECTING, 1);
    assert!(most < THREADS, "{most}");
    assert_eq!(most_in_progress(&PLAIN, 100), THREADS);

    drop(others);
    if !plans_become_within(UNTIL_CALM, |workers| workers == THREADS) {
        return skip("something else keeps this machine busy");
    }
    assert_eq!(most_in_progress(&RESPECTING, 100), THREADS);
}
