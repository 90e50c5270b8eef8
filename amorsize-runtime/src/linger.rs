//! Helpers that stay: a thread of the pool that has helped with a call waits a moment for the next one of the same caller, and
//! is there within a fraction of a microsecond.
//!
//! It stays only where calls follow one another closely, and so shortly that what else the pool has to do need not be
//! looked after meanwhile.

use std::sync::atomic::Ordering;

use crate::handover::{Desk, Ticket};
use crate::pool;

/// How long helpers stay, in nanoseconds, where the last call was no longer ago than that.
const STAY_NS: u64 = 10_000;
/// Looks at the desk between two at the clock.
const LOOKS_PER_TIME: u32 = 16;

/// Notes that a call of this desk begins now.
pub(crate) fn begin(desk: &Desk, now_ns: u64) {
    let gap_ns = now_ns.saturating_sub(desk.ended_ns.load(Ordering::Relaxed));
    stay(desk, if gap_ns < STAY_NS { STAY_NS } else { 0 });
}

/// Notes that it has ended.
pub(crate) fn end(desk: &Desk, now_ns: u64) {
    desk.ended_ns.store(now_ns, Ordering::Relaxed);
}

/// How long helpers stay after this call.
pub(crate) fn stay(desk: &Desk, ns: u64) {
    // Mostly as before, and then helpers that look at the desk need not hear of it.
    if desk.stay_ns.load(Ordering::Relaxed) != ns {
        desk.stay_ns.store(ns, Ordering::Relaxed);
    }
}

/// Starts a helper on this thread of a pool.
pub(crate) fn redeem(ticket: Ticket) {
    let mut until_ns = 0;
    ticket.redeem(|desk, looks| {
        let stay_ns = desk.stay_ns.load(Ordering::Relaxed);
        match looks {
            // The caller waits for it to leave.
            0 => stay_ns > 0,
            1 => {
                until_ns = pool::now_ns() + stay_ns;
                true
            }
            _ => looks % LOOKS_PER_TIME != 0 || pool::now_ns() < until_ns,
        }
    });
}
