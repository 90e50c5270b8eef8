//! Medians and how sure they are. Pure: samples in, numbers out.

use serde::Serialize;

/// Resamplings of a bootstrap.
const RESAMPLES: usize = 400;

/// A median with its 95 % bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Estimate {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Estimate {
    /// The median of `samples`.
    pub(crate) fn of(samples: &[f64]) -> Self {
        let mut random = fastrand::Rng::with_seed(0x5eed);
        Estimate::bootstrap(median(samples), || median(&resample(samples, &mut random)))
    }

    /// The median of `numerator` divided by that of `denominator`.
    pub(crate) fn of_ratio(numerator: &[f64], denominator: &[f64]) -> Self {
        let mut random = fastrand::Rng::with_seed(0x5eed);
        Estimate::bootstrap(median(numerator) / median(denominator), || {
            median(&resample(numerator, &mut random)) / median(&resample(denominator, &mut random))
        })
    }

    fn bootstrap(median: f64, resampled: impl FnMut() -> f64) -> Self {
        let mut medians: Vec<f64> = std::iter::repeat_with(resampled).take(RESAMPLES).collect();
        medians.sort_by(f64::total_cmp);
        Estimate {
            low: medians[RESAMPLES / 40],
            median,
            high: medians[RESAMPLES - 1 - RESAMPLES / 40],
        }
    }

    /// Half the width of the interval, as a fraction of the median.
    pub(crate) fn uncertainty(&self) -> f64 {
        (self.high - self.low) / 2.0 / self.median
    }
}

/// The middle value; the mean of the two middle ones for an even count; NaN without samples.
pub(crate) fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

/// The median of `ours` divided by that of the fastest of `peers`, all measured in the same rounds. One half of the
/// rounds chooses the fastest and the other one compares, the geometric mean of both ways: of many who are alike, the one
/// that is fastest in some rounds was lucky in them.
pub(crate) fn against_fastest(ours: &[f64], peers: &[&[f64]]) -> f64 {
    geometric_mean([0, 1].into_iter().filter_map(|half| {
        let median = |samples, half| median_of_half(samples, half);
        let fastest = peers.iter().min_by(|a, b| median(a, half).total_cmp(&median(b, half)))?;
        Some(median(ours, 1 - half) / median(fastest, 1 - half))
    }))
}

/// The median of every second sample, from the first or from the second one on.
pub(crate) fn median_of_half(samples: &[f64], half: usize) -> f64 {
    median(&samples.iter().copied().skip(half).step_by(2).collect::<Vec<f64>>())
}

/// The geometric mean; NaN without values.
pub(crate) fn geometric_mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0_u32);
    for value in values {
        sum += value.ln();
        count += 1;
    }
    (sum / f64::from(count)).exp()
}

fn resample(samples: &[f64], random: &mut fastrand::Rng) -> Vec<f64> {
    (0..samples.len()).map(|_| samples[random.usize(..samples.len())]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_the_two_middle_values() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn the_interval_encloses_the_median_and_is_the_same_every_time() {
        let mut random = fastrand::Rng::with_seed(1);
        let samples: Vec<f64> = (0..101).map(|_| 10.0 + random.f64()).collect();
        let estimate = Estimate::of(&samples);
        assert!(estimate.low <= estimate.median && estimate.median <= estimate.high);
        assert!(estimate.low > 10.2 && estimate.high < 10.8, "{estimate:?}");
        assert_eq!(Estimate::of(&samples), estimate);
    }

    #[test]
    fn more_samples_narrow_the_interval() {
        let mut random = fastrand::Rng::with_seed(2);
        let samples: Vec<f64> = (0..1_000).map(|_| 10.0 + random.f64()).collect();
        let few = Estimate::of(&samples[..20]).uncertainty();
        assert!(Estimate::of(&samples).uncertainty() < few);
    }

    #[test]
    fn a_constant_has_no_uncertainty_and_neither_has_a_ratio_of_two() {
        assert_eq!(Estimate::of(&[5.0; 9]).uncertainty(), 0.0);
        let ratio = Estimate::of_ratio(&[6.0; 9], &[2.0; 9]);
        assert_eq!((ratio.low, ratio.median, ratio.high), (3.0, 3.0, 3.0));
    }

    #[test]
    fn luck_makes_nobody_the_fastest() {
        let mut random = fastrand::Rng::with_seed(3);
        let mut alike = || (0..21).map(|_| 10.0 + random.f64()).collect::<Vec<f64>>();
        let (mut halved, mut whole) = (Vec::new(), Vec::new());
        for _ in 0..200 {
            let peers: Vec<Vec<f64>> = std::iter::repeat_with(&mut alike).take(12).collect();
            let peers: Vec<&[f64]> = peers.iter().map(Vec::as_slice).collect();
            let medians = peers.iter().map(|samples| median(samples));
            whole.push(median(peers[0]) / medians.fold(f64::INFINITY, f64::min));
            halved.push(against_fastest(peers[0], &peers));
        }
        let (halved, whole) = (geometric_mean(halved), geometric_mean(whole));
        assert!((halved - 1.0).abs() < 0.002 && whole > 1.01, "{halved} {whole}");
    }

    #[test]
    fn who_takes_twice_as_long_as_the_fastest_does_so_in_both_halves() {
        let (fast, slow) = ([1.0, 1.1, 0.9, 1.0], [2.0, 2.2, 1.8, 2.0]);
        assert_eq!(against_fastest(&slow, &[&fast, &slow]), 2.0);
        assert_eq!(against_fastest(&fast, &[&fast, &slow]), 1.0);
        assert!(against_fastest(&fast, &[]).is_nan());
    }

    #[test]
    fn the_geometric_mean_of_a_ratio_and_its_inverse_is_one() {
        assert!((geometric_mean([4.0, 0.25]) - 1.0).abs() < 1e-12);
        assert!((geometric_mean([1.0, 10.0, 100.0]) - 10.0).abs() < 1e-9);
        assert!(geometric_mean([]).is_nan());
    }
}
