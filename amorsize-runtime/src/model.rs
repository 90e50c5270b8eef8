//! The cost model: numbers in, plan out.
//!
//! Nothing here reads a clock, a file, a thread or a global. The runtime, the command line, the
//! tests and the simulator all call these functions, so that what `explain` shows is what runs.
//!
//! For one call of `n` items on `w` workers with chunks of `c` items, all times in nanoseconds:
//!
//! ```text
//! serial    T = n·t,  t = item·n^item_growth
//! parallel  T = (n·t·slow(w) + Σ Lᵢ + claim·n/c) / w + spawn·(w − 1)/w + tail
//!               + piece·n/(c·w) + reduce·n^reduce_growth·reductions
//! ```
//!
//! Helper `i` of the `w − 1` starts at `Lᵢ`, which is `i·spawn + wake` until the first ones help to summon the
//! others (`lateness`); all workers are then busy until the work runs out, which gives the quotient. Helpers that are
//! still hot from earlier work go first; the others have the costs of cold ones. `slow(w) = 1 + a·(w − 1) + b·w·(w − 1)` is the
//! Universal Scalability Law (Gunther 1993). `tail` is the expected wait for the last chunk: chunks differ by a share of
//! their length, and by what items do that vary independently. A
//! `piece` costs something where each has a folder of its own. `reductions` are those that follow one another: the
//! workers' results meet in pairs, and so do the results of what is taken from others towards the end. What one costs grows
//! with the call where it moves what the items left behind.

use std::fmt;

use amorsize_profile::{LoopFacts, MachineFacts};

/// Plans within this factor of the cheapest count as equal: the one with fewer workers is taken.
const EQUAL_WITHIN: f64 = 1.02;

/// A parallel plan has to be cheaper than a serial run by this factor, however long that is: what sharing costs differs
/// from process to process.
const WORTH_LEAVING_SERIAL: f64 = 1.03;

/// By so much more where a serial run takes no longer than the start of a cold helper: the time of a serial run is known well,
/// that of a helper's start is not.
const DOUBT_OF_A_START: f64 = 0.07;

/// The share of a chunk's time by which even equal chunks differ: interrupts, frequency, neighbours.
const UNEVEN: f64 = 0.02;

/// Chunks per worker at most: past it the tail no longer shrinks measurably, but claims still cost.
const MAX_CHUNKS_PER_WORKER: f64 = 64.0;

/// Up to so many chunks for each worker, one less makes a difference.
const FEW_CHUNKS: f64 = 4.0;

/// Chunks of up to so many items are compared with those of one item less.
const FEW_ITEMS: usize = 8;

/// As many observed calls weigh as much as the profile.
const PROFILE_WEIGHT: f64 = 8.0;

/// An observed item time this many times off the profile, either way, is not blended with it.
const IMPLAUSIBLE: f64 = 4.0;

/// Unless it is smaller and of fewer calls: these may have found what they looked for among their first items.
const FEW_CALLS: f64 = 3.0;

/// How one call is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// On the caller, never entering a pool.
    Serial,
    /// By `workers` threads, the caller included, taking `chunk` items at a time.
    Parallel {
        /// Threads, the caller included; at least 2.
        workers: usize,
        /// Items that one worker takes at a time; at least 1.
        chunk: usize,
    },
}

/// What bounds the number of workers.
///
/// Its text is one word or two: `cores`, `pool`, `max_workers`, `AMORSIZE_MAX_WORKERS`, `items`, `other loops`, `memory`,
/// `load`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bound {
    /// The cores this process may use.
    Cores,
    /// The threads of the pool.
    Pool,
    /// The option `max_workers` of the attribute.
    MaxWorkers,
    /// The variable `AMORSIZE_MAX_WORKERS`.
    Environment,
    /// The number of chunks: there are not more pieces to hand out.
    Items,
    /// Helpers that other loops of the process keep busy at the moment.
    Busy,
    /// The memory that tasks take at their peaks.
    Memory {
        /// Peak of one task, in bytes.
        task_bytes: u64,
        /// What all tasks together may take, in bytes.
        usable_bytes: u64,
    },
    /// Other work that the machine is busy with, by the option `respect_load` of the attribute.
    Load,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Bound::Cores => "cores",
            Bound::Pool => "pool",
            Bound::MaxWorkers => "max_workers",
            Bound::Environment => "AMORSIZE_MAX_WORKERS",
            Bound::Items => "items",
            Bound::Busy => "other loops",
            Bound::Memory { .. } => "memory",
            Bound::Load => "load",
        })
    }
}

