//! The option `memory`. Each test runs itself again in processes of its own, with eight threads.

use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use amorsize::expansion::{LoopFacts, MachineFacts, Options, Profiled};
use amorsize::{Bound, Loop, Tune};
use rayon::prelude::*;

mod skip;
mod unset;

use skip::skip;
use unset::unset_variables;

const GIB: u64 = 1 << 30;

/// How long items wait for others.
const PATIENCE: Duration = Duration::from_secs(5);

/// Items in progress, and the most of them at any moment.
static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

fn in_progress<R>(item: impl FnOnce() -> R) -> R {
    MOST.fetch_max(NOW.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    let result = item();
    NOW.fetch_sub(1, Ordering::SeqCst);
    result
}

/// Ends once so many items have been in progress at a time; gives up at `until`.
fn meet(items: usize, until: Instant) {
    while MOST.load(Ordering::SeqCst) < items && Instant::now() < until {
        thread::yield_now();
    }
}

/// Dear enough for a parallel plan.
fn spin() {
    for x in 0..20_000_u64 {
        std::hint::black_box(x);
    }
}

/// The most items in progress at any moment of a call whose items wait until there are `wanted`.
///
/// There are more threads than cores here: a helper that finds nothing on offer, while another one that is about to
/// offer something waits for a core, goes home. So there may have to be several calls.
fn most_of(wanted: usize, call: impl Fn(&(dyn Fn() + Sync))) -> usize {
    MOST.store(0, Ordering::SeqCst);
    for _ in 0..5 {
        let until = Instant::now() + PATIENCE;
        call(&|| {
            in_progress(|| {
                meet(wanted, until);
                spin();
            });
        });
        if MOST.load(Ordering::SeqCst) >= wanted {
            break;
        }
    }
    MOST.load(Ordering::SeqCst)
}

/// Makes loops of which it is known that all workers pay, from the first call on.
const fn known(options: Options) -> Loop {
    Loop::new("known", options, const { &[known_to_take(None)] })
}

/// What the profile says of such a loop, the memory of a task included.
const fn known_to_take(task_bytes: Option<u64>) -> Profiled {
    const MACHINE: MachineFacts = MachineFacts {
        spawn_ns: 300.0,
        wake_ns: 2_000.0,
        cold_spawn_ns: 8_000.0,
        cold_wake_ns: 20_000.0,
        hot_for_ns: 50_000.0,
        claim_ns: 40.0,
        reference_ns: 3_000.0,
    };
    const ITEM: LoopFacts = LoopFacts {
        item_ns: 1e8,
        item_growth: 0.0,
        item_cv: 0.0,
        piece_ns: 0.0,
        reduce_ns: 50.0,
        reduce_growth: 0.0,
        contention: 0.0,
        coherency: 0.0,
        imbalance: 0.0,
        cpu_share: None,
    };
    let (name, class) = ("known", "elsewhere");
    Profiled { name, class, machine: MACHINE, item: ITEM, parallel_from: 2, task_bytes }
}

const fn of_memory(memory_bytes: u64) -> Options {
    Options { memory_bytes: Some(memory_bytes), ..Options::NONE }
}

/// This test again, with eight threads and under the command `under`, if that is not empty.
fn again(name: &str, under: &[&str], variables: &[(&str, &str)]) -> std::io::Result<Output> {
    let test = std::env::current_exe().expect("a test has a path");
    let mut command = match under {
        [] => Command::new(&test),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(&test);
            command
        }
    };
    unset_variables(&mut command)
        .args(["--exact", name, "--test-threads", "1"])
        .env(INSIDE, "1")
        .env("RAYON_NUM_THREADS", "8")
        .envs(variables.iter().copied())
        .output()
}

const INSIDE: &str = "AMORSIZE_TEST_INSIDE";

/// Runs this test again; in that process, returns true.
fn in_a_process_with(name: &str, variables: &[(&str, &str)]) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let output = again(name, &[], variables).expect("a test can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    false
}

