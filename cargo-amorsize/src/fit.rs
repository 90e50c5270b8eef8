//! From observations to facts. Pure: records in, a section of the profile out.
//!
//! The facts of a loop are those with which the cost model comes nearest to what was observed: the
//! item time is that of serial calls at the size where most time was spent; contention, the cost of a
//! piece, and how much chunks differ are what is then left to explain in the parallel calls.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use amorsize_profile::{LoopEntry, LoopFacts, MachineFacts, ReviewedPlan, Section, TaskMemory};
use amorsize_runtime::model::{self, Limits, Plan, Terms};
use amorsize_runtime::{io_limits, workers_on};

use crate::annotation::Options;
use crate::growth::{self, Growth};
use crate::observations::{
    Cost, LoopMemory, Machine, Observations, SettingTimes, SizeClass, dominant, size_classes,
};
use crate::stats::{median, quantile, trimmed_mean, uncertainty};

/// Settings with fewer calls than this say more about chance than about the setting, as long as
/// there are others.
const CALLS_PER_SETTING: usize = 3;

/// What is assumed of items of which there are too few in a call, or which are too cheap, to tell how they vary.
const UNKNOWN_CV: f64 = 0.5;

/// As many helpers as there are, all of them hot.
pub(crate) const HOT: usize = usize::MAX;

/// What the sources say about a loop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    /// Hash of the annotated function's tokens.
    pub(crate) tokens: String,
    pub(crate) options: Options,
}

/// A loop as it was measured.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) source: Source,
    pub(crate) classes: Vec<SizeClass>,
    pub(crate) memory: Option<TaskMemory>,
}

/// Everything that a fit starts from.
#[derive(Clone, Debug)]
pub(crate) struct Measurement {
    pub(crate) machine: Machine,
    /// By the name of the loop: those with at least one serial call.
    pub(crate) loops: BTreeMap<String, Measured>,
}

impl Measurement {
    /// Groups observations. Loops for which `source` knows nothing are left out: they belong to
    /// another package.
    pub(crate) fn new(
        seen: &Observations,
        source: impl Fn(&str) -> Option<Source>,
    ) -> Option<Self> {
        let loops = seen
            .loops
            .iter()
            .filter_map(|(name, calls)| {
                let classes = size_classes(calls);
                let serial = classes.iter().any(|class| !class.serial.is_empty());
                let source = source(name).filter(|_| serial)?;
                let memory = seen.memory.get(name).and_then(LoopMemory::measured);
                Some((name.clone(), Measured { source, classes, memory }))
            })
            .collect();
        Some(Measurement { machine: seen.machine()?, loops })
    }

    /// Fits every loop, on a machine with the given costs.
    pub(crate) fn section(&self, facts: MachineFacts) -> Section {
        let loops = self
            .loops
            .iter()
            .filter_map(|(name, measured)| {
                let item = facts_of(&measured.classes, &facts)?;
                Some((name.clone(), self.entry(measured, item, &facts)?))
            })
            .collect();
        Section { facts, loops, untuned: BTreeMap::new() }
    }

    /// What bounds the plans of a loop with these facts, whatever the number of items.
    pub(crate) fn limits(&self, measured: &Measured, item: &LoopFacts) -> Limits {
        let Machine { workers, processors, pool_threads, .. } = self.machine;
        let workers = workers_on(workers as usize, processors as usize, item.cpu_share);
        limits(workers.min(pool_threads as usize), &measured.source.options)
    }

    /// What a reviewer sees of a loop with these facts.
    pub(crate) fn entry(
        &self,
        measured: &Measured,
        item: LoopFacts,
        facts: &MachineFacts,
    ) -> Option<LoopEntry> {
        let class = dominant(&measured.classes)?;
        let limits = self.limits(measured, &item);
        let at_cost = item.at_cost(class.cost.0);
        let options = &measured.source.options;
        let for_any = limits_for_any(&class.facts(&item), limits, options);
        let limits = limits_for(class.items as usize, &at_cost, limits, options);
        let hot = class.hot as usize;
        let decision = model::decide(class.items as usize, &at_cost, facts, &limits, hot);
        let (workers, chunk) = workers_and_chunk(decision.plan, class.items);
        Some(LoopEntry {
            tokens: measured.source.tokens.clone(),
            facts: item,
            parallel_from: model::break_even(&at_cost, facts, &for_any, HOT).map(|n| n as u64),
            memory: measured.memory,
            plan: ReviewedPlan {
                items: class.items,
                cost: class.cost.0,
                workers,
                chunk,
                speedup: recorded_speedup(class, workers, chunk),
            },
        })
    }
}

