use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::workload::Workload;

/// How often each byte occurs: cheap items, and a kilobyte to merge for every piece that an executor
/// makes.
pub(crate) struct Histogram;

/// Boxed, as `fold` moves it from item to item: the compiler copies a bare array each time.
type Counts = Box<[u32; 256]>;

impl Workload for Histogram {
    const NAME: &'static str = "histogram";
    const ORIGIN: &'static str =
        "Phoenix, MapReduce on cores (Ranger and others 2007), for one colour";
    const SIZES: &'static [usize] = &[10_000, 1_000_000];

    type Input = Vec<u8>;
    type Output = Counts;

    fn prepare(n: usize) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(10);
        (0..n).map(|_| random.u8(..)).collect()
    }

    fn run(bytes: &mut Vec<u8>, executor: Executor) -> Counts {
        match executor {
            Executor::Serial => bytes.iter().fold(zeros(), count),
            Executor::Rayon => bytes.par_iter().fold(zeros, count).reduce(zeros, merge),
            Executor::RayonMinLen(min) => {
                bytes.par_iter().with_min_len(min).fold(zeros, count).reduce(zeros, merge)
            }
            Executor::Amorsize(target) => {
                bytes.par_iter().tuned(target).fold(zeros, count).reduce(zeros, merge)
            }
            Executor::Orx => others::orx(bytes),
            Executor::Paralight => others::paralight(bytes),
            Executor::Forked(forked) => {
                forked.fold(&bytes[..], |part| part.iter().fold(zeros(), count), merge)
            }
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use super::{Counts, count, merge, zeros};
    use crate::forked::with_paralight;

    pub(super) fn orx(bytes: &[u8]) -> Counts {
        use orx_parallel::*;
        let add = |counts: &mut Counts, &byte: &u8| counts[usize::from(byte)] += 1;
        bytes.par().fold(zeros, add).into_iter().reduce(merge).unwrap_or_else(zeros)
    }

    pub(super) fn paralight(bytes: &[u8]) -> Counts {
        use paralight::prelude::*;
        with_paralight(|pool| {
            let bytes = bytes.par_iter().with_thread_pool(pool);
            bytes.fold_per_thread(zeros, count, |_threads| zeros(), merge)
        })
    }
}

fn zeros() -> Counts {
    Box::new([0; 256])
}

fn count(mut counts: Counts, &byte: &u8) -> Counts {
    counts[usize::from(byte)] += 1;
    counts
}

fn merge(mut left: Counts, right: Counts) -> Counts {
    left.iter_mut().zip(right.iter()).for_each(|(left, right)| *left += right);
    left
}