static ROOMY: Loop = known(of_memory(1));
static THREE_FIT: Loop = known(of_memory(GIB));
static TWO_FIT: Loop = known(Options { memory_permille: Some(500), ..of_memory(GIB) });
static ONE_FITS: Loop = known(of_memory(3 * GIB));
static NONE_FITS: Loop = known(of_memory(9 * GIB));
static THREE_WAIT: Loop = known(Options { io: true, ..of_memory(GIB) });
static THREE_IN_ORDER: Loop = known(Options { deterministic: true, ..of_memory(GIB) });

/// Nobody has declared what these take: it was measured.
static MEASURED: Loop = Loop::new("known", Options::NONE, MEASURED_GIB);
static MEASURED_TWO_FIT: Loop =
    Loop::new("known", Options { memory_permille: Some(500), ..Options::NONE }, MEASURED_GIB);
static DECLARED_AND_MEASURED: Loop = Loop::new("known", of_memory(3 * GIB), MEASURED_GIB);
static MEASURED_ELSEWHERE: Loop =
    Loop::new("known", Options::NONE, const { &[known_to_take(None), known_to_take(Some(GIB))] });
static MEASURED_NOTHING: Loop =
    Loop::new("known", Options::NONE, const { &[known_to_take(Some(0))] });
const MEASURED_GIB: &[Profiled] = &[known_to_take(Some(GIB))];

#[test]
fn so_many_items_run_at_a_time_as_fit_into_the_memory() {
    let name = "so_many_items_run_at_a_time_as_fit_into_the_memory";
    if in_a_process_with(name, &[("AMORSIZE_MEMORY", "4GiB")]) {
        for (target, expected) in [
            (&ROOMY, 8),
            (&THREE_FIT, 3),
            (&TWO_FIT, 2),
            (&ONE_FITS, 1),
            (&NONE_FITS, 1),
            (&THREE_WAIT, 3),
            (&THREE_IN_ORDER, 3),
            (&MEASURED, 3),
            (&MEASURED_TWO_FIT, 2),
            (&DECLARED_AND_MEASURED, 1),
            (&MEASURED_ELSEWHERE, 3),
            (&MEASURED_NOTHING, 8),
        ] {
            assert_eq!(target.plan(64).workers(), expected);
            let items = || (0..64_u32).into_par_iter();
            let most =
                most_of(expected, |item| items().tuned(target).map(|_| item()).for_each(drop));
            assert_eq!(most, expected);
        }
    }
}

static UNSEEN: Loop = amorsize::tuned_loop!("unseen", memory = "1GiB");
static UNSEEN_TWO: Loop = amorsize::tuned_loop!("unseen", max_workers = 2, chunk = 5);
static TWO: Loop = known(Options { max_workers: Some(2), chunk: Some(5), ..Options::NONE });
static TIMED: Loop =
    Loop::new("timed", Options { chunk_ns: Some(7_500_000), ..Options::NONE }, &[]);

#[test]
fn a_plan_says_what_keeps_it_from_more_workers_and_has_the_chunks_that_the_options_fix() {
    let name =
        "a_plan_says_what_keeps_it_from_more_workers_and_has_the_chunks_that_the_options_fix";
    if in_a_process_with(name, &[("AMORSIZE_MEMORY", "4GiB")]) {
        let memory = Bound::Memory { task_bytes: GIB, usable_bytes: 4 * GIB * 8 / 10 };
        for (target, n, workers, bound) in [
            (&ROOMY, 64, 8, Bound::Cores),
            (&ROOMY, 3, 3, Bound::Items),
            (&THREE_FIT, 64, 3, memory),
            (&THREE_WAIT, 64, 3, memory),
            (&UNSEEN, 64, 3, memory),
            (&UNSEEN, 2, 2, Bound::Items),
            (&UNSEEN_TWO, 64, 2, Bound::MaxWorkers),
            (&TWO, 64, 2, Bound::MaxWorkers),
        ] {
            let plan = target.plan(n);
            assert_eq!((plan.workers(), plan.limited_by()), (workers, Some(bound)), "{n}");
        }
        assert_eq!((ROOMY.plan(0).workers(), ROOMY.plan(0).limited_by()), (1, None));
        assert!(TIMED.adopt(LoopFacts { item_ns: 1e6, ..LoopFacts::default() }));
        assert_eq!(
            [&UNSEEN_TWO, &TWO, &TIMED].map(|target| target.plan(64).chunk_size()),
            [5, 5, 7]
        );
    }
}

