//! Serial runs in timed blocks, for the distribution of item times.

use std::time::{Duration, Instant};

use amorsize_profile::{Setting, Usage};
use rayon::iter::plumbing::{Consumer, Reducer};

use super::Seen;
use super::memory::{Taken, Watch, Watched};
use super::meter::{Meter, note_handed_over};
use crate::allocator::{Window, is_installed};
use crate::model;
use crate::pieces::Pieces;
use crate::run::{FoldedBy, OpenBy, Run};
use crate::way::Context;

/// Blocks of a serial run of known length.
const BLOCKS: usize = 8;
/// Items whose total time is below this are not worth blocks of their own.
const SHORTEST: Duration = Duration::from_micros(2);
/// A loop that is called for the first time runs serially for so long; then the rest goes parallel.
const PATIENCE: Duration = Duration::from_millis(100);
/// Items from which on each is watched by itself: that takes some nanoseconds. Shorter ones are watched block by
/// block.
const WATCHED_NS: u64 = 2_000;
/// Chunks per worker of that rest.
const CHUNKS_PER_WORKER: usize = 16;

/// The blocks of one call.
#[derive(Debug)]
pub(super) struct Blocks {
    /// Items and time of each.
    blocks: Vec<(usize, Duration)>,
    next: usize,
    /// How blocks grow.
    growth: usize,
    /// The memory that the items took.
    taken: Taken,
    /// The part of the call that was not run serially.
    pub(super) handed_over: Option<HandedOver>,
    /// Runs until the last block has ended.
    meter: Option<Meter>,
    usage: Option<Usage>,
}

/// The rest of a long first call.
#[derive(Clone, Copy, Debug)]
pub(super) struct HandedOver {
    pub(super) items: u64,
    pub(super) setting: Setting,
    pub(super) wall_ns: u64,
    pub(super) seen: Seen,
}

impl Blocks {
    /// A few blocks of the same length.
    pub(super) fn equal(len: usize) -> Self {
        Blocks::new(len.div_ceil(BLOCKS), 1)
    }

    /// Blocks that double, for a call of which nothing is known.
    pub(super) fn growing() -> Self {
        Blocks::new(1, 2)
    }

    fn new(next: usize, growth: usize) -> Self {
        Blocks {
            blocks: Vec::new(),
            next,
            growth,
            taken: Taken::default(),
            handed_over: None,
            meter: None,
            usage: None,
        }
    }

    /// What a worker has in use at its peak, as far as the tracking allocator tells.
    pub(super) fn task_bytes(&self) -> Option<u64> {
        self.taken.task_bytes()
    }

    /// Watches how the caller spends its time, from now to the end of the last block.
    pub(super) fn watch(&mut self) {
        self.meter = Meter::start();
    }

    fn end_watch(&mut self) {
        self.usage = self.meter.take().and_then(Meter::stop);
    }

    /// What these blocks tell beyond their time.
    pub(super) fn seen(&self) -> Seen {
        Seen { item_sd_ns: self.item_sd_ns(), usage: self.usage, ..Seen::default() }
    }

    pub(super) fn items(&self) -> usize {
        self.blocks.iter().map(|&(items, _)| items).sum()
    }

    fn total(&self) -> Duration {
        self.blocks.iter().map(|&(_, time)| time).sum()
    }

    pub(super) fn total_ns(&self) -> u64 {
        self.total().as_nanos() as u64
    }

    /// The standard deviation of one item's time, estimated from blocks of equal length: the mean of
    /// `m` items varies with `1/√m` of an item's deviation. Items that get dearer or cheaper along the way are
    /// no variation: what counts is how far a block is from its neighbours' mean, `√(3/2)` of a deviation. The
    /// estimate is the median of these (times 1.4826, as for a normal distribution), so that a block during
    /// which the system did something else counts little. `None` with fewer than five such blocks, or when
    /// they are too short to be told apart.
    fn item_sd_ns(&self) -> Option<f64> {
        let equal = &self.blocks[..self.blocks.len().saturating_sub(1)];
        let &(items, _) = equal.first()?;
        let too_short = self.total() < SHORTEST * self.blocks.len() as u32;
        if equal.len() < 4 || too_short || equal.iter().any(|block| block.0 != items) {
            return None;
        }
        let means: Vec<f64> =
            equal.iter().map(|(_, time)| time.as_nanos() as f64 / items as f64).collect();
        let apart = means.windows(3).map(|near| (near[1] - (near[0] + near[2]) / 2.0).abs());
        let deviation = median(apart.collect()) / 1.5_f64.sqrt();
        Some(1.4826 * deviation * (items as f64).sqrt())
    }

    /// Runs all of `run` in blocks.
    pub(super) fn run<P, C>(&mut self, context: Context, run: Run<P, C>) -> FoldedBy<P::Item, C>
    where
        P: Pieces,
        C: Consumer<P::Item>,
    {
        if context.lengths.whole || context.target.options().deterministic {
            self.next = run.len;
        }
        let folded = self.run_blocks(context, None, run, None);
        self.end_watch();
        folded
    }

