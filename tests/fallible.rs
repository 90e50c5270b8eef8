//! Collecting items that may be failures: which items are begun, which failure comes out, what becomes of the successes.

mod plans;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use amorsize::{Force, Tune, force};
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

#[amorsize::tune]
fn parsed(texts: &[String]) -> Result<Vec<u32>, std::num::ParseIntError> {
    texts.par_iter().map(|text| text.parse()).collect()
}

#[test]
fn the_first_failure_of_a_serial_run_comes_out_as_from_the_standard_library() {
    let mut texts: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
    under_each(&PLANS, || {
        assert_eq!(parsed(&texts).expect("numbers"), (0..10_000).collect::<Vec<_>>());
        assert_eq!(parsed(&[]).expect("numbers"), []);
    });
    texts[7_000].clear();
    texts[9_000] = "1e3".to_owned();
    let plain: Result<Vec<u32>, _> = texts.iter().map(|text| text.parse::<u32>()).collect();
    let _turn = turn();
    force(Some(Force::Serial));
    assert_eq!(parsed(&texts), plain);
    force(None);
}

/// A share of `alive` for each item but a bad one.
#[amorsize::tune]
fn until(n: usize, bad: usize, alive: &Arc<()>) -> Option<Vec<Arc<()>>> {
    (0..n).into_par_iter().map(|i| (i != bad).then(|| alive.clone())).collect()
}

#[test]
fn successes_beside_a_failure_are_dropped() {
    under_each(&PLANS, || {
        let alive = Arc::new(());
        for bad in [0, 1, 4_999, 9_999] {
            assert!(until(10_000, bad, &alive).is_none());
            assert_eq!(Arc::strong_count(&alive), 1);
        }
        let all = until(10_000, usize::MAX, &alive).expect("none fails");
        assert_eq!((all.len(), Arc::strong_count(&alive)), (10_000, 10_001));
    });
}

/// Items after the first one wait until it has failed.
#[amorsize::tune(chunk = 10)]
fn begun_after_a_failure(
    n: usize,
    failed: &AtomicBool,
    begun: &AtomicUsize,
) -> Result<Vec<()>, usize> {
    (0..n)
        .into_par_iter()
        .map(|i| {
            if i == 0 {
                failed.store(true, Ordering::Relaxed);
                return Err(i);
            }
            while !failed.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
            begun.fetch_add(1, Ordering::Relaxed);
            std::thread::yield_now();
            Ok(())
        })
        .collect()
}

#[test]
fn after_a_failure_a_serial_run_begins_nothing_and_workers_not_much() {
    const MANY: usize = 50_000_000;
    let _turn = turn();
    for (workers, at_most) in [(1, 0), (2, MANY / 10), (8, MANY / 10)] {
        force(Some(Force::Workers { workers, chunk: None }));
        let (failed, begun) = (AtomicBool::new(false), AtomicUsize::new(0));
        assert_eq!(begun_after_a_failure(MANY, &failed, &begun), Err(0));
        let begun = begun.into_inner();
        assert!(begun <= at_most, "{begun} items with {workers} workers");
    }
    force(None);
}

#[amorsize::tune]
fn panics_at(n: u32, bad: u32) -> Result<Vec<u32>, ()> {
    (0..n).into_par_iter().map(|i| if i == bad { panic!("item {i}") } else { Ok(i) }).collect()
}

#[test]
fn a_panic_is_no_failure() {
    under_each(&PLANS, || {
        let panic = std::panic::catch_unwind(|| panics_at(1_000, 700)).expect_err("it panics");
        assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some("item 700"));
        assert_eq!(panics_at(1_000, 2_000).map(|all| all.len()), Ok(1_000));
    });
}

#[test]
fn a_loop_by_hand_collects_successes_by_name() {
    static LOOP: amorsize::Loop = amorsize::tuned_loop!("fallible::by_hand");
    under_each(&PLANS, || {
        let lengths: Option<HashMap<u32, usize>> = (0..1_000_u32)
            .collect::<Vec<_>>()
            .par_iter()
            .tuned(&LOOP)
            .map(|&n| Some((n, n.to_string().len())))
            .try_collect();
        assert_eq!(lengths.expect("none fails")[&999], 3);
        let even = (0..1_000_usize).into_par_iter().tuned(&LOOP).filter(|n| n % 2 == 0);
        let all: Result<Vec<usize>, String> = even.map(Ok).try_collect();
        assert_eq!(all.map(|all| all.len()), Ok(500));
    });
}
