//! What this process has seen of a loop. Each field is updated by itself, without locks: a call that
//! reads a mean of one moment and a count of the next decides no worse.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::losses::{Losses, Phase};
use crate::mean::{AT_MOST, Mean};
use crate::profiled::UNRECORDED;
use crate::rivals::{Choice, Rivals};

/// Calls from this length on weigh in full.
const FULL_WEIGHT_NS: f64 = 20_000.0;

/// What begins does not tell what items take before so long: code and data are in no cache yet, and pages may have no memory.
pub(crate) const COLD_FOR_NS: f64 = 20_000.0;

/// Sizes are told apart by powers of four.
const SIZES: usize = 16;

/// No `f64` that is ever stored has these bits.
const UNSEEN: u64 = u64::MAX;

/// Observed costs of a loop.
#[derive(Debug)]
pub(crate) struct Observed {
    /// Over calls of every size, as if each were a call of one item.
    all: Mean,
    /// How long these took in all, until that is [`COLD_FOR_NS`].
    busy_ns: AtomicU64,
    /// Items of a call with many of them may be dearer, or cheaper, than those of a short one.
    by_size: [Mean; SIZES],
    /// How long calls took that ran on their callers alone, and those of crews.
    rivals: [Rivals; SIZES],
    /// Whether crews lose here what the profile says.
    losses: [Losses; SIZES],
    /// Cost of one reduction in nanoseconds, as the bits of an `f64`.
    reduce_ns: AtomicU64,
    /// How many items the call had in which it was observed.
    reduced: AtomicUsize,
}

impl Observed {
    pub(crate) const fn new() -> Self {
        Observed {
            all: Mean::new(),
            busy_ns: AtomicU64::new(0),
            by_size: [const { Mean::new() }; SIZES],
            rivals: [const { Rivals::new() }; SIZES],
            losses: [const { Losses::new() }; SIZES],
            reduce_ns: AtomicU64::new(UNSEEN),
            reduced: AtomicUsize::new(1),
        }
    }

    /// Mean item time and number of calls behind it, for calls of about `n` items, which are expected to take `grown` times as
    /// long as in a call of one; by calls of other sizes if there were none of this one.
    pub(crate) fn item_ns(&self, n: usize, grown: f64) -> Option<(f64, f64)> {
        let of_all = || self.item_ns_of_all().map(|(item_ns, calls)| (item_ns * grown, calls));
        self.by_size[size(n)].get().or_else(of_all)
    }

    /// What becomes of a call of about `n` items that the model has a crew for. It is counted. See [`Rivals::choose`].
    pub(crate) fn choose(&self, n: usize, is_short: bool, recorded_ns: f64) -> Choice {
        self.rivals[size(n)].choose(is_short, recorded_ns)
    }

    /// Whether calls of about `n` items run alone or in a crew however many helpers are hot.
    pub(crate) fn override_heat(&self, n: usize) -> bool {
        self.rivals[size(n)].override_heat()
    }

    /// What is held of the losses of crews in calls of about `n` items.
    pub(crate) fn losses(&self, n: usize) -> &Losses {
        &self.losses[size(n)]
    }

    /// The smallest number of items of calls that only losses kept from crews and that are tried in crews now, or run in them
    /// since.
    pub(crate) fn doubted_from(&self) -> Option<usize> {
        let is_doubted = |losses: &Losses| losses.is_on_trial() || losses.phase() == Phase::Refuted;
        let size = self.losses.iter().position(is_doubted)?;
        Some(1 << (2 * size))
    }

    /// From the next call of about `n` items on, crews are tried that only losses keep the model from.
    pub(crate) fn begin_trial(&self, n: usize) {
        self.losses[size(n)].begin_trial(&self.rivals[size(n)]);
    }

    /// Whether the next call of about `n` items runs in such a crew. It is counted.
    pub(crate) fn tries_crew(&self, n: usize, is_short: bool) -> bool {
        self.losses[size(n)].tries_crew(&self.rivals[size(n)], is_short)
    }

    /// Mean item time in a call of one, and number of calls behind it, whatever their size.
    pub(crate) fn item_ns_of_all(&self) -> Option<(f64, f64)> {
        self.all.get()
    }

    /// Whether calls have taken so long by now that the mean item time can be relied on.
    pub(crate) fn is_telling(&self) -> bool {
        self.busy_ns.load(Ordering::Relaxed) as f64 >= COLD_FOR_NS
    }

    /// Adds a call of `n` items that took `busy_ns` in all and are expected to take `grown` times as long as in a call of one.
    pub(crate) fn add(&self, n: usize, busy_ns: f64, grown: f64) {
        let item_ns = busy_ns / n as f64;
        // Overhead and cold caches make up a large part of short calls.
        let weight = (busy_ns / FULL_WEIGHT_NS).min(1.0);
        if !self.is_telling() {
            self.busy_ns.fetch_add(busy_ns as u64, Ordering::Relaxed);
        }
        self.all.add(item_ns / grown, weight);
        self.by_size[size(n)].add(item_ns, weight);
    }

