//! Typical times, their spread, and how sure a comparison of two of them is. Pure: samples in, numbers
//! out.
//!
//! A typical time is the mean of the middle 80 %. A median would be wrong here: the time of a parallel
//! call often has two modes, one with the helper there at once and one with it late, and a median jumps
//! from one to the other where a user's total time does not.

/// Resamplings of a bootstrap; with 400 the ends of a 95 % interval are the 10th and 390th.
const RESAMPLES: usize = 400;

/// The middle value; the mean of the two middle ones for an even count; NaN without samples.
pub(crate) fn median(samples: &[f64]) -> f64 {
    quantile(samples, 0.5)
}

/// The value below which the fraction `at` of the samples lies, interpolated; NaN without samples.
pub(crate) fn quantile(samples: &[f64], at: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile_of_sorted(&sorted, at)
}

fn quantile_of_sorted(sorted: &[f64], at: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let position = at * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}

/// The share of the samples that is left out at either end.
const TRIMMED: f64 = 0.1;

/// The mean of the middle 80 %; NaN without samples.
pub(crate) fn trimmed_mean(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = &sorted[trimmed(&sorted)];
    middle.iter().sum::<f64>() / middle.len() as f64
}

/// The indices of what is not left out.
fn trimmed(sorted: &[f64]) -> std::ops::Range<usize> {
    let ends = (TRIMMED * sorted.len() as f64) as usize;
    ends..sorted.len() - ends
}

/// Half the width of a 95 % confidence interval of the trimmed mean, as a fraction of it.
///
/// From the variance of the samples with both ends pulled in to the nearest sample that counts (Tukey
/// and McLaughlin 1963). Infinite for fewer than three samples.
pub(crate) fn uncertainty(samples: &[f64]) -> f64 {
    if samples.len() < 3 {
        return f64::INFINITY;
    }
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let kept = trimmed(&sorted);
    let (low, high) = (sorted[kept.start], sorted[kept.end - 1]);
    let count = sorted.len() as f64;
    let pulled_in = || sorted.iter().map(|sample| sample.clamp(low, high));
    let mean = pulled_in().sum::<f64>() / count;
    let variance = pulled_in().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0);
    1.96 * (variance / count).sqrt() / (1.0 - 2.0 * TRIMMED) / trimmed_mean(samples)
}

/// The ratio of two trimmed means with its 95 % bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) low: f64,
    pub(crate) middle: f64,
    pub(crate) high: f64,
}

/// The trimmed mean of `a` divided by that of `b`; `None` without three samples of each. The same samples give the same
/// interval in every run.
pub(crate) fn ratio_of_means(a: &[f64], b: &[f64]) -> Option<Ratio> {
    if a.len() < 3 || b.len() < 3 {
        return None;
    }
    let mut random = SplitMix(0x5eed);
    let mut ratios: Vec<f64> =
        (0..RESAMPLES).map(|_| random.resampled_mean(a) / random.resampled_mean(b)).collect();
    ratios.sort_by(f64::total_cmp);
    Some(Ratio {
        low: quantile_of_sorted(&ratios, 0.025),
        middle: trimmed_mean(a) / trimmed_mean(b),
        high: quantile_of_sorted(&ratios, 0.975),
    })
}

/// The generator SplitMix64 (Steele, Lea and Flood 2014): enough for resampling, and for seeds.
pub(crate) struct SplitMix(pub(crate) u64);

impl SplitMix {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn resampled_mean(&mut self, samples: &[f64]) -> f64 {
        // More samples would only cost time: the interval is narrow long before.
        let count = samples.len().min(500);
        let drawn: Vec<f64> =
            (0..count).map(|_| samples[(self.next() % samples.len() as u64) as usize]).collect();
        trimmed_mean(&drawn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_quantiles_interpolate() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(quantile(&[0.0, 10.0], 0.25), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_trimmed_mean_is_between_two_modes_and_ignores_a_few_outliers() {
        let mut samples = [100.0, 200.0].repeat(50);
        assert_eq!(trimmed_mean(&samples), 150.0);
        samples[..8].fill(1e9);
        assert!((trimmed_mean(&samples) - 155.0).abs() < 1e-9);
        assert_eq!(trimmed_mean(&[3.0]), 3.0);
        assert!(trimmed_mean(&[]).is_nan());
    }

    #[test]
    fn the_interval_has_the_width_that_the_formula_gives() {
        // Pulled in, these samples stay as they are and deviate by ½·√(20/19).
        let samples = [1.0, 2.0].repeat(10);
        let expected = 1.96 * 0.5 / 19_f64.sqrt() / 0.8 / 1.5;
        assert!((uncertainty(&samples) - expected).abs() < 1e-12);
    }

    #[test]
    fn uncertainty_falls_with_more_samples_and_is_unknown_without() {
        let samples: Vec<f64> = (0..400).map(|i| 100.0 + f64::from(i % 20)).collect();
        assert!(uncertainty(&samples) < uncertainty(&samples[..40]));
        assert_eq!(uncertainty(&[1.0, 1.0]), f64::INFINITY);
    }

    #[test]
    fn a_clear_difference_is_outside_the_interval_and_none_is_inside() {
        let noisy = |offset: f64, seed: u64| -> Vec<f64> {
            let mut random = SplitMix(seed);
            (0..60).map(|_| offset + (random.next() % 100) as f64 / 10.0).collect()
        };
        let slower = ratio_of_means(&noisy(120.0, 1), &noisy(100.0, 2)).expect("samples");
        assert!(slower.low > 1.1 && slower.high < 1.3, "{slower:?}");
        let same = ratio_of_means(&noisy(100.0, 3), &noisy(100.0, 4)).expect("samples");
        assert!(same.low < 1.0 + 0.02 && same.high > 0.98, "{same:?}");
    }
}
