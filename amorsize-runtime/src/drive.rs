//! One call of a loop: the fast path, the decision, and the three ways to run.

use std::cell::Cell;
use std::time::Instant;

use amorsize_profile::LoopFacts;
use rayon::iter::plumbing::{
    Consumer, Producer, ProducerCallback, Reducer, bridge_producer_consumer,
};

use crate::crew::{self, Division, Run};
use crate::force::{self, Force};
use crate::loops::{CHECKPOINT_FROM_NS, Loop, SURPRISE, deterministic_chunk};
use crate::machine;
use crate::model::{self, Bound, Limits, Plan};
use crate::pool::{self, Pool};

/// One call in this many that take the fast path is measured all the same.
const SAMPLE_EVERY: u32 = 256;

/// Chunks per worker when the item time is not known.
const BLIND_CHUNKS_PER_WORKER: usize = 16;

/// Serial blocks grow so that each takes this many times as long as all before it.
const BLOCK_GROWTH: f64 = 2.0;

/// The share of a serial run that its checkpoint may cost.
const CHECKPOINT_SHARE: f64 = 0.01;

/// Until a never-seen loop has run for so long, the clock itself makes up too much of its items' time to
/// decide anything.
const WORTH_DECIDING_NS: f64 = 1_500.0;

/// Carries a consumer and its loop into `with_producer`.
pub(crate) struct Call<C> {
    pub(crate) consumer: C,
    pub(crate) len: usize,
    pub(crate) target: &'static Loop,
}

impl<T, C: Consumer<T>> ProducerCallback<T> for Call<C> {
    type Output = C::Result;

    #[inline]
    fn callback<P: Producer<Item = T>>(self, producer: P) -> C::Result {
        let run = Run { producer, consumer: self.consumer, len: self.len };
        let serial = self.target.serial();
        let short = serial.is_untimed(run.len) && run.len <= run.producer.max_len();
        if short && !sample_is_due() {
            return run.fold();
        }
        if serial.is_certain(run.len) {
            return run_timed(self.target, run);
        }
        decide_and_run(self.target, run)
    }
}

#[inline]
fn sample_is_due() -> bool {
    thread_local! {
        static CALLS: Cell<u32> = const { Cell::new(0) };
    }
    // A thread that is ending has no counter any more, and nothing left to learn.
    CALLS
        .try_with(|calls| {
            calls.set(calls.get().wrapping_add(1));
            calls.get() % SAMPLE_EVERY == 0
        })
        .unwrap_or(false)
}

/// Runs on the caller and learns from it if it took longer than known.
#[inline(never)]
pub(crate) fn run_timed<P, C>(target: &Loop, run: Run<P, C>) -> C::Result
where
    P: Producer,
    C: Consumer<P::Item>,
{
    let (len, max_len) = (run.len, run.producer.max_len());
    let start = Instant::now();
    let result = run.fold_within(max_len);
    target.observe_serial(len, start.elapsed().as_nanos() as f64);
    result
}

