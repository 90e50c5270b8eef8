//! The crew on plain threads, without a pool. Also run under Miri, see CONTRIBUTING.md.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use rayon::iter::plumbing::{Consumer, Folder, Producer, Reducer};

use super::*;
use crate::handover::{Desk, Ticket};
use crate::linger::Leaving;
use crate::pieces::AtOnce;

/// A thread for every helper.
struct Threads;

impl Spawner for Threads {
    fn spawn(&self, ticket: Ticket) {
        thread::spawn(|| ticket.redeem(&mut Leaving));
    }

    fn run_other_work(&self) -> bool {
        false
    }
}

/// No helper ever comes.
struct Nobody;

impl Spawner for Nobody {
    fn spawn(&self, ticket: Ticket) {
        drop(ticket);
    }

    fn run_other_work(&self) -> bool {
        false
    }
}

/// The numbers of a range.
struct Items(std::ops::Range<usize>);

impl Producer for Items {
    type Item = usize;
    type IntoIter = std::ops::Range<usize>;

    fn into_iter(self) -> Self::IntoIter {
        self.0
    }

    fn split_at(self, index: usize) -> (Self, Self) {
        let middle = self.0.start + index;
        (Items(self.0.start..middle), Items(middle..self.0.end))
    }
}

/// Collects items as words, in order; panics at one of them.
#[derive(Clone, Copy)]
struct Words {
    bad: Option<usize>,
}

impl Consumer<usize> for Words {
    type Folder = WordFolder;
    type Reducer = Words;
    type Result = Vec<String>;

    fn split_at(self, _: usize) -> (Self, Self, Self) {
        (self, self, self)
    }

    fn into_folder(self) -> Self::Folder {
        WordFolder { words: Vec::new(), bad: self.bad }
    }

    fn full(&self) -> bool {
        false
    }
}

struct WordFolder {
    words: Vec<String>,
    bad: Option<usize>,
}

impl Folder<usize> for WordFolder {
    type Result = Vec<String>;

    fn consume(mut self, item: usize) -> Self {
        if self.bad == Some(item) {
            std::panic::resume_unwind(Box::new(item));
        }
        self.words.push(item.to_string());
        self
    }

    fn complete(self) -> Self::Result {
        self.words
    }

    fn full(&self) -> bool {
        false
    }
}

impl Reducer<Vec<String>> for Words {
    fn reduce(self, mut left: Vec<String>, right: Vec<String>) -> Vec<String> {
        left.extend(right);
        left
    }
}

/// Folds `0..n` on a crew.
fn collect(n: usize, division: Division, bad: Option<usize>) -> Vec<String> {
    let run = Run { producer: AtOnce(Items(0..n)), consumer: Words { bad }, len: n };
    fold(None, run, division, &Threads).0.close()
}