/// What bounds the plans of a loop. The memory that an item takes does not: how much is available is a fact of this
/// host at this moment, which a profile must not depend on.
pub(crate) fn limits(workers: usize, options: &Options) -> Limits {
    let mut limits = Limits::cores(workers);
    if options.io {
        limits = io_limits(None);
    }
    if let Some(most) = options.max_workers.filter(|&most| most < limits.workers) {
        limits.workers = most.max(1);
        limits.bound = model::Bound::MaxWorkers;
    }
    if let Some(chunk) = options.chunk {
        limits.min_chunk = chunk.max(1);
        limits.max_chunk = chunk.max(1);
    }
    limits
}

/// The same for one call of `n` such items.
pub(crate) fn limits_for(n: usize, item: &LoopFacts, limits: Limits, options: &Options) -> Limits {
    let Options { chunk, chunk_ns, deterministic, .. } = *options;
    let free = Limits { min_chunk: 1, max_chunk: usize::MAX, ..limits };
    let options = amorsize_runtime::Options {
        chunk,
        chunk_ns,
        deterministic,
        ..amorsize_runtime::Options::NONE
    };
    free.with_chunk(options.fixed_chunk(n, Some(item.in_calls_of(n).item_ns)))
}

/// The same for calls of any number of items that take as long as `item` says: a chunk that follows from the number is left
/// open.
pub(crate) fn limits_for_any(item: &LoopFacts, limits: Limits, options: &Options) -> Limits {
    let options = Options { deterministic: false, ..options.clone() };
    limits_for(1, item, limits, &options)
}

/// A plan as the profile writes it: serial is one worker with one chunk.
pub(crate) fn workers_and_chunk(plan: Plan, items: u64) -> (u32, u64) {
    match plan {
        Plan::Serial => (1, items),
        Plan::Parallel { workers, chunk } => (workers as u32, chunk as u64),
    }
}

/// The facts of a loop; `None` without a serial call.
pub(crate) fn facts_of(classes: &[SizeClass], machine: &MachineFacts) -> Option<LoopFacts> {
    let class = dominant(classes)?;
    let item_ns = class.item_ns().filter(|item_ns| *item_ns > 0.0)?;
    let Growth { unit_ns, growth: item_growth } = growth::of_items(classes)?;
    let item_cv =
        if class.item_sd.is_empty() { UNKNOWN_CV } else { median(&class.item_sd) / item_ns };
    let Growth { unit_ns: reduce_ns, growth: reduce_growth } = growth::of_reductions(classes);
    let cpu_share = (!class.cpu_shares.is_empty()).then(|| median(&class.cpu_shares));
    let item = LoopFacts {
        item_ns: unit_ns,
        item_growth,
        item_cv,
        reduce_ns,
        reduce_growth,
        cpu_share,
        ..LoopFacts::default()
    };
    let rows: Vec<Row> = classes.iter().flat_map(|class| rows(class, item, machine)).collect();
    let enough: Vec<Row> =
        rows.iter().copied().filter(|row| row.calls >= CALLS_PER_SETTING).collect();
    let [contention, piece_ns, coherency, imbalance, item_cv] =
        bounded_fit(if enough.is_empty() { &rows } else { &enough }, &bounds(classes, &item));
    Some(LoopFacts { contention, piece_ns, coherency, imbalance, item_cv, ..item })
}

/// What calls of one size took under one setting, as an equation `Σ coefficient·unknown = unexplained` in fractions of that time;
/// or what their workers were busy for, a part of it: the rest is what they waited for.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// Of contention, pieces, coherency, imbalance and variation.
    coefficients: [f64; UNKNOWNS],
    unexplained: f64,
    weight: f64,
    calls: usize,
}

const UNKNOWNS: usize = 5;
/// Which of them are which.
const PIECE: usize = 1;
const COHERENCY: usize = 2;
const VARIATION: usize = 4;

/// By how much the squared error has to be larger without coherency for it to be believed. It grows with the square of the
/// workers: a little of it, found with a few workers, rules out many, which no other unknown does.
const WORTH_COHERENCY: f64 = 1.4;

