//! One call of a loop: the fast path, the decision, and the three ways to run.

use std::cell::Cell;
use std::thread::LocalKey;

use amorsize_profile::{LoopFacts, MachineFacts};
use rayon::iter::plumbing::{Consumer, Producer, ProducerCallback, bridge_producer_consumer};

use crate::clock::{self, Instant};
use crate::collection;
use crate::crew::{self, Account, Division};
use crate::force::{self, Force};
use crate::loops::Loop;
use crate::machine;
use crate::model::{self, Bound, Limits, Plan};
use crate::options::deterministic_chunk;
use crate::pacer::{Pace, Pacer, run_paced};
use crate::pieces::{AtOnce, Pieces, Stepwise};
use crate::pool::{self, Pool};
use crate::remembered;
use crate::rivals::Choice;
use crate::run::{FoldedBy, Lengths, OpenBy, Run, fold_at_once};
use crate::thresholds::{CHECKPOINT_FROM_NS, HOT};
use crate::tuned::Cost;

/// One call in this many that take the fast path is measured all the same, on average.
const SAMPLE_EVERY: u32 = 256;

/// Chunks per worker when the item time is not known.
const BLIND_CHUNKS_PER_WORKER: usize = 16;

/// A first call of up to so many items for each worker has a crew at once: to look at one of them alone, which may take long, would
/// be dear, and many others make up for that.
const FEW_PER_WORKER: usize = 4;

/// The share of a serial run that its checkpoint may cost.
const CHECKPOINT_SHARE: f64 = 0.01;

/// Folders of one worker in one call at most, and the share of the items' time that their reductions may take. Past so
/// many, what each collects is small enough.
const FOLDERS_PER_WORKER: usize = 8;
const REDUCTIONS_SHARE: f64 = 0.01;

/// What reductions may take in any case.
const NEXT_TO_NO_TIME_NS: f64 = 1_000.0;
/// One parallel call in this many, on average, times its reductions once they are known.
const TIME_EVERY: u32 = 16;

/// Calls that take less than this on their own are short: one that runs alone to see what that takes is not noticed.
const WORTH_A_LOOK_NS: f64 = 100_000.0;

/// Carries a consumer and its loop into `with_producer`.
pub(crate) struct Call<C, K> {
    pub(crate) consumer: C,
    /// How many items there are, or as many as a `usize` can count.
    pub(crate) len: usize,
    /// There are more than `len`. Only an early exit ends them: they are left to rayon, which folds all that
    /// the last piece has.
    pub(crate) overlong: bool,
    pub(crate) target: &'static Loop,
    /// Units of work per item.
    pub(crate) cost: K,
    /// The consumer's folders do not count items.
    pub(crate) open_ended: bool,
}

/// How many units of work `len` items of this cost are: none only where there are no items.
#[inline]
fn units(len: usize, cost: f64) -> usize {
    if cost == 1.0 { len } else { ((len as f64 * cost) as usize).max(len.min(1)) }
}

impl<T, C: Consumer<T>, K: Cost> ProducerCallback<T> for Call<C, K> {
    type Output = C::Result;

    #[inline]
    fn callback<P: Producer<Item = T>>(self, producer: P) -> C::Result {
        self.run(AtOnce(producer))
    }
}

/// A call whose pieces are folded in steps.
pub(crate) struct InSteps<C, K>(pub(crate) Call<C, K>);

impl<T, C: Consumer<T>, K: Cost> ProducerCallback<T> for InSteps<C, K> {
    type Output = C::Result;

    #[inline]
    fn callback<P: Producer<Item = T>>(self, producer: P) -> C::Result {
        let len = self.0.len;
        self.0.run(Stepwise { producer, len })
    }
}

impl<C, K: Cost> Call<C, K> {
    #[inline]
    pub(crate) fn run<P>(self, producer: P) -> C::Result
    where
        P: Pieces,
        C: Consumer<P::Item>,
    {
        let Call { consumer, len, overlong, target, cost, open_ended } = self;
        let cost = cost.per_item();
        let lengths = Lengths::of(&producer);
        let short = target.serial().is_untimed(units(len, cost)) && len <= lengths.max;
        if short && !sample_is_due() {
            return fold_at_once(producer, consumer);
        }
        let lengths = Lengths { open_ended: open_ended && len <= lengths.max, ..lengths };
        let run = Run { producer, consumer, len };
        run_on_long_path(target, run, lengths, cost, overlong)
    }
}

