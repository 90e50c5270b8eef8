//! One workload at one size: checked, swept, compared.

use std::hint::black_box;
use std::time::{Duration, Instant};

use amorsize::Force;
use amorsize::expansion::{LoopFacts, MachineFacts};
use amorsize_runtime::model::Plan;
use serde::Serialize;

use crate::cli::Effort;
use crate::cpu;
use crate::estimate::{Estimate, against_fastest, median};
use crate::executor::{self, Executor};
use crate::interleave::{calls_per_region, interleave, rounds_within, time_calls};
use crate::load::{self, Load};
use crate::output;
use crate::peer::{Peer, others, planned, profiled, unseen};
use crate::recorded::{Facts, Recorded};
use crate::sweep::Sweep;
use crate::workload::Workload;

/// The fastest plans of the sweep that take part in the comparison: the sweep's own times favour the
/// lucky, so that they are measured again.
const FINALISTS: usize = 3;

/// How long a case waits for a quiet machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Of shorter calls the clock and the call itself make up too much for a prediction.
pub(crate) const PREDICTABLE_NS: f64 = 1_000.0;

/// How long calls are made before their processor time is looked at, and to see it.
const CPU_REGION: Duration = Duration::from_millis(30);

/// Calls that keep so many processors busy, or fewer, have run on their caller.
const ALONE: f64 = 1.2;

/// Where the peers without and with a profile stand among those compared.
const UNSEEN: usize = 3;
const PROFILED: usize = 4;

/// An input, ready to be worked on.
pub(crate) struct Case<W: Workload> {
    n: usize,
    input: W::Input,
    calls: usize,
}

/// What one case came to. All times in nanoseconds per call.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    pub(crate) workload: &'static str,
    pub(crate) n: usize,
    pub(crate) serial: Estimate,
    pub(crate) rayon: Estimate,
    pub(crate) rayon_min_len: Estimate,
    pub(crate) min_len: String,
    pub(crate) amorsize_unseen: Estimate,
    pub(crate) amorsize: Estimate,
    /// The executors that are neither rayon's nor ours.
    pub(crate) others: Vec<Other>,
    /// What the profile says.
    #[serde(serialize_with = "Facts::optional")]
    pub(crate) facts: Option<LoopFacts>,
    /// What ran: the plan that the loop made in the end, unless [`Comparison::processors`] say otherwise.
    pub(crate) plan: String,
    /// Processor time of a profiled call, threads that look for work included, divided by what it takes.
    pub(crate) processors: Option<f64>,
    /// The least time of all peers and plans, and whose it is.
    pub(crate) best_ns: f64,
    pub(crate) best: String,
    /// Our time divided by that of the fastest, see [`against_fastest`]; profiled and never seen.
    pub(crate) regret: f64,
    pub(crate) unseen_regret: f64,
    /// Our time divided by that of the same loop, measured once more: what `regret` is by chance alone.
    pub(crate) noise: f64,
    /// Processor time of a profiled call divided by the time of a serial one.
    pub(crate) cpu_per_serial: Option<f64>,
    /// Cores that other processes used meanwhile.
    pub(crate) other_load: Option<f64>,
    /// Rayon's time divided by that of `amorsize`.
    pub(crate) vs_rayon: Estimate,
    /// The time of the fastest that is not ours, the plain iterator and the best `with_min_len` included,
    /// divided by that of `amorsize`; see [`against_fastest`].
    pub(crate) vs_best_peer: f64,
}

/// What one more executor came to.
#[derive(Debug, Serialize)]
pub(crate) struct Other {
    pub(crate) name: String,
    pub(crate) time: Estimate,
}

/// A workload at all its sizes that the filter lets pass, swept, with the one profile that a loop has for all of
/// them, if it has one.
pub(crate) struct Swept<W: Workload> {
    pub(crate) cases: Vec<Case<W>>,
    pub(crate) sweeps: Vec<Sweep>,
    pub(crate) facts: Option<LoopFacts>,
}

impl<W: Workload> Swept<W> {
    /// Sweeps each size for about `budget`; `None` where the filter leaves none.
    pub(crate) fn new(
        effort: &Effort,
        recorded: &Recorded,
        budget: Duration,
    ) -> Result<Option<Self>, String> {
        let included = |n: &usize| effort.includes(&format!("{}/{n}", W::NAME));
        let sizes: Vec<usize> = W::SIZES.iter().copied().filter(included).collect();
        if sizes.is_empty() {
            return Ok(None);
        }
        output::status(&format!("{:>16}  {}", W::NAME, W::ORIGIN));
        let mut cases = sizes.into_iter().map(Case::<W>::prepare).collect::<Result<Vec<_>, _>>()?;
        let sweeps: Vec<_> = cases.iter_mut().map(|case| case.sweep(budget)).collect();
        let facts = recorded.facts(W::NAME);
        Ok(Some(Swept { cases, sweeps, facts }))
    }

