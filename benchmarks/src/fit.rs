//! A profile for a workload: a sweep over settings, and the facts that explain it best.

use amorsize::expansion::{LoopFacts, MachineFacts};
use amorsize_runtime::model::{Plan, predict};
use serde::{Deserialize, Serialize};

use crate::estimate::median;
use crate::interleave::interleave;
use crate::peer::{HOT, Peer, unseen};

/// Chunks per worker, and pieces per thread for `with_min_len`.
const PIECES_PER_WORKER: [usize; 5] = [1, 4, 16, 64, 256];

/// Every setting of rayon and of Amorsize's executor for calls of `n` items, measured.
#[derive(Debug)]
pub(crate) struct Sweep {
    n: usize,
    serial_ns: f64,
    /// What a reduction of two workers' results took.
    reduce_ns: f64,
    /// Fastest first.
    plans: Vec<(Peer, f64)>,
    /// Fastest first.
    min_lens: Vec<(Peer, f64)>,
}

impl Sweep {
    /// Measures all settings in interleaved rounds.
    pub(crate) fn run(n: usize, rounds: usize, time: impl FnMut(&Peer) -> f64) -> Self {
        let threads = rayon::current_num_threads();
        let target = unseen();
        let sizes = |workers: usize| {
            let mut sizes = PIECES_PER_WORKER.map(|pieces| n.div_ceil(workers * pieces)).to_vec();
            sizes.dedup();
            sizes
        };
        let mut peers = vec![Peer::Serial];
        for workers in worker_counts(threads) {
            peers.extend(sizes(workers).into_iter().map(|chunk| Peer::Plan {
                workers,
                chunk: Some(chunk),
                target,
            }));
        }
        peers.extend(sizes(threads).into_iter().map(Peer::RayonMinLen));
        let samples = interleave(&peers, rounds, time);
        let mut times: Vec<(Peer, f64)> =
            peers.into_iter().zip(samples.iter().map(|samples| median(samples))).collect();
        let (_, serial_ns) = times.remove(0);
        times.sort_by(|a, b| a.1.total_cmp(&b.1));
        let (plans, min_lens) =
            times.into_iter().partition(|(peer, _)| matches!(peer, Peer::Plan { .. }));
        let reduce_ns = target.status().reduce_ns.unwrap_or(0.0);
        Sweep { n, serial_ns, reduce_ns, plans, min_lens }
    }

    pub(crate) fn serial_ns(&self) -> f64 {
        self.serial_ns
    }

    /// The fastest plans.
    pub(crate) fn best_plans(&self, count: usize) -> impl Iterator<Item = Peer> {
        self.plans.iter().take(count).map(|(peer, _)| *peer)
    }

    /// The fastest `with_min_len`.
    pub(crate) fn best_min_len(&self) -> Option<Peer> {
        self.min_lens.first().map(|(peer, _)| *peer)
    }
}

/// [`LoopFacts`] as JSON shows them.
#[derive(Deserialize, Serialize)]
#[serde(remote = "LoopFacts")]
pub(crate) struct Facts {
    item_ns: f64,
    item_cv: f64,
    piece_ns: f64,
    reduce_ns: f64,
    contention: f64,
    coherency: f64,
    /// Sweeps do not watch how items spend their time.
    #[serde(skip)]
    cpu_share: Option<f64>,
}

/// The facts under which the model's predictions are nearest to the sweeps of one loop, by least
/// squares of the logarithms. Parameters are few and coarse, so all combinations are tried. What a reduction
/// costs is taken from the longest calls.
pub(crate) fn fit(sweeps: &[Sweep], machine: &MachineFacts) -> LoopFacts {
    let item_times: Vec<f64> = sweeps.iter().map(|s| s.serial_ns / s.n as f64).collect();
    let longest = sweeps.iter().max_by(|a, b| a.serial_ns.total_cmp(&b.serial_ns));
    let mut best = (
        f64::INFINITY,
        LoopFacts {
            item_ns: median(&item_times),
            reduce_ns: longest.map_or(0.0, |sweep| sweep.reduce_ns),
            ..LoopFacts::default()
        },
    );
    for contention in [0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8] {
        for piece_ns in [0.0, 20.0, 50.0, 100.0, 300.0, 1e3, 3e3, 1e4, 3e4] {
            for item_cv in [0.0, 0.3, 1.0, 3.0] {
                let facts = LoopFacts { item_cv, piece_ns, contention, ..best.1 };
                let error = sweeps.iter().map(|s| squared_error(s, facts, machine)).sum();
                if error < best.0 {
                    best = (error, facts);
                }
            }
        }
    }
    best.1
}

/// Of predictions for the plans of one sweep. Items and reductions cost what they cost there: that caches make the
/// items of long calls dearer must not be taken for contention.
fn squared_error(sweep: &Sweep, facts: LoopFacts, machine: &MachineFacts) -> f64 {
    let item_ns = sweep.serial_ns / sweep.n as f64;
    let facts = LoopFacts { item_ns, reduce_ns: sweep.reduce_ns, ..facts };
    let error = |(peer, measured_ns): &(Peer, f64)| match *peer {
        Peer::Plan { workers, chunk: Some(chunk), .. } => {
            let plan = Plan::Parallel { workers, chunk };
            let predicted_ns = predict(sweep.n, plan, &facts, machine, HOT).total();
            (predicted_ns / measured_ns).ln().powi(2)
        }
        _ => 0.0,
    };
    sweep.plans.iter().map(error).sum()
}

/// 2, 4, 8 … and the number of threads itself.
fn worker_counts(threads: usize) -> impl Iterator<Item = usize> {
    let powers = std::iter::successors(Some(2), |workers| Some(workers * 2));
    powers.take_while(move |&workers| workers < threads).chain((threads > 1).then_some(threads))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worker_counts_end_with_all_threads() {
        let counts = |threads| worker_counts(threads).collect::<Vec<_>>();
        assert!(counts(1).is_empty());
        assert_eq!(counts(2), [2]);
        assert_eq!(counts(6), [2, 4, 6]);
        assert_eq!(counts(8), [2, 4, 8]);
    }

    #[test]
    fn facts_that_made_a_sweep_are_found_again() {
        let machine = MachineFacts::from_array([200.0, 3e3, 2e3, 2e4, 5e4, 50.0, 1.0]);
        let truth = LoopFacts {
            item_ns: 100.0,
            item_cv: 0.3,
            piece_ns: 50.0,
            reduce_ns: 300.0,
            contention: 0.1,
            coherency: 0.0,
            cpu_share: None,
        };
        let target = unseen();
        let sweep = |n: usize| Sweep {
            n,
            serial_ns: n as f64 * truth.item_ns,
            reduce_ns: truth.reduce_ns,
            plans: [2, 4, 8]
                .into_iter()
                .flat_map(|workers| [1, 3, 10, 40].map(|pieces| (workers, n / (workers * pieces))))
                .map(|(workers, chunk)| {
                    let plan = Plan::Parallel { workers, chunk };
                    let peer = Peer::Plan { workers, chunk: Some(chunk), target };
                    (peer, predict(n, plan, &truth, &machine, HOT).total())
                })
                .collect(),
            min_lens: Vec::new(),
        };
        let fitted = fit(&[sweep(1_000), sweep(30_000)], &machine);
        assert!((fitted.item_ns - truth.item_ns).abs() < 1e-6);
        assert_eq!(LoopFacts { item_ns: truth.item_ns, ..fitted }, truth);
    }
}
