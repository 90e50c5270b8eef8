//! What about a machine may not be as it was meant.

use std::fmt;

use super::cores::{MAX_WORKERS, mask, whole};
use super::cpus::Cpus;
use super::fact::Fact;
use super::host::Host;
use super::memory::{self, InvalidMemory};
use super::survey::Survey;
use super::topology::{Hybrid, Node};
use crate::force::{Force, InvalidForce};

/// Something that is worth a second look. [`Display`](fmt::Display) is one line; what to do about it is said
/// by [`Doubt::hint`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Doubt {
    /// The quota of processor time is no whole number of cores.
    QuotaRounded {
        /// The quota.
        quota_cores: f64,
        /// What it counts as.
        workers: usize,
        /// The file that says so.
        source: String,
    },
    /// Several processors are hardware threads of one core, and loops use one of them.
    SharedCores {
        /// Logical processors that this process may use.
        logical: usize,
        /// The physical cores that they belong to.
        physical: usize,
    },
    /// `RAYON_NUM_THREADS` asks for more threads than there are cores for them.
    TooManyThreads {
        /// What it asks for.
        threads: usize,
        /// What the system grants.
        cores: usize,
    },
    /// The batch system has allotted less than the process could use.
    AllottedLess {
        /// The processors that are allotted.
        allotted: usize,
        /// The processors that the process could use.
        allowed: usize,
        /// The variable that says so.
        source: String,
    },
    /// The process's own control group has no memory limit, but one above it does.
    MemoryLimitAbove {
        /// The smallest limit.
        limit_bytes: u64,
        /// The file that says so.
        source: String,
    },
    /// The processors that the process may use are not equally fast.
    HybridCores(Hybrid),
    /// The processors that the process may use belong to several memory nodes.
    SeveralNodes(Vec<Node>),
    /// `AMORSIZE_MEMORY` is no size.
    InvalidMemory(InvalidMemory),
    /// `AMORSIZE_MAX_WORKERS` is no number above 0; this is what it is.
    InvalidMaxWorkers(String),
    /// `AMORSIZE` is no plan.
    InvalidPlan(InvalidForce),
}

impl Doubt {
    /// A name for programs, which never changes: `quota-rounded`.
    pub fn name(&self) -> &'static str {
        match self {
            Doubt::QuotaRounded { .. } => "quota-rounded",
            Doubt::SharedCores { .. } => "shared-cores",
            Doubt::TooManyThreads { .. } => "too-many-threads",
            Doubt::AllottedLess { .. } => "allotted-less",
            Doubt::MemoryLimitAbove { .. } => "memory-limit-above",
            Doubt::HybridCores(_) => "hybrid-cores",
            Doubt::SeveralNodes(_) => "several-nodes",
            Doubt::InvalidMemory(_) => "invalid-memory",
            Doubt::InvalidMaxWorkers(_) => "invalid-max-workers",
            Doubt::InvalidPlan(_) => "invalid-plan",
        }
    }

    /// What to do about it, without a full stop.
    pub fn hint(&self) -> String {
        match self {
            Doubt::QuotaRounded { quota_cores, .. } => {
                format!("loops could use all of a quota of {} cores", quota_cores.ceil())
            }
            Doubt::SharedCores { logical, .. } => {
                format!(
                    "where loops wait for memory a lot, compare with RAYON_NUM_THREADS={logical}"
                )
            }
            Doubt::TooManyThreads { cores, .. } => format!(
                "unless its loops wait more than they compute, unset it or set it to {cores}"
            ),
            Doubt::AllottedLess { .. } => {
                "ask the batch system for more, or win over it with RAYON_NUM_THREADS".to_owned()
            }
            Doubt::MemoryLimitAbove { .. } => {
                "it is shared with everything else below that level".to_owned()
            }
            Doubt::HybridCores(Hybrid { fast_cpus, .. }) => {
                format!("to use the fast ones alone: taskset -c {fast_cpus} PROGRAM")
            }
            Doubt::SeveralNodes(nodes) => {
                let first = nodes.first().map_or(0, |node| node.number);
                format!(
                    "for a program that moves much memory and fits one node, try \
                     numactl --cpunodebind={first} --membind={first} PROGRAM; for one that fills all \
                     cores, numactl --interleave=all PROGRAM"
                )
            }
            Doubt::InvalidMemory(_) => "for example: AMORSIZE_MEMORY=8GiB".to_owned(),
            Doubt::InvalidMaxWorkers(_) => "for example: AMORSIZE_MAX_WORKERS=4".to_owned(),
            Doubt::InvalidPlan(_) => "for example: AMORSIZE=workers=4,chunk=64".to_owned(),
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::QuotaRounded { quota_cores, workers, source } => write!(
                formatter,
                "the quota of {quota_cores} cores in {source} counts as {workers}"
            ),
            Doubt::SharedCores { logical, physical } => write!(
                formatter,
                "the {logical} processors are hardware threads of {physical} cores: loops that compute use one of each"
            ),
            Doubt::TooManyThreads { threads, cores } => write!(
                formatter,
                "RAYON_NUM_THREADS asks for {threads} threads, the system grants cores for {cores}"
            ),
            Doubt::AllottedLess { allotted, allowed, source } => write!(
                formatter,
                "{source} allots {allotted} of the {allowed} cores that this process could use"
            ),
            Doubt::MemoryLimitAbove { limit_bytes, source } => write!(
                formatter,
                "this process's control group has no memory limit, but one above it has: {limit_bytes} \
                 bytes in {source}"
            ),
            Doubt::HybridCores(Hybrid { fast_cpus, slow_cpus }) => write!(
                formatter,
                "processors {fast_cpus} are faster than {slow_cpus}: predictions take them to be equal"
            ),
            Doubt::SeveralNodes(nodes) => write!(
                formatter,
                "the processors belong to {} memory nodes: reaching another node's memory takes longer",
                nodes.len()
            ),
            Doubt::InvalidMemory(invalid) => invalid.fmt(formatter),
            Doubt::InvalidMaxWorkers(value) => write!(
                formatter,
                "{MAX_WORKERS}={value:?} is ignored: expected a number of at least 1"
            ),
            Doubt::InvalidPlan(invalid) => invalid.fmt(formatter),
        }
    }
}

