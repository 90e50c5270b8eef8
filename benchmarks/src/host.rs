//! What results are worth nothing without: where they were measured.

use std::fmt;

use amorsize::expansion::MachineFacts;
use amorsize_runtime::{machine_class, measure_machine};
use serde::Serialize;

use crate::estimate::median;
use crate::table::time;

/// The machine.
#[derive(Debug, Serialize)]
pub(crate) struct Host {
    class: &'static str,
    /// Of rayon's pool.
    threads: usize,
    spawn_ns: f64,
    wake_ns: f64,
    claim_ns: f64,
}

impl Host {
    /// The machine with its measured costs.
    pub(crate) fn new(machine: MachineFacts) -> Self {
        Host {
            class: machine_class(),
            threads: rayon::current_num_threads(),
            spawn_ns: machine.spawn_ns,
            wake_ns: machine.wake_ns,
            claim_ns: machine.claim_ns,
        }
    }

    /// The costs of this machine, each the median of several measurements.
    pub(crate) fn machine() -> MachineFacts {
        let measured: Vec<MachineFacts> = (0..15).map(|_| measure_machine()).collect();
        let middle = |field: fn(&MachineFacts) -> f64| {
            median(&measured.iter().map(field).collect::<Vec<_>>())
        };
        MachineFacts {
            spawn_ns: middle(|facts| facts.spawn_ns),
            wake_ns: middle(|facts| facts.wake_ns),
            claim_ns: middle(|facts| facts.claim_ns),
            reference_ns: middle(|facts| facts.reference_ns),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}, {} threads; spawn {}, wake {}, claim {}",
            self.class,
            self.threads,
            time(self.spawn_ns),
            time(self.wake_ns),
            time(self.claim_ns),
        )
    }
}
