//! The best plan that trying all of them finds.
//!
//! A plan is chosen before anybody knows the items of a call: it is as good as the mean time of calls under it, each
//! with items of its own.

use super::engine;
use super::scenario::{Host, Items};

/// Calls that are compared, the same for all plans.
pub(super) const CALLS: usize = 6;
/// Plans that look best after two calls are tried with all of them.
const FIRST_CALLS: usize = 2;
const FINALISTS: usize = 8;
const CHUNKS_PER_WORKER: [usize; 8] = [1, 2, 3, 4, 8, 16, 32, 64];

/// The mean time of calls with these items under a plan, in nanoseconds.
pub(super) fn time_ns(host: &Host, calls: &[Items], plan: (usize, usize), hot: usize) -> f64 {
    let time = |(seed, items)| engine::time_ns(host, items, plan, hot, seed);
    (0..).zip(calls).map(time).sum::<f64>() / calls.len() as f64
}

/// The same, serially.
pub(super) fn serial_ns(calls: &[Items]) -> f64 {
    calls.iter().map(|items| items.time_ns(0, items.len())).sum::<f64>() / calls.len() as f64
}

/// The best parallel plan and its mean time; `None` where there is none.
pub(super) fn best(host: &Host, calls: &[Items], hot: usize) -> Option<((usize, usize), f64)> {
    let n = calls[0].len();
    let mut plans = Vec::new();
    for workers in worker_counts(host.workers) {
        for per_worker in CHUNKS_PER_WORKER {
            let plan = (workers, n.div_ceil(workers * per_worker));
            if plan.1 < n && !plans.contains(&plan) {
                plans.push(plan);
            }
        }
    }
    let first = |plan| time_ns(host, &calls[..FIRST_CALLS], plan, hot);
    let mut tried: Vec<_> = plans.into_iter().map(|plan| (plan, first(plan))).collect();
    tried.sort_by(|a, b| a.1.total_cmp(&b.1));
    let finalists = tried.into_iter().take(FINALISTS);
    finalists
        .map(|(plan, _)| (plan, time_ns(host, calls, plan, hot)))
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
