use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::forked::RowsMut;
use crate::workload::Workload;

/// `C ← A·B`, row by row: arithmetic on memory that all workers read, in items whose cost grows with
/// the square of their number.
pub(crate) struct MatrixProduct;

/// Square ones, row by row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Matrices {
    a: Vec<f64>,
    b: Vec<f64>,
    c: Vec<f64>,
    n: usize,
}

impl Workload for MatrixProduct {
    const NAME: &'static str = "matrix_product";
    const ORIGIN: &'static str =
        "the product of BLAS level 3 (Dongarra, Du Croz, Hammarling, Duff 1990), not blocked";
    const SIZES: &'static [usize] = &[16, 64, 256];

    type Input = Matrices;
    type Output = ();

    fn prepare(n: usize) -> Matrices {
        let mut random = fastrand::Rng::with_seed(11);
        let mut matrix = || (0..n * n).map(|_| random.f64()).collect();
        Matrices { a: matrix(), b: matrix(), c: vec![0.0; n * n], n }
    }

    fn run(Matrices { a, b, c, n }: &mut Matrices, executor: Executor) {
        // No slice, be it empty, can be cut into chunks of 0.
        let width = (*n).max(1);
        let multiply = |(c, a): (&mut [f64], &[f64])| multiply_row(c, a, b);
        match executor {
            Executor::Serial => c.chunks_mut(width).zip(a.chunks(width)).for_each(multiply),
            Executor::Rayon => c.par_chunks_mut(width).zip(a.par_chunks(width)).for_each(multiply),
            Executor::RayonMinLen(min) => c
                .par_chunks_mut(width)
                .zip(a.par_chunks(width))
                .with_min_len(min)
                .for_each(multiply),
            Executor::Amorsize(target) => {
                c.par_chunks_mut(width).tuned(target).zip(a.par_chunks(width)).for_each(multiply);
            }
            Executor::Orx => others::orx(c, a, b, width),
            Executor::Paralight => others::paralight(c, a, b, width),
            Executor::Forked(forked) => forked.run(
                (0..*n, RowsMut::new(c, width)),
                |(rows, c)| {
                    let a = &a[rows.start * width..rows.end * width];
                    c.iter().zip(a.chunks(width)).for_each(multiply);
                },
                |(), ()| (),
            ),
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use super::multiply_row;
    use crate::forked::with_paralight;

    pub(super) fn orx(c: &mut [f64], a: &[f64], b: &[f64], width: usize) {
        use orx_parallel::*;
        let rows = c.chunks_mut(width).zip(a.chunks(width));
        rows.iter_into_par().for_each(|(c, a)| multiply_row(c, a, b));
    }

    pub(super) fn paralight(c: &mut [f64], a: &[f64], b: &[f64], width: usize) {
        use paralight::prelude::*;
        let mut rows: Vec<_> = c.chunks_mut(width).zip(a.chunks(width)).collect();
        with_paralight(|pool| {
            let rows = rows.par_iter_mut().with_thread_pool(pool);
            rows.for_each(|(c, a)| multiply_row(c, a, b));
        });
    }
}

/// The row of `C` for a row of `A`. Goes through the rows of `B`, not its columns, as memory does.
fn multiply_row(c: &mut [f64], a: &[f64], b: &[f64]) {
    c.fill(0.0);
    for (a, b) in a.iter().zip(b.chunks(c.len())) {
        for (c, b) in c.iter_mut().zip(b) {
            *c += a * b;
        }
    }
}
