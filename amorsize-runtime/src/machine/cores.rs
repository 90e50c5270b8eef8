//! How many workers a call may have.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use crate::model::{Bound, Limits};
use crate::pool;

/// The limits for a call, as far as they can be told without a pool.
pub(crate) fn limits_by_cores(max_workers: Option<usize>) -> Limits {
    let cores = facts();
    let mut limits = Limits::cores(cores.count);
    if let Some(most) = cores.asked.filter(|&most| most < limits.workers) {
        (limits.workers, limits.bound) = (most, Bound::Environment);
    }
    if let Some(most) = max_workers.filter(|&most| most < limits.workers) {
        (limits.workers, limits.bound) = (most.max(1), Bound::MaxWorkers);
    }
    limits
}

/// Adds the limit of the pool: the caller's own if it is a pool thread, else the global one, which
/// this builds.
pub(crate) fn limit_by_pool(limits: Limits) -> Limits {
    let pool = pool::threads();
    if pool < limits.workers {
        Limits { workers: pool, bound: Bound::Pool, ..limits }
    } else {
        limits
    }
}

/// The cores that loops of this process may use: `RAYON_NUM_THREADS` if it is set, else the physical
/// cores among those that affinity mask and container quota allow.
pub fn usable_cores() -> usize {
    facts().count
}

struct UsableCores {
    count: usize,
    /// `AMORSIZE_MAX_WORKERS`.
    asked: Option<usize>,
}

fn facts() -> &'static UsableCores {
    static CORES: OnceLock<UsableCores> = OnceLock::new();
    CORES.get_or_init(|| {
        let number =
            |name| std::env::var(name).ok()?.trim().parse().ok().filter(|&n: &usize| n > 0);
        let count = match number("RAYON_NUM_THREADS") {
            Some(threads) => threads,
            None => {
                let logical = std::thread::available_parallelism().map_or(1, usize::from);
                physical_cores().map_or(logical, |physical| physical.min(logical))
            }
        };
        UsableCores { count: count.max(1), asked: number("AMORSIZE_MAX_WORKERS") }
    })
}

/// Distinct physical cores among the processors this thread may run on. Two hardware threads of one
/// core share its arithmetic units, so that loops bound by computation gain little from the second.
/// `None` where the system does not tell.
fn physical_cores() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/thread-self/status").ok()?;
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let cores: Option<BTreeSet<String>> = cpu_list(allowed.trim())?
        .map(|cpu| {
            let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/core_cpus_list");
            std::fs::read_to_string(path).ok()
        })
        .collect();
    cores.map(|cores| cores.len()).filter(|&count| count > 0)
}

/// Expands the kernel's list format, such as `0-3,8`.
fn cpu_list(text: &str) -> Option<impl Iterator<Item = u32> + use<>> {
    let ranges: Option<Vec<_>> = text
        .split(',')
        .map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            Some(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?)
        })
        .collect();
    Some(ranges?.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists_expand() {
        let list = |text| cpu_list(text).map(Iterator::collect::<Vec<_>>);
        assert_eq!(list("0-3,8"), Some(vec![0, 1, 2, 3, 8]));
        assert_eq!(list("5"), Some(vec![5]));
        assert_eq!(list(""), None);
        assert_eq!(list("0-x"), None);
    }

    #[test]
    fn the_tightest_bound_is_named() {
        let limits = limits_by_cores(Some(1));
        assert_eq!(limits.workers, 1);
        assert!(matches!(limits.bound, Bound::MaxWorkers | Bound::Cores | Bound::Environment));
    }
}
