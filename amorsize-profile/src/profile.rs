//! What a profile says: per machine class, the facts of the machine and of each loop.

use std::collections::BTreeMap;

/// The name of the file that holds a package's profile, beside its `Cargo.toml`.
pub const FILE_NAME: &str = "amorsize.toml";

/// The contents of an `amorsize.toml`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// One section per machine class, by the name of the class.
    pub machines: BTreeMap<String, Section>,
}

/// Everything measured on one machine class.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// What the machine costs.
    pub facts: MachineFacts,
    /// What each loop costs there, by the name of the loop.
    pub loops: BTreeMap<String, LoopEntry>,
    /// Loops that were reached and cannot be tuned, because what they iterate over cannot be
    /// indexed: the hash of the annotated function's tokens, by the name of the loop.
    pub untuned: BTreeMap<String, String>,
}

/// What handing out work costs on a machine class. All times in nanoseconds.
///
/// A helper is *hot* while its thread, after work, waits for the next call, and *cold* once the thread
/// sleeps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MachineFacts {
    /// What each further hot helper costs a call.
    pub spawn_ns: f64,
    /// What the first one costs, from the beginning of the call to its end.
    pub wake_ns: f64,
    /// The caller's cost of handing one cold helper to the pool.
    pub cold_spawn_ns: f64,
    /// The delay from there until the helper runs.
    pub cold_wake_ns: f64,
    /// How long a helper stays hot.
    pub hot_for_ns: f64,
    /// The cost of taking one chunk.
    pub claim_ns: f64,
    /// The time of Amorsize's reference loop, by which item times are scaled between machines.
    pub reference_ns: f64,
}

impl MachineFacts {
    /// The names of the numbers, in the order in which files hold them.
    pub const NAMES: [&'static str; 7] = [
        "spawn_ns",
        "wake_ns",
        "cold_spawn_ns",
        "cold_wake_ns",
        "hot_for_ns",
        "claim_ns",
        "reference_ns",
    ];

    /// The numbers, in the order of [`NAMES`](Self::NAMES).
    #[must_use]
    pub fn to_array(self) -> [f64; 7] {
        [
            self.spawn_ns,
            self.wake_ns,
            self.cold_spawn_ns,
            self.cold_wake_ns,
            self.hot_for_ns,
            self.claim_ns,
            self.reference_ns,
        ]
    }

    /// The facts with these numbers, in the order of [`NAMES`](Self::NAMES).
    #[must_use]
    pub fn from_array(numbers: [f64; 7]) -> Self {
        let [spawn_ns, wake_ns, cold_spawn_ns, cold_wake_ns, hot_for_ns, claim_ns, reference_ns] =
            numbers;
        MachineFacts {
            spawn_ns,
            wake_ns,
            cold_spawn_ns,
            cold_wake_ns,
            hot_for_ns,
            claim_ns,
            reference_ns,
        }
    }

    /// Of each number the median over several measurements, which a few disturbed ones do not move;
    /// `None` without any.
    // Inline so that it is compiled where it is called, which production builds never do.
    #[must_use]
    #[inline]
    pub fn median(measurements: &[MachineFacts]) -> Option<Self> {
        let middle = measurements.len() / 2;
        let median = |index: usize| {
            let mut numbers: Vec<f64> =
                measurements.iter().map(|facts| facts.to_array()[index]).collect();
            numbers.sort_unstable_by(f64::total_cmp);
            numbers.get(middle).copied()
        };
        let mut medians = [0.0; 7];
        for (index, number) in medians.iter_mut().enumerate() {
            *number = median(index)?;
        }
        Some(Self::from_array(medians))
    }
}

