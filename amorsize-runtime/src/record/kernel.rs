//! Samples of kernels: calls that no loop here makes, each measured as a call of one item.
//!
//! Most kernels are short. So nothing here may ask the system anything but the time before earlier samples have
//! shown that a kernel is long.

use std::time::{Duration, Instant};

use amorsize_profile::Usage;

use super::memory::Taken;
use super::meter::{Meter, SHORTEST};
use crate::allocator::{Window, is_installed};

/// Samples of one kernel at most.
const SAMPLES: usize = 1_000;
/// Of so many samples of a long kernel one is metered.
const METERED: usize = 3;

/// The samples of one kernel so far.
#[derive(Debug, Default)]
pub(super) struct Samples {
    started: usize,
    ended: u32,
    /// What all but the first one took: that one may have set things up.
    later: Duration,
    /// The memory that they took.
    taken: Taken,
}

impl Samples {
    /// Whether to meter the next call, if it is to be a sample at all.
    pub(super) fn next(&mut self) -> Option<bool> {
        if self.started >= SAMPLES {
            return None;
        }
        self.started += 1;
        Some(self.started % METERED == 0 && self.are_long())
    }

    /// Whether they are worth the price of the meter.
    fn are_long(&self) -> bool {
        let later = self.ended.saturating_sub(1);
        later > 0 && self.later >= SHORTEST * later
    }

    /// Also what an item takes at its peak, as far as the tracking allocator tells.
    pub(super) fn add(&mut self, time: Duration, taken: Taken) -> Option<u64> {
        if self.ended > 0 {
            self.later += time;
        }
        self.ended += 1;
        self.taken.add_all(taken);
        self.taken.task_bytes()
    }

    /// There are none any more.
    pub(super) fn end(&mut self) {
        self.started = SAMPLES;
    }
}

/// A call that is measured, by the thread that makes it.
#[derive(Debug)]
pub(crate) struct Sampled {
    meter: Option<Meter>,
    /// Where the tracking allocator tells.
    window: Option<Window>,
    start: Instant,
}

/// What a sample took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Took {
    pub(super) time: Duration,
    pub(super) taken: Taken,
    pub(super) usage: Option<Usage>,
}

impl Sampled {
    pub(super) fn start(metered: bool) -> Self {
        let meter = if metered { Meter::start() } else { None };
        let window = is_installed().then(Window::open);
        Sampled { meter, window, start: Instant::now() }
    }

    pub(super) fn end(self) -> Took {
        let time = self.start.elapsed();
        let mut taken = Taken::default();
        if let Some(window) = &self.window {
            taken.add(window, 1);
        }
        Took { time, taken, usage: self.meter.and_then(Meter::stop) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the samples of a kernel that takes these times are metered.
    fn metered(times: impl IntoIterator<Item = Duration>) -> Vec<bool> {
        let mut samples = Samples::default();
        let sample = |time| {
            let metered = samples.next();
            samples.add(time, Taken::default());
            metered
        };
        times.into_iter().map_while(sample).collect()
    }

    #[test]
    fn every_third_sample_of_a_long_kernel_is_metered() {
        let expected = [false, false, true, false, false, true, false];
        assert_eq!(metered([SHORTEST; 7]), expected);
    }

    #[test]
    fn a_short_kernel_is_not_metered_however_long_the_first_sample_took() {
        let short = SHORTEST - Duration::from_nanos(1);
        let first_is_long = [Duration::from_secs(1)].into_iter().chain([short; 20]);
        assert_eq!(metered(first_is_long), [false; 21]);
    }

    #[test]
    fn a_kernel_is_long_if_its_samples_are_on_average() {
        let mostly_short = [0, 1, 1, 1, 20, 1].map(|n| SHORTEST * n / 2);
        assert_eq!(metered(mostly_short), [false, false, false, false, false, true]);
    }

    #[test]
    fn there_is_an_end_to_samples() {
        assert_eq!(metered([SHORTEST; SAMPLES + 5]).len(), SAMPLES);
        let mut samples = Samples::default();
        assert_eq!(samples.next(), Some(false));
        samples.end();
        samples.add(SHORTEST, Taken::default());
        assert_eq!(samples.next(), None);
    }

    #[test]
    fn a_kernel_takes_the_most_that_passes_and_what_a_sample_leaves_on_average() {
        // The tests of this crate allocate through the tracking allocator.
        let bytes = |size| std::hint::black_box(vec![1_u8; size]);
        let mut kept = Vec::with_capacity(4);
        let mut samples = Samples::default();
        let mut sample = |passing, left| {
            let sampled = Sampled::start(false);
            drop(bytes(passing));
            kept.push(bytes(left));
            let Took { time, taken, usage } = sampled.end();
            assert_eq!(usage, None);
            samples.add(time, taken)
        };
        let peaks = [(5_000, 0), (9_000, 0), (0, 300), (0, 100)].map(|(a, b)| sample(a, b));
        assert_eq!(peaks, [5_000, 9_000, 9_100, 9_100].map(Some));
    }
}
