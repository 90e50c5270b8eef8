//! The best plan that trying all of them finds.

use super::engine;
use super::scenario::{Host, Items};

/// Seeds of the calls that are compared: the same for all plans.
const SEEDS: std::ops::Range<u64> = 0..6;
/// Plans that look best after one call are tried with all seeds.
const FINALISTS: usize = 8;
const CHUNKS_PER_WORKER: [usize; 8] = [1, 2, 3, 4, 8, 16, 32, 64];

/// The mean time of a call under a plan, in nanoseconds.
pub(super) fn time_ns(host: &Host, items: &Items, plan: (usize, usize), hot: usize) -> f64 {
    let times = SEEDS.map(|seed| engine::time_ns(host, items, plan, hot, seed));
    times.sum::<f64>() / SEEDS.end as f64
}

/// The best parallel plan and its mean time; `None` where there is none.
pub(super) fn best(host: &Host, items: &Items, hot: usize) -> Option<((usize, usize), f64)> {
    let n = items.len();
    let mut plans = Vec::new();
    for workers in worker_counts(host.workers) {
        for per_worker in CHUNKS_PER_WORKER {
            let plan = (workers, n.div_ceil(workers * per_worker));
            if plan.1 < n && !plans.contains(&plan) {
                plans.push(plan);
            }
        }
    }
    let first = |plan| engine::time_ns(host, items, plan, hot, SEEDS.start);
    let mut tried: Vec<_> = plans.into_iter().map(|plan| (plan, first(plan))).collect();
    tried.sort_by(|a, b| a.1.total_cmp(&b.1));
    let finalists = tried.into_iter().take(FINALISTS);
    finalists
        .map(|(plan, _)| (plan, time_ns(host, items, plan, hot)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
}

/// 2, 3, 4, 6, 8, 12 … and all.
fn worker_counts(most: usize) -> impl Iterator<Item = usize> {
    let steps = std::iter::successors(Some((2, 3)), |&(a, b)| Some((b, 2 * a)));
    steps.map(|(a, _)| a).take_while(move |&a| a < most).chain((most > 1).then_some(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worker_counts_end_with_all_of_them() {
        assert_eq!(worker_counts(1).count(), 0);
        assert_eq!(worker_counts(2).collect::<Vec<_>>(), [2]);
        assert_eq!(worker_counts(20).collect::<Vec<_>>(), [2, 3, 4, 6, 8, 12, 16, 20]);
    }
}
