//! A run on its caller: all at once, or in parts between which the clock says whether a crew should take over.

use rayon::iter::plumbing::{Consumer, Reducer};

use crate::clock::{self, Instant};
use crate::collection;
use crate::machine;
use crate::model::{self, Plan};
use crate::observed::COLD_FOR_NS;
use crate::pieces::Pieces;
use crate::pool;
use crate::run::{Folded, FoldedBy, Open, OpenBy, Run, middle};
use crate::thresholds::{CHECKPOINT_FROM_NS, SURPRISE};
use crate::way::Context;

/// Serial blocks grow so that each takes this many times as long as all before it.
const BLOCK_GROWTH: f64 = 2.0;

/// And none has more than as many times the items of all before it, as those to come may be dearer than any of them, unless it
/// is expected to take less than this.
const UNGUARDED_NS: f64 = 10_000.0;

/// A block that takes less tells little: the clock itself makes up too much of it. The first one of a call has to take longer,
/// [`COLD_FOR_NS`].
const TELLING_NS: f64 = 1_500.0;
/// What the next block is to take after one that told little.
const NEXT_TRY_NS: f64 = 2.0 * TELLING_NS;
/// What an item is taken for that takes no time by the clock.
const UNMEASURABLE_NS: f64 = 1.0;

/// Runs on the caller, step by step as the pacer says, after what it has folded of the items before. Nothing is
/// run twice and no result is thrown away.
pub(crate) fn run_paced<P, C>(
    before: Option<OpenBy<P::Item, C>>,
    run: Run<P, C>,
    pacer: &mut Pacer,
) -> FoldedBy<P::Item, C>
where
    P: Pieces,
    C: Consumer<P::Item>,
{
    let before = match Open::unless_full(before) {
        Ok(before) => before,
        Err(full) => return Folded::Open(full),
    };
    match pacer.next(run.len) {
        Step::Fold => {
            let len = run.len;
            let folded = run.fold_onto(before, pacer.context.lengths, Open::of);
            pacer.done += len;
            folded
        }
        Step::Crew { workers, chunk } => pacer.context.run_parallel(before, run, workers, chunk).0,
        Step::Split(middle) => {
            let (left, right, reducer) = run.split_at(middle);
            let (left, before) = run_paced(before, left, pacer).resume();
            let right = run_paced(before, right, pacer);
            let Some(left) = left else { return right };
            right.after(left, reducer, |reducer, left, right| {
                let start = pacer.starts_reduction();
                let result = reducer.reduce(left, right);
                pacer.ends_reduction(start);
                result
            })
        }
    }
}

/// What to do with a run of items.
enum Step {
    Fold,
    Crew {
        workers: usize,
        chunk: usize,
    },
    /// Cut it, then go on with the left part, then with the right one.
    Split(usize),
}

/// Says how a run on the caller goes on: it looks at the clock between parts and hands the rest to a crew
/// as soon as the measured rate says that this pays.
pub(crate) struct Pacer {
    context: Context,
    pace: Pace,
    start: Instant,
    /// Items that the caller has folded.
    pub(crate) done: usize,
    /// How many of them at the last look at the clock, and after how many nanoseconds that was.
    looked: (usize, f64),
    /// The next run is a block: it is folded, come what may.
    in_block: bool,
    /// A crew has taken over.
    handed_over: bool,
    /// It would have, had helpers been hot.
    pub(crate) missed: bool,
    /// What it took is noted.
    pub(crate) learns: bool,
}

/// In what parts the caller runs.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// All at once; learns nothing.
    Serial,
    /// All at once.
    Timed,
    /// In blocks, the first one of `first` items.
    Blocks {
        /// The item time that the decision for a serial run was based on; zero if there was none.
        known_item_ns: f64,
        first: usize,
    },
    /// In the chunks, and with the reductions, that a crew would make of it.
    Chunks {
        /// Whether a crew may take over.
        decides: bool,
    },
}

impl Pacer {
    pub(crate) fn new(context: Context, pace: Pace) -> Self {
        let start = Instant::now();
        let (done, looked) = (0, (0, 0.0));
        let (in_block, handed_over, missed, learns) = (false, false, false, true);
        Pacer { context, pace, start, done, looked, in_block, handed_over, missed, learns }
    }

    pub(crate) fn serial(context: Context) -> Self {
        let deterministic = context.target.options().deterministic;
        let pace = if deterministic { Pace::Chunks { decides: false } } else { Pace::Serial };
        Pacer::new(context, pace)
    }

    fn elapsed_ns(&self) -> f64 {
        clock::ns(self.start.elapsed())
    }