/// Runs a call that is not on the fast path.
#[inline(never)]
fn run_on_long_path<P, C>(
    target: &'static Loop,
    run: Run<P, C>,
    lengths: Lengths,
    cost: f64,
    overlong: bool,
) -> C::Result
where
    P: Pieces,
    C: Consumer<P::Item>,
{
    schedule_sample();
    let units = units(run.len, cost);
    if target.is_certain(units) {
        run_timed(target, run, lengths, units)
    } else if overlong {
        run_as_rayon(run)
    } else {
        decide_and_run(target, run, lengths, cost)
    }
}

thread_local! {
    /// Counts calls on the fast path, of whatever loop.
    static CALLS: Cell<u32> = const { Cell::new(SAMPLE_EVERY) };
}

/// Whether this call, which would take the fast path, is measured. If so, [`schedule_sample`] has to follow: done here, it
/// would cost all others two registers.
#[inline]
pub(crate) fn sample_is_due() -> bool {
    is_due(&CALLS, SAMPLE_EVERY)
}

/// Says which call is measured next, if this one is.
pub(crate) fn schedule_sample() {
    schedule(&CALLS, SAMPLE_EVERY);
}

/// Counts, up to a multiple of `2·every`, which is due. A thread that is ending has no counter any more, and nothing left to
/// learn. (To count down to zero is one instruction, but no faster.)
#[inline]
fn is_due(counter: &'static LocalKey<Cell<u32>>, every: u32) -> bool {
    let count = counter.try_with(|count| {
        count.set(count.get().wrapping_add(1));
        count.get()
    });
    count.is_ok_and(|count| count % (2 * every) == 0)
}

/// If one is due, lets the counter go on from anywhere before the next one: calls of several loops may come in an order that
/// repeats itself, and none of them is to be passed over for ever.
fn schedule(counter: &'static LocalKey<Cell<u32>>, every: u32) {
    let _ = counter.try_with(|count| {
        if count.get() % (2 * every) == 0 {
            count.set(random() % (2 * every));
        }
    });
}

/// Marsaglia's xorshift.
fn random() -> u32 {
    thread_local! {
        static STATE: Cell<u32> = const { Cell::new(1) };
    }
    let next = STATE.try_with(|state| {
        let mut x = state.get();
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        state.set(x);
        x
    });
    next.unwrap_or(1)
}

/// Runs so many units of work on the caller and learns from it if it took longer than known.
#[inline(never)]
pub(crate) fn run_timed<P, C>(
    target: &Loop,
    run: Run<P, C>,
    lengths: Lengths,
    units: usize,
) -> C::Result
where
    P: Pieces,
    C: Consumer<P::Item>,
{
    let start = Instant::now();
    let result = run.fold_within(lengths);
    let busy_ns = clock::ns(start.elapsed());
    let is_sample = target.serial().is_untimed(units);
    target.count_certain(units, if is_sample { SAMPLE_EVERY } else { 1 });
    if target.serial().is_missed(units) {
        pool::note_missed(busy_ns, &machine::facts());
    }
    target.observe_certain(units, busy_ns);
    result
}

#[inline(never)]
fn decide_and_run<P, C>(
    target: &'static Loop,
    run: Run<P, C>,
    lengths: Lengths,
    cost: f64,
) -> C::Result
where
    P: Pieces,
    C: Consumer<P::Item>,
{
    target.activate();
    // The first call of all has to get here; whatever the profile says is short needs no machine. It tells nothing of others:
    // its code and data are in no cache yet.
    if target.serial().is_untimed(units(run.len, cost)) {
        return run.fold_within(lengths);
    }
    if target.options().on_pool && rayon::current_thread_index().is_none() {
        let (mut run, mut result) = (Some(run), None);
        let mut decide = |run| decide_and_run(target, run, lengths, cost);
        pool::enter(&mut || result = run.take().map(&mut decide));
        return result.expect("the pool has run it");
    }
    #[cfg(feature = "record")]
    if let Some(recorder) = crate::record::recorder() {
        recorder.adopt_profile(target);
        return recorder.run(Context::new(target, run.len, lengths, cost), run);
    }
    let context = Context::new(target, run.len, lengths, cost);
    let way = match force::current() {
        Some(forced) => context.forced_way(run.len, forced),
        None => context.beside_others().with_few_pieces(run.len).planned_way(run.len),
    };
    context.go(run, way)
}

