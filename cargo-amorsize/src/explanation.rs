//! A call of a loop explained: the work, the system, what is decided, what that is predicted to take, what was
//! rejected, and what to do about it. Pure, and data only: [`text`] writes it for people, `document` for programs.

mod advice;
mod rejected;
mod text;

use amorsize_profile::{LoopFacts, MachineFacts};
use amorsize_runtime::model::{self, Bound, Decision, Limits, Plan, Terms};
use amorsize_runtime::survey::{Fact, Load};
use amorsize_runtime::{Workload, workers_on};

pub(crate) use self::rejected::{Rejected, Why};
use crate::annotation::Options;
use crate::fit::{limits, limits_for, limits_for_any};

/// The call that is explained.
#[derive(Clone)]
pub(crate) struct Call<'o> {
    pub(crate) len: usize,
    /// Units of work per item.
    pub(crate) cost: f64,
    /// Peak memory of one worker's task, if anybody has said so.
    pub(crate) task_bytes: Option<Fact<u64>>,
    /// Helpers that are hot when the call begins.
    pub(crate) hot: usize,
    pub(crate) options: &'o Options,
}

/// The machine that the call runs on, be it this one or not, and where each number is from.
#[derive(Clone)]
pub(crate) struct System {
    /// The class on which the costs were measured.
    pub(crate) class: Fact<String>,
    pub(crate) costs: MachineFacts,
    pub(crate) cores: Fact<usize>,
    /// Logical processors, which items that wait share.
    pub(crate) processors: Fact<usize>,
    /// Of the pool on which the items run.
    pub(crate) pool_threads: Fact<usize>,
    /// What the user allows, whatever the machine has.
    pub(crate) most_workers: Option<Fact<usize>>,
    pub(crate) available_bytes: Option<Fact<u64>>,
    /// The share of the available memory that tasks may take together, in thousandths.
    pub(crate) memory_permille: Fact<u16>,
    /// How busy the processors and the memory are with other work, in percent.
    pub(crate) cpu_load: Option<Fact<f64>>,
    pub(crate) memory_load: Option<Fact<f64>>,
}

impl System {
    /// Workers for which there are cores, of items with this CPU share.
    pub(crate) fn room_for(&self, cpu_share: Option<f64>) -> usize {
        workers_on(self.cores.value, self.processors.value, cpu_share)
    }

    fn load(&self) -> Load {
        let percent = |fact: &Option<Fact<f64>>| fact.as_ref().map(|fact| fact.value);
        Load::new(percent(&self.cpu_load), percent(&self.memory_load))
    }

    /// What tasks may take together, in bytes.
    pub(crate) fn usable_bytes(&self) -> Option<u64> {
        let available = self.available_bytes.as_ref()?.value;
        Some(model::usable_memory(available, self.memory_permille.value))
    }
}

/// A decision and everything it follows from.
pub(crate) struct Explanation<'a> {
    pub(crate) name: &'a str,
    pub(crate) call: Call<'a>,
    pub(crate) system: System,
    /// At the cost of the call's items.
    pub(crate) facts: LoopFacts,
    /// What the call has to respect.
    pub(crate) limits: Limits,
    pub(crate) decision: Decision,
    /// The decision when all helpers are cold.
    pub(crate) cold: Decision,
}

impl<'a> Explanation<'a> {
    pub(crate) fn new(name: &'a str, facts: &LoopFacts, system: System, call: Call<'a>) -> Self {
        let facts = facts.at_cost(call.cost);
        let limits = limits_of(&system, &call, &facts);
        let decide = |hot| model::decide(call.len, &facts, &system.costs, &limits, hot);
        let (decision, cold) = (decide(call.hot), decide(0));
        Explanation { name, call, system, facts, limits, decision, cold }
    }

    /// How much the items' times differ.
    pub(crate) fn variation(&self) -> Variation {
        Variation::of(self.facts.item_cv)
    }

