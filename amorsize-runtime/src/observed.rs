//! What this process has seen of a loop. Each field is updated by itself, without locks: a call that
//! reads a mean of one moment and a count of the next decides no worse.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A mean forgets calls older than about this many.
const MEMORY: u32 = 32;

/// Calls from this length on weigh in full.
const FULL_WEIGHT_NS: f64 = 20_000.0;

/// Sizes are told apart by powers of four.
const SIZES: usize = 16;

/// Calls of a crew that tell whether it is slower than its caller alone.
const ENOUGH_OF_CREW: f64 = 16.0;

/// A call of a crew that was only tried, since others were slower, counts for so many.
const TRIAL_WEIGHT: f64 = 8.0;

/// One call may be interrupted: it counts as at most so many times the mean.
const AT_MOST: f64 = 2.0;

/// No `f64` that is ever stored has these bits.
const UNSEEN: u64 = u64::MAX;

/// Observed costs of a loop.
#[derive(Debug)]
pub(crate) struct Observed {
    /// Over calls of every size.
    all: Mean,
    /// Items of a call with many of them may be dearer, or cheaper, than those of a short one.
    by_size: [Mean; SIZES],
    /// How long calls took for each item: those that ran on their callers, and those of crews.
    alone: [Mean; SIZES],
    crew: [Mean; SIZES],
    /// Bit `i` is set once a call of the `i`-th size was looked at.
    looked_at: AtomicU32,
    /// Cost of one reduction in nanoseconds, as the bits of an `f64`.
    reduce_ns: AtomicU64,
}

impl Observed {
    pub(crate) const fn new() -> Self {
        Observed {
            all: Mean::new(),
            by_size: [const { Mean::new() }; SIZES],
            alone: [const { Mean::new() }; SIZES],
            crew: [const { Mean::new() }; SIZES],
            looked_at: AtomicU32::new(0),
            reduce_ns: AtomicU64::new(UNSEEN),
        }
    }

    /// Mean item time and number of calls behind it, for calls of about `n` items if there were any.
    pub(crate) fn item_ns(&self, n: usize) -> Option<(f64, f64)> {
        self.by_size[size(n)].get().or_else(|| self.item_ns_of_all())
    }

    /// Whether there was a call of about `n` items.
    pub(crate) fn has_seen(&self, n: usize) -> bool {
        self.by_size[size(n)].get().is_some()
    }

    /// Whether nobody has asked this of about `n` items before.
    pub(crate) fn is_first_look(&self, n: usize) -> bool {
        let bit = 1 << size(n);
        self.looked_at.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    /// Mean item time and number of calls behind it, whatever their size.
    pub(crate) fn item_ns_of_all(&self) -> Option<(f64, f64)> {
        self.all.get()
    }

    /// Adds a call of `n` items that took `busy_ns` in all.
    pub(crate) fn add(&self, n: usize, busy_ns: f64) {
        let item_ns = busy_ns / n as f64;
        // Overhead and cold caches make up a large part of short calls.
        let weight = (busy_ns / FULL_WEIGHT_NS).min(1.0);
        self.all.add(item_ns, weight);
        self.by_size[size(n)].add(item_ns, weight);
    }

    /// Adds a call of `n` items that took its caller so long.
    pub(crate) fn add_alone(&self, n: usize, wall_ns: f64) {
        self.alone[size(n)].add_typical(wall_ns / n as f64, 1.0);
    }

    /// Adds a call of `n` items that took a crew so long.
    pub(crate) fn add_crew(&self, n: usize, wall_ns: f64) {
        let weight = if self.crew_loses(n) { TRIAL_WEIGHT } else { 1.0 };
        self.crew[size(n)].add_typical(wall_ns / n as f64, weight);
    }

    /// Whether crews took longer for about `n` items than their callers did alone, as far as there were calls of both.
    pub(crate) fn crew_loses(&self, n: usize) -> bool {
        let alone_and_crew = self.alone[size(n)].get().zip(self.crew[size(n)].get());
        alone_and_crew.is_some_and(|((alone_ns, _), (crew_ns, calls))| {
            calls >= ENOUGH_OF_CREW && crew_ns > alone_ns
        })
    }

    /// What the last reduction that was looked at cost.
    pub(crate) fn reduce_ns(&self) -> Option<f64> {
        let bits = self.reduce_ns.load(Ordering::Relaxed);
        (bits != UNSEEN).then(|| f64::from_bits(bits))
    }

    pub(crate) fn set_reduce_ns(&self, reduce_ns: f64) {
        self.reduce_ns.store(reduce_ns.to_bits(), Ordering::Relaxed);
    }
}

fn size(n: usize) -> usize {
    (n.max(1).ilog2() as usize / 2).min(SIZES - 1)
}

#[derive(Debug)]
struct Mean {
    /// The bits of an `f64`.
    value: AtomicU64,
    /// At most [`MEMORY`].
    calls: AtomicU32,
}

impl Mean {
    const fn new() -> Self {
        Mean { value: AtomicU64::new(0), calls: AtomicU32::new(0) }
    }

