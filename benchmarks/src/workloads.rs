//! The workloads, one file each.

mod axpy;
mod heterogeneous;
mod mandelbrot;
mod sum_of_squares;
mod word_count;

pub(crate) use sum_of_squares::SumOfSquares;

use axpy::Axpy;
use heterogeneous::Heterogeneous;
use mandelbrot::Mandelbrot;
use word_count::WordCount;

use crate::workload::Workload;

/// Something to do with every workload.
pub(crate) trait Visit {
    /// Does it with one of them.
    fn visit<W: Workload>(&mut self) -> Result<(), String>;
}

/// Visits every workload, in the order of the table.
pub(crate) fn visit_all(visit: &mut impl Visit) -> Result<(), String> {
    visit.visit::<Axpy>()?;
    visit.visit::<SumOfSquares>()?;
    visit.visit::<Mandelbrot>()?;
    visit.visit::<WordCount>()?;
    visit.visit::<Heterogeneous>()
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
                let others = others().into_iter().flat_map(|peer| peer.executors(1));
                let ours = [Executor::Rayon, Executor::RayonMinLen(16), Executor::Amorsize(&LOOP)];
                for executor in ours.into_iter().chain(others) {
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
