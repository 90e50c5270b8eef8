//! What one parallel call costs beyond its items, counted instead of timed: numbers that do not depend on how
//! many cores the machine has. A program of its own, as counting allocations slows them down.
//!
//! Prints, for pools of 2 to 64 threads and per call: allocations and their bytes, how often a thread of the
//! process went to sleep, and how many folders there were (one reduction less).

use std::alloc::System;
use std::fs;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

use amorsize::{Force, Loop, Tune};
use rayon::prelude::*;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

static LOOP: Loop = amorsize::tuned_loop!("benchmarks::counts");

static FOLDERS: AtomicUsize = AtomicUsize::new(0);

const ITEMS: usize = 8_192;

/// Chunks that Amorsize is told to make for each worker.
const CHUNKS_PER_WORKER: usize = 16;

/// Calls whose mean is told, after as many that are not counted.
const CALLS: usize = 200;

/// What a call takes, on average.
struct Counts {
    allocations: f64,
    bytes: f64,
    sleeps: f64,
    folders: f64,
}

#[expect(clippy::print_stdout, reason = "the whole program is for this table")]
fn main() {
    println!("{ITEMS} items of about 1 µs; means of {CALLS} calls\n");
    println!("threads executor allocations  bytes sleeps folders");
    for threads in [2, 4, 8, 16, 64] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.expect("the system has room for that many threads");
        let chunk = Some(ITEMS / (threads * CHUNKS_PER_WORKER));
        let force = Force::Workers { workers: threads, chunk };
        amorsize::force(Some(force));
        for (name, call) in [("amorsize", tuned as fn()), ("rayon", stock)] {
            let Counts { allocations, bytes, sleeps, folders } = pool.install(|| count(call));
            println!(
                "{threads:7} {name:8} {allocations:11.1} {bytes:6.0} {sleeps:6.1} {folders:7.1}"
            );
        }
    }
}

fn count(call: fn()) -> Counts {
    (0..CALLS).for_each(|_| call());
    FOLDERS.store(0, Ordering::Relaxed);
    let (slept, region) = (sleeps(), Region::new(ALLOCATOR));
    (0..CALLS).for_each(|_| call());
    let allocated = region.change();
    let mean = |count: usize| count as f64 / CALLS as f64;
    Counts {
        allocations: mean(allocated.allocations),
        bytes: mean(allocated.bytes_allocated),
        sleeps: mean(sleeps() - slept),
        folders: mean(FOLDERS.load(Ordering::Relaxed)),
    }
}

fn tuned() {
    let items = (0..ITEMS).into_par_iter().tuned(&LOOP);
    black_box(items.fold(new_folder, |sum, n| sum + item(n)).sum::<f64>());
}

fn stock() {
    let items = (0..ITEMS).into_par_iter();
    black_box(items.fold(new_folder, |sum, n| sum + item(n)).sum::<f64>());
}

fn new_folder() -> f64 {
    FOLDERS.fetch_add(1, Ordering::Relaxed);
    0.0
}

/// About a microsecond of dependent arithmetic.
fn item(n: usize) -> f64 {
    (0..100).fold(n as f64, |x, _| x.sqrt() + 1.0)
}

/// How often threads of this process that still live have gone to sleep; 0 where the system does not tell.
fn sleeps() -> usize {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let times = threads.filter_map(|thread| {
        let status = fs::read_to_string(thread.path().join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        line.trim().parse::<usize>().ok()
    });
    times.sum()
}
