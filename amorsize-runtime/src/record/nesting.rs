//! Loops within the items of loops.
//!
//! Measured all at once they would measure each other: items in which another loop tries its settings, and inner calls
//! on a machine that the outer loop keeps busy. So while a call is measured, the loops that its items call run as its
//! setting asks and write nothing. Every second call of such an outer loop is theirs: it runs serially and is not
//! measured.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use amorsize_profile::Setting;

/// How a loop within an item of a measured call runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inner {
    /// On its caller: what is measured is a serial run.
    Serial,
    /// As rayon would.
    Rayon,
    /// By its own plan, on the workers that the outer loop leaves.
    Planned,
}

impl Inner {
    /// Within items that run under `setting`.
    pub(super) fn of(setting: Setting) -> Self {
        match setting {
            Setting::Serial => Inner::Serial,
            Setting::Rayon => Inner::Rayon,
            Setting::Parallel { .. } | Setting::Tuned { .. } => Inner::Planned,
        }
    }

    /// The setting of the inner call.
    pub(super) fn setting(self) -> Setting {
        match self {
            Inner::Serial => Setting::Serial,
            Inner::Rayon => Setting::Rayon,
            Inner::Planned => Setting::Tuned { workers: 1, chunk: 1, predicted_ns: 0 },
        }
    }

    const ALL: [Inner; 3] = [Inner::Serial, Inner::Rayon, Inner::Planned];
}

/// Calls that are measured at the moment, and how loops within the last one of them run. Threads that call loops
/// independently of each other disturb each other's measurements anyway.
static MEASURED: AtomicUsize = AtomicUsize::new(0);
static INNER: AtomicUsize = AtomicUsize::new(0);
/// A loop was called within an item.
static IS_NESTED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// A call by this thread is measured.
    static MEASURES: Cell<bool> = const { Cell::new(false) };
}

/// How a call by this thread runs, if it is made within an item of a call that is measured: its caller is the caller
/// of that one, or a thread of the pool.
pub(super) fn within_item() -> Option<Inner> {
    let measures = MEASURES.try_with(Cell::get).unwrap_or(false);
    let may_be = measures || rayon::current_thread_index().is_some();
    if !may_be || MEASURED.load(Ordering::Relaxed) == 0 {
        return None;
    }
    IS_NESTED.store(true, Ordering::Relaxed);
    Some(Inner::ALL[INNER.load(Ordering::Relaxed)])
}

/// The measured call itself, until it is dropped.
pub(super) struct Measured;

impl Measured {
    /// Loops within its items run like this.
    pub(super) fn start(inner: Inner) -> Self {
        INNER.store(inner as usize, Ordering::Relaxed);
        IS_NESTED.store(false, Ordering::Relaxed);
        MEASURED.fetch_add(1, Ordering::Relaxed);
        let _ = MEASURES.try_with(|measures| measures.set(true));
        Measured
    }

    /// Whether there were any.
    pub(super) fn has_inner_loops(&self) -> bool {
        IS_NESTED.load(Ordering::Relaxed)
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        MEASURED.fetch_sub(1, Ordering::Relaxed);
        let _ = MEASURES.try_with(|measures| measures.set(false));
    }
}

/// Whose turn the calls of a loop are.
#[derive(Debug, Default)]
pub(super) struct Turns {
    has_inner_loops: bool,
    is_theirs: bool,
}

impl Turns {
    /// Whether the next call is left to the loops within its items.
    pub(super) fn next_is_theirs(&mut self) -> bool {
        self.is_theirs = self.has_inner_loops && !self.is_theirs;
        self.is_theirs
    }

    pub(super) fn note(&mut self, has_inner_loops: bool) {
        self.has_inner_loops |= has_inner_loops;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_call_is_left_to_inner_loops_once_there_are_any() {
        let mut turns = Turns::default();
        assert!((0..3).all(|_| !turns.next_is_theirs()));
        turns.note(true);
        turns.note(false);
        assert_eq!([(); 4].map(|()| turns.next_is_theirs()), [true, false, true, false]);
    }

    #[test]
    fn calls_are_within_an_item_while_their_thread_measures_one() {
        assert_eq!(within_item(), None);
        let measured = Measured::start(Inner::of(Setting::Parallel { workers: 2, chunk: 1 }));
        assert!(!measured.has_inner_loops());
        assert_eq!(within_item(), Some(Inner::Planned));
        assert!(measured.has_inner_loops());
        // A thread that is not of the pool has nothing to do with it.
        std::thread::scope(|scope| scope.spawn(|| assert_eq!(within_item(), None)).join().unwrap());
        drop(measured);
        assert_eq!(within_item(), None);
    }
}
