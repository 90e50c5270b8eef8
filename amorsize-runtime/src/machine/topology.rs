//! How the machine is built: sockets, cores, hardware threads, caches and memory nodes. Nothing here decides
//! anything; it is what a person wants to see.

use std::collections::BTreeSet;

use super::cores::siblings;
use super::cpus::Cpus;
use super::fact::Fact;
use super::host::Host;

const CPUS: &str = "/sys/devices/system/cpu";
const NODES: &str = "/sys/devices/system/node";

/// The whole machine, whatever of it this process may use. What the system does not tell is `None` or left out.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Topology {
    /// Packages of processors.
    pub sockets: Option<Fact<usize>>,
    /// Physical cores that are switched on.
    pub physical_cores: Option<Fact<usize>>,
    /// Logical processors that are switched on.
    pub online_cpus: Option<Fact<usize>>,
    /// Logical processors that are there and switched off.
    pub offline_cpus: Option<Fact<usize>>,
    /// Most hardware threads of one core.
    pub threads_per_core: Option<Fact<usize>>,
    /// Fast and slow cores, where there are both.
    pub hybrid: Option<Fact<Hybrid>>,
    /// The caches of the first processor.
    pub caches: Vec<Fact<Cache>>,
    /// The parts of the machine with memory of their own that have processors.
    pub nodes: Vec<Fact<Node>>,
}

/// Logical processors of two kinds, as lists such as `0-7,16`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hybrid {
    /// The fastest.
    pub fast_cpus: String,
    /// All others.
    pub slow_cpus: String,
}

/// One cache.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cache {
    /// 1 for the one next to the core.
    pub level: u32,
    /// `Data`, `Instruction` or `Unified`, as the kernel calls it.
    pub kind: String,
    /// Its size.
    pub size_bytes: u64,
    /// Logical processors that share it.
    pub shared_by: usize,
}

/// One memory node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Node {
    /// Its number, as `numactl` knows it.
    pub number: u32,
    /// Its logical processors, as a list such as `0-7,16`.
    pub cpus: String,
}

impl Topology {
    pub(crate) fn read(host: &Host<'_>) -> Self {
        let Some((online, source)) = online(host) else {
            let physical_cores = (host.calls().physical_cores)();
            return Topology { physical_cores, ..Topology::default() };
        };
        let present = host.read(&format!("{CPUS}/present")).and_then(|list| Cpus::parse(&list));
        let (physical_cores, threads_per_core) = cores(host, &online);
        Topology {
            sockets: sockets(host, &online),
            physical_cores,
            online_cpus: Some(Fact::new(online.len(), source)),
            offline_cpus: present.map(|present| {
                Fact::new(present.len() - present.within(&online).len(), format!("{CPUS}/present"))
            }),
            threads_per_core,
            hybrid: hybrid(host, &online),
            caches: online.iter().next().map(|cpu| caches(host, cpu)).unwrap_or_default(),
            nodes: nodes(host),
        }
    }
}

fn online(host: &Host<'_>) -> Option<(Cpus, String)> {
    let path = format!("{CPUS}/online");
    if let Some(cpus) = host.read(&path).and_then(|list| Cpus::parse(&list)) {
        return Some((cpus, path));
    }
    // Processors that are switched off have no such folder.
    let is_online = |cpu: &u32| host.is_folder(&format!("{CPUS}/cpu{cpu}/topology"));
    let cpus: Cpus = host.numbered(CPUS, "cpu").into_iter().filter(is_online).collect();
    (!cpus.is_empty()).then(|| (cpus, format!("{CPUS}/cpu*/topology")))
}

fn sockets(host: &Host<'_>, cpus: &Cpus) -> Option<Fact<usize>> {
    let path = |cpu: &str| format!("{CPUS}/cpu{cpu}/topology/physical_package_id");
    let ids = cpus.iter().filter_map(|cpu| host.number(&path(&cpu.to_string())));
    let ids: BTreeSet<i64> = ids.collect();
    (!ids.is_empty()).then(|| Fact::new(ids.len(), path("*")))
}

