//! Interleaved rounds over the drivers: whatever disturbs the machine disturbs every way alike.

use std::time::{Duration, Instant};

use crate::Result;
use crate::cargo::Drivers;
use crate::driver::{Driver, Way};

/// How long one sample is called for, if a call is shorter.
const SAMPLE: Duration = Duration::from_millis(20);

const FEWEST_ROUNDS: usize = 5;
const MOST_ROUNDS: usize = 61;

/// What a case took.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// Nanoseconds per call by [`Way`], one sample a round.
    pub(crate) samples: [Vec<f64>; Way::ALL.len()],
    /// Every way returned the same.
    pub(crate) same: bool,
}

impl Case {
    pub(crate) fn of(&self, way: Way) -> &[f64] {
        &self.samples[way as usize]
    }
}

/// Measures all cases whose names are wanted, each for about `duration`.
pub(crate) fn all(
    drivers: &Drivers,
    duration: Duration,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Case>> {
    let mut running = Vec::new();
    for way in Way::ALL {
        running.push(Driver::start(drivers, way)?);
    }
    let names = running[0].cases()?;
    let mut cases = Vec::new();
    for (index, name) in names.into_iter().enumerate().filter(|(_, name)| wanted(name)) {
        let digests: Vec<String> =
            running.iter_mut().map(|driver| driver.digest(index)).collect::<Result<_>>()?;
        let same = digests.windows(2).all(|pair| pair[0] == pair[1]);
        let samples = rounds(&mut running, duration, |driver| driver.time(index, SAMPLE))?;
        cases.push(Case { name, samples, same });
    }
    Ok(cases)
}

/// One sample of each per round, in seeded random order.
fn rounds<T>(
    running: &mut [T],
    duration: Duration,
    mut time: impl FnMut(&mut T) -> Result<f64>,
) -> Result<[Vec<f64>; Way::ALL.len()]> {
    let mut random = fastrand::Rng::with_seed(0xca5e);
    let mut order: Vec<usize> = (0..running.len()).collect();
    let mut samples = [const { Vec::new() }; Way::ALL.len()];
    let start = Instant::now();
    while samples[0].len() < MOST_ROUNDS
        && (samples[0].len() < FEWEST_ROUNDS || start.elapsed() < duration)
    {
        random.shuffle(&mut order);
        for &at in &order {
            samples[at].push(time(&mut running[at])?);
        }
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_has_a_sample_of_its_own_in_each_round() {
        let samples = rounds(&mut [1.0, 2.0, 3.0, 4.0, 5.0], Duration::ZERO, |way| Ok(*way));
        let expected = [1.0, 2.0, 3.0, 4.0, 5.0].map(|way| vec![way; FEWEST_ROUNDS]);
        assert_eq!(samples.expect("nothing fails"), expected);
        let samples = rounds(&mut [1.0; 5], Duration::MAX, |way| Ok(*way)).expect("nothing fails");
        assert_eq!(samples[4].len(), MOST_ROUNDS);
    }

    #[test]
    fn a_driver_that_fails_ends_the_measurement() {
        let failed = rounds(&mut [0; 5], Duration::ZERO, |_| Err("it ended".into()));
        assert!(failed.is_err());
    }
}
