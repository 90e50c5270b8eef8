//! How well the model predicts: every workload is swept and fitted, then the chosen plan is measured anew.

use std::fmt;
use std::time::Duration;

use amorsize::expansion::LoopFacts;
use amorsize_runtime::model::{self, Limits, Plan};
use serde::Serialize;

use crate::case::{Case, Swept};
use crate::cli::Effort;
use crate::estimate::{median, median_of_half};
use crate::host::Host;
use crate::peer::{HOT, plan_text};
use crate::recorded::Recorded;
use crate::score::{gate_right, quantile, right_percent};
use crate::sweep::Sweep;
use crate::table::{Table, time};
use crate::workload::Workload;
use crate::workloads::{Visit, visit_all};

/// Everything measured.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    host: Host,
    predictions: Vec<Prediction>,
}

/// One workload at one size. Times in nanoseconds per call.
#[derive(Debug, Serialize)]
struct Prediction {
    workload: &'static str,
    n: usize,
    plan: String,
    predicted_ns: f64,
    measured_ns: f64,
    serial_ns: f64,
    /// The best parallel plan of the sweep, measured again.
    parallel_ns: f64,
    is_parallel: bool,
}

impl Prediction {
    /// In percent of what was measured.
    fn error_percent(&self) -> f64 {
        100.0 * (self.predicted_ns / self.measured_ns - 1.0).abs()
    }

    /// Whether serial or parallel is right; `None` where the two are close.
    fn gate_right(&self) -> Option<bool> {
        gate_right(self.is_parallel, self.serial_ns, self.parallel_ns)
    }
}

pub(crate) fn run(effort: &Effort) -> Result<Results, String> {
    let recorded = Recorded::of(effort)?;
    let machine = recorded.machine();
    let mut predicting = Predicting { effort, recorded, predictions: Vec::new() };
    visit_all(&mut predicting)?;
    if predicting.predictions.is_empty() {
        return Err("the filter leaves no workload".to_owned());
    }
    Ok(Results { host: Host::new(machine), predictions: predicting.predictions })
}

struct Predicting<'a> {
    effort: &'a Effort,
    recorded: Recorded,
    predictions: Vec<Prediction>,
}

impl Visit for Predicting<'_> {
    fn visit<W: Workload>(&mut self) -> Result<(), String> {
        // A fork has no facts to predict from.
        if W::FORKS {
            return Ok(());
        }
        let budget = Duration::from_millis(self.effort.pick(900, 3_000));
        let Some(mut swept) = Swept::<W>::new(self.effort, &self.recorded, budget)? else {
            return Ok(());
        };
        for (case, sweep, facts) in swept.predictable() {
            self.predictions.push(self.prediction(case, sweep, facts, budget));
        }
        Ok(())
    }
}

impl Predicting<'_> {
    fn prediction<W: Workload>(
        &self,
        case: &mut Case<W>,
        sweep: &Sweep,
        facts: LoopFacts,
        budget: Duration,
    ) -> Prediction {
        let n = case.n();
        let limits = Limits::cores(rayon::current_num_threads());
        let decision = model::decide(n, &facts, &self.recorded.machine(), &limits, HOT);
        let [serial, parallel, measured] = case.measure(sweep, decision.plan, budget);
        // A machine that is faster now than it was during the sweep is no error of the model's: half of the rounds
        // tell what items take at present, the other half what the plan took.
        let present = LoopFacts { item_ns: median_of_half(&serial, 0) / n as f64, ..facts };
        let machine = self.recorded.machine();
        let predicted_ns = model::predict(n, decision.plan, &present, &machine, HOT).total();
        Prediction {
            workload: W::NAME,
            n,
            plan: plan_text(decision.plan),
            predicted_ns,
            measured_ns: median_of_half(&measured, 1),
            serial_ns: median(&serial),
            parallel_ns: median(&parallel),
            is_parallel: decision.plan != Plan::Serial,
        }
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = ["workload/items", "plan", "predicted", "measured", "error", "serial", "gate"];
        let mut table = Table::new(heads);
        for each in &self.predictions {
            table.row([
                format!("{}/{}", each.workload, each.n),
                each.plan.clone(),
                time(each.predicted_ns),
                time(each.measured_ns),
                format!("{:.1}%", each.error_percent()),
                time(each.serial_ns),
                match each.gate_right() {
                    None => "close".to_owned(),
                    Some(true) => "right".to_owned(),
                    Some(false) => "wrong".to_owned(),
                },
            ]);
        }
        let errors: Vec<f64> = self.predictions.iter().map(Prediction::error_percent).collect();
        let right = right_percent(self.predictions.iter().map(Prediction::gate_right));
        write!(f, "{}\n{table}\n", self.host)?;
        writeln!(f, "predict_error_median_percent: {:.2}", median(&errors))?;
        writeln!(f, "predict_error_p90_percent: {:.2}", quantile(errors, 0.9))?;
        writeln!(f, "gate_right_percent: {right:.1}")
    }
}
