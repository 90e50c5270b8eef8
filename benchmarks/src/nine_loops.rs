//! Nine short loops, where executors differ most: from 100 ns to 10 ms of serial work.

use std::fmt;
use std::hint::black_box;
use std::time::Duration;

use amorsize::Tune;
use amorsize::expansion::{LoopFacts, MachineFacts};
use rayon::prelude::*;
use serde::Serialize;

use crate::case::PATIENCE;
use crate::cli::Effort;
use crate::estimate::{Estimate, geometric_mean, median};
use crate::executor::Executor;
use crate::host::Host;
use crate::interleave::{calls_per_region, interleave, rounds_within, time_calls};
use crate::load::{self, Load};
use crate::output;
use crate::peer::{Peer, planned, profiled};
use crate::recorded::Facts;
use crate::spin::{spin, steps_for, sum_of_spins};
use crate::table::{Table, cores, count, ratio, time};

/// Items, and nanoseconds of each.
const LOOPS: [(usize, f64); 9] = [
    (100, 1.0),
    (1_000, 10.0),
    (1_000, 100.0),
    (10_000, 10.0),
    (100, 1e3),
    (30, 1e3),
    (100_000, 10.0),
    (1_000, 10e3),
    (64, 100e3),
];

/// Where calls come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Caller {
    /// A thread of the program's own.
    OutsideThePool,
    /// A thread of rayon's pool.
    InsideThePool,
}

/// Everything measured.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    host: Host,
    loops: Vec<Comparison>,
}

/// What one loop came to. All times in nanoseconds per call.
#[derive(Debug, Serialize)]
struct Comparison {
    caller: Caller,
    items: usize,
    serial: Estimate,
    rayon: Estimate,
    /// All workers and the model's chunk imposed: no decision.
    executor: Estimate,
    /// As a user has it.
    profiled: Estimate,
    #[serde(with = "Facts")]
    facts: LoopFacts,
    plan: String,
    /// Cores that other processes used meanwhile.
    other_load: Option<f64>,
    rayon_by_executor: Estimate,
    rayon_by_profiled: Estimate,
}

pub(crate) fn run(effort: &Effort) -> Result<Results, String> {
    let machine = Host::machine();
    let mut loops = Vec::new();
    for caller in [Caller::OutsideThePool, Caller::InsideThePool] {
        for (items, item_ns) in LOOPS {
            let name = name(items, item_ns);
            if effort.includes(&name) {
                output::status(&format!("{name}, {caller:?}"));
                loops.push(compare(items, steps_for(item_ns), caller, machine, effort));
            }
        }
    }
    if loops.is_empty() {
        return Err("the filter leaves no loop".to_owned());
    }
    Ok(Results { host: Host::new(machine), loops })
}

fn compare(
    items: usize,
    steps: u32,
    caller: Caller,
    machine: MachineFacts,
    effort: &Effort,
) -> Comparison {
    let seeds: Vec<u64> = (0..items as u64).collect();
    let region = |peer: &Peer, calls| {
        time_calls(peer, calls, |executor| {
            black_box(sum(black_box(&seeds), black_box(steps), executor));
        })
    };
    let serial_ns = median(&[(); 9].map(|()| region(&Peer::Serial, 5)));
    let calls = calls_per_region(serial_ns);
    let time = |peer: &Peer| match caller {
        Caller::OutsideThePool => region(peer, calls),
        Caller::InsideThePool => rayon::scope(|_| region(peer, calls)),
    };
    load::wait_for_quiet(PATIENCE);
    let before = Load::now();
    let budget = Duration::from_millis(effort.pick(500, 3_000));
    // Items are equal and share nothing.
    let facts = LoopFacts { item_ns: serial_ns / items as f64, ..LoopFacts::default() };
    let known = profiled(facts, machine);
    let peers = [
        Peer::Serial,
        Peer::Rayon,
        Peer::Plan {
            workers: rayon::current_num_threads(),
            chunk: None,
            target: profiled(facts, machine),
        },
        Peer::Profiled(known),
    ];
    let rounds = rounds_within(budget, &peers, serial_ns);
    let samples = interleave(&peers, rounds, time);
    let other_load = load::others_since(before);
    // Its helpers are as hot then as its calls keep them.
    time(&Peer::Profiled(known));
    let plan = planned(items, known);
    let [serial, rayon, executor, tuned] = [0, 1, 2, 3].map(|peer: usize| &samples[peer][..]);
    Comparison {
        caller,
        items,
        facts,
        serial: Estimate::of(serial),
        rayon: Estimate::of(rayon),
        executor: Estimate::of(executor),
        profiled: Estimate::of(tuned),
        plan,
        other_load,
        rayon_by_executor: Estimate::of_ratio(rayon, executor),
        rayon_by_profiled: Estimate::of_ratio(rayon, tuned),
    }
}

