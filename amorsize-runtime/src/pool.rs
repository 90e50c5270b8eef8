//! Rayon's pool as the source of helpers.

use crate::handover::Spawner;

/// The pool of the calling thread if it is a pool thread, the global pool otherwise.
pub(crate) struct RayonPool;

impl Spawner for RayonPool {
    fn spawn(&self, job: Box<dyn FnOnce() + Send>) {
        rayon::spawn(job);
    }

    fn run_other_work(&self) -> bool {
        rayon::yield_now() == Some(rayon::Yield::Executed)
    }
}
