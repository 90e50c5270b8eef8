use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::workload::Workload;

/// Adds one to every number, in place: the least that a loop over memory can do.
pub(crate) struct Increment;

impl Workload for Increment {
    const NAME: &'static str = "increment";
    const ORIGIN: &'static str = "`increment_all` of rayon's demo `join_microbench`";
    const SIZES: &'static [usize] = &[1_000, 100_000];

    type Input = Vec<u32>;
    type Output = ();

    fn prepare(n: usize) -> Vec<u32> {
        let mut random = fastrand::Rng::with_seed(6);
        (0..n).map(|_| random.u32(..)).collect()
    }

    fn run(numbers: &mut Vec<u32>, executor: Executor) {
        match executor {
            Executor::Serial => numbers.iter_mut().for_each(increment),
            Executor::Rayon => numbers.par_iter_mut().for_each(increment),
            Executor::RayonMinLen(min) => {
                numbers.par_iter_mut().with_min_len(min).for_each(increment);
            }
            Executor::Amorsize(target) => numbers.par_iter_mut().tuned(target).for_each(increment),
            Executor::Orx => others::orx(numbers),
            Executor::Paralight => others::paralight(numbers),
            Executor::Forked(forked) => forked.run(
                &mut numbers[..],
                |part| part.iter_mut().for_each(increment),
                |(), ()| (),
            ),
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use super::increment;
    use crate::forked::with_paralight;

    pub(super) fn orx(numbers: &mut [u32]) {
        use orx_parallel::*;
        numbers.into_par().for_each(increment);
    }

    pub(super) fn paralight(numbers: &mut [u32]) {
        use paralight::prelude::*;
        with_paralight(|pool| numbers.par_iter_mut().with_thread_pool(pool).for_each(increment));
    }
}

fn increment(number: &mut u32) {
    *number = number.wrapping_add(1);
}
