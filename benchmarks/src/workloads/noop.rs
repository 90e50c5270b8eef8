use std::hint::black_box;

use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::workload::Workload;

/// Items that do nothing but return their index: shows what a call costs.
pub(crate) struct Noop;

impl Workload for Noop {
    const NAME: &'static str = "noop";
    const ORIGIN: &'static str =
        "the overhead of a loop, as in EPCC's OpenMP microbenchmarks (Bull 1999)";
    const SIZES: &'static [usize] = &[1, 2];

    /// The number of items.
    type Input = usize;
    type Output = usize;

    fn prepare(n: usize) -> usize {
        n
    }

    fn run(&mut n: &mut usize, executor: Executor) -> usize {
        match executor {
            Executor::Serial => (0..n).map(black_box).sum(),
            Executor::Rayon => (0..n).into_par_iter().map(black_box).sum(),
            Executor::RayonMinLen(min) => {
                (0..n).into_par_iter().with_min_len(min).map(black_box).sum()
            }
            Executor::Amorsize(target) => (0..n).into_par_iter().tuned(target).map(black_box).sum(),
            Executor::Orx => others::orx(n),
            Executor::Paralight => others::paralight(n),
            Executor::Forked(forked) => {
                forked.run(0..n, |part| part.map(black_box).sum(), |a, b| a + b)
            }
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use std::hint::black_box;

    use crate::forked::with_paralight;

    pub(super) fn orx(n: usize) -> usize {
        use orx_parallel::*;
        (0..n).into_par().map(black_box).sum()
    }

    pub(super) fn paralight(n: usize) -> usize {
        use paralight::prelude::*;
        with_paralight(|pool| (0..n).into_par_iter().with_thread_pool(pool).map(black_box).sum())
    }
}
