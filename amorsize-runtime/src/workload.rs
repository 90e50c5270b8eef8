//! Whether a loop's items compute or wait, and how many workers that is worth. Pure: numbers in, a word or a
//! number out.

/// What takes the time of a loop's items, told by their CPU share: processor time divided by the time in which
/// they compute or wait for something other than a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Computation: a CPU share above [`CPU_ABOVE`](Self::CPU_ABOVE).
    Cpu,
    /// Something of both.
    Mixed,
    /// Waiting for files, the network, locks or other threads: a CPU share below [`IO_BELOW`](Self::IO_BELOW).
    Io,
}

impl Workload {
    /// From a larger CPU share on, items are bound by computation.
    pub const CPU_ABOVE: f64 = 0.8;
    /// Up to a smaller CPU share, items are bound by what they wait for.
    pub const IO_BELOW: f64 = 0.5;

    /// The kind of items with this CPU share.
    pub fn of(cpu_share: f64) -> Self {
        match cpu_share {
            _ if cpu_share > Self::CPU_ABOVE => Workload::Cpu,
            _ if cpu_share < Self::IO_BELOW => Workload::Io,
            _ => Workload::Mixed,
        }
    }

    /// `CPU-bound`, `mixed` or `I/O-bound`.
    pub fn name(self) -> &'static str {
        match self {
            Workload::Cpu => "CPU-bound",
            Workload::Mixed => "mixed",
            Workload::Io => "I/O-bound",
        }
    }
}

/// Workers for each processor at most, however long items wait: the pool ends long before.
const MOST_PER_PROCESSOR: usize = 64;

/// The workers that computing loops may have on `cores` physical cores with `processors` hardware threads.
///
/// Items that compute gain little from a second hardware thread of one core. Those that wait leave it to
/// others meanwhile: as many of them as keep all processors busy on average, `processors / cpu_share`. While
/// the share is not known, items count as computing.
pub fn workers_on(cores: usize, processors: usize, cpu_share: Option<f64>) -> usize {
    match cpu_share {
        Some(share) if Workload::of(share) != Workload::Cpu => {
            let busy = (processors as f64 / share) as usize;
            busy.min(processors.saturating_mul(MOST_PER_PROCESSOR)).max(processors)
        }
        _ => cores,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thresholds_themselves_are_mixed() {
        for (cpu_share, kind) in [
            (1.0, Workload::Cpu),
            (0.801, Workload::Cpu),
            (0.8, Workload::Mixed),
            (0.5, Workload::Mixed),
            (0.499, Workload::Io),
            (0.0, Workload::Io),
        ] {
            assert_eq!(Workload::of(cpu_share), kind, "{cpu_share}");
        }
    }

    #[test]
    fn items_that_compute_have_a_core_each_and_those_that_wait_share_processors() {
        for (cpu_share, workers) in [
            (None, 4),
            (Some(1.0), 4),
            (Some(0.81), 4),
            (Some(0.8), 10),
            (Some(0.5), 16),
            (Some(0.25), 32),
            (Some(0.0), 512),
        ] {
            assert_eq!(workers_on(4, 8, cpu_share), workers, "{cpu_share:?}");
        }
    }
}
