//! What results are worth nothing without: where they were measured.

use std::fmt;

use amorsize::expansion::MachineFacts;
use amorsize_runtime::{machine_class, measure_machine};
use serde::{Deserialize, Serialize};

use crate::table::time;

/// The machine.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Host {
    pub(crate) class: String,
    /// Of rayon's pool.
    threads: usize,
    #[serde(flatten, with = "Costs")]
    pub(crate) costs: MachineFacts,
}

/// [`MachineFacts`] as JSON shows them.
#[derive(Deserialize, Serialize)]
#[serde(remote = "MachineFacts")]
struct Costs {
    spawn_ns: f64,
    wake_ns: f64,
    cold_spawn_ns: f64,
    cold_wake_ns: f64,
    hot_for_ns: f64,
    claim_ns: f64,
    reference_ns: f64,
}

impl Host {
    /// The machine with its measured costs.
    pub(crate) fn new(costs: MachineFacts) -> Self {
        Host::of_class(machine_class().to_owned(), costs)
    }

    /// A machine of this class whose costs were measured there.
    pub(crate) fn of_class(class: String, costs: MachineFacts) -> Self {
        Host { class, threads: rayon::current_num_threads(), costs }
    }

    /// The costs of this machine.
    pub(crate) fn machine() -> MachineFacts {
        measure_machine()
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}, {} threads; spawn {}, wake {}, claim {}; cold after {}: spawn {}, wake {}",
            self.class,
            self.threads,
            time(self.costs.spawn_ns),
            time(self.costs.wake_ns),
            time(self.costs.claim_ns),
            time(self.costs.hot_for_ns),
            time(self.costs.cold_spawn_ns),
            time(self.costs.cold_wake_ns),
        )
    }
}
