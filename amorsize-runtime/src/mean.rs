//! Means that forget. Each field is updated by itself, without locks: a call that reads a mean of one moment and a count
//! of the next decides no worse.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A mean forgets values older than about this many.
pub(crate) const MEMORY: u32 = 32;

/// One call may be interrupted: it counts as at most so many times the mean.
pub(crate) const AT_MOST: f64 = 2.0;

/// A mean of the last values, more or less.
#[derive(Debug)]
pub(crate) struct Mean {
    /// The bits of an `f64`.
    value: AtomicU64,
    /// How many values are behind it; less than [`MEMORY`].
    calls: AtomicU32,
}

impl Mean {
    pub(crate) const fn new() -> Self {
        Mean { value: AtomicU64::new(0), calls: AtomicU32::new(0) }
    }

    /// The mean and the number of values behind it, if there were any.
    pub(crate) fn get(&self) -> Option<(f64, f64)> {
        let calls = self.calls.load(Ordering::Relaxed);
        (calls > 0).then(|| (f64::from_bits(self.value.load(Ordering::Relaxed)), f64::from(calls)))
    }

    /// Adds a value of which much may be an interruption.
    pub(crate) fn add_typical(&self, value: f64) {
        let most = self.get().map_or(f64::INFINITY, |(mean, _)| AT_MOST * mean);
        self.add(value.min(most), 1.0);
    }

    /// Adds a value with a weight of at most 1.
    pub(crate) fn add(&self, value: f64, weight: f64) {
        let (mean, calls) = match self.get() {
            None => (value, 0.0),
            Some((mean, calls)) => (mean + (value - mean) * weight / (calls + weight), calls),
        };
        self.value.store(mean.to_bits(), Ordering::Relaxed);
        self.calls.store((calls as u32 + 1).min(MEMORY - 1), Ordering::Relaxed);
    }

    /// Forgets all values.
    pub(crate) fn reset(&self) {
        self.calls.store(0, Ordering::Relaxed);
    }
}