    /// What to do with the next `len` items.
    fn next(&mut self, len: usize) -> Step {
        if std::mem::take(&mut self.in_block) {
            return Step::Fold;
        }
        match self.pace {
            Pace::Serial | Pace::Timed => Step::Fold,
            Pace::Blocks { known_item_ns, first } => self.next_block(len, known_item_ns, first),
            Pace::Chunks { decides } => self.next_chunks(len, decides),
        }
    }

    fn next_block(&mut self, len: usize, known_item_ns: f64, first: usize) -> Step {
        let block = if self.done == 0 {
            first
        } else {
            let elapsed_ns = self.elapsed_ns();
            // Of the last block, which is the longest: the first ones, of few items, tell what the call and the clock take.
            let (before, before_ns) = std::mem::replace(&mut self.looked, (self.done, elapsed_ns));
            let block_ns = elapsed_ns - before_ns;
            let item_ns = block_ns / (self.done - before) as f64;
            // A coarse clock may not have moved, which says little.
            let item_ns = if item_ns > 0.0 { item_ns } else { UNMEASURABLE_NS };
            let telling_ns = if before == 0 { COLD_FOR_NS } else { TELLING_NS };
            if item_ns <= known_item_ns * SURPRISE {
                len
            } else if block_ns < telling_ns {
                ((NEXT_TRY_NS / item_ns) as usize).max(1)
            } else if let Some(step) = self.hand_over(len, item_ns) {
                return step;
            } else {
                let items = (elapsed_ns * BLOCK_GROWTH).max(CHECKPOINT_FROM_NS) / item_ns;
                let most = (self.done as f64 * BLOCK_GROWTH).max(UNGUARDED_NS / item_ns);
                items.min(most) as usize
            }
        };
        let Context { limits, lengths, .. } = self.context;
        let block = model::whole_lines(self.done, block.max(lengths.min));
        if block >= len || len - block < lengths.min || limits.workers == 1 {
            return Step::Fold;
        }
        self.in_block = true;
        Step::Split(block)
    }

    fn next_chunks(&mut self, len: usize, decides: bool) -> Step {
        if decides {
            let known = match self.context.facts(len) {
                Some(facts) => Some(facts.item_ns),
                None if self.done == 0 => None,
                None => Some(self.elapsed_ns() / self.done as f64),
            };
            if let Some(step) = known.and_then(|item_ns| self.hand_over(len, item_ns)) {
                return step;
            }
        }
        let Context { limits, lengths, .. } = self.context;
        match middle(len, limits.max_chunk, lengths.min) {
            Some(middle) => Step::Split(middle),
            None => Step::Fold,
        }
    }

    /// A crew for `len` items of this cost, if it pays.
    fn hand_over(&mut self, len: usize, item_ns: f64) -> Option<Step> {
        let Context { target, limits, .. } = self.context;
        let facts = target.facts_with(self.context.units(len), item_ns);
        let machine = machine::facts_for(item_ns * len as f64);
        let hot = pool::helpers_counted_hot(&machine);
        let limits = target.limits_with(limits, len, &facts);
        let plan = model::decide(len, &facts, &machine, &limits, hot).plan;
        if plan == Plan::Serial {
            return None;
        }
        let (workers, chunk) = self.context.for_crew(len, plan, &facts)?;
        if self.done > 0 && !self.handed_over {
            self.context.observe(self.done, self.elapsed_ns());
        }
        self.handed_over = true;
        Some(Step::Crew { workers, chunk })
    }

    /// When a reduction starts, if a look at what it costs would tell something new.
    fn starts_reduction(&self) -> Option<Instant> {
        self.context.target.wonders_about_reductions().then(Instant::now)
    }

    fn ends_reduction(&self, start: Option<Instant>) {
        if let Some(start) = start {
            let Context { target, .. } = self.context;
            target.observe_reduction(self.context.units(self.done), clock::ns(start.elapsed()));
        }
    }

    /// Learns from a run that no crew took over.
    pub(crate) fn end(self) {
        match self.pace {
            Pace::Serial | Pace::Chunks { decides: false } => {}
            _ if self.handed_over || !self.learns => {}
            pace => {
                let (units, elapsed_ns) = (self.context.units(self.done), self.elapsed_ns());
                if self.missed {
                    pool::note_missed(elapsed_ns, &machine::facts());
                }
                self.tell_alone(units, elapsed_ns);
                if matches!(pace, Pace::Timed) {
                    self.context.target.observe_decided(units, elapsed_ns);
                } else {
                    self.context.target.observe(units, elapsed_ns);
                }
            }
        }
    }

    fn tell_alone(&self, units: usize, wall_ns: f64) {
        let target = self.context.target;
        collection::tell(target, wall_ns, move |wall_ns| target.observe_alone(units, wall_ns));
    }
}
