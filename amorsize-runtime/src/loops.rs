//! Loops: what is known of each, and the process's list of them.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use amorsize_profile::{LoopFacts, MachineFacts};

use crate::force::{self, Force, InvalidForce};
use crate::losses::Phase;
use crate::machine;
use crate::model::{self, Bound, Limits};
use crate::observed::Observed;
use crate::options::Options;
use crate::plan::Plan;
use crate::pool;
use crate::profiled::{Profiled, UNRECORDED, is_for_items, measured_task_bytes, on_this_machine};
use crate::rivals::Choice;
use crate::thresholds::{
    CHECKPOINT_FROM_NS, HOT, SURPRISE, SerialBelow, Thresholds, embedded_serial_below, serial_below,
};

/// Calls shorter than this say little about their items: looking at the clock takes up to a tenth.
const OBSERVABLE_NS: f64 = 500.0;

/// Forks with shorter branches never pay, and cost about as much as these branches do.
const WORTH_AN_OFFER_NS: f64 = 1_000.0;

/// Branches of so many times as many units are expected to take no more than so many times as long.
const MOST_ALIKE: f64 = 8.0;

/// One parallel loop of the program: what is recorded, tuned and decided.
///
/// In a generic function, items of different types make different loops of the same name.
///
/// Made by `#[amorsize::tune]`, one static per loop.
#[derive(Debug)]
pub struct Loop {
    thresholds: Thresholds,
    name: &'static str,
    options: Options,
    /// By the name of the loop, of items of any type.
    profiled: &'static [Profiled],
    /// The name of the items' type, from the first call on.
    item_type: OnceLock<&'static str>,
    /// Where that name is, for a comparison that costs next to nothing.
    item_type_at: AtomicPtr<u8>,
    /// The next loop of this name, for items of another type.
    other: OnceLock<&'static Loop>,
    active: AtomicBool,
    /// What the profile says about the loop on this machine, once that has been asked for.
    facts: OnceLock<Option<LoopFacts>>,
    /// What it says about the memory of a task, once that has been asked for.
    measured_task_bytes: OnceLock<Option<u64>>,
    observed: Observed,
}

/// A loop as the process knows it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LoopStatus {
    /// The loop's name.
    pub name: &'static str,
    /// The name of its items' type. A generic function has a loop for each type that it was called with.
    pub item_type: &'static str,
    /// Whether the profile that was compiled in knows the loop.
    pub profiled: bool,
    /// Mean item time in nanoseconds as decisions use it; `None` while nothing is known. Where items take longer in longer
    /// calls, that of items in calls of 50 µs.
    pub item_ns: Option<f64>,
    /// What the last reductions of two workers' results took on average, in nanoseconds; `None` while there was
    /// none.
    pub reduce_ns: Option<f64>,
    /// Calls of fewer items run serially without a look at the clock.
    pub serial_below: usize,
}

/// All loops that have been called, in the order of their first calls.
static LOOPS: Mutex<Vec<&'static Loop>> = Mutex::new(Vec::new());

impl Loop {
    /// A loop with the entries that the profile has for it, all with the same name.
    pub const fn new(name: &'static str, options: Options, profiled: &'static [Profiled]) -> Self {
        Loop {
            thresholds: Thresholds::new(),
            name,
            options,
            profiled,
            item_type: OnceLock::new(),
            item_type_at: AtomicPtr::new(ptr::null_mut()),
            other: OnceLock::new(),
            active: AtomicBool::new(false),
            facts: OnceLock::new(),
            measured_task_bytes: OnceLock::new(),
            observed: Observed::new(),
        }
    }

    /// The loop's name: `crate::module::function`, `#2` and so on appended when the function holds
    /// several.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The loop of this name for items of type `T`.
    #[inline]
    pub(crate) fn for_items<T>(&'static self) -> &'static Loop {
        let wanted = std::any::type_name::<T>();
        if ptr::eq(self.item_type_at.load(Ordering::Relaxed), wanted.as_ptr()) {
            return self;
        }
        self.for_items_of(wanted)
    }

    #[inline(never)]
    fn for_items_of(&'static self, wanted: &'static str) -> &'static Loop {
        let mut each = self;
        // The name of one type may be in several places.
        while *each.item_type.get_or_init(|| wanted) != wanted {
            let new = || &*Box::leak(Box::new(Loop::new(self.name, self.options, self.profiled)));
            each = each.other.get_or_init(new);
        }
        each.item_type_at.store(wanted.as_ptr().cast_mut(), Ordering::Relaxed);
        each
    }

