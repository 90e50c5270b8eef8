//! What an item takes and what a reduction costs, and how either grows with the call. Pure: observed calls in, a law out.

use amorsize_profile::LoopFacts;

use crate::observations::{OFTEN, SizeClass, dominant};
use crate::stats::median;

/// Items that take longer by less than this factor in the longest calls than in the shortest are the same in all. A long tail
/// that short recordings miss makes a difference of two.
const ITEMS_WORTH_GROWTH: f64 = 3.0;

/// Where the mean item time of a size is not sure within this share, it says nothing of other sizes.
const TELLING: f64 = 0.1;

/// A law of item times has to leave no more than this share of what they differ by: others belong to different data.
const UNEXPLAINED: f64 = 0.1;

/// A reduction that grows by less than this factor from the smallest calls to the largest ones counts as one that does not
/// grow: caches alone make a difference of two.
const REDUCTIONS_WORTH_GROWTH: f64 = 4.0;

/// One that takes less in the largest calls, in nanoseconds, is the same in smaller ones: no plan depends on the difference.
const WORTH_A_LAW_NS: f64 = 5_000.0;

/// In a call of `n` units of work something takes `unit_ns · n^growth`, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Growth {
    pub(crate) unit_ns: f64,
    pub(crate) growth: f64,
}

/// What a unit of work takes in serial calls: as observed in calls of the dominant size, and with them as near as possible to
/// what was observed in others. `None` where nothing was.
pub(crate) fn of_items(classes: &[SizeClass]) -> Option<Growth> {
    let unit_ns = |class: &SizeClass| Some(class.item_ns()? / class.cost.0);
    let main = dominant(classes)?;
    let main_ns = unit_ns(main)?;
    let told = classes.iter().filter(|class| class.serial.len() >= OFTEN && is_telling(class));
    let told = told.filter_map(|class| Told::by(class, unit_ns(class)?, class.serial.len()));
    let line = Line::through(&told.collect::<Vec<_>>());
    let grows = |line: &Line| line.rise() >= ITEMS_WORTH_GROWTH.ln();
    let explains = |line: &Line| line.unexplained <= UNEXPLAINED;
    let growth = match line.filter(|line| grows(line) && explains(line)) {
        Some(line) => line.slope.min(LoopFacts::MOST_ITEM_GROWTH),
        None => 0.0,
    };
    Some(Growth { unit_ns: main_ns / units(main).powf(growth), growth })
}

/// Whether the mean item time of these calls is that of their size, and not of the items that they happened to have: which may
/// be the same in all of them.
fn is_telling(class: &SizeClass) -> bool {
    let of_items = class
        .item_ns()
        .filter(|_| !class.item_sd.is_empty())
        .map_or(0.0, |item_ns| median(&class.item_sd) / item_ns / (class.items as f64).sqrt());
    class.serial_uncertainty().max(of_items) <= TELLING
}

/// What a reduction costs.
pub(crate) fn of_reductions(classes: &[SizeClass]) -> Growth {
    let told = classes.iter().filter(|class| class.reduce.len() >= OFTEN);
    let told = told.filter_map(|class| Told::by(class, median(&class.reduce), class.reduce.len()));
    let line = Line::through(&told.collect::<Vec<_>>());
    let grows = |line: &Line| line.rise() >= REDUCTIONS_WORTH_GROWTH.ln();
    let matters = |line: &Line| line.at(line.last) >= WORTH_A_LAW_NS.ln();
    match line.filter(|line| grows(line) && matters(line)) {
        Some(line) => {
            let growth = line.slope.min(1.0);
            Growth { unit_ns: (line.middle.1 - growth * line.middle.0).exp(), growth }
        }
        None => {
            let reduce = dominant(classes).map_or(&[][..], |class| &class.reduce);
            let unit_ns = if reduce.is_empty() { 0.0 } else { median(reduce) };
            Growth { unit_ns, growth: 0.0 }
        }
    }
}

/// The units of work of a call of this size.
fn units(class: &SizeClass) -> f64 {
    class.items as f64 * class.cost.0
}

/// What the calls of one size say.
#[derive(Clone, Copy)]
struct Told {
    /// The logarithm of their units of work.
    units: f64,
    /// The logarithm of a time in ns.
    ns: f64,
    weight: f64,
}

impl Told {
    /// So many calls say that something takes so long in them.
    fn by(class: &SizeClass, ns: f64, calls: usize) -> Option<Self> {
        let units = units(class);
        let weight = calls.min(100) as f64;
        (units > 0.0 && ns > 0.0).then(|| Told { units: units.ln(), ns: ns.ln(), weight })
    }
}

/// A line through the logarithms, by weighted least squares.
struct Line {
    slope: f64,
    /// The means, through which it goes.
    middle: (f64, f64),
    first: f64,
    last: f64,
    /// The share of the squared differences from the mean that is left of those from the line.
    unexplained: f64,
}

