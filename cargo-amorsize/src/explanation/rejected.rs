//! Plans near the chosen one, and why each was not taken.

use amorsize_runtime::model::{self, Bound, Limits, Plan};

use super::{Explanation, TERMS, quotient, term_values};

/// A plan that was not taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rejected {
    pub(crate) plan: Plan,
    pub(crate) predicted_ns: f64,
    pub(crate) why: Why,
}

/// Why a plan was not taken. Shares are of the chosen plan's time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Why {
    /// It takes longer by this share; the named term grows most.
    Slower { by: f64, mostly: &'static str },
    /// It gains this share, or nothing: too little for more workers, or for leaving a serial run.
    GainsLittle { gain: f64 },
    /// It has more workers than this allows.
    Forbidden(Bound),
}

/// Differences below this share are none.
const NOTICEABLE: f64 = 0.000_5;

impl Explanation<'_> {
    /// The plans that were not taken, the fastest first.
    pub(crate) fn rejected(&self) -> Vec<Rejected> {
        let near = self.neighbours().into_iter().filter_map(|plan| self.rejection(plan));
        let mut rejected: Vec<Rejected> = near.chain(self.forbidden()).collect();
        rejected.sort_by(|a, b| a.predicted_ns.total_cmp(&b.predicted_ns));
        rejected
    }

    fn rejection(&self, plan: Plan) -> Option<Rejected> {
        let (call, costs) = (&self.call, &self.system.costs);
        let terms = model::predict(call.len, plan, &self.facts, costs, call.hot);
        let predicted_ns = terms.total();
        let by = quotient(predicted_ns, self.predicted_ns())? - 1.0;
        let why = if by > NOTICEABLE {
            let chosen = term_values(&self.decision.terms);
            let growth = term_values(&terms).into_iter().zip(chosen).map(|(new, old)| new - old);
            let most = TERMS.into_iter().zip(growth).max_by(|a, b| a.1.total_cmp(&b.1));
            Why::Slower { by, mostly: most.map_or(TERMS[0], |(name, _)| name) }
        } else {
            Why::GainsLittle { gain: if by < -NOTICEABLE { -by } else { 0.0 } }
        };
        Some(Rejected { plan, predicted_ns, why })
    }

    /// Serial, other numbers of workers, other chunks: all within the limits.
    fn neighbours(&self) -> Vec<Plan> {
        let (len, most) = (self.call.len, self.limits.workers);
        let (workers, chunk) = match self.decision.plan {
            Plan::Serial => (most, len.div_ceil(most)),
            Plan::Parallel { workers, chunk } => (workers, chunk),
        };
        let even = |workers: usize| len.div_ceil(workers.max(1).saturating_mul(4)).max(1);
        let (half, double) = (workers / 2, workers.saturating_mul(2));
        let mut plans = vec![Plan::Serial];
        for (workers, chunk) in [
            (workers, chunk),
            (workers, chunk / 4),
            (workers, chunk.saturating_mul(4)),
            (half, even(half)),
            (double, even(double)),
            (most, even(most)),
        ] {
            let plan = Plan::Parallel { workers, chunk };
            let is_allowed =
                (2..=most).contains(&workers) && self.limits.clamp_chunk(chunk) == chunk;
            if is_allowed && chunk < len && !plans.contains(&plan) {
                plans.push(plan);
            }
        }
        plans.retain(|plan| *plan != self.decision.plan);
        plans
    }

    /// The plan for which the machine has room, where memory, other work or the user does not allow as many workers.
    fn forbidden(&self) -> Option<Rejected> {
        let bound = self.decision.limited_by?;
        let (Bound::Memory { .. } | Bound::MaxWorkers | Bound::Environment | Bound::Load) = bound
        else {
            return None;
        };
        let (call, costs) = (&self.call, &self.system.costs);
        let limits = Limits { workers: self.room(), ..self.limits };
        let wider = model::decide(call.len, &self.facts, costs, &limits, call.hot);
        match wider.plan {
            Plan::Parallel { workers, .. } if workers > self.limits.workers => Some(Rejected {
                plan: wider.plan,
                predicted_ns: wider.terms.total(),
                why: Why::Forbidden(bound),
            }),
            _ => None,
        }
    }

    /// Workers for which the machine has cores and threads. Items that wait need no cores.
    pub(crate) fn room(&self) -> usize {
        let pool = self.system.pool_threads.value;
        let cores = self.system.room_for(self.facts.cpu_share);
        if self.call.options.io { pool } else { pool.min(cores) }
    }
}
