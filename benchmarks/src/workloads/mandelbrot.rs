use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::forked::RowsMut;
use crate::workload::Workload;

/// Rows of the Mandelbrot set: dear items whose cost changes smoothly along the index.
pub(crate) struct Mandelbrot;

const WIDTH: usize = 256;
const MAX_ITERATIONS: u16 = 256;

impl Workload for Mandelbrot {
    const NAME: &'static str = "mandelbrot";
    const ORIGIN: &'static str = "the usual example of uneven rows, as in OpenMP tutorials";
    const SIZES: &'static [usize] = &[8, 64, 256];

    /// The image, row by row.
    type Input = Vec<u16>;
    type Output = ();

    fn prepare(rows: usize) -> Vec<u16> {
        vec![0; rows * WIDTH]
    }

    fn run(image: &mut Vec<u16>, executor: Executor) {
        let rows = image.len() / WIDTH;
        let draw = |(i, row): (usize, &mut [u16])| draw_row(row, i as f64 / rows as f64);
        match executor {
            Executor::Serial => image.chunks_mut(WIDTH).enumerate().for_each(draw),
            Executor::Rayon => image.par_chunks_mut(WIDTH).enumerate().for_each(draw),
            Executor::RayonMinLen(min) => {
                image.par_chunks_mut(WIDTH).enumerate().with_min_len(min).for_each(draw)
            }
            Executor::Amorsize(target) => {
                image.par_chunks_mut(WIDTH).tuned(target).enumerate().for_each(draw)
            }
            Executor::Orx => others::orx(image, rows),
            Executor::Paralight => others::paralight(image, rows),
            Executor::Forked(forked) => forked.run(
                (0..rows, RowsMut::new(image, WIDTH)),
                |(rows, pixels)| rows.zip(pixels.iter()).for_each(draw),
                |(), ()| (),
            ),
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use super::{WIDTH, draw_row};
    use crate::forked::with_paralight;

    pub(super) fn orx(image: &mut [u16], rows: usize) {
        use orx_parallel::*;
        let chunks = image.chunks_mut(WIDTH).enumerate();
        chunks.iter_into_par().for_each(|(i, row)| draw_row(row, i as f64 / rows as f64));
    }

    pub(super) fn paralight(image: &mut [u16], rows: usize) {
        use paralight::prelude::*;
        let mut chunks: Vec<&mut [u16]> = image.chunks_mut(WIDTH).collect();
        with_paralight(|pool| {
            let numbered = (chunks.par_iter_mut(), (0..rows).into_par_iter()).zip_eq();
            let draw = |(row, i): (&mut &mut [u16], usize)| draw_row(row, i as f64 / rows as f64);
            numbered.with_thread_pool(pool).for_each(draw);
        });
    }
}

/// Draws the row at height `at`, from 0 at the top to 1.
fn draw_row(row: &mut [u16], at: f64) {
    let imaginary = 1.25 - 2.5 * at;
    for (column, pixel) in row.iter_mut().enumerate() {
        *pixel = iterations(-2.0 + 3.0 * column as f64 / WIDTH as f64, imaginary);
    }
}

fn iterations(real: f64, imaginary: f64) -> u16 {
    let (mut x, mut y) = (0.0, 0.0);
    let mut count = 0;
    while count < MAX_ITERATIONS && x * x + y * y <= 4.0 {
        (x, y) = (x * x - y * y + real, 2.0 * x * y + imaginary);
        count += 1;
    }
    count
}
