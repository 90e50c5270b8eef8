//! Producers, consumers and reducers that panic at any of their calls, or lie about their lengths: the call
//! ends, what panicked is told, and every item is dropped once.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::vec;

use amorsize_runtime::expansion::{Loop, Options};
use amorsize_runtime::{Force, Tune, Tuned, force};
use rayon::iter::plumbing::{
    Consumer, Folder, Producer, ProducerCallback, Reducer, UnindexedConsumer, bridge,
};
use rayon::prelude::*;

static LOOP: Loop = Loop::new("misbehaving", Options::NONE, &[]);

/// Where user code runs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    ProducerSplit,
    IntoIter,
    Next,
    MinLen,
    MaxLen,
    ConsumerSplit,
    IntoFolder,
    Full,
    Consume,
    Complete,
    Reduce,
}

const PLACES: [Place; 11] = [
    Place::ProducerSplit,
    Place::IntoIter,
    Place::Next,
    Place::MinLen,
    Place::MaxLen,
    Place::ConsumerSplit,
    Place::IntoFolder,
    Place::Full,
    Place::Consume,
    Place::Complete,
    Place::Reduce,
];

/// What one call goes through: it panics when `bad` is reached for the `at`th time.
struct Course {
    bad: Place,
    at: usize,
    reached: AtomicUsize,
    /// Items that exist.
    alive: AtomicUsize,
}

/// What such a panic carries.
struct OnPurpose;

impl Course {
    fn pass(&self, place: Place) {
        if place == self.bad && self.reached.fetch_add(1, Ordering::Relaxed) == self.at {
            panic_any(OnPurpose);
        }
    }
}

struct Item<'c>(&'c Course, usize);

impl<'c> Item<'c> {
    fn new(course: &'c Course, value: usize) -> Self {
        course.alive.fetch_add(1, Ordering::Relaxed);
        Item(course, value)
    }
}

impl Drop for Item<'_> {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Items<'c> {
    course: &'c Course,
    items: Vec<Item<'c>>,
    /// How many more, or fewer, it says that there are.
    lie: isize,
}

impl<'c> ParallelIterator for Items<'c> {
    type Item = Item<'c>;

    fn drive_unindexed<C: UnindexedConsumer<Item<'c>>>(self, consumer: C) -> C::Result {
        bridge(self, consumer)
    }

    fn opt_len(&self) -> Option<usize> {
        Some(self.len())
    }
}

impl<'c> IndexedParallelIterator for Items<'c> {
    fn len(&self) -> usize {
        self.items.len().saturating_add_signed(self.lie)
    }

    fn drive<C: Consumer<Item<'c>>>(self, consumer: C) -> C::Result {
        bridge(self, consumer)
    }

    fn with_producer<CB: ProducerCallback<Item<'c>>>(self, callback: CB) -> CB::Output {
        callback.callback(Piece { course: self.course, items: self.items })
    }
}

struct Piece<'c> {
    course: &'c Course,
    items: Vec<Item<'c>>,
}

impl<'c> Producer for Piece<'c> {
    type Item = Item<'c>;
    type IntoIter = Each<'c>;

    fn into_iter(self) -> Each<'c> {
        self.course.pass(Place::IntoIter);
        Each { course: self.course, items: self.items.into_iter() }
    }

    fn min_len(&self) -> usize {
        self.course.pass(Place::MinLen);
        1
    }

    fn max_len(&self) -> usize {
        self.course.pass(Place::MaxLen);
        usize::MAX
    }

    fn split_at(mut self, index: usize) -> (Self, Self) {
        self.course.pass(Place::ProducerSplit);
        let right = self.items.split_off(index.min(self.items.len()));
        let course = self.course;
        (self, Piece { course, items: right })
    }
}

struct Each<'c> {
    course: &'c Course,
    items: vec::IntoIter<Item<'c>>,
}

impl<'c> Iterator for Each<'c> {
    type Item = Item<'c>;

    fn next(&mut self) -> Option<Item<'c>> {
        self.course.pass(Place::Next);
        self.items.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

impl DoubleEndedIterator for Each<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.items.next_back()
    }
}

impl ExactSizeIterator for Each<'_> {}

/// Collects the items.
#[derive(Clone, Copy)]
struct Sink<'c>(&'c Course);

impl<'c> Consumer<Item<'c>> for Sink<'c> {
    type Folder = Gather<'c>;
    type Reducer = Self;
    type Result = Vec<Item<'c>>;

    fn split_at(self, _: usize) -> (Self, Self, Self) {
        self.0.pass(Place::ConsumerSplit);
        (self, self, self)
    }

    fn into_folder(self) -> Gather<'c> {
        self.0.pass(Place::IntoFolder);
        Gather { course: self.0, items: Vec::new() }
    }

    fn full(&self) -> bool {
        self.0.pass(Place::Full);
        false
    }
}