#[test]
fn results_are_complete_and_in_order_for_every_division() {
    let (lengths, workers): (&[usize], &[usize]) =
        if cfg!(miri) { (&[5, 8], &[2, 3]) } else { (&[0, 1, 2, 3, 8, 100, 257], &[1, 2, 3, 8]) };
    for &n in lengths {
        for &workers in workers {
            for chunk in [1, 2, 7, n.max(1)] {
                for max in [1, 3, usize::MAX] {
                    for open_ended in [false, max == usize::MAX] {
                        let lengths = Lengths { max, open_ended, ..Lengths::ANY };
                        for (shares, folder_items) in [(2, 3), (workers, usize::MAX)] {
                            let division = Division::of(workers, chunk);
                            let division = Division { shares, lengths, folder_items, ..division };
                            let words = collect(n, division, None);
                            assert!(words.into_iter().eq((0..n).map(|item| item.to_string())));
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_panic_at_any_item_ends_the_call_and_leaks_nothing() {
    let n = if cfg!(miri) { 6 } else { 100 };
    for bad in 0..n {
        for open_ended in [false, true] {
            let lengths = Lengths { open_ended, ..Lengths::ANY };
            let division = Division { lengths, ..Division::of(3, 2) };
            let outcome = catch_unwind(AssertUnwindSafe(|| collect(n, division, Some(bad))));
            assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&bad));
        }
    }
}

#[test]
fn a_crew_out_of_levels_goes_on_alone() {
    let n = if cfg!(miri) { 20 } else { 2_000 };
    let division = Division::of(2, 1);
    let words = handover::at_desk(3, |desk| {
        let mut board = Board::new(2, 1, n, division, desk, &Threads);
        board.levels = 2;
        let crew: Crew<'_, _, Words, _> = Crew::new(board, vec![Half::empty()]);
        let run = Run { producer: AtOnce(Items(0..n)), consumer: Words { bad: None }, len: n };
        crew.fold(None, run, &mut Worker::at(0), 0).close()
    });
    assert!(words.into_iter().eq((0..n).map(|item| item.to_string())));
}

/// Counts the folders that are made of it.
#[derive(Clone, Copy)]
struct Folders<'a>(&'a AtomicUsize);

impl Consumer<usize> for Folders<'_> {
    type Folder = WordFolder;
    type Reducer = Words;
    type Result = Vec<String>;

    fn split_at(self, _: usize) -> (Self, Self, Words) {
        (self, self, Words { bad: None })
    }

    fn into_folder(self) -> WordFolder {
        self.0.fetch_add(1, Ordering::Relaxed);
        Words { bad: None }.into_folder()
    }

    fn full(&self) -> bool {
        false
    }
}

#[test]
fn a_worker_whom_nobody_helps_has_one_folder_unless_folders_end_with_their_piece() {
    for (open_ended, expected) in [(true, 1), (false, 20)] {
        for workers in [2, 5, 20] {
            let folders = AtomicUsize::new(0);
            let run = Run { producer: AtOnce(Items(0..20)), consumer: Folders(&folders), len: 20 };
            let lengths = Lengths { open_ended, ..Lengths::ANY };
            let division = Division { lengths, ..Division::of(workers, 1) };
            let words = fold(None, run, division, &Nobody).0.close();
            assert!(words.into_iter().eq((0..20).map(|item| item.to_string())));
            assert_eq!(folders.into_inner(), expected);
        }
    }
}

#[test]
fn shares_are_as_even_as_chunks_allow() {
    for (len, chunk, parts) in [(16, 1, 16), (100, 7, 4), (9, 1, 2), (40, 3, 13)] {
        let run = Run { producer: AtOnce(Items(0..len)), consumer: Words { bad: None }, len };
        let pieces = pieces(len, chunk, 1);
        let (first, others, _) = cut(run, parts, |share| (pieces * share).div_ceil(parts) * chunk);
        let others = others.into_iter().map(|share| share.take().unwrap().len);
        let lens: Vec<usize> = std::iter::once(first.len).chain(others).collect();
        assert_eq!((lens.len(), lens.iter().sum()), (parts, len));
        let most = pieces.div_ceil(parts) * chunk;
        let fewest = (pieces / parts - 1) * chunk;
        assert!(lens.iter().all(|len| (fewest + 1..=most).contains(len)), "{lens:?}");
    }
}

#[test]
fn a_folder_that_was_led_through_many_items_is_closed_before_the_next_chunk() {
    for (folder_items, expected) in [(1, 20), (2, 10), (5, 4), (20, 1), (usize::MAX, 1)] {
        let folders = AtomicUsize::new(0);
        let run = Run { producer: AtOnce(Items(0..20)), consumer: Folders(&folders), len: 20 };
        let division = Division { folder_items, ..Division::of(2, 1) };
        let words = fold(None, run, division, &Nobody).0.close();
        assert!(words.into_iter().eq((0..20).map(|item| item.to_string())));
        assert_eq!(folders.into_inner(), expected);
    }
}

#[test]
fn a_run_goes_on_under_the_folder_of_the_items_before_it() {
    let run =
        |items| Run { producer: AtOnce(Items(items)), consumer: Words { bad: None }, len: 10 };
    let (_, before) = run(0..10).fold_onto(None, Lengths::ANY, Open::of).resume();
    assert!(before.is_some());
    let division = Division::of(3, 2);
    let words = fold(before, run(10..20), division, &Threads).0.close();
    assert!(words.into_iter().eq((0..20).map(|item| item.to_string())));
}

/// Keeps its tickets.
#[derive(Default)]
struct Asleep(Mutex<Vec<Ticket>>);

impl Spawner for Asleep {
    fn spawn(&self, ticket: Ticket) {
        self.0.lock().unwrap().push(ticket);
    }

    fn run_other_work(&self) -> bool {
        false
    }
}

/// Calls, on a thread with a desk of its own, until `pool` holds so many tickets.
fn call_until(pool: &Asleep, workers: usize, tickets: usize) {
    let call = || {
        let division = Division::of(workers, 1);
        let run = Run { producer: AtOnce(Items(0..40)), consumer: Words { bad: None }, len: 40 };
        assert_eq!(fold(None, run, division, pool).0.close().len(), 40);
        pool.0.lock().unwrap().len()
    };
    thread::scope(|scope| scope.spawn(|| while call() < tickets {}).join().unwrap());
}

/// Serves, in each item or at the end of each folder, whoever was summoned: as a thread of the pool does that waits for something
/// there.
#[derive(Clone, Copy)]
struct Serving<'a> {
    pool: &'a Asleep,
    at_the_end: bool,
}

struct ServingFolder<'a>(Serving<'a>, WordFolder);

impl Serving<'_> {
    fn serve(self) {
        let next = || self.pool.0.lock().unwrap().pop();
        while let Some(ticket) = next() {
            ticket.redeem(&mut Leaving);
        }
    }
}

