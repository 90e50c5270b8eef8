//! What it costs to hand one item to each thread and to have them all back.

use std::hint::{black_box, spin_loop};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::cli::Effort;
use crate::estimate::Estimate;
use crate::executor::Executor;
use crate::forked::Forked;
use crate::interleave::{interleave, time_calls};
use crate::openmp::Schedule;
use crate::peer::{Peer, others, unseen};
use crate::workload::Workload;
use crate::workloads::Noop;

/// Calls in a timed region of hot ones.
const CALLS: usize = 64;

/// How long the caller spins before a cold call: long enough for every pool's threads to sleep.
const GAP: Duration = Duration::from_millis(1);

/// One executor's times. In nanoseconds per call.
#[derive(Debug, Serialize)]
pub(crate) struct ForkJoin {
    pub(crate) name: String,
    /// Call after call.
    pub(crate) hot: Estimate,
    /// After [`GAP`].
    pub(crate) cold: Estimate,
}

/// Ours first, with all workers imposed, as its own decision would be to run the items at once.
pub(crate) fn fork_join(effort: &Effort) -> Vec<ForkJoin> {
    let workers = rayon::current_num_threads();
    let ours = Peer::Plan { workers, chunk: Some(1), target: unseen() };
    // The other schedules of OpenMP fork and join alike.
    let one_of_its_kind = |executor: &Executor| match executor {
        Executor::Forked(Forked::OpenMp(schedule)) => *schedule == Schedule::Static,
        _ => true,
    };
    let others = others::<Noop>().filter(one_of_its_kind).map(Peer::Other);
    let peers: Vec<Peer> = [ours, Peer::Rayon].into_iter().chain(others).collect();
    let mut items = Noop::prepare(workers);
    let mut call = |executor| {
        black_box(Noop::run(black_box(&mut items), executor));
    };
    let hot = interleave(&peers, effort.pick(15, 51), |peer| time_calls(peer, CALLS, &mut call));
    let cold = interleave(&peers, effort.pick(51, 201), |peer| {
        let executor = peer.executor();
        let gap = Instant::now();
        while gap.elapsed() < GAP {
            spin_loop();
        }
        let start = Instant::now();
        call(executor);
        start.elapsed().as_nanos() as f64
    });
    let name = |peer: &Peer| match peer {
        Peer::Plan { .. } => "amorsize".to_owned(),
        peer => peer.setting(),
    };
    let times = hot.iter().zip(&cold);
    let row = |(peer, (hot, cold)): (&Peer, (&Vec<f64>, &Vec<f64>))| ForkJoin {
        name: name(peer),
        hot: Estimate::of(hot),
        cold: Estimate::of(cold),
    };
    peers.iter().zip(times).map(row).collect()
}
