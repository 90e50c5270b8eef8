//! How one call of a workload is run.

use std::sync::atomic::{AtomicBool, Ordering};

use amorsize::{Force, Loop};

use crate::forked::Forked;

/// An executor. Every workload has one arm for each, written as a user of it would.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Executor {
    /// The plain iterator.
    Serial,
    /// `par_iter()` as it is.
    Rayon,
    /// `par_iter().with_min_len(…)`.
    RayonMinLen(usize),
    /// `par_iter().tuned(…)`.
    Amorsize(&'static Loop),
    /// `par()` of orx-parallel.
    Orx,
    /// Paralight, work-stealing.
    Paralight,
    /// Work divided by hand.
    Forked(Forked),
}

static IMPOSED: AtomicBool = AtomicBool::new(false);

/// Imposes a plan on every loop of the process, or ends that.
pub(crate) fn impose(plan: Option<Force>) {
    IMPOSED.store(plan.is_some(), Ordering::Relaxed);
    amorsize::force(plan);
}

/// Whether a plan is imposed. It is meant for the loop that is timed; loops within its items do without.
pub(crate) fn is_imposed() -> bool {
    IMPOSED.load(Ordering::Relaxed)
}
