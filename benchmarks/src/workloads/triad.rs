use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::workload::Workload;

/// `a ← b + s·c`: from vectors that stay in a cache to ones for which only memory bandwidth counts.
pub(crate) struct Triad;

const S: f64 = 3.0;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Vectors {
    a: Vec<f64>,
    b: Vec<f64>,
    c: Vec<f64>,
}

impl Workload for Triad {
    const NAME: &'static str = "triad";
    const ORIGIN: &'static str = "STREAM (McCalpin 1995)";
    const SIZES: &'static [usize] = &[10_000, 1_000_000, 4_000_000];

    type Input = Vectors;
    type Output = ();

    fn prepare(n: usize) -> Vectors {
        let mut random = fastrand::Rng::with_seed(8);
        let mut vector = || (0..n).map(|_| random.f64()).collect();
        Vectors { a: vec![0.0; n], b: vector(), c: vector() }
    }

    fn run(Vectors { a, b, c }: &mut Vectors, executor: Executor) {
        let triad = |((a, b), c): ((&mut f64, &f64), &f64)| *a = b + S * c;
        match executor {
            Executor::Serial => a.iter_mut().zip(&*b).zip(&*c).for_each(triad),
            Executor::Rayon => a.par_iter_mut().zip(&*b).zip(&*c).for_each(triad),
            Executor::RayonMinLen(min) => {
                a.par_iter_mut().zip(&*b).zip(&*c).with_min_len(min).for_each(triad);
            }
            Executor::Amorsize(target) => {
                a.par_iter_mut().tuned(target).zip(&*b).zip(&*c).for_each(triad);
            }
            Executor::Orx => others::orx(a, b, c),
            Executor::Paralight => others::paralight(a, b, c),
            Executor::Forked(forked) => forked.run(
                ((&mut a[..], &b[..]), &c[..]),
                |((a, b), c)| a.iter_mut().zip(b).zip(c).for_each(triad),
                |(), ()| (),
            ),
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use super::S;
    use crate::forked::with_paralight;

    pub(super) fn orx(a: &mut [f64], b: &[f64], c: &[f64]) {
        use orx_parallel::*;
        a.into_par().enumerate().for_each(|(i, a)| *a = b[i] + S * c[i]);
    }

    pub(super) fn paralight(a: &mut [f64], b: &[f64], c: &[f64]) {
        use paralight::prelude::*;
        with_paralight(|pool| {
            let all = (a.par_iter_mut(), b.par_iter(), c.par_iter()).zip_eq();
            all.with_thread_pool(pool).for_each(|(a, b, c)| *a = b + S * c);
        });
    }
}