/// How a call is run.
pub(crate) enum Way {
    Rayon,
    Crew {
        workers: usize,
        chunk: usize,
    },
    /// The same, of items of which nothing is known: they may not be worth the helpers.
    Blind {
        workers: usize,
        chunk: usize,
    },
    /// On the caller, at least at first.
    Alone(Pacer),
}

/// What a call has to respect.
#[derive(Clone, Copy)]
pub(crate) struct Context {
    pub(crate) target: &'static Loop,
    /// Units of work per item.
    pub(crate) cost: f64,
    pub(crate) limits: Limits,
    /// What the user asks for, in serial runs too.
    pub(crate) lengths: Lengths,
}

impl Context {
    fn new(target: &'static Loop, len: usize, lengths: Lengths, cost: f64) -> Self {
        let mut limits = target.limits_by_cores();
        limits.min_chunk = lengths.min;
        // Rayon's rule where the two contradict each other.
        limits.max_chunk = lengths.max.max(lengths.min);
        let fixed = if target.options().deterministic {
            Some(deterministic_chunk(len))
        } else {
            target.options().chunk
        };
        if let Some(chunk) = fixed {
            let chunk = limits.clamp_chunk(chunk);
            (limits.min_chunk, limits.max_chunk) = (chunk, chunk);
        }
        // Where borders must repeat, so must reductions.
        let open_ended = lengths.open_ended && !target.options().deterministic;
        Context { target, cost, limits, lengths: Lengths { open_ended, ..lengths } }
    }

    /// The same, with the workers that other loops leave: an outer loop that fills the machine has its inner
    /// ones run where they are called.
    pub(crate) fn beside_others(self) -> Self {
        if self.target.options().io {
            return self;
        }
        Context { limits: self.limits.beside(pool::busy_helpers()), ..self }
    }

    /// The same, with no more pieces than workers where each may cost something and nobody has measured what.
    fn with_few_pieces(self, len: usize) -> Self {
        if !self.lengths.whole || self.target.profile().is_some() {
            return self;
        }
        let Limits { workers, min_chunk, max_chunk, .. } = self.limits;
        let min_chunk = len.div_ceil(workers).clamp(min_chunk, max_chunk);
        Context { limits: Limits { min_chunk, ..self.limits }, ..self }
    }

    /// How many units of work `len` items are.
    pub(crate) fn units(self, len: usize) -> usize {
        units(len, self.cost)
    }

    /// What is known of calls of `len` such items.
    pub(crate) fn facts(self, len: usize) -> Option<LoopFacts> {
        Some(self.target.facts(self.units(len))?.at_cost(self.cost))
    }

    pub(crate) fn observe(self, len: usize, busy_ns: f64) {
        self.target.observe(self.units(len), busy_ns);
    }

    fn forced_way(self, len: usize, force: Force) -> Way {
        match force {
            Force::Serial => Way::Alone(Pacer::serial(self)),
            Force::Rayon => Way::Rayon,
            Force::Workers { workers, chunk } => {
                let limits = Limits { workers, bound: Bound::Environment, ..self.limits };
                let workers = self.target.limit_by_pool(limits).workers;
                if workers < 2 {
                    return Way::Alone(Pacer::serial(self));
                }
                let chunk = chunk.unwrap_or_else(|| match self.facts(len) {
                    Some(facts) => {
                        model::best_chunk(len, workers, &facts, &machine::facts(), workers)
                    }
                    None => model::chunk_of(len, workers * BLIND_CHUNKS_PER_WORKER),
                });
                Way::Crew { workers, chunk: self.limits.clamp_chunk(chunk) }
            }
        }
    }