    /// Adds a call of `n` items that took its caller so long.
    pub(crate) fn add_alone(&self, n: usize, wall_ns: f64) {
        self.rivals[size(n)].add_alone(wall_ns / n as f64);
    }

    /// Adds a call of `n` items that took a crew so long.
    pub(crate) fn add_crew(&self, n: usize, wall_ns: f64) {
        self.rivals[size(n)].add_crew(wall_ns / n as f64);
    }

    /// What the last reduction that was looked at cost, in nanoseconds, and how many items its call had.
    pub(crate) fn reduction(&self) -> Option<(f64, usize)> {
        let bits = self.reduce_ns.load(Ordering::Relaxed);
        let n = self.reduced.load(Ordering::Relaxed);
        (bits != UNSEEN).then(|| (f64::from_bits(bits), n))
    }

    /// What a reduction costs in a call of `n` items where nothing else is known: fewer items than those of the call that was
    /// looked at make smaller results, if they grow with the items at all.
    pub(crate) fn reduce_ns(&self, n: usize) -> Option<f64> {
        let (reduce_ns, of) = self.reduction()?;
        let in_proportion = reduce_ns * (n as f64 / of as f64).min(1.0);
        Some(in_proportion.max(reduce_ns.min(UNRECORDED.reduce_ns)))
    }

    /// Keeps what a reduction cost in a call of `n` items. It may have been interrupted.
    pub(crate) fn set_reduction(&self, n: usize, reduce_ns: f64) {
        let seen = self.reduction().filter(|(before_ns, _)| *before_ns > 0.0);
        let most = seen.map_or(f64::INFINITY, |(before_ns, of)| {
            AT_MOST * before_ns * (n as f64 / of as f64).max(1.0)
        });
        let reduce_ns = reduce_ns.min(most);
        self.reduced.store(n.max(1), Ordering::Relaxed);
        self.reduce_ns.store(reduce_ns.to_bits(), Ordering::Relaxed);
    }
}

/// Which of the sizes `4^i ..` are those of a call of `n` items.
fn size(n: usize) -> usize {
    (n.max(1).ilog2() as usize / 2).min(SIZES - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_means_of_their_own() {
        let observed = Observed::new();
        assert_eq!(observed.item_ns(4, 1.0), None);
        observed.add(4, 4.0 * 7_000.0, 1.0);
        observed.add(1_000, 1_000.0 * 300.0, 1.0);
        assert_eq!(observed.item_ns(5, 1.0), Some((7_000.0, 1.0)));
        assert_eq!(observed.item_ns(700, 1.0), Some((300.0, 1.0)));
        assert_eq!(observed.item_ns(usize::MAX, 1.0), Some((3_650.0, 2.0)));
    }

    #[test]
    fn where_items_grow_with_the_call_one_size_tells_of_another_as_expected() {
        let observed = Observed::new();
        observed.add(1_000, 1_000.0 * 2_000.0, 1_000.0);
        assert_eq!(observed.item_ns(1_000, 1_000.0), Some((2_000.0, 1.0)));
        assert_eq!(observed.item_ns(10, 10.0), Some((20.0, 1.0)));
        assert_eq!(observed.item_ns_of_all(), Some((2.0, 1.0)));
    }

    #[test]
    fn short_calls_weigh_less() {
        let observed = Observed::new();
        observed.add(1_000, 1_000.0 * 100.0, 1.0);
        observed.add(1, 1_000.0, 1.0);
        let (mean, calls) = observed.item_ns_of_all().expect("two calls");
        assert!((100.0..200.0).contains(&mean) && calls == 2.0, "{mean}");
    }

    #[test]
    fn a_reduction_of_a_large_call_says_less_of_smaller_ones_and_one_may_be_interrupted() {
        let observed = Observed::new();
        assert_eq!(observed.reduce_ns(10), None);
        observed.set_reduction(1_000_000, 3e6);
        assert_eq!(observed.reduce_ns(10_000_000), Some(3e6));
        assert_eq!(observed.reduce_ns(1_000), Some(3e3));
        assert_eq!(observed.reduce_ns(0), Some(UNRECORDED.reduce_ns));
        observed.set_reduction(1_000_000, 4e9);
        assert_eq!(observed.reduce_ns(1_000_000), Some(6e6));
        // Smaller results than those of an unknown loop have no more to say of themselves.
        observed.set_reduction(1_000, 1.0);
        assert_eq!(observed.reduce_ns(1), Some(1.0));
    }

    #[test]
    fn the_first_short_calls_tell_nothing() {
        let observed = Observed::new();
        observed.add(1, 1_200.0, 1.0);
        observed.add(10, 2_100.0, 1.0);
        assert!(!observed.is_telling());
        observed.add(1_000, 17_000.0, 1.0);
        assert!(observed.is_telling());
    }

    #[test]
    fn old_calls_are_forgotten() {
        let observed = Observed::new();
        (0..1_000).for_each(|_| observed.add(10, 10.0 * 1e6, 1.0));
        (0..200).for_each(|_| observed.add(10, 10.0 * 1e4, 1.0));
        let (mean, _) = observed.item_ns(10, 1.0).expect("many calls");
        assert!((mean - 1e4).abs() < 1e4, "{mean}");
    }
}
