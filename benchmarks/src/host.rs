//! What results are worth nothing without: where they were measured.

use std::fmt;

use amorsize::expansion::MachineFacts;
use amorsize_runtime::{machine_class, measure_machine};
use serde::{Deserialize, Serialize};

use crate::table::time;

/// The machine.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Host {
    class: String,
    /// Of rayon's pool.
    threads: usize,
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
    pub(crate) fn new(machine: MachineFacts) -> Self {
        Host {
            class: machine_class().to_owned(),
            threads: rayon::current_num_threads(),
            spawn_ns: machine.spawn_ns,
            wake_ns: machine.wake_ns,
            cold_spawn_ns: machine.cold_spawn_ns,
            cold_wake_ns: machine.cold_wake_ns,
            hot_for_ns: machine.hot_for_ns,
            claim_ns: machine.claim_ns,
            reference_ns: machine.reference_ns,
        }
    }

    pub(crate) fn class(&self) -> &str {
        &self.class
    }

    /// The costs that were measured.
    pub(crate) fn costs(&self) -> MachineFacts {
        MachineFacts {
            spawn_ns: self.spawn_ns,
            wake_ns: self.wake_ns,
            cold_spawn_ns: self.cold_spawn_ns,
            cold_wake_ns: self.cold_wake_ns,
            hot_for_ns: self.hot_for_ns,
            claim_ns: self.claim_ns,
            reference_ns: self.reference_ns,
        }
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
            time(self.spawn_ns),
            time(self.wake_ns),
            time(self.claim_ns),
            time(self.hot_for_ns),
            time(self.cold_spawn_ns),
            time(self.cold_wake_ns),
        )
    }
}
