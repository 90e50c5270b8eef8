use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::forked::collected;
use crate::spin::spin;
use crate::workload::Workload;

/// Items whose costs differ two-hundredfold, in no order: a static division waits for the unlucky
/// worker.
pub(crate) struct Heterogeneous;

/// Steps of the cheapest and the dearest item; logarithms of costs are uniform in between.
const STEPS: std::ops::Range<f64> = 10.0..2_000.0;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    seed: u64,
    steps: u32,
}

impl Workload for Heterogeneous {
    const NAME: &'static str = "heterogeneous";
    const ORIGIN: &'static str =
        "factoring, a schedule for irregular loops (Hummel, Schonberg, Flynn 1992)";
    const SIZES: &'static [usize] = &[1 << 10, 1 << 12, 1 << 14];

    type Input = Vec<Item>;
    /// In the order of the items.
    type Output = Vec<u64>;

    fn prepare(n: usize) -> Vec<Item> {
        let mut random = fastrand::Rng::with_seed(5);
        (0..n)
            .map(|_| Item {
                seed: random.u64(..),
                steps: (STEPS.start * (STEPS.end / STEPS.start).powf(random.f64())) as u32,
            })
            .collect()
    }

    fn run(items: &mut Vec<Item>, executor: Executor) -> Vec<u64> {
        let work = |item: &Item| spin(item.seed, item.steps);
        match executor {
            Executor::Serial => items.iter().map(work).collect(),
            Executor::Rayon => items.par_iter().map(work).collect(),
            Executor::RayonMinLen(min) => items.par_iter().with_min_len(min).map(work).collect(),
            Executor::Amorsize(target) => items.par_iter().tuned(target).map(work).collect(),
            Executor::Orx => others::orx(items),
            Executor::Paralight => others::paralight(items),
            Executor::Forked(forked) => collected(items.len(), |results| {
                forked.run(
                    (results, &items[..]),
                    |(results, items)| {
                        results.iter_mut().zip(items).for_each(|(r, item)| *r = Some(work(item)));
                    },
                    |(), ()| (),
                );
            }),
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use super::Item;
    use crate::forked::with_paralight;
    use crate::spin::spin;

    pub(super) fn orx(items: &[Item]) -> Vec<u64> {
        use orx_parallel::*;
        items.par().map(|item| spin(item.seed, item.steps)).collect()
    }

    pub(super) fn paralight(items: &[Item]) -> Vec<u64> {
        use paralight::prelude::*;
        let mut results = vec![0; items.len()];
        with_paralight(|pool| {
            let both = (results.par_iter_mut(), items.par_iter()).zip_eq();
            both.with_thread_pool(pool).for_each(|(r, item)| *r = spin(item.seed, item.steps));
        });
        results
    }
}
