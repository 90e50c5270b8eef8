//! How well the model predicts: every workload is recorded and fitted, then the chosen plan is measured anew; the loops of
//! the example are tuned as a user tunes them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

use amorsize::expansion::{LoopFacts, MachineFacts};
use amorsize_runtime::model::{self, Limits, Plan};
use serde::Serialize;

use crate::case::{Case, PREDICTABLE_NS, Swept};
use crate::cli::Effort;
use crate::estimate::{against_fastest, geometric_mean, median, median_of_half};
use crate::examples::{self, Planned};
use crate::host::Host;
use crate::output;
use crate::peer::{HOT, plan_text};
use crate::recorded::Recorded;
use crate::score::{gate_right, quantile, right_percent};
use crate::sweep::Sweep;
use crate::table::{Table, time};
use crate::workload::Workload;
use crate::workloads::{Visit, visit_all};

/// How often everything is measured, one time after the other: what a call takes changes from minute to minute on a
/// machine that is shared.
const PASSES: usize = 3;

/// Decisions that are timed together, and how often.
const DECISIONS: u32 = 100;
const BATCHES: usize = 15;

/// Everything measured.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    host: Host,
    predictions: Vec<Prediction>,
    /// How far the gain of a plan in one pass is from that in the pass before it, in percent: what no prediction can
    /// know.
    repeated_percent: Vec<f64>,
    /// What is not predicted, by the reason.
    left_out: BTreeMap<&'static str, BTreeSet<String>>,
}

/// One workload at one size. Times in nanoseconds per call.
#[derive(Debug, Serialize)]
struct Prediction {
    /// The workload or the example's loop, and the number of items.
    name: String,
    plan: String,
    predicted_ns: f64,
    measured_ns: f64,
    serial_ns: f64,
    /// The best parallel plan of the sweep, measured again; of an example, the faster one of its plan and rayon.
    parallel_ns: f64,
    is_parallel: bool,
    /// The same of the plan that follows from what items take at this size: what a process has learned after some calls. Of
    /// examples, only the one plan is known.
    is_parallel_learned: Option<bool>,
    /// Serial time by the time of the plan, as predicted and as measured.
    predicted_speedup: f64,
    measured_speedup: f64,
    /// Time of the plan by that of the fastest of the sweep's best parallel plan and the plain iterator, in the same
    /// rounds, see [`against_fastest`]. No sweep is made of examples.
    chosen_vs_best: Option<f64>,
    /// Time of one decision. Those of examples are made elsewhere.
    decision_ns: Option<f64>,
}

impl Prediction {
    /// In percent of what was measured.
    fn error_percent(&self) -> f64 {
        percent_between(self.predicted_ns, self.measured_ns)
    }

    /// Of the speed-up, in percent of the measured one; `None` for serial plans, of which it is 1.
    fn speedup_error_percent(&self) -> Option<f64> {
        self.is_parallel.then(|| percent_between(self.predicted_speedup, self.measured_speedup))
    }

    fn gain(&self) -> f64 {
        self.serial_ns / self.measured_ns
    }

    /// Of a parallel plan, as [`Prediction::error_percent`].
    fn parallel_error_percent(&self) -> Option<f64> {
        self.is_parallel.then(|| self.error_percent())
    }

    /// Whether serial or parallel is right; `None` where the two are close.
    fn gate_right(&self) -> Option<bool> {
        gate_right(self.is_parallel, self.serial_ns, self.parallel_ns)
    }

    /// The same of what a process has learned.
    fn learned_gate_right(&self) -> Option<bool> {
        gate_right(self.is_parallel_learned?, self.serial_ns, self.parallel_ns)
    }
}

fn percent_between(value: f64, other: f64) -> f64 {
    100.0 * (value / other - 1.0).abs()
}