impl Line {
    /// `None` where all calls have one size.
    fn through(told: &[Told]) -> Option<Self> {
        let weight: f64 = told.iter().map(|each| each.weight).sum();
        let mean =
            |of: &dyn Fn(&Told) -> f64| told.iter().map(|e| e.weight * of(e)).sum::<f64>() / weight;
        let middle @ (units, ns) = (mean(&|e| e.units), mean(&|e| e.ns));
        let spread = mean(&|e| (e.units - units).powi(2));
        let slope = mean(&|e| (e.units - units) * (e.ns - ns)) / spread;
        let first = told.iter().map(|each| each.units).fold(f64::INFINITY, f64::min);
        let last = told.iter().map(|each| each.units).fold(f64::NEG_INFINITY, f64::max);
        let differences = mean(&|e| (e.ns - ns).powi(2));
        let unexplained = 1.0 - slope.powi(2) * spread / differences;
        (first < last).then_some(Line { slope, middle, first, last, unexplained })
    }

    fn at(&self, units: f64) -> f64 {
        self.middle.1 + self.slope * (units - self.middle.0)
    }

    /// From the shortest calls to the longest.
    fn rise(&self) -> f64 {
        self.slope * (self.last - self.first)
    }
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

    fn of(sizes: &[(u64, f64, f64)]) -> Growth {
        let classes: Vec<_> =
            sizes.iter().map(|&(items, cost, ns)| class(items, cost, ns)).collect();
        of_reductions(&classes)
    }

    /// The law of items that took so long, by the number of items of the call.
    fn of_item_times(sizes: &[(u64, f64)]) -> Growth {
        let class = |&(items, item_ns): &(u64, f64)| SizeClass {
            serial: vec![item_ns * items as f64; OFTEN],
            ..class(items, 1.0, 1.0)
        };
        of_items(&sizes.iter().map(class).collect::<Vec<_>>()).expect("there are serial calls")
    }

    fn assert_near(found: Growth, unit_ns: f64, growth: f64) {
        let near = (found.unit_ns / unit_ns).ln().abs() < 1e-6;
        assert!(near && (found.growth - growth).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn items_of_longer_calls_that_take_longer_have_a_law() {
        assert_near(of_item_times(&[(64, 192.0), (512, 1_536.0), (2_048, 6_144.0)]), 3.0, 1.0);
        // A product of matrices, in and out of the caches.
        let rows = of_item_times(&[(16, 85.0), (64, 680.0), (256, 13_500.0)]);
        assert!((1.7..2.0).contains(&rows.growth), "{rows:?}");
        // What matters most is exact.
        let longest = rows.unit_ns * 256_f64.powf(rows.growth);
        assert!((longest / 13_500.0 - 1.0).abs() < 1e-9, "{rows:?}");
    }

    #[test]
    fn items_that_differ_little_or_by_other_reasons_than_the_length_have_none() {
        assert_near(of_item_times(&[(4, 11_300.0), (64, 15_200.0)]), 15_200.0, 0.0);
        assert_near(of_item_times(&[(100, 10.0), (1_000, 20.0)]), 20.0, 0.0);
        let other_data = [(1, 30.0), (8, 15.0), (64, 60.0), (512, 6.0), (4_096, 80.0)];
        assert_near(of_item_times(&other_data), 80.0, 0.0);
        // What a call costs beside its items.
        assert_near(of_item_times(&[(10, 90.0), (1_000, 10.0)]), 10.0, 0.0);
    }

    #[test]
    fn items_of_one_size_or_of_few_calls_of_another_have_no_law() {
        assert_near(of_item_times(&[(64, 192.0)]), 192.0, 0.0);
        let mut classes = [class(10, 1.0, 1.0), class(1_000, 1.0, 1.0)];
        classes[1].serial = vec![9e6; OFTEN];
        assert_near(of_items(&classes).expect("there are serial calls"), 9e3, 0.0);
        classes[1].serial.clear();
        assert_near(of_items(&classes[..1]).expect("there are serial calls"), 1e3, 0.0);
        assert_eq!(of_items(&classes[1..]), None);
    }

    #[test]
    fn sizes_of_a_few_items_that_differ_much_have_no_law() {
        let class = |items, item_ns: f64, item_cv| SizeClass {
            item_sd: vec![item_ns * item_cv],
            serial: vec![item_ns * items as f64; OFTEN],
            ..class(items, 1.0, 1.0)
        };
        let law = |item_cv| of_items(&[class(100, 5.0, item_cv), class(1_000, 50.0, item_cv)]);
        assert_near(law(0.5).expect("there are serial calls"), 0.05, 1.0);
        assert_near(law(9.0).expect("there are serial calls"), 50.0, 0.0);
    }

    #[test]
    fn items_of_several_units_of_work_are_compared_by_unit() {
        let class = |cost, item_ns: f64| SizeClass {
            serial: vec![item_ns * 100.0; OFTEN],
            ..class(100, cost, 1.0)
        };
        let classes = [class(4.0, 40.0), class(64.0, 640.0)];
        assert_near(of_items(&classes).expect("there are serial calls"), 10.0, 0.0);
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
        assert_near(of_reductions(&classes), 3e4, 0.0);
        assert_eq!(of_reductions(&[]), Growth { unit_ns: 0.0, growth: 0.0 });
        classes.iter_mut().for_each(|class| class.reduce.clear());
        assert_eq!(of_reductions(&classes), Growth { unit_ns: 0.0, growth: 0.0 });
    }
}
