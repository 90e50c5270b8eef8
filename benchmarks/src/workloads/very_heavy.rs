use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::spin::spin;
use crate::workload::Workload;

/// A few items of about half a millisecond each: what an executor costs is lost beside them, and all
/// that counts is how evenly the workers share them.
pub(crate) struct VeryHeavy;

/// Steps of an item. Tests look at results alone.
const STEPS: u32 = if cfg!(test) { 400 } else { 400_000 };

impl Workload for VeryHeavy {
    const NAME: &'static str = "very_heavy";
    const ORIGIN: &'static str = "parameter sweeps: a few long runs, independent of each other";
    const SIZES: &'static [usize] = &[16, 64];

    /// The seed of each run.
    type Input = Vec<u64>;
    /// The sum of all results.
    type Output = u64;

    fn prepare(n: usize) -> Vec<u64> {
        let mut random = fastrand::Rng::with_seed(8);
        (0..n).map(|_| random.u64(..)).collect()
    }

    fn run(seeds: &mut Vec<u64>, executor: Executor) -> u64 {
        match executor {
            Executor::Serial => seeds.iter().map(simulate).sum(),
            Executor::Rayon => seeds.par_iter().map(simulate).sum(),
            Executor::RayonMinLen(min) => seeds.par_iter().with_min_len(min).map(simulate).sum(),
            Executor::Amorsize(target) => seeds.par_iter().tuned(target).map(simulate).sum(),
            Executor::Orx => others::orx(seeds),
            Executor::Paralight => others::paralight(seeds),
            Executor::Forked(forked) => {
                forked.run(&seeds[..], |part| part.iter().map(simulate).sum(), |a: u64, b| a + b)
            }
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use super::simulate;
    use crate::forked::with_paralight;

    pub(super) fn orx(seeds: &[u64]) -> u64 {
        use orx_parallel::*;
        seeds.par().map(simulate).sum()
    }

    pub(super) fn paralight(seeds: &[u64]) -> u64 {
        use paralight::prelude::*;
        with_paralight(|pool| seeds.par_iter().with_thread_pool(pool).map(simulate).sum())
    }
}

fn simulate(&seed: &u64) -> u64 {
    spin(seed, STEPS)
}
