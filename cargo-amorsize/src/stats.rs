//! Medians, their spread, and how sure a comparison of two of them is. Pure: samples in, numbers out.

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

/// Half the width of a 95 % confidence interval of the median, as a fraction of the median.
///
/// From the quartiles, as in notched box plots: `1.57·IQR/√n` (McGill, Tukey and Larsen 1978).
/// Infinite for fewer than three samples.
pub(crate) fn uncertainty(samples: &[f64]) -> f64 {
    if samples.len() < 3 {
        return f64::INFINITY;
    }
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let spread = quantile_of_sorted(&sorted, 0.75) - quantile_of_sorted(&sorted, 0.25);
    1.57 * spread / (sorted.len() as f64).sqrt() / quantile_of_sorted(&sorted, 0.5)
}

/// The ratio of two medians with its 95 % bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) low: f64,
    pub(crate) middle: f64,
    pub(crate) high: f64,
}

/// `median(a) / median(b)`; `None` without three samples of each. The same samples give the same
/// interval in every run.
pub(crate) fn ratio_of_medians(a: &[f64], b: &[f64]) -> Option<Ratio> {
    if a.len() < 3 || b.len() < 3 {
        return None;
    }
    let mut random = SplitMix(0x5eed);
    let mut ratios: Vec<f64> =
        (0..RESAMPLES).map(|_| random.resampled_median(a) / random.resampled_median(b)).collect();
    ratios.sort_by(f64::total_cmp);
    Some(Ratio {
        low: quantile_of_sorted(&ratios, 0.025),
        middle: median(a) / median(b),
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

    fn resampled_median(&mut self, samples: &[f64]) -> f64 {
        // More samples would only cost time: the interval is narrow long before.
        let count = samples.len().min(500);
        let drawn: Vec<f64> =
            (0..count).map(|_| samples[(self.next() % samples.len() as u64) as usize]).collect();
        median(&drawn)
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
        let slower = ratio_of_medians(&noisy(120.0, 1), &noisy(100.0, 2)).expect("samples");
        assert!(slower.low > 1.1 && slower.high < 1.3, "{slower:?}");
        let same = ratio_of_medians(&noisy(100.0, 3), &noisy(100.0, 4)).expect("samples");
        assert!(same.low < 1.0 + 0.02 && same.high > 0.98, "{same:?}");
    }
}
