//! How many workers a call may have.

use std::sync::OnceLock;

use super::allotment::allotted;
use super::cgroup;
use super::cpus::Cpus;
use super::fact::{Fact, least};
use super::host::Host;
use crate::model::{Bound, Limits};
use crate::pool;
use crate::workload::workers_on;

/// The limits for a call, as far as they can be told without a pool, of items with this CPU share.
pub(crate) fn limits_by_cores(cpu_share: Option<f64>, max_workers: Option<usize>) -> Limits {
    let cores = facts();
    let cores = Limits::cores(workers_on(cores.count, cores.processors, cpu_share));
    let mut limits = limit_by_environment(cores);
    if let Some(most) = max_workers.filter(|&most| most < limits.workers) {
        (limits.workers, limits.bound) = (most.max(1), Bound::MaxWorkers);
    }
    limits
}

/// Adds the limit that `AMORSIZE_MAX_WORKERS` sets.
pub(crate) fn limit_by_environment(limits: Limits) -> Limits {
    match facts().asked {
        Some(most) if most < limits.workers => {
            Limits { workers: most, bound: Bound::Environment, ..limits }
        }
        _ => limits,
    }
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
/// cores among those that affinity mask, control groups and batch system allow.
pub fn usable_cores() -> usize {
    facts().count
}

/// The logical processors that loops of this process may use: `RAYON_NUM_THREADS` if it is set, else those
/// that affinity mask, control groups and batch system allow.
#[cfg(feature = "record")]
pub(crate) fn usable_processors() -> usize {
    facts().processors
}

struct UsableCores {
    count: usize,
    processors: usize,
    /// `AMORSIZE_MAX_WORKERS`.
    asked: Option<usize>,
}

fn facts() -> &'static UsableCores {
    static CORES: OnceLock<UsableCores> = OnceLock::new();
    CORES.get_or_init(|| {
        let host = Host::this();
        let (count, processors) = match host.count(RAYON_NUM_THREADS) {
            Some(threads) => (threads, threads),
            None => {
                let cores = Cores::read(&host);
                (cores.usable.value, cores.usable_processors.value)
            }
        };
        UsableCores { count, processors, asked: host.count(MAX_WORKERS) }
    })
}

const RAYON_NUM_THREADS: &str = "RAYON_NUM_THREADS";
pub(super) const MAX_WORKERS: &str = "AMORSIZE_MAX_WORKERS";

/// The cores for loops, and everything that their number follows from.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Cores {
    /// What loops may use whose items compute: `rayon_threads` if that is set, else `granted`.
    pub usable: Fact<usize>,
    /// What loops may use whose items wait for part of their time: `rayon_threads` if that is set, else the
    /// least of `allowed`, `quota` and `allotted`.
    pub usable_processors: Fact<usize>,
    /// The least of the four that follow, and 1 where none of them is known.
    pub granted: Fact<usize>,
    /// Logical processors that are switched on and that the affinity mask allows.
    pub allowed: Option<Fact<usize>>,
    /// Physical cores that these belong to. Two hardware threads of one core share its arithmetic units, so
    /// that loops bound by computation gain little from the second.
    pub physical: Option<Fact<usize>>,
    /// The smallest quota over all levels of the control groups. A part of a core counts for nothing, except
    /// that one is always left.
    pub quota: Option<Fact<f64>>,
    /// Processors that a batch system has allotted.
    pub allotted: Option<Fact<usize>>,
    /// `RAYON_NUM_THREADS`.
    pub rayon_threads: Option<Fact<usize>>,
    /// `AMORSIZE_MAX_WORKERS`, an upper limit for all loops.
    pub max_workers: Option<Fact<usize>>,
}

