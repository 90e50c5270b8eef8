//! What a reduction costs, and how that grows with the call. Pure: observed calls in, a law out.

use crate::observations::{OFTEN, SizeClass, dominant};
use crate::stats::median;

/// A reduction that grows by less than this factor from the smallest calls to the largest ones counts as one that does not
/// grow: caches alone make a difference of two.
const WORTH_GROWTH: f64 = 4.0;

/// One that takes less in the largest calls, in nanoseconds, is the same in smaller ones: no plan depends on the difference.
const WORTH_A_LAW_NS: f64 = 5_000.0;

/// In a call of `n` units of work a reduction costs `unit_ns · n^growth`, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reduction {
    pub(crate) unit_ns: f64,
    pub(crate) growth: f64,
}

impl Reduction {
    /// The law that comes nearest to what was observed.
    pub(crate) fn of(classes: &[SizeClass]) -> Self {
        let told: Vec<Told> = classes.iter().filter_map(Told::by).collect();
        growing(&told).unwrap_or_else(|| {
            let reduce = dominant(classes).map_or(&[][..], |class| &class.reduce);
            let unit_ns = if reduce.is_empty() { 0.0 } else { median(reduce) };
            Reduction { unit_ns, growth: 0.0 }
        })
    }
}

/// What the calls of one size say.
struct Told {
    /// The logarithm of their units of work.
    units: f64,
    /// The logarithm of what a reduction costs in ns.
    ns: f64,
    weight: f64,
}

impl Told {
    fn by(class: &SizeClass) -> Option<Self> {
        let units = class.items as f64 * class.cost.0;
        let ns = median(&class.reduce);
        let tells = class.reduce.len() >= OFTEN && units > 0.0 && ns > 0.0;
        let weight = class.reduce.len().min(100) as f64;
        tells.then(|| Told { units: units.ln(), ns: ns.ln(), weight })
    }
}

/// A line through the logarithms, by weighted least squares; `None` where it does not rise by much.
fn growing(told: &[Told]) -> Option<Reduction> {
    let weight: f64 = told.iter().map(|each| each.weight).sum();
    let mean =
        |of: &dyn Fn(&Told) -> f64| told.iter().map(|e| e.weight * of(e)).sum::<f64>() / weight;
    let (units, ns) = (mean(&|e| e.units), mean(&|e| e.ns));
    let slope = mean(&|e| (e.units - units) * (e.ns - ns)) / mean(&|e| (e.units - units).powi(2));
    let smallest = told.iter().map(|each| each.units).fold(f64::INFINITY, f64::min);
    let largest = told.iter().map(|each| each.units).fold(f64::NEG_INFINITY, f64::max);
    // Not so for NaN, where there is one size alone.
    let grows = slope * (largest - smallest) >= WORTH_GROWTH.ln();
    let matters = ns + slope * (largest - units) >= WORTH_A_LAW_NS.ln();
    let growth = slope.min(1.0);
    (grows && matters).then(|| Reduction { unit_ns: (ns - growth * units).exp(), growth })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observations::Cost;

    /// A class of calls of so many items, in which reductions took so long.
    fn class(items: u64, cost: f64, reduce_ns: f64) -> SizeClass {
        let reduce = [0.9, 0.95, 1.0, 1.0, 1.0, 1.1, 8.0].map(|factor| factor * reduce_ns);
        SizeClass {
            items,
            cost: Cost(cost),
            serial: vec![1e3 * items as f64],
            reduce: reduce.into(),
            ..SizeClass::default()
        }
    }

    fn of(sizes: &[(u64, f64, f64)]) -> Reduction {
        let classes: Vec<_> =
            sizes.iter().map(|&(items, cost, ns)| class(items, cost, ns)).collect();
        Reduction::of(&classes)
    }

    fn assert_near(found: Reduction, unit_ns: f64, growth: f64) {
        let near = (found.unit_ns / unit_ns).ln().abs() < 1e-6;
        assert!(near && (found.growth - growth).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn a_power_of_the_units_is_found_again() {
        let law = |n: f64| 700.0 * n.powf(0.6);
        let sizes = [100, 1_000, 10_000].map(|n| (n, 1.0, law(n as f64)));
        assert_near(of(&sizes), 700.0, 0.6);
        let units = [(100, 4.0, law(400.0)), (100, 64.0, law(6_400.0))];
        assert_near(of(&units), 700.0, 0.6);
    }

    #[test]
    fn nothing_grows_faster_than_the_call() {
        let found = of(&[(100, 1.0, 1e3), (1_000, 1.0, 3e4), (10_000, 1.0, 9e5)]);
        assert_near(found, 3e4 / 1e3, 1.0);
    }

    #[test]
    fn what_caches_explain_is_no_growth() {
        let found = of(&[(100, 1.0, 200.0), (10_000, 1.0, 300.0), (1_000_000, 1.0, 390.0)]);
        assert_near(found, 390.0, 0.0);
        assert_near(of(&[(100, 1.0, 4e4), (10_000, 1.0, 3e4)]), 3e4, 0.0);
    }

    #[test]
    fn what_takes_next_to_no_time_in_any_call_is_no_growth() {
        assert_near(of(&[(100, 1.0, 300.0), (100_000, 1.0, 4_900.0)]), 4_900.0, 0.0);
    }

    #[test]
    fn one_size_or_a_few_calls_of_another_tell_of_no_growth() {
        assert_near(of(&[(1_000, 1.0, 5e4)]), 5e4, 0.0);
        let mut classes = [class(100, 1.0, 1e3), class(1_000, 1.0, 3e4)];
        classes[0].reduce.truncate(OFTEN - 1);
        assert_near(Reduction::of(&classes), 3e4, 0.0);
        assert_eq!(Reduction::of(&[]), Reduction { unit_ns: 0.0, growth: 0.0 });
        classes.iter_mut().for_each(|class| class.reduce.clear());
        assert_eq!(Reduction::of(&classes), Reduction { unit_ns: 0.0, growth: 0.0 });
    }
}