#[inline(never)]
fn decide_and_run<P, C>(target: &'static Loop, run: Run<P, C>) -> C::Result
where
    P: Producer,
    C: Consumer<P::Item>,
{
    target.activate();
    if target.options().on_pool && rayon::current_thread_index().is_none() {
        return rayon::scope(|_| decide_and_run(target, run));
    }
    let context = Context::new(target, &run.producer, run.len);
    #[cfg(feature = "record")]
    if let Some(recorder) = crate::record::recorder() {
        return recorder.run(context, run);
    }
    match force::current() {
        Some(forced) => context.run_forced(run, forced),
        None => context.run_planned(run),
    }
}

/// What a call has to respect.
#[derive(Clone, Copy)]
pub(crate) struct Context {
    pub(crate) target: &'static Loop,
    pub(crate) limits: Limits,
    /// Most items under one folder, as the user's `with_max_len` asks, in serial runs too.
    max_len: usize,
}

impl Context {
    fn new(target: &'static Loop, producer: &impl Producer, len: usize) -> Self {
        let mut limits = target.limits_by_cores();
        limits.min_chunk = producer.min_len().max(1);
        // Rayon's rule where the two contradict each other.
        limits.max_chunk = producer.max_len().max(limits.min_chunk);
        let max_len = limits.max_chunk;
        let fixed = if target.options().deterministic {
            Some(deterministic_chunk(len))
        } else {
            target.options().chunk
        };
        if let Some(chunk) = fixed {
            let chunk = limits.clamp_chunk(chunk);
            (limits.min_chunk, limits.max_chunk) = (chunk, chunk);
        }
        Context { target, limits, max_len }
    }

    fn run_forced<P, C>(self, run: Run<P, C>, force: Force) -> C::Result
    where
        P: Producer,
        C: Consumer<P::Item>,
    {
        match force {
            Force::Serial => self.run_serial(run),
            Force::Rayon => run_as_rayon(run),
            Force::Workers { workers, chunk } => {
                let limits = Limits { workers, bound: Bound::Environment, ..self.limits };
                let workers = self.target.limit_by_pool(limits).workers;
                let chunk = chunk.unwrap_or_else(|| match self.target.facts(run.len) {
                    Some(facts) => model::best_chunk(run.len, workers, &facts, &machine::facts()),
                    None => run.len.div_ceil(workers * BLIND_CHUNKS_PER_WORKER),
                });
                self.run_parallel(run, workers, self.limits.clamp_chunk(chunk))
            }
        }
    }

    /// Runs the plan that the model chooses for what is known of the loop.
    pub(crate) fn run_planned<P, C>(self, run: Run<P, C>) -> C::Result
    where
        P: Producer,
        C: Consumer<P::Item>,
    {
        if self.target.options().deterministic {
            return self.run_in_order(run, Instant::now(), &mut 0);
        }
        let Some(facts) = self.target.facts(run.len) else {
            return Paced::start(self, 0.0).run(run, 1);
        };
        let machine = machine::facts_for(run.len as f64 * facts.item_ns);
        let hot = pool::helpers_counted_hot(&machine);
        let limits = self.target.limits_with(self.limits, run.len, &facts);
        let decision = model::decide(run.len, &facts, &machine, &limits, hot);
        match decision.plan {
            Plan::Serial => {
                if decision.serial_ns < CHECKPOINT_FROM_NS {
                    return run_timed(self.target, run);
                }
                // A long run learns soon whether the items are as cheap as they are said to be, unless
                // putting its two parts together costs more than that is worth.
                let checked = decision.serial_ns * CHECKPOINT_SHARE > facts.reduce_ns;
                let first = if checked { run.len / 4 } else { run.len };
                Paced::start(self, facts.item_ns).run(run, first)
            }
            plan => self.run_in_pool(run, plan, &facts),
        }
    }

    /// Runs a plan that the cores allow, unless the pool is smaller and asks for another one.
    fn run_in_pool<P, C>(self, run: Run<P, C>, plan: Plan, facts: &LoopFacts) -> C::Result
    where
        P: Producer,
        C: Consumer<P::Item>,
    {
        let limits = self.target.limit_by_pool(self.limits);
        let limits = self.target.limits_with(limits, run.len, facts);
        let plan = match plan {
            Plan::Parallel { workers, .. } if workers > limits.workers => {
                let machine = machine::facts();
                let hot = pool::helpers_counted_hot(&machine);
                model::decide(run.len, facts, &machine, &limits, hot).plan
            }
            plan => plan,
        };
        match plan {
            Plan::Serial => self.run_serial(run),
            Plan::Parallel { workers, chunk } => self.run_parallel(run, workers, chunk),
        }
    }

    /// Runs on a crew and learns from it.
    pub(crate) fn run_parallel<P, C>(
        self,
        run: Run<P, C>,
        workers: usize,
        chunk: usize,
    ) -> C::Result
    where
        P: Producer,
        C: Consumer<P::Item>,
    {
        let len = run.len;
        let division = Division { workers, chunk, max_len: self.max_len };
        let io = self.target.options().io;
        let pool = if io { Pool::Io } else { Pool::Rayon };
        let (result, shift) = crew::fold(run, division, &pool);
        if !io {
            pool::note_use(workers - 1);
        }
        if shift.reductions > 0 {
            self.target.observe_reduction(shift.reducing_ns as f64 / shift.reductions as f64);
        }
        self.target.observe(len, shift.busy_ns as f64 / self.target.slowdown(workers));
        result
    }

    /// Runs on the caller.
    pub(crate) fn run_serial<P, C>(self, run: Run<P, C>) -> C::Result
    where
        P: Producer,
        C: Consumer<P::Item>,
    {
        if self.target.options().deterministic {
            return run.fold_in_chunks(self.limits.max_chunk, self.max_len);
        }
        run.fold_within(self.max_len)
    }

    /// Runs a deterministic loop: in the chunks, and with the reductions, that a crew would make of it.
    /// Before each part but the first, decides whether a crew takes that part over. `done` counts
    /// items that ran since `start`.
    fn run_in_order<P, C>(self, run: Run<P, C>, start: Instant, done: &mut usize) -> C::Result
    where
        P: Producer,
        C: Consumer<P::Item>,
    {
        let facts = match self.target.facts(run.len) {
            Some(facts) => Some(facts),
            None if *done == 0 => None,
            None => {
                let elapsed_ns = start.elapsed().as_nanos() as f64;
                Some(self.target.facts_with(elapsed_ns / *done as f64))
            }
        };
        if let Some(facts) = facts {
            let machine = machine::facts_for(run.len as f64 * facts.item_ns);
            let hot = pool::helpers_counted_hot(&machine);
            let plan = model::decide(run.len, &facts, &machine, &self.limits, hot).plan;
            if plan != Plan::Serial {
                return self.run_in_pool(run, plan, &facts);
            }
        }
        let Some(middle) = crew::middle(run.len, self.limits.max_chunk) else {
            *done += run.len;
            return run.fold_within(self.max_len);
        };
        let (left, right, reducer) = run.split_at(middle);
        let left = self.run_in_order(left, start, done);
        reducer.reduce(left, self.run_in_order(right, start, done))
    }
}

/// Runs as rayon would without us.
pub(crate) fn run_as_rayon<P, C>(run: Run<P, C>) -> C::Result
where
    P: Producer,
    C: Consumer<P::Item>,
{
    bridge_producer_consumer(run.len, run.producer, run.consumer)
}

/// The smallest piece that rayon should cut of `len` items where it runs the loop itself; `None` when
/// nothing is known of the loop.
pub(crate) fn smallest_piece(target: &'static Loop, len: usize) -> Option<usize> {
    target.activate();
    if force::current().is_some() {
        return None;
    }
    let facts = target.facts(len)?;
    let (machine, limits) = (machine::facts(), target.limits_by_cores());
    let hot = pool::helpers_counted_hot(&machine);
    match model::decide(len, &facts, &machine, &limits, hot).plan {
        Plan::Serial => Some(len),
        Plan::Parallel { chunk, .. } => Some(chunk),
    }
}

/// A serial run that looks at the clock between blocks, and hands the rest to a crew as soon as the
/// measured rate says that this pays. Nothing is run twice and no result is thrown away.
struct Paced {
    context: Context,
    /// The item time that the decision for a serial run was based on; zero if there was none.
    known_item_ns: f64,
    start: Instant,
    done: usize,
}

impl Paced {
    fn start(context: Context, known_item_ns: f64) -> Self {
        Paced { context, known_item_ns, start: Instant::now(), done: 0 }
    }

    /// Runs `block` items, then decides about the rest.
    fn run<P, C>(mut self, run: Run<P, C>, block: usize) -> C::Result
    where
        P: Producer,
        C: Consumer<P::Item>,
    {
        let Context { target, limits, max_len } = self.context;
        if block >= run.len || limits.workers == 1 {
            let len = self.done + run.len;
            let result = run.fold_within(max_len);
            target.observe(len, self.start.elapsed().as_nanos() as f64);
            return result;
        }
        let (block, rest, reducer) = run.split_at(block.max(1));
        self.done += block.len;
        let left = block.fold_within(max_len);
        let elapsed_ns = self.start.elapsed().as_nanos() as f64;
        let item_ns = elapsed_ns / self.done as f64;
        if elapsed_ns < WORTH_DECIDING_NS {
            let next = (WORTH_DECIDING_NS / item_ns) as usize;
            let right = self.run(rest, next);
            return reduce(target, reducer, left, right);
        }
        if item_ns <= self.known_item_ns * SURPRISE {
            let len = rest.len;
            let right = self.run(rest, len);
            return reduce(target, reducer, left, right);
        }
        let facts = target.facts_with(item_ns);
        let machine = machine::facts_for(item_ns * rest.len as f64);
        let hot = pool::helpers_counted_hot(&machine);
        let right = match model::decide(rest.len, &facts, &machine, &limits, hot).plan {
            Plan::Serial => {
                let block_ns = (elapsed_ns * BLOCK_GROWTH).max(CHECKPOINT_FROM_NS);
                self.run(rest, (block_ns / item_ns) as usize)
            }
            plan => {
                target.observe(self.done, elapsed_ns);
                self.context.run_in_pool(rest, plan, &facts)
            }
        };
        reduce(target, reducer, left, right)
    }
}

/// Puts two results together, and looks at what that costs if nothing is known of it.
fn reduce<R>(target: &Loop, reducer: impl Reducer<R>, left: R, right: R) -> R {
    if !target.wonders_about_reductions() {
        return reducer.reduce(left, right);
    }
    let start = Instant::now();
    let result = reducer.reduce(left, right);
    target.observe_reduction(start.elapsed().as_nanos() as f64);
    result
}
