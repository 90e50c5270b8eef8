//! The numbers of items below which a call of a loop runs serially without a decision.

use std::sync::atomic::{AtomicI8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use amorsize_profile::{LoopFacts, MachineFacts};

use crate::model::{self, Limits};
use crate::profiled::Profiled;

/// Calls predicted to take less run serially without a look at the clock: two looks, when neither
/// their code nor their data is in the caches, would cost more than 2 % of them.
const TIMED_FROM_NS: f64 = 20_000.0;

/// Serial calls predicted to take less run without a decision and a checkpoint. Code and data for
/// these are often no longer in the caches; they then take a microsecond or two.
pub(crate) const CHECKPOINT_FROM_NS: f64 = 50_000.0;

/// Items this many times dearer than known are a reason to decide again.
pub(crate) const SURPRISE: f64 = 1.5;

/// All helpers are hot. Fewer items than pay then never pay.
pub(crate) const HOT: usize = usize::MAX;

/// Thresholds move when the item time has moved by more than this share.
const MOVED: f64 = 0.1;

/// The thresholds of a loop, and what they follow from.
#[derive(Debug)]
pub(crate) struct Thresholds {
    /// What every call is compared with. Zero until the first call, while a plan is forced, and while
    /// the process records.
    pub(crate) serial: SerialBelow,
    /// What `serial` is when nothing keeps it at zero.
    pub(crate) planned: SerialBelow,
    /// The item time for which this was computed, as the bits of an `f64`; zero before.
    applied_ns: AtomicU64,
    /// What the last serial calls that were timed took, compared with what was known: above 0 if they were dearer, below if they
    /// were cheaper, nearer to 0 with each that was neither.
    surprise: AtomicI8,
    /// Held while they are computed.
    turn: Mutex<()>,
}

impl Thresholds {
    pub(crate) const fn new() -> Self {
        Thresholds {
            serial: SerialBelow::new(),
            planned: SerialBelow::new(),
            applied_ns: AtomicU64::new(0),
            surprise: AtomicI8::new(0),
            turn: Mutex::new(()),
        }
    }

    /// Waits for others who compute them.
    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The item time for which they were computed; `None` before.
    pub(crate) fn item_ns(&self) -> Option<f64> {
        let item_ns = f64::from_bits(self.applied_ns.load(Ordering::Relaxed));
        (item_ns != 0.0).then_some(item_ns)
    }

    /// Whether they were computed for about this item time.
    pub(crate) fn are_for(&self, item_ns: f64) -> bool {
        self.item_ns().is_some_and(|applied| (item_ns - applied).abs() <= MOVED * applied)
    }

    /// Notes for which item time they are computed next; `None` if for none.
    pub(crate) fn note_item_ns(&self, item_ns: Option<f64>) {
        self.applied_ns.store(item_ns.unwrap_or_default().to_bits(), Ordering::Relaxed);
    }

    /// Whether a serial call and the one before, or the one before that, both took longer, or both took less, than known. One
    /// alone may have been interrupted; and calls from two places, of two kinds, may take turns.
    pub(crate) fn are_surprised(&self, busy_ns: f64, known_ns: f64) -> bool {
        const ONE: i8 = 2;
        let dearer = busy_ns > SURPRISE * known_ns;
        let surprise = ONE * (i8::from(dearer) - i8::from(busy_ns * SURPRISE < known_ns));
        let before = self.surprise.load(Ordering::Relaxed);
        let after = if surprise == 0 { before - before.signum() } else { surprise };
        if after != before {
            self.surprise.store(after, Ordering::Relaxed);
        }
        surprise != 0 && surprise.signum() == before.signum()
    }
}

/// Each is stored by itself: a mixture of two states does no harm.
#[derive(Debug)]
pub(crate) struct SerialBelow {
    /// At once, on the caller, without another thought.
    untimed: AtomicUsize,
    /// Between two looks at the clock.
    timed: AtomicUsize,
    /// The same while no helper is hot.
    timed_when_cold: AtomicUsize,
}

impl SerialBelow {
    const fn new() -> Self {
        SerialBelow {
            untimed: AtomicUsize::new(0),
            timed: AtomicUsize::new(0),
            timed_when_cold: AtomicUsize::new(0),
        }
    }

    pub(crate) fn set(&self, [untimed, timed, timed_when_cold]: [usize; 3]) {
        self.untimed.store(untimed, Ordering::Relaxed);
        self.timed.store(timed, Ordering::Relaxed);
        self.timed_when_cold.store(timed_when_cold, Ordering::Relaxed);
    }

    /// Calls of fewer items run without another thought.
    #[inline]
    pub(crate) fn untimed(&self) -> usize {
        self.untimed.load(Ordering::Relaxed)
    }

    /// Whether a call of `n` items runs without another thought.
    #[inline]
    pub(crate) fn is_untimed(&self, n: usize) -> bool {
        n < self.untimed()
    }

    /// Whether it runs serially without a decision where so many helpers are hot.
    pub(crate) fn is_certain_with(&self, n: usize, hot: impl FnOnce() -> usize) -> bool {
        n < self.timed.load(Ordering::Relaxed)
            || (n < self.timed_when_cold.load(Ordering::Relaxed) && hot() == 0)
    }

    /// Whether it would not do so if helpers were hot.
    pub(crate) fn is_missed(&self, n: usize) -> bool {
        n >= self.timed.load(Ordering::Relaxed) && n < self.timed_when_cold.load(Ordering::Relaxed)
    }
}

/// The numbers of items below which a call runs without another thought, between two looks at the clock, and so while no
/// helper is hot. From `doubted_from` items on, what keeps calls from crews is doubted.
pub(crate) fn serial_below(
    facts: &LoopFacts,
    machine: &MachineFacts,
    limits: &Limits,
    doubted_from: Option<usize>,
) -> [usize; 3] {
    let short = facts.items_in(CHECKPOINT_FROM_NS);
    let below = |facts: &LoopFacts, hot| {
        model::break_even_within(short, facts, machine, limits, hot).unwrap_or(short)
    };
    let by_profile = below(facts, HOT);
    let (timed, when_cold) = match doubted_from {
        None => (by_profile, below(facts, 0)),
        Some(from) => {
            let at_best = below(&model::without_losses(*facts), HOT);
            let timed = at_best.max(from).min(by_profile);
            (timed, timed)
        }
    };
    [timed.min(facts.items_in(TIMED_FROM_NS)), timed, when_cold]
}

/// The same as far as a profile knows, whatever the machine: with the smallest number over its machines, so that programs whose
/// calls stay below it never ask which machine they are on.
pub(crate) fn embedded_serial_below(
    entries: impl Iterator<Item = &'static Profiled>,
) -> [usize; 3] {
    let short = |entry: &Profiled| entry.parallel_from.min(entry.item.items_in(TIMED_FROM_NS));
    let untimed = entries.map(short).min().unwrap_or(0);
    [untimed, untimed, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of these calls, known to take 1 ns, surprise.
    fn surprises<const N: usize>(busy_ns: [f64; N]) -> [bool; N] {
        let thresholds = Thresholds::new();
        busy_ns.map(|busy_ns| thresholds.are_surprised(busy_ns, 1.0))
    }

    #[test]
    fn the_second_of_two_calls_that_both_are_dearer_or_both_cheaper_surprises() {
        assert_eq!(surprises([9.0, 9.0, 9.0]), [false, true, true]);
        assert_eq!(surprises([0.1, 0.1]), [false, true]);
        assert_eq!(surprises([9.0, 0.1, 9.0]), [false; 3]);
    }

    #[test]
    fn calls_of_another_kind_in_between_do_not_hide_it_and_interruptions_are_forgotten() {
        assert_eq!(surprises([9.0, 1.0, 9.0]), [false, false, true]);
        assert_eq!(surprises([9.0, 1.0, 1.0, 9.0]), [false; 4]);
    }
}
