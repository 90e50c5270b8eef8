//! The crew of one parallel call: the caller and its helpers share one run of items.
//!
//! The run is cut into a share for each worker, before anybody is there to look on. The caller folds the first one and each
//! helper another, the rearmost first, which it need not look for; the caller goes on with the shares that nobody has
//! taken. In the end it reduces what the shares came to, from the first to the last. Where reductions are dear there are
//! only two shares.
//!
//! A worker divides its share as a balanced tree, lazily: it halves what it owns at chunk borders, offers
//! the right half and goes on with the left, until one chunk remains, which it folds at once. It
//! then takes its right halves back, unless another worker has taken them. What it takes back follows what it has
//! folded and goes under the same folder, if folders are open-ended (`run.rs`); otherwise, and where another worker
//! came between, it reduces the two results itself: reducers never change threads and results are never
//! reduced out of order. A worker with nothing to do takes what others offer (`board.rs`). Nothing here is
//! `unsafe`: tasks and results change hands under a lock that is held for a move.
//!
//! Whoever comes summons helpers while any are missing: on many cores they are there sooner than if the caller summoned
//! them all.
//!
//! A helper leaves once nothing is on offer and nobody is dividing a run: whatever is left is being folded, chunk by
//! chunk, and a chunk is never divided. So the caller, when it has the result, seldom finds one that it would have to wait
//! for. Where items wait instead of computing, helpers sleep between their looks. An item, or a reduction, may itself wait for
//! the pool, whose threads run other jobs meanwhile, and one of these may be a helper of this very call. So helpers wait for
//! nothing that may never come: neither for items of others, nor for long for one who divides a run.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use rayon::iter::plumbing::{Consumer, Folder, Reducer};

pub(crate) use crate::board::Shift;
use crate::board::{Board, BusyHelpers, OpenUntilDropped, Tasks, Worker};
use crate::half::Half;
use crate::handover::{self, Help, Spawner};
use crate::linger;
use crate::pieces::Pieces;
use crate::pool;
use crate::run::{Folded, FoldedBy, Lengths, Open, OpenBy, Run, middle, pieces};

/// Levels of the tree at which reductions are timed: enough to know their cost, few enough not to add
/// to it.
const TIMED_LEVELS: usize = 2;

/// How a run is divided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Division {
    /// Workers, the caller included.
    pub(crate) workers: usize,
    /// Shares that the run is cut into at once; at least 2. Their results are reduced one after the other.
    pub(crate) shares: usize,
    /// Items that are offered and folded as one.
    pub(crate) chunk: usize,
    /// The chunk is a length that these allow.
    pub(crate) lengths: Lengths,
    /// A folder that was led through so many items is closed, and the next chunk has a new one. What a folder collects
    /// grows with it, and an allocator gives large blocks back to the system, from which the next call has to get
    /// them anew, page by page.
    pub(crate) folder_items: usize,
    /// Items wait: there are more workers than cores, and who looks for something sleeps between two looks.
    pub(crate) patient: bool,
    /// Reductions and the folders for them are timed.
    pub(crate) timed: bool,
    /// The caller summons one helper, who summons the others: the items may not be worth more of its time.
    pub(crate) sparing: bool,
}

impl Division {
    /// Into chunks of so many items, whatever the user asks for.
    pub(crate) fn of(workers: usize, chunk: usize) -> Self {
        let (shares, folder_items) = (workers.max(2), usize::MAX);
        let (lengths, patient, timed, sparing) = (Lengths::ANY, false, true, false);
        Division { workers, shares, chunk, lengths, folder_items, patient, timed, sparing }
    }

    /// How many chunks a run has.
    fn pieces<P: Pieces, C: Consumer<P::Item>>(self, run: &Run<P, C>) -> usize {
        if run.consumer.full() { 1 } else { pieces(run.len, self.chunk, self.lengths.min) }
    }

    /// Where a run is cut in two; `None` if it is not.
    fn middle<P: Pieces, C: Consumer<P::Item>>(self, run: &Run<P, C>) -> Option<usize> {
        middle(run.len, self.chunk, self.lengths.min).filter(|_| !run.consumer.full())
    }
}

/// What the workers of a call did, and when it began and ended ([`pool::now_ns`]).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    pub(crate) shift: Shift,
    /// Helpers that have come.
    pub(crate) helpers: usize,
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
}

impl Account {
    /// From its beginning to its end, in nanoseconds.
    pub(crate) fn wall_ns(&self) -> u64 {
        self.end_ns - self.start_ns
    }
}

