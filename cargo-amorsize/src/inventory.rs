//! A machine written out: what loops may use, what that follows from, and where each number is from. Pure.

use amorsize_profile::MachineFacts;
use amorsize_runtime::survey::{CgroupLevel, Cores, Fact, Memory, Topology};

use crate::info::{Findings, Profiled};
use crate::{term, units};

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
    let rows = || parts.iter().flat_map(|(_, rows)| rows);
    let longest = |part: fn(&Row) -> &str| rows().map(|row| width(part(row))).max().unwrap_or(0);
    let widths =
        (longest(|row| &row.name).min(WIDEST_NAME), longest(|row| &row.value).min(WIDEST_VALUE));
    for (heading, rows) in parts.iter().filter(|(_, rows)| !rows.is_empty()) {
        lines.push(String::new());
        lines.push(term::heading(heading));
        lines.extend(rows.iter().flat_map(|row| row.lines(widths, columns)));
    }
    lines
}

/// Columns of names and values; what is longer pushes its source aside.
const WIDEST_NAME: usize = 24;
const WIDEST_VALUE: usize = 16;

/// A source that has fewer columns left goes to the next line.
const NARROWEST_SOURCE: usize = 24;

struct Row {
    name: String,
    value: String,
    source: String,
}

impl Row {
    fn new(name: &str, value: impl ToString, source: &str) -> Self {
        Row { name: name.to_owned(), value: value.to_string(), source: source.to_owned() }
    }

    /// A row for a fact; none where it is not known.
    fn of<T>(name: &str, fact: Option<&Fact<T>>, show: impl Fn(&T) -> String) -> Option<Self> {
        fact.map(|fact| Row::new(name, show(&fact.value), &fact.source))
    }

    /// The source has as many lines as it needs.
    fn lines(&self, (name, value): (usize, usize), columns: usize) -> Vec<String> {
        let pad = |text: &str, to: usize| " ".repeat(to.saturating_sub(width(text)));
        let (name_pad, value_pad) = (pad(&self.name, name), pad(&self.value, value));
        let mut line = format!("  {}{name_pad}  {}{value_pad}  ", self.name, self.value);
        let mut indent = width(&line);
        let mut lines = Vec::new();
        if indent + NARROWEST_SOURCE > columns {
            indent = 6;
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
        }
        for piece in pieces(&self.source, columns.saturating_sub(indent).max(1)) {
            if width(&line) > indent && width(&line) + width(&piece) > columns {
                lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            }
            line += &piece;
        }
        lines.push(line);
        let lines = lines.iter().map(|line| line.trim_end().to_owned());
        lines.filter(|line| !line.is_empty()).collect()
    }
}

/// Cuts a text behind every `/` and space, and where a piece would still be longer than `most`.
fn pieces(text: &str, most: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    for part in text.split_inclusive(['/', ' ']) {
        let characters: Vec<char> = part.chars().collect();
        pieces.extend(characters.chunks(most).map(String::from_iter));
    }
    pieces
}

fn width(text: &str) -> usize {
    text.chars().count()
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
        None => format!("cargo amorsize tune -p {}", profiled.package),
        Some(_) => path.into_owned(),
    };
    Row::new(&profiled.package, value, &source)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/sys/fs/cgroup/kubepods.slice/pod_4f2a/memory.max";

    fn row(name: &str, source: &str, columns: usize) -> Vec<String> {
        Row::new(name, "4.00 GiB", source).lines((12, 8), columns)
    }

    #[test]
    fn a_source_is_broken_where_its_folders_end() {
        assert_eq!(
            row("memory limit", "AMORSIZE_MEMORY", 60),
            ["  memory limit  4.00 GiB  AMORSIZE_MEMORY"]
        );
        assert_eq!(
            row("memory limit", PATH, 60),
            [
                "  memory limit  4.00 GiB  /sys/fs/cgroup/kubepods.slice/",
                "                          pod_4f2a/memory.max"
            ]
        );
    }

    #[test]
    fn a_source_without_room_beside_the_number_stands_below_it() {
        assert_eq!(
            row("memory limit", PATH, 40),
            [
                "  memory limit  4.00 GiB",
                "      /sys/fs/cgroup/kubepods.slice/",
                "      pod_4f2a/memory.max"
            ]
        );
        let id = "0123456789abcdef".repeat(5);
        let long = row("a-package-with-a-name-that-is-long", &format!("/a/{id}/b"), 50);
        assert!(long.iter().all(|line| width(line) <= 50), "{long:?}");
        assert_eq!(row("available", "", 80), ["  available     4.00 GiB"]);
    }

    #[test]
    fn long_lists_of_processors_are_counted() {
        assert_eq!(processors("0-63,128-191"), "0-63,128-191");
        assert_eq!(processors("0-15,32-47,64-79,100"), "49 of them");
    }
}
