//! The runtime of Amorsize: loops, plans, the cost model, the executor.
//!
//! Programs depend on the facade `amorsize`, which re-exports what loops need. `machine_survey`, what is known of the machine (feature `survey`), is
//! for programs too, and used from here. The rest is public for the benchmarks and `cargo amorsize`, and no interface.
//! `ARCHITECTURE.md` in the repository says how the modules fit together.

mod allocator;
mod board;
mod chained;
mod clock;
mod collection;
mod crew;
mod divide;
mod drive;
mod fallible;
mod folded;
mod force;
mod fork;
mod gather;
mod half;
mod handover;
mod limits;
mod linger;
mod loops;
mod losses;
mod machine;
mod mapped;
mod marked;
mod mean;
pub mod model;
mod observed;
mod offers;
mod operand;
mod options;
mod pacer;
mod pieces;
mod placed;
mod plan;
mod pool;
mod profiled;
mod range;
#[cfg(feature = "record")]
mod record;
mod remembered;
mod rivals;
mod run;
mod sample;
mod sampling;
mod search;
#[cfg(all(test, not(loom)))]
#[path = "../../tests/skip/mod.rs"]
mod skip;
mod slot;
#[cfg(all(test, not(loom)))]
mod split_tests;
mod stage;
mod thresholds;
mod tuned;
mod way;
mod workload;

pub use allocator::TrackingAllocator;
pub use divide::{Divide, ParPieces, TunedPieces, pieces};
pub use fallible::{Fallible, FromFallible};
pub use force::{Force, InvalidForce};
pub use fork::join;
pub use loops::{Loop, LoopStatus, force, invalid_force, loops, warm_up};
pub use machine::{available_memory, class as machine_class, load as machine_load, usable_cores};
#[cfg(feature = "survey")]
pub use machine::{
    measure_often as measure_machine,
    survey::{self, machine_survey},
};
pub use operand::{NoIndex, Unindexed};
pub use options::Options;
pub use plan::Plan;
pub use pool::io_limits;
pub use profiled::{Profiled, select};
pub use stage::{Stage, Staged};
pub use tuned::{ChainTo, Cost, PerItem, Tune, Tuned};
pub use workload::{Workload, workers_on};

/// What the expansion of `#[amorsize::tune]` uses. Not for use by hand: it may change in any release.
#[doc(hidden)]
pub mod expansion {
    pub use crate::loops::Loop;
    pub use crate::machine::was_read as machine_was_read;
    pub use crate::marked::Unmarked;
    pub use crate::operand::{AnyOperand, NoOperand, NoRange};
    pub use crate::options::Options;
    pub use crate::profiled::{Profiled, select};
    pub use crate::sample::Sample;
    pub use crate::slot::{AnyKind, IntoSlot, NotImported, Untuned, nothing};
    pub use amorsize_profile::{LoopFacts, MachineFacts};
}