#[amorsize::tune(memory = "1GiB")]
fn unseen(item: &(dyn Fn() + Sync)) {
    (0..500_u32).into_par_iter().for_each(|_| item());
}

#[amorsize::tune(memory = "1GiB", deterministic)]
fn unseen_in_order(item: &(dyn Fn() + Sync)) {
    (0..500_u32).into_par_iter().for_each(|_| item());
}

#[amorsize::tune(memory = "1GiB", io)]
fn unseen_waiting(item: &(dyn Fn() + Sync)) {
    (0..500_u32).into_par_iter().for_each(|_| item());
}

#[amorsize::tune(memory = "1GiB")]
fn unseen_within_another(item: &(dyn Fn() + Sync)) {
    (0..2_u32)
        .into_par_iter()
        .with_max_len(1)
        .for_each(|_| (0..100_u32).into_par_iter().for_each(|_| item()));
}

#[test]
fn a_loop_that_was_never_seen_keeps_to_the_memory_too() {
    let name = "a_loop_that_was_never_seen_keeps_to_the_memory_too";
    if in_a_process_with(name, &[("AMORSIZE_MEMORY", "4GiB")]) {
        assert_eq!(UNSEEN.plan(64).workers(), 3);
        for call in [unseen, unseen_in_order, unseen_waiting] {
            for _ in 0..3 {
                let most = most_of(1, call);
                assert!((1..=3).contains(&most), "{most}");
            }
        }
        // The bound is one for each call.
        assert!(most_of(1, unseen_within_another) <= 3 * 2);
    }
}

#[amorsize::tune(memory = "1GiB", memory_fraction = 0.5)]
fn within_half(item: &(dyn Fn() + Sync)) {
    (0..500_u32).into_par_iter().for_each(|_| item());
}

#[amorsize::tune(memory = "1GiB", memory_fraction = 0.25)]
fn within_a_quarter(item: &(dyn Fn() + Sync)) {
    (0..500_u32).into_par_iter().for_each(|_| item());
}

#[test]
fn a_function_s_fraction_of_the_memory_bounds_its_calls() {
    let name = "a_function_s_fraction_of_the_memory_bounds_its_calls";
    if in_a_process_with(name, &[("AMORSIZE_MEMORY", "4GiB")]) {
        let most = |expected, call: fn(&(dyn Fn() + Sync))| {
            // From now on the process knows what items take, and that they are worth workers.
            call(&spin);
            most_of(expected, call)
        };
        assert_eq!(most(3, unseen), 3);
        assert_eq!(most(2, within_half), 2);
        assert_eq!(most(1, within_a_quarter), 1);
    }
}

static HIDDEN: Loop = known(of_memory(GIB));
static HIDDEN_UNSEEN: Loop = amorsize::tuned_loop!("hidden", memory = "1GiB");

/// Nobody can see here that the iterator is a tuned one: rayon runs the loop.
fn numbered(items: impl IndexedParallelIterator, item: &(dyn Fn() + Sync)) {
    items.enumerate().for_each(|_| item());
}

#[test]
fn where_rayon_runs_the_loop_it_cuts_no_more_pieces_than_fit_into_the_memory() {
    let name = "where_rayon_runs_the_loop_it_cuts_no_more_pieces_than_fit_into_the_memory";
    if in_a_process_with(name, &[("AMORSIZE_MEMORY", "4GiB")]) {
        for target in [&HIDDEN, &HIDDEN_UNSEEN] {
            let most =
                most_of(2, |item| numbered((0..500_u32).into_par_iter().tuned(target), item));
            assert!((2..=3).contains(&most), "{most}");
        }
    }
}

#[test]
fn a_plan_that_is_imposed_wins_over_the_memory() {
    let variables = [("AMORSIZE", "workers=8,chunk=1"), ("AMORSIZE_MEMORY", "4GiB")];
    if in_a_process_with("a_plan_that_is_imposed_wins_over_the_memory", &variables) {
        assert_eq!(most_of(8, unseen), 8);
    }
}

