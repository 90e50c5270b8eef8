//! A sweep over the settings of rayon and of Amorsize: the best that trying all of them finds.

use crate::estimate::median;
use crate::interleave::interleave;
use crate::peer::{Peer, unseen};

/// Chunks per worker, and pieces per thread for `with_min_len`.
const PIECES_PER_WORKER: [usize; 5] = [1, 4, 16, 64, 256];

/// Every setting of rayon and of Amorsize's executor for calls of `n` items, measured.
#[derive(Debug)]
pub(crate) struct Sweep {
    serial_ns: f64,
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
        Sweep { serial_ns, plans, min_lens }
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
}
