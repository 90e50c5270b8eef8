//! What a verification says: each loop's plan against serial and stock rayon, measured interleaved in
//! fresh runs, and against what the model predicted; and what follows for a plan that lost.

use amorsize_profile::{LoopEntry, LoopFacts, MachineFacts, Section};
use amorsize_runtime::model::{Limits, Plan};

use crate::fit::{
    Measurement, Occasion, facts_of, made_serial_by_contention, made_serial_by_pieces,
};
use crate::observations::{Cost, Observations, SizeClass, dominant, size_classes, weight};
use crate::progress::counted;
use crate::stats::{Ratio, ratio_of_means, trimmed_mean};
use crate::table::Table;
use crate::{term, units};

/// Slower by less than this is no difference that anybody would notice.
const SAME: f64 = 1.02;
const SAME_NS: f64 = 50.0;
const SHARE_THAT_MATTERS: f64 = 0.05;

/// One size of one loop as it was verified. Times in ns.
#[derive(Clone, Debug)]
pub(crate) struct Verified {
    pub(crate) name: String,
    pub(crate) items: u64,
    pub(crate) cost: Cost,
    pub(crate) workers: u32,
    pub(crate) chunk: u64,
    pub(crate) serial: f64,
    pub(crate) rayon: f64,
    pub(crate) tuned: f64,
    pub(crate) predicted: f64,
    pub(crate) predicted_serial: f64,
    /// Tuned divided by serial, and by rayon.
    pub(crate) to_serial: Option<Ratio>,
    pub(crate) to_rayon: Option<Ratio>,
    /// The calls that ran in parallel, by how many helpers were hot: tuned divided by serial.
    pub(crate) parallel: Vec<(u32, Option<Ratio>)>,
    /// The size that the profile shows.
    pub(crate) is_dominant: bool,
    /// Which part of the loop's time, were all calls serial, goes to calls of this size.
    pub(crate) share: f64,
    /// Calls of this size have another plan since, as this one lost, did not win, or missed a gain.
    pub(crate) given_up: bool,
}

impl Verified {
    fn new(
        name: &str,
        facts: &LoopFacts,
        class: &SizeClass,
        is_dominant: bool,
        share: f64,
    ) -> Option<Self> {
        let (workers, chunk) = class.tuned_plan?;
        Some(Verified {
            name: name.to_owned(),
            items: class.items,
            cost: class.cost,
            workers,
            chunk,
            serial: trimmed_mean(&class.serial),
            rayon: trimmed_mean(&class.rayon),
            tuned: trimmed_mean(&class.tuned),
            predicted: trimmed_mean(&class.predicted),
            predicted_serial: class.facts(facts).item_ns * class.items as f64,
            to_serial: ratio_of_means(&class.tuned, &class.serial),
            to_rayon: ratio_of_means(&class.tuned, &class.rayon),
            parallel: class
                .tuned_parallel
                .iter()
                .map(|(&hot, tuned)| (hot, ratio_of_means(tuned, &class.serial)))
                .collect(),
            is_dominant,
            share,
            given_up: false,
        })
    }

    /// As it ran.
    pub(crate) fn plan(&self) -> Plan {
        match self.workers {
            1 => Plan::Serial,
            workers => Plan::Parallel { workers: workers as usize, chunk: self.chunk as usize },
        }
    }

    /// Slower than a serial run by more than the noise.
    pub(crate) fn loses_to_serial(&self) -> bool {
        loses(self.to_serial, self.tuned - self.serial)
    }

    /// Slower than stock rayon by more than the noise.
    pub(crate) fn loses_to_rayon(&self) -> bool {
        loses(self.to_rayon, self.tuned - self.rayon)
    }

    /// A parallel plan that lost to serial where it matters. Sizes that matter little would only make
    /// the plans of the others worse.
    pub(crate) fn is_wrong_plan(&self) -> bool {
        self.loses_to_serial() && self.is_parallel_where_it_matters()
    }

    /// A parallel plan that was not seen to win against serial where it matters. That is enough to write
    /// no such plan, though not enough to change one that is written already. Few calls count as they are; where there
    /// was no serial one at all, the recording's word stands.
    pub(crate) fn gains_nothing(&self) -> bool {
        let ratio = self.to_serial.map_or(self.tuned / self.serial, |ratio| ratio.middle);
        ratio * SAME > 1.0 && self.is_parallel_where_it_matters()
    }

