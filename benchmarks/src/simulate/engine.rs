//! One call on a machine that does not exist, event by event: the executor's schedule, carried out by
//! workers who differ. Nothing here knows the cost model.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeSet, BinaryHeap, VecDeque};

use super::scenario::{Host, Items};

/// A run of items, and the folder that they belong to.
#[derive(Clone, Copy)]
struct Task {
    start: usize,
    end: usize,
    folder: usize,
}

/// The folder of a stolen run: its result is reduced into that of the run it was taken from.
struct Folder {
    parent: usize,
    /// When its last item so far is done.
    end_ns: f64,
}

/// A worker has nothing to do from this moment on.
#[derive(Clone, Copy, PartialEq)]
struct Free {
    at_ns: f64,
    worker: usize,
}

impl Eq for Free {}

impl Ord for Free {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at_ns.total_cmp(&other.at_ns).then(self.worker.cmp(&other.worker))
    }
}

impl PartialOrd for Free {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The state of one call.
struct Call<'a> {
    host: &'a Host,
    items: &'a Items,
    chunk: usize,
    random: fastrand::Rng,
    /// Helpers that nobody has summoned yet, and those that were.
    missing: usize,
    summoned: usize,
    /// Helpers that are hot when the call begins.
    hot: usize,
    /// What each worker offers, the largest run first.
    offers: Vec<VecDeque<Task>>,
    /// Workers who offer something.
    offering: BTreeSet<usize>,
    idle: BTreeSet<usize>,
    /// Workers who process items at the moment, and the folder that each of them is at.
    active: usize,
    /// For how long all workers together have processed items.
    busy_ns: f64,
    folder_of: Vec<usize>,
    /// Workers who are free at a time, and those who are once so much work is done: all who process items
    /// slow each other down alike, whatever they are at.
    now_ns: f64,
    free: BinaryHeap<Reverse<Free>>,
    work_ns: f64,
    done: BinaryHeap<Reverse<Free>>,
    folders: Vec<Folder>,
}

/// What a call takes, in nanoseconds.
pub(super) struct Took {
    pub(super) wall_ns: f64,
    /// All workers together, for items and pieces.
    pub(super) busy_ns: f64,
}

/// How long a call takes, in nanoseconds: serially with one worker.
pub(super) fn time_ns(
    host: &Host,
    items: &Items,
    plan: (usize, usize),
    hot: usize,
    seed: u64,
) -> f64 {
    run(host, items, plan, hot, seed).wall_ns
}

/// Carries a call out.
pub(super) fn run(
    host: &Host,
    items: &Items,
    (workers, chunk): (usize, usize),
    hot: usize,
    seed: u64,
) -> Took {
    let chunk = chunk.clamp(1, items.len().max(1));
    let workers = workers.min(items.len().div_ceil(chunk));
    if workers < 2 {
        let alone_ns = items.time_ns(0, items.len());
        return Took { wall_ns: alone_ns, busy_ns: alone_ns };
    }
    let mut call = Call {
        host,
        items,
        chunk,
        random: fastrand::Rng::with_seed(seed),
        missing: workers - 1,
        summoned: 0,
        hot,
        offers: vec![VecDeque::new(); workers],
        offering: BTreeSet::new(),
        idle: BTreeSet::new(),
        active: 0,
        busy_ns: 0.0,
        folder_of: vec![0; workers],
        now_ns: 0.0,
        free: BinaryHeap::new(),
        work_ns: 0.0,
        done: BinaryHeap::new(),
        folders: vec![Folder { parent: 0, end_ns: 0.0 }],
    };
    let wall_ns = call.run();
    Took { wall_ns, busy_ns: call.busy_ns }
}

