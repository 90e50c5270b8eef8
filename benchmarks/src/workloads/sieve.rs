use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::workload::Workload;

/// Primes counted segment by segment: items of some microseconds that stay in the nearest cache.
pub(crate) struct Sieve;

/// Numbers of one item.
const SEGMENT: usize = 16_384;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Numbers {
    segments: usize,
    /// All primes up to the square root of the largest number.
    base: Vec<usize>,
}

impl Workload for Sieve {
    const NAME: &'static str = "sieve";
    const ORIGIN: &'static str = "the segmented sieve (Bays, Hudson 1977); rayon's demo `sieve`";
    const SIZES: &'static [usize] = &[1, 60, 600];

    type Input = Numbers;
    /// The number of primes.
    type Output = usize;

    fn prepare(segments: usize) -> Numbers {
        let is_prime = |&number: &usize| (2..=number.isqrt()).all(|d| !number.is_multiple_of(d));
        let root = (segments * SEGMENT).isqrt();
        Numbers { segments, base: (2..=root).filter(is_prime).collect() }
    }

    fn run(numbers: &mut Numbers, executor: Executor) -> usize {
        let segments = 0..numbers.segments;
        let count = |segment| primes_in(segment, numbers);
        match executor {
            Executor::Serial => segments.map(count).sum(),
            Executor::Rayon => segments.into_par_iter().map(count).sum(),
            Executor::RayonMinLen(min) => {
                segments.into_par_iter().with_min_len(min).map(count).sum()
            }
            Executor::Amorsize(target) => segments.into_par_iter().tuned(target).map(count).sum(),
            Executor::Orx => others::orx(segments, numbers),
            Executor::Paralight => others::paralight(segments, numbers),
            Executor::Forked(forked) => {
                forked.run(segments, |part| part.map(count).sum(), |a, b| a + b)
            }
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use std::ops::Range;

    use super::{Numbers, primes_in};
    use crate::forked::with_paralight;

    pub(super) fn orx(segments: Range<usize>, numbers: &Numbers) -> usize {
        use orx_parallel::*;
        segments.into_par().map(|segment| primes_in(segment, numbers)).sum()
    }

    pub(super) fn paralight(segments: Range<usize>, numbers: &Numbers) -> usize {
        use paralight::prelude::*;
        with_paralight(|pool| {
            let segments = segments.into_par_iter().with_thread_pool(pool);
            segments.map(|segment| primes_in(segment, numbers)).sum()
        })
    }
}

/// Counts the primes of one segment.
fn primes_in(segment: usize, numbers: &Numbers) -> usize {
    let start = segment * SEGMENT;
    let end = start + SEGMENT;
    let mut is_composite = [false; SEGMENT];
    if start == 0 {
        is_composite[..2].fill(true);
    }
    for &prime in numbers.base.iter().take_while(|&prime| prime * prime < end) {
        let first = start.next_multiple_of(prime).max(prime * prime);
        for multiple in (first..end).step_by(prime) {
            is_composite[multiple - start] = true;
        }
    }
    is_composite.iter().filter(|is_composite| !**is_composite).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primes_are_counted() {
        let count = |segments| Sieve::run(&mut Sieve::prepare(segments), Executor::Serial);
        // Below 0, 2¹⁴, 2¹⁵ and 2²⁰.
        assert_eq!([0, 1, 2, 64].map(count), [0, 1_900, 3_512, 82_025]);
    }
}