/// The share of the available memory that tasks may take together, in thousandths: the rest is for everything else.
pub const MEMORY_PERMILLE: u16 = 800;

/// What tasks may take together of so much available memory, in bytes.
pub fn usable_memory(available_bytes: u64, permille: u16) -> u64 {
    let usable = u128::from(available_bytes) * u128::from(permille.min(1_000)) / 1_000;
    u64::try_from(usable).expect("it is no more than what is available")
}

/// What a plan has to respect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most workers, the caller included; at least 1.
    pub workers: usize,
    /// What set `workers`.
    pub bound: Bound,
    /// Smallest chunk that the caller's code asks for; at least 1.
    pub min_chunk: usize,
    /// Largest chunk that the caller's code allows. `min_chunk` wins over it, as in rayon.
    pub max_chunk: usize,
}

impl Limits {
    /// Limits that only say how many workers the cores allow.
    pub fn cores(workers: usize) -> Self {
        Limits { workers: workers.max(1), bound: Bound::Cores, min_chunk: 1, max_chunk: usize::MAX }
    }

    /// The limits while so many helpers are busy elsewhere.
    pub fn beside(self, busy: usize) -> Self {
        if busy == 0 || self.workers == 1 {
            return self;
        }
        Limits { workers: self.workers.saturating_sub(busy).max(1), bound: Bound::Busy, ..self }
    }

    /// The limits where other work on the machine leaves only so many workers, at least one.
    pub fn beside_load(self, workers: usize) -> Self {
        if workers >= self.workers {
            return self;
        }
        Limits { workers: workers.max(1), bound: Bound::Load, ..self }
    }

    /// The limits where each worker's task takes `task_bytes` at its peak and all of them may take
    /// `usable_bytes`: as many workers as fit, at least one. A task of 0 bytes limits nothing.
    pub fn within_memory(self, task_bytes: u64, usable_bytes: u64) -> Self {
        let Some(fit) = usable_bytes.checked_div(task_bytes) else { return self };
        let fit = usize::try_from(fit).unwrap_or(usize::MAX).max(1);
        if fit >= self.workers {
            return self;
        }
        Limits { workers: fit, bound: Bound::Memory { task_bytes, usable_bytes }, ..self }
    }

    /// The limits where the chunk size is fixed, if it is: at the nearest one that is allowed.
    pub fn with_chunk(self, fixed: Option<usize>) -> Self {
        match fixed.map(|chunk| self.clamp_chunk(chunk)) {
            Some(chunk) => Limits { min_chunk: chunk, max_chunk: chunk, ..self },
            None => self,
        }
    }

    /// The nearest chunk size that is allowed.
    pub fn clamp_chunk(&self, chunk: usize) -> usize {
        chunk.min(self.max_chunk).max(self.min_chunk).max(1)
    }
}

/// Predicted time of one call, term by term, in nanoseconds of wall time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Terms {
    /// The items themselves, spread over the workers: `n·t / w`.
    pub items: f64,
    /// What sharing caches and memory adds to the items: `n·t·(slow(w) − 1) / w`.
    pub slowdown: f64,
    /// Handing helpers to the pool.
    pub spawn: f64,
    /// Helpers that are not running yet.
    pub wake: f64,
    /// Taking chunks.
    pub claim: f64,
    /// Splitting and fresh folders.
    pub pieces: f64,
    /// Reducing the workers' results.
    pub reduce: f64,
    /// Waiting for the last chunk.
    pub tail: f64,
}

impl Terms {
    /// The predicted time of the call.
    pub fn total(&self) -> f64 {
        let starting = self.spawn + self.wake;
        self.items + self.slowdown + starting + self.claim + self.pieces + self.reduce + self.tail
    }

    /// What each worker is busy for with items and pieces, on average, in nanoseconds: it waits for the rest.
    pub fn busy(&self) -> f64 {
        self.items + self.slowdown + self.claim + self.pieces
    }
}

/// The plan for one call, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// The cheapest plan.
    pub plan: Plan,
    /// Its predicted time.
    pub terms: Terms,
    /// The predicted time of a serial run.
    pub serial_ns: f64,
    /// What kept the plan from using more workers; `None` when more workers would not pay.
    pub limited_by: Option<Bound>,
}

