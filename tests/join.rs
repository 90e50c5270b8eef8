//! Divide and conquer: the same results, panics and drops whatever runs in parallel.

mod plans;
#[path = "skip/mod.rs"]
mod skip;

use std::collections::HashSet;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use amorsize::{Force, force};
use plans::{turn, under_each};
use rayon::prelude::*;

const PLANS: [Option<Force>; 6] = [
    None,
    Some(Force::Serial),
    Some(Force::Rayon),
    Some(Force::Workers { workers: 2, chunk: Some(100) }),
    Some(Force::Workers { workers: 8, chunk: None }),
    Some(Force::Workers { workers: 8, chunk: Some(1) }),
];

fn under_every_plan(test: impl Fn() + Sync) {
    under_each(&PLANS, test);
}

#[amorsize::tune]
fn quick_sort<T: PartialOrd + Send>(items: &mut [T]) {
    if items.len() < 2 {
        return;
    }
    let mut border = 0;
    let last = items.len() - 1;
    items.swap(last / 2, last);
    for i in 0..last {
        if items[i] < items[last] {
            items.swap(i, border);
            border += 1;
        }
    }
    items.swap(border, last);
    let (low, high) = items.split_at_mut(border);
    let high = &mut high[1..];
    amorsize::join(low.len(), || quick_sort(low), high.len(), || quick_sort(high));
}

fn numbers(n: usize) -> Vec<u64> {
    let mut state = n as u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    (0..n).map(|_| next()).collect()
}

#[test]
fn sorting_sorts_items_of_any_type() {
    under_every_plan(|| {
        for n in [0, 1, 2, 17, 1_000, 60_000] {
            let mut sorted = numbers(n);
            let mut ours = sorted.clone();
            let mut words: Vec<String> = ours.iter().map(u64::to_string).collect();
            quick_sort(&mut ours);
            sorted.sort_unstable();
            assert_eq!(ours, sorted);
            quick_sort(&mut words);
            assert!(words.is_sorted());
        }
    });
}

/// Unbalanced, and with results on the way up.
#[amorsize::tune]
fn longest_first(n: usize) -> Vec<usize> {
    if n == 0 {
        return Vec::new();
    }
    let (mut all, rest) = amorsize::join(1, || vec![n], n - 1, || longest_first(n - 1));
    all.extend(rest);
    all
}

#[test]
fn results_come_back_in_their_places() {
    under_every_plan(|| {
        assert_eq!(longest_first(200), (1..=200).rev().collect::<Vec<_>>());
    });
}

/// Sums over a tree whose leaves count how often they are made and dropped, and panic at `bad`.
#[amorsize::tune]
fn sum<'a>(from: usize, len: usize, bad: usize, alive: &'a AtomicUsize) -> (usize, Alive<'a>) {
    if len == 1 {
        let counted = Alive::new(alive);
        assert_ne!(from, bad, "a bad leaf");
        return (from, counted);
    }
    let half = len / 2;
    let ((a, first), (b, _second)) = amorsize::join(
        half,
        || sum(from, half, bad, alive),
        len - half,
        || sum(from + half, len - half, bad, alive),
    );
    (a + b, first)
}

struct Alive<'a>(&'a AtomicUsize);

impl<'a> Alive<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Alive(count)
    }
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn a_panic_in_any_leaf_reaches_the_caller_and_nothing_leaks() {
    under_every_plan(|| {
        let alive = AtomicUsize::new(0);
        assert_eq!(sum(0, 500, usize::MAX, &alive).0, 499 * 500 / 2);
        for bad in [0, 1, 249, 250, 499] {
            let run = AssertUnwindSafe(|| sum(0, 500, bad, &alive).0);
            let payload = catch_unwind(run).expect_err("a leaf panics");
            let message = payload.downcast_ref::<String>().expect("assert_ne formats");
            assert!(message.contains("a bad leaf"), "{message}");
            assert_eq!(alive.load(Ordering::Relaxed), 0, "after a panic at {bad}");
        }
    });
}

#[test]
fn the_left_panic_wins() {
    #[amorsize::tune]
    fn both() {
        let panics = |side: &str| -> () { panic!("{side}") };
        amorsize::join(usize::MAX, || panics("left"), usize::MAX, || panics("right"));
    }
    under_every_plan(|| {
        let payload = catch_unwind(both).expect_err("both panic");
        assert_eq!(payload.downcast_ref::<String>().map(String::as_str), Some("left"));
    });
}

#[test]
fn loops_in_joins_and_joins_in_loops() {
    #[amorsize::tune]
    fn mixed(depth: usize) -> usize {
        if depth == 0 {
            return (0..100_usize).into_par_iter().map(|x| x % 7).sum();
        }
        let (a, b) =
            amorsize::join(1 << depth, || mixed(depth - 1), 1 << depth, || mixed(depth - 1));
        a + b
    }
    under_every_plan(|| {
        let leaf: usize = (0..100).map(|x| x % 7).sum();
        assert_eq!(mixed(7), leaf << 7);
        let all: usize = (0..16_u32).into_par_iter().map(|_| mixed(4)).sum();
        assert_eq!(all, leaf << 8);
    });
}