fn rows(class: &SizeClass, item: LoopFacts, machine: &MachineFacts) -> Vec<Row> {
    // Other sizes may have other item times (caches, other data): what handing out costs is then
    // judged against their own.
    let facts = class.facts(&item);
    let item = facts.with_item_ns(class.item_ns().unwrap_or(facts.item_ns));
    let fastest = class.settings.iter().map(|setting| trimmed_mean(&setting.wall));
    let fastest = fastest.fold(f64::INFINITY, f64::min);
    let parallel = class.settings.iter().filter(|setting| setting.workers > 1);
    parallel
        .flat_map(|setting| equations(class.items, setting, item, fastest, machine))
        .filter(|row| row.unexplained.is_finite())
        .collect()
}

/// What calls of so many items took under a setting, and what their workers were busy for where the records tell. The fastest
/// setting took `fastest` ns.
fn equations(
    items: u64,
    setting: &SettingTimes,
    item: LoopFacts,
    fastest: f64,
    machine: &MachineFacts,
) -> impl Iterator<Item = Row> + use<> {
    let plan = Plan::Parallel { workers: setting.workers as usize, chunk: setting.chunk as usize };
    let terms = |[contention, piece_ns, coherency, imbalance, item_cv]: [f64; UNKNOWNS]| {
        let item = LoopFacts { contention, piece_ns, coherency, imbalance, item_cv, ..item };
        model::predict(items as usize, plan, &item, machine, setting.hot as usize)
    };
    // The model is linear in all unknowns, so differences give their coefficients exactly.
    let plain = terms([0.0; UNKNOWNS]);
    let with_one: [Terms; UNKNOWNS] = std::array::from_fn(|unknown| {
        let mut ones = [0.0; UNKNOWNS];
        ones[unknown] = 1.0;
        terms(ones)
    });
    let observed = trimmed_mean(&setting.wall);
    let row = |time: fn(&Terms) -> f64, seen: f64| {
        // Between an error of what workers are busy for and that of the call, of which this may be a small part.
        let whole = (seen * observed).sqrt();
        Row {
            coefficients: with_one.map(|terms| (time(&terms) - time(&plain)) / whole),
            unexplained: (seen - time(&plain)) / whole,
            // The model need not be right about plans that nobody would choose.
            weight: (setting.wall.len() as f64).min(100.0) * (fastest / observed).powi(2),
            calls: setting.wall.len(),
        }
    };
    let at_work = items.div_ceil(setting.chunk.max(1)).min(setting.workers.into()) as f64;
    let busy =
        (!setting.busy.is_empty()).then(|| row(Terms::busy, trimmed_mean(&setting.busy) / at_work));
    [Some(row(Terms::total, observed)), busy].into_iter().flatten()
}

/// The largest values that the unknowns may have.
///
/// What blocks of items say about variation is an upper bound: the machine's noise in a block's time looks like items that
/// differ. How much parallel calls wait for their last chunk tells the rest.
fn bounds(classes: &[SizeClass], item: &LoopFacts) -> [f64; UNKNOWNS] {
    let mut most = [f64::INFINITY; UNKNOWNS];
    most[VARIATION] = item.item_cv;
    most[PIECE] = most_of_a_piece(classes, item);
    most
}

/// What a piece costs at most, in nanoseconds; no bound where records do not tell. Where there are more of them and nothing else differs, workers are busy for so much longer, as far as
/// times are sure (least squares). Or else it is a reduction: what others take is a piece, and is reduced.
fn most_of_a_piece(classes: &[SizeClass], item: &LoopFacts) -> f64 {
    let (mut slopes, mut weights, mut reduce_ns) = (0.0, 0.0, 0.0_f64);
    for class in classes {
        reduce_ns = reduce_ns.max(class.facts(item).reduce_ns_of(class.items as f64));
        let pieces = |setting: &SettingTimes| class.items.div_ceil(setting.chunk.max(1)) as f64;
        for many in &class.settings {
            let alike = |few: &&SettingTimes| (few.workers, few.hot) == (many.workers, many.hot);
            let fewest = class.settings.iter().filter(alike).max_by_key(|few| few.chunk);
            let Some(few) = fewest.filter(|few| few.chunk > many.chunk) else { continue };
            let more = pieces(many) - pieces(few);
            let longer = trimmed_mean(&many.busy) - trimmed_mean(&few.busy);
            let unsure = |busy: &[f64]| uncertainty(busy) * trimmed_mean(busy);
            let weight = unsure(&many.busy).hypot(unsure(&few.busy)).powi(-2);
            if (weight * longer).is_finite() {
                slopes += weight * more * longer;
                weights += weight * more * more;
            }
        }
    }
    if weights == 0.0 {
        return f64::INFINITY;
    }
    ((slopes / weights).max(0.0) + weights.sqrt().recip()).max(reduce_ns)
}

