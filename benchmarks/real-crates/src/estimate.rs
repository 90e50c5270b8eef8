//! Medians, and how sure ratios of them are. Pure: samples in, numbers out.

/// Resamplings of a bootstrap.
const RESAMPLES: usize = 1_000;

/// A ratio of medians with its 95 % bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) low: f64,
    pub(crate) middle: f64,
    pub(crate) high: f64,
}

impl Ratio {
    /// The median of `numerator` divided by that of `denominator`. Samples of the same round are resampled
    /// together, as whatever disturbed one of them may have disturbed the other.
    pub(crate) fn of(numerator: &[f64], denominator: &[f64]) -> Self {
        let mut random = fastrand::Rng::with_seed(0x5eed);
        let rounds = numerator.len().min(denominator.len());
        let mut ratios: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                let drawn: Vec<usize> = (0..rounds).map(|_| random.usize(..rounds)).collect();
                let of = |samples: &[f64]| {
                    median(&drawn.iter().map(|&round| samples[round]).collect::<Vec<_>>())
                };
                of(numerator) / of(denominator)
            })
            .collect();
        ratios.sort_by(f64::total_cmp);
        Ratio {
            low: ratios[RESAMPLES / 40],
            middle: median(numerator) / median(denominator),
            high: ratios[RESAMPLES - 1 - RESAMPLES / 40],
        }
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

/// The geometric mean; NaN without values.
pub(crate) fn geometric_mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0_u32);
    for value in values {
        sum += value.ln();
        count += 1;
    }
    (sum / f64::from(count)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_ratio_encloses_it_and_narrows_with_more_rounds() {
        let mut random = fastrand::Rng::with_seed(3);
        let samples: Vec<f64> = (0..400).map(|_| 10.0 + random.f64()).collect();
        let doubled: Vec<f64> = samples.iter().map(|sample| 2.0 * sample).collect();
        let same_rounds = Ratio::of(&doubled, &samples);
        assert!((same_rounds.low, same_rounds.high) == (2.0, 2.0), "{same_rounds:?}");
        let others: Vec<f64> = (0..400).map(|_| 10.0 + random.f64()).collect();
        let width = |rounds: usize| {
            let ratio = Ratio::of(&samples[..rounds], &others[..rounds]);
            assert!(ratio.low <= ratio.middle && ratio.middle <= ratio.high, "{ratio:?}");
            ratio.high - ratio.low
        };
        assert!(width(400) < width(20));
    }

    #[test]
    fn medians_and_geometric_means() {
        assert_eq!([median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0, 3.0, 2.0])], [2.0, 2.5]);
        assert!(median(&[]).is_nan() && geometric_mean([]).is_nan());
        assert!((geometric_mean([4.0, 0.25]) - 1.0).abs() < 1e-12);
    }
}