/// Folds `run` on the caller and on up to `division.workers − 1` helpers, after what the caller has folded of
/// the items before it.
pub(crate) fn fold<P, C>(
    before: Option<OpenBy<P::Item, C>>,
    run: Run<P, C>,
    division: Division,
    spawner: &(dyn Spawner + Sync),
) -> (FoldedBy<P::Item, C>, Account)
where
    P: Pieces,
    C: Consumer<P::Item>,
{
    let start_ns = pool::now_ns();
    let before = match Open::unless_full(before) {
        Ok(before) => before,
        Err(full) => {
            let shift = Shift::default();
            let account = Account { shift, helpers: 0, start_ns, end_ns: start_ns };
            return (Folded::Open(full), account);
        }
    };
    let pieces = division.pieces(&run);
    let helpers = division.workers.min(pieces).saturating_sub(1);
    if helpers == 0 {
        let folded = run.fold_onto(before, division.lengths, Open::of);
        let end_ns = pool::now_ns();
        let shift = Shift { busy_ns: end_ns - start_ns, ..Shift::default() };
        return (folded, Account { shift, helpers: 0, start_ns, end_ns });
    }
    let parts = division.shares.min(helpers + 1);
    // Two shares are the halves of a tree, as everywhere else.
    let border = |share| first_piece_of(share, parts, pieces) * division.chunk;
    let (mine, shares, reducers) = cut(run, parts, border);
    let mut work = Some((before, mine, reducers));
    handover::at_desk(helpers, |desk| {
        linger::begin(desk, start_ns);
        let pieces = pieces.div_ceil(parts);
        let board = Board::new(helpers + 1, parts - 1, pieces, division, desk, spawner);
        let crew = Crew::<P, C, C::Result>::new(board, shares);
        let mut led = None;
        let busy = BusyHelpers::of(&crew.board);
        handover::lend(desk, helpers, spawner, &crew, &mut || {
            let (before, mine, reducers) = work.take().expect("the caller works once");
            let _open = OpenUntilDropped(&crew.board);
            led = Some(crew.lead(before, mine, reducers));
        });
        drop(busy);
        let (folded, caller, end_ns) = crew.reduce_shares(led.expect("the caller has led"));
        linger::end(desk, end_ns);
        let shift = caller.shift_of(end_ns - start_ns);
        (folded, Account { shift, helpers: desk.came(), start_ns, end_ns })
    })
}

/// Where a share begins, of so many that are as equal as pieces allow.
fn first_piece_of(share: usize, shares: usize, pieces: usize) -> usize {
    // `pieces · share / shares`, rounded up, where that product may be too large.
    pieces / shares * share + (pieces % shares * share).div_ceil(shares)
}

/// What [`cut`] makes of a run: the first share, the others, from the rear on, and the reducers before them.
type Cut<P, C, D, R> = (Run<P, C>, Vec<Half<P, C, R>>, Vec<D>);

/// Cuts a run into so many shares, of which `border` says where they begin.
fn cut<P, C>(
    mut run: Run<P, C>,
    parts: usize,
    border: impl Fn(usize) -> usize,
) -> Cut<P, C, C::Reducer, C::Result>
where
    P: Pieces,
    C: Consumer<P::Item>,
{
    let (mut shares, mut reducers) = (Vec::with_capacity(parts - 1), Vec::with_capacity(parts - 1));
    // From the rear, so that all before a share is reduced to one result first, and that the caller goes on with those whose
    // helpers come last.
    for share in (1..parts).rev() {
        let (left, right, reducer) = run.split_at(border(share));
        shares.push(Half::of(right));
        reducers.push(reducer);
        run = left;
    }
    (run, shares, reducers)
}

/// In the order in which a helper needs it, and not beside anything else on the caller's stack, which it writes while helpers
/// read this.
#[repr(C, align(128))]
struct Crew<'s, P, C, R> {
    /// All but the caller's own, from the rear on.
    shares: Vec<Half<P, C, R>>,
    board: Board<'s>,
    /// By seat number and level: one block of memory, as blocks that helpers got would be given back by the caller, which
    /// keeps both waiting.
    halves: Vec<Half<P, C, R>>,
}

/// What the caller made of the shares that it had before another worker took one.
struct Led<F, D> {
    folded: F,
    /// How many shares it left to others.
    shares: usize,
    /// The reducers before them.
    reducers: Vec<D>,
    caller: Worker,
}

