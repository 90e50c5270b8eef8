//! Choices that the attribute fixes.

/// Pieces of a deterministic call.
const DETERMINISTIC_PIECES: usize = 64;

/// The chunk size of a deterministic call of `n` items.
pub(crate) fn deterministic_chunk(n: usize) -> usize {
    n.div_ceil(DETERMINISTIC_PIECES).max(1)
}

/// Choices that the attribute fixes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Most workers, the caller included.
    pub max_workers: Option<usize>,
    /// The chunk size of parallel plans.
    pub chunk: Option<usize>,
    /// The time of one chunk in nanoseconds, from which its size follows.
    pub chunk_ns: Option<u64>,
    /// Pieces, and so the order of reductions, depend on the number of items alone.
    pub deterministic: bool,
    /// Items run on threads of the pool only.
    pub on_pool: bool,
    /// Items wait more than they compute: they run on a pool with more threads than cores.
    pub io: bool,
    /// The memory that one item takes at its peak while it is processed.
    pub memory_bytes: Option<u64>,
    /// The share of the available memory that the items in progress may take together, in thousandths.
    pub memory_permille: Option<u16>,
    /// There are fewer workers while the machine is busy with other work.
    pub respect_load: bool,
}

impl Options {
    /// No choice fixed.
    pub const NONE: Options = Options {
        max_workers: None,
        chunk: None,
        chunk_ns: None,
        deterministic: false,
        on_pool: false,
        io: false,
        memory_bytes: None,
        memory_permille: None,
        respect_load: false,
    };

    /// The chunk size that these options fix for a call of `n` items, which take `item_ns` each as far as that is known.
    pub fn fixed_chunk(&self, n: usize, item_ns: Option<f64>) -> Option<usize> {
        let of_time = |(chunk_ns, item_ns)| (chunk_ns as f64 / item_ns) as usize;
        if self.deterministic {
            return Some(deterministic_chunk(n));
        }
        self.chunk.or_else(|| self.chunk_ns.zip(item_ns).map(of_time))
    }
}