/// Physical cores, and the most threads of one.
fn cores(host: &Host<'_>, cpus: &Cpus) -> (Option<Fact<usize>>, Option<Fact<usize>>) {
    let told: Vec<_> = cpus.iter().filter_map(|cpu| siblings(host, cpu)).collect();
    let Some((_, name)) = told.first() else { return (None, None) };
    let source = format!("{CPUS}/cpu*/topology/{name}");
    // Threads of one core name the same first one.
    let cores: Cpus = told.iter().filter_map(|(siblings, _)| siblings.iter().next()).collect();
    let threads = told.iter().map(|(siblings, _)| siblings.len()).max();
    (Some(Fact::new(cores.len(), &source)), threads.map(|threads| Fact::new(threads, &source)))
}

fn hybrid(host: &Host<'_>, cpus: &Cpus) -> Option<Fact<Hybrid>> {
    let kind = |name: &str| {
        host.read(&format!("/sys/devices/cpu_{name}/cpus")).and_then(|list| Cpus::parse(&list))
    };
    if let (Some(fast), Some(slow)) = (kind("core"), kind("atom")) {
        let hybrid = Hybrid { fast_cpus: fast.to_string(), slow_cpus: slow.to_string() };
        return Some(Fact::new(hybrid, "/sys/devices/cpu_core/cpus and cpu_atom/cpus"));
    }
    let path = |cpu: &str| format!("{CPUS}/cpu{cpu}/cpu_capacity");
    let capacity = |cpu: u32| Some((cpu, host.number::<u32>(&path(&cpu.to_string()))?));
    let capacities: Option<Vec<(u32, u32)>> = cpus.iter().map(capacity).collect();
    let capacities = capacities?;
    let most = capacities.iter().map(|(_, capacity)| *capacity).max()?;
    let those = |fast: bool| -> Cpus {
        let those = capacities.iter().filter(|(_, capacity)| (*capacity == most) == fast);
        those.map(|(cpu, _)| *cpu).collect()
    };
    let (fast, slow) = (those(true), those(false));
    let hybrid = Hybrid { fast_cpus: fast.to_string(), slow_cpus: slow.to_string() };
    (!slow.is_empty()).then(|| Fact::new(hybrid, path("*")))
}

fn caches(host: &Host<'_>, cpu: u32) -> Vec<Fact<Cache>> {
    let folder = format!("{CPUS}/cpu{cpu}/cache");
    let cache = |index: u32| {
        let folder = format!("{folder}/index{index}");
        let text = |name: &str| host.read(&format!("{folder}/{name}"));
        let cache = Cache {
            level: text("level")?.trim().parse().ok()?,
            kind: text("type")?.trim().to_owned(),
            size_bytes: size_bytes(text("size")?.trim())?,
            shared_by: Cpus::parse(&text("shared_cpu_list")?)?.len(),
        };
        Some(Fact::new(cache, folder))
    };
    host.numbered(&folder, "index").into_iter().filter_map(cache).collect()
}

/// A cache's size as the kernel writes it: `32K`.
fn size_bytes(text: &str) -> Option<u64> {
    let (number, unit) = match text.split_at_checked(text.len().saturating_sub(1))? {
        (number, "K") => (number, 1 << 10),
        (number, "M") => (number, 1 << 20),
        _ => (text, 1),
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

fn nodes(host: &Host<'_>) -> Vec<Fact<Node>> {
    let node = |number: u32| {
        let path = format!("{NODES}/node{number}/cpulist");
        // Memory without processors has an empty list.
        let cpus = Cpus::parse(&host.read(&path)?)?.to_string();
        Some(Fact::new(Node { number, cpus }, path))
    };
    host.numbered(NODES, "node").into_iter().filter_map(node).collect()
}
