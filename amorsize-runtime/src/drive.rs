//! One call of a loop: the fast path, and the ways that the others run (`way.rs` decides which).

use rayon::iter::plumbing::{Consumer, Producer, ProducerCallback, bridge_producer_consumer};

use crate::clock::{self, Instant};
use crate::collection;
use crate::crew::{self, Account, Division};
use crate::force;
use crate::loops::Loop;
use crate::machine;
use crate::model::{self, Bound, Limits, Plan};
use crate::pacer::run_paced;
use crate::pieces::{AtOnce, Pieces, Stepwise};
use crate::pool::{self, Pool};
use crate::run::{FoldedBy, Lengths, OpenBy, Run, fold_at_once};
use crate::sampling::{self, SAMPLE_EVERY};
use crate::tuned::Cost;
use crate::way::{Context, Way, units};

/// Folders of one worker in one call at most, and the share of the items' time that their reductions may take. Past so
/// many, what each collects is small enough.
const FOLDERS_PER_WORKER: usize = 8;
const REDUCTIONS_SHARE: f64 = 0.01;

/// What reductions may take in any case.
const NEXT_TO_NO_TIME_NS: f64 = 1_000.0;

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
        if short && !sampling::call_is_due() {
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
    sampling::schedule_call();
    let units = units(run.len, cost);
    if target.is_certain(units) {
        run_timed(target, run, lengths, units)
    } else if overlong {
        run_as_rayon(run)
    } else {
        decide_and_run(target, run, lengths, cost)
    }
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
    if target.options().on_pool && pool::is_outside() {
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

impl Context {
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
            timed: sampling::reductions_are_due(reduce_ns),
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
        run_paced(before, run, &mut crate::pacer::Pacer::serial(self))
    }
}

/// How many items one folder is led through: as many folders are made as their reductions take next to no time.
fn folder_items(len: usize, workers: usize, work_ns: Option<f64>, reduce_ns: Option<f64>) -> usize {
    let (Some(work_ns), Some(reduce_ns)) = (work_ns, reduce_ns) else { return usize::MAX };
    let affordable = (REDUCTIONS_SHARE * work_ns / reduce_ns) as usize;
    let folders = affordable.min(workers * FOLDERS_PER_WORKER);
    if folders <= workers { usize::MAX } else { len.div_ceil(folders) }
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