pub(crate) fn run(effort: &Effort) -> Result<Results, String> {
    let recorded = Recorded::of(effort)?;
    let machine = recorded.machine();
    let (passes, left_out) = (BTreeMap::new(), BTreeMap::new());
    let mut predicting = Predicting { effort, recorded, passes, left_out };
    for pass in 1..=PASSES {
        output::status(&format!("pass {pass} of {PASSES}"));
        visit_all(&mut predicting)?;
    }
    let (mut predictions, mut repeated_percent) = (Vec::new(), Vec::new());
    let mut left_out = predicting.left_out;
    for mut passes in predicting.passes.into_values() {
        let pairs = passes.windows(2).map(|pair| percent_between(pair[1].gain(), pair[0].gain()));
        repeated_percent.extend(pairs);
        passes.sort_by(|a, b| a.gain().total_cmp(&b.gain()));
        predictions.push(passes.swap_remove(passes.len() / 2));
    }
    // A call of about 1 µs may have been long enough in another pass.
    let is_left_out = |name: &String| predictions.iter().all(|each| each.name != *name);
    left_out.values_mut().for_each(|names| names.retain(is_left_out));
    left_out.retain(|_, names| !names.is_empty());
    predictions.extend(of_examples(effort)?);
    if predictions.is_empty() {
        return Err("the filter leaves no workload that can be predicted".to_owned());
    }
    Ok(Results { host: Host::new(machine), predictions, repeated_percent, left_out })
}

struct Predicting<'a> {
    effort: &'a Effort,
    recorded: Recorded,
    /// By workload and size.
    passes: BTreeMap<(&'static str, usize), Vec<Prediction>>,
    /// What no pass can predict, by the reason, and what is too short in some.
    left_out: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Visit for Predicting<'_> {
    fn visit<W: Workload>(&mut self) -> Result<(), String> {
        if !W::SIZES.iter().any(|n| self.effort.includes(&format!("{}/{n}", W::NAME))) {
            return Ok(());
        }
        let mut leave_out = |name: &str, why| {
            self.left_out.entry(why).or_default().insert(name.to_owned());
        };
        if W::FORKS {
            leave_out(W::NAME, "forks, which have no facts");
            return Ok(());
        }
        if !W::IS_ONE_CALL {
            leave_out(W::NAME, "each run is many calls of the loop");
            return Ok(());
        }
        let budget = Duration::from_millis(self.effort.pick(300, 1_000));
        let Some(mut swept) = Swept::<W>::new(self.effort, &self.recorded, budget)? else {
            return Ok(());
        };
        if swept.facts.is_none() {
            leave_out(W::NAME, "too short to be recorded");
        }
        for (case, sweep) in swept.cases.iter().zip(&swept.sweeps) {
            if swept.facts.is_some() && sweep.serial_ns() < PREDICTABLE_NS {
                leave_out(&format!("{}/{}", W::NAME, case.n()), "shorter than 1 µs");
            }
        }
        let Some(recorded) = swept.facts else { return Ok(()) };
        for (case, sweep, learned) in swept.predictable() {
            let prediction = self.prediction(case, sweep, recorded, learned, budget);
            self.passes.entry((W::NAME, case.n())).or_default().push(prediction);
        }
        Ok(())
    }
}

impl Predicting<'_> {
    /// `facts` are those of the profile, as a process has them at its first call; `learned` have the item time at this size.
    fn prediction<W: Workload>(
        &self,
        case: &mut Case<W>,
        sweep: &Sweep,
        facts: LoopFacts,
        learned: LoopFacts,
        budget: Duration,
    ) -> Prediction {
        let n = case.n();
        let limits = Limits::cores(rayon::current_num_threads());
        let machine = self.recorded.machine();
        let decision = model::decide(n, &facts, &machine, &limits, HOT);
        let learned = model::decide(n, &learned, &machine, &limits, HOT).plan;
        let [serial, parallel, measured] = case.measure(sweep, decision.plan, budget);
        // A machine that is faster now than it was during the sweep is no error of the model's: half of the rounds
        // tell what items take at present, the other half what the plan took.
        let present_ns = median_of_half(&serial, 0);
        let present = facts.with_item_ns(present_ns / n as f64);
        let predicted_ns = model::predict(n, decision.plan, &present, &machine, HOT).total();
        Prediction {
            name: format!("{}/{n}", W::NAME),
            plan: plan_text(decision.plan),
            predicted_ns,
            measured_ns: median_of_half(&measured, 1),
            serial_ns: median(&serial),
            parallel_ns: median(&parallel),
            is_parallel: decision.plan != Plan::Serial,
            is_parallel_learned: Some(learned != Plan::Serial),
            predicted_speedup: present_ns / predicted_ns,
            measured_speedup: median_of_half(&serial, 1) / median_of_half(&measured, 1),
            chosen_vs_best: Some(against_fastest(&measured, &[&serial, &parallel, &measured])),
            decision_ns: Some(decision_ns(n, &facts, &machine, &limits)),
        }
    }
}

