//! A decision written out: what is done, what each term of the prediction costs, which plans were
//! rejected, and which measured facts it all follows from. Pure.

use amorsize_profile::{LoopFacts, MachineFacts};
use amorsize_runtime::model::{self, Bound, Decision, Limits, Plan, Terms};

use crate::annotation::Options;
use crate::fit::{HOT, limits_for, workers_and_chunk};
use crate::{term, units};

/// A decision and everything it follows from. Helpers are taken to be hot, except where it is said that
/// they are cold.
pub(crate) struct Explanation<'a> {
    name: &'a str,
    class: &'a str,
    /// At the cost of the call's items.
    facts: LoopFacts,
    machine: &'a MachineFacts,
    limits: Limits,
    len: usize,
    cost: f64,
    decision: Decision,
    /// The decision when all helpers are cold.
    cold: Decision,
}

/// The call that is explained.
#[derive(Clone, Copy)]
pub(crate) struct Call<'o> {
    pub(crate) len: usize,
    /// Units of work per item.
    pub(crate) cost: f64,
    pub(crate) workers: usize,
    /// The memory that is available where it runs, as far as that is known.
    pub(crate) available_bytes: Option<u64>,
    pub(crate) options: &'o Options,
}

impl<'a> Explanation<'a> {
    pub(crate) fn new(
        name: &'a str,
        class: &'a str,
        facts: &LoopFacts,
        machine: &'a MachineFacts,
        call: Call<'_>,
    ) -> Self {
        let Call { len, cost, workers, available_bytes, options } = call;
        let mut limits = limits_for(len, workers, options);
        if let (Some(task), Some(available)) = (options.memory_bytes, available_bytes) {
            let permille = options.memory_permille.unwrap_or(model::MEMORY_PERMILLE);
            limits = limits.within_memory(task, model::usable_memory(available, permille));
        }
        let facts = facts.at_cost(cost);
        let decide = |hot| model::decide(len, &facts, machine, &limits, hot);
        let (decision, cold) = (decide(HOT), decide(0));
        Explanation { name, class, facts, machine, limits, len, cost, decision, cold }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            term::heading(self.name),
            format!(
                "{} items{}, up to {}, costs measured on {}",
                units::count(self.len as u64),
                if self.cost == 1.0 { String::new() } else { format!(" of cost {}", self.cost) },
                workers_text(self.limits.workers),
                self.class
            ),
            String::new(),
        ];
        lines.extend(self.decision_lines());
        lines.extend(self.terms_lines());
        lines.extend(self.alternative_lines());
        lines.extend(self.fact_lines());
        lines.extend(self.advice_lines());
        lines
    }

    fn decision_lines(&self) -> Vec<String> {
        let decision = &self.decision;
        let total = decision.terms.total();
        let plan = self.plan_text(decision.plan);
        let mut lines = vec![format!("{} {plan}", term::heading("decision   "))];
        if decision.plan != Plan::Serial || decision.limited_by.is_some() {
            lines.push(format!("            {}", bound_text(decision.limited_by, &self.limits)));
        }
        lines.push(match decision.plan {
            Plan::Serial => format!("{} {}", term::heading("predicted  "), units::time(total)),
            Plan::Parallel { .. } => format!(
                "{} {}, {} as fast as serial ({})",
                term::heading("predicted  "),
                units::time(total),
                units::factor(decision.serial_ns / total),
                units::time(decision.serial_ns)
            ),
        });
        lines.push(format!("{} {}", term::heading("break-even "), self.break_even_text()));
        if self.limits.workers > 1 {
            let plan = self.plan_text(self.cold.plan);
            let total = units::time(self.cold.terms.total());
            lines.push(format!("{} {plan}", term::heading("when cold  ")));
            lines.push(format!("            predicted {total}"));
        }
        lines.push(String::new());
        lines
    }

    fn break_even_text(&self) -> String {
        let from = |hot| model::break_even(&self.facts, self.machine, &self.limits, hot);
        match (from(HOT), from(0)) {
            (Some(hot), Some(cold)) => format!(
                "parallel from {} items on, when cold from {}",
                units::count(hot as u64),
                units::count(cold as u64)
            ),
            (Some(hot), None) => {
                format!("parallel from {} items on, when cold never", units::count(hot as u64))
            }
            (None, _) => "never parallel with these workers".to_owned(),
        }
    }

    fn plan_text(&self, plan: Plan) -> String {
        match plan {
            Plan::Serial => "serial: the caller runs all items, no pool is entered".to_owned(),
            Plan::Parallel { workers, chunk } => format!(
                "{}, {} items at a time ({} chunks)",
                workers_text(workers),
                units::count(chunk as u64),
                units::count(self.len.div_ceil(chunk) as u64)
            ),
        }
    }

    fn terms_lines(&self) -> Vec<String> {
        let Terms { items, slowdown, spawn, wake, claim, pieces, reduce, tail } =
            self.decision.terms;
        let total = self.decision.terms.total();
        let mut lines = vec![term::heading(&row("where the time goes", "time", "share"))];
        if self.decision.plan == Plan::Serial {
            lines.push(row("the items, one after the other", &units::time(items), "100.0 %"));
            lines.push(String::new());
            return lines;
        }
        for (what, ns) in [
            ("the items, spread over the workers", items),
            ("sharing caches and memory", slowdown),
            ("handing helpers to the pool (spawn)", spawn),
            ("helpers that are not running yet (wake)", wake),
            ("taking chunks (claim)", claim),
            ("a folder for every chunk (pieces)", pieces),
            ("reducing the workers' results", reduce),
            ("waiting for the last chunk (tail)", tail),
        ] {
            lines.push(row(what, &units::time(ns), &format!("{:.1} %", 100.0 * ns / total)));
        }
        lines.push(row("in all", &units::time(total), "100.0 %"));
        lines.push(String::new());
        lines
    }

    fn alternative_lines(&self) -> Vec<String> {
        let chosen = self.decision.terms.total();
        let mut lines = vec![term::heading(&row("rejected", "predicted", "slower by"))];
        let mut rejected: Vec<(f64, String)> = self
            .alternatives()
            .into_iter()
            .map(|plan| {
                let (workers, chunk) = workers_and_chunk(plan, self.len as u64);
                let ns = self.predicted_ns(plan);
                (ns, units::plan(workers, chunk))
            })
            .collect();
        rejected.sort_by(|a, b| a.0.total_cmp(&b.0));
        if rejected.is_empty() {
            return Vec::new();
        }
        for (ns, plan) in rejected {
            // A plan with more workers or pieces has to gain something noticeable.
            let slower = match (ns / chosen - 1.0) * 100.0 {
                ..=0.05 => "no gain".to_owned(),
                percent => format!("{percent:.1} %"),
            };
            lines.push(row(&plan, &units::time(ns), &slower));
        }
        lines.push(String::new());
        lines
    }

    fn predicted_ns(&self, plan: Plan) -> f64 {
        model::predict(self.len, plan, &self.facts, self.machine, HOT).total()
    }

    /// Plans around the chosen one: serial, other numbers of workers, other chunks.
    fn alternatives(&self) -> Vec<Plan> {
        let most = self.limits.workers;
        let (workers, chunk) = match self.decision.plan {
            Plan::Serial => (most, self.len.div_ceil(most.max(1))),
            Plan::Parallel { workers, chunk } => (workers, chunk),
        };
        let even = |workers: usize| self.len.div_ceil(workers * 4).max(1);
        let mut plans = vec![Plan::Serial];
        for (workers, chunk) in [
            (workers, chunk),
            (workers, chunk / 4),
            (workers, chunk * 4),
            (workers / 2, even((workers / 2).max(1))),
            (workers * 2, even(workers * 2)),
            (most, even(most)),
        ] {
            let plan = Plan::Parallel { workers, chunk };
            let allowed = (2..=most).contains(&workers)
                && chunk >= self.limits.min_chunk.max(1)
                && chunk <= self.limits.max_chunk.max(self.limits.min_chunk)
                && chunk < self.len;
            if allowed && !plans.contains(&plan) {
                plans.push(plan);
            }
        }
        plans.retain(|plan| *plan != self.decision.plan);
        plans
    }

    fn fact_lines(&self) -> Vec<String> {
        let facts = &self.facts;
        let machine = self.machine;
        vec![
            term::heading("measured"),
            format!(
                "  one item      {}, varying by {:.0} %",
                units::time(facts.item_ns),
                facts.item_cv * 100.0
            ),
            format!(
                "  contention    items take {:.1} % longer per further worker",
                facts.contention * 100.0
            ),
            format!(
                "  one piece     {}, one reduction {}",
                units::time(facts.piece_ns),
                units::time(facts.reduce_ns)
            ),
            format!(
                "  this machine  spawn {}, wake {}, claim {}",
                units::time(machine.spawn_ns),
                units::time(machine.wake_ns),
                units::time(machine.claim_ns)
            ),
            format!(
                "  when cold     spawn {}, wake {}, from {} after a loop on",
                units::time(machine.cold_spawn_ns),
                units::time(machine.cold_wake_ns),
                units::time(machine.hot_for_ns)
            ),
        ]
    }

    fn advice_lines(&self) -> Vec<String> {
        let advice = self.advice();
        if advice.is_empty() {
            return Vec::new();
        }
        let mut lines = vec![String::new(), term::heading("advice")];
        lines.extend(advice.into_iter().map(|line| format!("  {line}")));
        lines
    }

    fn advice(&self) -> Vec<&'static str> {
        let Terms { slowdown, spawn, wake, claim, pieces, reduce, tail, .. } = self.decision.terms;
        let total = self.decision.terms.total();
        let share = |ns: f64| ns / total;
        let mut advice = Vec::new();
        if let Plan::Parallel { workers, .. } = self.decision.plan {
            if self.decision.serial_ns / total < 0.5 * workers as f64 {
                advice.push("less than half of what the workers could gain: see the largest share");
            }
            if share(spawn + wake) > 0.2 {
                advice.push("much of it is starting helpers: give one call more items");
            }
            if share(claim) > 0.1 {
                advice.push("much of it is taking chunks: items are tiny, group them");
            }
            if share(pieces) > 0.15 {
                advice.push("much of it is starting chunks: a cheaper `init` would pay");
            }
            if share(reduce) > 0.15 {
                advice.push("much of it is reducing: a cheaper reduction would pay");
            }
            if share(slowdown) > 0.2 {
                advice.push("workers slow each other down: memory traffic, locks or false sharing");
            }
            if share(tail) > 0.1 {
                advice.push("much of it is waiting for the last chunk: items are few or uneven");
            }
        }
        if self.facts.item_cv > 0.7 {
            advice.push("items vary a lot: put the dearest first, or split them");
        }
        advice
    }
}

