//! The workloads, one file each.

mod axpy;
mod bfs;
mod cached_add;
mod files;
mod filter_collect;
mod heavy_map_reduce;
mod heterogeneous;
mod histogram;
mod increment;
mod life;
mod light_map_reduce;
mod long_tail;
mod mandelbrot;
mod matrix_product;
mod n_body;
mod nested;
mod noop;
mod result_collect;
mod scratch;
mod sieve;
mod sorts;
mod sum_of_squares;
mod triad;
mod triangular;
mod very_heavy;
mod word_count;

pub(crate) use noop::Noop;
pub(crate) use sum_of_squares::SumOfSquares;

use axpy::Axpy;
use bfs::Bfs;
use cached_add::CachedAdd;
use files::Files;
use filter_collect::FilterCollect;
use heavy_map_reduce::HeavyMapReduce;
use heterogeneous::Heterogeneous;
use histogram::Histogram;
use increment::Increment;
use life::Life;
use light_map_reduce::LightMapReduce;
use long_tail::LongTail;
use mandelbrot::Mandelbrot;
use matrix_product::MatrixProduct;
use n_body::NBody;
use nested::Nested;
use result_collect::ResultCollect;
use scratch::Scratch;
use sieve::Sieve;
use sorts::{MergeSort, QuickSort};
use triad::Triad;
use triangular::{Falling, Rising};
use very_heavy::VeryHeavy;
use word_count::WordCount;

use crate::workload::Workload;

/// Something to do with every workload.
pub(crate) trait Visit {
    /// Does it with one of them.
    fn visit<W: Workload>(&mut self) -> Result<(), String>;
}

/// Visits every workload, in the order of the table.
pub(crate) fn visit_all(visit: &mut impl Visit) -> Result<(), String> {
    visit.visit::<Noop>()?;
    visit.visit::<Axpy>()?;
    visit.visit::<Increment>()?;
    visit.visit::<Triad>()?;
    visit.visit::<CachedAdd>()?;
    visit.visit::<SumOfSquares>()?;
    visit.visit::<LightMapReduce>()?;
    visit.visit::<HeavyMapReduce>()?;
    visit.visit::<Histogram>()?;
    visit.visit::<FilterCollect>()?;
    visit.visit::<ResultCollect>()?;
    visit.visit::<WordCount>()?;
    visit.visit::<Mandelbrot>()?;
    visit.visit::<Rising>()?;
    visit.visit::<Falling>()?;
    visit.visit::<Heterogeneous>()?;
    visit.visit::<LongTail>()?;
    visit.visit::<VeryHeavy>()?;
    visit.visit::<NBody>()?;
    visit.visit::<Life>()?;
    visit.visit::<MatrixProduct>()?;
    visit.visit::<Sieve>()?;
    visit.visit::<QuickSort>()?;
    visit.visit::<MergeSort>()?;
    visit.visit::<Bfs>()?;
    visit.visit::<Nested>()?;
    visit.visit::<Scratch>()?;
    visit.visit::<Files>()
}

#[cfg(test)]
mod tests {
    use amorsize::{Force, Loop, expansion::Options, force};

    use super::*;
    use crate::executor::Executor;
    use crate::peer::others;

    struct Agreement;

    impl Visit for Agreement {
        fn visit<W: Workload>(&mut self) -> Result<(), String> {
            static LOOP: Loop = Loop::new("agreement", Options::NONE, &[]);
            for n in [0, 1, 2, 37, 200] {
                let input = W::prepare(n);
                let ours = [Executor::Rayon, Executor::RayonMinLen(16), Executor::Amorsize(&LOOP)];
                for executor in ours.into_iter().chain(others::<W>()) {
                    assert!(W::agrees(&input, executor), "{} {n} {executor:?}", W::NAME);
                }
                for (workers, chunk) in [(2, 1), (2, 16), (4, 7)] {
                    force(Some(Force::Workers { workers, chunk: Some(chunk) }));
                    let agrees = W::agrees(&input, Executor::Amorsize(&LOOP));
                    assert!(agrees, "{} {n} by {chunk}", W::NAME);
                }
                force(None);
            }
            Ok(())
        }
    }

    #[test]
    fn all_executors_agree_on_every_workload() -> Result<(), String> {
        visit_all(&mut Agreement)
    }

    struct Repetition;

    impl Visit for Repetition {
        fn visit<W: Workload>(&mut self) -> Result<(), String> {
            assert_eq!(W::prepare(100), W::prepare(100), "{}", W::NAME);
            Ok(())
        }
    }

    #[test]
    fn inputs_are_the_same_every_time() -> Result<(), String> {
        visit_all(&mut Repetition)
    }
}
