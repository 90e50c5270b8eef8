//! What the profile of another machine costs: every workload under the plans that follow from it, beside the
//! plan that follows from a profile of this machine.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use amorsize::expansion::LoopFacts;
use amorsize_runtime::machine_class;
use amorsize_runtime::model::{self, Limits, Plan};
use serde::Serialize;

use crate::case::{Case, Swept};
use crate::cli::Effort;
use crate::estimate::{Estimate, geometric_mean};
use crate::facts;
use crate::host::Host;
use crate::output;
use crate::peer::{HOT, Peer, plan_text, profiled_on, unseen};
use crate::recorded::Recorded;
use crate::score::quantile;
use crate::table::{Table, ratio, time};
use crate::workload::Workload;
use crate::workloads::{Visit, visit_all};

/// Everything measured.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    host: Host,
    /// Where the foreign profile was made.
    foreign: Host,
    cases: Vec<Ported>,
}

/// One workload at one size. Times in nanoseconds per call.
#[derive(Debug, Serialize)]
struct Ported {
    workload: &'static str,
    n: usize,
    /// By a profile of this machine.
    plan: String,
    serial: Estimate,
    /// Under that plan.
    native: Estimate,
    /// As a program has it that carries the foreign profile alone.
    foreign: Estimate,
    /// `foreign` divided by `native`.
    ratio: Estimate,
    /// The item time that the foreign profile leads to, by the reference loop, divided by the one measured here.
    item_ratio: f64,
}

pub(crate) fn run(effort: &Effort, foreign: &Path) -> Result<Results, String> {
    let foreign = facts::Results::read(foreign)?;
    if foreign.host.class == machine_class() {
        let class = &foreign.host.class;
        return Err(format!(
            "the file was made on a machine of this class, {class}: nothing is foreign"
        ));
    }
    // Loops keep the name of their machine's class for as long as the process runs.
    let class: &'static str = foreign.host.class.clone().leak();
    let recorded = Recorded::of(effort)?;
    let machine = recorded.machine();
    let mut porting = Porting { effort, recorded, foreign: &foreign, class, cases: Vec::new() };
    visit_all(&mut porting)?;
    let cases = porting.cases;
    if cases.is_empty() {
        return Err("the filter leaves no workload that the file knows".to_owned());
    }
    Ok(Results { host: Host::new(machine), foreign: foreign.host, cases })
}

struct Porting<'a> {
    effort: &'a Effort,
    recorded: Recorded,
    foreign: &'a facts::Results,
    class: &'static str,
    cases: Vec<Ported>,
}

impl Visit for Porting<'_> {
    fn visit<W: Workload>(&mut self) -> Result<(), String> {
        // A fork has no facts.
        if W::FORKS {
            return Ok(());
        }
        let Some(foreign) = self.foreign.facts(W::NAME) else {
            output::status(&format!("{:>16}  is not in the file", W::NAME));
            return Ok(());
        };
        let budget = Duration::from_millis(self.effort.pick(900, 3_000));
        let Some(mut swept) = Swept::<W>::new(self.effort, &self.recorded, budget)? else {
            return Ok(());
        };
        for (case, _, native) in swept.predictable() {
            self.cases.push(self.port(case, native, foreign, budget));
        }
        Ok(())
    }
}

impl Porting<'_> {
    fn port<W: Workload>(
        &self,
        case: &mut Case<W>,
        native: LoopFacts,
        foreign: LoopFacts,
        budget: Duration,
    ) -> Ported {
        let limits = Limits::cores(rayon::current_num_threads());
        let n = case.n();
        let plan = model::decide(n, &native, &self.recorded.machine(), &limits, HOT).plan;
        let as_planned = match plan {
            Plan::Serial => Peer::Serial,
            Plan::Parallel { workers, chunk } => {
                Peer::Plan { workers, chunk: Some(chunk), target: unseen() }
            }
        };
        let costs = self.foreign.host.costs;
        let as_ported = Peer::Profiled(profiled_on(self.class, foreign, costs));
        let peers = [Peer::Serial, as_planned, as_ported];
        let samples = case.samples(&peers, native.item_ns * n as f64, budget);
        let foreign_ns = foreign.in_calls_of(n).item_ns;
        let scaled_ns = foreign_ns * self.recorded.machine().reference_ns / costs.reference_ns;
        Ported {
            workload: W::NAME,
            n,
            plan: plan_text(plan),
            serial: Estimate::of(&samples[0]),
            native: Estimate::of(&samples[1]),
            foreign: Estimate::of(&samples[2]),
            ratio: Estimate::of_ratio(&samples[2], &samples[1]),
            item_ratio: scaled_ns / native.item_ns,
        }
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = ["workload/items", "serial", "native", "plan", "foreign", "ratio", "item"];
        let mut table = Table::new(heads);
        for each in &self.cases {
            table.row([
                format!("{}/{}", each.workload, each.n),
                time(each.serial.median),
                time(each.native.median),
                each.plan.clone(),
                time(each.foreign.median),
                ratio(&each.ratio),
                format!("{:.2}", each.item_ratio),
            ]);
        }
        let ratios = || self.cases.iter().map(|each| each.ratio.median);
        let near = ratios().filter(|&ratio| ratio <= 1.1).count();
        write!(f, "here:    {}\nforeign: {}\n{table}\n", self.host, self.foreign)?;
        writeln!(f, "foreign_vs_native_geomean: {:.3}", geometric_mean(ratios()))?;
        writeln!(f, "foreign_vs_native_p95: {:.3}", quantile(ratios().collect(), 0.95))?;
        writeln!(f, "foreign_vs_native_max: {:.3}", ratios().fold(f64::NAN, f64::max))?;
        let percent = 100.0 * near as f64 / self.cases.len() as f64;
        writeln!(f, "foreign_within_1_10_percent: {percent:.1}")
    }
}
