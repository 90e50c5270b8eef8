//! Every workload under every peer.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::case::{Comparison, Swept};
use crate::cli::Effort;
use crate::estimate::Estimate;
use crate::fork_join::{ForkJoin, fork_join};
use crate::host::Host;
use crate::output;
use crate::overhead::serial_overhead;
use crate::recorded::Recorded;
use crate::score::Score;
use crate::table::{Table, cores, ratio, time};
use crate::workload::Workload;
use crate::workloads::{Visit, visit_all};

/// Everything measured.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    host: Host,
    cases: Vec<Comparison>,
    fork_join: Vec<ForkJoin>,
    serial_overhead_ns: Estimate,
    score: Score,
}

/// Measures what the filter lets pass.
pub(crate) fn run(effort: &Effort) -> Result<Results, String> {
    let recorded = Recorded::of(effort)?;
    let machine = recorded.machine();
    let mut comparing = Comparing { effort, recorded, results: Vec::new() };
    visit_all(&mut comparing)?;
    let cases = comparing.results;
    if cases.is_empty() {
        return Err("the filter leaves no workload".to_owned());
    }
    output::status("fork and join");
    let fork_join = fork_join(effort);
    let serial_overhead_ns = serial_overhead(machine, effort);
    Ok(Results {
        host: Host::new(machine),
        score: Score::of(&cases, &fork_join[0], serial_overhead_ns),
        cases,
        fork_join,
        serial_overhead_ns,
    })
}

impl Results {
    pub(crate) fn cases(&self) -> &[Comparison] {
        &self.cases
    }
}

struct Comparing<'a> {
    effort: &'a Effort,
    recorded: Recorded,
    results: Vec<Comparison>,
}

impl Visit for Comparing<'_> {
    fn visit<W: Workload>(&mut self) -> Result<(), String> {
        let sweep_for = Duration::from_millis(self.effort.pick(300, 5_000));
        // Every pool is warmed up in every round.
        let budget = Duration::from_millis(self.effort.pick(1_000, 7_000));
        let Some(swept) = Swept::<W>::new(self.effort, &self.recorded, sweep_for)? else {
            return Ok(());
        };
        let Swept { mut cases, sweeps, facts } = swept;
        for (case, sweep) in cases.iter_mut().zip(&sweeps) {
            let comparison = case.compare(sweep, facts, self.recorded.machine(), budget)?;
            self.results.push(comparison);
        }
        Ok(())
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new([
            "workload/items",
            "serial",
            "rayon",
            "min_len",
            "unseen",
            "amorsize",
            "plan",
            "best",
            "regret",
            "vs_rayon",
            "vs_peer",
            "load",
        ]);
        for case in &self.cases {
            table.row([
                format!("{}/{}", case.workload, case.n),
                time(case.serial.median),
                time(case.rayon.median),
                time(case.rayon_min_len.median),
                time(case.amorsize_unseen.median),
                time(case.amorsize.median),
                case.plan.clone(),
                case.best.clone(),
                format!("{:.2}", case.regret),
                ratio(&case.vs_rayon),
                format!("{:.2}", case.vs_best_peer),
                cores(case.other_load),
            ]);
        }
        let mut forks = Table::new(["fork and join", "hot", "cold"]);
        for each in &self.fork_join {
            forks.row([each.name.clone(), time(each.hot.median), time(each.cold.median)]);
        }
        write!(f, "{}\n{table}\n{forks}\n{}", self.host, self.score)
    }
}
