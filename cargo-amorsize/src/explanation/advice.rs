//! What to do about a decision, where there is something to do.

use std::fmt;

use amorsize_runtime::Workload;
use amorsize_runtime::model::{Bound, Plan, Terms};

use super::{Explanation, Variation};
use crate::units::{self, percent};

/// A piece of advice, with the numbers that it follows from. Shares are of the predicted time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Advice {
    /// The workers gain less than half of what they could.
    LowSpeedup { speedup: f64, workers: usize },
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
            Advice::LowSpeedup { speedup, workers } => {
                let (speedup, workers) =
                    (units::factor(speedup), units::counted(workers, "worker"));
                write!(f, "only {speedup} with {workers}: cut the largest overhead first")
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

    /// What is there to say about the time of a parallel run.
    fn advise_on_time(&self, advice: &mut Vec<Advice>) {
        let Terms { slowdown, spawn, wake, claim, pieces, reduce, tail, .. } = self.decision.terms;
        let (speedup, workers) = (self.speedup().unwrap_or(1.0), self.workers());
        if speedup < 0.5 * workers as f64 {
            advice.push(Advice::LowSpeedup { speedup, workers });
        }
        let options = self.call.options;
        let by_time = options.chunk_ns.map(|_| "chunk_time");
        let option = options.chunk.map(|_| "chunk").or(by_time);
        let above = |ns: f64, most: f64| self.share(ns).filter(|share| *share > most);
        advice.extend(above(spawn + wake, 0.2).map(|share| Advice::Starting { share }));
        advice.extend(above(claim, 0.1).map(|share| Advice::Chunks { share, option }));
        advice.extend(above(pieces, 0.15).map(|share| Advice::Pieces { share }));
        advice.extend(above(reduce, 0.15).map(|share| Advice::Reducing { share }));
        advice.extend(above(slowdown, 0.2).map(|share| Advice::Slowdown { share }));
        advice.extend(above(tail, 0.1).map(|share| Advice::Tail { share }));
    }
}
