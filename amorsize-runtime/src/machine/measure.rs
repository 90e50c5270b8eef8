//! Measures what handing out work costs here, in one to two milliseconds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use amorsize_profile::MachineFacts;
use rayon::iter::plumbing::{Consumer, Folder, Producer, Reducer};

use crate::clock::{self, Instant};
use crate::crew::{self, Division};
use crate::handover::{self, Desk, Spawner, Ticket};
use crate::linger;
use crate::machine::ASSUMED;
use crate::pieces::AtOnce;
use crate::pool::{self, Pool};
use crate::run::Run;

/// Calls right after one another.
const HOT_ROUNDS: usize = 24;
/// What each worker of such a call does.
const ITEM: Duration = Duration::from_micros(2);
/// How long one round waits for its helper.
const PATIENCE: Duration = Duration::from_micros(200);
/// In a call that takes so much longer than its items, a helper was not hot.
const HOT_WITHIN: Duration = Duration::from_micros(50);
/// A helper that takes so long may be waiting for the caller's core: another one is summoned, as a crew does.
const LATE: Duration = Duration::from_micros(100);
/// When to stop making calls.
const BUDGET: Duration = Duration::from_micros(700);
/// After a pause of this length every helper is cold.
const LONG_PAUSE: Duration = Duration::from_micros(400);
/// Measurements of which a bout takes medians.
const OFTEN: usize = 15;
/// Bouts of [`measure_often`], and the time from the end of one to the next: what disturbs one of them may well be over by then.
const BOUTS: usize = 4;
const BETWEEN_BOUTS: Duration = Duration::from_millis(50);
/// Threads that were just made may share a core for some milliseconds, until the system sets them apart.
/// It does so when it sees all of them run.
const SETTLING: Duration = Duration::from_millis(30);

/// Measures spawn, wake and claim on the present pool, and the reference loop.
pub(crate) fn measure() -> MachineFacts {
    if !clock::TICKS {
        return ASSUMED;
    }
    measure_once().unwrap_or_else(without_helpers)
}

/// What several measurements come to: medians, as one measurement is disturbed easily, in the bout with the fastest start of
/// a hot helper, as threads that share a core may do so for a whole bout. Takes some 0.4 s.
pub fn measure_often() -> MachineFacts {
    let bouts = (0..BOUTS).filter_map(|bout| {
        if bout > 0 {
            thread::sleep(BETWEEN_BOUTS);
        }
        settle();
        let measurements: Vec<MachineFacts> = (0..OFTEN).filter_map(|_| measure_once()).collect();
        MachineFacts::median(&measurements)
    });
    let start_ns = |facts: &MachineFacts| facts.wake_ns + 1.5 * facts.spawn_ns;
    let fastest = bouts.min_by(|a, b| start_ns(a).total_cmp(&start_ns(b)));
    fastest.unwrap_or_else(without_helpers)
}

/// Keeps the caller, and all threads of the pool that have nothing else to do, busy for a while.
fn settle() {
    if pool::threads() < 2 {
        return;
    }
    let begin = Instant::now();
    let spin = move || {
        while begin.elapsed() < SETTLING {
            std::hint::spin_loop();
        }
    };
    rayon::spawn_broadcast(move |_| spin());
    spin();
}

/// `None` if helpers do not come: a pool that is busy with other work tells nothing about how fast it
/// can be.
fn measure_once() -> Option<MachineFacts> {
    // Builds the pool, which is not part of what is measured.
    let workers = super::usable_cores().min(pool::threads());
    // Where helpers do not come, the caller does all items of the calls that follow, which looks like a cost.
    start_one()?;
    let alone = without_helpers();
    let (spawn_ns, wake_ns) = hot_calls(workers, alone.claim_ns)?;
    let facts = MachineFacts {
        spawn_ns,
        wake_ns,
        cold_spawn_ns: ASSUMED.cold_spawn_ns.max(spawn_ns),
        cold_wake_ns: ASSUMED.cold_wake_ns.max(wake_ns),
        hot_for_ns: linger::STAY_NS as f64,
        ..alone
    };
    // A thread that is woken on the caller's core does not come in time.
    Some(start_after(LONG_PAUSE).map_or(facts, |cold| MachineFacts {
        // One that by chance was still awake must not make cold starts look cheap.
        cold_spawn_ns: cold.spawn_ns.max(spawn_ns),
        cold_wake_ns: cold.wake_ns.max(wake_ns),
        ..facts
    }))
}