/// The facts of a loop whose items took `item_ns` nanoseconds on average in so many calls of this process: the more calls,
/// the less a profile has to say. Without any, those of the profile.
pub fn learned(profile: LoopFacts, item_ns: f64, calls: f64) -> LoopFacts {
    if calls <= 0.0 {
        return profile;
    }
    let ratio = item_ns / profile.item_ns;
    let plausible = (1.0 / IMPLAUSIBLE..=IMPLAUSIBLE).contains(&ratio);
    let may_have_left = ratio < 1.0 && calls < FEW_CALLS;
    let weight = if plausible || may_have_left { PROFILE_WEIGHT } else { 0.0 };
    let item_ns = (weight * profile.item_ns + calls * item_ns) / (weight + calls);
    LoopFacts { item_ns, ..profile }
}

/// The facts of a loop whose crews lose nothing but what machine and reductions cost.
pub(crate) fn without_losses(item: LoopFacts) -> LoopFacts {
    LoopFacts {
        item_cv: 0.0,
        piece_ns: 0.0,
        contention: 0.0,
        coherency: 0.0,
        imbalance: 0.0,
        ..item
    }
}

/// Predicts the time of `n` items under `plan` when `hot` helpers are hot.
pub fn predict(
    n: usize,
    plan: Plan,
    item: &LoopFacts,
    machine: &MachineFacts,
    hot: usize,
) -> Terms {
    let item = item.in_calls_of(n);
    match plan {
        Plan::Serial => Terms { items: n as f64 * item.item_ns, ..Terms::default() },
        Plan::Parallel { workers, chunk } => parallel_terms(n, workers, chunk, &item, machine, hot),
    }
}

fn parallel_terms(
    n: usize,
    workers: usize,
    chunk: usize,
    item: &LoopFacts,
    machine: &MachineFacts,
    hot: usize,
) -> Terms {
    let n = n as f64;
    let chunk = (chunk as f64).max(1.0);
    let pieces = (n / chunk).ceil().max(1.0);
    let helpers = (workers as f64 - 1.0).min(pieces - 1.0).max(0.0);
    let w = helpers + 1.0;
    let work = n * item.item_ns;
    let start = Start::of(helpers, hot as f64, machine);
    // Of equal chunks, the last ones end half a chunk apart on average, but never further apart than
    // the workers started, unless there is no equal number of chunks for each. Without contention, so that all
    // terms are linear in what a fit looks for.
    let left_over = (longest_share(n, chunk, pieces, w) - n / w) * item.item_ns;
    let offset = (0.5 * chunk * item.item_ns).min(start.last).max(left_over);
    let slow = slowdown(w, item);
    let slowed = chunk * item.item_ns * slow;
    let uneven = UNEVEN * slowed + item.imbalance * chunk * item.item_ns;
    Terms {
        items: work / w,
        slowdown: work * (slow - 1.0) / w,
        spawn: start.spawning / w,
        wake: start.late / w,
        claim: machine.claim_ns * pieces / w,
        pieces: item.piece_ns * pieces / w,
        reduce: item.reduce_ns_of(n) * reductions(w, pieces),
        tail: (offset + uneven + variation(chunk, w, item)) * helpers / w,
    }
}

/// How many items the worker with most of them takes, of `n` in so many `pieces` of `chunk` items, where all start together. The
/// last piece is what is left; a worker may have nothing but that in the last round.
fn longest_share(n: f64, chunk: f64, pieces: f64, w: f64) -> f64 {
    let before = ((pieces / w).ceil() - 1.0) * w;
    let last = if pieces - before > 1.0 { chunk } else { n - (pieces - 1.0) * chunk };
    before / w * chunk + last
}

/// Reductions that follow one another: the results of `w` workers meet in pairs. The more pieces there are, the more often
/// many workers take from the same one.
fn reductions(w: f64, pieces: f64) -> f64 {
    if w > 1.0 { w.log2() + reductions_per_halving(w) * (pieces / w).max(1.0).log2() } else { 0.0 }
}

/// How many reductions more follow one another where chunks are half as long. Where halves differ, two workers take from each other
/// again and again, too.
fn reductions_per_halving(w: f64) -> f64 {
    (1.0 - 2.0 / w).max(0.5)
}

/// How many times as long items take with `w` workers at work.
pub(crate) fn slowdown(w: f64, item: &LoopFacts) -> f64 {
    1.0 + item.contention * (w - 1.0) + item.coherency * w * (w - 1.0)
}

