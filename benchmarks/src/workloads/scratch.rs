use std::hint::black_box;

use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::forked::collected;
use crate::workload::Workload;

/// A few dear items, each with a large buffer of its own: the allocator, the system and memory
/// bandwidth, which all workers share, limit what more of them are worth.
pub(crate) struct Scratch;

/// Of one item's buffer.
const BYTES: usize = 16 << 20;
const PAGE: usize = 4 << 10;

impl Workload for Scratch {
    const NAME: &'static str = "scratch";
    const ORIGIN: &'static str =
        "ProveKit's pull request 291: large allocations on rayon's workers";
    const SIZES: &'static [usize] = &[4, 16];

    /// Seeds.
    type Input = Vec<u64>;
    /// Checksums, in the order of the items.
    type Output = Vec<u64>;

    fn prepare(n: usize) -> Vec<u64> {
        let mut random = fastrand::Rng::with_seed(9);
        (0..n).map(|_| random.u64(..)).collect()
    }

    fn run(seeds: &mut Vec<u64>, executor: Executor) -> Vec<u64> {
        let work = |seed: &u64| checksum(*seed);
        match executor {
            Executor::Serial => seeds.iter().map(work).collect(),
            Executor::Rayon => seeds.par_iter().map(work).collect(),
            Executor::RayonMinLen(min) => seeds.par_iter().with_min_len(min).map(work).collect(),
            Executor::Amorsize(target) => seeds.par_iter().tuned(target).map(work).collect(),
            Executor::Orx => others::orx(seeds),
            Executor::Paralight => others::paralight(seeds),
            Executor::Forked(forked) => collected(seeds.len(), |results| {
                forked.run(
                    (results, &seeds[..]),
                    |(results, seeds)| {
                        results.iter_mut().zip(seeds).for_each(|(r, seed)| *r = Some(work(seed)));
                    },
                    |(), ()| (),
                );
            }),
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use super::checksum;
    use crate::forked::with_paralight;

    pub(super) fn orx(seeds: &[u64]) -> Vec<u64> {
        use orx_parallel::*;
        seeds.par().map(|seed| checksum(*seed)).collect()
    }

    pub(super) fn paralight(seeds: &[u64]) -> Vec<u64> {
        use paralight::prelude::*;
        let mut results = vec![0; seeds.len()];
        with_paralight(|pool| {
            let both = (results.par_iter_mut(), seeds.par_iter()).zip_eq();
            both.with_thread_pool(pool).for_each(|(r, seed)| *r = checksum(*seed));
        });
        results
    }
}

/// Writes to every page of a fresh buffer, then reads them all.
fn checksum(seed: u64) -> u64 {
    let mut buffer = vec![0_u8; BYTES];
    let mut random = fastrand::Rng::with_seed(seed);
    buffer.iter_mut().step_by(PAGE).for_each(|byte| *byte = random.u8(..));
    black_box(&buffer).iter().step_by(PAGE).map(|&byte| u64::from(byte)).sum()
}
