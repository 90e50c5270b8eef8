//! What to do about a decision, where there is something to do.

use std::fmt;

use amorsize_runtime::Workload;
use amorsize_runtime::model::{Bound, Plan, Terms};

use super::{Explanation, Variation};
use crate::units::{self, percent};

/// A piece of advice, with the numbers that it follows from. Shares are of the predicted time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Advice {
    /// The call is not half as many times faster as there are usable cores. Either its workers are limited and gain at least
    /// half of what they could, or overheads eat up the rest.
    LowSpeedup { speedup: f64, cores: usize, limited_by: Option<Bound> },
    /// Handing helpers to the pool and waiting for them takes more than 20 %.
    Starting { share: f64 },
    /// Taking chunks takes more than 10 %. An option of the attribute may fix their size.
    Chunks { share: f64, option: Option<&'static str> },
    /// A folder for every chunk takes more than 15 %.
    Pieces { share: f64 },
    /// Reducing takes more than 15 %.
    Reducing { share: f64 },
    /// Sharing caches and memory takes more than 20 %.
    Slowdown { share: f64 },
    /// It takes more than half, and no number of workers is faster by more than this factor.
    Shared { share: f64, most_speedup: f64 },
    /// Waiting for the last chunk takes more than 10 %.
    Tail { share: f64 },
    /// Items vary by more than 0.7.
    Uneven { cv: f64 },
    /// Items wait for most of their time, on the threads of a pool for items that compute.
    Waiting { share: f64 },
    /// Items wait for a part of their time and compute for another.
    WaitingAndComputing { share: f64 },
    /// Items compute on the threads of the pool for items that wait.
    Computing { share: f64 },
    /// Memory allows fewer workers than the machine has room for.
    Memory { workers: usize, room: usize },
    /// Not even one task fits.
    TaskTooLarge { task_bytes: u64, usable_bytes: u64 },
}

impl Advice {
    /// Never changes.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Advice::LowSpeedup { .. } => "low-speedup",
            Advice::Starting { .. } => "starting-helpers",
            Advice::Chunks { .. } => "taking-chunks",
            Advice::Pieces { .. } => "starting-chunks",
            Advice::Reducing { .. } => "reducing",
            Advice::Slowdown { .. } => "slowdown",
            Advice::Shared { .. } => "shared-data",
            Advice::Tail { .. } => "tail",
            Advice::Uneven { .. } => "uneven-items",
            Advice::Waiting { .. } => "waiting-items",
            Advice::WaitingAndComputing { .. } => "waiting-and-computing-items",
            Advice::Computing { .. } => "computing-items",
            Advice::Memory { .. } => "memory",
            Advice::TaskTooLarge { .. } => "task-too-large",
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Advice::LowSpeedup { speedup, cores, limited_by } => {
                let (speedup, cores) = (units::factor(speedup), units::counted(cores, "core"));
                write!(f, "only {speedup} on {cores}: ")?;
                match limited_by {
                    None => f.write_str("cut the largest overhead first"),
                    // It may be a flag.
                    Some(Bound::Environment) => f.write_str("no more workers are allowed"),
                    Some(bound) => write!(f, "the workers are limited by {bound}"),
                }
            }
            Advice::Starting { share } => {
                write!(f, "starting helpers takes {}: give one call more items", percent(share))
            }
            Advice::Chunks { share, option } => {
                write!(f, "taking chunks takes {}: ", percent(share))?;
                match option {
                    Some(option) => write!(f, "raise `{option}`"),
                    None => f.write_str("make one item of several"),
                }
            }
            Advice::Pieces { share } => {
                write!(f, "starting chunks takes {}: make `init` cheaper", percent(share))
            }
            Advice::Reducing { share } => {
                write!(f, "reducing takes {}: make smaller results, or one for all", percent(share))
            }
            Advice::Slowdown { share } => {
                let share = percent(share);
                write!(f, "workers hold each other up for {share}: touch less memory, lock less")
            }
            Advice::Shared { share, most_speedup } => {
                let (share, most) = (percent(share), units::factor(most_speedup));
                write!(f, "sharing takes {share}, and bounds any plan to {most}: move less data")
            }
            Advice::Tail { share } => {
                let share = percent(share);
                write!(f, "waiting for the last chunk takes {share}: make items smaller")
            }
            Advice::Uneven { cv } => {
                let cv = units::significant(cv);
                write!(f, "items vary a lot ({cv}): put the dearest first, or split them")
            }
            Advice::Waiting { share } => {
                let share = percent(share);
                write!(
                    f,
                    "items wait for {share} of their time: use the option `io`, or async tasks"
                )
            }
            Advice::WaitingAndComputing { share } => {
                let share = percent(share);
                write!(
                    f,
                    "items wait for {share} of their time: do that in a loop with `io` before"
                )
            }
            Advice::Computing { share } => {
                let share = percent(share);
                write!(f, "items compute for {share} of their time: leave out the option `io`")
            }
            Advice::Memory { workers, room } => {
                let (workers, room) =
                    (units::count(workers as u64), units::counted(room, "worker"));
                write!(f, "memory is enough for {workers} of {room}: make tasks smaller")
            }
            Advice::TaskTooLarge { task_bytes, usable_bytes } => {
                let (task, usable) = (units::bytes(task_bytes), units::bytes(usable_bytes));
                write!(f, "one task takes {task} of {usable} usable: make it smaller")
            }
        }
    }
}

