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
        }
    }
}
