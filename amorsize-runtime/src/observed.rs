//! What this process has seen of a loop. Each field is updated by itself, without locks: a call that
//! reads a mean of one moment and a count of the next decides no worse.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A mean forgets calls older than about this many.
const MEMORY: u32 = 32;

/// Calls from this length on weigh in full.
const FULL_WEIGHT_NS: f64 = 20_000.0;

/// Sizes are told apart by powers of four.
const SIZES: usize = 16;

/// The first short calls of a size run alone, whatever the profile says: items of another size may be much cheaper. Side by
/// side, short ones may seem as dear as they were thought to be, while the data comes to many cores. Of the first of these
/// calls no more is kept than that caches are warm afterwards.
const LOOKS: u32 = 4;

/// Calls of a crew that tell whether it is slower than its caller alone.
const ENOUGH_OF_CREW: f64 = 16.0;

/// Whichever was slower is tried again for so many calls in a row, as a cold helper does not come to the first ones, or their
/// data is in the caches of others, …
const TRIALS: u32 = 32;
/// … which count for so many each, …
const TRIAL_WEIGHT: f64 = 4.0;
/// … once in so many calls at least, …
const TRY_EVERY: u32 = 1_024;
/// … and so seldom that it takes no more than this share of the time.
const TRIAL_SHARE: f64 = 1.0 / 128.0;

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
    /// Calls that the model had a crew for.
    chosen: [AtomicU32; SIZES],
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
            chosen: [const { AtomicU32::new(0) }; SIZES],
            reduce_ns: AtomicU64::new(UNSEEN),
        }
    }

    /// Mean item time and number of calls behind it, for calls of about `n` items if there were any.
    pub(crate) fn item_ns(&self, n: usize) -> Option<(f64, f64)> {
        self.by_size[size(n)].get().or_else(|| self.item_ns_of_all())
    }

    /// What becomes of a call of about `n` items that the model has a crew for. It is counted.
    pub(crate) fn choose(&self, n: usize, is_short: bool) -> Choice {
        let chosen = &self.chosen[size(n)];
        let calls = chosen.load(Ordering::Relaxed);
        // From time to time, after some hours, it starts again, which costs a few looks.
        chosen.store(calls.wrapping_add(1), Ordering::Relaxed);
        if is_short && calls < LOOKS {
            return Choice::Look { is_kept: calls > 0 };
        }
        let Some((alone_ns, crew_ns)) = self.alone_and_crew(n) else { return Choice::Crew };
        let loses = crew_ns > alone_ns;
        let factor = if loses { crew_ns / alone_ns } else { alone_ns / crew_ns };
        let every = f64::from(TRIALS) * (factor - 1.0) / TRIAL_SHARE;
        let is_trial = calls % (every as u32).max(TRY_EVERY) < TRIALS;
        // A long call alone would be noticed, however seldom.
        if loses != (is_trial && (loses || is_short)) { Choice::Alone } else { Choice::Crew }
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
        let weight = if self.crew_loses(n) == Some(false) { TRIAL_WEIGHT } else { 1.0 };
        self.alone[size(n)].add_typical(wall_ns / n as f64, weight);
    }

    /// Adds a call of `n` items that took a crew so long.
    pub(crate) fn add_crew(&self, n: usize, wall_ns: f64) {
        let weight = if self.crew_loses(n) == Some(true) { TRIAL_WEIGHT } else { 1.0 };
        self.crew[size(n)].add_typical(wall_ns / n as f64, weight);
    }

    /// Whether crews took longer for about `n` items than their callers did alone.
    fn crew_loses(&self, n: usize) -> Option<bool> {
        self.alone_and_crew(n).map(|(alone_ns, crew_ns)| crew_ns > alone_ns)
    }

    /// What calls of about `n` items took for each of them, alone and in crews; `None` before there were enough of both.
    fn alone_and_crew(&self, n: usize) -> Option<(f64, f64)> {
        let (alone_ns, _) = self.alone[size(n)].get()?;
        let (crew_ns, calls) = self.crew[size(n)].get()?;
        (calls >= ENOUGH_OF_CREW).then_some((alone_ns, crew_ns))
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

/// What becomes of a call that the model has a crew for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// It runs alone, as nothing is known of calls of this size yet.
    Look {
        /// What it takes is noted.
        is_kept: bool,
    },
    /// It runs alone: crews were slower than their callers, or it was long ago that a call ran alone.
    Alone,
    Crew,
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

    /// How many of so many long calls run in crews.
    fn crews(observed: &Observed, calls: u32) -> u32 {
        (0..calls).map(|_| u32::from(observed.choose(100, false) == Choice::Crew)).sum()
    }

    #[test]
    fn the_first_short_calls_of_a_size_are_looked_at_and_all_but_one_kept() {
        let observed = Observed::new();
        let looks: Vec<_> = (0..5).map(|_| observed.choose(100, true)).collect();
        let kept = Choice::Look { is_kept: true };
        assert_eq!(looks, [Choice::Look { is_kept: false }, kept, kept, kept, Choice::Crew]);
        assert_eq!(observed.choose(10_000, true), looks[0]);
    }

    #[test]
    fn a_crew_that_is_slower_than_its_caller_is_known_after_some_calls_of_both() {
        let observed = Observed::new();
        (0..15).for_each(|_| observed.add_crew(100, 1_300.0));
        observed.add_alone(100, 1_000.0);
        assert_eq!(crews(&observed, 2 * TRY_EVERY), 2 * TRY_EVERY);
        observed.add_crew(100, 1_300.0);
        // 32 calls that cost 0.3 more each, out of 1,228.
        assert_eq!(crews(&observed, 2 * TRY_EVERY), 2 * TRIALS);
        assert_eq!(observed.choose(10_000, false), Choice::Crew);
        // A few good trials are enough to trust it again.
        (0..TRIALS / 2).for_each(|_| observed.add_crew(100, 600.0));
        assert_eq!(crews(&observed, TRY_EVERY), TRY_EVERY);
    }

    #[test]
    fn what_is_much_slower_is_seldom_tried() {
        let observed = Observed::new();
        observed.add_alone(100, 1_000.0);
        (0..40).for_each(|_| observed.add_crew(100, 9_000.0));
        let every = TRIALS * 8 * 128;
        assert_eq!(crews(&observed, 2 * every), 2 * TRIALS);
    }

    #[test]
    fn short_calls_run_alone_now_and_then_where_crews_are_faster() {
        let observed = Observed::new();
        observed.add_alone(100, 1_000.0);
        (0..40).for_each(|_| observed.add_crew(100, 900.0));
        let alone = |is_short| {
            let calls = (0..TRY_EVERY).map(|_| observed.choose(100, is_short));
            calls.filter(|choice| *choice != Choice::Crew).count() as u32
        };
        assert_eq!([alone(false), alone(true)], [0, TRIALS]);
        // Say that caches were cold when the time alone was taken.
        (0..TRIALS).for_each(|_| observed.add_alone(100, 200.0));
        assert_eq!(alone(false), TRY_EVERY);
    }

    #[test]
    fn one_interruption_makes_no_crew_slow() {
        let observed = Observed::new();
        observed.add_alone(100, 1_000.0);
        (0..20).for_each(|_| observed.add_crew(100, 800.0));
        observed.add_crew(100, 4e6);
        assert_eq!(crews(&observed, TRY_EVERY), TRY_EVERY);
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