    /// Runs `run` in blocks, or only its start if it takes long and others could help, and watches.
    pub(super) fn run_first<P, C>(
        &mut self,
        context: Context,
        run: Run<P, C>,
    ) -> FoldedBy<P::Item, C>
    where
        P: Pieces,
        C: Consumer<P::Item>,
    {
        let workers = context.target.limits_of_crew(context.limits).workers;
        // Blocks would be reduced in another order, and so would a rest that goes parallel after a while.
        if context.target.options().deterministic {
            self.next = run.len;
        }
        self.watch();
        let folded = self.run_blocks(context, None, run, (workers > 1).then_some(workers));
        if self.handed_over.is_none() {
            self.end_watch();
        }
        folded
    }

    fn run_blocks<P, C>(
        &mut self,
        context: Context,
        before: Option<OpenBy<P::Item, C>>,
        run: Run<P, C>,
        helpers: Option<usize>,
    ) -> FoldedBy<P::Item, C>
    where
        P: Pieces,
        C: Consumer<P::Item>,
    {
        let shortest = context.lengths.min;
        self.next = self.next.max(shortest);
        if self.next >= run.len || run.len - self.next < shortest {
            return self.time(context, before, run);
        }
        if let Some(workers) = helpers.filter(|_| self.total() > PATIENCE) {
            return self.hand_over(context, before, run, workers);
        }
        let (block, rest, reducer) = run.split_at(self.next);
        self.next *= self.growth;
        let (left, before) = self.time(context, before, block).resume();
        let right = self.run_blocks(context, before, rest, helpers);
        match left {
            None => right,
            Some(left) => right.after(left, reducer, C::Reducer::reduce),
        }
    }

    fn time<P, C>(
        &mut self,
        context: Context,
        before: Option<OpenBy<P::Item, C>>,
        run: Run<P, C>,
    ) -> FoldedBy<P::Item, C>
    where
        P: Pieces,
        C: Consumer<P::Item>,
    {
        let len = run.len;
        let (folded, time) = if is_installed() && self.are_watched(len) {
            let watch = Watch::start();
            let Run { producer, consumer, len } = run;
            let run = Run { producer: Watched { producer, watch: &watch }, consumer, len };
            let timed = timed(|| context.run_serial(before, run));
            self.taken.add_all(watch.end());
            timed
        } else if is_installed() {
            let window = Window::open();
            let timed = timed(|| context.run_serial(before, run));
            self.taken.add(&window, len);
            timed
        } else {
            timed(|| context.run_serial(before, run))
        };
        self.blocks.push((len, time));
        folded
    }

    /// Whether each of the next `len` items is watched by itself: one alone is, and those that take long.
    fn are_watched(&self, len: usize) -> bool {
        let items = self.items() as u64;
        len == 1 || (items > 0 && self.total_ns() >= items.saturating_mul(WATCHED_NS))
    }

    fn hand_over<P, C>(
        &mut self,
        context: Context,
        before: Option<OpenBy<P::Item, C>>,
        run: Run<P, C>,
        workers: usize,
    ) -> FoldedBy<P::Item, C>
    where
        P: Pieces,
        C: Consumer<P::Item>,
    {
        self.end_watch();
        note_handed_over();
        let items = run.len;
        let chunk = model::chunk_of(items, workers * CHUNKS_PER_WORKER);
        let chunk = context.limits.clamp_chunk(chunk);
        let (folded, account) = context.run_parallel(before, run, workers, chunk);
        self.handed_over = Some(HandedOver {
            items: items as u64,
            setting: Setting::Parallel { workers: workers as u32, chunk: chunk as u64 },
            wall_ns: account.wall_ns(),
            seen: Seen::of_crew(account.shift),
        });
        folded
    }
}

fn timed<R>(run: impl FnOnce() -> R) -> (R, Duration) {
    let start = Instant::now();
    let result = run();
    (result, start.elapsed())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(times: &[(usize, u64)]) -> Blocks {
        let mut blocks = Blocks::growing();
        blocks.blocks =
            times.iter().map(|&(items, us)| (items, Duration::from_micros(us))).collect();
        blocks
    }

    #[test]
    fn equal_items_have_no_deviation_whatever_disturbs_one_block() {
        let disturbed = [(4, 40), (4, 40), (4, 40), (4, 40), (4, 40), (4, 40), (4, 900), (2, 20)];
        assert_eq!(blocks(&disturbed).item_sd_ns(), Some(0.0));
    }

    #[test]
    fn items_that_get_dearer_along_the_way_do_not_vary() {
        let rising = [(4, 40), (4, 80), (4, 120), (4, 160), (4, 200), (3, 200)];
        assert_eq!(blocks(&rising).item_sd_ns(), Some(0.0));
    }

    #[test]
    fn the_deviation_of_items_is_larger_than_that_of_their_means() {
        let single = blocks(&[(1, 10), (1, 20), (1, 10), (1, 20), (1, 10)]).item_sd_ns();
        let four = blocks(&[(4, 40), (4, 80), (4, 40), (4, 80), (4, 40)]).item_sd_ns();
        assert_eq!(single.map(f64::round), Some((14_826.0 / 1.5_f64.sqrt()).round()));
        assert_eq!(four, single.map(|sd| sd * 2.0));
    }

    #[test]
    fn too_few_too_short_or_unequal_blocks_tell_nothing() {
        assert_eq!(blocks(&[(1, 10), (1, 20), (1, 20), (1, 20)]).item_sd_ns(), None);
        assert_eq!(blocks(&[(1, 1), (1, 2), (1, 0), (1, 1), (1, 1)]).item_sd_ns(), None);
        assert_eq!(blocks(&[(1, 10), (2, 20), (4, 40), (8, 80)]).item_sd_ns(), None);
    }
}
