//! What commands write for programs: one JSON object on standard output. `docs/guide.md` lists its fields; they
//! keep their names and meanings within one `format`, and new ones may come.

use amorsize_profile::MachineFacts;
use amorsize_runtime::survey::{CgroupLevel, Doubt, Fact, Memory, Survey, Topology};
use serde_json::{Map, Value, json};

use crate::info::{Findings, Profiled};

/// Raised when a field changes its meaning or goes away.
const FORMAT: u32 = 1;

/// The findings of `info`.
pub(crate) fn info(findings: &Findings) -> String {
    let Findings { survey, measured, packages } = findings;
    let mut facts = Facts::default();
    facts.add("machine_class", Some(&survey.class));
    cores(&mut facts, survey);
    memory(&mut facts, &survey.memory);
    facts.add("cpu_load_percent", survey.cpu_load.as_ref());
    facts.add("memory_load_percent", survey.memory_load.as_ref());
    let rest = json!({
        "document": "info",
        "format": FORMAT,
        "version": env!("CARGO_PKG_VERSION"),
        "cgroup_levels": list(&survey.cgroups, cgroup_level),
        "topology": topology(&survey.topology),
        "measured": machine_facts(measured),
        "packages": list(packages, profiled),
        "warnings": list(&survey.doubts, warning),
    });
    let mut object = facts.finish();
    if let Value::Object(rest) = rest {
        object.extend(rest);
    }
    format!("{:#}", Value::Object(object))
}

/// Fields with facts, and a field `sources` that says where those that are known are from.
#[derive(Default)]
struct Facts {
    fields: Map<String, Value>,
    sources: Map<String, Value>,
}

impl Facts {
    /// Adds a field, which is `null` where the fact is not known.
    fn add<T: Clone + Into<Value>>(&mut self, name: &str, fact: Option<&Fact<T>>) {
        let value = fact.map(|fact| fact.value.clone().into());
        self.fields.insert(name.to_owned(), value.unwrap_or_default());
        if let Some(fact) = fact {
            self.sources.insert(name.to_owned(), fact.source.clone().into());
        }
    }

    fn finish(mut self) -> Map<String, Value> {
        self.fields.insert("sources".to_owned(), self.sources.into());
        self.fields
    }
}

fn cores(facts: &mut Facts, survey: &Survey) {
    let cores = &survey.cores;
    facts.add("usable_cores", Some(&cores.usable));
    facts.add("granted_cores", Some(&cores.granted));
    facts.add("allowed_cpus", cores.allowed.as_ref());
    facts.add("physical_cores", cores.physical.as_ref());
    facts.add("quota_cores", cores.quota.as_ref());
    facts.add("allotted_cpus", cores.allotted.as_ref());
    facts.add("rayon_num_threads", cores.rayon_threads.as_ref());
    facts.add("max_workers", cores.max_workers.as_ref());
}

fn memory(facts: &mut Facts, memory: &Memory) {
    facts.add("available_memory_bytes", memory.available_bytes.as_ref());
    facts.add("declared_memory_bytes", memory.declared_bytes.as_ref());
    facts.add("installed_memory_bytes", memory.installed_bytes.as_ref());
    facts.add("system_memory_left_bytes", memory.system_bytes.as_ref());
    facts.add("cgroup_memory_left_bytes", memory.control_groups_bytes.as_ref());
    facts.add("address_space_left_bytes", memory.address_space_bytes.as_ref());
    facts.add("data_left_bytes", memory.data_bytes.as_ref());
}

fn cgroup_level(level: &CgroupLevel) -> Value {
    let mut facts = Facts::default();
    facts.add("quota_cores", level.quota_cores.as_ref());
    facts.add("memory_limit_bytes", level.memory_limit_bytes.as_ref());
    facts.add("memory_used_bytes", level.memory_used_bytes.as_ref());
    let mut object = facts.finish();
    object.insert("folder".to_owned(), level.folder.clone().into());
    object.insert("is_leaf".to_owned(), level.is_leaf.into());
    object.into()
}

fn topology(topology: &Topology) -> Value {
    let mut facts = Facts::default();
    facts.add("sockets", topology.sockets.as_ref());
    facts.add("physical_cores", topology.physical_cores.as_ref());
    facts.add("online_cpus", topology.online_cpus.as_ref());
    facts.add("offline_cpus", topology.offline_cpus.as_ref());
    facts.add("threads_per_core", topology.threads_per_core.as_ref());
    let hybrid = topology.hybrid.as_ref();
    let kind =
        |list: &str, source: &str| Fact { value: list.to_owned(), source: source.to_owned() };
    let fast = hybrid.map(|hybrid| kind(&hybrid.value.fast_cpus, &hybrid.source));
    let slow = hybrid.map(|hybrid| kind(&hybrid.value.slow_cpus, &hybrid.source));
    facts.add("fast_cpus", fast.as_ref());
    facts.add("slow_cpus", slow.as_ref());
    let mut object = facts.finish();
    let caches = list(&topology.caches, |cache| {
        json!({
            "level": cache.value.level,
            "kind": cache.value.kind.to_lowercase(),
            "size_bytes": cache.value.size_bytes,
            "shared_by_cpus": cache.value.shared_by,
            "source": cache.source,
        })
    });
    let nodes = list(
        &topology.nodes,
        |node| json!({ "number": node.value.number, "cpus": node.value.cpus, "source": node.source }),
    );
    object.insert("caches".to_owned(), caches);
    object.insert("memory_nodes".to_owned(), nodes);
    object.into()
}

fn machine_facts(facts: &MachineFacts) -> Value {
    json!({
        "spawn_ns": facts.spawn_ns,
        "wake_ns": facts.wake_ns,
        "cold_spawn_ns": facts.cold_spawn_ns,
        "cold_wake_ns": facts.cold_wake_ns,
        "hot_for_ns": facts.hot_for_ns,
        "claim_ns": facts.claim_ns,
        "reference_ns": facts.reference_ns,
    })
}

fn profiled(profiled: &Profiled) -> Value {
    json!({
        "name": profiled.package,
        "profile": profiled.path.to_string_lossy(),
        "profiled_classes": profiled.classes,
        "loops_for_this_class": profiled.loops,
    })
}

fn warning(doubt: &Doubt) -> Value {
    json!({ "name": doubt.name(), "message": doubt.to_string(), "hint": doubt.hint() })
}

fn list<T>(items: &[T], item: impl Fn(&T) -> Value) -> Value {
    items.iter().map(item).collect()
}
