//! Parallel loops that run serial or parallel, on the right number of workers, with the right chunk
//! size, because they were measured.

pub use amorsize_macros::tune;
pub use amorsize_runtime::{
    Force, InvalidForce, Loop, LoopStatus, Tune, Tuned, force, invalid_force, loops, warm_up,
};

#[doc(hidden)]
pub use amorsize_runtime::expansion;
