//! The option `respect_load`: when the load of the machine is looked at. What it does to plans is in
//! `neighbours.rs`, and for each second in `cargo run --release -p benchmarks -- respect-load`.

#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use amorsize::Loop;
use amorsize::expansion::{LoopFacts, Options};

mod reads;
mod skip;

use reads::{reads, reads_of_counting};
use skip::skip;

static RESPECTING: Loop =
    Loop::new("respecting", Options { respect_load: true, ..Options::NONE }, &[]);

/// Files that are read per look at the load, with the two or three reads that each takes: an upper bound.
const READS_OF_A_LOOK: u64 = 20;

/// The only test of its process: others would read, too.
#[test]
fn the_load_is_read_at_most_once_a_second_and_only_for_parallel_plans() {
    let (Some(own), true) = (reads_of_counting(), amorsize_runtime::usable_cores() > 1) else {
        return skip("there is one core, or the system does not count reads");
    };
    let facts = LoopFacts { item_ns: 1_000.0, reduce_ns: 50.0, ..LoopFacts::default() };
    assert!(RESPECTING.adopt(facts));

    // Too short for helpers, whatever they cost. The first plan of all reads what the machine is.
    RESPECTING.plan(2);
    let before = reads().expect("it was there");
    for _ in 0..10_000 {
        assert_eq!(RESPECTING.plan(2).workers(), 1);
    }
    assert_eq!(reads().expect("it was there") - before, own, "serial plans read nothing");

    let before = reads().expect("it was there");
    let start = Instant::now();
    let mut plans = 0_u64;
    while start.elapsed() < Duration::from_millis(1_200) {
        RESPECTING.plan(1_000_000);
        plans += 1;
    }
    let read = reads().expect("it was there") - before - own;
    // One look at once, and one more for each second that has passed.
    let looks = start.elapsed().as_secs() + 1;
    assert!(read > 0 && read <= looks * READS_OF_A_LOOK, "{read} reads in {looks} looks");
    assert!(plans > 10 * read, "{plans} plans, {read} reads");
}
