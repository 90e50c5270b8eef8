use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::workload::Workload;

/// `y ← a·x + y`, in place: the cheapest items there are, bound by memory bandwidth when long.
pub(crate) struct Axpy;

const A: f32 = 0.25;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Vectors {
    x: Vec<f32>,
    y: Vec<f32>,
}

impl Workload for Axpy {
    const NAME: &'static str = "axpy";
    const ORIGIN: &'static str = "BLAS level 1 (Lawson, Hanson, Kincaid, Krogh 1979)";
    const SIZES: &'static [usize] = &[1_000, 10_000, 100_000];

    type Input = Vectors;
    type Output = ();

    fn prepare(n: usize) -> Vectors {
        let mut random = fastrand::Rng::with_seed(1);
        let mut vector = || (0..n).map(|_| random.f32()).collect();
        Vectors { x: vector(), y: vector() }
    }

    fn run(Vectors { x, y }: &mut Vectors, executor: Executor) {
        let axpy = |(y, x): (&mut f32, &f32)| *y += A * x;
        match executor {
            Executor::Serial => y.iter_mut().zip(x).for_each(|(y, x)| *y += A * *x),
            Executor::Rayon => y.par_iter_mut().zip(&*x).for_each(axpy),
            Executor::RayonMinLen(min) => {
                y.par_iter_mut().zip(&*x).with_min_len(min).for_each(axpy);
            }
            Executor::Amorsize(target) => y.par_iter_mut().tuned(target).zip(&*x).for_each(axpy),
            Executor::Orx => others::orx(y, x),
            Executor::Paralight => others::paralight(y, x),
            Executor::Forked(forked) => forked.run(
                (&mut y[..], &x[..]),
                |(y, x)| y.iter_mut().zip(x).for_each(axpy),
                |(), ()| (),
            ),
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use super::A;
    use crate::forked::with_paralight;

    pub(super) fn orx(y: &mut [f32], x: &[f32]) {
        use orx_parallel::*;
        y.into_par().enumerate().for_each(|(i, y)| *y += A * x[i]);
    }

    pub(super) fn paralight(y: &mut [f32], x: &[f32]) {
        use paralight::prelude::*;
        with_paralight(|pool| {
            let both = (y.par_iter_mut(), x.par_iter()).zip_eq();
            both.with_thread_pool(pool).for_each(|(y, x)| *y += A * x);
        });
    }
}
