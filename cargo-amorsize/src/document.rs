//! What commands write for programs: one JSON object on standard output. `docs/guide.md` lists its fields; they
//! keep their names and meanings within one `format`, and new ones may come.

use amorsize_profile::MachineFacts;
use amorsize_runtime::Workload;
use amorsize_runtime::model::{Bound, Plan};
use amorsize_runtime::survey::{CgroupLevel, Doubt, Fact, Memory, Survey, Topology};
use serde_json::{Map, Value, json};

use crate::explain::Edited;
use crate::explanation::{Explanation, Rejected, System, TERMS, Why, term_values};
use crate::fit::HOT;
use crate::info::{Findings, Profiled};
use crate::stats::Ratio;
use crate::tune::Tuned;
use crate::verdict::Verified;

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

/// The explanation of a loop's call; none of a loop that is not tuned.
pub(crate) fn explain(
    name: &str,
    explanation: Option<&Explanation<'_>>,
    edited: Option<&Edited>,
) -> String {
    let rejected = explanation.map(Explanation::rejected).unwrap_or_default();
    let advice = explanation.map(Explanation::advice).unwrap_or_default();
    let warnings = edited.map(
        |edited| json!({ "name": "edited", "message": edited.to_string(), "hint": edited.hint() }),
    );
    let object = json!({
        "document": "explain",
        "format": FORMAT,
        "version": env!("CARGO_PKG_VERSION"),
        "loop": name,
        "is_tuned": explanation.is_some(),
        "workload": explanation.map(workload),
        "system": explanation.map(|explanation| system(explanation, &explanation.system)),
        "decision": explanation.map(decision),
        "prediction": explanation.map(prediction),
        "rejected": list(&rejected, |rejected| self::rejected(rejected, explanation)),
        "advice": list(&advice, |advice| json!({ "name": advice.name(), "message": advice.to_string() })),
        "warnings": Vec::from_iter(warnings),
    });
    format!("{object:#}")
}

/// What became of the packages that were tuned.
pub(crate) fn tune(packages: &[Tuned]) -> String {
    let object = json!({
        "document": "tune",
        "format": FORMAT,
        "version": env!("CARGO_PKG_VERSION"),
        "packages": list(packages, tuned),
    });
    format!("{object:#}")
}

fn tuned(tuned: &Tuned) -> Value {
    json!({
        "name": tuned.package,
        "profile": tuned.profile.to_string_lossy(),
        "is_written": tuned.is_written,
        "machine_class": tuned.class,
        "other_load_share": tuned.load,
        "calls": list(&tuned.rows, |row| verified(row, tuned.mended.contains(&row.name))),
        "untuned_loops": tuned.untuned,
        "unreached_functions": tuned.unreached,
    })
}

fn verified(row: &Verified, is_mended: bool) -> Value {
    json!({
        "loop": row.name,
        "items": row.items,
        "cost_per_item": row.cost.0,
        "is_dominant": row.is_dominant,
        "share": row.share,
        "plan": plan(row.plan(), row.items as usize),
        "serial_ns": row.serial,
        "rayon_ns": row.rayon,
        "tuned_ns": row.tuned,
        "predicted_ns": row.predicted,
        "predicted_serial_ns": row.predicted_serial,
        "tuned_to_serial": row.to_serial.map(interval),
        "tuned_to_rayon": row.to_rayon.map(interval),
        "is_mended": is_mended,
    })
}

fn interval(ratio: Ratio) -> Value {
    json!({ "ratio": ratio.middle, "low": ratio.low, "high": ratio.high })
}

fn workload(explanation: &Explanation<'_>) -> Value {
    let (call, facts) = (&explanation.call, &explanation.facts);
    json!({
        "items": call.len,
        "cost_per_item": call.cost,
        "item_ns": facts.item_ns_of(call.len as f64),
        "item_growth": facts.item_growth,
        "item_cv": facts.item_cv,
        "variation": explanation.variation().name(),
        "serial_ns": explanation.decision.serial_ns,
        "contention": facts.contention,
        "coherency": facts.coherency,
        "imbalance": facts.imbalance,
        "piece_ns": facts.piece_ns,
        "reduce_ns": facts.reduce_ns_of(call.len as f64),
        "cpu_share": facts.cpu_share,
        "bound_by": explanation.workload().map(workload_name),
        "task_memory_bytes": call.task_bytes.as_ref().map(|task| task.value),
        "task_memory_source": call.task_bytes.as_ref().map(|task| task.source.clone()),
        "max_workers_of_attribute": call.options.max_workers,
    })
}