/// Weighted least squares in unknowns that may not be negative, and not be above these bounds: the best of the solutions for each
/// choice of those that are zero and those that are at their bounds, the simplest first.
fn bounded_fit(rows: &[Row], most: &[f64; UNKNOWNS]) -> [f64; UNKNOWNS] {
    let error = |solution: &[f64; UNKNOWNS]| {
        let explained = |row: &Row| dot(&row.coefficients, solution);
        let squares =
            rows.iter().map(|row| row.weight * (explained(row) - row.unexplained).powi(2));
        let doubt = if solution[COHERENCY] > 0.0 { WORTH_COHERENCY } else { 1.0 };
        squares.sum::<f64>() * doubt
    };
    let members = |set: usize| (0..UNKNOWNS).filter(move |unknown| set >> unknown & 1 == 1);
    let sets = 0..1_usize << UNKNOWNS;
    let bounded: Vec<usize> =
        sets.clone().filter(|&set| members(set).all(|unknown| most[unknown].is_finite())).collect();
    let mut choices: Vec<(usize, usize)> = sets
        .flat_map(|free| bounded.iter().map(move |&at_most| (free, at_most)))
        .filter(|(free, at_most)| free & at_most == 0)
        .collect();
    choices.sort_by_key(|(free, at_most)| (free.count_ones(), Reverse(at_most.count_ones())));
    choices
        .into_iter()
        .filter_map(|(free, at_most)| {
            let is_at_most = |unknown: usize| at_most >> unknown & 1 == 1;
            let known: [f64; UNKNOWNS] =
                std::array::from_fn(
                    |unknown| if is_at_most(unknown) { most[unknown] } else { 0.0 },
                );
            let left = |row: &Row| Row {
                unexplained: row.unexplained - dot(&row.coefficients, &known),
                ..*row
            };
            let left: Vec<Row> = rows.iter().map(left).collect();
            let solved = least_squares(&left, &members(free).collect::<Vec<_>>())?;
            Some(std::array::from_fn(|unknown| known[unknown] + solved[unknown]))
        })
        .filter(|solution| {
            solution.iter().zip(most).all(|(x, most)| x.is_finite() && (0.0..=*most).contains(x))
        })
        .map(|solution| (error(&solution), solution))
        // Two that differ in their last digits are equally good: the simpler one is taken.
        .reduce(|best, next| if next.0 < best.0 * (1.0 - 1e-9) { next } else { best })
        .map_or([0.0, 0.0, 0.0, 0.0, most[VARIATION]], |(_, solution)| solution)
}