/// What one loop costs per item and per piece. All times in nanoseconds. Where the attribute's option
/// `cost` tells how many units of work an item is, `item_ns` is the time of one unit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LoopFacts {
    /// Mean time of one item, run serially. Where it grows with the call, this is the time in a call of one unit of work.
    pub item_ns: f64,
    /// How it grows: in a call of `n` units an item takes `item_ns · n^item_growth`. 0 where it does not depend on the call, 1
    /// where each item looks at all others, 2 for the rows of a product of square matrices. From 0 to
    /// [`MOST_ITEM_GROWTH`](Self::MOST_ITEM_GROWTH).
    pub item_growth: f64,
    /// Coefficient of variation of the item time: standard deviation divided by mean.
    pub item_cv: f64,
    /// Cost of one more piece beyond the claim, where each has a folder of its own.
    pub piece_ns: f64,
    /// Cost of reducing the results of two workers. Where it grows with the call, this is its cost in a call of one unit
    /// of work.
    pub reduce_ns: f64,
    /// How it grows: in a call of `n` units it is `reduce_ns · n^reduce_growth`. 0 where it does not depend on the call, 1 where
    /// all that is collected is moved; maps whose keys repeat are in between (Heaps' law). From 0 to 1.
    pub reduce_growth: f64,
    /// The contention term `a` of the Universal Scalability Law (Gunther 1993): with `w` workers an item takes
    /// `1 + a·(w − 1) + b·w·(w − 1)` times as long.
    pub contention: f64,
    /// The coherency term `b` of the same law: what grows with the pairs of workers.
    pub coherency: f64,
    /// By what share of their time equal chunks differ, however long they are: items that get dearer or cheaper
    /// along the way, neighbours that are alike, cores that are not.
    pub imbalance: f64,
    /// The share of an item's time that it computes, of the time in which it computes or waits for something
    /// other than a processor; from 0 to 1, and `None` where that was not measured.
    pub cpu_share: Option<f64>,
}

impl LoopFacts {
    /// The largest growth of item times.
    pub const MOST_ITEM_GROWTH: f64 = 3.0;

    /// These facts for a call whose items are `cost` units of work each.
    #[must_use]
    pub fn at_cost(self, cost: f64) -> Self {
        LoopFacts {
            item_ns: cost * self.item_ns_of(cost),
            reduce_ns: self.reduce_ns_of(cost),
            ..self
        }
    }

    /// These facts for calls of `n` items alone: `item_ns` is what an item takes in them.
    #[must_use]
    pub fn in_calls_of(self, n: usize) -> Self {
        self.with_item_ns(self.item_ns_of(n.max(1) as f64))
    }

    /// These facts with items that take `item_ns` nanoseconds however long the call.
    #[must_use]
    pub fn with_item_ns(self, item_ns: f64) -> Self {
        LoopFacts { item_ns, item_growth: 0.0, ..self }
    }

    /// The mean time of one item in a call of `n`, run serially, in nanoseconds.
    #[must_use]
    pub fn item_ns_of(&self, n: f64) -> f64 {
        self.item_ns * self.items_grown(n)
    }

    /// How many times as long an item takes in a call of `n` as in a call of one.
    #[must_use]
    pub fn items_grown(&self, n: f64) -> f64 {
        grown(n, self.item_growth)
    }

    /// How many items a call has that takes so many nanoseconds serially.
    #[must_use]
    pub fn items_in(&self, ns: f64) -> usize {
        // `as` saturates and maps NaN to 0.
        (ns / self.item_ns).powf(1.0 / (1.0 + self.item_growth)) as usize
    }

    /// What one reduction costs in a call of `n` items, in nanoseconds.
    #[must_use]
    pub fn reduce_ns_of(&self, n: f64) -> f64 {
        self.reduce_ns * grown(n, self.reduce_growth)
    }
}

/// `n^growth`. Most times do not grow, and a power takes longer than all the rest of a prediction.
fn grown(n: f64, growth: f64) -> f64 {
    if growth == 0.0 { 1.0 } else { n.powf(growth) }
}

/// A loop's name without `<type>`, which tells loops of generic functions apart.
#[must_use]
pub fn without_type(loop_name: &str) -> &str {
    loop_name.find('<').map_or(loop_name, |start| &loop_name[..start])
}

