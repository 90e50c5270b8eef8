use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::workload::Workload;

/// One generation of the game of life on a torus: a stencil whose rows are cheap and all the same.
pub(crate) struct Life;

const WIDTH: usize = 256;

/// Cells: 1 where there is life, 0 elsewhere.
type Row = [u8; WIDTH];

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Boards {
    /// Stays as it is, so that every call does the same.
    now: Vec<Row>,
    next: Vec<Row>,
}

impl Workload for Life {
    const NAME: &'static str = "life";
    const ORIGIN: &'static str = "Conway's game (Gardner 1970), as in rayon's demo `life`";
    const SIZES: &'static [usize] = &[16, 128, 1_024];

    type Input = Boards;
    type Output = ();

    fn prepare(rows: usize) -> Boards {
        let mut random = fastrand::Rng::with_seed(10);
        let mut row = || [(); WIDTH].map(|()| random.u8(..2));
        Boards { now: (0..rows).map(|_| row()).collect(), next: vec![[0; WIDTH]; rows] }
    }

    fn run(Boards { now, next }: &mut Boards, executor: Executor) {
        let advance = |(i, row): (usize, &mut Row)| advance_row(now, i, row);
        match executor {
            Executor::Serial => next.iter_mut().enumerate().for_each(advance),
            Executor::Rayon => next.par_iter_mut().enumerate().for_each(advance),
            Executor::RayonMinLen(min) => {
                next.par_iter_mut().enumerate().with_min_len(min).for_each(advance);
            }
            Executor::Amorsize(target) => {
                next.par_iter_mut().tuned(target).enumerate().for_each(advance);
            }
            Executor::Orx => others::orx(now, next),
            Executor::Paralight => others::paralight(now, next),
            Executor::Forked(forked) => forked.run(
                (0..next.len(), &mut next[..]),
                |(rows, next)| rows.zip(next).for_each(advance),
                |(), ()| (),
            ),
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use super::{Row, advance_row};
    use crate::forked::with_paralight;

    pub(super) fn orx(now: &[Row], next: &mut [Row]) {
        use orx_parallel::*;
        next.into_par().enumerate().for_each(|(i, row)| advance_row(now, i, row));
    }

    pub(super) fn paralight(now: &[Row], next: &mut [Row]) {
        use paralight::prelude::*;
        let rows = 0..next.len();
        with_paralight(|pool| {
            let numbered = (next.par_iter_mut(), rows.into_par_iter()).zip_eq();
            numbered.with_thread_pool(pool).for_each(|(row, i)| advance_row(now, i, row));
        });
    }
}

/// Makes row `i` of the generation after `now`.
fn advance_row(now: &[Row], i: usize, next: &mut Row) {
    let rows = now.len();
    let (above, row, below) = (&now[(i + rows - 1) % rows], &now[i], &now[(i + 1) % rows]);
    // The life in each column of the three rows; at both ends, the column from the other side.
    let mut columns = [0; WIDTH + 2];
    for (((column, above), cell), below) in columns[1..].iter_mut().zip(above).zip(row).zip(below) {
        *column = above + cell + below;
    }
    columns[0] = columns[WIDTH];
    columns[WIDTH + 1] = columns[1];
    for ((next, cell), near) in next.iter_mut().zip(row).zip(columns.windows(3)) {
        let with_itself = near[0] + near[1] + near[2];
        *next = u8::from(with_itself == 3) | (u8::from(with_itself == 4) & cell);
    }
}
