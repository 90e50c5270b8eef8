//! How a thread spends a span of time: computing, ready to run without a processor, or blocked.
//!
//! Processor time divided by wall time cannot tell waiting for a file from waiting for a processor. So the time
//! that a thread waited in the run queue is taken off: `blocked = wall − cpu − run-queue wait`. Linux counts
//! both in `/proc/thread-self/schedstat`; elsewhere nothing is measured.

use std::cell::Cell;
use std::time::{Duration, Instant};

use amorsize_profile::Usage;

/// Spans shorter than this are not worth the price of looking twice, about 6 µs each.
pub(super) const SHORTEST: Duration = Duration::from_micros(250);

/// What the system has counted for a thread since it was started.
#[derive(Clone, Copy, Debug)]
struct Counters {
    cpu_ns: u64,
    /// Ready to run, without a processor.
    queued_ns: u64,
    /// How often it was given a processor.
    turns: u64,
}

impl Counters {
    /// `None` for what is not three numbers, and for the zeros of a kernel that does not count.
    #[cfg(any(target_os = "linux", test))]
    fn parse(schedstat: &str) -> Option<Self> {
        let mut numbers = schedstat.split_ascii_whitespace().map(|number| number.parse().ok());
        let mut next = || numbers.next().flatten();
        let counters = Counters { cpu_ns: next()?, queued_ns: next()?, turns: next()? };
        (counters.cpu_ns > 0).then_some(counters)
    }

    /// How the time between `self` and `after` was spent, which are `wall` apart.
    fn until(self, after: Counters, wall: Duration) -> Usage {
        let cpu_ns = after.cpu_ns.saturating_sub(self.cpu_ns) as f64;
        let queued_ns = after.queued_ns.saturating_sub(self.queued_ns) as f64;
        // A thread that never left its processor did not wait: what is missing of the processor time went to
        // interrupts or to the hypervisor.
        let left = after.turns != self.turns;
        let blocked_ns = if left { wall.as_nanos() as f64 - cpu_ns - queued_ns } else { 0.0 };
        Usage { cpu_ns, blocked_ns: blocked_ns.max(0.0) }
    }
}

/// Watches the calling thread from here on.
#[derive(Debug)]
pub(super) struct Meter {
    before: Counters,
    start: Instant,
    handed_over: u64,
}

impl Meter {
    /// `None` where the system does not tell.
    pub(super) fn start() -> Option<Self> {
        let before = counters()?;
        Some(Meter { before, start: Instant::now(), handed_over: HANDED_OVER.get() })
    }

    /// What became of the time since the start; `None` of too short a time, and if some of it passed in waiting
    /// for other threads to run a loop within an item.
    pub(super) fn stop(self) -> Option<Usage> {
        if self.start.elapsed() < SHORTEST || self.handed_over != HANDED_OVER.get() {
            return None;
        }
        let after = counters()?;
        Some(self.before.until(after, self.start.elapsed()))
    }
}

thread_local! {
    static HANDED_OVER: Cell<u64> = const { Cell::new(0) };
}

/// Notes that the calling thread is about to share a loop with others.
pub(super) fn note_handed_over() {
    HANDED_OVER.set(HANDED_OVER.get().wrapping_add(1));
}

#[cfg(target_os = "linux")]
fn counters() -> Option<Counters> {
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    thread_local! {
        // Opening them takes as long as everything else here.
        static FILES: Option<(File, File)> =
            File::open("/proc/self/stat").ok().zip(File::open("/proc/thread-self/schedstat").ok());
    }
    let read = |files: &Option<(File, File)>| {
        let (stat, schedstat) = files.as_ref()?;
        let mut text = [0; 1024];
        // The kernel adds up the processor time of a running thread at clock ticks, up to 10 ms apart. Reading
        // the times of the process brings that of the calling thread up to date.
        stat.read_at(&mut text, 0).ok()?;
        let length = schedstat.read_at(&mut text, 0).ok()?;
        Counters::parse(std::str::from_utf8(&text[..length]).ok()?)
    };
    // A thread that is ending has no files any more.
    FILES.try_with(read).ok().flatten()
}

#[cfg(not(target_os = "linux"))]
fn counters() -> Option<Counters> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skip::skip;

    const WALL: Duration = Duration::from_micros(100);

    fn usage(before: &str, after: &str) -> (f64, f64) {
        let counters = |text| Counters::parse(text).expect("three numbers");
        let Usage { cpu_ns, blocked_ns } = counters(before).until(counters(after), WALL);
        (cpu_ns, blocked_ns)
    }

    #[test]
    fn what_is_neither_computed_nor_spent_in_the_queue_is_blocked() {
        assert_eq!(usage("1000 50 3\n", "31000 50 4\n"), (30_000.0, 70_000.0));
        // Beside other work: half of the time in the queue is no waiting.
        assert_eq!(usage("1000 50 3\n", "51000 50050 9\n"), (50_000.0, 0.0));
        assert_eq!(usage("1000 0 3\n", "21000 30000 9\n"), (20_000.0, 50_000.0));
    }

    #[test]
    fn a_thread_that_kept_its_processor_was_not_blocked() {
        assert_eq!(usage("1000 0 3\n", "71000 0 3\n"), (70_000.0, 0.0));
        // Counters are read one after the other and may add up to a little more than passed.
        assert_eq!(usage("1000 0 3\n", "102000 0 4\n"), (101_000.0, 0.0));
    }

    #[test]
    fn a_kernel_that_does_not_count_tells_nothing() {
        for text in ["0 0 0\n", "", "1 2", "1 x 3", "-1 2 3"] {
            assert!(Counters::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_span_is_not_measured_if_it_is_short_or_was_shared_with_others() {
        let Some(meter) = Meter::start() else {
            return skip("the system does not tell how threads spend their time");
        };
        note_handed_over();
        std::thread::sleep(SHORTEST);
        assert_eq!(meter.stop(), None);
        // An interruption makes any span long.
        let is_short = |_| Meter::start().is_some_and(|meter| meter.stop().is_none());
        assert!((0..1_000).any(is_short));
    }
}