    /// The plan that the model chooses for what is known of the loop.
    pub(crate) fn planned_way(self, len: usize) -> Way {
        if self.target.options().deterministic {
            return Way::Alone(Pacer::new(self, Pace::Chunks { decides: true }));
        }
        let Some(facts) = self.facts(len).filter(|_| self.target.is_known()) else {
            let first = if self.lengths.whole { len.div_ceil(4) } else { 1 };
            let in_blocks = || Pacer::new(self, Pace::Blocks { known_item_ns: 0.0, first });
            return self.blind_way(len).unwrap_or_else(|| Way::Alone(in_blocks()));
        };
        let machine = machine::facts_for(len as f64 * facts.item_ns);
        let hot = self.target.helpers_counted_hot(self.units(len), &machine);
        let limits = self.target.limits_with(self.limits, len, &facts);
        let decision = remembered::decide(len, &facts, &machine, &limits, hot);
        // A long run learns soon whether the items are as cheap as they are said to be, unless putting
        // its two parts together costs more than that is worth.
        let checked = (self.lengths.open_ended && !self.lengths.whole)
            || decision.serial_ns * CHECKPOINT_SHARE
                > facts.piece_ns + facts.reduce_ns_of(len as f64);
        let first = if checked { len / 4 } else { len };
        let watched = || Pacer::new(self, Pace::Blocks { known_item_ns: facts.item_ns, first });
        if decision.plan != Plan::Serial {
            let is_short = decision.serial_ns < WORTH_A_LOOK_NS;
            return match self.target.choose(self.units(len), is_short) {
                Choice::Look { is_kept } => {
                    let mut pacer = watched();
                    pacer.learns = is_kept;
                    Way::Alone(pacer)
                }
                Choice::Alone => Way::Alone(Pacer::new(self, Pace::Timed)),
                Choice::Crew => match self.for_crew(len, decision.plan, &facts) {
                    Some((workers, chunk)) => Way::Crew { workers, chunk },
                    None => Way::Alone(Pacer::serial(self)),
                },
            };
        }
        if let Some(way) = self.tried_way(len, &facts, &machine, &limits) {
            return way;
        }
        let mut pacer = if decision.serial_ns < CHECKPOINT_FROM_NS {
            Pacer::new(self, Pace::Timed)
        } else {
            watched()
        };
        let decide_when_hot = || remembered::decide(len, &facts, &machine, &limits, HOT);
        pacer.missed = hot == 0 && decide_when_hot().plan != Plan::Serial;
        Way::Alone(pacer)
    }

    /// A crew for the first call of a loop that was never seen, if it has few items.
    fn blind_way(self, len: usize) -> Option<Way> {
        let most = self.limits.workers.saturating_mul(FEW_PER_WORKER);
        let is_first = self.target.facts(self.units(len)).is_none() && !self.target.was_short();
        if !is_first || self.lengths.whole || !(2..=most).contains(&len) {
            return None;
        }
        let limits = self.target.limits_of_crew(self.limits);
        let limits = limits.with_chunk(self.target.options().fixed_chunk(len, None));
        let chunk = limits.clamp_chunk(1);
        let workers = limits.workers.min(len.div_ceil(chunk));
        (workers > 1).then_some(Way::Blind { workers, chunk })
    }

    /// A crew for a call that only losses keep from one, if it is time to try whether there are any.
    fn tried_way(
        self,
        len: usize,
        facts: &LoopFacts,
        machine: &MachineFacts,
        limits: &Limits,
    ) -> Option<Way> {
        let units = self.units(len);
        let is_short = len as f64 * facts.item_ns < WORTH_A_LOOK_NS;
        let at_best = self.target.facts_at_best(units, *facts, is_short)?;
        if !self.target.tries_crew(units, is_short) {
            return None;
        }
        // Where there are no helpers, nobody comes to a trial, and that is the end of it.
        let decision = remembered::decide(len, &at_best, machine, limits, HOT);
        let (workers, chunk) = self.for_crew(len, decision.plan, &at_best)?;
        Some(Way::Crew { workers, chunk })
    }

