//! How much memory this process may still take.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use amorsize_profile::{InvalidSize, parse_size};

use super::cgroup;
use super::fact::{Fact, least};
use super::host::Host;
use crate::model::{self, Limits};
use crate::pool;

/// The variable that wins over all that is read.
const VARIABLE: &str = "AMORSIZE_MEMORY";

/// Decisions use a reading for so long. One takes 0.2 to 0.4 ms, no more than 2 % of this where one parallel call
/// follows another; and in this time a thread fills no more than some 100 MB of fresh memory.
const FRESH: Duration = Duration::from_millis(20);

/// Memory that this process may still take, in bytes, as of now: what `AMORSIZE_MEMORY` says if it is set, else
/// the least that the control groups, the system and the limits of the process leave. Nothing left is 0 bytes;
/// `None` is not known.
pub fn available_memory() -> Option<u64> {
    Memory::read(&Host::this()).available_bytes.map(|fact| fact.value)
}

/// Adds the limit of the memory that is available now, where a task takes `task_bytes` at its peak and all tasks may
/// take so many thousandths of it. Memory that is not known limits nothing.
pub(crate) fn limit_by_memory(limits: Limits, task_bytes: u64, permille: u16) -> Limits {
    static LAST: Reading = Reading::new();
    if limits.workers == 1 {
        return limits;
    }
    match LAST.at(pool::now_ns(), available_memory) {
        Some(available) => {
            limits.within_memory(task_bytes, model::usable_memory(available, permille))
        }
        None => limits,
    }
}

/// The available memory as it was read last.
#[derive(Debug)]
struct Reading(Mutex<Option<Read>>);

#[derive(Clone, Copy, Debug)]
struct Read {
    /// In nanoseconds since any fixed moment.
    at_ns: u64,
    available_bytes: Option<u64>,
}

impl Reading {
    const fn new() -> Self {
        Reading(Mutex::new(None))
    }

    /// The available memory as of `now_ns`, read anew if the last reading is not fresh. Threads that ask
    /// meanwhile wait for the answer: without one they would not be limited.
    fn at(&self, now_ns: u64, read: impl FnOnce() -> Option<u64>) -> Option<u64> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh =
            |last: &Read| u128::from(now_ns.saturating_sub(last.at_ns)) < FRESH.as_nanos();
        let last = match last.filter(is_fresh) {
            Some(last) => last,
            None => *last.insert(Read { at_ns: now_ns, available_bytes: read() }),
        };
        last.available_bytes
    }
}

/// The memory for loops, and everything that it follows from.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Memory {
    /// What this process may still take: `declared_bytes` if that is set, else the least of all others but the
    /// installed memory.
    pub available_bytes: Option<Fact<u64>>,
    /// `AMORSIZE_MEMORY`.
    pub declared_bytes: Option<Fact<u64>>,
    /// The machine's memory.
    pub installed_bytes: Option<Fact<u64>>,
    /// What the whole system can give without swapping.
    pub system_bytes: Option<Fact<u64>>,
    /// The least that a level of the control groups leaves.
    pub control_groups_bytes: Option<Fact<u64>>,
    /// What the limit of the process's address space leaves (`ulimit -v`). Reserved addresses count, used or not.
    pub address_space_bytes: Option<Fact<u64>>,
    /// What the limit of the process's private data leaves (`ulimit -d`).
    pub data_bytes: Option<Fact<u64>>,
}

impl Memory {
    pub(crate) fn read(host: &Host<'_>) -> Self {
        let declared = declared(host).and_then(Result::ok).map(|bytes| Fact::new(bytes, VARIABLE));
        let (installed, system) = system(host);
        let control_groups = cgroup::memory_left(host);
        let limits = host.read("/proc/self/limits").unwrap_or_default();
        let status = host.read("/proc/self/status").unwrap_or_default();
        let address_space = limit_left(&limits, "Max address space", &status, "VmSize");
        let data = limit_left(&limits, "Max data size", &status, "VmData");
        let read = [control_groups.clone(), system.clone(), address_space.clone(), data.clone()];
        Memory {
            available_bytes: declared.clone().or_else(|| least(read)),
            declared_bytes: declared,
            installed_bytes: installed,
            system_bytes: system,
            control_groups_bytes: control_groups,
            address_space_bytes: address_space,
            data_bytes: data,
        }
    }
}

/// What the variable says, or why that is no size.
pub(super) fn declared(host: &Host<'_>) -> Option<Result<u64, InvalidMemory>> {
    let value = host.variable(VARIABLE)?;
    Some(parse_size(&value).map_err(|reason| InvalidMemory { value, reason }))
}

/// The reason why a value of `AMORSIZE_MEMORY` is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidMemory {
    value: String,
    reason: InvalidSize,
}

impl std::fmt::Display for InvalidMemory {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{VARIABLE}={:?} is ignored: {}", self.value, self.reason)
    }
}

impl std::error::Error for InvalidMemory {}

/// Installed and available memory of the whole system.
fn system(host: &Host<'_>) -> (Option<Fact<u64>>, Option<Fact<u64>>) {
    let Some(text) = host.read("/proc/meminfo") else {
        let calls = host.calls();
        return ((calls.installed_bytes)(), (calls.available_bytes)());
    };
    let field = |name: &str| {
        // None of either is as good as unknown.
        let bytes = kilobytes(&text, name).filter(|&bytes| bytes > 0)?;
        Some(Fact::new(bytes, format!("/proc/meminfo {name}")))
    };
    (field("MemTotal"), field("MemAvailable"))
}

