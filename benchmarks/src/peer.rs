//! Who competes: an executor with its settings.

use amorsize::expansion::{LoopFacts, MachineFacts, Options, Profiled};
use amorsize::{Force, Loop};
use amorsize_runtime::machine_class;
use amorsize_runtime::model::{self, Limits};

use crate::executor::Executor;
use crate::forked::Forked;
use crate::openmp::Schedule;
use crate::workload::Workload;

/// A competitor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Peer {
    /// The plain iterator.
    Serial,
    /// Rayon as it is.
    Rayon,
    /// Rayon with a `with_min_len`.
    RayonMinLen(usize),
    /// An executor without settings.
    Other(Executor),
    /// Amorsize at its first call of a loop that no profile knows, while it knows another one.
    Unseen { known: &'static Loop },
    /// Amorsize with a profile.
    Profiled(&'static Loop),
    /// Amorsize's executor under an imposed plan.
    Plan {
        workers: usize,
        /// The model's choice when `None`.
        chunk: Option<usize>,
        target: &'static Loop,
    },
}

/// Whose threads a peer runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pool {
    /// Amorsize's helpers are of it too.
    Rayon,
    Orx,
    Paralight,
    /// None: threads are new in each call.
    Scope,
    Chili,
    /// Of all schedules.
    OpenMp,
}

impl Pool {
    /// Whether its threads go on looking for work for a while, in the way of whoever runs next.
    pub(crate) fn spins_on(self) -> bool {
        matches!(self, Pool::OpenMp | Pool::Paralight)
    }
}

impl Peer {
    /// The plan that the process must be under while this peer runs.
    pub(crate) fn force(&self) -> Option<Force> {
        match *self {
            Peer::Plan { workers, chunk, .. } => Some(Force::Workers { workers, chunk }),
            _ => None,
        }
    }

    /// The pool that it runs on.
    pub(crate) fn pool(&self) -> Pool {
        match self {
            Peer::Other(Executor::Orx) => Pool::Orx,
            Peer::Other(Executor::Paralight) => Pool::Paralight,
            Peer::Other(Executor::Forked(Forked::Scope)) => Pool::Scope,
            Peer::Other(Executor::Forked(Forked::Chili)) => Pool::Chili,
            Peer::Other(Executor::Forked(Forked::OpenMp(_))) => Pool::OpenMp,
            _ => Pool::Rayon,
        }
    }

    /// The executor of calls that make the pool hot and warm the caches up.
    pub(crate) fn warm_up(&self) -> Executor {
        match *self {
            Peer::Unseen { known } => Executor::Amorsize(known),
            _ => self.executor(),
        }
    }

    /// The executor of a call.
    pub(crate) fn executor(&self) -> Executor {
        match *self {
            Peer::Serial => Executor::Serial,
            Peer::Rayon => Executor::Rayon,
            Peer::RayonMinLen(min) => Executor::RayonMinLen(min),
            Peer::Other(executor) => executor,
            Peer::Unseen { .. } => Executor::Amorsize(unseen()),
            Peer::Profiled(target) | Peer::Plan { target, .. } => Executor::Amorsize(target),
        }
    }

    /// The settings, as tables show them.
    pub(crate) fn setting(&self) -> String {
        match self {
            Peer::Serial => "serial".to_owned(),
            Peer::Rayon => "rayon".to_owned(),
            Peer::RayonMinLen(min) => format!("min {min}"),
            Peer::Other(executor) => name(executor).to_owned(),
            Peer::Unseen { .. } => "unseen".to_owned(),
            Peer::Profiled(_) => "amorsize".to_owned(),
            Peer::Plan { workers, chunk: Some(chunk), .. } => format!("{workers}×{chunk}"),
            Peer::Plan { workers, .. } => format!("{workers} workers"),
        }
    }
}

/// The executors of a workload that are not rayon's or ours, as far as they were built.
pub(crate) fn others<W: Workload>() -> impl Iterator<Item = Executor> {
    let forked = Forked::ALL.into_iter().filter(|forked| forked.is_there()).map(Executor::Forked);
    [Executor::Orx, Executor::Paralight]
        .into_iter()
        .chain(forked)
        .filter(|executor| W::takes(*executor))
}

/// Of an executor without settings.
fn name(executor: &Executor) -> &'static str {
    match executor {
        Executor::Serial => "serial",
        Executor::Rayon | Executor::RayonMinLen(_) => "rayon",
        Executor::Amorsize(_) => "amorsize",
        Executor::Orx => "orx",
        Executor::Paralight => "paralight",
        Executor::Forked(Forked::Scope) => "scope",
        Executor::Forked(Forked::Chili) => "chili",
        Executor::Forked(Forked::OpenMp(Schedule::Static)) => "omp static",
        Executor::Forked(Forked::OpenMp(Schedule::Dynamic)) => "omp dynamic",
        Executor::Forked(Forked::OpenMp(Schedule::Guided)) => "omp guided",
    }
}

/// All helpers are hot: rounds follow each other closely.
pub(crate) const HOT: usize = usize::MAX;

/// A loop that nobody has seen. Loops live as long as the process, so each one is leaked.
pub(crate) fn unseen() -> &'static Loop {
    Box::leak(Box::new(Loop::new("unseen", Options::NONE, &[])))
}

/// A loop with a profile of this machine, as the attribute embeds it.
pub(crate) fn profiled(item: LoopFacts, machine: MachineFacts) -> &'static Loop {
    profiled_on(machine_class(), item, machine)
}

/// A loop with a profile of a machine of any class, as the attribute embeds it.
pub(crate) fn profiled_on(
    class: &'static str,
    item: LoopFacts,
    machine: MachineFacts,
) -> &'static Loop {
    let limits = Limits::cores(rayon::current_num_threads());
    let entry = Profiled {
        name: "profiled",
        class,
        machine,
        item,
        parallel_from: model::break_even(&item, &machine, &limits, HOT).unwrap_or(usize::MAX),
        task_bytes: None,
    };
    let entries = Box::leak(Box::new([entry]));
    Box::leak(Box::new(Loop::new("profiled", Options::NONE, entries)))
}

/// The plan of a loop that has been called, with what it has learned by then and the helpers that are hot, as tables show it.
pub(crate) fn planned(n: usize, target: &'static Loop) -> String {
    let plan = target.plan(n);
    plan_text(match plan.workers() {
        1 => model::Plan::Serial,
        workers => model::Plan::Parallel { workers, chunk: plan.chunk_size() },
    })
}

/// A plan, as tables show it.
pub(crate) fn plan_text(plan: model::Plan) -> String {
    match plan {
        model::Plan::Serial => "serial".to_owned(),
        model::Plan::Parallel { workers, chunk } => format!("{workers}×{chunk}"),
    }
}
