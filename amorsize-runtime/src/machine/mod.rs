//! What the machine is: its class, the workers and the memory it allows, how busy it is, and what handing out
//! work costs on it.
//!
//! Everything is read when it is first needed, through a `Host`, so that tests can show any machine. What
//! cannot be read is not known, and there is always one worker.

#![cfg_attr(
    not(feature = "survey"),
    allow(dead_code, unreachable_pub, reason = "decisions need less than a survey shows")
)]

mod allotment;
mod cgroup;
mod class;
mod cores;
mod cpus;
#[cfg(feature = "survey")]
mod doubt;
#[cfg(any(
    not(any(target_os = "linux", target_os = "android", target_family = "wasm")),
    all(test, feature = "survey", target_os = "linux")
))]
mod elsewhere;
mod fact;
mod host;
mod load;
mod measure;
mod memory;
#[cfg(feature = "survey")]
pub mod survey;
#[cfg(feature = "survey")]
mod topology;

pub use class::class;
pub use cores::usable_cores;
#[cfg(feature = "record")]
pub(crate) use cores::usable_processors;
pub(crate) use cores::{limit_by_environment, limit_by_pool, limits_by_cores};
pub use host::was_read;
pub(crate) use load::limit_by_load;
pub use load::load;
pub(crate) use measure::measure;
#[cfg(feature = "survey")]
pub use measure::measure_often;
pub use memory::available_memory;
pub(crate) use memory::limit_by_memory;

use std::sync::OnceLock;

use amorsize_profile::MachineFacts;

/// Costs assumed until the machine has been measured: a common desktop, rounded so that what goes
/// parallel on their strength is worth it.
const ASSUMED: MachineFacts = MachineFacts {
    spawn_ns: 500.0,
    wake_ns: 2_000.0,
    cold_spawn_ns: 8_000.0,
    cold_wake_ns: 20_000.0,
    hot_for_ns: 20_000.0,
    claim_ns: 60.0,
    reference_ns: 0.0,
};

/// Serial time from which measuring the machine first, one to two milliseconds, does not hurt.
const WORTH_MEASURING_NS: f64 = 20e6;

static FACTS: OnceLock<MachineFacts> = OnceLock::new();

/// The costs of this machine: from the profile or measured if either has happened, else assumed.
pub(crate) fn facts() -> MachineFacts {
    FACTS.get().copied().unwrap_or(ASSUMED)
}

/// Like [`facts`], and measures first if a call that would take `serial_ns` alone is at stake.
pub(crate) fn facts_for(serial_ns: f64) -> MachineFacts {
    match FACTS.get() {
        Some(facts) => *facts,
        None if serial_ns < WORTH_MEASURING_NS => ASSUMED,
        None => measured(),
    }
}

/// The costs of this machine, measured now if they are not known.
pub(crate) fn measured() -> MachineFacts {
    *FACTS.get_or_init(measure)
}

/// Takes the costs from a profile's section for this machine's class, unless they are known.
pub(crate) fn adopt(facts: MachineFacts) {
    // Losing a race means that equally good facts are there already.
    let _ = FACTS.set(facts);
}