    /// The cases whose calls are long enough to be predicted, with the facts at that size: the runtime, too, learns
    /// what items take there.
    pub(crate) fn predictable(
        &mut self,
    ) -> impl Iterator<Item = (&mut Case<W>, &Sweep, LoopFacts)> {
        let facts = self.facts.filter(|_| W::IS_ONE_CALL);
        self.cases.iter_mut().zip(&self.sweeps).filter_map(move |(case, sweep)| {
            let item_ns = sweep.serial_ns() / case.n() as f64;
            let facts = facts.filter(|_| sweep.serial_ns() >= PREDICTABLE_NS)?;
            Some((case, sweep, facts.with_item_ns(item_ns)))
        })
    }
}

impl<W: Workload> Case<W> {
    /// Makes the input and checks that all executors agree on it.
    pub(crate) fn prepare(n: usize) -> Result<Self, String> {
        let mut input = W::prepare(n);
        let ours =
            [Executor::Rayon, Executor::RayonMinLen(n.div_ceil(8)), Executor::Amorsize(unseen())];
        for executor in ours.into_iter().chain(others::<W>()) {
            check::<W>(&input, n, executor)?;
        }
        let workers = rayon::current_num_threads();
        executor::impose(Some(Force::Workers { workers, chunk: Some(n.div_ceil(8)) }));
        let under_a_plan = check::<W>(&input, n, Executor::Amorsize(unseen()));
        executor::impose(None);
        under_a_plan?;
        let once = || {
            time_calls(&Peer::Serial, 1, |executor| {
                black_box(W::run(black_box(&mut input), executor));
            })
        };
        let call_ns = median(&std::iter::repeat_with(once).take(5).collect::<Vec<_>>());
        Ok(Case { n, input, calls: calls_per_region(call_ns) })
    }

    fn time(&mut self, peer: &Peer) -> f64 {
        time_calls(peer, self.calls, |executor| {
            black_box(W::run(black_box(&mut self.input), executor));
        })
    }

    /// Processor time of one call, in a row of calls, and what it takes.
    fn cpu_ns(&mut self, peer: &Peer) -> Option<(f64, f64)> {
        self.calls_for(CPU_REGION, peer);
        let (before, start) = (cpu::process_ns()?, Instant::now());
        let calls = self.calls_for(CPU_REGION, peer);
        let wall_ns = start.elapsed().as_nanos() as f64;
        Some(((cpu::process_ns()? - before) / calls, wall_ns / calls))
    }

    /// Makes calls for so long; how many.
    fn calls_for(&mut self, duration: Duration, peer: &Peer) -> f64 {
        let (executor, start) = (peer.executor(), Instant::now());
        let mut calls = 0;
        while calls == 0 || start.elapsed() < duration {
            black_box(W::run(black_box(&mut self.input), executor));
            calls += 1;
        }
        f64::from(calls)
    }

    /// Measures all settings that the comparison and the profile choose from.
    pub(crate) fn sweep(&mut self, budget: Duration) -> Sweep {
        load::wait_for_quiet(PATIENCE);
        let call_ns = self.time(&Peer::Serial);
        let rounds = rounds_within(budget, &[Peer::Serial; 11], call_ns).min(25);
        Sweep::run(self.n, rounds, |peer| self.time(peer))
    }

    pub(crate) fn n(&self) -> usize {
        self.n
    }

    /// The times of serial calls, of the best parallel plan of the sweep, and of `plan`, in the same rounds.
    pub(crate) fn measure(&mut self, sweep: &Sweep, plan: Plan, budget: Duration) -> [Vec<f64>; 3] {
        let target = unseen();
        let measured = match plan {
            Plan::Serial => Peer::Serial,
            Plan::Parallel { workers, chunk } => Peer::Plan { workers, chunk: Some(chunk), target },
        };
        let best = sweep.best_plans(1).next().unwrap_or(Peer::Serial);
        let samples = self.samples(&[Peer::Serial, best, measured], sweep.serial_ns(), budget);
        samples.try_into().expect("there are three peers")
    }

    /// The times of these peers in interleaved rounds, where a serial call takes `serial_ns`.
    pub(crate) fn samples(
        &mut self,
        peers: &[Peer],
        serial_ns: f64,
        budget: Duration,
    ) -> Vec<Vec<f64>> {
        load::wait_for_quiet(PATIENCE);
        let rounds = rounds_within(budget, peers, serial_ns);
        interleave(peers, rounds, |peer| self.time(peer))
    }