fn row(what: &str, time: &str, share: &str) -> String {
    let pad = |text: &str, to: usize| " ".repeat(to.saturating_sub(text.chars().count()));
    let what_pad = pad(what, 40);
    format!("{what}{what_pad}  {}{time}  {}{share}", pad(time, 10), pad(share, 10))
}

fn workers_text(workers: usize) -> String {
    if workers == 1 { "1 worker".to_owned() } else { format!("{workers} workers") }
}

fn bound_text(bound: Option<Bound>, limits: &Limits) -> String {
    let text = match bound {
        Some(Bound::Memory { task_bytes, usable_bytes }) => {
            let (task, usable) = (units::bytes(task_bytes), units::bytes(usable_bytes));
            return format!("limited by memory: {task} per task, {usable} usable");
        }
        Some(Bound::Cores) => "limited by the cores",
        Some(Bound::Pool) => "limited by the threads of the pool",
        Some(Bound::MaxWorkers) => "limited by `max_workers` of the attribute",
        Some(Bound::Environment) => "limited by AMORSIZE_MAX_WORKERS",
        Some(Bound::Items) => "limited by the number of items",
        Some(Bound::Load) => "limited by other work on the machine",
        Some(Bound::Busy) => "limited by what other loops keep busy",
        None if limits.workers > 1 => "more workers would not pay",
        None => "",
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use amorsize_profile::LoopFacts;

    use super::*;

    const MACHINE: MachineFacts = MachineFacts {
        spawn_ns: 300.0,
        wake_ns: 4_000.0,
        cold_spawn_ns: 300.0,
        cold_wake_ns: 4_000.0,
        hot_for_ns: 50_000.0,
        claim_ns: 60.0,
        reference_ns: 1_000.0,
    };

    fn facts(item_ns: f64) -> LoopFacts {
        LoopFacts {
            item_ns,
            item_cv: 0.9,
            piece_ns: 0.0,
            reduce_ns: 20.0,
            contention: 0.02,
            coherency: 0.0,
        }
    }

    fn text(facts: &LoopFacts, workers: usize, len: usize) -> String {
        text_within(facts, workers, len, &Options::default())
    }

    /// The same where 4 GB of memory are available.
    fn text_within(facts: &LoopFacts, workers: usize, len: usize, options: &Options) -> String {
        let available_bytes = Some(4_000_000_000);
        let call = Call { len, cost: 1.0, workers, available_bytes, options };
        Explanation::new("demo::f", "test", facts, &MACHINE, call).lines().join("\n")
    }

    #[test]
    fn declared_memory_bounds_the_workers_and_is_named_even_where_it_leaves_one() {
        let of = |memory_bytes, memory_permille| {
            let options =
                Options { memory_bytes: Some(memory_bytes), memory_permille, ..Options::default() };
            text_within(&facts(1e6), 8, 100, &options)
        };
        let text = of(500_000_000, None);
        assert!(text.contains("up to 6 workers") && text.contains("limited by memory"), "{text}");
        assert!(of(500_000_000, Some(250)).contains("up to 2 workers"));
        assert!(!of(1, None).contains("memory:"));
        let text = of(4_000_000_000, None);
        assert!(text.contains("serial") && text.contains("limited by memory"), "{text}");
    }

    #[test]
    fn every_term_is_shown_and_lines_fit_eighty_columns() {
        for (item_ns, workers, len) in
            [(100.0, 2, 1_000), (1.0, 8, 50), (1e6, 64, 1 << 40), (5.0, 4, 0)]
        {
            let text = text(&facts(item_ns), workers, len);
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
            assert!(text.contains("break-even"), "{text}");
        }
        let text = text(&facts(1_000.0), 2, 1_000);
        for term in ["spawn", "wake", "claim", "pieces", "tail", "sharing", "in all"] {
            assert!(text.contains(term), "{term} in {text}");
        }
        assert!(text.contains("limited by the cores") && text.contains("serial"), "{text}");
    }

    #[test]
    fn rejected_plans_are_never_the_chosen_one_and_respect_the_limits() {
        let facts = facts(1_000.0);
        let options = Options { max_workers: Some(3), ..Options::default() };
        let available_bytes = None;
        let call = Call { len: 10_000, cost: 1.0, workers: 8, available_bytes, options: &options };
        let explanation = Explanation::new("f", "m", &facts, &MACHINE, call);
        let plans = explanation.alternatives();
        assert!(!plans.contains(&explanation.decision.plan));
        assert!(plans.iter().all(|plan| match plan {
            Plan::Serial => true,
            Plan::Parallel { workers, chunk } => *workers <= 3 && *chunk >= 1,
        }));
    }
}