#[test]
fn many_callers_inside_and_outside_the_pool() {
    under_every_plan(|| {
        let check = || {
            let mut items = numbers(2_000);
            quick_sort(&mut items);
            assert!(items.is_sorted());
        };
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(check);
            }
            rayon::scope(|pool| {
                for _ in 0..16 {
                    pool.spawn(|_| check());
                }
            });
        });
    });
}

#[test]
fn options_apply() {
    #[amorsize::tune(on_pool)]
    fn on_pool() -> bool {
        let is_inside = || rayon::current_thread_index().is_some();
        let (a, b) = amorsize::join(1, is_inside, 1, is_inside);
        a && b
    }
    #[amorsize::tune(max_workers = 1)]
    fn alone() -> bool {
        let here = || thread::current().id();
        let (a, b) = amorsize::join(usize::MAX, here, usize::MAX, here);
        a == b
    }
    #[amorsize::tune(skip = 1)]
    fn skipped(n: usize) -> usize {
        let (a, b) = amorsize::join(n, || n, n, || (0..n).into_par_iter().count());
        a + b
    }
    let _turn = turn();
    force(None);
    assert!((0..100).all(|_| on_pool()));
    assert!((0..100).all(|_| alone()));
    assert_eq!(skipped(5), 10);
}

/// What has been there so far, for leaves that wait for one another, until then.
struct Seen<T>(Mutex<HashSet<T>>, Instant);

impl<T: Eq + Hash> Seen<T> {
    fn new() -> Self {
        Seen(Mutex::default(), Instant::now() + Duration::from_secs(20))
    }

    /// Adds `one`, and waits until `enough` says that all are there; whether they are.
    fn wait(&self, one: T, enough: impl Fn(&HashSet<T>) -> bool) -> bool {
        let look = || {
            let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            seen.insert(one);
            seen
        };
        let mut is_enough = enough(&look());
        while !is_enough && Instant::now() < self.1 {
            thread::yield_now();
            is_enough = enough(&self.0.lock().unwrap_or_else(PoisonError::into_inner));
        }
        is_enough
    }
}

fn has_helpers() -> bool {
    let has_them = rayon::current_num_threads() > 1 && amorsize_runtime::usable_cores() > 1;
    if !has_them {
        skip::skip("it takes two threads and two cores");
    }
    has_them
}

#[test]
fn who_waits_for_a_branch_works_within_it() {
    #[amorsize::tune]
    fn leaves(len: usize, leaf: &(dyn Fn() + Sync)) {
        if len == 1 {
            return leaf();
        }
        amorsize::join(len / 2, || leaves(len / 2, leaf), len / 2, || leaves(len / 2, leaf));
    }
    #[amorsize::tune]
    fn uneven(left: &(dyn Fn() + Sync), right: &(dyn Fn() + Sync)) {
        amorsize::join(1, left, 1, || leaves(16, right));
    }
    let _turn = turn();
    if !has_helpers() {
        return;
    }
    force(Some(Force::Workers { workers: 2, chunk: Some(1) }));
    let here = || thread::current().id();
    let (caller, threads, inside) = (here(), Seen::new(), Seen::new());
    // The left branch ends as soon as a helper has begun with the right one, and each leaf of that once the caller has come.
    let left = || assert!(threads.wait(here(), |threads| threads.len() > 1));
    let right = || {
        threads.wait(here(), |_| true);
        assert!(inside.wait(here(), |threads| threads.contains(&caller)));
    };
    uneven(&left, &right);
    force(None);
}

#[test]
fn a_recursion_that_was_never_seen_has_helpers_in_its_first_call() {
    #[amorsize::tune]
    fn leaves(from: usize, len: usize, leaf: &(dyn Fn(usize) + Sync)) {
        if len == 1 {
            return leaf(from);
        }
        let half = len / 2;
        amorsize::join(half, || leaves(from, half, leaf), half, || leaves(from + half, half, leaf));
    }
    let _turn = turn();
    if !has_helpers() {
        return;
    }
    force(None);
    let seen = Seen::new();
    // The first ones tell what they take. The second half was on offer before that.
    let leaf = |at| match at {
        0..4 => thread::sleep(Duration::from_millis(1)),
        _ => assert!(seen.wait(at, |seen| seen.iter().any(|at| *at >= 32))),
    };
    leaves(0, 64, &leaf);
}

/// Without the attribute the costs are not looked at.
#[test]
fn a_plain_join_is_rayons() {
    let (inside, sum) = amorsize::join(0, || rayon::current_thread_index().is_some(), 0, || 1 + 1);
    assert!(inside);
    assert_eq!(sum, 2);
}

/// Forks at every level of a deep recursion: nothing piles up.
#[test]
fn a_million_forks() {
    #[amorsize::tune]
    fn count(n: usize) -> usize {
        if n < 2 {
            return n;
        }
        let (a, b) = amorsize::join(n / 2, || count(n / 2), n - n / 2, || count(n - n / 2));
        a + b
    }
    let _turn = turn();
    force(Some(Force::Workers { workers: 8, chunk: Some(1) }));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(8).build().expect("a pool");
    assert_eq!(pool.install(|| count(1_000_000)), 1_000_000);
    force(None);
}