impl<'a> Consumer<usize> for Serving<'a> {
    type Folder = ServingFolder<'a>;
    type Reducer = Words;
    type Result = Vec<String>;

    fn split_at(self, _: usize) -> (Self, Self, Words) {
        (self, self, Words { bad: None })
    }

    fn into_folder(self) -> ServingFolder<'a> {
        ServingFolder(self, Words { bad: None }.into_folder())
    }

    fn full(&self) -> bool {
        false
    }
}

impl Folder<usize> for ServingFolder<'_> {
    type Result = Vec<String>;

    fn consume(self, item: usize) -> Self {
        if !self.0.at_the_end {
            self.0.serve();
        }
        ServingFolder(self.0, self.1.consume(item))
    }

    fn complete(self) -> Self::Result {
        if self.0.at_the_end {
            self.0.serve();
        }
        self.1.complete()
    }

    fn full(&self) -> bool {
        false
    }
}

#[test]
fn a_helper_that_a_worker_becomes_within_an_item_or_a_folder_does_not_wait_for_it() {
    // Under Miri, who waits for a moment waits for seconds.
    let (n, patience) = if cfg!(miri) { (6, 600) } else { (40, 60) };
    for (patient, at_the_end) in [(false, false), (true, false), (false, true), (true, true)] {
        let (done, is_done) = mpsc::channel();
        // Not joined: it may never end.
        thread::spawn(move || {
            let pool = Asleep::default();
            let consumer = Serving { pool: &pool, at_the_end };
            let run = Run { producer: AtOnce(Items(0..n)), consumer, len: n };
            let division = Division { patient, folder_items: 1, ..Division::of(4, 1) };
            let _ = done.send(fold(None, run, division, &pool).0.close());
        });
        let words = is_done.recv_timeout(Duration::from_secs(patience)).expect("it ends");
        assert!(words.into_iter().eq((0..n).map(|item| item.to_string())));
    }
}

#[test]
fn as_many_helpers_are_summoned_as_are_missing() {
    for workers in [2, 9, 40] {
        let pool = Asleep::default();
        call_until(&pool, workers, workers - 1);
        assert!(pool.0.into_inner().unwrap().len() <= workers);
    }
}

#[test]
fn a_sparing_caller_leaves_it_to_the_first_helper_to_summon_the_others() {
    let pool = Asleep::default();
    let summoned = || pool.0.lock().unwrap().len();
    let division = Division { sparing: true, ..Division::of(20, 1) };
    handover::at_desk(19, |desk| {
        let board = Board::new(20, 2, 14, division, desk, &pool);
        board.begin();
        // Or one more, if the first seems to be late already.
        let first = summoned();
        assert!((1..=2).contains(&first));
        // Nobody is late from here on.
        desk.summoned_ns.store(u64::MAX, Ordering::Relaxed);
        board.summon(0);
        assert_eq!(summoned(), first);
        board.summon(1);
        assert_eq!(summoned(), first + 18);
    });
}

#[test]
fn of_helpers_who_do_not_come_only_one_is_summoned_again() {
    let pool = Asleep::default();
    call_until(&pool, 3, 3);
    let division = Division::of(3, 1);
    handover::at_desk(3, |desk| {
        let board = Board::new(3, 2, 14, division, desk, &pool);
        (0..3).for_each(|_| Desk::summon_one(desk, &pool));
        desk.summoned_ns.store(0, Ordering::Relaxed);
        board.summon(0);
    });
    assert_eq!(pool.0.into_inner().unwrap().len(), 6);
}

#[test]
fn shares_are_as_equal_as_pieces_allow_however_many_there_are() {
    for (shares, pieces, borders) in [
        (2, 7, vec![0, 4, 7]),
        (3, 7, vec![0, 3, 5, 7]),
        (4, 4, vec![0, 1, 2, 3, 4]),
        (3, usize::MAX, vec![0, usize::MAX / 3, usize::MAX / 3 * 2, usize::MAX]),
    ] {
        let found = (0..=shares).map(|share| first_piece_of(share, shares, pieces));
        assert!(found.eq(borders), "{shares} shares of {pieces}");
    }
}