impl<'s, P, C, R> Crew<'s, P, C, R>
where
    P: Pieces,
    C: Consumer<P::Item, Result = R>,
    R: Send,
{
    fn new(board: Board<'s>, shares: Vec<Half<P, C, R>>) -> Self {
        let halves = board.workers() * board.levels;
        Crew { board, shares, halves: (0..halves).map(|_| Half::empty()).collect() }
    }

    fn half(&self, seat: usize, level: usize) -> &Half<P, C, R> {
        &self.halves[seat * self.board.levels + level]
    }

    /// The caller's work: its own share, then those that nobody has taken, until all are folded.
    fn lead(
        &self,
        before: Option<OpenBy<P::Item, C>>,
        mine: Run<P, C>,
        mut reducers: Vec<C::Reducer>,
    ) -> Led<FoldedBy<P::Item, C>, C::Reducer> {
        let board = &self.board;
        let mut left = self.shares.len();
        let mut caller = Worker::at(0);
        let fold_all_there_is = || {
            board.begin();
            let mut folded = self.fold(before, mine, &mut caller, 0);
            while let Some(run) = self.shares[..left].last().and_then(Half::take) {
                left -= 1;
                let reducer = reducers.pop().expect("there is one for each share");
                folded = self.fold_next(folded, reducer, run, &mut caller, 0);
            }
            // What is left to do is done before the others are waited for.
            if left == 0 { folded } else { Folded::Closed(close(folded, &mut caller)) }
        };
        let folded = catch_unwind(AssertUnwindSafe(fold_all_there_is)).unwrap_or_else(|payload| {
            board.abandon();
            resume_unwind(payload)
        });
        board.divides_no_more(0);
        // Who came for a share may have lost its core before it took it.
        let others = &self.shares[..left];
        for share in others.iter().rev().filter(|share| share.is_on_offer()) {
            caller.note_absence(self.fold_taken(share, 0, 0).unwrap_or(0));
        }
        // What ended early has not said so.
        board.divides_no_more(0);
        for share in others.iter().rev() {
            board.wait(self, &share.done, &mut caller, 0);
        }
        Led { folded, shares: left, reducers, caller }
    }

    /// Reduces what all shares came to, when nobody else is there any more; also when that was done.
    fn reduce_shares(
        self,
        led: Led<FoldedBy<P::Item, C>, C::Reducer>,
    ) -> (FoldedBy<P::Item, C>, Worker, u64) {
        let Crew { board, shares, .. } = self;
        let Led { mut folded, shares: left, reducers, mut caller } = led;
        let start_ns = board.division.timed.then(pool::now_ns);
        for (share, reducer) in shares.into_iter().take(left).zip(reducers).rev() {
            let (right, of_share) = share.into_result();
            let right = right.unwrap_or_else(|payload| resume_unwind(payload));
            folded = Folded::Closed(reducer.reduce(folded.close(), right));
            caller.shift = caller.shift.and(of_share);
            caller.shift.reductions += 1;
        }
        let end_ns = pool::now_ns();
        caller.shift.reducing_ns += start_ns.map_or(0, |start_ns| end_ns - start_ns);
        board.end();
        (folded, caller, end_ns)
    }

    /// Folds `run`, after what this worker has folded of the items before it, offering right
    /// halves from `level` on.
    fn fold(
        &self,
        before: Option<OpenBy<P::Item, C>>,
        run: Run<P, C>,
        worker: &mut Worker,
        level: usize,
    ) -> FoldedBy<P::Item, C> {
        let board = &self.board;
        let before = match Open::unless_full(before) {
            Ok(before) => before,
            Err(full) => return Folded::Open(full),
        };
        if board.is_abandoned() {
            return Folded::Open(before.unwrap_or_else(|| Open::of(run.consumer)));
        }
        let Some(middle) = board.division.middle(&run) else {
            board.divides_no_more(worker.seat);
            let Division { lengths, timed, .. } = board.division;
            let open = |consumer| if timed { Open::timed(consumer) } else { Open::of(consumer) };
            return run.fold_onto(before, lengths, open);
        };
        let (left, right, reducer) = run.split_at(middle);
        if level >= board.levels {
            let left = self.fold(before, left, worker, level);
            return self.fold_next(left, reducer, right, worker, level);
        }
        self.half(worker.seat, level).offer(right);
        board.offer(worker.seat, level);
        self.fold_both(before, left, reducer, worker, level)
    }

    /// Folds `left`, and then what is on offer at `level`, unless another worker takes it.
    fn fold_both(
        &self,
        before: Option<OpenBy<P::Item, C>>,
        left: Run<P, C>,
        reducer: C::Reducer,
        worker: &mut Worker,
        level: usize,
    ) -> FoldedBy<P::Item, C> {
        let (board, half) = (&self.board, self.half(worker.seat, level));
        // Whatever happens, the right half is accounted for before this frame is left: it may borrow
        // what the left half's panic is about to drop.
        let left = catch_unwind(AssertUnwindSafe(|| {
            board.summon(worker.seat);
            self.fold(before, left, worker, level + 1)
        }));
        if left.is_err() {
            board.abandon();
        }
        board.withdraw(worker.seat, level);
        if let Some(right) = half.take() {
            return match left {
                Ok(left) => self.fold_next(left, reducer, right, worker, level),
                Err(payload) => {
                    drop(right);
                    resume_unwind(payload)
                }
            };
        }
        board.divides_no_more(worker.seat);
        let left = left.and_then(|left| catch_unwind(AssertUnwindSafe(|| close(left, worker))));
        if left.is_err() {
            board.abandon();
        }
        board.wait(self, &half.done, worker, level + 1);
        let (right, shift) = half.result();
        worker.shift = worker.shift.and(shift);
        match (left, right) {
            (Ok(left), Ok(right)) => {
                Folded::Closed(self.reduce(reducer, left, right, worker, level))
            }
            (Err(payload), _) | (_, Err(payload)) => resume_unwind(payload),
        }
    }

    /// Folds the run that follows `left`, under the same folder if it is open.
    fn fold_next(
        &self,
        left: FoldedBy<P::Item, C>,
        reducer: C::Reducer,
        right: Run<P, C>,
        worker: &mut Worker,
        level: usize,
    ) -> FoldedBy<P::Item, C> {
        let (left, before) = if left.open_items() < self.board.division.folder_items {
            left.resume()
        } else {
            (Some(close(left, worker)), None)
        };
        let right = self.fold(before, right, worker, level);
        match left {
            None => right,
            Some(left) => right.after(left, reducer, |reducer, left, right| {
                self.reduce(reducer, left, right, worker, level)
            }),
        }
    }

    fn reduce(
        &self,
        reducer: impl Reducer<R>,
        left: R,
        right: R,
        worker: &mut Worker,
        level: usize,
    ) -> R {
        let Division { timed, lengths, .. } = self.board.division;
        // Without open ends there are as many reductions as pieces.
        if level >= TIMED_LEVELS && !lengths.open_ended {
            return reducer.reduce(left, right);
        }
        let start_ns = timed.then(pool::now_ns);
        let result = reducer.reduce(left, right);
        worker.note_reduction(start_ns.map_or(0, |start_ns| pool::now_ns() - start_ns));
        result
    }

    /// Folds what was taken from another worker.
    fn fold_taken(&self, half: &Half<P, C, R>, seat: usize, from: usize) -> Option<u64> {
        let run = half.steal()?;
        let start_ns = pool::now_ns();
        let mut worker = Worker::at(seat);
        let fold = || close(self.fold(None, run, &mut worker, from), &mut worker);
        let result = catch_unwind(AssertUnwindSafe(fold));
        if result.is_err() {
            self.board.abandon();
        }
        let took_ns = pool::now_ns() - start_ns;
        half.finish(result, worker.shift_of(took_ns));
        Some(took_ns)
    }
}

