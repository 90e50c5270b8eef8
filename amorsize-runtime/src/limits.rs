//! How many workers a loop may have, and how large its chunks may be: what its options, the cores, the pool, other work and
//! memory allow.

use amorsize_profile::LoopFacts;

use crate::loops::Loop;
use crate::machine;
use crate::model::{self, Limits};
use crate::pool;

/// Memory that all workers together may take without a look at how much there is. A look takes a fraction of a
/// millisecond, and where so little is left the rest of the program will hardly work either.
const NOTABLE_BYTES: u64 = 16 << 20;

impl Loop {
    /// The limits on workers as far as they can be told without a pool.
    pub(crate) fn limits_by_cores(&self) -> Limits {
        let profiled = || self.profile().and_then(|facts| facts.cpu_share);
        self.limits_at(if self.options().io { None } else { profiled() })
    }

    /// The same for items with this CPU share.
    pub(crate) fn limits_at(&self, cpu_share: Option<f64>) -> Limits {
        if self.options().io {
            return machine::limit_by_environment(pool::io_limits(self.options().max_workers));
        }
        machine::limits_by_cores(cpu_share, self.options().max_workers)
    }

    /// The limits, as far as the threads of the pool allow.
    pub(crate) fn limit_by_pool(&self, limits: Limits) -> Limits {
        if self.options().io { limits } else { machine::limit_by_pool(limits) }
    }

    /// The limits of a crew: what the threads of the pool, other work on the machine and memory allow now.
    pub(crate) fn limits_of_crew(&self, limits: Limits) -> Limits {
        self.limit_by_memory(self.limit_by_load(self.limit_by_pool(limits)))
    }

    /// The limits, as far as other work on the machine allows, if the options ask for that.
    pub(crate) fn limit_by_load(&self, limits: Limits) -> Limits {
        if self.options().respect_load { machine::limit_by_load(limits) } else { limits }
    }

    /// The limits, as far as the memory that is available now allows, if it is known what a task takes. What is
    /// little for all workers together is not worth a look, unless the options say that it matters.
    pub(crate) fn limit_by_memory(&self, limits: Limits) -> Limits {
        let Some(task_bytes) = self.task_bytes() else { return limits };
        let in_all = task_bytes.saturating_mul(limits.workers as u64);
        if self.options().memory_bytes.is_none() && in_all < NOTABLE_BYTES {
            return limits;
        }
        let permille = self.options().memory_permille.unwrap_or(model::MEMORY_PERMILLE);
        machine::limit_by_memory(limits, task_bytes, permille)
    }

    /// The limits with the chunk size that the options fix for a call of `n` items.
    pub(crate) fn limits_with(&self, limits: Limits, n: usize, facts: &LoopFacts) -> Limits {
        limits.with_chunk(self.options().fixed_chunk(n, Some(facts.item_ns)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::options::Options;

    #[test]
    fn load_and_memory_bound_only_loops_whose_options_ask_for_that() {
        static LOAD: Loop = Loop::new("a", Options { respect_load: true, ..Options::NONE }, &[]);
        static MEMORY: Loop =
            Loop::new("a", Options { memory_bytes: Some(u64::MAX), ..Options::NONE }, &[]);
        static NEITHER: Loop =
            Loop::new("a", Options { memory_permille: Some(1), ..Options::NONE }, &[]);
        let limits = Limits::cores(1 << 20);
        assert_eq!(NEITHER.limit_by_memory(NEITHER.limit_by_load(limits)), limits);
        // It may be read anew between the two.
        let left = || limits.beside_load(machine::load().workers(limits.workers));
        assert!((0..5).any(|_| LOAD.limit_by_load(limits) == left()));
        assert_eq!(LOAD.limit_by_memory(limits), limits);
        assert_eq!(MEMORY.limit_by_load(limits), limits);
        if machine::available_memory().is_some() {
            assert_eq!(MEMORY.limit_by_memory(limits).workers, 1);
        }
    }
}
