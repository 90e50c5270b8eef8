use rayon::prelude::*;

use amorsize::{Loop, Tune};

use crate::executor::{Executor, is_imposed};
use crate::forked::collected;
use crate::spin::spin;
use crate::workload::Workload;

/// A parallel loop in each item of a parallel loop: the inner one is called where the workers are
/// busy already. Rayon and Amorsize have both of them parallel, the others the outer one.
pub(crate) struct Nested;

/// Items of an inner loop.
const INNER_ITEMS: u32 = 1_024;

/// Of one inner item, about 20 ns.
const STEPS: u32 = 28;

static INNER: Loop = amorsize::tuned_loop!("benchmarks::nested_inner");

impl Workload for Nested {
    const NAME: &'static str = "nested";
    const ORIGIN: &'static str = "a question of rayon's users (issue 912)";
    const SIZES: &'static [usize] = &[8, 64];

    /// Seeds of the inner loops.
    type Input = Vec<u64>;
    /// Sums of the inner loops, in their order.
    type Output = Vec<u64>;

    fn prepare(n: usize) -> Vec<u64> {
        let mut random = fastrand::Rng::with_seed(10);
        (0..n).map(|_| random.u64(..)).collect()
    }

    fn run(seeds: &mut Vec<u64>, executor: Executor) -> Vec<u64> {
        let inner = |seed: &u64| inner(*seed);
        let rayon_inner =
            |seed: &u64| -> u64 { (0..INNER_ITEMS).into_par_iter().map(|i| item(*seed, i)).sum() };
        match executor {
            Executor::Serial => seeds.iter().map(inner).collect(),
            Executor::Rayon => seeds.par_iter().map(rayon_inner).collect(),
            Executor::RayonMinLen(min) => {
                seeds.par_iter().with_min_len(min).map(rayon_inner).collect()
            }
            Executor::Amorsize(target) if is_imposed() => {
                seeds.par_iter().tuned(target).map(inner).collect()
            }
            Executor::Amorsize(target) => {
                let tuned_inner = |seed: &u64| -> u64 {
                    (0..INNER_ITEMS).into_par_iter().tuned(&INNER).map(|i| item(*seed, i)).sum()
                };
                seeds.par_iter().tuned(target).map(tuned_inner).collect()
            }
            Executor::Orx => others::orx(seeds),
            Executor::Paralight => others::paralight(seeds),
            Executor::Forked(forked) => collected(seeds.len(), |sums| {
                forked.run(
                    (sums, &seeds[..]),
                    |(sums, seeds)| {
                        sums.iter_mut().zip(seeds).for_each(|(sum, seed)| *sum = Some(inner(seed)));
                    },
                    |(), ()| (),
                );
            }),
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use super::inner;
    use crate::forked::with_paralight;

    pub(super) fn orx(seeds: &[u64]) -> Vec<u64> {
        use orx_parallel::*;
        seeds.par().map(|seed| inner(*seed)).collect()
    }

    pub(super) fn paralight(seeds: &[u64]) -> Vec<u64> {
        use paralight::prelude::*;
        let mut sums = vec![0; seeds.len()];
        with_paralight(|pool| {
            let both = (sums.par_iter_mut(), seeds.par_iter()).zip_eq();
            both.with_thread_pool(pool).for_each(|(sum, seed)| *sum = inner(*seed));
        });
        sums
    }
}

/// The inner loop as a plain iterator.
fn inner(seed: u64) -> u64 {
    (0..INNER_ITEMS).map(|i| item(seed, i)).sum()
}

/// One inner item. Seeds that differ in the lowest bit alone are the same to `spin`.
fn item(seed: u64, i: u32) -> u64 {
    spin(seed.wrapping_add(u64::from(i) << 1), STEPS)
}
