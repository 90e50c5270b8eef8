//! Calls that only hot helpers would make worth it. Alone in its process, whose machine a profile describes.

use std::collections::HashSet;
use std::sync::Mutex;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use amorsize_profile::{LoopFacts, MachineFacts};
use amorsize_runtime::{Loop, Options, Profiled, Tune, machine_class, usable_cores};
use rayon::prelude::*;

#[path = "../../tests/skip/mod.rs"]
mod skip;

use skip::skip;

/// A cold helper comes after a second, one that has worked lately at once.
const MACHINE: MachineFacts = MachineFacts {
    spawn_ns: 100.0,
    wake_ns: 100.0,
    cold_spawn_ns: 1e3,
    cold_wake_ns: 1e9,
    hot_for_ns: 60e9,
    claim_ns: 10.0,
    reference_ns: 1.0,
};
const ITEM: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(20);
const ITEMS: u32 = 40;

/// The threads of a call whose items take [`ITEM`], and longer until there are `wanted` or patience is over.
fn threads_of_one_call(target: &'static Loop, wanted: usize) -> HashSet<ThreadId> {
    let threads = Mutex::new(HashSet::new());
    let until = Instant::now() + PATIENCE;
    (0..ITEMS).into_par_iter().tuned(target).for_each(|_| {
        threads.lock().unwrap().insert(thread::current().id());
        thread::sleep(ITEM);
        while threads.lock().unwrap().len() < wanted && Instant::now() < until {
            thread::sleep(ITEM);
        }
    });
    threads.into_inner().unwrap()
}

#[test]
fn a_long_call_that_stays_serial_for_want_of_hot_helpers_has_the_next_one_make_them_hot() {
    if usable_cores() < 2 {
        return skip("there is one core, and one worker is always serial");
    }
    let item = LoopFacts { item_ns: ITEM.as_nanos() as f64, ..LoopFacts::default() };
    let entry = Profiled {
        name: "warming",
        class: machine_class(),
        machine: MACHINE,
        item,
        parallel_from: 2,
        task_bytes: None,
    };
    let entries = Box::leak(Box::new([entry]));
    let target = Box::leak(Box::new(Loop::new("warming", Options::NONE, entries)));
    assert_eq!(threads_of_one_call(target, 1), HashSet::from([thread::current().id()]));
    assert!(threads_of_one_call(target, 2).len() > 1);
}