static MEASURED_SMALL: Loop =
    Loop::new("known", Options::NONE, const { &[known_to_take(Some(1 << 20))] });
static DECLARED_SMALL: Loop = known(of_memory(1 << 20));
static MEASURED_NOTABLE: Loop =
    Loop::new("known", Options::NONE, const { &[known_to_take(Some(2 << 20))] });

#[test]
fn measured_tasks_that_take_little_together_are_not_worth_a_look_and_declared_ones_are() {
    let name =
        "measured_tasks_that_take_little_together_are_not_worth_a_look_and_declared_ones_are";
    if in_a_process_with(name, &[("AMORSIZE_MEMORY", "5MiB")]) {
        assert_eq!(MEASURED_SMALL.plan(64).workers(), 8);
        assert_eq!(DECLARED_SMALL.plan(64).workers(), 4);
        assert_eq!(MEASURED_NOTABLE.plan(64).workers(), 2);
    }
}

/// What an item of the loops below really takes. Reserved addresses count against the limit, used or not: the machine
/// need not have so much memory.
fn large(item: &(dyn Fn() + Sync)) -> usize {
    let mut memory = std::hint::black_box(vec![0_u8; GIB as usize]);
    memory[GIB as usize - 1] = 1;
    item();
    usize::from(std::hint::black_box(memory)[GIB as usize - 1])
}

#[amorsize::tune(memory = "1GiB")]
fn unseen_large(item: &(dyn Fn() + Sync)) -> usize {
    (0..LARGE_ITEMS).into_par_iter().map(|_| large(item)).sum()
}

fn stock_large(item: &(dyn Fn() + Sync)) {
    assert_eq!((0..LARGE_ITEMS).into_par_iter().map(|_| large(item)).sum::<usize>(), LARGE_ITEMS);
}

const LARGE_ITEMS: usize = 24;
const LIMIT: u64 = 4 * GIB;

#[test]
fn a_call_whose_items_do_not_all_fit_into_the_memory_ends_well_and_does_not_with_stock_rayon() {
    const STOCK: (&str, &str) = ("AMORSIZE_TEST_STOCK", "1");
    let name =
        "a_call_whose_items_do_not_all_fit_into_the_memory_ends_well_and_does_not_with_stock_rayon";
    if std::env::var_os(INSIDE).is_some() {
        if std::env::var_os(STOCK.0).is_some() {
            most_of(8, stock_large);
        }
        // The rule of the guide: tasks may take 80 % of what is available together.
        let available = amorsize_runtime::available_memory().expect("there is a limit");
        let fit = (available * 800 / 1_000 / GIB) as usize;
        assert_eq!(fit, 3, "{available}");
        let wanted = if std::env::var_os("AMORSIZE").is_some() { 8 } else { fit };
        for target in [&THREE_FIT, &MEASURED] {
            let most = most_of(wanted, |item| {
                let items = (0..LARGE_ITEMS).into_par_iter().tuned(target);
                assert_eq!(items.map(|_| large(item)).sum::<usize>(), LARGE_ITEMS);
            });
            assert_eq!(most, fit);
        }
        let most = most_of(1, |item| assert_eq!(unseen_large(item), LARGE_ITEMS));
        return assert!((1..=fit).contains(&most), "{most}");
    }
    if amorsize_runtime::available_memory().is_some_and(|bytes| bytes < LIMIT) {
        return skip("the machine has less memory than the limit that the test would set");
    }
    let under_limit = |plan: &[(&str, &str)]| {
        // The C library would reserve addresses for each thread.
        let variables = [&[("MALLOC_ARENA_MAX", "1")], plan].concat();
        again(name, &["prlimit", &format!("--as={LIMIT}")], &variables)
    };
    let Ok(tuned) = under_limit(&[]) else { return skip("there is no `prlimit`") };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(tuned.status.success(), "{}{}", text(&tuned.stdout), text(&tuned.stderr));
    for stock in [STOCK, ("AMORSIZE", "rayon")] {
        let stock = under_limit(&[stock]).expect("it ran before");
        assert!(!stock.status.success());
        assert!(text(&stock.stderr).contains("memory allocation of"), "{}", text(&stock.stderr));
    }
}