/// What is doubtful about what a survey says.
pub(super) fn doubts(survey: &Survey, host: &Host<'_>) -> Vec<Doubt> {
    let mut doubts = of_cores(survey);
    doubts.extend(of_memory(survey));
    doubts.extend(of_topology(survey, host));
    doubts.extend(of_variables(host));
    doubts
}

/// Of the bounds on the workers only those that decide are worth a word.
fn of_cores(survey: &Survey) -> Vec<Doubt> {
    let cores = &survey.cores;
    let granted = cores.granted.value;
    if let Some(threads) = &cores.rayon_threads {
        let (threads, cores) = (threads.value, granted);
        return if threads > cores {
            vec![Doubt::TooManyThreads { threads, cores }]
        } else {
            Vec::new()
        };
    }
    let mut doubts = Vec::new();
    let quota = cores.quota.as_ref().filter(|quota| whole(quota.value) == granted);
    if let Some(Fact { value: quota_cores, source }) = quota.cloned() {
        if quota_cores != granted as f64 {
            doubts.push(Doubt::QuotaRounded { quota_cores, workers: granted, source });
        }
    }
    let value = |fact: &Option<Fact<usize>>| fact.as_ref().map(|fact| fact.value);
    let logical = value(&cores.allowed).unwrap_or(granted);
    let physical = value(&cores.physical).unwrap_or(logical);
    if physical < logical && physical == granted {
        doubts.push(Doubt::SharedCores { logical, physical });
    }
    if let Some(Fact { value: allotted, source }) = cores.allotted.clone() {
        if allotted < physical && allotted == granted {
            doubts.push(Doubt::AllottedLess { allotted, allowed: physical, source });
        }
    }
    doubts
}

fn of_memory(survey: &Survey) -> Option<Doubt> {
    let limited = |leaf: bool| {
        let levels = survey.cgroups.iter().filter(move |level| level.is_leaf == leaf);
        levels.filter_map(|level| level.memory_limit_bytes.as_ref())
    };
    if limited(true).next().is_some() {
        return None;
    }
    let tightest = limited(false).min_by_key(|limit| limit.value)?;
    let (limit_bytes, source) = (tightest.value, tightest.source.clone());
    Some(Doubt::MemoryLimitAbove { limit_bytes, source })
}

/// Only the processors that this process may use are worth a word.
fn of_topology(survey: &Survey, host: &Host<'_>) -> Vec<Doubt> {
    let Some(mask) = mask(host) else { return Vec::new() };
    let within = |list: &str| Cpus::parse(list).unwrap_or_default().within(&mask).to_string();
    let mut doubts = Vec::new();
    if let Some(hybrid) = &survey.topology.hybrid {
        let Hybrid { fast_cpus, slow_cpus } = &hybrid.value;
        let (fast_cpus, slow_cpus) = (within(fast_cpus), within(slow_cpus));
        if !fast_cpus.is_empty() && !slow_cpus.is_empty() {
            doubts.push(Doubt::HybridCores(Hybrid { fast_cpus, slow_cpus }));
        }
    }
    let nodes = survey.topology.nodes.iter().map(|fact| &fact.value);
    let nodes: Vec<Node> = nodes.filter(|node| !within(&node.cpus).is_empty()).cloned().collect();
    if nodes.len() > 1 {
        doubts.push(Doubt::SeveralNodes(nodes));
    }
    doubts
}

fn of_variables(host: &Host<'_>) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    if let Some(Err(invalid)) = memory::declared(host) {
        doubts.push(Doubt::InvalidMemory(invalid));
    }
    if let Some(value) = host.variable(MAX_WORKERS).filter(|_| host.count(MAX_WORKERS).is_none()) {
        doubts.push(Doubt::InvalidMaxWorkers(value));
    }
    if let Some(Err(invalid)) = host.variable("AMORSIZE").map(|value| value.parse::<Force>()) {
        doubts.push(Doubt::InvalidPlan(invalid));
    }
    doubts
}