/// What the model takes for a spawn and a wake of hot helpers, in nanoseconds: those with which it tells what a call on two
/// workers and one on all of them take, from the first instruction to the last. `None` if no call was fast.
fn hot_calls(workers: usize, claim_ns: f64) -> Option<(f64, f64)> {
    let two = beyond_items(2)? - claim_ns;
    let helpers = workers.saturating_sub(1) as f64;
    let spawn_ns =
        if helpers > 1.0 { spawn_of(two, beyond_items(workers)? - claim_ns, helpers) } else { 0.0 };
    Some((spawn_ns, (two - 1.5 * spawn_ns).max(0.0)))
}

/// One equal item for each worker takes `(h·spawn + Σ Lᵢ)/w + L_h·h/w` longer than the item where `Lᵢ = i·spawn + wake` and
/// `w = h + 1`, which is `wake + 1.5·spawn` for one helper.
fn spawn_of(two: f64, all: f64, helpers: f64) -> f64 {
    let workers = helpers + 1.0;
    ((all * workers / helpers - 2.0 * two) / (1.5 * (helpers - 1.0))).max(0.0)
}

/// By how much calls of one item for each of so many workers take longer than their items, as a median over many; `None`
/// if none of them was fast.
fn beyond_items(workers: usize) -> Option<f64> {
    let begin = Instant::now();
    let beyond: Vec<f64> = (0..HOT_ROUNDS)
        .take_while(|_| begin.elapsed() < BUDGET)
        .map(|_| {
            let start = Instant::now();
            let run =
                Run { producer: AtOnce(Nothing(workers)), consumer: Busy(ITEM), len: workers };
            crew::fold(None, run, Division::of(workers, 1), &Undisturbed);
            (start.elapsed().as_nanos() as f64 - ITEM.as_nanos() as f64).max(0.0)
        })
        .filter(|&beyond| beyond < HOT_WITHIN.as_nanos() as f64)
        .collect();
    (!beyond.is_empty()).then(|| median(beyond))
}

/// What can be measured without helpers.
fn without_helpers() -> MachineFacts {
    MachineFacts { claim_ns: claim(), reference_ns: reference(), ..ASSUMED }
}

/// How one helper started.
#[derive(Clone, Copy)]
struct Start {
    spawn_ns: f64,
    wake_ns: f64,
}

/// One start after a pause in which the caller spins.
fn start_after(pause: Duration) -> Option<Start> {
    let begin = Instant::now();
    while begin.elapsed() < pause {
        std::hint::spin_loop();
    }
    start_one()
}

/// Starts one helper; `None` if it does not come in time.
fn start_one() -> Option<Start> {
    let started_at = AtomicU64::new(0);
    let origin = Instant::now();
    let helper = |_seat| {
        started_at.store(origin.elapsed().as_nanos() as u64, Ordering::Release);
    };
    let mut spawned_at = 0.0;
    handover::at_desk(1, |desk| {
        handover::lend(desk, 1, &Undisturbed, &helper, &mut || {
            Desk::summon(desk, 1, &Undisturbed);
            spawned_at = origin.elapsed().as_nanos() as f64;
            let waits = |patience| {
                while started_at.load(Ordering::Acquire) == 0 && origin.elapsed() < patience {
                    std::hint::spin_loop();
                }
                started_at.load(Ordering::Acquire) == 0
            };
            if waits(LATE) {
                Desk::summon_one(desk, &Undisturbed);
                waits(PATIENCE);
            }
        });
    });
    match started_at.into_inner() {
        0 => None,
        at => Some(Start { spawn_ns: spawned_at, wake_ns: (at as f64 - spawned_at).max(0.0) }),
    }
}