fn dot(a: &[f64; UNKNOWNS], b: &[f64; UNKNOWNS]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The solution in which only the unknowns of `choice` are not zero; `None` where the rows cannot tell these
/// apart.
fn least_squares(rows: &[Row], choice: &[usize]) -> Option<[f64; UNKNOWNS]> {
    let sum =
        |term: &dyn Fn(&Row) -> f64| rows.iter().map(|row| row.weight * term(row)).sum::<f64>();
    let at = |i: usize, j: usize| sum(&|row| row.coefficients[i] * row.coefficients[j]);
    // The normal equations, each unknown in units of its own size, and their right-hand side.
    let scale: Vec<f64> = choice.iter().map(|&i| at(i, i).sqrt()).collect();
    let mut matrix: Vec<Vec<f64>> = choice
        .iter()
        .zip(&scale)
        .map(|(&i, si)| {
            let mut row: Vec<f64> =
                choice.iter().zip(&scale).map(|(&j, sj)| at(i, j) / (si * sj)).collect();
            row.push(sum(&|row| row.coefficients[i] * row.unexplained) / si);
            row
        })
        .collect();
    // Gauss and Jordan. The matrix is that of correlations: a small pivot says that settings tell two unknowns
    // apart by noise alone.
    for pivot in 0..choice.len() {
        let size = matrix[pivot][pivot];
        let is_told = size > 1e-6;
        if !is_told {
            return None;
        }
        matrix[pivot].iter_mut().for_each(|x| *x /= size);
        let by = matrix[pivot].clone();
        for (_, row) in matrix.iter_mut().enumerate().filter(|(index, _)| *index != pivot) {
            let factor = row[pivot];
            row.iter_mut().zip(&by).for_each(|(x, by)| *x -= factor * by);
        }
    }
    let mut solution = [0.0; UNKNOWNS];
    for ((&unknown, row), scale) in choice.iter().zip(&matrix).zip(&scale) {
        solution[unknown] = row[choice.len()] / scale;
    }
    Some(solution)
}

/// Speed-up of a plan while only the recording is known: of the setting nearest to the plan.
fn recorded_speedup(class: &SizeClass, workers: u32, chunk: u64) -> f64 {
    if workers == 1 {
        return 1.0;
    }
    let distance = |of: u64| ((of.max(1) as f64) / (chunk.max(1) as f64)).ln().abs();
    class
        .settings
        .iter()
        .filter(|setting| setting.workers == workers)
        .min_by(|a, b| distance(a.chunk).total_cmp(&distance(b.chunk)))
        .map(|setting| trimmed_mean(&class.serial) / trimmed_mean(&setting.wall))
        .filter(|speedup| speedup.is_finite())
        .unwrap_or(1.0)
}

/// A call, as far as decisions depend on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Occasion {
    pub(crate) items: u64,
    pub(crate) cost: Cost,
    /// How many helpers are hot when it begins.
    pub(crate) hot: u32,
}

impl Occasion {
    /// What the model decides for it.
    pub(crate) fn plan(self, facts: &LoopFacts, machine: &MachineFacts, limits: &Limits) -> Plan {
        let Occasion { items, cost: Cost(cost), hot } = self;
        model::decide(items as usize, &facts.at_cost(cost), machine, limits, hot as usize).plan
    }
}

/// Raises a loop's contention until the model chooses a serial run for a call: one way of giving up a
/// plan that turned out slower than that.
pub(crate) fn made_serial_by_contention(
    item: LoopFacts,
    call: Occasion,
    machine: &MachineFacts,
    limits: &Limits,
) -> LoopFacts {
    // From a contention of 1 on no number of workers gains.
    let most = item.contention.max(1.0);
    let raised = |contention| LoopFacts { contention, ..item };
    let least = least_serial(item.contention, most, raised, call, machine, limits);
    raised(least)
}

/// Raises the cost of a loop's pieces until the model chooses a serial run for a call. More items may
/// still pay.
pub(crate) fn made_serial_by_pieces(
    item: LoopFacts,
    call: Occasion,
    machine: &MachineFacts,
    limits: &Limits,
) -> LoopFacts {
    // A second piece that costs more than the whole run cannot pay.
    let items = call.items as usize;
    let run_ns = items as f64 * item.at_cost(call.cost.0).in_calls_of(items).item_ns;
    let most = item.piece_ns.max(2.0 * limits.workers as f64 * run_ns);
    let raised = |piece_ns| LoopFacts { piece_ns, ..item };
    let least = least_serial(item.piece_ns, most, raised, call, machine, limits);
    raised(least)
}

/// The smallest number between `low` and `high` with which the model decides for serial.
fn least_serial(
    mut low: f64,
    mut high: f64,
    raised: impl Fn(f64) -> LoopFacts,
    call: Occasion,
    machine: &MachineFacts,
    limits: &Limits,
) -> f64 {
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        if call.plan(&raised(middle), machine, limits) == Plan::Serial {
            high = middle;
        } else {
            low = middle;
        }
    }
    // A little more, so that rounding in the file does not tip it back.
    high * 1.01
}

/// How far the serial calls of the loops spread, as the median over loops of the interquartile
/// range relative to the median: a measure of the machine's noise and of the data's.
pub(crate) fn spread(measurement: &Measurement) -> f64 {
    let spreads: Vec<f64> = measurement
        .loops
        .values()
        .filter_map(|measured| dominant(&measured.classes))
        .filter(|class| class.serial.len() >= 5)
        .map(|class| {
            (quantile(&class.serial, 0.75) - quantile(&class.serial, 0.25)) / median(&class.serial)
        })
        .collect();
    if spreads.is_empty() { 0.0 } else { median(&spreads) }
}

#[cfg(test)]
#[path = "fit_tests.rs"]
mod tests;
