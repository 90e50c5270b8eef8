//! A machine written out: what loops may use, what that follows from, and where each number is from. Pure.

use amorsize_profile::MachineFacts;
use amorsize_runtime::survey::{CgroupLevel, Cores, Fact, Memory, Topology};

use crate::info::{Findings, Profiled};
use crate::row::{self, Row, WIDEST_VALUE, width};
use crate::{again, term, units};

/// The findings in lines of at most so many columns, where names of files let themselves be broken.
pub(crate) fn lines(findings: &Findings, columns: usize) -> Vec<String> {
    let Findings { survey, measured, packages } = findings;
    let (class, cores) = (&survey.class, survey.cores.usable.value);
    let memory = survey.memory.available_bytes.as_ref();
    let memory = memory.map_or("an unknown amount".to_owned(), |bytes| units::bytes(bytes.value));
    let mut lines = vec![
        format!("{} ({})", term::heading(&class.value), class.source),
        format!("{cores} usable core{}, {memory} of memory available", plural(cores)),
    ];
    let parts = [
        ("cores for loops", cores_rows(&survey.cores)),
        ("memory for loops", memory_rows(&survey.memory)),
        ("limits of control groups", cgroup_rows(&survey.cgroups)),
        ("load", load_rows(survey.cpu_load.as_ref(), survey.memory_load.as_ref())),
        ("the whole machine", topology_rows(&survey.topology)),
        ("handing out work", measured_rows(measured)),
        ("profiles", packages.iter().map(profile_row).collect()),
    ];
    lines.extend(row::parts_lines(&parts, columns));
    lines
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn count(number: &usize) -> String {
    units::count(*number as u64)
}

fn bytes(number: &u64) -> String {
    units::bytes(*number)
}

fn cores_rows(cores: &Cores) -> Vec<Row> {
    [
        Row::of("usable", Some(&cores.usable), count),
        Row::of("for waiting items", Some(&cores.usable_processors), count),
        Row::of("allowed processors", cores.allowed.as_ref(), count),
        Row::of("physical cores", cores.physical.as_ref(), count),
        Row::of("quota", cores.quota.as_ref(), |cores| units::significant(*cores)),
        Row::of("allotted", cores.allotted.as_ref(), count),
        Row::of("threads of rayon", cores.rayon_threads.as_ref(), count),
        Row::of("most workers", cores.max_workers.as_ref(), count),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn memory_rows(memory: &Memory) -> Vec<Row> {
    let available = memory.available_bytes.as_ref();
    [
        available.is_none().then(|| Row::new("available", "unknown", "")),
        Row::of("available", available, bytes),
        Row::of("declared", memory.declared_bytes.as_ref(), bytes),
        Row::of("control groups", memory.control_groups_bytes.as_ref(), bytes),
        Row::of("system", memory.system_bytes.as_ref(), bytes),
        Row::of("address space", memory.address_space_bytes.as_ref(), bytes),
        Row::of("data", memory.data_bytes.as_ref(), bytes),
        Row::of("installed", memory.installed_bytes.as_ref(), bytes),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn cgroup_rows(levels: &[CgroupLevel]) -> Vec<Row> {
    let rows = |level: &CgroupLevel| {
        let limit = level.memory_limit_bytes.as_ref();
        let used = level.memory_used_bytes.as_ref().filter(|_| limit.is_some());
        [
            Row::of("quota", level.quota_cores.as_ref(), |cores| units::significant(*cores)),
            Row::of("memory limit", limit, bytes),
            Row::of("memory used", used, bytes),
        ]
    };
    levels.iter().flat_map(rows).flatten().collect()
}

fn load_rows(cpu: Option<&Fact<f64>>, memory: Option<&Fact<f64>>) -> Vec<Row> {
    let percent = |share: &f64| format!("{share:.0} %");
    [Row::of("processors", cpu, percent), Row::of("memory", memory, percent)]
        .into_iter()
        .flatten()
        .collect()
}

fn topology_rows(topology: &Topology) -> Vec<Row> {
    let hybrid = topology.hybrid.as_ref();
    let mut rows: Vec<Row> = [
        Row::of("sockets", topology.sockets.as_ref(), count),
        Row::of("physical cores", topology.physical_cores.as_ref(), count),
        Row::of("processors on", topology.online_cpus.as_ref(), count),
        Row::of("processors off", topology.offline_cpus.as_ref(), count),
        Row::of("threads per core", topology.threads_per_core.as_ref(), count),
        Row::of("fast processors", hybrid, |hybrid| processors(&hybrid.fast_cpus)),
        Row::of("slow processors", hybrid, |hybrid| processors(&hybrid.slow_cpus)),
    ]
    .into_iter()
    .flatten()
    .collect();
    for cache in &topology.caches {
        let kind = match cache.value.kind.as_str() {
            "Unified" => String::new(),
            kind => format!("{} ", kind.to_lowercase()),
        };
        let name = format!("L{} {kind}cache", cache.value.level);
        rows.push(Row::new(&name, units::bytes(cache.value.size_bytes), &cache.source));
    }
    for node in &topology.nodes {
        let name = format!("memory node {}", node.value.number);
        rows.push(Row::new(&name, processors(&node.value.cpus), &node.source));
    }
    rows
}

/// A list such as `0-7,16`, or how many it lists where it is too long.
fn processors(list: &str) -> String {
    if width(list) <= WIDEST_VALUE {
        return list.to_owned();
    }
    let counted = list.split(',').map(|run| {
        let (first, last) = run.split_once('-').unwrap_or((run, run));
        let (first, last) = (first.parse::<u64>().unwrap_or(0), last.parse::<u64>().unwrap_or(0));
        last.saturating_sub(first) + 1
    });
    format!("{} of them", units::count(counted.sum()))
}

fn measured_rows(facts: &MachineFacts) -> Vec<Row> {
    [
        ("spawn", facts.spawn_ns),
        ("wake", facts.wake_ns),
        ("cold spawn", facts.cold_spawn_ns),
        ("cold wake", facts.cold_wake_ns),
        ("hot for", facts.hot_for_ns),
        ("claim", facts.claim_ns),
        ("reference", facts.reference_ns),
    ]
    .into_iter()
    .map(|(name, ns)| Row::new(name, units::time(ns), "measured just now"))
    .collect()
}

fn profile_row(profiled: &Profiled) -> Row {
    let value = match (&profiled.classes, profiled.loops) {
        (None, _) => "none yet".to_owned(),
        (Some(_), None) => "not for here".to_owned(),
        (Some(_), Some(loops)) => format!("{loops} loop{}", plural(loops)),
    };
    let path = profiled.path.to_string_lossy();
    let source = match &profiled.classes {
        None => again::tune(&profiled.package),
        Some(_) => path.into_owned(),
    };
    Row::new(&profiled.package, value, &source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_of_processors_are_counted() {
        assert_eq!(processors("0-63,128-191"), "0-63,128-191");
        assert_eq!(processors("0-15,32-47,64-79,100"), "49 of them");
    }
}
