use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::spin::spin;
use crate::workload::Workload;

/// A sum over items of one cost, about 500 ns: all cores should help, and what is lost is the
/// executor's.
pub(crate) struct HeavyMapReduce;

/// Each takes a nanosecond or somewhat more.
const STEPS: u32 = 400;

impl Workload for HeavyMapReduce {
    const NAME: &'static str = "heavy_map_reduce";
    const ORIGIN: &'static str =
        "after the compute-bound tasks of Task Bench (Slaughter and others 2020)";
    const SIZES: &'static [usize] = &[1 << 8, 1 << 12, 1 << 16];

    /// Seeds.
    type Input = Vec<u64>;
    type Output = u64;

    fn prepare(n: usize) -> Vec<u64> {
        let mut random = fastrand::Rng::with_seed(7);
        (0..n).map(|_| random.u64(..)).collect()
    }

    fn run(seeds: &mut Vec<u64>, executor: Executor) -> u64 {
        match executor {
            Executor::Serial => seeds.iter().map(work).sum(),
            Executor::Rayon => seeds.par_iter().map(work).sum(),
            Executor::RayonMinLen(min) => seeds.par_iter().with_min_len(min).map(work).sum(),
            Executor::Amorsize(target) => seeds.par_iter().tuned(target).map(work).sum(),
            Executor::Orx => others::orx(seeds),
            Executor::Paralight => others::paralight(seeds),
            Executor::Forked(forked) => {
                forked.run(&seeds[..], |part| part.iter().map(work).sum(), |a, b| a + b)
            }
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use super::work;
    use crate::forked::with_paralight;

    pub(super) fn orx(seeds: &[u64]) -> u64 {
        use orx_parallel::*;
        seeds.par().map(work).sum()
    }

    pub(super) fn paralight(seeds: &[u64]) -> u64 {
        use paralight::prelude::*;
        with_paralight(|pool| seeds.par_iter().with_thread_pool(pool).map(work).sum())
    }
}

fn work(&seed: &u64) -> u64 {
    spin(seed, STEPS)
}