/// A loop in a profile: the facts, and what a reviewer wants to see of them.
#[derive(Clone, Debug, PartialEq)]
pub struct LoopEntry {
    /// Hash of the annotated function's tokens, 16 hexadecimal digits. A different hash in the
    /// source means that the entry is stale.
    pub tokens: String,
    /// What decides at run time.
    pub facts: LoopFacts,
    /// The smallest number of items from which parallel beats serial on the machine that was
    /// measured; `None` when it never does.
    pub parallel_from: Option<u64>,
    /// What one worker's task takes at its peak; `None` where that was not measured.
    pub memory: Option<TaskMemory>,
    /// The plan and its gain at the number of items that the recording saw most of.
    pub plan: ReviewedPlan,
}

/// Measured memory of one worker's task: how much the bytes in use grow, at most, while one item is processed, its
/// result included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskMemory {
    /// Bytes at the peak. 0 was measured like any other number: items that allocate nothing.
    pub bytes: u64,
    /// What measured it.
    pub source: MemorySource,
}

/// What measured the memory of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemorySource {
    /// The tracking allocator: exact, of what is allocated on the worker's own thread.
    Allocator,
    /// The slope of the peak resident memory of fresh processes over their workers.
    PeakRss,
}

impl MemorySource {
    /// All of them.
    pub const ALL: [MemorySource; 2] = [MemorySource::Allocator, MemorySource::PeakRss];

    /// The word that stands for it in files: `allocator` or `peak-rss`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            MemorySource::Allocator => "allocator",
            MemorySource::PeakRss => "peak-rss",
        }
    }
}

/// What the plan of a loop looked like when it was measured. For the reader only: the runtime
/// decides from [`LoopFacts`] for each call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReviewedPlan {
    /// Number of items in the call.
    pub items: u64,
    /// Work units per item, where the attribute's option `cost` gives them; 1 elsewhere.
    pub cost: f64,
    /// Workers, the caller included; 1 means serial.
    pub workers: u32,
    /// Chunk size in items; equal to `items` when serial.
    pub chunk: u64,
    /// Measured serial time divided by measured tuned time.
    pub speedup: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of a product of square matrices.
    fn rows() -> LoopFacts {
        LoopFacts { item_ns: 0.5, item_growth: 2.0, ..LoopFacts::default() }
    }

    fn assert_near(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 1e-12, "{found} {expected}");
    }

    #[test]
    fn items_of_longer_calls_take_longer_by_the_growth() {
        assert_eq!(rows().in_calls_of(16).item_ns, 128.0);
        assert_eq!(rows().in_calls_of(16).in_calls_of(64), rows().in_calls_of(16));
        assert_eq!(rows().in_calls_of(0), rows().in_calls_of(1));
        let constant = LoopFacts { item_growth: 0.0, ..rows() };
        assert_eq!(constant.in_calls_of(1 << 40), constant);
        assert_eq!(rows().with_item_ns(7.0).in_calls_of(100).item_ns, 7.0);
    }

    #[test]
    fn calls_that_take_a_time_have_so_many_items() {
        assert_eq!(rows().items_in(0.5 * 1e6 + 1.0), 100);
        assert_eq!(LoopFacts { item_growth: 0.0, ..rows() }.items_in(1e3), 2_000);
        assert_eq!(
            [f64::NAN, 0.0, f64::INFINITY].map(|ns| rows().items_in(ns)),
            [0, 0, usize::MAX]
        );
        assert_eq!(LoopFacts::default().items_in(1.0), usize::MAX);
    }

    #[test]
    fn an_item_of_several_units_counts_as_so_many_units() {
        let units = rows().in_calls_of(400);
        let items = rows().at_cost(4.0).in_calls_of(100);
        assert_near(100.0 * items.item_ns, 400.0 * units.item_ns);
    }
}
