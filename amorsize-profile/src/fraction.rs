//! Fractions as people write them, in whole thousandths.

/// A fraction above 0 and at most 1 in thousandths, the nearest one but at least 1; `None` for any other number.
pub fn permille(fraction: f64) -> Option<u16> {
    let is_fraction = fraction > 0.0 && fraction <= 1.0;
    is_fraction.then(|| ((fraction * 1_000.0).round() as u16).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_rounded_to_thousandths_and_never_to_none() {
        let fractions = [0.8, 0.333_4, 0.999_6, 1.0, 1e-9];
        assert_eq!(fractions.map(permille), [800, 333, 1_000, 1_000, 1].map(Some));
        for other in [0.0, -0.0, -0.5, 1.000_1, f64::INFINITY, f64::NAN] {
            assert_eq!(permille(other), None, "{other}");
        }
    }
}
