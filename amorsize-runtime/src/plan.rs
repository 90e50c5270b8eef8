//! A plan for executors other than ours.

/// The workers and the chunk size that suit one call of a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    workers: usize,
    chunk_size: usize,
}

impl Plan {
    pub(crate) fn new(workers: usize, chunk_size: usize) -> Self {
        Plan { workers, chunk_size: chunk_size.max(1) }
    }

    /// Threads, the caller included; 1 means that no other thread pays.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Items that one worker takes at a time; at least 1.
    pub fn chunk_size(&self) -> usize {
        self.chunk_size
    }
}
