//! Measures what handing out work costs here, in about a millisecond.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use amorsize_profile::MachineFacts;
use rayon::iter::plumbing::{Consumer, Folder, Producer, Reducer};

use crate::crew::{self, Division, Run};
use crate::handover::{self, Spawner};
use crate::machine::ASSUMED;
use crate::pool::RayonPool;

const ROUNDS: usize = 24;
/// How long one round waits for its helper.
const PATIENCE: Duration = Duration::from_micros(200);
/// When to stop starting rounds.
const BUDGET: Duration = Duration::from_micros(700);

/// Measures spawn, wake and claim on the present pool, and the reference loop.
pub fn measure() -> MachineFacts {
    rayon::current_num_threads(); // builds the pool, which is not part of what is measured
    let (spawn_ns, wake_ns) = spawn_and_wake();
    let helpers_came = wake_ns < PATIENCE.as_nanos() as f64 / 2.0;
    MachineFacts {
        // A pool that is busy with other work tells nothing about how fast it can be.
        spawn_ns: if helpers_came { spawn_ns } else { ASSUMED.spawn_ns },
        wake_ns: if helpers_came { wake_ns } else { ASSUMED.wake_ns },
        claim_ns: claim(),
        reference_ns: reference(),
    }
}

fn spawn_and_wake() -> (f64, f64) {
    let (mut spawns, mut wakes) = (Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS));
    let start = Instant::now();
    while spawns.len() < ROUNDS && (spawns.is_empty() || start.elapsed() < BUDGET) {
        let started_at = AtomicU64::new(0);
        let origin = Instant::now();
        let helper = |_seat| {
            started_at.store(origin.elapsed().as_nanos() as u64, Ordering::Release);
        };
        let spawned_at = handover::share(1, &RayonPool, &helper, || {
            let spawned_at = origin.elapsed();
            while started_at.load(Ordering::Acquire) == 0 && origin.elapsed() < PATIENCE {
                std::hint::spin_loop();
            }
            spawned_at.as_nanos() as f64
        });
        let started_at = match started_at.into_inner() {
            0 => PATIENCE.as_nanos() as f64,
            at => at as f64,
        };
        spawns.push(spawned_at);
        wakes.push((started_at - spawned_at).max(0.0));
    }
    (median(spawns), median(wakes))
}

/// The cost of a chunk that its owner offers and takes back: a fold of empty items with one item a
/// chunk and no helper, less the same in one chunk.
fn claim() -> f64 {
    const PIECES: usize = 512;
    let time = |chunk| {
        let run = Run { producer: Nothing(PIECES), consumer: Ignore, len: PIECES };
        let start = Instant::now();
        crew::fold(run, Division { workers: 2, chunk, max_len: usize::MAX }, &NoHelpers);
        start.elapsed().as_nanos() as f64
    };
    let samples = (0..5).map(|_| (time(1) - time(PIECES / 2)).max(0.0) / PIECES as f64);
    median(samples.collect())
}

/// A dependent chain of multiplications and shifts: tells how fast this machine is compared with the
/// one that a profile was measured on.
fn reference() -> f64 {
    let samples = (0..5).map(|seed| {
        let start = Instant::now();
        let mut x = std::hint::black_box(seed + 1_u64);
        for _ in 0..2_000 {
            x ^= x >> 29;
            x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        std::hint::black_box(x);
        start.elapsed().as_nanos() as f64
    });
    median(samples.collect())
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(0.0)
}

/// A pool whose threads never come.
struct NoHelpers;

impl Spawner for NoHelpers {
    fn spawn(&self, job: Box<dyn FnOnce() + Send>) {
        drop(job);
    }

    fn run_other_work(&self) -> bool {
        false
    }
}

/// A run of items without content.
struct Nothing(usize);

impl Producer for Nothing {
    type Item = ();
    type IntoIter = std::iter::RepeatN<()>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::repeat_n((), self.0)
    }

    fn split_at(self, index: usize) -> (Self, Self) {
        (Nothing(index), Nothing(self.0 - index))
    }
}

/// A consumer of nothing.
struct Ignore;

impl Consumer<()> for Ignore {
    type Folder = Ignore;
    type Reducer = Ignore;
    type Result = ();

    fn split_at(self, _: usize) -> (Self, Self, Self) {
        (Ignore, Ignore, Ignore)
    }

    fn into_folder(self) -> Self {
        self
    }

    fn full(&self) -> bool {
        false
    }
}

impl Folder<()> for Ignore {
    type Result = ();

    fn consume(self, (): ()) -> Self {
        self
    }

    fn complete(self) {}

    fn full(&self) -> bool {
        false
    }
}

impl Reducer<()> for Ignore {
    fn reduce(self, (): (), (): ()) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_costs_are_finite_and_not_negative() {
        let facts = measure();
        for cost in [facts.spawn_ns, facts.wake_ns, facts.claim_ns, facts.reference_ns] {
            assert!(cost.is_finite() && cost >= 0.0, "{facts:?}");
        }
        assert!(facts.reference_ns > 0.0);
    }
}