/// Ends the folder of what may go on.
fn close<T, F: Folder<T, Result = R>, R, D: Reducer<R>>(
    folded: Folded<F, R, D>,
    worker: &mut Worker,
) -> R {
    worker.note_opening(folded.opening_ns());
    folded.close()
}

impl<P, C, R> Help for Crew<'_, P, C, R>
where
    P: Pieces,
    C: Consumer<P::Item, Result = R>,
    R: Send,
{
    fn help(&self, seat: usize) {
        self.board.help(self, seat);
    }
}

impl<P, C, R> Tasks for Crew<'_, P, C, R>
where
    P: Pieces,
    C: Consumer<P::Item, Result = R>,
    R: Send,
{
    fn is_share_on_offer(&self, share: usize) -> bool {
        self.shares[share].is_on_offer()
    }

    fn take_share(&self, share: usize, seat: usize, from: usize) -> Option<u64> {
        self.fold_taken(&self.shares[share], seat, from)
    }

    fn is_half_on_offer(&self, owner: usize, level: usize) -> bool {
        self.half(owner, level).is_on_offer()
    }

    fn take_half(&self, owner: usize, level: usize, seat: usize, from: usize) -> Option<u64> {
        self.fold_taken(self.half(owner, level), seat, from)
    }
}

#[cfg(all(test, not(loom)))]
#[path = "crew_tests.rs"]
mod tests;
