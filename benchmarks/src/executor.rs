//! How one call of a workload is run.

use amorsize::Loop;

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
