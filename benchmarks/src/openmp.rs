//! OpenMP, through the C compiler; absent where that has none.

#![allow(unsafe_code, reason = "calls C")]

use std::ffi::{c_int, c_void};
use std::sync::{Mutex, PoisonError};

/// The argument of OpenMP's `schedule`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schedule {
    Static,
    Dynamic,
    Guided,
}

/// Whether it was built in.
pub(crate) const IS_THERE: bool = cfg!(openmp);

/// Applies `map` to all pieces in one `parallel for` with so many threads; the results are in the order of the pieces.
pub(crate) fn map<P: Send, R: Send>(
    pieces: Vec<P>,
    schedule: Schedule,
    threads: usize,
    map: &(impl Fn(P) -> R + Sync),
) -> Vec<R> {
    let pieces: Vec<Mutex<(Option<P>, Option<R>)>> =
        pieces.into_iter().map(|piece| Mutex::new((Some(piece), None))).collect();
    parallel_for(pieces.len(), schedule, threads, &|index| {
        let mut slot = pieces[index].lock().unwrap_or_else(PoisonError::into_inner);
        let piece = slot.0.take().expect("every index comes once");
        slot.1 = Some(map(piece));
    });
    let result = |slot: Mutex<(Option<P>, Option<R>)>| {
        let (_, result) = slot.into_inner().unwrap_or_else(PoisonError::into_inner);
        result.expect("every index came")
    };
    pieces.into_iter().map(result).collect()
}

/// The body of a loop as C sees it.
type Body<'b> = &'b (dyn Fn(usize) + Sync);

#[cfg(openmp)]
fn parallel_for(count: usize, schedule: Schedule, threads: usize, body: Body<'_>) {
    unsafe extern "C" {
        fn openmp_parallel_for(
            count: usize,
            schedule: c_int,
            threads: c_int,
            body: extern "C" fn(*const c_void, usize),
            context: *const c_void,
        );
    }

    extern "C" fn call(context: *const c_void, index: usize) {
        // SAFETY: the context is the reference below, which outlives the loop. A panic aborts at this
        // boundary.
        let body = unsafe { *context.cast::<Body<'_>>() };
        body(index);
    }

    let threads = c_int::try_from(threads).unwrap_or(c_int::MAX);
    let context = std::ptr::from_ref(&body).cast();
    // SAFETY: the function calls `call` with this context for each index below `count`, from threads
    // that are done with it when it returns; `body` is `Sync`.
    unsafe { openmp_parallel_for(count, schedule as c_int, threads, call, context) }
}

#[cfg(not(openmp))]
fn parallel_for(count: usize, schedule: Schedule, _threads: usize, body: Body<'_>) {
    let _: (c_int, *const c_void) = (schedule as c_int, std::ptr::null());
    (0..count).for_each(body);
}