impl<'c> UnindexedConsumer<Item<'c>> for Sink<'c> {
    fn split_off_left(&self) -> Self {
        *self
    }

    fn to_reducer(&self) -> Self {
        *self
    }
}

impl<'c> Reducer<Vec<Item<'c>>> for Sink<'c> {
    fn reduce(self, mut left: Vec<Item<'c>>, right: Vec<Item<'c>>) -> Vec<Item<'c>> {
        self.0.pass(Place::Reduce);
        left.extend(right);
        left
    }
}

struct Gather<'c> {
    course: &'c Course,
    items: Vec<Item<'c>>,
}

impl<'c> Folder<Item<'c>> for Gather<'c> {
    type Result = Vec<Item<'c>>;

    fn consume(mut self, item: Item<'c>) -> Self {
        self.course.pass(Place::Consume);
        self.items.push(item);
        self
    }

    fn complete(self) -> Vec<Item<'c>> {
        self.course.pass(Place::Complete);
        self.items
    }

    fn full(&self) -> bool {
        self.course.pass(Place::Full);
        false
    }
}

/// How items are collected.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// With a folder for each piece.
    Folders,
    /// With folders that go on.
    OpenFolders,
    /// As successes, each in its place.
    Places,
}

fn succeeding<'c>(items: Tuned<Items<'c>>) -> Vec<Item<'c>> {
    let all: Result<Vec<Item<'c>>, ()> = items.map(Ok).try_collect_vec();
    all.expect("none fails")
}

/// Runs `test` under plans of every kind, in a pool that is larger than most machines, without the
/// messages of panics.
fn under_every_plan(test: impl Fn() + Sync) {
    std::panic::set_hook(Box::new(|_| {}));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().expect("a pool");
    let workers = |workers, chunk| Some(Force::Workers { workers, chunk: Some(chunk) });
    for plan in
        [None, Some(Force::Serial), Some(Force::Rayon), workers(2, 1), workers(4, 7), workers(4, 1)]
    {
        force(plan);
        test();
        pool.install(&test);
    }
    force(None);
    drop(std::panic::take_hook());
}

// One test: plans and the panic hook are the process's.
#[test]
fn calls_end_and_leak_nothing_whatever_misbehaves() {
    const N: usize = 40;
    under_every_plan(|| {
        for (bad, at) in PLACES.into_iter().flat_map(|bad| [0, 1, 2, 17].map(|at| (bad, at))) {
            for way in [Way::Folders, Way::OpenFolders, Way::Places] {
                let (reached, alive) = (AtomicUsize::new(0), AtomicUsize::new(0));
                let course = Course { bad, at, reached, alive };
                let items = (0..N).map(|value| Item::new(&course, value)).collect();
                let call = || {
                    let items = Items { course: &course, items, lie: 0 }.tuned(&LOOP);
                    match way {
                        Way::Folders => items.drive(Sink(&course)),
                        Way::OpenFolders => items.drive_unindexed(Sink(&course)),
                        Way::Places => succeeding(items),
                    }
                };
                let case = format!("{bad:?} {at} {way:?}");
                match catch_unwind(AssertUnwindSafe(call)) {
                    Ok(items) => {
                        assert!(course.reached.load(Ordering::Relaxed) <= at, "{case}");
                        assert!(items.iter().map(|item| item.1).eq(0..N), "{case}");
                    }
                    Err(payload) => assert!(payload.is::<OnPurpose>(), "{case}"),
                }
                assert_eq!(course.alive.load(Ordering::Relaxed), 0, "{case}");
            }
        }
        for lie in [-40, -1, 1, 40] {
            let (reached, alive) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let course = Course { bad: Place::Next, at: usize::MAX, reached, alive };
            let items = || {
                let items = (0..N).map(|value| Item::new(&course, value)).collect();
                Items { course: &course, items, lie }.tuned(&LOOP)
            };
            // Without an index, what is there is what counts.
            let values = items().drive_unindexed(Sink(&course));
            assert!(values.iter().map(|item| item.1).eq(0..N), "{lie}");
            drop(values);
            // A collect into places of their own finds out.
            let collect = || items().collect_into_vec(&mut Vec::new());
            assert!(catch_unwind(AssertUnwindSafe(collect)).is_err(), "{lie}");
            let collect = || succeeding(items());
            assert!(catch_unwind(AssertUnwindSafe(collect)).is_err(), "{lie}");
            assert_eq!(course.alive.load(Ordering::Relaxed), 0, "{lie}");
        }
    });
}
