use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::workload::Workload;

/// A reduction of cheap items: shows what an executor costs beyond the items.
pub(crate) struct SumOfSquares;

impl Workload for SumOfSquares {
    const NAME: &'static str = "sum_of_squares";
    const ORIGIN: &'static str = "rayon's README and its demo `sum_of_squares`";
    const SIZES: &'static [usize] = &[2_000, 20_000, 200_000, 2_000_000];

    type Input = Vec<u64>;
    type Output = u64;

    fn prepare(n: usize) -> Vec<u64> {
        let mut random = fastrand::Rng::with_seed(2);
        (0..n).map(|_| random.u64(..1 << 16)).collect()
    }

    fn run(numbers: &mut Vec<u64>, executor: Executor) -> u64 {
        let square = |x: &u64| x * x;
        match executor {
            Executor::Serial => numbers.iter().map(square).sum(),
            Executor::Rayon => numbers.par_iter().map(square).sum(),
            Executor::RayonMinLen(min) => numbers.par_iter().with_min_len(min).map(square).sum(),
            Executor::Amorsize(target) => numbers.par_iter().tuned(target).map(square).sum(),
            Executor::Orx => others::orx(numbers),
            Executor::Paralight => others::paralight(numbers),
            Executor::Forked(forked) => {
                forked.run(&numbers[..], |part| part.iter().map(square).sum(), |a, b| a + b)
            }
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use crate::forked::with_paralight;

    pub(super) fn orx(numbers: &[u64]) -> u64 {
        use orx_parallel::*;
        numbers.par().map(|x| x * x).sum()
    }

    pub(super) fn paralight(numbers: &[u64]) -> u64 {
        use paralight::prelude::*;
        with_paralight(|pool| numbers.par_iter().with_thread_pool(pool).map(|x| x * x).sum())
    }
}
