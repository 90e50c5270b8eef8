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
/// How long they wait at most while a call goes on that they are done with, if they have worked for as long: the caller reduces
/// what they came to, and calls again soon after. Who has worked for a short while stays for no longer than that.
const REDUCING_NS: u64 = 200_000;
/// How long they wait before they look after other work, and then again. It takes a microsecond or two, in which a call would
/// wait for them.
const TURN_NS: u64 = 10_000;
/// In place of the time when a desk's last call ended, while one runs. After one that panicked, too.
const RUNNING: u64 = 0;
/// Looks at the desk between two at the clock.
const LOOKS_PER_TIME: u32 = 16;

/// Notes that a call of this desk begins now.
pub(crate) fn begin(desk: &Desk, now_ns: u64) {
    let gap_ns = now_ns.saturating_sub(desk.ended_ns.load(Ordering::Relaxed));
    // Without a clock they would never go home.
    stay(desk, if clock::TICKS && gap_ns < STAY_NS { STAY_NS } else { 0 });
    desk.ended_ns.store(RUNNING, Ordering::Relaxed);
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
        ticket.redeem(&mut Staying::from(pool::now_ns()));
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
    /// When it looked at the clock last.
    looked_ns: u64,
    /// When it leaves, as far as it knows, and whether that is certain.
    until_ns: u64,
    is_certain: bool,
    /// When it leaves even if the call goes on.
    at_last_ns: u64,
    /// When it looks after other work next.
    turn_until_ns: u64,
}

impl Staying {
    /// One that begins to work.
    fn from(now_ns: u64) -> Self {
        Staying { looked_ns: now_ns, ..Staying::default() }
    }

    /// Has done its work of a call.
    fn begin_to_wait(&mut self, now_ns: u64) {
        let worked_ns = now_ns - self.looked_ns;
        self.until_ns = now_ns + self.stay_ns;
        self.at_last_ns = self.until_ns.max(now_ns + worked_ns.min(REDUCING_NS));
        self.turn_until_ns = now_ns + TURN_NS;
    }

    /// Whether it has stayed for long enough. It looks no sooner than it has to at what the caller writes, and no more once the call
    /// has ended: later ones that do not call it are none of its business.
    fn is_over(&mut self, desk: &Desk, now_ns: u64) -> bool {
        if now_ns >= self.until_ns && !self.is_certain {
            let ended_ns = desk.ended_ns.load(Ordering::Relaxed);
            self.is_certain = ended_ns != RUNNING;
            self.until_ns = match ended_ns {
                RUNNING => self.at_last_ns.min(now_ns + self.stay_ns),
                ended_ns => ended_ns + self.stay_ns,
            };
        }
        now_ns >= self.until_ns
    }
}

impl Linger for Staying {
    fn begins(&mut self, desk: &Desk) -> bool {
        // The caller waits for this.
        *self = Staying::from(self.looked_ns);
        self.stay_ns = desk.stay_ns.0.load(Ordering::Relaxed);
        self.stay_ns > 0
    }

    fn goes_on(&mut self, desk: &Desk) -> bool {
        let is_first = self.looks == 0;
        self.looks = self.looks.wrapping_add(1);
        if self.looks % LOOKS_PER_TIME != 1 {
            return true;
        }
        let now_ns = pool::now_ns();
        if is_first {
            self.begin_to_wait(now_ns);
        }
        self.looked_ns = now_ns;
        if now_ns < self.turn_until_ns {
            return true;
        }
        self.turn_until_ns = now_ns + TURN_NS;
        // Who has found other work is not needed here, or was not.
        !self.is_over(desk, now_ns) && rayon::yield_now() != Some(rayon::Yield::Executed)
    }
}

/// A helper that does not.
pub(crate) struct Leaving;

impl Linger for Leaving {
    fn begins(&mut self, _: &Desk) -> bool {
        false
    }

    fn goes_on(&mut self, _: &Desk) -> bool {
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
        let mut staying = Staying::from(pool::now_ns());
        assert!(!staying.begins(&desk));
        stay(&desk, STAY_NS);
        assert!(staying.begins(&desk));
        let start_ns = pool::now_ns();
        while staying.goes_on(&desk) {}
        assert!(pool::now_ns() - start_ns >= STAY_NS);
    }

    /// How long a helper stays that has worked for so long, if the call ends so much later than its work.
    fn stays_ns(worked_ns: u64, end_ns: Option<u64>) -> u64 {
        const START_NS: u64 = 1_000_000_000;
        let desk = Desk::new(1);
        end(&desk, START_NS);
        begin(&desk, START_NS + 1);
        let mut staying = Staying::from(START_NS);
        assert!(staying.begins(&desk));
        let done_ns = START_NS + worked_ns;
        staying.begin_to_wait(done_ns);
        let mut passed_ns = 0;
        while !staying.is_over(&desk, done_ns + passed_ns) {
            passed_ns += 1_000;
            if end_ns.is_some_and(|end_ns| passed_ns >= end_ns) {
                end(&desk, done_ns + end_ns.unwrap_or(0));
            }
        }
        passed_ns
    }

    #[test]
    fn helpers_stay_while_the_caller_reduces_what_they_came_to() {
        // The caller takes 60 us longer than a helper that has worked for a millisecond.
        assert_eq!(stays_ns(1_000_000, Some(60_000)), 60_000 + STAY_NS);
        assert_eq!(stays_ns(1_000_000, Some(1_000)), 1_000 + STAY_NS);
        // It takes longer than it is worth.
        assert_eq!(stays_ns(1_000_000, None), REDUCING_NS);
        assert_eq!(stays_ns(70_000, None), 70_000);
        assert_eq!(stays_ns(1_000, None), STAY_NS);
    }

    #[test]
    fn helpers_do_not_stay_for_calls_of_others() {
        let desk = Desk::new(1);
        stay(&desk, STAY_NS);
        let mut staying = Staying::from(0);
        assert!(staying.begins(&desk));
        staying.begin_to_wait(1_000_000);
        let after_ns = |passed_ns: u64| 1_000_000 + passed_ns;
        let mut is_over = |passed_ns| {
            end(&desk, after_ns(passed_ns));
            staying.is_over(&desk, after_ns(passed_ns))
        };
        let left_ns = (0..).step_by(1_000).find(|&passed_ns| is_over(passed_ns));
        assert!(left_ns <= Some(2 * STAY_NS), "{left_ns:?}");
    }
}
