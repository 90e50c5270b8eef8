//! The option `respect_load` beside other work: processes that keep all cores busy come and go, and the plans
//! of two loops, alike but for the option, are asked for every second.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use amorsize::Loop;
use amorsize::expansion::{LoopFacts, Options};
use amorsize_runtime::{machine_load, usable_cores};
use serde::Serialize;

use crate::cli::Effort;
use crate::host::Host;
use crate::output;
use crate::pauses::Neighbour;
use crate::table::Table;

static PLAIN: Loop = Loop::new("benchmarks::plain", Options::NONE, &[]);
static RESPECTING: Loop =
    Loop::new("benchmarks::respecting", Options { respect_load: true, ..Options::NONE }, &[]);

/// Dear enough for all workers.
const FACTS: LoopFacts = LoopFacts {
    item_ns: 1e6,
    item_growth: 0.0,
    item_cv: 0.1,
    piece_ns: 0.0,
    reduce_ns: 50.0,
    reduce_growth: 0.0,
    contention: 0.0,
    coherency: 0.0,
    imbalance: 0.0,
    cpu_share: Some(1.0),
};
const ITEMS: usize = 10_000;

/// Busy processes for each usable core: with two, some process waits at any time.
const NEIGHBOURS_PER_CORE: usize = 2;

/// How long plans may take to follow the load.
const PATIENCE: Duration = Duration::from_secs(90);

/// Everything measured.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    host: Host,
    looks: Vec<Look>,
    /// Seconds from the first busy process on to the first plan with fewer workers, and from the last one's end to
    /// plans with all of them; `None` if that never came.
    reduced_after_s: Option<f64>,
    restored_after_s: Option<f64>,
}

/// The plans at one moment.
#[derive(Debug, Serialize)]
struct Look {
    at_s: f64,
    neighbours: usize,
    cpu_load_percent: Option<f64>,
    plain_workers: usize,
    respecting_workers: usize,
}

pub(crate) fn run(effort: &Effort) -> Result<Results, String> {
    PLAIN.adopt(FACTS);
    RESPECTING.adopt(FACTS);
    let all = PLAIN.plan(ITEMS).workers();
    if all < 2 {
        return Err("there is one usable core, and a plan has at least one worker".to_owned());
    }
    let mut series = Series { start: Instant::now(), looks: Vec::new() };
    // A machine that was busy before has to calm down first.
    if series.until(0, |workers| workers == all).is_none() {
        let seconds = PATIENCE.as_secs();
        return Err(format!(
            "the machine was too busy for a plan with all workers for {seconds} s"
        ));
    }
    let neighbours: Vec<Neighbour> = (0..NEIGHBOURS_PER_CORE * usable_cores())
        .map(|_| Neighbour::start())
        .collect::<Result<_, _>>()
        .map_err(|error| format!("no busy process: {error}"))?;
    // Quick: the first reduction. Otherwise all of it.
    let enough = effort.pick(all - 1, 1);
    let reduced_after_s = series.until(neighbours.len(), |workers| workers <= enough);
    drop(neighbours);
    let restored_after_s = series.until(0, |workers| workers == all);
    let host = Host::new(Host::machine());
    Ok(Results { host, looks: series.looks, reduced_after_s, restored_after_s })
}

struct Series {
    start: Instant,
    looks: Vec<Look>,
}

impl Series {
    /// Looks once a second until the loop that respects the load has such workers; how many seconds that took.
    fn until(&mut self, neighbours: usize, reached: impl Fn(usize) -> bool) -> Option<f64> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let look = Look {
                at_s: self.start.elapsed().as_secs_f64(),
                neighbours,
                plain_workers: PLAIN.plan(ITEMS).workers(),
                respecting_workers: RESPECTING.plan(ITEMS).workers(),
                // After the plan: the reading that it was made with.
                cpu_load_percent: machine_load().cpu_percent,
            };
            output::status(&format!("{look:?}"));
            let workers = look.respecting_workers;
            self.looks.push(look);
            if reached(workers) {
                return Some(start.elapsed().as_secs_f64());
            }
            thread::sleep(Duration::from_secs(1));
        }
        None
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.host)?;
        let header = ["second", "busy processes", "cpu load", "workers", "with respect_load"];
        let mut table = Table::new(header);
        for look in &self.looks {
            table.row([
                format!("{:.0}", look.at_s),
                look.neighbours.to_string(),
                look.cpu_load_percent.map_or("-".to_owned(), |load| format!("{load:.0} %")),
                look.plain_workers.to_string(),
                look.respecting_workers.to_string(),
            ]);
        }
        writeln!(f, "\n{table}")?;
        let seconds = |s: Option<f64>| s.map_or("never".to_owned(), |s| format!("{s:.0}"));
        writeln!(f, "reduced_after_s: {}", seconds(self.reduced_after_s))?;
        writeln!(f, "restored_after_s: {}", seconds(self.restored_after_s))
    }
}
