//! An explanation for people: five parts and advice, in lines of at most so many columns.

use amorsize_runtime::Workload;
use amorsize_runtime::model::{Bound, Plan};

use super::{Explanation, TERMS, Variation, Why, term_values};
use crate::fit::{HOT, workers_and_chunk};
use crate::row::{self, Row, width};
use crate::{term, units};

/// What the terms are, in the order of [`TERMS`].
const MEANINGS: [&str; 8] = [
    "spread over the workers",
    "sharing caches and memory",
    "handing helpers to the pool",
    "helpers that are not running yet",
    "taking chunks",
    "a folder for every chunk",
    "reducing the workers' results",
    "waiting for the last chunk",
];

impl Explanation<'_> {
    pub(crate) fn lines(&self, columns: usize) -> Vec<String> {
        let parts = [
            ("workload", self.workload_rows()),
            ("system", self.system_rows()),
            ("decision", self.decision_rows()),
            ("prediction", self.prediction_rows()),
        ];
        let mut lines = vec![term::heading(self.name)];
        lines.extend(row::parts_lines(&parts, columns));
        lines.extend(self.term_lines());
        lines.extend(self.rejected_lines());
        lines.extend(self.advice_lines());
        lines
    }

    fn workload_rows(&self) -> Vec<Row> {
        let (facts, call) = (&self.facts, &self.call);
        let cost = if call.cost == 1.0 {
            String::new()
        } else {
            format!("of cost {}", cost_text(call.cost))
        };
        let (even, uneven) = (Variation::EVEN, Variation::UNEVEN);
        let variation = self.variation().name();
        let variation = format!("{variation}: even < {even}, uneven > {uneven}");
        let grows = |growth: f64| if growth > 0.0 { "the longer, the more items" } else { "" };
        let mut rows = vec![
            Row::new("items", units::count(call.len as u64), &cost),
            Row::new(
                "time per item",
                units::time(facts.item_ns_of(call.len as f64)),
                grows(facts.item_growth),
            ),
            Row::new("variation", units::significant(facts.item_cv), &variation),
            Row::new("serial time", units::time(self.decision.serial_ns), ""),
            Row::new(
                "contention",
                units::percent(facts.contention),
                "longer, times w − 1 for w workers",
            ),
            Row::new("one piece", units::time(facts.piece_ns), "beyond its claim"),
            Row::new(
                "one reduction",
                units::time(facts.reduce_ns_of(call.len as f64)),
                grows(facts.reduce_growth),
            ),
        ];
        if facts.coherency > 0.0 {
            let coherency = format!("{:.4} %", 100.0 * facts.coherency);
            rows.insert(5, Row::new("coherency", coherency, "longer, times w·(w − 1)"));
        }
        if facts.imbalance > 0.0 {
            let imbalance = units::percent(facts.imbalance);
            rows.insert(3, Row::new("imbalance", imbalance, "of a chunk, whatever its length"));
        }
        if let (Some(share), Some(workload)) = (facts.cpu_share, self.workload()) {
            let (cpu, io) =
                (units::percent(Workload::CPU_ABOVE), units::percent(Workload::IO_BELOW));
            let meaning = format!("{}: CPU-bound > {cpu}, I/O-bound < {io}", workload.name());
            rows.insert(3, Row::new("CPU share", units::percent(share), &meaning));
        }
        rows.extend(Row::of("memory per task", call.task_bytes.as_ref(), bytes));
        rows
    }

    fn system_rows(&self) -> Vec<Row> {
        let (system, costs) = (&self.system, &self.system.costs);
        let mut rows = vec![Row::new("costs", &system.class.value, &system.class.source)];
        let max_workers = self.call.options.max_workers;
        let attribute = max_workers.map(|most| Row::new("max_workers", count(&most), "attribute"));
        let usable = system.usable_bytes().map(|usable| {
            let permille = &system.memory_permille;
            let share = units::percent(f64::from(permille.value) / 1_000.0);
            let source = format!("{share} of it ({})", permille.source);
            Row::new("usable memory", bytes(&usable), &source)
        });
        rows.extend(Row::of("usable cores", Some(&system.cores), count));
        if self.waits() {
            rows.extend(Row::of("usable processors", Some(&system.processors), count));
        }
        rows.extend(Row::of("pool threads", Some(&system.pool_threads), count));
        rows.extend(Row::of("most workers", system.most_workers.as_ref(), count));
        rows.extend(attribute);
        rows.extend(Row::of("available memory", system.available_bytes.as_ref(), bytes));
        rows.extend(usable);
        if self.call.options.respect_load {
            let percent = |share: &f64| format!("{share:.0} %");
            rows.extend(Row::of("processor load", system.cpu_load.as_ref(), percent));
            rows.extend(Row::of("memory load", system.memory_load.as_ref(), percent));
        }
        let hot = match self.call.hot {
            HOT => "all".to_owned(),
            0 => "none".to_owned(),
            hot => count(&hot),
        };
        let cold = format!("{} after a loop", units::time(costs.hot_for_ns));
        rows.extend([
            Row::new("hot helpers", hot, "as assumed for this call"),
            Row::new("spawn", units::time(costs.spawn_ns), "handing a hot helper to the pool"),
            Row::new("wake", units::time(costs.wake_ns), "until it runs"),
            Row::new("cold spawn", units::time(costs.cold_spawn_ns), &cold),
            Row::new("cold wake", units::time(costs.cold_wake_ns), &cold),
            Row::new("claim", units::time(costs.claim_ns), "taking a chunk"),
        ]);
        rows
    }

    fn decision_rows(&self) -> Vec<Row> {
        let cold = units::time(self.cold.terms.total());
        let limits = &self.limits;
        let mut rows = vec![self.plan_row("plan", self.decision.plan, None)];
        if self.decision.limited_by != Some(limits.bound) {
            let (by, numbers) = self.bound_text(limits.bound);
            let most = units::counted(limits.workers, "worker");
            rows.push(Row::new("at most", most, &format!("by {by}: {numbers}")));
        }
        let (by, numbers) = match self.decision.limited_by {
            Some(bound) => self.bound_text(bound),
            None => ("nothing", self.unlimited_text().to_owned()),
        };
        rows.push(Row::new("limited by", by, &numbers));
        rows.push(self.break_even_row());
        rows.push(self.plan_row("when cold", self.cold.plan, Some(&cold)));
        rows
    }

    /// A plan, and its predicted time if that is shown nowhere else.
    fn plan_row(&self, name: &str, plan: Plan, time: Option<&str>) -> Row {
        let (value, what) = match plan {
            Plan::Serial => ("serial".to_owned(), "the caller runs all items".to_owned()),
            Plan::Parallel { workers, chunk } => {
                let chunks = units::counted(self.call.len.div_ceil(chunk), "chunk");
                let what = format!("{chunks} of {}", units::counted(chunk, "item"));
                (units::counted(workers, "worker"), what)
            }
        };
        match time {
            Some(time) => Row::new(name, value, &format!("{time}: {what}")),
            None => Row::new(name, value, &what),
        }
    }

    /// Whether items wait for enough of their time to have more workers than cores.
    fn waits(&self) -> bool {
        self.workload().is_some_and(|workload| workload != Workload::Cpu)
    }

    /// What keeps plans from having more workers, and its numbers.
    fn bound_text(&self, bound: Bound) -> (&str, String) {
        let workers = self.limits.workers;
        match bound {
            Bound::Memory { task_bytes, usable_bytes } => {
                let (task, usable) = (units::bytes(task_bytes), units::bytes(usable_bytes));
                ("memory", format!("{task} per task, {usable} usable"))
            }
            Bound::Cores if self.waits() => {
                let processors = units::counted(self.system.processors.value, "processor");
                ("the cores", format!("{} keep {processors} busy", count(&workers)))
            }
            Bound::Cores => ("the cores", format!("{} usable", count(&workers))),
            Bound::Pool => ("the pool", units::counted(workers, "thread")),
            Bound::MaxWorkers => ("max_workers", format!("{}, attribute", count(&workers))),
            Bound::Environment => {
                let source = self.system.most_workers.as_ref().map(|most| most.source.as_str());
                (source.unwrap_or("AMORSIZE_MAX_WORKERS"), format!("{} at most", count(&workers)))
            }
            Bound::Items => ("the items", "there are no more chunks to take".to_owned()),
            Bound::Busy => ("other loops", "they keep helpers busy".to_owned()),
            Bound::Load => ("the load", format!("other work leaves room for {}", count(&workers))),
            _ => ("something else", String::new()),
        }
    }

    /// Why nothing had to keep the plan from having more workers.
    fn unlimited_text(&self) -> &'static str {
        match self.decision.plan {
            Plan::Parallel { .. } => "more workers would not pay",
            Plan::Serial if self.call.len < 2 => "there is nothing to share",
            Plan::Serial if !self.decision.serial_ns.is_finite() => "such times cannot be compared",
            Plan::Serial => "helpers would cost more than they save",
        }
    }

    fn break_even_row(&self) -> Row {
        let Some(from) = self.break_even(self.call.hot) else {
            return Row::new("break-even", "never", "with these workers");
        };
        let cold = self.break_even(0).map_or("never".to_owned(), |cold| count(&cold));
        Row::new("break-even", units::counted(from, "item"), &format!("when cold {cold}"))
    }

    fn prediction_rows(&self) -> Vec<Row> {
        let speedup = self.speedup().map_or_else(unknown, units::factor);
        let efficiency = self.efficiency().map_or_else(unknown, units::percent);
        vec![
            Row::new("time", units::time(self.predicted_ns()), ""),
            Row::new("speed-up", speedup, "over a serial run"),
            Row::new("efficiency", efficiency, "speed-up per worker"),
        ]
    }

    fn term_lines(&self) -> Vec<String> {
        let line = |name: &str, ns: f64, meaning: &str| {
            let (time, share) =
                (units::time(ns), self.share(ns).map_or_else(unknown, units::percent));
            format!("  {name:<19}  {time:>10} {share:>9}  {meaning}").trim_end().to_owned()
        };
        let heading = format!("{:<21}  {:>10} {:>9}", "where the time goes", "time", "share");
        let mut lines = vec![String::new(), term::heading(&heading)];
        let values = term_values(&self.decision.terms);
        if self.decision.plan == Plan::Serial {
            lines.push(line(TERMS[0], values[0], "one after the other"));
        } else {
            let terms = TERMS.iter().zip(values).zip(MEANINGS);
            lines.extend(terms.map(|((name, ns), meaning)| line(name, ns, meaning)));
        }
        lines.push(line("in all", self.predicted_ns(), ""));
        lines.push(line("overhead", self.overhead_ns(), "all but the items"));
        lines
    }

    fn rejected_lines(&self) -> Vec<String> {
        let rejected = self.rejected();
        if rejected.is_empty() {
            return Vec::new();
        }
        let heading = format!("{:<21}  {:>10}  {}", "rejected", "predicted", "why");
        let mut lines = vec![String::new(), term::heading(&heading)];
        for rejected in rejected {
            let (workers, chunk) = workers_and_chunk(rejected.plan, self.call.len as u64);
            let (plan, time) = (units::plan(workers, chunk), units::time(rejected.predicted_ns));
            lines.push(format!("  {plan:<19}  {time:>10}  {}", self.why_text(rejected.why)));
        }
        lines
    }

    fn why_text(&self, why: Why) -> String {
        match why {
            Why::Slower { by, mostly } if by < 10.0 => {
                format!("slower by {}, mostly {mostly}", units::percent(by))
            }
            Why::Slower { by, mostly } => {
                format!("takes {} as long, mostly {mostly}", units::factor(by + 1.0))
            }
            Why::GainsLittle { gain: 0.0 } => "no gain".to_owned(),
            Why::GainsLittle { gain } => format!("gains only {}", units::percent(gain)),
            Why::Forbidden(Bound::Memory { .. }) => "does not fit memory".to_owned(),
            Why::Forbidden(bound) => format!("{} does not allow it", self.bound_text(bound).0),
        }
    }

    fn advice_lines(&self) -> Vec<String> {
        let advice = self.advice();
        if advice.is_empty() {
            return Vec::new();
        }
        let mut lines = vec![String::new(), term::heading("advice")];
        lines.extend(advice.iter().map(|advice| format!("  {advice}")));
        lines
    }
}

/// A cost as it was given, unless nobody would count its digits.
fn cost_text(cost: f64) -> String {
    let plain = cost.to_string();
    if width(&plain) <= 16 { plain } else { format!("{cost:.2e}") }
}

fn count(number: &usize) -> String {
    units::count(*number as u64)
}

fn bytes(number: &u64) -> String {
    units::bytes(*number)
}

fn unknown() -> String {
    "-".to_owned()
}
