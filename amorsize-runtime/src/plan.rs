//! A plan for executors other than ours.

use crate::model::Bound;

/// The workers and the chunk size that suit one call of a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    workers: usize,
    chunk_size: usize,
    limited_by: Option<Bound>,
}

impl Plan {
    pub(crate) fn new(workers: usize, chunk_size: usize, limited_by: Option<Bound>) -> Self {
        Plan { workers, chunk_size: chunk_size.max(1), limited_by }
    }

    /// Threads, the caller included; 1 means that no other thread pays.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Items that one worker takes at a time; at least 1.
    pub fn chunk_size(&self) -> usize {
        self.chunk_size
    }

    /// What keeps the plan from more workers; `None` where more would not pay.
    pub fn limited_by(&self) -> Option<Bound> {
        self.limited_by
    }
}
