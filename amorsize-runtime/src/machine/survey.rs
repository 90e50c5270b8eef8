//! Everything that Amorsize knows about a machine, with its sources and with what is doubtful about it: for people
//! and tools, such as `cargo amorsize info`. Decisions read less, and only when they need it.

pub use super::cgroup::CgroupLevel;
pub use super::cores::Cores;
pub use super::doubt::Doubt;
pub use super::fact::Fact;
pub use super::load::Load;
pub use super::memory::{InvalidMemory, Memory};
pub use super::topology::{Cache, Hybrid, Node, Topology};

use super::host::Host;
use super::{cgroup, class, doubt, load};

/// The machine as this process sees it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Survey {
    /// The class, which names the machine's section of a profile.
    pub class: Fact<String>,
    /// The cores for loops.
    pub cores: Cores,
    /// The memory for loops.
    pub memory: Memory,
    /// The levels of the control groups that this process is in, each hierarchy from the process's own level
    /// upwards.
    pub cgroups: Vec<CgroupLevel>,
    /// How busy the processors are, in percent; see [`Load`].
    pub cpu_load: Option<Fact<f64>>,
    /// How pressed the memory is, in percent; see [`Load`].
    pub memory_load: Option<Fact<f64>>,
    /// How the machine is built.
    pub topology: Topology,
    /// What may not be as it was meant.
    pub doubts: Vec<Doubt>,
}

impl Survey {
    fn of(host: &Host<'_>) -> Self {
        let cores = Cores::read(host);
        let mut survey = Survey {
            class: class::class_of(host),
            memory: Memory::read(host),
            cgroups: cgroup::levels(host),
            cpu_load: load::cpu(host, cores.usable.value, 0.0),
            memory_load: load::memory(host),
            topology: Topology::read(host),
            cores,
            doubts: Vec::new(),
        };
        survey.doubts = doubt::doubts(&survey, host);
        survey
    }
}

/// Reads all there is to know about this machine, now: some milliseconds on one with many cores. Nothing that
/// decisions use is changed by it.
pub fn machine_survey() -> Survey {
    Survey::of(&Host::this())
}

#[cfg(test)]
mod tests;