    /// Measures all peers; an error where the profiled loop returns something else.
    pub(crate) fn compare(
        &mut self,
        sweep: &Sweep,
        facts: Option<LoopFacts>,
        machine: MachineFacts,
        budget: Duration,
    ) -> Result<Comparison, String> {
        // What is known of a loop that has no profile, it learned in earlier calls.
        let known = facts.map_or_else(unseen, |facts| profiled(facts, machine));
        check::<W>(&self.input, self.n, Executor::Amorsize(known))?;
        let mut peers = vec![
            Peer::Serial,
            Peer::Rayon,
            sweep.best_min_len().unwrap_or(Peer::Rayon),
            Peer::Unseen { known },
            Peer::Profiled(known),
        ];
        let first_other = peers.len();
        peers.extend(others::<W>().map(Peer::Other));
        let after_others = peers.len();
        peers.extend(sweep.best_plans(FINALISTS));
        let compared = peers.len();
        peers.push(Peer::Profiled(known));
        load::wait_for_quiet(PATIENCE);
        let before = Load::now();
        let rounds = rounds_within(budget, &peers, sweep.serial_ns());
        let samples = interleave(&peers, rounds, |peer| self.time(peer));
        let cpu_ns = self.cpu_ns(&peers[PROFILED]);
        // Now that it has been called in a row, and helpers are as hot as its calls keep them.
        let processors = cpu_ns.map(|(cpu_ns, wall_ns)| cpu_ns / wall_ns);
        let plan = match facts {
            Some(_) if W::IS_ONE_CALL => what_ran(planned(self.n, known), processors),
            Some(_) => "by call".to_owned(),
            None if W::FORKS => "forks".to_owned(),
            None => "none".to_owned(),
        };
        let other_load = load::others_since(before);
        let time = |peer: usize| Estimate::of(&samples[peer]);
        let (once_more, samples) = (&samples[compared], &samples[..compared]);
        let medians: Vec<f64> = samples.iter().map(|samples| median(samples)).collect();
        let all: Vec<&[f64]> = samples.iter().map(Vec::as_slice).collect();
        let theirs: Vec<&[f64]> = [&all[..3], &all[first_other..after_others]].concat();
        let (best, best_ns) = peers
            .iter()
            .zip(medians.iter().copied())
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .expect("there are peers");
        Ok(Comparison {
            workload: W::NAME,
            n: self.n,
            serial: time(0),
            rayon: time(1),
            rayon_min_len: time(2),
            min_len: peers[2].setting(),
            amorsize_unseen: time(UNSEEN),
            amorsize: time(PROFILED),
            others: (first_other..after_others)
                .map(|peer| Other { name: peers[peer].setting(), time: time(peer) })
                .collect(),
            facts,
            plan,
            processors,
            best_ns,
            best: best.setting(),
            regret: against_fastest(all[PROFILED], &all),
            unseen_regret: against_fastest(all[UNSEEN], &all),
            noise: against_fastest(all[PROFILED], &[once_more]),
            cpu_per_serial: cpu_ns.map(|(cpu_ns, _)| cpu_ns / medians[0]),
            other_load,
            vs_rayon: Estimate::of_ratio(&samples[1], &samples[PROFILED]),
            vs_best_peer: 1.0 / against_fastest(all[PROFILED], &theirs),
        })
    }
}

/// An error where `executor` does not return what the plain iterator returns.
fn check<W: Workload>(input: &W::Input, n: usize, executor: Executor) -> Result<(), String> {
    if W::agrees(input, executor) {
        return Ok(());
    }
    Err(format!("{}/{n}: {executor:?} returns something else", W::NAME))
}

/// What ran of calls that are planned like this and keep so many processors busy: a loop may have learned that its crews are
/// slower than their callers, or faster than its plan says, and helpers may come too late.
fn what_ran(planned: String, processors: Option<f64>) -> String {
    match (planned.as_str(), processors) {
        ("serial", Some(processors)) if processors > ALONE => "crew".to_owned(),
        ("serial", _) => planned,
        (_, Some(processors)) if processors <= ALONE => "alone".to_owned(),
        _ => planned,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_tell_what_ran() {
        let ran = |plan: &str, processors| what_ran(plan.to_owned(), processors);
        assert_eq!(["serial", "2×5"].map(|plan| ran(plan, Some(1.9))), ["crew", "2×5"]);
        assert_eq!(["serial", "2×5"].map(|plan| ran(plan, Some(1.0))), ["serial", "alone"]);
        assert_eq!(["serial", "2×5"].map(|plan| ran(plan, None)), ["serial", "2×5"]);
    }
}