    /// Workers and chunk of a plan that the cores allow, unless the pool, other work on the machine or the memory
    /// ask for fewer workers and so for another plan; `None` for serial. Only now are they looked at: most calls
    /// are not worth it.
    pub(crate) fn for_crew(
        self,
        len: usize,
        plan: Plan,
        facts: &LoopFacts,
    ) -> Option<(usize, usize)> {
        let limits = self.target.limits_of_crew(self.limits);
        let limits = self.target.limits_with(limits, len, facts);
        let plan = match plan {
            Plan::Parallel { workers, .. } if workers > limits.workers => {
                let machine = machine::facts();
                let hot = pool::helpers_counted_hot(&machine);
                model::decide(len, facts, &machine, &limits, hot).plan
            }
            plan => plan,
        };
        match plan {
            Plan::Serial => None,
            Plan::Parallel { workers, chunk } => Some((workers, chunk)),
        }
    }

    /// Runs all of `run`.
    pub(crate) fn go<P, C>(self, run: Run<P, C>, way: Way) -> C::Result
    where
        P: Pieces,
        C: Consumer<P::Item>,
    {
        match way {
            Way::Rayon => run_as_rayon(run),
            Way::Crew { workers, chunk } => {
                let units = self.units(run.len);
                let (folded, account) = self.run_parallel(None, run, workers, chunk);
                // What is forced says nothing about plans, nor does a call to which nobody came in time: a few of them are
                // the price of hot helpers.
                if force::current().is_none() && account.helpers > 0 {
                    let (target, wall_ns) = (self.target, account.wall_ns() as f64);
                    collection::tell(target, wall_ns, move |ns| target.observe_crew(units, ns));
                }
                folded.close()
            }
            Way::Blind { workers, chunk } => {
                let division = Division { sparing: true, ..self.division(run.len, workers, chunk) };
                self.run_divided(None, run, division).0.close()
            }
            Way::Alone(mut pacer) => {
                let result = run_paced(None, run, &mut pacer).close();
                pacer.end();
                result
            }
        }
    }

    /// Runs on a crew, after what the caller has folded of the items before, and learns from it.
    pub(crate) fn run_parallel<P, C>(
        self,
        before: Option<OpenBy<P::Item, C>>,
        run: Run<P, C>,
        workers: usize,
        chunk: usize,
    ) -> (FoldedBy<P::Item, C>, Account)
    where
        P: Pieces,
        C: Consumer<P::Item>,
    {
        let division = self.division(run.len, workers, chunk);
        self.run_divided(before, run, division)
    }

    fn division(self, len: usize, workers: usize, chunk: usize) -> Division {
        let work_ns = self.facts(len).map(|facts| len as f64 * facts.item_ns);
        let reduce_ns = self.target.known_reduce_ns(self.units(len));
        Division {
            workers,
            shares: self.shares(workers, work_ns, reduce_ns),
            chunk,
            lengths: self.lengths,
            folder_items: folder_items(len, workers, work_ns, reduce_ns),
            patient: self.target.options().io,
            timed: times_reductions(reduce_ns),
            sparing: false,
        }
    }

    fn run_divided<P, C>(
        self,
        before: Option<OpenBy<P::Item, C>>,
        run: Run<P, C>,
        division: Division,
    ) -> (FoldedBy<P::Item, C>, Account)
    where
        P: Pieces,
        C: Consumer<P::Item>,
    {
        let (len, io) = (run.len, self.target.options().io);
        // To put parts together is computing, whatever the items do.
        if !io {
            collection::note_crew(self.target, division.workers);
        }
        let pool = if io { Pool::Io } else { Pool::Rayon };
        let (folded, account) = crew::fold(before, run, division, &pool);
        self.learn(len, division, &pool, account);
        (folded, account)
    }

    /// Into how many shares a run is cut: one for each worker if the caller can reduce that many results in next to no time.
    fn shares(self, workers: usize, work_ns: Option<f64>, reduce_ns: Option<f64>) -> usize {
        // The same tree for any number of workers.
        if self.target.options().deterministic {
            return 2;
        }
        let Some(work_ns) = work_ns else { return 2 };
        let Some(reduce_ns) = reduce_ns else { return workers };
        let call_ns = work_ns / workers as f64;
        let affordable = (NEXT_TO_NO_TIME_NS + REDUCTIONS_SHARE * call_ns) / reduce_ns;
        (affordable as usize).saturating_add(1).clamp(2, workers.max(2))
    }