    /// The name of the items' type; empty where nothing was called yet.
    pub(crate) fn item_type(&self) -> &'static str {
        self.item_type.get().copied().unwrap_or_default()
    }

    /// The entries for items of this type; where there are none, those for items of any type.
    fn entries(&self) -> impl Iterator<Item = &'static Profiled> + Clone + use<> {
        let (name, item_type) = (self.name, self.item_type());
        let is_exact = move |entry: &&Profiled| is_for_items(entry.name, name, item_type);
        let exact = self.profiled.iter().any(|entry| is_exact(&entry));
        let fits =
            move |entry: &&Profiled| if exact { is_exact(entry) } else { entry.name == name };
        self.profiled.iter().filter(fits)
    }

    pub(crate) fn options(&self) -> Options {
        self.options
    }

    #[inline]
    pub(crate) fn serial(&self) -> &SerialBelow {
        &self.thresholds.serial
    }

    /// What calls would be compared with if the process did not record.
    pub(crate) fn planned(&self) -> &SerialBelow {
        &self.thresholds.planned
    }

    /// Prepares the loop for its first call.
    pub(crate) fn activate(&'static self) {
        if self.active.load(Ordering::Acquire) {
            return;
        }
        read_environment();
        let mut loops = LOOPS.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.active.load(Ordering::Acquire) {
            loops.push(self);
            self.set_serial_below(None, || embedded_serial_below(self.entries()));
            self.active.store(true, Ordering::Release);
        }
    }

    /// Sets the thresholds to those that follow from this item time, if from any.
    fn set_serial_below(&self, item_ns: Option<f64>, below: impl FnOnce() -> [usize; 3]) {
        // Of several threads at it the last one says both what they are and what they follow from.
        let _turn = self.thresholds.turn();
        self.thresholds.note_item_ns(item_ns);
        let below = below();
        // A call that has to enter a pool, or to be cut in a fixed way, takes the long path.
        let shortens = !self.options.on_pool && !self.options.deterministic;
        let decides = shortens && force::current().is_none() && !recording();
        self.thresholds.planned.set(if shortens { below } else { [0; 3] });
        self.thresholds.serial.set(if decides { below } else { [0; 3] });
    }

    /// What calls of `n` items cost here, as far as profile and observation tell; `None` if the loop
    /// was never seen.
    pub(crate) fn facts(&self, n: usize) -> Option<LoopFacts> {
        let profile = self.profile().map(|facts| facts.in_calls_of(n));
        let facts = self.blend(n, profile, self.observed.item_ns(n, self.items_grown(n)))?;
        Some(match self.observed.losses(n).phase() {
            Phase::Refuted => model::without_losses(facts),
            _ => facts,
        })
    }

    /// Whether a call that nothing else is known of was too short to tell more.
    pub(crate) fn was_short(&self) -> bool {
        self.planned().untimed() > 0
    }

    /// Whether what is known of the loop is good enough for thresholds, and for a crew without another look at its items.
    pub(crate) fn is_known(&self) -> bool {
        self.observed.is_telling() || self.profile().is_some()
    }

    /// What calls cost here that are short enough for thresholds, whatever their size.
    fn facts_of_all(&self) -> Option<LoopFacts> {
        let observed = self.observed.item_ns_of_all();
        let n = observed.map_or(0, |(item_ns, _)| (CHECKPOINT_FROM_NS / item_ns) as usize);
        self.blend(n, self.profile(), observed)
    }

    /// What is known of calls of `n` items, where the profile says this and so much was observed.
    fn blend(
        &self,
        n: usize,
        profile: Option<LoopFacts>,
        observed: Option<(f64, f64)>,
    ) -> Option<LoopFacts> {
        match (profile, observed) {
            (Some(facts), Some((item_ns, calls))) => Some(model::learned(facts, item_ns, calls)),
            (Some(facts), None) => Some(facts),
            (None, observed) => {
                observed.map(|(item_ns, _)| LoopFacts { item_ns, ..self.unrecorded(n) })
            }
        }
    }

    /// How many times as long items of a call of `n` take, by the profile, as in a call of one.
    fn items_grown(&self, n: usize) -> f64 {
        self.profile().map_or(1.0, |facts| facts.items_grown(n.max(1) as f64))
    }

    /// What the profile says about the loop on this machine.
    pub(crate) fn profile(&self) -> Option<LoopFacts> {
        *self.facts.get_or_init(|| on_this_machine(self.entries()))
    }

    /// What is assumed of calls of `n` items where there is no profile.
    fn unrecorded(&self, n: usize) -> LoopFacts {
        let reduce_ns = self.observed.reduce_ns(n).unwrap_or(UNRECORDED.reduce_ns);
        // Items that wait do not keep others from waiting.
        let contention = if self.options.io { 0.0 } else { UNRECORDED.contention };
        LoopFacts { reduce_ns, contention, ..UNRECORDED }
    }

    /// Counts so many calls of about `n` items that ran serially without a decision. From time to time it is looked whether
    /// only losses keep them from a crew, and if so, whether there are any in this process.
    pub(crate) fn count_certain(&self, n: usize, calls: u32) {
        let losses = self.observed.losses(n);
        if !losses.count(calls, true) {
            return;
        }
        // No machine is asked for where nothing would be gained on any that the profile knows.
        let known = self.facts.get().copied().flatten().map(|item| (item, machine::facts()));
        let gains = |(item, machine): (LoopFacts, MachineFacts)| {
            let (at_best, two) = (model::without_losses(item), Limits::cores(2));
            model::decide(n, &at_best, &machine, &two, HOT).plan != model::Plan::Serial
        };
        let mut embedded = self.entries().map(|entry| (entry.item, entry.machine));
        if known.map_or_else(|| embedded.any(gains), gains) {
            self.observed.begin_trial(n);
            self.apply_anew();
        } else {
            losses.count_anew();
        }
    }

    /// The facts of a call of `n` items without the losses that a profile tells of, if it is time to look whether there are
    /// any in this process.
    pub(crate) fn facts_at_best(
        &self,
        n: usize,
        facts: LoopFacts,
        is_short: bool,
    ) -> Option<LoopFacts> {
        self.profile()?;
        let losses = self.observed.losses(n);
        if losses.count(1, is_short) {
            self.observed.begin_trial(n);
        }
        losses.is_on_trial().then(|| model::without_losses(facts))
    }

    /// Whether a call of `n` items, which only losses keep from a crew, runs in one. It is counted.
    pub(crate) fn tries_crew(&self, n: usize, is_short: bool) -> bool {
        let tries = self.observed.tries_crew(n, is_short);
        if !tries && !self.observed.losses(n).is_on_trial() {
            // The trial is over, and was in vain.
            self.apply_anew();
        }
        tries
    }

    /// How many times as long items of a call of `n` take with `workers` at work.
    pub(crate) fn slowdown(&self, n: usize, workers: usize) -> f64 {
        let facts = self.facts(n).unwrap_or_else(|| self.unrecorded(n));
        model::slowdown(workers as f64, &facts)
    }

    /// Whether a look at what reductions cost would tell something new.
    pub(crate) fn wonders_about_reductions(&self) -> bool {
        self.observed.reduction().is_none() && self.profile().is_none()
    }

    /// What a reduction costs in a call of `n` items, as last observed, else as profiled.
    pub(crate) fn known_reduce_ns(&self, n: usize) -> Option<f64> {
        let Some(facts) = self.profile() else { return self.observed.reduce_ns(n) };
        let reduce_ns = match self.observed.reduction() {
            Some((reduce_ns, of)) => {
                LoopFacts { reduce_ns, ..facts }.reduce_ns_of(n as f64 / of as f64)
            }
            None => facts.reduce_ns_of(n as f64),
        };
        // A profile says zero where no reduction was measured.
        (reduce_ns > 0.0).then_some(reduce_ns)
    }

    /// Learns what one reduction cost in a call of `n` items.
    pub(crate) fn observe_reduction(&self, n: usize, reduce_ns: f64) {
        self.observed.set_reduction(n, reduce_ns);
    }

    /// What is known of calls of `n` items, with an item time that was just measured.
    pub(crate) fn facts_with(&self, n: usize, item_ns: f64) -> LoopFacts {
        self.profile().unwrap_or_else(|| self.unrecorded(n)).with_item_ns(item_ns)
    }

    /// Learns from a call of `n` items whose items took `busy_ns` in all, on however many workers.
    pub(crate) fn observe(&self, n: usize, busy_ns: f64) {
        if n == 0 {
            return;
        }
        if busy_ns < OBSERVABLE_NS {
            // Too short to tell the item time, but it tells when items are cheaper than they seemed, as when a program has
            // just started.
            let grown = self.items_grown(n);
            let seemed = self.observed.item_ns_of_all();
            let seemed = seemed.map(|(item_ns, _)| item_ns * grown * n as f64);
            if seemed.is_some_and(|seemed_ns| seemed_ns > SURPRISE * busy_ns) {
                self.observed.add(n, busy_ns, grown);
            }
            if self.is_known() {
                self.apply();
            } else if !self.planned().is_untimed(n) {
                // And that no fork is worth it.
                self.set_serial_below(None, || [n.saturating_add(1); 3]);
            }
            return;
        }
        self.observed.add(n, busy_ns, self.items_grown(n));
        // The thresholds take some microseconds to compute, which a few short calls are not worth.
        if self.is_known() {
            self.apply();
        }
    }

    /// Learns from a branch of `n` units that did not fork; whether with this one enough is known of the loop. As long as nothing
    /// is, short ones tell of longer ones: to offer a branch and to look at the clock costs about as much as the shortest take.
    pub(crate) fn observe_branch(&self, n: usize, busy_ns: f64) -> bool {
        let was_known = self.is_known();
        let alike = match self.observed.item_ns_of_all() {
            Some(_) => 1.0,
            None => (WORTH_AN_OFFER_NS / busy_ns).clamp(1.0, MOST_ALIKE),
        };
        self.observe((n as f64 * alike) as usize, busy_ns);
        !was_known && self.is_known()
    }

    /// Learns from a call of `n` items that took its caller so long, alone.
    pub(crate) fn observe_alone(&self, n: usize, wall_ns: f64) {
        if n > 0 {
            self.observed.add_alone(n, wall_ns);
        }
    }

    /// Learns from a call of `n` items that took a crew so long.
    pub(crate) fn observe_crew(&self, n: usize, wall_ns: f64) {
        if n > 0 {
            self.observed.add_crew(n, wall_ns);
        }
    }

    /// What becomes of a call of about `n` items that the model has a crew for: what calls took has the last word.
    pub(crate) fn choose(&self, n: usize, is_short: bool) -> Choice {
        let recorded_ns = self.profile().map_or(f64::INFINITY, |facts| facts.item_ns_of(n as f64));
        self.observed.choose(n, is_short, recorded_ns)
    }

    /// How many helpers are hot as far as a call of `n` items is concerned: all of them where only what calls took decides
    /// between a crew and its caller.
    pub(crate) fn helpers_counted_hot(&self, n: usize, machine: &MachineFacts) -> usize {
        match pool::helpers_counted_hot(machine) {
            0 if self.observed.override_heat(n) => HOT,
            hot => hot,
        }
    }

    /// Whether a call of `n` items runs serially without a decision.
    pub(crate) fn is_certain(&self, n: usize) -> bool {
        self.serial().is_certain_with(n, || self.helpers_counted_hot(n, &machine::facts()))
    }

    /// Learns from a serial call that was decided about if it is not the only one that took longer, or less, than known of
    /// its size.
    pub(crate) fn observe_decided(&self, n: usize, busy_ns: f64) {
        // What the profile says of a loop has thresholds from the first of these on.
        if self.thresholds.item_ns().is_none() {
            self.apply();
        }
        let known_item_ns = self.facts(n).map_or(0.0, |facts| facts.item_ns);
        if self.thresholds.are_surprised(busy_ns, known_item_ns * n as f64) {
            self.observe(n, busy_ns);
        }
    }

    /// Learns from a serial call without a decision if it is not the only one that took longer, or less, than known.
    pub(crate) fn observe_certain(&self, n: usize, busy_ns: f64) {
        let is_surprise = self.thresholds.are_surprised(busy_ns, self.known_ns(n));
        // Nobody asks for the machine on account of calls as short as those that the profile leaves serial on any.
        let is_short = busy_ns <= self.known_ns(self.serial().untimed());
        if is_surprise && !(is_short && self.thresholds.item_ns().is_none()) {
            self.observe(n, busy_ns);
        }
    }

    /// What a serial call of `n` items takes by the facts that the thresholds follow from: until the machine is known, by
    /// those of the profile that say most.
    fn known_ns(&self, n: usize) -> f64 {
        let serial_ns = |item: LoopFacts| n as f64 * item.in_calls_of(n).item_ns;
        match self.thresholds.item_ns() {
            Some(item_ns) => {
                let profiled = self.facts.get().copied().flatten().unwrap_or(UNRECORDED);
                serial_ns(LoopFacts { item_ns, ..profiled })
            }
            None => self.entries().map(|entry| serial_ns(entry.item)).fold(0.0, f64::max),
        }
    }

    /// Recomputes the thresholds if the item time has moved.
    fn apply(&self) {
        if let Some(facts) =
            self.facts_of_all().filter(|facts| !self.thresholds.are_for(facts.item_ns))
        {
            self.apply_facts(&facts);
        }
    }

    /// Recomputes the thresholds.
    fn apply_anew(&self) {
        if let Some(facts) = self.facts_of_all() {
            self.apply_facts(&facts);
        }
    }

    fn apply_facts(&self, facts: &LoopFacts) {
        let (machine, limits) = (machine::facts(), self.limits_by_cores());
        self.set_serial_below(Some(facts.item_ns), || {
            serial_below(facts, &machine, &limits, self.observed.doubted_from())
        });
    }

    /// What one worker's task takes at its peak: as declared, else as measured.
    pub(crate) fn task_bytes(&self) -> Option<u64> {
        self.options.memory_bytes.or_else(|| {
            *self.measured_task_bytes.get_or_init(|| measured_task_bytes(self.entries()))
        })
    }

    /// The workers and the chunk size for a call of `n` items, for executors of your own.
    ///
    /// Of a loop that was never seen nothing is known: the plan is then all workers, with 16 chunks each, or those that the
    /// options fix.
    pub fn plan(&'static self, n: usize) -> Plan {
        self.activate();
        let limits = self.limits_by_cores();
        let limits_now = || self.limit_by_memory(self.limit_by_load(limits));
        let Some(facts) = self.facts(n) else {
            let limits = limits_now();
            let workers = limits.workers.min(n).max(1);
            let bound = if workers < limits.workers { Bound::Items } else { limits.bound };
            let fixed = self.options.fixed_chunk(n, None);
            return Plan::new(workers, fixed.unwrap_or(n.div_ceil(16 * workers)), Some(bound));
        };
        let machine = machine::facts_for(n as f64 * facts.item_ns);
        let hot = pool::helpers_counted_hot(&machine);
        let plan_within = |limits| {
            let limits = self.limits_with(limits, n, &facts);
            model::decide(n, &facts, &machine, &limits, hot)
        };
        let mut decision = plan_within(limits);
        if decision.plan != model::Plan::Serial {
            decision = plan_within(limits_now());
        }
        let (workers, chunk) = match decision.plan {
            model::Plan::Serial => (1, n),
            model::Plan::Parallel { workers, chunk } => (workers, chunk),
        };
        Plan::new(workers, chunk, decision.limited_by)
    }

    /// Replaces what the profile says. For recording and benchmarks.
    #[doc(hidden)]
    pub fn adopt(&'static self, facts: LoopFacts) -> bool {
        self.activate();
        let adopted = self.facts.set(Some(facts)).is_ok();
        self.apply();
        adopted
    }

    /// Replaces what the profile says of the memory of a task.
    #[cfg(feature = "record")]
    pub(crate) fn adopt_task_bytes(&self, task_bytes: Option<u64>) {
        let _ = self.measured_task_bytes.set(task_bytes);
    }

    /// Whether `name` means this loop: its name, or `name<type>` for these items.
    #[cfg(feature = "record")]
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name == name || is_for_items(name, self.name, self.item_type())
    }

    /// The loop as this process knows it by now.
    pub fn status(&self) -> LoopStatus {
        LoopStatus {
            name: self.name,
            item_type: self.item_type(),
            profiled: self.entries().next().is_some(),
            item_ns: self
                .facts_of_all()
                .map(|facts| facts.in_calls_of(facts.items_in(CHECKPOINT_FROM_NS)).item_ns),
            reduce_ns: self.observed.reduction().map(|(reduce_ns, _)| reduce_ns),
            serial_below: self.serial().untimed(),
        }
    }
}