/// The median time of a decision, in rows of them.
fn decision_ns(n: usize, facts: &LoopFacts, machine: &MachineFacts, limits: &Limits) -> f64 {
    let batch = || {
        let start = Instant::now();
        for _ in 0..DECISIONS {
            black_box(model::decide(black_box(n), black_box(facts), machine, limits, HOT));
        }
        start.elapsed().as_nanos() as f64 / f64::from(DECISIONS)
    };
    median(&std::iter::repeat_with(batch).take(BATCHES).collect::<Vec<f64>>())
}

/// Predictions for the example's loops. There, too, the serial calls beside those of the plan say what items take at present.
fn of_examples(effort: &Effort) -> Result<Vec<Prediction>, String> {
    // They are tuned all together.
    if effort.is_filtered() {
        return Ok(Vec::new());
    }
    let long = examples::tune()?.into_iter().filter(|call| call.serial_ns >= PREDICTABLE_NS);
    Ok(long
        .map(|call| {
            let Planned { is_serial, workers, chunk_items: chunk } = call.plan;
            let plan = if is_serial { Plan::Serial } else { Plan::Parallel { workers, chunk } };
            let present = call.serial_ns / call.predicted_serial_ns;
            Prediction {
                predicted_speedup: call.predicted_serial_ns / call.predicted_ns,
                measured_speedup: call.serial_ns / call.tuned_ns,
                chosen_vs_best: None,
                decision_ns: None,
                name: format!("{}/{}", call.name, call.items),
                plan: plan_text(plan),
                predicted_ns: call.predicted_ns * present,
                measured_ns: call.tuned_ns,
                serial_ns: call.serial_ns,
                parallel_ns: call
                    .rayon_ns
                    .into_iter()
                    .chain((!is_serial).then_some(call.tuned_ns))
                    .fold(f64::INFINITY, f64::min),
                is_parallel: !is_serial,
                is_parallel_learned: None,
            }
        })
        .collect())
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = ["workload/items", "plan", "predicted", "measured", "error", "serial", "gate"];
        let mut table = Table::new(heads);
        for each in &self.predictions {
            table.row([
                each.name.clone(),
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
        let kinds = self.left_out.iter().map(|(why, names)| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            format!("{} ({why})", names.join(", "))
        });
        let left_out: Vec<String> = kinds.collect();
        let errors: Vec<f64> = self.predictions.iter().map(Prediction::error_percent).collect();
        let parallel: Vec<f64> =
            self.predictions.iter().filter_map(Prediction::parallel_error_percent).collect();
        let repeated = &self.repeated_percent;
        let right = right_percent(self.predictions.iter().map(Prediction::gate_right));
        let learned = right_percent(self.predictions.iter().map(Prediction::learned_gate_right));
        let of_speedups: Vec<f64> =
            self.predictions.iter().filter_map(Prediction::speedup_error_percent).collect();
        let worst = |values: &[f64]| values.iter().copied().fold(f64::NAN, f64::max);
        let chosen: Vec<f64> =
            self.predictions.iter().filter_map(|each| each.chosen_vs_best).collect();
        let decisions: Vec<f64> =
            self.predictions.iter().filter_map(|each| each.decision_ns).collect();
        write!(f, "{}\n{table}\n", self.host)?;
        if !left_out.is_empty() {
            writeln!(f, "Left out: {}.\n", left_out.join("; "))?;
        }
        writeln!(f, "predict_error_median_percent: {:.2}", median(&errors))?;
        writeln!(f, "predict_error_p90_percent: {:.2}", quantile(errors, 0.9))?;
        writeln!(f, "predict_parallel_error_median_percent: {:.2}", median(&parallel))?;
        writeln!(f, "predict_parallel_error_p90_percent: {:.2}", quantile(parallel, 0.9))?;
        writeln!(f, "predict_speedup_error_median_percent: {:.2}", median(&of_speedups))?;
        writeln!(f, "predict_speedup_error_worst_percent: {:.2}", worst(&of_speedups))?;
        writeln!(
            f,
            "predict_chosen_vs_best_geomean: {:.3}",
            geometric_mean(chosen.iter().copied())
        )?;
        writeln!(f, "predict_chosen_vs_best_worst: {:.3}", worst(&chosen))?;
        writeln!(f, "decision_ns_median: {:.1}", median(&decisions))?;
        writeln!(f, "repeated_median_percent: {:.2}", median(repeated))?;
        writeln!(f, "repeated_p90_percent: {:.2}", quantile(repeated.clone(), 0.9))?;
        writeln!(f, "gate_right_percent: {right:.1}")?;
        writeln!(f, "gate_right_learned_percent: {learned:.1}")
    }
}
