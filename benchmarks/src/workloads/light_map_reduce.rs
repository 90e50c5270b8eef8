use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::workload::Workload;

/// A sum of hashed indices: cheap items that touch no memory, so that nothing but the executor keeps
/// cores from helping.
pub(crate) struct LightMapReduce;

impl Workload for LightMapReduce {
    const NAME: &'static str = "light_map_reduce";
    const ORIGIN: &'static str =
        "SplitMix64 (Steele, Lea, Flood 2014), no number of which needs another";
    const SIZES: &'static [usize] = &[1 << 16, 1 << 20];

    /// The number of items.
    type Input = usize;
    type Output = u64;

    fn prepare(n: usize) -> usize {
        n
    }

    fn run(&mut n: &mut usize, executor: Executor) -> u64 {
        match executor {
            Executor::Serial => (0..n).map(hash).fold(0, u64::wrapping_add),
            Executor::Rayon => (0..n).into_par_iter().map(hash).reduce(|| 0, u64::wrapping_add),
            Executor::RayonMinLen(min) => {
                (0..n).into_par_iter().with_min_len(min).map(hash).reduce(|| 0, u64::wrapping_add)
            }
            Executor::Amorsize(target) => {
                (0..n).into_par_iter().tuned(target).map(hash).reduce(|| 0, u64::wrapping_add)
            }
            Executor::Orx => others::orx(n),
            Executor::Paralight => others::paralight(n),
            Executor::Forked(forked) => forked.run(
                0..n,
                |part| part.map(hash).fold(0, u64::wrapping_add),
                u64::wrapping_add,
            ),
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use super::hash;
    use crate::forked::with_paralight;

    pub(super) fn orx(n: usize) -> u64 {
        use orx_parallel::*;
        (0..n).into_par().map(hash).reduce(u64::wrapping_add).unwrap_or(0)
    }

    pub(super) fn paralight(n: usize) -> u64 {
        use paralight::prelude::*;
        with_paralight(|pool| {
            let indices = (0..n).into_par_iter().with_thread_pool(pool);
            indices.map(hash).reduce(|| 0, u64::wrapping_add)
        })
    }
}

/// What SplitMix64 makes of its `i`-th state when seeded with zero.
fn hash(i: usize) -> u64 {
    let x = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
