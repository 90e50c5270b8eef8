//! Tests under plans that are in force for the whole process: they take turns.

use std::sync::{Mutex, MutexGuard, PoisonError};

use amorsize::{Force, force};

pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a test under each of the plans, outside and inside of a pool that is larger than most machines.
pub(crate) fn under_each(plans: &[Option<Force>], test: impl Fn() + Sync) {
    let _turn = turn();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(8).build().expect("a pool");
    for &plan in plans {
        force(plan);
        test();
        pool.install(&test);
    }
    force(None);
}