    /// A serial plan that lost to stock rayon where it matters: old numbers may have outlived their time.
    pub(crate) fn misses_gain(&self) -> bool {
        self.loses_to_rayon() && self.matters() && self.parallel.is_empty()
    }

    fn is_parallel_where_it_matters(&self) -> bool {
        self.matters() && !self.parallel.is_empty()
    }

    fn matters(&self) -> bool {
        self.is_dominant || self.share >= SHARE_THAT_MATTERS
    }

    fn occasion(&self, hot: u32) -> Occasion {
        Occasion { items: self.items, cost: self.cost, hot }
    }

    /// The calls that ran in parallel.
    fn parallel_calls(&self) -> Vec<Occasion> {
        self.parallel.iter().map(|&(hot, _)| self.occasion(hot)).collect()
    }

    /// The call as one that nobody is hot for.
    fn serial_call(&self) -> Occasion {
        self.occasion(0)
    }

    /// Those of them that lost; all, where only all together did.
    fn lost_calls(&self) -> Vec<Occasion> {
        let lost = self.parallel.iter().filter(|(_, ratio)| ratio.is_some_and(is_slower));
        let lost: Vec<Occasion> = lost.map(|&(hot, _)| self.occasion(hot)).collect();
        if lost.is_empty() { self.parallel_calls() } else { lost }
    }

    /// Whether these facts lead to another plan where this one lost, did not win, or missed a gain.
    fn is_given_up_by(&self, facts: &LoopFacts, machine: &MachineFacts, limits: &Limits) -> bool {
        let serial = |call| is_serial(call, facts, machine, limits);
        if self.misses_gain() {
            return !serial(self.serial_call());
        }
        self.gains_nothing() && self.lost_calls().into_iter().all(serial)
    }

    /// Which part of the loop's time the plan saves, were all calls serial otherwise.
    fn saved(&self) -> f64 {
        self.share * (1.0 - self.tuned / self.serial)
    }

    pub(crate) fn speedup(&self) -> Option<f64> {
        Some(self.serial / self.tuned).filter(|speedup| speedup.is_finite())
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let mut note = |ratio: Option<Ratio>, than: &str| {
            if let Some(ratio) = ratio {
                notes.push(format!(
                    "slower than {than} by {} (95 % interval {} to {})",
                    percent(ratio.middle),
                    percent(ratio.low),
                    percent(ratio.high)
                ));
            }
        };
        if self.loses_to_serial() {
            note(self.to_serial, "serial");
        }
        if self.loses_to_rayon() {
            note(self.to_rayon, "stock rayon");
        }
        if self.to_serial.is_none() {
            notes.push(
                "too few calls to compare: call it more often, or raise --time-limit".to_owned(),
            );
        }
        notes
    }
}

fn loses(ratio: Option<Ratio>, difference_ns: f64) -> bool {
    ratio.is_some_and(is_slower) && difference_ns > SAME_NS
}

fn is_slower(ratio: Ratio) -> bool {
    ratio.low > SAME
}

fn percent(ratio: f64) -> String {
    format!("{:.0} %", (ratio - 1.0) * 100.0)
}

/// Compares, for each loop of `section` and each size. Sizes that matter little are left out.
pub(crate) fn compare(seen: &Observations, section: &Section) -> Vec<Verified> {
    let mut rows = Vec::new();
    for (name, entry) in &section.loops {
        let Some(calls) = seen.loops.get(name) else {
            continue;
        };
        let classes = size_classes(calls);
        let reviewed = &entry.plan;
        let distance = |class: &SizeClass| {
            distance(class.items as f64, reviewed.items as f64)
                + distance(class.cost.0, reviewed.cost)
        };
        let main = classes
            .iter()
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
            .or_else(|| dominant(&classes))
            .map(|class| (class.items, class.cost));
        let all: f64 = classes.iter().map(weight).sum();
        rows.extend(classes.iter().filter_map(|class| {
            let is_dominant = Some((class.items, class.cost)) == main;
            Verified::new(name, &entry.facts, class, is_dominant, weight(class) / all)
        }));
    }
    rows
}

fn distance(a: f64, b: f64) -> f64 {
    (a / b).ln().abs()
}

