//! How a call is run: what it has to respect, what is known of its loop, and the way that follows from the two.

use amorsize_profile::{LoopFacts, MachineFacts};

use crate::force::Force;
use crate::loops::Loop;
use crate::machine;
use crate::model::{self, Bound, Limits, Plan};
use crate::options::deterministic_chunk;
use crate::pacer::{Pace, Pacer};
use crate::pool;
use crate::remembered;
use crate::rivals::Choice;
use crate::run::Lengths;
use crate::thresholds::{CHECKPOINT_FROM_NS, HOT};

/// Chunks per worker when the item time is not known.
const BLIND_CHUNKS_PER_WORKER: usize = 16;

/// A first call of up to so many items for each worker has a crew at once: to look at one of them alone, which may take long, would
/// be dear, and many others make up for that.
const FEW_PER_WORKER: usize = 4;

/// The share of a serial run that its checkpoint may cost.
const CHECKPOINT_SHARE: f64 = 0.01;

/// Calls that take less than this on their own are short: one that runs alone to see what that takes is not noticed.
const WORTH_A_LOOK_NS: f64 = 100_000.0;

/// How many units of work `len` items of this cost are: none only where there are no items.
#[inline]
pub(crate) fn units(len: usize, cost: f64) -> usize {
    if cost == 1.0 { len } else { ((len as f64 * cost) as usize).max(len.min(1)) }
}

/// How a call is run.
pub(crate) enum Way {
    Rayon,
    Crew {
        workers: usize,
        chunk: usize,
    },
    /// The same, of items of which nothing is known: they may not be worth the helpers.
    Blind {
        workers: usize,
        chunk: usize,
    },
    /// On the caller, at least at first.
    Alone(Pacer),
}

/// What a call has to respect.
#[derive(Clone, Copy)]
pub(crate) struct Context {
    pub(crate) target: &'static Loop,
    /// Units of work per item.
    pub(crate) cost: f64,
    pub(crate) limits: Limits,
    /// What the user asks for, in serial runs too.
    pub(crate) lengths: Lengths,
}

impl Context {
    pub(crate) fn new(target: &'static Loop, len: usize, lengths: Lengths, cost: f64) -> Self {
        let mut limits = target.limits_by_cores();
        limits.min_chunk = lengths.min;
        // Rayon's rule where the two contradict each other.
        limits.max_chunk = lengths.max.max(lengths.min);
        let fixed = if target.options().deterministic {
            Some(deterministic_chunk(len))
        } else {
            target.options().chunk
        };
        if let Some(chunk) = fixed {
            let chunk = limits.clamp_chunk(chunk);
            (limits.min_chunk, limits.max_chunk) = (chunk, chunk);
        }
        // Where borders must repeat, so must reductions.
        let open_ended = lengths.open_ended && !target.options().deterministic;
        Context { target, cost, limits, lengths: Lengths { open_ended, ..lengths } }
    }

    /// The same, with the workers that other loops leave: an outer loop that fills the machine has its inner
    /// ones run where they are called.
    pub(crate) fn beside_others(self) -> Self {
        if self.target.options().io {
            return self;
        }
        Context { limits: self.limits.beside(pool::busy_helpers()), ..self }
    }

    /// The same, with no more pieces than workers where each may cost something and nobody has measured what.
    pub(crate) fn with_few_pieces(self, len: usize) -> Self {
        if !self.lengths.whole || self.target.profile().is_some() {
            return self;
        }
        let Limits { workers, min_chunk, max_chunk, .. } = self.limits;
        let min_chunk = len.div_ceil(workers).clamp(min_chunk, max_chunk);
        Context { limits: Limits { min_chunk, ..self.limits }, ..self }
    }

    /// How many units of work `len` items are.
    pub(crate) fn units(self, len: usize) -> usize {
        units(len, self.cost)
    }

    /// What is known of calls of `len` such items.
    pub(crate) fn facts(self, len: usize) -> Option<LoopFacts> {
        Some(self.target.facts(self.units(len))?.at_cost(self.cost))
    }

    pub(crate) fn observe(self, len: usize, busy_ns: f64) {
        self.target.observe(self.units(len), busy_ns);
    }

    pub(crate) fn forced_way(self, len: usize, force: Force) -> Way {
        match force {
            Force::Serial => Way::Alone(Pacer::serial(self)),
            Force::Rayon => Way::Rayon,
            Force::Workers { workers, chunk } => {
                let limits = Limits { workers, bound: Bound::Environment, ..self.limits };
                let workers = self.target.limit_by_pool(limits).workers;
                if workers < 2 {
                    return Way::Alone(Pacer::serial(self));
                }
                let chunk = chunk.unwrap_or_else(|| match self.facts(len) {
                    Some(facts) => {
                        model::best_chunk(len, workers, &facts, &machine::facts(), workers)
                    }
                    None => model::chunk_of(len, workers * BLIND_CHUNKS_PER_WORKER),
                });
                Way::Crew { workers, chunk: self.limits.clamp_chunk(chunk) }
            }
        }
    }

