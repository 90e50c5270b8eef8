//! Random loops on random machines of up to 1,024 cores: plans of the cost model against the best that trying
//! many finds.
//!
//! A scenario's truth is known to the `engine` alone, which carries a call out event by event. A
//! `recording` of such calls, with noise, goes through the same fit as real ones; the model decides from
//! its facts, and once more after some calls, from what a process then knows. The `oracle` tries many plans with the
//! calls that the process has seen. Nothing here is shared with the model.

mod engine;
mod oracle;
mod recording;
mod scenario;

use std::fmt;

use amorsize::expansion::LoopFacts;
use amorsize_runtime::model::{self, Limits, Plan};
use rayon::prelude::*;
use serde::Serialize;

use crate::cli::Effort;
use crate::estimate::geometric_mean;
use crate::peer::plan_text;
use crate::score::{gate_right, quantile, right_percent};
use crate::table::{Table, count, time};
use scenario::Scenario;

/// Scenarios; quick and thorough.
const SCENARIOS: (u64, u64) = (400, 2_000);
/// The worst ones are shown.
const SHOWN: usize = 12;

/// Everything that came out.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    /// By regret, the worst first.
    outcomes: Vec<Outcome>,
}

/// What became of one scenario. Times in nanoseconds.
#[derive(Debug, Serialize)]
struct Outcome {
    seed: u64,
    cores: usize,
    items: usize,
    /// What is unusual about it.
    kind: String,
    serial_ns: f64,
    /// Under the plan that follows from the profile alone, that of a process's first call.
    first_ns: f64,
    /// The plan after some calls.
    chosen: String,
    chosen_ns: f64,
    predicted_ns: f64,
    best: String,
    best_ns: f64,
    /// Serial or parallel, as it should be; `None` where the two are close.
    gate_right: Option<bool>,
}

impl Outcome {
    fn regret(&self) -> f64 {
        self.chosen_ns / self.best_ns
    }

    fn first_regret(&self) -> f64 {
        self.first_ns / self.best_ns
    }
}

pub(crate) fn run(effort: &Effort) -> Results {
    let scenarios = effort.pick(SCENARIOS.0, SCENARIOS.1);
    let mut outcomes: Vec<Outcome> = (0..scenarios).into_par_iter().map(outcome).collect();
    outcomes.sort_by(|a, b| b.regret().total_cmp(&a.regret()));
    Results { outcomes }
}

fn outcome(seed: u64) -> Outcome {
    let scenario = Scenario::random(seed);
    let Scenario { host, tuned, n, hot, .. } = &scenario;
    let (n, hot) = (*n, *hot);
    let random = &mut fastrand::Rng::with_seed(!seed);
    let profile = cargo_amorsize::fitted(recording::records(&scenario, random));
    let profile = profile.expect("a recording has a machine");
    let limits = Limits::cores(host.workers);
    let decide = |facts| model::decide(n, &facts, &profile.facts, &limits, hot);

    let mut calls = |count| (0..count).map(|_| tuned.items(n, random)).collect::<Vec<_>>();
    let (tried, scored) = (calls(oracle::TRIED), calls(oracle::SCORED));
    let seen_ns = recording::seen_item_ns(&tried, random);
    // What the recorder cannot fit stays serial, as in a program whose profile lacks the loop's entry.
    let facts = profile.loops.get(recording::NAME).map(|entry| entry.facts);
    let first = facts.map_or(Plan::Serial, |facts| decide(facts).plan);
    let learn =
        |facts: LoopFacts| model::learned(facts.in_calls_of(n), seen_ns, tried.len() as f64);
    let learned = facts.map(learn);
    let decision = learned.map(decide);
    let chosen = decision.map_or(Plan::Serial, |decision| decision.plan);

    let serial_ns = oracle::serial_ns(&scored);
    let time_ns = |plan| oracle::time_ns(host, &scored, plan, hot);
    let time_of = |plan| workers_and_chunk(plan).map_or(serial_ns, time_ns);
    let chosen_ns = time_of(chosen);
    let parallel = oracle::best(host, &tried, hot, workers_and_chunk(chosen))
        .map(|plan| (plan, time_ns(plan)));
    let parallel_ns = parallel.map_or(f64::INFINITY, |(_, ns)| ns);
    let pays = parallel_ns < serial_ns;
    let best = match parallel {
        Some(((workers, chunk), _)) if pays => Plan::Parallel { workers, chunk },
        _ => Plan::Serial,
    };
    Outcome {
        seed,
        cores: host.workers,
        items: n,
        kind: scenario.kind(),
        serial_ns,
        first_ns: time_of(first),
        chosen: plan_text(chosen),
        chosen_ns,
        predicted_ns: decision.map_or(f64::NAN, |decision| decision.terms.total()),
        best: plan_text(best),
        best_ns: serial_ns.min(parallel_ns),
        gate_right: gate_right(chosen != Plan::Serial, serial_ns, parallel_ns),
    }
}

fn workers_and_chunk(plan: Plan) -> Option<(usize, usize)> {
    match plan {
        Plan::Serial => None,
        Plan::Parallel { workers, chunk } => Some((workers, chunk)),
    }
}

impl fmt::Display for Results {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads =
            ["seed", "cores", "items", "serial", "chosen", "", "best", "", "regret", "kind"];
        let mut table = Table::new(heads);
        for outcome in self.outcomes.iter().take(SHOWN) {
            table.row([
                outcome.seed.to_string(),
                count(outcome.cores),
                count(outcome.items),
                time(outcome.serial_ns),
                outcome.chosen.clone(),
                time(outcome.chosen_ns),
                outcome.best.clone(),
                time(outcome.best_ns),
                format!("{:.2}", outcome.regret()),
                outcome.kind.clone(),
            ]);
        }
        let regrets: Vec<f64> = self.outcomes.iter().map(Outcome::regret).collect();
        let first: Vec<f64> = self.outcomes.iter().map(Outcome::first_regret).collect();
        let gates = self.outcomes.iter().map(|outcome| outcome.gate_right);
        writeln!(formatter, "{table}")?;
        writeln!(formatter, "sim_scenarios: {}", regrets.len())?;
        let numbers = [
            ("sim_regret_geomean", geometric_mean(regrets.iter().copied())),
            ("sim_regret_p95", quantile(regrets.clone(), 0.95)),
            ("sim_regret_max", regrets[0]),
            ("sim_gate_right_percent", right_percent(gates)),
            ("sim_first_call_regret_geomean", geometric_mean(first.iter().copied())),
            ("sim_first_call_regret_p95", quantile(first.clone(), 0.95)),
            ("sim_first_call_regret_max", quantile(first, 1.0)),
        ];
        numbers.into_iter().try_for_each(|(name, value)| writeln!(formatter, "{name}: {value:.3}"))
    }
}