/// Gives up plans that lost to serial, in `section`, and those that did not win unless their entry is
/// `kept` from before; and kept entries with serial plans that lost to stock rayon, if what was measured now would run
/// in parallel. Notes in `rows` which those were, and returns the names of the loops concerned.
///
/// The facts are fitted again with what the verification measured, which is in `measurement` too;
/// where that does not change the plan, it is ruled out.
pub(crate) fn mend(
    section: &mut Section,
    rows: &mut [Verified],
    measurement: &Measurement,
    kept: impl Fn(&str, &LoopEntry) -> bool,
) -> Vec<String> {
    let machine = section.facts;
    let mut mended = Vec::new();
    for (name, entry) in &mut section.loops {
        let Some(measured) = measurement.loops.get(name) else {
            continue;
        };
        let of_loop: Vec<&Verified> = rows.iter().filter(|row| row.name == *name).collect();
        let refitted = facts_of(&measured.classes, &machine).unwrap_or(entry.facts);
        let limits = measurement.limits(measured, &refitted);
        let mended_facts = if kept(name, entry) { mended_if_lost } else { mended_unless_won };
        let facts = mended_facts(&of_loop, refitted, &machine, &limits);
        let new = facts.and_then(|facts| measurement.entry(measured, facts, &machine));
        if let Some(new) = new {
            *entry = new;
            mended.push(name.clone());
            for row in rows.iter_mut().filter(|row| row.name == *name) {
                row.given_up = row.is_given_up_by(&entry.facts, &machine, &limits);
            }
        }
    }
    mended
}

/// The facts of a loop the old ones of which led to these `rows`; `None` if they may stay as they are. Those that were fitted
/// anew are taken if they tell of a gain that was missed.
fn mended_if_lost(
    rows: &[&Verified],
    refitted: LoopFacts,
    machine: &MachineFacts,
    limits: &Limits,
) -> Option<LoopFacts> {
    let (wrong, rest): (Vec<&Verified>, Vec<&Verified>) =
        rows.iter().copied().partition(|row| row.is_wrong_plan());
    let is_missed = |row: &&Verified| {
        row.misses_gain() && !is_serial(row.serial_call(), &refitted, machine, limits)
    };
    let must_change = !wrong.is_empty() || rest.iter().any(is_missed);
    must_change.then(|| ruled_out(refitted, &wrong, &rest, machine, limits))
}

/// The facts of a loop for which new ones led to these `rows`; `None` if those may be written. Plans that were not seen to
/// win are given up as well as those that lost, unless others that won would go with them.
fn mended_unless_won(
    rows: &[&Verified],
    refitted: LoopFacts,
    machine: &MachineFacts,
    limits: &Limits,
) -> Option<LoopFacts> {
    let (lost, won): (Vec<&Verified>, Vec<&Verified>) =
        rows.iter().copied().partition(|row| row.gains_nothing());
    if lost.is_empty() {
        return None;
    }
    let all = ruled_out(refitted, &lost, &won, machine, limits);
    let becomes_serial = |row: &&&Verified| {
        row.parallel_calls().into_iter().any(|call| is_serial(call, &all, machine, limits))
    };
    let given_up: f64 = won.iter().filter(becomes_serial).map(|row| row.saved()).sum();
    let (wrong, idle): (Vec<&Verified>, Vec<&Verified>) =
        lost.into_iter().partition(|row| row.is_wrong_plan());
    let spared: f64 = idle.iter().map(|row| -row.saved()).sum();
    if given_up - spared < SAME - 1.0 {
        return Some(all);
    }
    let rest: Vec<&Verified> = won.into_iter().chain(idle).collect();
    (!wrong.is_empty()).then(|| ruled_out(refitted, &wrong, &rest, machine, limits))
}

/// The loops of `section` with a new parallel plan of which there is no row.
pub(crate) fn unverified<'s>(
    rows: &[Verified],
    section: &'s Section,
    is_new: impl Fn(&str, &LoopEntry) -> bool,
) -> Vec<&'s str> {
    let is_seen = |name: &str| rows.iter().any(|row| row.name == name);
    let entries = section.loops.iter().filter(|(_, entry)| entry.plan.workers > 1);
    entries
        .filter(|(name, entry)| !is_seen(name) && is_new(name, entry))
        .map(|(name, _)| name.as_str())
        .collect()
}

