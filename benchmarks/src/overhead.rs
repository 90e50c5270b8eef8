//! What a profiled loop that stays serial costs beyond the plain iterator.

use std::hint::black_box;

use amorsize::expansion::{LoopFacts, MachineFacts};

use crate::cli::Effort;
use crate::estimate::Estimate;
use crate::interleave::{interleave, time_calls};
use crate::peer::{Peer, profiled};
use crate::workload::Workload;
use crate::workloads::SumOfSquares;

/// Items per call: too few for anything but a serial plan.
const ITEMS: usize = 16;
/// Calls per timed region: enough to see fractions of a nanosecond.
const CALLS: usize = 5_000;

/// Nanoseconds per call, the median of differences within a round.
pub(crate) fn serial_overhead(machine: MachineFacts, effort: &Effort) -> Estimate {
    let facts = LoopFacts {
        item_ns: 1.0,
        item_growth: 0.0,
        item_cv: 0.1,
        piece_ns: 0.0,
        reduce_ns: 50.0,
        reduce_growth: 0.0,
        contention: 0.05,
        coherency: 0.0,
        imbalance: 0.0,
        cpu_share: None,
    };
    let mut numbers = SumOfSquares::prepare(ITEMS);
    let peers = [Peer::Serial, Peer::Profiled(profiled(facts, machine))];
    let samples = interleave(&peers, effort.pick(51, 201), |peer| {
        time_calls(peer, CALLS, |executor| {
            black_box(SumOfSquares::run(black_box(&mut numbers), executor));
        })
    });
    let differences: Vec<f64> =
        samples[1].iter().zip(&samples[0]).map(|(tuned, plain)| tuned - plain).collect();
    Estimate::of(&differences)
}
