//! The best plan that trying finds: all of a coarse grid, then whatever is better nearby.
//!
//! A plan is chosen before anybody knows the items of a call: it is as good as the mean time of calls under it, each
//! with items of its own. The calls that are tried and those that count are different ones: of a hundred plans, one is
//! always lucky with the items of the calls that it was tried with.

use super::engine;
use super::scenario::{Host, Items};

/// Calls that plans are tried with, and others by which the best one is then compared with the model's.
pub(super) const TRIED: usize = 12;
pub(super) const SCORED: usize = 24;
/// Plans that look best after three calls are tried with all of them.
const FIRST_CALLS: usize = 3;
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

/// The best parallel plan for these calls; `None` where there is none. The plan that was `chosen` is one of those that
/// are tried.
pub(super) fn best(
    host: &Host,
    calls: &[Items],
    hot: usize,
    chosen: Option<(usize, usize)>,
) -> Option<(usize, usize)> {
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
    let finalists = tried.into_iter().map(|(plan, _)| plan).take(FINALISTS).chain(chosen);
    let time = |plan| time_ns(host, calls, plan, hot);
    fastest(finalists, time).map(|best| refined(best, host.workers, n, time).0)
}

type Plan = (usize, usize);

fn fastest(
    plans: impl IntoIterator<Item = Plan>,
    time_ns: impl Fn(Plan) -> f64,
) -> Option<(Plan, f64)> {
    plans.into_iter().map(|plan| (plan, time_ns(plan))).min_by(|a, b| a.1.total_cmp(&b.1))
}

/// Goes from a plan to the best one nearby until none is better.
fn refined(
    mut best: (Plan, f64),
    most_workers: usize,
    n: usize,
    time_ns: impl Fn(Plan) -> f64,
) -> (Plan, f64) {
    let mut tried = vec![best.0];
    loop {
        let mut near = neighbours(best.0, most_workers, n);
        near.retain(|plan| !tried.contains(plan));
        tried.extend(&near);
        match fastest(near, &time_ns) {
            Some(next) if next.1 < best.1 => best = next,
            _ => return best,
        }
    }
}

/// A worker or an eighth of them more or less, with as many chunks each or with chunks as long; a chunk for each more or less,
/// an item or an eighth of the items of a chunk.
fn neighbours(plan: Plan, most_workers: usize, n: usize) -> Vec<Plan> {
    let (workers, chunk) = plan;
    let around = |middle: usize| {
        [1, (middle / 8).max(1)]
            .into_iter()
            .flat_map(move |by| [middle.saturating_sub(by), middle + by])
    };
    let each = n.div_ceil(chunk).div_ceil(workers);
    let cut = |workers: usize, each: usize| (workers, n.div_ceil((workers * each).max(1)));
    let by_workers = around(workers).flat_map(|workers| [cut(workers, each), (workers, chunk)]);
    let by_chunks = around(chunk).map(|chunk| (workers, chunk));
    let by_each = [each - 1, each + 1].map(|each| cut(workers, each));
    let mut found = Vec::new();
    for near in by_workers.chain(by_chunks).chain(by_each) {
        let is_plan = (2..=most_workers).contains(&near.0) && (1..n).contains(&near.1);
        if is_plan && near != plan && !found.contains(&near) {
            found.push(near);
        }
    }
    found
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
    fn a_plan_between_those_of_the_grid_is_found() {
        let best = (37, 129);
        let distance = |(workers, chunk): Plan| {
            let far = |a: usize, b: usize| (a as f64 / b as f64).ln().abs();
            far(workers, best.0) + far(chunk, best.1)
        };
        let start = fastest([(32, 98), (48, 66), (24, 262)], distance).expect("there are some");
        assert_eq!(refined(start, 64, 12_345, distance), (best, 0.0));
    }

    #[test]
    fn neighbours_are_plans() {
        for plan in [(2, 1), (64, 1), (2, 49), (33, 3)] {
            let near = neighbours(plan, 64, 100);
            assert!(!near.is_empty(), "{plan:?}");
            assert!(
                near.iter().all(|plan| (2..=64).contains(&plan.0) && (1..100).contains(&plan.1))
            );
        }
        assert_eq!(neighbours((2, 1), 2, 2), []);
    }

    #[test]
    fn worker_counts_end_with_all_of_them() {
        assert_eq!(worker_counts(1).count(), 0);
        assert_eq!(worker_counts(2).collect::<Vec<_>>(), [2]);
        assert_eq!(worker_counts(20).collect::<Vec<_>>(), [2, 3, 4, 6, 8, 12, 16, 20]);
    }
}
