use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::forked::collected;
use crate::spin::spin;
use crate::workload::Workload;

/// One item of a hundred costs a hundred times the others, half of all the work: a mean cost says
/// little about any item, and the dear ones may meet in one piece.
pub(crate) struct LongTail;

/// Steps of a usual and of a rare item.
const USUAL: u32 = 200;
const RARE: u32 = 100 * USUAL;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    seed: u64,
    steps: u32,
}

impl Workload for LongTail {
    const NAME: &'static str = "long_tail";
    const ORIGIN: &'static str = "requests as in The Tail at Scale (Dean, Barroso 2013)";
    const SIZES: &'static [usize] = &[1_000, 10_000];

    type Input = Vec<Request>;
    /// In the order of the requests.
    type Output = Vec<u64>;

    fn prepare(n: usize) -> Vec<Request> {
        let mut random = fastrand::Rng::with_seed(7);
        let steps = |i| if i < n / 100 { RARE } else { USUAL };
        let mut requests: Vec<Request> =
            (0..n).map(|i| Request { seed: random.u64(..), steps: steps(i) }).collect();
        random.shuffle(&mut requests);
        requests
    }

    fn run(requests: &mut Vec<Request>, executor: Executor) -> Vec<u64> {
        match executor {
            Executor::Serial => requests.iter().map(answer).collect(),
            Executor::Rayon => requests.par_iter().map(answer).collect(),
            Executor::RayonMinLen(min) => {
                requests.par_iter().with_min_len(min).map(answer).collect()
            }
            Executor::Amorsize(target) => requests.par_iter().tuned(target).map(answer).collect(),
            Executor::Orx => others::orx(requests),
            Executor::Paralight => others::paralight(requests),
            Executor::Forked(forked) => collected(requests.len(), |answers| {
                forked.run(
                    (answers, &requests[..]),
                    |(answers, requests)| {
                        answers.iter_mut().zip(requests).for_each(|(a, r)| *a = Some(answer(r)));
                    },
                    |(), ()| (),
                );
            }),
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use super::{Request, answer};
    use crate::forked::with_paralight;

    pub(super) fn orx(requests: &[Request]) -> Vec<u64> {
        use orx_parallel::*;
        requests.par().map(answer).collect()
    }

    pub(super) fn paralight(requests: &[Request]) -> Vec<u64> {
        use paralight::prelude::*;
        let mut answers = vec![0; requests.len()];
        with_paralight(|pool| {
            let both = (answers.par_iter_mut(), requests.par_iter()).zip_eq();
            both.with_thread_pool(pool).for_each(|(a, request)| *a = answer(request));
        });
        answers
    }
}

fn answer(request: &Request) -> u64 {
    spin(request.seed, request.steps)
}