/// How helpers come to a call.
struct Start {
    /// The caller's time for handing them to the pool.
    spawning: f64,
    /// How late they are, in all.
    late: f64,
    /// How late the last one is.
    last: f64,
}

impl Start {
    /// Of `helpers`, `hot` of which are hot if there are so many. Those go first, and then summon the others
    /// together with the caller.
    fn of(helpers: f64, hot: f64, machine: &MachineFacts) -> Self {
        let hot = hot.min(helpers);
        let cold = helpers - hot;
        let (hot_late, hot_last) = lateness(hot, machine.spawn_ns, machine.wake_ns);
        let cold_spawn_ns = machine.cold_spawn_ns / (hot + 1.0);
        let (cold_late, cold_last) = lateness(cold, cold_spawn_ns, machine.cold_wake_ns);
        Start {
            spawning: machine.spawn_ns * hot + machine.cold_spawn_ns * cold,
            late: hot_late + cold_late,
            last: hot_last.max(cold_last),
        }
    }
}

/// How late `count` helpers are in all, and how late the last one is, when whoever is there summons.
///
/// Until the first one starts, the caller alone has summoned `1 + wake/spawn` of them, and helper `i` starts at
/// `i·spawn + wake`. From then on they multiply: a worker summons one in `spawn`, who begins to do the same `wake`
/// later, so that their number grows as `e^(r·t)` with `r·spawn = e^(−r·wake)`. Within 15 % of such a start
/// carried out step by step, as long as a spawn is no dearer than a wake.
fn lateness(count: f64, spawn_ns: f64, wake_ns: f64) -> (f64, f64) {
    let alone = (1.0 + (wake_ns / spawn_ns).floor()).min(count);
    let last_alone = wake_ns + spawn_ns * alone;
    let mut late = alone * wake_ns + spawn_ns * alone * (alone + 1.0) / 2.0;
    let others = count - alone;
    // Costs which are not numbers end here, too.
    let multiply = others > 0.0 && spawn_ns > 0.0;
    if !multiply {
        return (late, if count > 0.0 { last_alone } else { 0.0 });
    }
    let rate = growth_rate(spawn_ns, wake_ns);
    let steepness = rate * spawn_ns / 2.0;
    let grown = 1.0 + steepness * others;
    let beyond = grown.ln() / rate;
    // The sum over helpers as an integral, and the difference of the two (Euler and Maclaurin).
    let integral = (grown * grown.ln() - steepness * others) / (steepness * rate);
    late += others * last_alone + integral + beyond / 2.0;
    (late, last_alone + beyond)
}

/// The root `r` of `r·spawn = e^(−r·wake)`, by Newton's method.
fn growth_rate(spawn_ns: f64, wake_ns: f64) -> f64 {
    let mut rate = 1.0 / (spawn_ns + wake_ns);
    for _ in 0..4 {
        let decay = (-rate * wake_ns).exp();
        rate -= (rate * spawn_ns - decay) / (spawn_ns + wake_ns * decay);
    }
    rate
}

/// How much longer the slowest of `w` chunks takes because items differ. A chunk's time deviates by
/// `√c` deviations of an item when items are independent, and the largest of `w` such deviations
/// grows like `√(2·ln w)`.
fn variation(chunk: f64, w: f64, item: &LoopFacts) -> f64 {
    item.item_cv * item.item_ns * (chunk * 2.0 * w.ln()).sqrt()
}