    /// What takes the items' time; `None` where that was not measured.
    pub(crate) fn workload(&self) -> Option<Workload> {
        self.facts.cpu_share.map(Workload::of)
    }

    /// The smallest number of items that is worth a parallel run when so many helpers are hot.
    pub(crate) fn break_even(&self, hot: usize) -> Option<usize> {
        let Limits { min_chunk, max_chunk, .. } =
            limits_for_any(&self.facts.in_calls_of(self.call.len), self.limits, self.call.options);
        let limits = Limits { min_chunk, max_chunk, ..self.limits };
        model::break_even(&self.facts, &self.system.costs, &limits, hot)
    }

    pub(crate) fn predicted_ns(&self) -> f64 {
        self.decision.terms.total()
    }

    /// Threads that process items.
    pub(crate) fn workers(&self) -> usize {
        match self.decision.plan {
            Plan::Serial => 1,
            Plan::Parallel { workers, .. } => workers,
        }
    }

    /// How many times as fast as a serial run; `None` where nothing takes time.
    pub(crate) fn speedup(&self) -> Option<f64> {
        quotient(self.decision.serial_ns, self.predicted_ns())
    }

    /// The part of each worker's time that gains something.
    pub(crate) fn efficiency(&self) -> Option<f64> {
        self.speedup().map(|speedup| speedup / self.workers() as f64)
    }

    /// A part of the predicted time; `None` where nothing takes time.
    pub(crate) fn share(&self, ns: f64) -> Option<f64> {
        quotient(ns, self.predicted_ns())
    }

    /// Everything but the items themselves.
    pub(crate) fn overhead_ns(&self) -> f64 {
        term_values(&self.decision.terms)[1..].iter().sum()
    }
}

/// The terms of a prediction by their names, the items first.
pub(crate) const TERMS: [&str; 8] =
    ["items", "slowdown", "spawn", "wake", "claim", "pieces", "reduce", "tail"];

/// The times of the terms, in the order of [`TERMS`].
pub(crate) fn term_values(terms: &Terms) -> [f64; 8] {
    let Terms { items, slowdown, spawn, wake, claim, pieces, reduce, tail } = *terms;
    [items, slowdown, spawn, wake, claim, pieces, reduce, tail]
}

/// How much items differ, by the coefficient of variation of their times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variation {
    Even,
    Moderate,
    Uneven,
}

impl Variation {
    /// Below this items are even.
    pub(crate) const EVEN: f64 = 0.3;
    /// Above this they are uneven.
    pub(crate) const UNEVEN: f64 = 0.7;

    fn of(cv: f64) -> Self {
        match cv {
            _ if cv < Self::EVEN => Variation::Even,
            _ if cv > Self::UNEVEN => Variation::Uneven,
            _ => Variation::Moderate,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Variation::Even => "even",
            Variation::Moderate => "moderate",
            Variation::Uneven => "uneven",
        }
    }
}

/// The limits of a call, the strictest of which is noted in them.
fn limits_of(system: &System, call: &Call<'_>, facts: &LoopFacts) -> Limits {
    let workers = system.room_for(facts.cpu_share);
    let mut limits = limits_for(call.len, facts, limits(workers, call.options), call.options);
    if let Some(most) = system.most_workers.as_ref().filter(|most| most.value < limits.workers) {
        (limits.workers, limits.bound) = (most.value.max(1), Bound::Environment);
    }
    if system.pool_threads.value < limits.workers {
        (limits.workers, limits.bound) = (system.pool_threads.value.max(1), Bound::Pool);
    }
    if call.options.respect_load {
        limits = limits.beside_load(system.load().workers(limits.workers));
    }
    match (&call.task_bytes, system.usable_bytes()) {
        (Some(task), Some(usable)) => limits.within_memory(task.value, usable),
        _ => limits,
    }
}

/// `a / b` where that is a number.
fn quotient(a: f64, b: f64) -> Option<f64> {
    Some(a / b).filter(|quotient| quotient.is_finite())
}

#[cfg(test)]
mod tests;
