//! Which calls are measured of those that need not be: a few, chosen at random.

use std::cell::Cell;
use std::thread::LocalKey;

/// One call in this many that take the fast path is measured all the same, on average.
pub(crate) const SAMPLE_EVERY: u32 = 256;

/// One parallel call in this many, on average, times its reductions once they are known.
const TIME_EVERY: u32 = 16;

thread_local! {
    /// Counts calls on the fast path, of whatever loop.
    static CALLS: Cell<u32> = const { Cell::new(SAMPLE_EVERY) };
}

/// Whether this call, which would take the fast path, is measured. If so, [`schedule_call`] has to follow: done here, it
/// would cost all others two registers.
#[inline]
pub(crate) fn call_is_due() -> bool {
    is_due(&CALLS, SAMPLE_EVERY)
}

/// Says which call is measured next, if this one is.
pub(crate) fn schedule_call() {
    schedule(&CALLS, SAMPLE_EVERY);
}

/// Counts, up to a multiple of `2·every`, which is due. A thread that is ending has no counter any more, and nothing left to
/// learn. (To count down to zero is one instruction, but no faster.)
#[inline]
fn is_due(counter: &'static LocalKey<Cell<u32>>, every: u32) -> bool {
    let count = counter.try_with(|count| {
        count.set(count.get().wrapping_add(1));
        count.get()
    });
    count.is_ok_and(|count| count % (2 * every) == 0)
}

/// If one is due, lets the counter go on from anywhere before the next one: calls of several loops may come in an order that
/// repeats itself, and none of them is to be passed over for ever.
fn schedule(counter: &'static LocalKey<Cell<u32>>, every: u32) {
    let _ = counter.try_with(|count| {
        if count.get() % (2 * every) == 0 {
            count.set(random() % (2 * every));
        }
    });
}

/// Marsaglia's xorshift.
fn random() -> u32 {
    thread_local! {
        static STATE: Cell<u32> = const { Cell::new(1) };
    }
    let next = STATE.try_with(|state| {
        let mut x = state.get();
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        state.set(x);
        x
    });
    next.unwrap_or(1)
}

/// Whether a call times its reductions: as long as nobody knows what they take, and then from time to time.
pub(crate) fn reductions_are_due(reduce_ns: Option<f64>) -> bool {
    thread_local! {
        static CALLS: Cell<u32> = const { Cell::new(TIME_EVERY) };
    }
    if cfg!(feature = "record") || reduce_ns.is_none() {
        return true;
    }
    let is_due = is_due(&CALLS, TIME_EVERY);
    schedule(&CALLS, TIME_EVERY);
    is_due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_in_so_many_is_measured_and_of_two_loops_in_turns_each_as_often() {
        let calls = || {
            let is_measured = |_: &u32| {
                let is_due = call_is_due();
                schedule_call();
                is_due
            };
            (0..1_000 * SAMPLE_EVERY).filter(is_measured).collect::<Vec<u32>>()
        };
        // Nobody else has counted on a new thread.
        let measured = std::thread::spawn(calls).join().expect("it counts");
        let of_one_loop = measured.iter().filter(|&call| call % 2 == 0).count();
        assert!((900..1_100).contains(&measured.len()), "{}", measured.len());
        assert!((400..600).contains(&of_one_loop), "{of_one_loop}");
    }
}