fn recording() -> bool {
    #[cfg(feature = "record")]
    return crate::record::recorder().is_some();
    #[cfg(not(feature = "record"))]
    false
}

/// Reads `AMORSIZE`, once, and returns what is wrong with it.
fn read_environment() -> &'static Option<InvalidForce> {
    static INVALID: OnceLock<Option<InvalidForce>> = OnceLock::new();
    INVALID.get_or_init(|| match std::env::var("AMORSIZE").ok()?.parse() {
        Ok(force) => {
            force::set(Some(force));
            None
        }
        Err(invalid) => Some(invalid),
    })
}

/// Why the value of the variable `AMORSIZE` is ignored, if it is. The library itself prints nothing.
pub fn invalid_force() -> Option<InvalidForce> {
    read_environment().clone()
}

/// All tuned loops that this process has called, in the order of their first calls.
pub fn loops() -> Vec<LoopStatus> {
    let loops = LOOPS.lock().unwrap_or_else(PoisonError::into_inner);
    loops.iter().map(|each| each.status()).collect()
}

/// Imposes a plan on every loop of the process, as the variable `AMORSIZE` does at its start, or
/// ends that with `None`.
pub fn force(plan: Option<Force>) {
    read_environment();
    let loops = LOOPS.lock().unwrap_or_else(PoisonError::into_inner);
    force::set(plan);
    for each in loops.iter() {
        each.set_serial_below(None, || embedded_serial_below(each.entries()));
        if plan.is_none() {
            each.apply();
        }
    }
}