impl Call<'_> {
    fn run(&mut self) -> f64 {
        // The first half is offered before anybody is summoned.
        let whole = Task { start: 0, end: self.items.len(), folder: 0 };
        if let Some((left, right)) = self.halves(whole) {
            self.offer(0, right);
            self.offer(0, left);
        }
        self.free.push(Reverse(Free { at_ns: 0.0, worker: 0 }));
        while let Some(worker) = self.next() {
            if self.missing > 0 && !self.offering.is_empty() {
                self.summon(worker);
            } else if let Some(task) = self.offers[worker].pop_back() {
                self.note_offers(worker);
                self.process(worker, task, 0.0);
            } else {
                self.steal(worker);
            }
        }
        self.reduced()
    }

    /// Goes on to the next moment in which a worker has nothing to do.
    fn next(&mut self) -> Option<usize> {
        let slowdown = self.host.sharing.slowdown(self.active.max(1));
        let free_ns = self.free.peek().map_or(f64::INFINITY, |Reverse(free)| free.at_ns);
        let done_ns = self.done.peek().map_or(f64::INFINITY, |Reverse(done)| {
            self.now_ns + (done.at_ns - self.work_ns) * slowdown
        });
        let next_ns = free_ns.min(done_ns);
        if next_ns.is_finite() {
            self.busy_ns += self.active as f64 * (next_ns - self.now_ns);
        }
        let worker = if done_ns <= free_ns {
            let Reverse(Free { at_ns, worker }) = self.done.pop()?;
            self.work_ns = at_ns;
            self.active -= 1;
            let folder = self.folder_of[worker];
            self.folders[folder].end_ns = next_ns;
            worker
        } else {
            self.work_ns += (next_ns - self.now_ns) / slowdown;
            self.free.pop()?.0.worker
        };
        self.now_ns = next_ns;
        Some(worker)
    }

    /// A worker hands one helper to the pool.
    fn summon(&mut self, worker: usize) {
        self.missing -= 1;
        self.summoned += 1;
        let is_hot = self.summoned <= self.hot;
        let (spawn_ns, wake_ns) = self.host.start_ns(is_hot, &mut self.random);
        self.is_free_at(worker, self.now_ns + spawn_ns);
        self.is_free_at(self.summoned, self.now_ns + spawn_ns + wake_ns);
    }

    fn is_free_at(&mut self, worker: usize, at_ns: f64) {
        self.free.push(Reverse(Free { at_ns, worker }));
    }

    /// Takes the largest offer of the next worker who has one.
    fn steal(&mut self, worker: usize) {
        let next = self.offering.range(worker..).next().or_else(|| self.offering.first());
        let Some(&victim) = next else {
            self.idle.insert(worker);
            return;
        };
        let task = self.offers[victim].pop_front().expect("it offers something");
        self.note_offers(victim);
        let folder = self.folders.len();
        self.folders.push(Folder { parent: task.folder, end_ns: self.now_ns });
        self.process(worker, Task { folder, ..task }, self.host.steal_ns);
    }

    /// Processes the first chunk of a run, after so much else, and offers the rest in halves.
    fn process(&mut self, worker: usize, mut task: Task, before_ns: f64) {
        let mut offered = 0;
        while let Some((left, right)) = self.halves(task) {
            self.offer(worker, right);
            offered += 1;
            task = left;
        }
        self.active += 1;
        self.folder_of[worker] = task.folder;
        let items_ns = self.items.time_ns(task.start, task.end) / self.host.speed(worker);
        let work_ns = before_ns + self.host.claim_ns + self.items.piece_ns + items_ns;
        self.done.push(Reverse(Free { at_ns: self.work_ns + work_ns, worker }));
        // Those who look for work see what was just offered.
        for _ in 0..offered {
            let Some(idle) = self.idle.pop_first() else { break };
            self.is_free_at(idle, self.now_ns);
        }
    }

    /// A run of more than a chunk in two, the left one in whole chunks.
    fn halves(&self, task: Task) -> Option<(Task, Task)> {
        let pieces = (task.end - task.start).div_ceil(self.chunk);
        let middle = task.start + pieces.div_ceil(2) * self.chunk;
        (pieces > 1).then_some((Task { end: middle, ..task }, Task { start: middle, ..task }))
    }

    fn offer(&mut self, worker: usize, task: Task) {
        self.offers[worker].push_back(task);
        self.offering.insert(worker);
    }

    fn note_offers(&mut self, worker: usize) {
        if self.offers[worker].is_empty() {
            self.offering.remove(&worker);
        }
    }

    /// When the results of all folders are one. Each owner reduces what was taken from it, the last first.
    fn reduced(&mut self) -> f64 {
        for index in (1..self.folders.len()).rev() {
            let Folder { parent, end_ns } = self.folders[index];
            let both_ns = self.folders[parent].end_ns.max(end_ns);
            self.folders[parent].end_ns = both_ns + self.items.reduce_ns;
        }
        self.folders[0].end_ns
    }
}