    fn learn(self, len: usize, division: Division, pool: &Pool, account: Account) {
        let Division { workers, timed, .. } = division;
        let Account { shift, end_ns, .. } = account;
        if matches!(pool, Pool::Rayon) {
            pool::note_use(end_ns, workers - 1);
        }
        if let Some(reduce_ns) = shift.reduce_ns().filter(|_| timed) {
            self.target.observe_reduction(self.units(len), reduce_ns);
        }
        let reducing_ns = if timed {
            shift.reducing_ns as f64
        } else {
            let reduce_ns = self.target.known_reduce_ns(self.units(len));
            shift.reductions as f64 * reduce_ns.unwrap_or(0.0)
        };
        let items_ns = (shift.busy_ns as f64 - reducing_ns).max(0.0);
        self.observe(len, items_ns / self.target.slowdown(self.units(len), workers));
    }

    /// Runs on the caller, for measurements.
    #[cfg(feature = "record")]
    pub(crate) fn run_serial<P, C>(
        self,
        before: Option<OpenBy<P::Item, C>>,
        run: Run<P, C>,
    ) -> FoldedBy<P::Item, C>
    where
        P: Pieces,
        C: Consumer<P::Item>,
    {
        run_paced(before, run, &mut Pacer::serial(self))
    }
}

/// How many items one folder is led through: as many folders are made as their reductions take next to no time.
fn folder_items(len: usize, workers: usize, work_ns: Option<f64>, reduce_ns: Option<f64>) -> usize {
    let (Some(work_ns), Some(reduce_ns)) = (work_ns, reduce_ns) else { return usize::MAX };
    let affordable = (REDUCTIONS_SHARE * work_ns / reduce_ns) as usize;
    let folders = affordable.min(workers * FOLDERS_PER_WORKER);
    if folders <= workers { usize::MAX } else { len.div_ceil(folders) }
}

/// Whether a call times its reductions: as long as nobody knows what they take, and then from time to time.
fn times_reductions(reduce_ns: Option<f64>) -> bool {
    thread_local! {
        static CALLS: Cell<u32> = const { Cell::new(TIME_EVERY) };
    }
    if cfg!(feature = "record") || reduce_ns.is_none() {
        return true;
    }
    let is_due = is_due(&CALLS, TIME_EVERY);
    schedule(&CALLS, TIME_EVERY);
    is_due
}

/// Runs as rayon would without us. Not inlined, so that it does not keep what calls it from being.
pub(crate) fn run_as_rayon<P, C>(run: Run<P, C>) -> C::Result
where
    P: Pieces,
    C: Consumer<P::Item>,
{
    bridge_producer_consumer(run.len, run.producer, run.consumer)
}

/// The smallest piece that rayon should cut of `len` items where it runs the loop itself; `None` when
/// nothing is known of the loop and any number of its items fits into the memory.
pub(crate) fn smallest_piece(target: &'static Loop, len: usize, cost: f64) -> Option<usize> {
    target.activate();
    if force::current().is_some() {
        return None;
    }
    let planned = target.facts(units(len, cost)).map(|facts| {
        let (machine, limits) = (machine::facts(), target.limit_by_pool(target.limits_by_cores()));
        let hot = pool::helpers_counted_hot(&machine);
        match model::decide(len, &facts.at_cost(cost), &machine, &limits, hot).plan {
            Plan::Serial => len,
            Plan::Parallel { chunk, .. } => chunk,
        }
    });
    planned.max(smallest_piece_in_memory(target, len))
}

/// The smallest piece with which no more pieces of `len` items are cut than fit into the memory: rayon may
/// run all of them at the same time. `None` where there is room for an item on each of its threads.
pub(crate) fn smallest_piece_in_memory(target: &Loop, len: usize) -> Option<usize> {
    let limits = target.limit_by_memory(Limits::cores(pool::threads()));
    matches!(limits.bound, Bound::Memory { .. }).then(|| len.div_ceil(limits.workers))
}

#[cfg(all(test, not(loom)))]
#[path = "drive_tests.rs"]
mod tests;