/// Does now what the first calls above break-even would do: reads the machine's facts, measures
/// what the profile does not know and builds rayon's pool.
pub fn warm_up() {
    machine::class();
    if machine::limits_by_cores(None, None).workers > 1 {
        machine::measured();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::profiled::select;

    const fn entry(name: &'static str, item_ns: f64) -> Profiled {
        const MACHINE: MachineFacts = MachineFacts {
            spawn_ns: 300.0,
            wake_ns: 4_000.0,
            cold_spawn_ns: 300.0,
            cold_wake_ns: 4_000.0,
            hot_for_ns: 50_000.0,
            claim_ns: 60.0,
            reference_ns: 1_000.0,
        };
        let item = LoopFacts {
            item_ns,
            item_growth: 0.0,
            item_cv: 0.0,
            piece_ns: 0.0,
            reduce_ns: 0.0,
            reduce_growth: 0.0,
            contention: 0.0,
            coherency: 0.0,
            imbalance: 0.0,
            cpu_share: None,
        };
        let (class, parallel_from) = ("none", usize::MAX);
        Profiled { name, class, machine: MACHINE, item, parallel_from, task_bytes: None }
    }

    const ENTRIES: &[Profiled] = &[
        entry("a::f", 1.0),
        entry("a::f<u8>", 2.0),
        entry("a::f<(u8, &str)>", 3.0),
        entry("a::f#2", 4.0),
        entry("a::fg", 5.0),
    ];

    fn item_times<'e>(entries: impl IntoIterator<Item = &'e Profiled>) -> Vec<f64> {
        entries.into_iter().map(|entry| entry.item.item_ns).collect()
    }

    #[test]
    fn a_loop_s_entries_are_those_of_its_name_for_items_of_any_type() {
        assert_eq!(item_times(select(ENTRIES, "a::f")), [1.0, 2.0, 3.0]);
        assert_eq!(item_times(select(ENTRIES, "a::f#2")), [4.0]);
        assert!(select(ENTRIES, "a::").is_empty() && select(ENTRIES, "f").is_empty());
    }

    #[test]
    fn where_items_grow_with_the_call_those_of_one_size_tell_of_another_as_the_profile_says() {
        static LOOP: Loop = Loop::new("all to all", Options::NONE, &[]);
        let item = LoopFacts { item_ns: 1.0, item_growth: 1.0, ..UNRECORDED };
        assert!(LOOP.adopt(item));
        let item_ns = |n| LOOP.facts(n).expect("it was adopted").item_ns;
        assert_eq!([10, 1_000].map(item_ns), [10.0, 1_000.0]);
        assert_eq!(LOOP.known_ns(1_000), 1e6);
        let short = LOOP.planned().untimed();
        (0..100).for_each(|_| LOOP.observe(1_000, 1_000.0 * 2_000.0));
        assert!((15.0..=20.0).contains(&item_ns(10)), "{}", item_ns(10));
        assert!((1_500.0..=2_000.0).contains(&item_ns(1_000)), "{}", item_ns(1_000));
        assert!(LOOP.planned().untimed() < short, "{short}");
        assert_eq!(LOOP.facts_with(1_000, 7.0).in_calls_of(1_000).item_ns, 7.0);
    }

    #[test]
    fn each_type_of_items_has_its_own_loop_and_its_own_entries() {
        static LOOP: Loop = Loop::new("a::f", Options::NONE, select(ENTRIES, "a::f"));
        let loops =
            [LOOP.for_items::<(u8, &str)>(), LOOP.for_items::<u8>(), LOOP.for_items::<String>()];
        assert!(std::ptr::eq(loops[0], &LOOP) && std::ptr::eq(loops[1], LOOP.for_items::<u8>()));
        assert_eq!(loops.map(|each| item_times(each.entries())), [[3.0], [2.0], [1.0]]);
    }
}
