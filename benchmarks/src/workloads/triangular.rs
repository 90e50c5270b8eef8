use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::workload::Workload;

/// Counts the pairs of near hashes, comparing each with all before it: cost rises along the index,
/// and equal pieces of a loop leave most of the work to the last.
pub(crate) struct Rising;

/// The same pairs, comparing each hash with all after it: cost falls along the index, and the first
/// piece has most of the work.
pub(crate) struct Falling;

const ORIGIN: &str = "triangular loops, as in trapezoid self-scheduling (Tzen, Ni 1993)";
const SIZES: &[usize] = &[64, 1_024, 4_096];

/// The most bits in which two near hashes differ; about one pair of thirty is near.
const NEAR: u32 = 24;

impl Workload for Rising {
    const NAME: &'static str = "rising";
    const ORIGIN: &'static str = ORIGIN;
    const SIZES: &'static [usize] = SIZES;

    type Input = Vec<u64>;
    type Output = usize;

    fn prepare(n: usize) -> Vec<u64> {
        hashes(n)
    }

    fn run(hashes: &mut Vec<u64>, executor: Executor) -> usize {
        sum_counts(hashes.len(), |i| count_near(hashes[i], &hashes[..i]), executor)
    }
}

impl Workload for Falling {
    const NAME: &'static str = "falling";
    const ORIGIN: &'static str = ORIGIN;
    const SIZES: &'static [usize] = SIZES;

    type Input = Vec<u64>;
    type Output = usize;

    fn prepare(n: usize) -> Vec<u64> {
        hashes(n)
    }

    fn run(hashes: &mut Vec<u64>, executor: Executor) -> usize {
        sum_counts(hashes.len(), |i| count_near(hashes[i], &hashes[i + 1..]), executor)
    }
}

/// Sums what `count` returns for the indices below `n`.
fn sum_counts(n: usize, count: impl Fn(usize) -> usize + Send + Sync, executor: Executor) -> usize {
    match executor {
        Executor::Serial => (0..n).map(count).sum(),
        Executor::Rayon => (0..n).into_par_iter().map(count).sum(),
        Executor::RayonMinLen(min) => (0..n).into_par_iter().with_min_len(min).map(count).sum(),
        Executor::Amorsize(target) => (0..n).into_par_iter().tuned(target).map(count).sum(),
        Executor::Orx => others::orx(n, count),
        Executor::Paralight => others::paralight(n, count),
        Executor::Forked(forked) => {
            forked.run(0..n, |part| part.map(&count).sum(), |a: usize, b| a + b)
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use crate::forked::with_paralight;

    pub(super) fn orx(n: usize, count: impl Fn(usize) -> usize + Sync) -> usize {
        use orx_parallel::*;
        (0..n).into_par().map(&count).sum()
    }

    pub(super) fn paralight(n: usize, count: impl Fn(usize) -> usize + Sync) -> usize {
        use paralight::prelude::*;
        with_paralight(|pool| (0..n).into_par_iter().with_thread_pool(pool).map(count).sum())
    }
}

fn hashes(n: usize) -> Vec<u64> {
    let mut random = fastrand::Rng::with_seed(6);
    (0..n).map(|_| random.u64(..)).collect()
}

/// How many of `others` are near `hash`.
fn count_near(hash: u64, others: &[u64]) -> usize {
    others.iter().filter(|&&other| (hash ^ other).count_ones() <= NEAR).count()
}
