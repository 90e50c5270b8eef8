//! The variables that users set. Each test runs itself again in a process of its own.

use std::collections::HashSet;
use std::process::Command;
use std::sync::mpsc;
use std::thread::{self, ThreadId};

use amorsize::expansion::{LoopFacts, MachineFacts, Options, Profiled};
use amorsize::{Loop, Tune};
use rayon::prelude::*;

mod reads;
mod skip;
mod unset;

use reads::{reads, reads_of_counting};
use skip::skip;
use unset::unset_variables;

#[amorsize::tune]
fn threads(n: usize) -> HashSet<ThreadId> {
    (0..n).into_par_iter().map(|_| spin()).collect()
}

/// Dear enough for a parallel plan wherever there is more than one core.
fn spin() -> ThreadId {
    let mut x = 1_u64;
    for _ in 0..20_000 {
        x = std::hint::black_box(x.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
    thread::current().id()
}

/// Runs the test `name` of this file with `variables` set; in that process, returns true.
fn in_a_process_with(name: &str, variables: &[(&str, &str)]) -> bool {
    const INSIDE: &str = "AMORSIZE_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let output =
        unset_variables(&mut Command::new(std::env::current_exe().expect("a test has a path")))
            // On the main thread, so that a test of what happens without threads needs none itself.
            .args(["--exact", name, "--test-threads", "1"])
            .env(INSIDE, "1")
            .env("RAYON_NUM_THREADS", "4")
            .envs(variables.iter().copied())
            .output()
            .expect("a test can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.is_empty(), "the library must not print: {stderr}");
    false
}

#[test]
fn serial_keeps_every_item_on_the_caller() {
    if in_a_process_with("serial_keeps_every_item_on_the_caller", &[("AMORSIZE", "serial")]) {
        assert_eq!(threads(500), HashSet::from([thread::current().id()]));
    }
}

#[test]
fn rayon_leaves_every_item_to_the_pool() {
    if in_a_process_with("rayon_leaves_every_item_to_the_pool", &[("AMORSIZE", "rayon")]) {
        assert!(!threads(500).contains(&thread::current().id()));
    }
}

#[test]
fn an_upper_limit_of_one_worker_is_serial() {
    let variables = [("AMORSIZE_MAX_WORKERS", "1")];
    if in_a_process_with("an_upper_limit_of_one_worker_is_serial", &variables) {
        assert_eq!(threads(500), HashSet::from([thread::current().id()]));
        assert_eq!(waiting_threads(500), HashSet::from([thread::current().id()]));
    }
}

#[test]
fn an_invalid_plan_is_ignored_and_can_be_asked_for() {
    let variables = [("AMORSIZE", "wrokers=2")];
    if in_a_process_with("an_invalid_plan_is_ignored_and_can_be_asked_for", &variables) {
        assert!(!threads(10).is_empty());
        let invalid = amorsize::invalid_force().expect("the value is invalid").to_string();
        assert!(invalid.contains("wrokers=2") && invalid.contains("workers=N"), "{invalid}");
    }
}

#[test]
fn a_valid_plan_is_no_complaint() {
    let variables = [("AMORSIZE", "workers=4,chunk=2")];
    if in_a_process_with("a_valid_plan_is_no_complaint", &variables) {
        assert!(!threads(10).is_empty());
        assert_eq!(amorsize::invalid_force(), None);
    }
}

/// No thread has so large a stack.
const NO_THREADS: (&str, &str) = ("RUST_MIN_STACK", "1152921504606846976");

#[amorsize::tune(io)]
fn waiting_threads(n: usize) -> HashSet<ThreadId> {
    (0..n).into_par_iter().map(|_| spin()).collect()
}

#[amorsize::tune(on_pool)]
fn threads_of_the_pool(n: usize) -> HashSet<ThreadId> {
    (0..n).into_par_iter().map(|_| spin()).collect()
}

#[amorsize::tune]
fn count(n: usize) -> usize {
    if n < 2 {
        return n;
    }
    let (a, b) = amorsize::join(n / 2, || count(n / 2), n - n / 2, || count(n - n / 2));
    a + b
}

#[amorsize::tune(on_pool)]
fn count_on_the_pool(n: usize) -> usize {
    let (a, b) = amorsize::join(n / 2, || count(n / 2), n - n / 2, || count(n - n / 2));
    a + b
}

#[test]
fn where_the_system_gives_no_threads_everything_runs_on_the_caller() {
    let name = "where_the_system_gives_no_threads_everything_runs_on_the_caller";
    for plan in ["", "workers=4,chunk=1"] {
        if in_a_process_with(name, &[NO_THREADS, ("AMORSIZE", plan)]) {
            assert!(thread::Builder::new().spawn(|| ()).is_err());
            let alone = HashSet::from([thread::current().id()]);
            for n in [1, 10, 3_000] {
                assert_eq!(threads(n), alone);
                assert_eq!(waiting_threads(n), alone);
                assert_eq!(threads_of_the_pool(n), alone);
                assert_eq!([count(n), count_on_the_pool(n)], [n, n]);
            }
            amorsize::warm_up();
            return;
        }
    }
}

static UNSEEN: Loop = amorsize::tuned_loop!("unseen");

/// Loops that the profile of some machine calls short up to 1,000 items.
static SHORT: Loop = Loop::new("short", Options::NONE, const { &[known_to_be_short("short")] });
static SHORT_TOO: Loop =
    Loop::new("short too", Options::NONE, const { &[known_to_be_short("short too")] });

/// What the profile says of such a loop.
const fn known_to_be_short(name: &'static str) -> Profiled {
    const MACHINE: MachineFacts = MachineFacts {
        spawn_ns: 300.0,
        wake_ns: 2_000.0,
        cold_spawn_ns: 20_000.0,
        cold_wake_ns: 50_000.0,
        hot_for_ns: 50_000.0,
        claim_ns: 40.0,
        reference_ns: 3_000.0,
    };
    // Far more than an addition takes anywhere: calls that take longer than 1,000 such items would be a reason to look.
    const ITEM: LoopFacts = LoopFacts {
        item_ns: 20.0,
        item_growth: 0.0,
        item_cv: 0.1,
        piece_ns: 0.0,
        reduce_ns: 50.0,
        reduce_growth: 0.0,
        contention: 0.0,
        coherency: 0.0,
        imbalance: 0.0,
        cpu_share: None,
    };
    let class = "elsewhere";
    Profiled { name, class, machine: MACHINE, item: ITEM, parallel_from: 1_000, task_bytes: None }
}

fn sum(n: u32, target: &'static Loop) -> u32 {
    (0..n).into_par_iter().tuned(target).map(|x| x + 1).sum()
}

#[amorsize::tune]
fn doubled(xs: &[u32]) -> Vec<u32> {
    xs.par_iter().map(|x| 2 * x).collect()
}

#[amorsize::tune(memory = "1GiB", respect_load)]
fn largest(xs: &[u32]) -> Option<u32> {
    xs.par_iter().copied().filter(|x| x % 2 == 0).max()
}

#[test]
fn a_program_whose_loops_stay_below_break_even_reads_nothing_about_the_machine() {
    let name = "a_program_whose_loops_stay_below_break_even_reads_nothing_about_the_machine";
    if in_a_process_with(name, &[]) {
        // Some of so many calls are measured.
        for _ in 0..2_000 {
            assert_eq!(sum(100, &SHORT), 5_050);
            assert_eq!(sum(50, &SHORT_TOO), 1_275);
        }
        assert!(!amorsize::expansion::machine_was_read());
        amorsize::warm_up();
        assert!(amorsize::expansion::machine_was_read());
    }
}

#[test]
fn calls_that_are_short_by_the_profile_alone_are_found_out() {
    static LOOP: Loop = Loop::new("dear", Options::NONE, const { &[known_to_be_short("dear")] });
    if in_a_process_with("calls_that_are_short_by_the_profile_alone_are_found_out", &[]) {
        let dear = || (0..10).into_par_iter().tuned(&LOOP).map(|_| spin()).collect::<Vec<_>>();
        // One in 256 is measured, on average.
        let found_out = (0..100_000).any(|_| {
            dear();
            amorsize::expansion::machine_was_read()
        });
        assert!(found_out);
        let status = LOOP.status();
        assert!(status.item_ns > Some(200.0) && status.serial_below < 500, "{status:?}");
    }
}

#[test]
fn short_calls_of_loops_that_were_never_seen_do_not_read_about_the_machine_again_and_again() {
    let name =
        "short_calls_of_loops_that_were_never_seen_do_not_read_about_the_machine_again_and_again";
    let Some(own) = reads_of_counting() else {
        return skip("the system does not count reads");
    };
    if in_a_process_with(name, &[]) {
        let calls = || {
            assert_eq!(sum(10, &UNSEEN), 55);
            assert_eq!(sum(100, &SHORT), 5_050);
            assert_eq!(doubled(&[1, 2, 3]), [2, 4, 6]);
            assert_eq!(largest(&[1, 2, 3]), Some(2));
            assert_eq!(count(4), 4);
        };
        // Nobody knows their break-even before, so that they ask for the cores.
        calls();
        let before = reads().expect("it was there");
        (0..2_000).for_each(|_| calls());
        let read = reads().expect("it was there") - before - own;
        // A call that the system interrupts may seem to be worth helpers, and a look at the load.
        assert!(read < 100, "{read}");
    }
}

#[test]
fn a_process_ends_while_helpers_wait_in_the_pool() {
    let name = "a_process_ends_while_helpers_wait_in_the_pool";
    if in_a_process_with(name, &[("AMORSIZE", "workers=4,chunk=1")]) {
        let (busy, all_busy) = mpsc::channel();
        for _ in 0..rayon::current_num_threads() {
            let busy = busy.clone();
            rayon::spawn(move || {
                busy.send(()).expect("the test waits");
                loop {
                    thread::park();
                }
            });
        }
        all_busy.iter().take(rayon::current_num_threads()).for_each(drop);
        assert_eq!(threads(100), HashSet::from([thread::current().id()]));
        assert_eq!(count(100), 100);
        std::process::exit(0);
    }
}