/// The line `name: 12 kB` of a text, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}

/// What one of the process's limits leaves beside what it uses, in the words of `/proc/self/limits` and
/// `/proc/self/status`. Where the use is not known, the limit itself.
fn limit_left(limits: &str, limit: &str, status: &str, use_: &str) -> Option<Fact<u64>> {
    let line = limits.lines().find_map(|line| line.strip_prefix(limit))?;
    // The first of the two numbers is the limit in force; none is the word `unlimited`.
    let bytes: u64 = line.split_whitespace().next()?.parse().ok().filter(|&bytes| bytes > 0)?;
    let used = kilobytes(status, use_).unwrap_or(0);
    Some(Fact::new(bytes.saturating_sub(used), format!("/proc/self/limits {limit}")))
}

#[cfg(test)]
mod tests {
    use super::super::host::tree::Tree;
    use super::*;

    const MEMINFO: &str = "MemTotal:       16000 kB\nMemFree:  10 kB\nMemAvailable:    8000 kB\n";

    fn limits(data: &str, address_space: &str) -> String {
        format!(
            "Limit                     Soft Limit           Hard Limit           Units     \n\
             Max cpu time              unlimited            unlimited            seconds   \n\
             Max data size             {data}            unlimited            bytes     \n\
             Max address space         {address_space}            unlimited            bytes     \n"
        )
    }

    fn available(tree: &Tree) -> Option<(u64, String)> {
        tree.look(Memory::read).available_bytes.map(|fact| (fact.value, fact.source))
    }

    #[test]
    fn without_limits_the_system_s_available_memory_counts() {
        let tree = Tree::new()
            .file("/proc/meminfo", MEMINFO)
            .file("/proc/self/limits", &limits("unlimited", "unlimited"))
            .file("/proc/self/status", "VmSize:\t  1000 kB\nVmData:\t  100 kB\n");
        assert_eq!(available(&tree), Some((8_192_000, "/proc/meminfo MemAvailable".to_owned())));
        let installed = tree.look(Memory::read).installed_bytes.expect("the machine has memory");
        assert_eq!(installed.value, 16_384_000);
    }

    #[test]
    fn reserved_addresses_and_data_count_against_the_limits_of_the_process() {
        let tree = |data, address_space| {
            Tree::new()
                .file("/proc/meminfo", MEMINFO)
                .file("/proc/self/limits", &limits(data, address_space))
                .file("/proc/self/status", "VmSize:\t  1000 kB\nVmData:\t  100 kB\n")
        };
        let by_addresses = available(&tree("unlimited", "4096000"));
        let source = "/proc/self/limits Max address space".to_owned();
        assert_eq!(by_addresses, Some((3_072_000, source)));
        let by_data = available(&tree("2048000", "4096000"));
        assert_eq!(by_data, Some((1_945_600, "/proc/self/limits Max data size".to_owned())));
        // More is reserved than allowed: nothing is left, which is not the same as not known.
        assert_eq!(available(&tree("unlimited", "500000")).map(|(bytes, _)| bytes), Some(0));
    }

    #[test]
    fn the_variable_wins_unless_it_is_no_size() {
        let tree =
            |value| Tree::new().file("/proc/meminfo", MEMINFO).variable("AMORSIZE_MEMORY", value);
        let declared = (560_000_000_000, "AMORSIZE_MEMORY".to_owned());
        assert_eq!(available(&tree("560GB")), Some(declared));
        for invalid in ["plenty", "0", "-1", ""] {
            let bytes = available(&tree(invalid)).map(|(bytes, _)| bytes);
            assert_eq!(bytes, Some(8_192_000), "{invalid}");
        }
        let error = tree("4 GBs").look(declared_error);
        assert!(
            error.contains("AMORSIZE_MEMORY=\"4 GBs\" is ignored: `GBs` is no unit"),
            "{error}"
        );
    }

    fn declared_error(host: &Host<'_>) -> String {
        super::declared(host).expect("it is set").expect_err("it is invalid").to_string()
    }

    #[test]
    fn decisions_use_a_reading_for_twenty_milliseconds() {
        const MS: u64 = 1_000_000;
        let reading = Reading::new();
        assert_eq!(reading.at(3 * MS, || Some(7)), Some(7));
        assert_eq!(reading.at(23 * MS - 1, || panic!("it is fresh")), Some(7));
        assert_eq!(reading.at(23 * MS, || None), None);
        // What is not known is not asked for again and again either.
        assert_eq!(reading.at(24 * MS, || panic!("it is fresh")), None);
        assert_eq!(reading.at(43 * MS, || Some(8)), Some(8));
    }

    #[test]
    fn what_cannot_be_read_is_unknown_and_never_nothing() {
        assert_eq!(available(&Tree::new()), None);
        let zero = Tree::new().file("/proc/meminfo", "MemTotal: 0 kB\nMemAvailable: 0 kB\n");
        assert_eq!(available(&zero), None);
        let garbage = Tree::new()
            .file("/proc/meminfo", "MemAvailable: many kB\nMemTotal 7\n")
            .file("/proc/self/limits", "Max address space\nMax data size  x  y\n")
            .file("/proc/self/status", "VmSize\n");
        assert_eq!(available(&garbage), None);
        let huge = Tree::new().file("/proc/meminfo", "MemAvailable: 18446744073709551615 kB\n");
        assert_eq!(available(&huge), None);
    }
}
