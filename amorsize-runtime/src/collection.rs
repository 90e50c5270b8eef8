//! What is done with the parts of a collection once all items are done.
//!
//! Rayon appends the parts to each other, or looks for an error, after the call of the loop has returned. It belongs to the
//! call all the same: a parallel one makes more parts. So what a call took is told only once its collection is complete, and
//! as many workers as it had may put the parts together. Of a loop with the option `on_pool`, called from outside the pool, neither holds: its
//! call is another thread's.

use std::cell::Cell;

use crate::loops::Loop;
use crate::pool;

/// Says what a call took, in nanoseconds.
type Tell = Box<dyn FnOnce(f64)>;

thread_local! {
    /// What this thread collects from.
    static COLLECTED: Cell<Option<Collected>> = const { Cell::new(None) };
    /// When its call ended, what it took so far, and who is to be told.
    static ENDED: Cell<Option<(u64, f64, Tell)>> = const { Cell::new(None) };
}

/// A call that is collected from.
#[derive(Clone, Copy)]
struct Collected {
    target: &'static Loop,
    /// Of its crew, if it has had one.
    workers: usize,
}

/// Collects the items of a call of `target`.
#[inline]
pub(crate) fn collect<C>(target: &'static Loop, collect: impl FnOnce() -> C) -> C {
    let _collecting = Collecting::begin(target);
    let collection = collect();
    // A thread that is ending tells nothing.
    if let Ok(Some((end_ns, wall_ns, tell))) = ENDED.try_with(Cell::take) {
        tell(wall_ns + pool::now_ns().saturating_sub(end_ns) as f64);
    }
    collection
}

/// Says that a call of `target` that has just ended took so long: now, or with what comes after it.
pub(crate) fn tell(target: &'static Loop, wall_ns: f64, tell: impl FnOnce(f64) + 'static) {
    if collected_from(target).is_some() {
        let ended: (_, _, Tell) = (pool::now_ns(), wall_ns, Box::new(tell));
        let _ = ENDED.try_with(|place| place.set(Some(ended)));
    } else {
        tell(wall_ns);
    }
}

/// Notes that a call of `target` has a crew of so many workers.
pub(crate) fn note_crew(target: &'static Loop, workers: usize) {
    if let Some(collected) = collected_from(target) {
        let _ = COLLECTED.try_with(|place| place.set(Some(Collected { workers, ..collected })));
    }
}

/// How many workers the call had that this thread collects from.
pub(crate) fn workers() -> usize {
    let collected = COLLECTED.try_with(Cell::get).unwrap_or_default();
    collected.map_or(1, |collected| collected.workers)
}

fn collected_from(target: &'static Loop) -> Option<Collected> {
    let collected = COLLECTED.try_with(Cell::get).unwrap_or_default();
    collected.filter(|collected| std::ptr::eq(collected.target, target))
}

/// Until this is dropped, this thread collects from a call.
struct Collecting {
    /// What it collects from after that, one of whose items this is.
    outer: Option<Collected>,
}

impl Collecting {
    #[inline]
    fn begin(target: &'static Loop) -> Self {
        let outer = COLLECTED
            .try_with(|collected| collected.replace(Some(Collected { target, workers: 1 })));
        Collecting { outer: outer.unwrap_or_default() }
    }
}

impl Drop for Collecting {
    #[inline]
    fn drop(&mut self) {
        let _ = COLLECTED.try_with(|collected| collected.set(self.outer));
        // A collection that panics tells nothing.
        let _ = ENDED.try_with(Cell::take);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::options::Options;

    static OUTER: Loop = Loop::new("outer", Options::NONE, &[]);
    static INNER: Loop = Loop::new("inner", Options::NONE, &[]);

    /// What was told of a call that took a nanosecond.
    fn told(target: &'static Loop, told: &'static AtomicU64) {
        tell(target, 1.0, |wall_ns| told.store(wall_ns as u64, Ordering::Relaxed));
    }

    #[test]
    fn what_comes_after_a_call_counts_as_part_of_it() {
        static PLAIN: AtomicU64 = AtomicU64::new(0);
        told(&OUTER, &PLAIN);
        assert_eq!(PLAIN.load(Ordering::Relaxed), 1);
        static COLLECTED_FROM: AtomicU64 = AtomicU64::new(0);
        let _outer = Collecting::begin(&OUTER);
        collect(&INNER, || {
            told(&INNER, &COLLECTED_FROM);
            assert_eq!(COLLECTED_FROM.load(Ordering::Relaxed), 0);
            std::thread::sleep(Duration::from_millis(2));
        });
        assert!(COLLECTED_FROM.load(Ordering::Relaxed) > 2_000_000);
        // Nothing is waited for any more, and calls of others than the loop that is collected from are told at once.
        static AFTERWARDS: AtomicU64 = AtomicU64::new(0);
        told(&INNER, &AFTERWARDS);
        assert_eq!(AFTERWARDS.load(Ordering::Relaxed), 1);
    }
}