fn workload_name(workload: Workload) -> &'static str {
    match workload {
        Workload::Cpu => "cpu",
        Workload::Mixed => "mixed",
        Workload::Io => "io",
    }
}

fn system(explanation: &Explanation<'_>, system: &System) -> Value {
    let mut facts = Facts::default();
    facts.add("machine_class", Some(&system.class));
    facts.add("usable_cores", Some(&system.cores));
    facts.add("usable_processors", Some(&system.processors));
    facts.add("pool_threads", Some(&system.pool_threads));
    facts.add("most_workers", system.most_workers.as_ref());
    facts.add("available_memory_bytes", system.available_bytes.as_ref());
    facts.add("memory_permille", Some(&system.memory_permille));
    let respected = |_: &&Fact<f64>| explanation.call.options.respect_load;
    facts.add("cpu_load_percent", system.cpu_load.as_ref().filter(respected));
    facts.add("memory_load_percent", system.memory_load.as_ref().filter(respected));
    let hot = explanation.call.hot;
    let mut object = facts.finish();
    object.insert("usable_memory_bytes".to_owned(), system.usable_bytes().into());
    object.insert("hot_helpers".to_owned(), Some(hot).filter(|hot| *hot != HOT).into());
    object.insert("measured".to_owned(), machine_facts(&system.costs));
    object.into()
}

fn decision(explanation: &Explanation<'_>) -> Value {
    let (decision, cold) = (&explanation.decision, &explanation.cold);
    json!({
        "plan": plan(decision.plan, explanation.call.len),
        "limited_by": decision.limited_by.map(bound_name),
        "worker_limit": explanation.limits.workers,
        "worker_limit_by": bound_name(explanation.limits.bound),
        "break_even_items": explanation.break_even(explanation.call.hot),
        "cold_plan": plan(cold.plan, explanation.call.len),
        "cold_predicted_ns": cold.terms.total(),
        "cold_break_even_items": explanation.break_even(0),
    })
}

fn prediction(explanation: &Explanation<'_>) -> Value {
    let values = term_values(&explanation.decision.terms);
    let terms: Vec<Value> = TERMS
        .iter()
        .zip(values)
        .map(|(name, ns)| json!({ "name": name, "time_ns": ns, "share": explanation.share(ns) }))
        .collect();
    let overhead_ns = explanation.overhead_ns();
    json!({
        "predicted_ns": explanation.predicted_ns(),
        "speedup": explanation.speedup(),
        "efficiency": explanation.efficiency(),
        "terms": terms,
        "overhead_ns": overhead_ns,
        "overhead_share": explanation.share(overhead_ns),
    })
}

fn rejected(rejected: &Rejected, explanation: Option<&Explanation<'_>>) -> Value {
    let len = explanation.map_or(0, |explanation| explanation.call.len);
    let (reason, by, mostly, limit) = match rejected.why {
        Why::Slower { by, mostly } => ("slower", Some(by), Some(mostly), None),
        Why::GainsLittle { gain } => ("gains-little", Some(-gain), None, None),
        Why::Forbidden(bound) => ("not-allowed", None, None, Some(bound_name(bound))),
    };
    json!({
        "plan": plan(rejected.plan, len),
        "predicted_ns": rejected.predicted_ns,
        "reason": reason,
        "slower_by_share": by,
        "mostly": mostly,
        "not_allowed_by": limit,
    })
}

fn plan(plan: Plan, len: usize) -> Value {
    let (workers, chunk, chunks) = match plan {
        Plan::Serial => (1, len, 1.min(len)),
        Plan::Parallel { workers, chunk } => (workers, chunk, len.div_ceil(chunk)),
    };
    json!({
        "is_serial": plan == Plan::Serial,
        "workers": workers,
        "chunk_items": chunk,
        "chunks": chunks,
    })
}

fn bound_name(bound: Bound) -> &'static str {
    match bound {
        Bound::Cores => "cores",
        Bound::Pool => "pool",
        Bound::MaxWorkers => "max-workers",
        Bound::Environment => "most-workers",
        Bound::Items => "items",
        Bound::Busy => "busy",
        Bound::Load => "load",
        Bound::Memory { .. } => "memory",
        _ => "other",
    }
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
    facts.add("usable_processors", Some(&cores.usable_processors));
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
