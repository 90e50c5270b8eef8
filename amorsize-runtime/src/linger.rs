//! Helpers that stay: a thread of the pool that has helped with a call waits a while for the next one of the same caller, and
//! is there within a fraction of a microsecond.
//!
//! A thread of the pool looks for work for about as long before it sleeps. It finds any, from wherever it comes, but as
//! one of many who look at the same places: with each helper that is to come, a call takes a microsecond longer. One that stays
//! looks after the pool's other work from time to time, and goes home if it finds any. It stays only where calls follow one
//! another closely.

use std::cell::Cell;
use std::sync::atomic::Ordering;

use crate::clock;
use crate::handover::{Desk, Linger, Ticket};
use crate::pool;

/// How long helpers stay, in nanoseconds, where the last call was no longer ago than that. About as long as a cold helper
/// takes to come: to wait for longer than that in vain is dearer than to be cold.
pub(crate) const STAY_NS: u64 = 40_000;
/// How long they wait before they look after other work, and then again. It takes a microsecond or two, in which a call would
/// wait for them.
const TURN_NS: u64 = 10_000;
/// Looks at the desk between two at the clock.
const LOOKS_PER_TIME: u32 = 16;

/// Notes that a call of this desk begins now.
pub(crate) fn begin(desk: &Desk, now_ns: u64) {
    let gap_ns = now_ns.saturating_sub(desk.ended_ns.load(Ordering::Relaxed));
    // Without a clock they would never go home.
    stay(desk, if clock::TICKS && gap_ns < STAY_NS { STAY_NS } else { 0 });
}

/// Notes that it has ended.
pub(crate) fn end(desk: &Desk, now_ns: u64) {
    desk.ended_ns.store(now_ns, Ordering::Relaxed);
}

/// How long helpers stay after this call.
pub(crate) fn stay(desk: &Desk, ns: u64) {
    // Mostly as before, and then helpers that look at the desk need not hear of it.
    if desk.stay_ns.0.load(Ordering::Relaxed) != ns {
        desk.stay_ns.0.store(ns, Ordering::Relaxed);
    }
}

/// Starts a helper on this thread of rayon's pool.
#[inline(never)]
pub(crate) fn redeem(ticket: Ticket) {
    if is_outermost() {
        ticket.redeem(&mut Staying::default());
    } else {
        ticket.redeem(&mut Leaving);
    }
}

thread_local! {
    /// The address of the outermost frame of [`redeem`] so far.
    static OUTERMOST: Cell<usize> = const { Cell::new(0) };
}

/// Whether this thread has nothing else to do: one that waits for something, in a `join` say, takes jobs meanwhile too, but
/// must not let that wait for it. Its stack is deeper then. Wrong at most until a thread has been idle once.
#[inline(never)]
fn is_outermost() -> bool {
    let frame = 0_u8;
    let address = std::ptr::from_ref(std::hint::black_box(&frame)).addr();
    // Stacks grow downwards.
    let is_outermost = address >= OUTERMOST.get();
    if is_outermost {
        OUTERMOST.set(address);
    }
    is_outermost
}

/// A helper that stays.
#[derive(Default)]
struct Staying {
    stay_ns: u64,
    looks: u32,
    /// When it leaves, and when it looks after other work next; 0 until it has looked for the first time.
    until_ns: u64,
    turn_until_ns: u64,
}

impl Linger for Staying {
    fn begins(&mut self, desk: &Desk) -> bool {
        // The caller waits for this.
        *self = Staying { stay_ns: desk.stay_ns.0.load(Ordering::Relaxed), ..Staying::default() };
        self.stay_ns > 0
    }

    fn goes_on(&mut self) -> bool {
        let is_first = self.looks == 0;
        self.looks = self.looks.wrapping_add(1);
        if self.looks % LOOKS_PER_TIME != 1 {
            return true;
        }
        let now_ns = pool::now_ns();
        if is_first {
            self.until_ns = now_ns + self.stay_ns;
            self.turn_until_ns = now_ns + TURN_NS;
        }
        if now_ns < self.turn_until_ns {
            return true;
        }
        self.turn_until_ns = now_ns + TURN_NS;
        // Who has found other work is not needed here, or was not.
        now_ns < self.until_ns && rayon::yield_now() != Some(rayon::Yield::Executed)
    }
}

/// A helper that does not.
pub(crate) struct Leaving;

impl Linger for Leaving {
    fn begins(&mut self, _: &Desk) -> bool {
        false
    }

    fn goes_on(&mut self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(never)]
    fn deeper() -> bool {
        // Not a tail call, which would have no frame.
        std::hint::black_box(is_outermost())
    }

    #[test]
    fn a_thread_that_takes_jobs_while_it_waits_is_not_at_its_outermost() {
        let seen = std::thread::spawn(|| (is_outermost(), deeper(), is_outermost())).join();
        assert_eq!(seen.unwrap(), (true, false, true));
    }

    #[test]
    fn helpers_stay_where_calls_follow_one_another() {
        let desk = Desk::new(1);
        let stay_ns = || desk.stay_ns.0.load(Ordering::Relaxed);
        begin(&desk, 10 * STAY_NS);
        assert_eq!(stay_ns(), 0);
        end(&desk, 11 * STAY_NS);
        begin(&desk, 12 * STAY_NS - 1);
        assert_eq!(stay_ns(), STAY_NS);
        begin(&desk, 12 * STAY_NS);
        assert_eq!(stay_ns(), 0);
    }

    #[test]
    fn one_that_stays_looks_after_other_work_and_goes_in_the_end() {
        let desk = Desk::new(1);
        let mut staying = Staying::default();
        assert!(!staying.begins(&desk));
        stay(&desk, STAY_NS);
        assert!(staying.begins(&desk));
        let start_ns = pool::now_ns();
        while staying.goes_on() {}
        assert!(pool::now_ns() - start_ns >= STAY_NS);
    }
}