    /// The plan that the model chooses for what is known of the loop.
    pub(crate) fn planned_way(self, len: usize) -> Way {
        if self.target.options().deterministic {
            return Way::Alone(Pacer::new(self, Pace::Chunks { decides: true }));
        }
        let Some(facts) = self.facts(len).filter(|_| self.target.is_known()) else {
            let first = if self.lengths.whole { len.div_ceil(4) } else { 1 };
            let in_blocks = || Pacer::new(self, Pace::Blocks { known_item_ns: 0.0, first });
            return self.blind_way(len).unwrap_or_else(|| Way::Alone(in_blocks()));
        };
        let machine = machine::facts_for(len as f64 * facts.item_ns);
        let hot = self.target.helpers_counted_hot(self.units(len), &machine);
        let limits = self.target.limits_with(self.limits, len, &facts);
        let decision = remembered::decide(len, &facts, &machine, &limits, hot);
        // A long run learns soon whether the items are as cheap as they are said to be, unless putting
        // its two parts together costs more than that is worth.
        let checked = (self.lengths.open_ended && !self.lengths.whole)
            || decision.serial_ns * CHECKPOINT_SHARE
                > facts.piece_ns + facts.reduce_ns_of(len as f64);
        let first = if checked { len / 4 } else { len };
        let watched = || Pacer::new(self, Pace::Blocks { known_item_ns: facts.item_ns, first });
        if decision.plan != Plan::Serial {
            let is_short = decision.serial_ns < WORTH_A_LOOK_NS;
            return match self.target.choose(self.units(len), is_short) {
                Choice::Look { is_kept } => {
                    let mut pacer = watched();
                    pacer.learns = is_kept;
                    Way::Alone(pacer)
                }
                Choice::Alone => Way::Alone(Pacer::new(self, Pace::Timed)),
                Choice::Crew => match self.for_crew(len, decision.plan, &facts) {
                    Some((workers, chunk)) => Way::Crew { workers, chunk },
                    None => Way::Alone(Pacer::serial(self)),
                },
            };
        }
        if let Some(way) = self.tried_way(len, &facts, &machine, &limits) {
            return way;
        }
        let mut pacer = if decision.serial_ns < CHECKPOINT_FROM_NS {
            Pacer::new(self, Pace::Timed)
        } else {
            watched()
        };
        let decide_when_hot = || remembered::decide(len, &facts, &machine, &limits, HOT);
        pacer.missed = hot == 0 && decide_when_hot().plan != Plan::Serial;
        Way::Alone(pacer)
    }

    /// A crew for the first call of a loop that was never seen, if it has few items.
    fn blind_way(self, len: usize) -> Option<Way> {
        let most = self.limits.workers.saturating_mul(FEW_PER_WORKER);
        let is_first = self.target.facts(self.units(len)).is_none() && !self.target.was_short();
        if !is_first || self.lengths.whole || !(2..=most).contains(&len) {
            return None;
        }
        let limits = self.target.limits_of_crew(self.limits);
        let limits = limits.with_chunk(self.target.options().fixed_chunk(len, None));
        let chunk = limits.clamp_chunk(1);
        let workers = limits.workers.min(len.div_ceil(chunk));
        (workers > 1).then_some(Way::Blind { workers, chunk })
    }

    /// A crew for a call that only losses keep from one, if it is time to try whether there are any.
    fn tried_way(
        self,
        len: usize,
        facts: &LoopFacts,
        machine: &MachineFacts,
        limits: &Limits,
    ) -> Option<Way> {
        let units = self.units(len);
        let is_short = len as f64 * facts.item_ns < WORTH_A_LOOK_NS;
        let at_best = self.target.facts_at_best(units, *facts, is_short)?;
        if !self.target.tries_crew(units, is_short) {
            return None;
        }
        // Where there are no helpers, nobody comes to a trial, and that is the end of it.
        let decision = remembered::decide(len, &at_best, machine, limits, HOT);
        let (workers, chunk) = self.for_crew(len, decision.plan, &at_best)?;
        Some(Way::Crew { workers, chunk })
    }

    /// Workers and chunk of a plan that the cores allow, unless the pool, other work on the machine or the memory
    /// ask for fewer workers and so for another plan; `None` for serial. Only now are they looked at: most calls
    /// are not worth it.
    pub(crate) fn for_crew(
        self,
        len: usize,
        plan: Plan,
        facts: &LoopFacts,
    ) -> Option<(usize, usize)> {
        let limits = self.target.limits_of_crew(self.limits);
        let limits = self.target.limits_with(limits, len, facts);
        let plan = match plan {
            Plan::Parallel { workers, .. } if workers > limits.workers => {
                let machine = machine::facts();
                let hot = pool::helpers_counted_hot(&machine);
                model::decide(len, facts, &machine, &limits, hot).plan
            }
            plan => plan,
        };
        match plan {
            Plan::Serial => None,
            Plan::Parallel { workers, chunk } => Some((workers, chunk)),
        }
    }
}

#[cfg(all(test, not(loom)))]
#[path = "way_tests.rs"]
mod tests;
