use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::workload::Workload;

/// Half of the items pass a filter, in no order, and are collected: no executor knows where in the
/// large output a piece goes before the pieces to its left are done.
pub(crate) struct FilterCollect;

impl Workload for FilterCollect {
    const NAME: &'static str = "filter_collect";
    const ORIGIN: &'static str = "rayon's demo `vec_collect`, its module `vec_i_filtered`";
    const SIZES: &'static [usize] = &[1_024, 100_000, 1_000_000];

    type Input = Vec<u32>;
    /// In the order of the items.
    type Output = Vec<u64>;

    fn prepare(n: usize) -> Vec<u32> {
        let mut random = fastrand::Rng::with_seed(7);
        (0..n).map(|_| random.u32(..)).collect()
    }

    fn run(numbers: &mut Vec<u32>, executor: Executor) -> Vec<u64> {
        let passes = |x: &&u32| passes(**x);
        let square = |x: &u32| square(*x);
        match executor {
            Executor::Serial => numbers.iter().filter(passes).map(square).collect(),
            Executor::Rayon => numbers.par_iter().filter(passes).map(square).collect(),
            Executor::RayonMinLen(min) => {
                numbers.par_iter().with_min_len(min).filter(passes).map(square).collect()
            }
            // Under the attribute, what `collect` becomes.
            Executor::Amorsize(target) => {
                numbers.par_iter().tuned(target).filter(passes).map(square).collect_vec()
            }
            Executor::Orx => others::orx(numbers),
            Executor::Paralight => others::paralight(numbers),
            Executor::Forked(forked) => {
                let squares = |part: &[u32]| part.iter().filter(passes).map(square).collect();
                let append = |mut left: Vec<Vec<u64>>, mut right: Vec<Vec<u64>>| {
                    left.append(&mut right);
                    left
                };
                forked.fold(&numbers[..], |part| vec![squares(part)], append).concat()
            }
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use super::{passes, square};
    use crate::forked::with_paralight;

    pub(super) fn orx(numbers: &[u32]) -> Vec<u64> {
        use orx_parallel::*;
        numbers.par().filter(|x| passes(**x)).map(|x| square(*x)).collect()
    }

    /// Paralight filters, but what it collects is in no order.
    pub(super) fn paralight(numbers: &[u32]) -> Vec<u64> {
        use paralight::prelude::*;
        let mut results = vec![None; numbers.len()];
        with_paralight(|pool| {
            let both = (results.par_iter_mut(), numbers.par_iter()).zip_eq();
            both.with_thread_pool(pool).for_each(|(r, x)| *r = passes(*x).then(|| square(*x)));
        });
        results.into_iter().flatten().collect()
    }
}

/// Whether the number of ones among the bits is even, which no branch predictor foresees.
fn passes(x: u32) -> bool {
    x.count_ones().is_multiple_of(2)
}

fn square(x: u32) -> u64 {
    u64::from(x).pow(2)
}