    fn get(&self) -> Option<(f64, f64)> {
        let calls = self.calls.load(Ordering::Relaxed);
        (calls > 0).then(|| (f64::from_bits(self.value.load(Ordering::Relaxed)), f64::from(calls)))
    }

    /// Adds a value of which much may be an interruption.
    fn add_typical(&self, value: f64, weight: f64) {
        let most = self.get().map_or(f64::INFINITY, |(mean, _)| AT_MOST * mean);
        self.add(value.min(most), weight);
    }

    fn add(&self, value: f64, weight: f64) {
        let (mean, calls) = match self.get() {
            None => (value, 0.0),
            Some((mean, calls)) => (mean + (value - mean) * weight / (calls + weight), calls),
        };
        self.value.store(mean.to_bits(), Ordering::Relaxed);
        self.calls.store((calls as u32 + 1).min(MEMORY - 1), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_means_of_their_own() {
        let observed = Observed::new();
        assert_eq!(observed.item_ns(4), None);
        observed.add(4, 4.0 * 7_000.0);
        observed.add(1_000, 1_000.0 * 300.0);
        assert_eq!(observed.item_ns(5), Some((7_000.0, 1.0)));
        assert_eq!(observed.item_ns(700), Some((300.0, 1.0)));
        assert_eq!(observed.item_ns(usize::MAX), Some((3_650.0, 2.0)));
    }

    #[test]
    fn a_crew_that_is_slower_than_its_caller_is_known_after_some_calls_of_both() {
        let observed = Observed::new();
        (0..15).for_each(|_| observed.add_crew(100, 1_300.0));
        observed.add_alone(100, 1_000.0);
        assert!(!observed.crew_loses(100));
        observed.add_crew(100, 1_300.0);
        assert!(observed.crew_loses(100) && !observed.crew_loses(10_000));
        // A few good trials are enough to trust it again.
        (0..4).for_each(|_| observed.add_crew(100, 600.0));
        assert!(!observed.crew_loses(100));
    }

    #[test]
    fn one_interruption_makes_no_crew_slow() {
        let observed = Observed::new();
        observed.add_alone(100, 1_000.0);
        (0..20).for_each(|_| observed.add_crew(100, 800.0));
        observed.add_crew(100, 4e6);
        assert!(!observed.crew_loses(100));
    }

    #[test]
    fn short_calls_weigh_less() {
        let observed = Observed::new();
        observed.add(1_000, 1_000.0 * 100.0);
        observed.add(1, 1_000.0);
        let (mean, calls) = observed.item_ns_of_all().expect("two calls");
        assert!((100.0..200.0).contains(&mean) && calls == 2.0, "{mean}");
    }

    #[test]
    fn old_calls_are_forgotten() {
        let observed = Observed::new();
        (0..1_000).for_each(|_| observed.add(10, 10.0 * 1e6));
        (0..200).for_each(|_| observed.add(10, 10.0 * 1e4));
        let (mean, _) = observed.item_ns(10).expect("many calls");
        assert!((mean - 1e4).abs() < 1e4, "{mean}");
    }
}