/// The cheapest plan for a call of `n` items when `hot` helpers are hot.
///
/// Never returns a plan that is predicted to take longer than a serial run. Facts that are not
/// finite or not positive lead to a serial plan.
pub fn decide(
    n: usize,
    item: &LoopFacts,
    machine: &MachineFacts,
    limits: &Limits,
    hot: usize,
) -> Decision {
    let item = &item.in_calls_of(n);
    let serial = predict(n, Plan::Serial, item, machine, hot);
    let mut best =
        Decision { plan: Plan::Serial, terms: serial, serial_ns: serial.total(), limited_by: None };
    // What a helper can save is less than the serial time. Written so that NaN leads to a serial
    // plan.
    let pays = best.serial_ns > first_helper_ns(machine, hot);
    if !(pays && best.serial_ns.is_finite()) {
        return best;
    }
    if limits.workers < 2 {
        return Decision { limited_by: Some(limits.bound), ..best };
    }
    if limits.clamp_chunk(1) >= n {
        return best;
    }
    let candidate = |workers| {
        let chunk = limits.clamp_chunk(best_chunk(n, workers, item, machine, hot));
        let terms = parallel_terms(n, workers, chunk, item, machine, hot);
        (chunk < n).then_some((Plan::Parallel { workers, chunk }, terms))
    };
    // A higher limit never leads to fewer workers. Steps do not depend on it, and each leaves the choice as it is or makes it
    // larger. In the step with the limit, what is to be gained depends on the choice before it alone, and a higher limit
    // adds only larger numbers to those that are tried, the largest first.
    let worth_leaving_serial = worth_leaving_serial(best.serial_ns, machine);
    let mut before = 1;
    for step in worker_steps(limits.workers) {
        // Asking for a real gain prefers fewer workers.
        let margin = if best.plan == Plan::Serial { worth_leaving_serial } else { EQUAL_WITHIN };
        let least_ns = best.terms.total();
        let gain = |workers| candidate(workers).filter(|(_, t)| t.total() * margin < least_ns);
        let gained = match gain(step) {
            Some(_) if step > limits.workers => (before + 1..=limits.workers).rev().find_map(gain),
            gained => gained,
        };
        if let Some(gained) = gained {
            (best.plan, best.terms) = gained;
        }
        before = step;
    }
    if let Plan::Parallel { workers, chunk } = best.plan {
        best.limited_by = if n.div_ceil(chunk) <= workers && workers < limits.workers {
            Some(Bound::Items)
        } else if workers == limits.workers {
            Some(limits.bound)
        } else {
            None
        };
    }
    best
}

/// Whether two such items gain from a second worker, as [`decide`] would say if there were two.
pub(crate) fn fork_pays(branch: &LoopFacts, machine: &MachineFacts, hot: usize) -> bool {
    let serial_ns = 2.0 * branch.item_ns;
    let parallel_ns = || parallel_terms(2, 2, 1, branch, machine, hot).total();
    serial_ns > first_helper_ns(machine, hot)
        && serial_ns.is_finite()
        && parallel_ns() * worth_leaving_serial(serial_ns, machine) < serial_ns
}

/// How many times as long as a parallel plan a serial run has to take, to be left for it.
fn worth_leaving_serial(serial_ns: f64, machine: &MachineFacts) -> f64 {
    let starts = (machine.cold_spawn_ns + machine.cold_wake_ns) / serial_ns;
    WORTH_LEAVING_SERIAL + DOUBT_OF_A_START * starts.clamp(0.0, 1.0)
}

/// When the first helper can start.
fn first_helper_ns(machine: &MachineFacts, hot: usize) -> f64 {
    Start::of(1.0, hot as f64, machine).last
}

/// The worker counts worth comparing, up to the first that is not below the limit: all small ones, then steps of an eighth.
fn worker_steps(limit: usize) -> impl Iterator<Item = usize> {
    let next = move |&current: &usize| {
        (current < limit).then(|| current.saturating_add((current / 8).max(1)))
    };
    std::iter::successors((limit >= 2).then_some(2), next)
}