impl Cores {
    pub(crate) fn read(host: &Host<'_>) -> Self {
        let (allowed, physical) = processors(host);
        let quota = cgroup::quota_cores(host);
        let allotted = allotted(host);
        let whole = quota.as_ref().map(|quota| Fact::new(whole(quota.value), &quota.source));
        let of = |facts| least(facts).unwrap_or_else(|| Fact::new(1, "nothing known"));
        let processors = of([allowed.clone(), None, whole.clone(), allotted.clone()]);
        let granted = of([allowed.clone(), physical.clone(), whole, allotted.clone()]);
        let count = |name: &str| Some(Fact::new(host.count(name)?, name));
        let rayon_threads = count(RAYON_NUM_THREADS);
        Cores {
            usable: rayon_threads.clone().unwrap_or_else(|| granted.clone()),
            usable_processors: rayon_threads.clone().unwrap_or(processors),
            granted,
            allowed,
            physical,
            quota,
            allotted,
            rayon_threads,
            max_workers: count(MAX_WORKERS),
        }
    }
}

/// The workers that a quota allows.
pub(super) fn whole(quota: f64) -> usize {
    (quota as usize).max(1)
}

/// The logical processors that this process may run on, and the physical cores among them.
fn processors(host: &Host<'_>) -> (Option<Fact<usize>>, Option<Fact<usize>>) {
    let Some(cpus) = mask(host) else {
        let counted = (host.calls().parallelism)().map(|count| count.max(1));
        // Calls tell the cores of the whole machine, which need not all be allowed.
        let most = counted.unwrap_or(usize::MAX);
        let physical = (host.calls().physical_cores)()
            .map(|cores| Fact::new(cores.value.clamp(1, most), cores.source));
        return (counted.map(|count| Fact::new(count, "the standard library")), physical);
    };
    let physical = physical_cores(host, &cpus);
    (Some(Fact::new(cpus.len(), "/proc/self/status Cpus_allowed_list")), physical)
}

/// The processors that are switched on and that the affinity mask allows.
pub(super) fn mask(host: &Host<'_>) -> Option<Cpus> {
    // A thread that was pinned to one core says nothing about the others, so the masks of the calling thread
    // and of the process's first one are joined.
    let of = |task: &str| {
        let status = host.read(&format!("/proc/{task}/status"))?;
        Cpus::parse(status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?)
    };
    let mut mask = of("self")?;
    mask.extend(&of("thread-self").unwrap_or_default());
    // Masks may name processors that are switched off or that the machine never had.
    let online = host.read("/sys/devices/system/cpu/online").and_then(|list| Cpus::parse(&list));
    let present = online.unwrap_or_default().within(&mask);
    if present.is_empty() {
        // Nothing tells which of them are there, but maybe how many.
        let count = (host.calls().parallelism)().unwrap_or(mask.len());
        return Some(mask.iter().take(count).collect());
    }
    Some(present)
}

/// The distinct cores that `cpus` are threads of; `None` where the system does not tell of any.
fn physical_cores(host: &Host<'_>, cpus: &Cpus) -> Option<Fact<usize>> {
    let mut counted = Cpus::default();
    let mut source = None;
    let mut cores = 0;
    for cpu in cpus.iter() {
        if counted.contains(cpu) {
            continue;
        }
        // A processor that is switched off has no such folder.
        let Some((siblings, name)) = siblings(host, cpu) else { continue };
        cores += 1;
        counted.extend(&siblings);
        source.get_or_insert(name);
    }
    Some(Fact::new(cores, format!("/sys/devices/system/cpu/cpu*/topology/{}", source?)))
}

/// The threads of the core that `cpu` is one of, and the file that tells them.
pub(super) fn siblings(host: &Host<'_>, cpu: u32) -> Option<(Cpus, &'static str)> {
    // The second is the name that kernels before 5.3 know.
    ["core_cpus_list", "thread_siblings_list"].into_iter().find_map(|name| {
        let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/{name}");
        let mut siblings = Cpus::parse(&host.read(&path)?)?;
        siblings.insert(cpu);
        Some((siblings, name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_bound_is_named() {
        let limits = limits_by_cores(Some(0.1), Some(1));
        assert_eq!(limits.workers, 1);
        assert!(matches!(limits.bound, Bound::MaxWorkers | Bound::Cores | Bound::Environment));
    }
}