fn sum(seeds: &[u64], steps: u32, executor: Executor) -> u64 {
    let item = |&seed: &u64| spin(seed, steps);
    match executor {
        Executor::Serial => sum_of_spins(seeds, steps),
        Executor::Rayon => seeds.par_iter().map(item).sum(),
        Executor::RayonMinLen(min) => seeds.par_iter().with_min_len(min).map(item).sum(),
        Executor::Amorsize(target) => seeds.par_iter().tuned(target).map(item).sum(),
        Executor::Orx => others::orx(seeds, steps),
        Executor::Paralight => others::paralight(seeds, steps),
        Executor::Forked(forked) => {
            forked.run(seeds, |part| sum_of_spins(part, steps), |a, b| a + b)
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use crate::forked::with_paralight;
    use crate::spin::spin;

    pub(super) fn orx(seeds: &[u64], steps: u32) -> u64 {
        use orx_parallel::*;
        seeds.par().map(|&seed| spin(seed, steps)).sum()
    }

    pub(super) fn paralight(seeds: &[u64], steps: u32) -> u64 {
        use paralight::prelude::*;
        with_paralight(|pool| {
            seeds.par_iter().with_thread_pool(pool).map(|&seed| spin(seed, steps)).sum()
        })
    }
}

fn name(items: usize, item_ns: f64) -> String {
    let (value, unit) = if item_ns < 1e3 { (item_ns, "ns") } else { (item_ns / 1e3, "µs") };
    format!("{} × {value} {unit}", count(items))
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.host)?;
        for (caller, title) in
            [(Caller::OutsideThePool, "outside"), (Caller::InsideThePool, "inside")]
        {
            let loops = || self.loops.iter().filter(|each| each.caller == caller);
            let mut table = Table::new([
                "items × time",
                "serial",
                "rayon",
                "executor",
                "profiled",
                "plan",
                "rayon/executor",
                "rayon/profiled",
                "load",
            ]);
            for each in loops() {
                table.row([
                    format!("{} × {}", count(each.items), time(each.facts.item_ns)),
                    time(each.serial.median),
                    time(each.rayon.median),
                    time(each.executor.median),
                    time(each.profiled.median),
                    each.plan.clone(),
                    ratio(&each.rayon_by_executor),
                    ratio(&each.rayon_by_profiled),
                    cores(each.other_load),
                ]);
            }
            writeln!(f, "\nCalled from {title} the pool:\n\n{table}")?;
            let by_executor = || loops().map(|each| each.rayon_by_executor.median);
            let by_profiled = || loops().map(|each| each.rayon_by_profiled.median);
            for (name, value) in [
                ("executor_vs_rayon_geomean", geometric_mean(by_executor())),
                ("executor_vs_rayon_worst", by_executor().fold(f64::NAN, f64::min)),
                ("profiled_vs_rayon_geomean", geometric_mean(by_profiled())),
                ("profiled_vs_rayon_worst", by_profiled().fold(f64::NAN, f64::min)),
            ] {
                writeln!(f, "{title}_{name}: {value:.3}")?;
            }
        }
        Ok(())
    }
}