#[cfg(test)]
mod tests {
    use super::super::scenario::Sharing;
    use super::*;

    fn host(sharing: Sharing) -> Host {
        Host {
            workers: 8,
            spawn_ns: 0.0,
            wake_ns: 0.0,
            cold_spawn_ns: 1_000.0,
            cold_wake_ns: 5_000.0,
            wake_spread: 0.0,
            stragglers: 0.0,
            claim_ns: 0.0,
            steal_ns: 0.0,
            slow_cores: 0,
            sharing,
        }
    }

    fn equal(n: usize, item_ns: f64) -> Items {
        Items::new(vec![item_ns; n], 0.0, 0.0)
    }

    #[test]
    fn without_costs_the_work_is_divided_evenly() {
        let time = |workers| time_ns(&host(Sharing::None), &equal(64, 10.0), (workers, 1), 8, 1);
        assert_eq!(time(1), 640.0);
        assert_eq!([2, 4, 8].map(time), [320.0, 160.0, 80.0]);
        let took = run(&host(Sharing::None), &equal(64, 10.0), (4, 1), 8, 1);
        assert_eq!(took.busy_ns, 640.0);
    }

    #[test]
    fn there_are_never_more_workers_than_chunks() {
        let host = Host { spawn_ns: 100.0, ..host(Sharing::None) };
        assert_eq!(time_ns(&host, &equal(10, 10.0), (8, 10), 8, 1), 100.0);
        // One helper is summoned, not seven.
        assert_eq!(time_ns(&host, &equal(10, 10.0), (8, 5), 8, 1), 150.0);
    }

    #[test]
    fn a_cold_helper_comes_late_and_the_caller_has_worked_meanwhile() {
        let host = host(Sharing::None);
        // The caller starts after 1 µs, the helper after 6: 100 − 5 items are left for both.
        assert_eq!(time_ns(&host, &equal(100, 1_000.0), (2, 1), 0, 1), 54_000.0);
    }

    #[test]
    fn workers_beyond_the_bandwidth_gain_nothing() {
        let host = host(Sharing::Bandwidth { workers: 2.0 });
        let time = |workers| time_ns(&host, &equal(800, 10.0), (workers, 1), 8, 1);
        assert_eq!(time(2), 4_000.0);
        assert!((time(8) / time(2) - 1.0).abs() < 0.02);
    }

    #[test]
    fn every_stolen_run_is_reduced_once() {
        let items = Items::new(vec![100.0; 2], 0.0, 7.0);
        assert_eq!(time_ns(&host(Sharing::None), &items, (2, 1), 8, 1), 107.0);
    }

    #[test]
    fn a_chunk_that_is_dearer_than_all_others_decides_the_time() {
        let mut times = vec![1.0; 64];
        times[63] = 1_000.0;
        let items = Items::new(times, 0.0, 0.0);
        let time = time_ns(&host(Sharing::None), &items, (8, 1), 8, 1);
        assert!((1_000.0..1_010.0).contains(&time), "{time}");
    }
}