/// The cost of a chunk that its owner offers and takes back: a fold of empty items with one item a
/// chunk and no helper, less the same in one chunk.
fn claim() -> f64 {
    const PIECES: usize = 512;
    let time = |chunk| {
        let run =
            Run { producer: AtOnce(Nothing(PIECES)), consumer: Busy(Duration::ZERO), len: PIECES };
        let start = Instant::now();
        let division = Division::of(2, chunk);
        crew::fold(None, run, division, &NoHelpers);
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
    samples.sort_unstable_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(0.0)
}

/// The present pool, for a caller that does nothing else while it waits: what it would do may be a call that asks for what is
/// being measured, and waits for it for ever.
struct Undisturbed;

impl Spawner for Undisturbed {
    fn spawn(&self, ticket: Ticket) {
        Pool::Rayon.spawn(ticket);
    }

    fn run_other_work(&self) -> bool {
        false
    }
}

/// A pool whose threads never come.
struct NoHelpers;

impl Spawner for NoHelpers {
    fn spawn(&self, ticket: Ticket) {
        drop(ticket);
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

/// A consumer that keeps its thread busy with each item for so long.
#[derive(Clone, Copy)]
struct Busy(Duration);

impl Consumer<()> for Busy {
    type Folder = Busy;
    type Reducer = Busy;
    type Result = ();

    fn split_at(self, _: usize) -> (Self, Self, Self) {
        (self, self, self)
    }

    fn into_folder(self) -> Self {
        self
    }

    fn full(&self) -> bool {
        false
    }
}

impl Folder<()> for Busy {
    type Result = ();

    fn consume(self, (): ()) -> Self {
        if !self.0.is_zero() {
            let start = Instant::now();
            while start.elapsed() < self.0 {
                std::hint::spin_loop();
            }
        }
        self
    }

    fn complete(self) {}

    fn full(&self) -> bool {
        false
    }
}

impl Reducer<()> for Busy {
    fn reduce(self, (): (), (): ()) {}
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicBool;

    use amorsize_profile::LoopFacts;

    use super::*;
    use crate::model::{self, Plan};

    #[test]
    fn the_model_tells_the_calls_that_were_measured() {
        let machine = MachineFacts { spawn_ns: 115.0, wake_ns: 1_900.0, claim_ns: 70.0, ..ASSUMED };
        let item = LoopFacts { item_ns: 1e5, ..LoopFacts::default() };
        let beyond = |workers: usize| {
            let plan = Plan::Parallel { workers, chunk: 1 };
            let terms = model::predict(workers, plan, &item, &machine, workers);
            // Items are never quite even.
            let uneven = 0.02 * item.item_ns * (workers - 1) as f64 / workers as f64;
            terms.total() - item.item_ns - uneven - machine.claim_ns
        };
        let (two, sixteen) = (beyond(2), beyond(16));
        let spawn_ns = spawn_of(two, sixteen, 15.0);
        assert!((spawn_ns - 115.0).abs() < 1.0, "{spawn_ns}");
        assert!((two - 1.5 * spawn_ns - 1_900.0).abs() < 1.0, "{two}");
    }

    #[test]
    fn who_measures_does_nothing_else_meanwhile() {
        // With more threads than cores, it has to wait for helpers.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(16).build().expect("a pool");
        let (measuring, measured) = (Mutex::new(None), AtomicBool::new(false));
        let disturbed = AtomicBool::new(false);
        let note = || {
            if *measuring.lock().expect("nobody panics") == Some(thread::current().id()) {
                disturbed.store(true, Ordering::Relaxed);
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                while !measured.load(Ordering::Relaxed) {
                    pool.scope(|scope| (0..100).for_each(|_| scope.spawn(|_| note())));
                }
            });
            pool.install(|| {
                *measuring.lock().expect("nobody panics") = Some(thread::current().id());
                for _ in 0..100 {
                    measure_once();
                }
                *measuring.lock().expect("nobody panics") = None;
            });
            measured.store(true, Ordering::Relaxed);
        });
        assert!(!disturbed.into_inner());
    }

    #[test]
    fn all_costs_are_finite_and_not_negative() {
        let facts = measure_often();
        assert!(facts.to_array().iter().all(|cost| cost.is_finite() && *cost >= 0.0), "{facts:?}");
        assert!(facts.reference_ns > 0.0);
        assert!(facts.spawn_ns <= facts.cold_spawn_ns && facts.wake_ns <= facts.cold_wake_ns);
    }
}