/// The chunk size that balances what chunks cost against the wait for the last one, when `hot` helpers are hot. The facts are
/// those of calls of `n` items.
///
/// With `c` items per chunk the cost is `A/c + B·c`, with `A = (claim + piece)·n/w`, and `B` the
/// growth of the tail per item. More pieces mean more reductions, by `G·ln(1/c)`. The sum is smallest where
/// `B·c² − G·c − A = 0`. Where items vary, the tail
/// also grows with `√c`; there `c = (2·A/D)^⅔` or `c = (2·G/D)²`, whichever is larger, with `D` the variation of a chunk of
/// one item, and the smaller of the two is taken.
pub(crate) fn best_chunk(
    n: usize,
    workers: usize,
    item: &LoopFacts,
    machine: &MachineFacts,
    hot: usize,
) -> usize {
    // What follows is a number for these, whatever the facts are.
    let (n, w) = (n.max(1), workers.max(1) as f64);
    let items = n as f64;
    let share = (w - 1.0) / w;
    let a = (machine.claim_ns + item.piece_ns).max(0.0) * items / w;
    let b = (UNEVEN * slowdown(w, item) + item.imbalance) * item.item_ns * share;
    let d = variation(1.0, w, item) * share;
    let g =
        (item.reduce_ns_of(items) * reductions_per_halving(w) / std::f64::consts::LN_2).max(0.0);
    let by_evenness = (g + (g * g + 4.0 * a * b).sqrt()) / (2.0 * b);
    let by_variation = (2.0 * a / d).powf(2.0 / 3.0).max((2.0 * g / d).powi(2));
    let by_variation = if d > 0.0 { by_variation } else { f64::INFINITY };
    let smallest = items / (w * MAX_CHUNKS_PER_WORKER);
    let largest = (items / w).ceil();
    // At least one chunk per worker, at most MAX_CHUNKS_PER_WORKER; `as` saturates and maps NaN to 0.
    let chunk = by_evenness.min(by_variation).clamp(smallest.min(largest), largest);
    // About as many chunks, but of equal size and a multiple of the workers.
    let per_worker = items / (chunk * w);
    let of = |per_worker: f64| chunk_of(n, (per_worker * w) as usize);
    let chunk = of(per_worker.ceil());
    let time_ns = |chunk| parallel_terms(n, workers, chunk, item, machine, hot).total();
    let faster = |chunk, than| if time_ns(chunk) < time_ns(than) { chunk } else { than };
    if (2..=FEW_ITEMS).contains(&chunk) {
        // Rounded up by so much that one item less may be better, with chunks left over.
        return faster(chunk - 1, chunk);
    }
    if (1.0..FEW_CHUNKS).contains(&per_worker) {
        // One for each worker less may be better.
        return faster(of(per_worker.floor()), chunk);
    }
    chunk
}

/// The size of so many chunks of `n` items, which are equal but for the last one.
pub(crate) fn chunk_of(n: usize, chunks: usize) -> usize {
    whole_lines(0, n.div_ceil(chunks.max(1)))
}

/// `len` items from `start` on, or a few more, so that what follows begins with a cache line if `start` does, whatever the
/// size of an item: code that takes several items at once from an array is up to a half slower where they lie
/// across lines. At most a 64th more, so that few items stay what they are.
pub(crate) fn whole_lines(start: usize, len: usize) -> usize {
    let step = match len / LINE_ITEMS {
        0 => return len,
        lines => 1 << lines.ilog2().min(LINE_ITEMS.ilog2()),
    };
    match start.checked_add(len).and_then(|end| end.checked_next_multiple_of(step)) {
        Some(end) => end - start,
        None => len,
    }
}

/// So many items of one byte are a cache line, and so many larger ones are several.
const LINE_ITEMS: usize = 64;

/// The smallest number of items from which [`decide`] chooses a parallel plan; `None` when there is
/// none up to 2⁴⁸ items.
pub fn break_even(
    item: &LoopFacts,
    machine: &MachineFacts,
    limits: &Limits,
    hot: usize,
) -> Option<usize> {
    let most = usize::try_from(1_u64 << 48).unwrap_or(usize::MAX);
    first_parallel(most, 0.0, item, machine, limits, hot)
}

/// [`break_even`], or up to a quarter more, if it is at most `most` items. Takes a microsecond, for where
/// it is needed at run time.
pub fn break_even_within(
    most: usize,
    item: &LoopFacts,
    machine: &MachineFacts,
    limits: &Limits,
    hot: usize,
) -> Option<usize> {
    // What helpers gain and what they cost grow alike with their number, so that if any pay, few do.
    let limits = Limits { workers: limits.workers.min(4), ..*limits };
    first_parallel(most, 0.05, item, machine, &limits, hot)
}

/// The smallest number of items up to `most`, or one larger by at most the fraction `tolerance`, for
/// which the cheapest plan is parallel.
fn first_parallel(
    most: usize,
    tolerance: f64,
    item: &LoopFacts,
    machine: &MachineFacts,
    limits: &Limits,
    hot: usize,
) -> Option<usize> {
    let parallel = |n: usize| decide(n, item, machine, limits, hot).plan != Plan::Serial;
    if most < 2 || !parallel(most) {
        return None;
    }
    // Below this a serial run ends before a helper starts, see `decide`.
    let never = item.items_in(first_helper_ns(machine, hot));
    let (mut below, mut above) = (never.clamp(1, most - 1), most);
    while above - below > 1 + (tolerance * below as f64) as usize {
        let middle = below + (above - below) / 2;
        if parallel(middle) {
            above = middle;
        } else {
            below = middle;
        }
    }
    Some(above)
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