impl Explanation<'_> {
    pub(crate) fn advice(&self) -> Vec<Advice> {
        let mut advice = Vec::new();
        if self.decision.plan != Plan::Serial {
            self.advise_on_time(&mut advice);
        }
        if self.facts.item_cv > Variation::UNEVEN {
            advice.push(Advice::Uneven { cv: self.facts.item_cv });
        }
        advice.extend(self.advice_on_waiting());
        let usable = self.system.usable_bytes();
        match (&self.call.task_bytes, usable, self.decision.limited_by) {
            (Some(task), Some(usable_bytes), _) if task.value > usable_bytes => {
                advice.push(Advice::TaskTooLarge { task_bytes: task.value, usable_bytes });
            }
            (_, _, Some(Bound::Memory { .. })) => {
                advice.push(Advice::Memory { workers: self.limits.workers, room: self.room() });
            }
            _ => {}
        }
        advice
    }

    /// Whether the items run on the right pool.
    fn advice_on_waiting(&self) -> Option<Advice> {
        let cpu_share = self.facts.cpu_share?;
        let waiting = 1.0 - cpu_share;
        match (Workload::of(cpu_share), self.call.options.io) {
            (Workload::Io, false) => Some(Advice::Waiting { share: waiting }),
            (Workload::Mixed, false) => Some(Advice::WaitingAndComputing { share: waiting }),
            (Workload::Cpu, true) => Some(Advice::Computing { share: cpu_share }),
            _ => None,
        }
    }

    /// Whether the call is at least half as many times faster as there are cores.
    fn advice_on_speedup(&self) -> Option<Advice> {
        let (speedup, cores) = (self.speedup()?, self.system.cores.value);
        let few = self.efficiency()? >= 0.5;
        let limited_by = self.decision.limited_by.filter(|_| few);
        // Memory has advice of its own.
        let is_memory = matches!(limited_by, Some(Bound::Memory { .. }));
        let is_low = speedup < 0.5 * cores as f64 && !is_memory;
        is_low.then_some(Advice::LowSpeedup { speedup, cores, limited_by })
    }

    /// The most that any number of workers could gain if nothing but what they share held them up: the peak of the Universal
    /// Scalability Law.
    fn most_speedup(&self) -> Option<f64> {
        let (contention, coherency) = (self.facts.contention, self.facts.coherency);
        let best = ((1.0 - contention) / coherency).sqrt();
        let slowdown = 1.0 + contention * (best - 1.0) + coherency * best * (best - 1.0);
        let most = if coherency > 0.0 { best / slowdown } else { 1.0 / contention };
        Some(most).filter(|most| most.is_finite() && *most > 1.0)
    }

    /// What is there to say about the time of a parallel run.
    fn advise_on_time(&self, advice: &mut Vec<Advice>) {
        let Terms { slowdown, spawn, wake, claim, pieces, reduce, tail, .. } = self.decision.terms;
        advice.extend(self.advice_on_speedup());
        let options = self.call.options;
        let by_time = options.chunk_ns.map(|_| "chunk_time");
        let option = options.chunk.map(|_| "chunk").or(by_time);
        let above = |ns: f64, most: f64| self.share(ns).filter(|share| *share > most);
        advice.extend(above(spawn + wake, 0.2).map(|share| Advice::Starting { share }));
        advice.extend(above(claim, 0.1).map(|share| Advice::Chunks { share, option }));
        advice.extend(above(pieces, 0.15).map(|share| Advice::Pieces { share }));
        advice.extend(above(reduce, 0.15).map(|share| Advice::Reducing { share }));
        advice.extend(above(slowdown, 0.2).map(|share| match self.most_speedup() {
            Some(most_speedup) if share > 0.5 => Advice::Shared { share, most_speedup },
            _ => Advice::Slowdown { share },
        }));
        advice.extend(above(tail, 0.1).map(|share| Advice::Tail { share }));
    }
}