/// Whether these facts choose the same again, within these limits, at one of the `rows` whose plans were given up.
pub(crate) fn would_lose(
    name: &str,
    facts: &LoopFacts,
    machine: &MachineFacts,
    limits: &Limits,
    rows: &[Verified],
) -> bool {
    let mut rows = rows.iter().filter(|row| row.name == name);
    rows.any(|row| !row.is_given_up_by(facts, machine, limits))
}

/// Whether these facts choose a serial run for a call.
fn is_serial(call: Occasion, facts: &LoopFacts, machine: &MachineFacts, limits: &Limits) -> bool {
    call.plan(facts, machine, limits) == Plan::Serial
}

/// Writes the measured speed-ups into the section, except for entries that are `kept` as they were.
pub(crate) fn note_speedups(
    section: &mut Section,
    rows: &[Verified],
    kept: impl Fn(&str, &LoopEntry) -> bool,
) {
    for (name, entry) in &mut section.loops {
        if kept(name, entry) {
            continue;
        }
        let plan = &mut entry.plan;
        let verified = rows
            .iter()
            .find(|row| row.is_dominant && row.name == *name && row.workers == plan.workers);
        if plan.workers <= 1 {
            plan.speedup = 1.0;
        } else if let Some(speedup) = verified.and_then(Verified::speedup) {
            plan.speedup = speedup;
        }
    }
}

/// Facts with which the calls that lost are serial. Of the two ways, dearer pieces and more
/// contention, takes the one that leaves more of the other calls as they are.
fn ruled_out(
    facts: LoopFacts,
    lost: &[&Verified],
    others: &[&Verified],
    machine: &MachineFacts,
    limits: &Limits,
) -> LoopFacts {
    let serial = |call, facts: &LoopFacts| is_serial(call, facts, machine, limits);
    let lost: Vec<Occasion> = lost.iter().flat_map(|row| row.lost_calls()).collect();
    let others: Vec<Occasion> = others.iter().flat_map(|row| row.parallel_calls()).collect();
    let are_serial = |facts: &LoopFacts| lost.iter().all(|&call| serial(call, facts));
    if are_serial(&facts) {
        return facts;
    }
    let ways = [made_serial_by_pieces, made_serial_by_contention];
    let candidates =
        ways.map(|way| lost.iter().fold(facts, |facts, &call| way(facts, call, machine, limits)));
    candidates
        .into_iter()
        .filter(are_serial)
        .min_by_key(|facts| others.iter().filter(|&&call| serial(call, facts)).count())
        .unwrap_or(candidates[1])
}

/// Writes the table: each loop at the size where its time goes, the other sizes with `verbose`.
pub(crate) fn print(rows: &[Verified], section: &Section, mended: &[String], verbose: bool) {
    let headings = ["items", "item", "plan", "serial", "rayon", "tuned", "gain", "predicted"];
    let mut table = Table::new("loop", &headings);
    let mut hidden = 0;
    for row in rows {
        if !(row.is_dominant || row.is_wrong_plan() || verbose) {
            hidden += usize::from(row.loses_to_serial() || row.loses_to_rayon());
            continue;
        }
        let item_ns = section
            .loops
            .get(&row.name)
            .map_or(f64::NAN, |entry| entry.facts.at_cost(row.cost.0).item_ns_of(row.items as f64));
        let mut notes = row.notes();
        if row.given_up && row.gains_nothing() && mended.contains(&row.name) {
            notes.push("so at this size it will run serially".to_owned());
        }
        table.row(
            &row.name,
            vec![
                units::count(row.items),
                units::time(item_ns),
                units::plan(row.workers, row.chunk),
                units::time(row.serial),
                if row.rayon.is_nan() { "-".to_owned() } else { units::time(row.rayon) },
                units::time(row.tuned),
                units::factor(row.speedup().unwrap_or(f64::NAN)),
                units::time(row.predicted),
            ],
            notes,
        );
    }
    table.print();
    if hidden > 0 {
        let sizes = counted(hidden, "other size");
        term::warning(&format!("{sizes} of these loops lost too, where little time goes"));
        term::note("to see them: cargo amorsize tune --dry-run -v");
    }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
