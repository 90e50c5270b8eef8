//! The protocol on real threads. Also run under Miri, see CONTRIBUTING.md.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, mpsc};
use std::thread;

use super::*;
use crate::linger::Leaving;

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

/// A pool that keeps its jobs until it is told to run them, like one that is busy with other work.
#[derive(Default)]
struct Busy(std::sync::Mutex<Vec<Ticket>>);

impl Busy {
    fn len(&self) -> usize {
        self.0.lock().expect("no panic under the lock").len()
    }

    fn run_all(&self) {
        let tickets = std::mem::take(&mut *self.0.lock().expect("no panic under the lock"));
        tickets.into_iter().for_each(|ticket| ticket.redeem(&mut Leaving));
    }
}

impl Spawner for Busy {
    fn spawn(&self, ticket: Ticket) {
        self.0.lock().expect("no panic under the lock").push(ticket);
    }

    fn run_other_work(&self) -> bool {
        false
    }
}

/// Rounds of a stress test; Miri is some thousand times slower.
const ROUNDS: usize = if cfg!(miri) { 6 } else { 2_000 };

#[test]
fn every_claim_is_made_once_on_1_to_8_threads() {
    for helpers in 0..8 {
        let desk = Desk::new(4);
        for _ in 0..ROUNDS / 8 + 1 {
            let items = 64;
            let next = AtomicUsize::new(0);
            let claims: Vec<AtomicUsize> = (0..items).map(|_| AtomicUsize::new(0)).collect();
            let work = |_seat: usize| {
                while let Some(mine) = claims.get(next.fetch_add(1, Ordering::Relaxed)) {
                    mine.fetch_add(1, Ordering::Relaxed);
                }
            };
            Desk::share(&desk, helpers, &Threads, &work, || work(0));
            assert!(claims.into_iter().all(|count| count.into_inner() == 1));
        }
    }
}

#[test]
fn seats_are_distinct_and_within_what_was_asked_for() {
    let desk = Desk::new(4);
    for _ in 0..ROUNDS / 10 + 1 {
        let seats = Mutex::new(Vec::new());
        Desk::share(&desk, 3, &Threads, &|seat| seats.lock().unwrap().push(seat), || {});
        let mut seats = seats.into_inner().unwrap();
        seats.sort_unstable();
        seats.dedup_by(|a, b| {
            assert_ne!(a, b, "two helpers had one seat");
            false
        });
        assert!(seats.iter().all(|seat| (1..=3).contains(seat)), "{seats:?}");
    }
}

#[test]
fn a_helper_that_comes_after_the_end_is_turned_away() {
    let pool = Busy::default();
    let desk = Desk::new(4);
    let late = Desk::share(&desk, 2, &pool, &|_| panic!("nobody may come in"), || "done");
    assert_eq!(late, "done");
    assert_eq!(pool.len(), 2);
    pool.run_all();
}

#[test]
fn calls_beside_a_busy_pool_spawn_no_more_helpers_than_one_call_needs() {
    let pool = Busy::default();
    let desk = Desk::new(4);
    for _ in 0..1_000 {
        Desk::share(&desk, 3, &pool, &|_| (), || ());
    }
    assert_eq!(pool.len(), 3);
    pool.run_all();
    Desk::share(&desk, 3, &pool, &|_| (), || ());
    assert_eq!(pool.len(), 3, "helpers that have started are replaced");
}

#[test]
fn a_helper_of_an_earlier_call_serves_a_later_one() {
    let pool = Busy::default();
    let desk = Desk::new(4);
    Desk::share(&desk, 1, &pool, &|_| panic!("the first call is over"), || ());
    let served = AtomicUsize::new(0);
    let count = |_| _ = served.fetch_add(1, Ordering::Relaxed);
    Desk::share(&desk, 1, &pool, &count, || pool.run_all());
    assert_eq!(served.into_inner(), 1);
}

#[test]
fn a_pool_that_drops_its_jobs_is_asked_again() {
    struct Forgetful(AtomicUsize);
    impl Spawner for Forgetful {
        fn spawn(&self, _: Ticket) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        fn run_other_work(&self) -> bool {
            false
        }
    }
    let pool = Forgetful(AtomicUsize::new(0));
    let desk = Desk::new(4);
    for _ in 0..3 {
        Desk::share(&desk, 2, &pool, &|_| (), || ());
    }
    assert_eq!(pool.0.into_inner(), 6);
}

#[test]
fn the_callers_panic_waits_for_helpers_that_are_inside() {
    let (entered, inside) = mpsc::channel();
    let entered = Mutex::new(entered);
    let (open, opened) = (Mutex::new(false), Condvar::new());
    let left = AtomicUsize::new(0);
    let helper = |_| {
        entered.lock().unwrap().send(()).unwrap();
        let mut open = open.lock().unwrap();
        while !*open {
            open = opened.wait(open).unwrap();
        }
        left.fetch_add(1, Ordering::Relaxed);
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        Desk::share(&Desk::new(4), 1, &Threads, &helper, || {
            inside.recv().unwrap();
            *open.lock().unwrap() = true;
            opened.notify_all();
            panic!("the caller's");
        });
    }));
    assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&"the caller's"));
    assert_eq!(left.into_inner(), 1);
}

#[test]
fn a_helpers_panic_reaches_the_caller_and_the_desk_goes_on() {
    let desk = Desk::new(4);
    let pool = Busy::default();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        Desk::share(&desk, 2, &pool, &|_| panic!("a helper's"), || pool.run_all());
    }));
    assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&"a helper's"));
    let served = AtomicUsize::new(0);
    let count = |_| _ = served.fetch_add(1, Ordering::Relaxed);
    Desk::share(&desk, 2, &pool, &count, || pool.run_all());
    assert_eq!(served.into_inner(), 2);
}

#[test]
fn the_callers_own_panic_wins_over_a_helpers() {
    let pool = Busy::default();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        Desk::share(&Desk::new(4), 1, &pool, &|_| panic!("a helper's"), || {
            pool.run_all();
            panic!("the caller's");
        });
    }));
    assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&"the caller's"));
}

#[test]
fn a_call_inside_a_call_uses_another_desk() {
    let pool = Busy::default();
    let served = AtomicUsize::new(0);
    let inner = |_| _ = served.fetch_add(1, Ordering::Relaxed);
    let outer = |_| panic!("the pool is busy until the outer call is over");
    share(1, &Busy::default(), &outer, &mut || {
        share(1, &pool, &inner, &mut || pool.run_all());
    });
    assert_eq!(served.into_inner(), 1);
}

#[test]
fn the_caller_sleeps_until_a_slow_helper_leaves() {
    let (entered, inside) = mpsc::channel();
    let (start, started) = mpsc::channel::<thread::ThreadId>();
    let started = Mutex::new(started);
    let entered = Mutex::new(entered);
    let helper = |_| {
        entered.lock().unwrap().send(()).unwrap();
        // Long enough for the caller to run out of looks: it waits for this very channel.
        started.lock().unwrap().recv().unwrap();
        (0..200).for_each(|_| thread::yield_now());
    };
    Desk::share(&Desk::new(4), 1, &Threads, &helper, || {
        inside.recv().unwrap();
        start.send(thread::current().id()).unwrap();
    });
}

/// A thread for every helper, counted, that waits for the next call until it is told to stop.
#[derive(Default)]
struct Waiting {
    spawned: AtomicUsize,
    stop: std::sync::Arc<AtomicBool>,
    /// Held while helpers that wait should not look.
    blindfold: std::sync::Arc<Mutex<()>>,
}

struct UntilStopped {
    stop: std::sync::Arc<AtomicBool>,
    blindfold: std::sync::Arc<Mutex<()>>,
}

impl Linger for UntilStopped {
    fn begins(&mut self, _: &Desk) -> bool {
        true
    }

    fn goes_on(&mut self, _: &Desk) -> bool {
        thread::yield_now();
        drop(self.blindfold.lock().unwrap());
        !self.stop.load(Ordering::Relaxed)
    }
}

impl Spawner for Waiting {
    fn spawn(&self, ticket: Ticket) {
        self.spawned.fetch_add(1, Ordering::Relaxed);
        let (stop, blindfold) = (self.stop.clone(), self.blindfold.clone());
        thread::spawn(move || ticket.redeem(&mut UntilStopped { stop, blindfold }));
    }

    fn run_other_work(&self) -> bool {
        false
    }
}

/// Has `pool` spawn a helper if one is missing, and waits until it has come.
fn call_with_one_helper(desk: &Arc<Desk>, pool: &Waiting) {
    let has_come = AtomicBool::new(false);
    Desk::share(desk, 1, pool, &|_| has_come.store(true, Ordering::Relaxed), || {
        while !has_come.load(Ordering::Relaxed) {
            thread::yield_now();
        }
    });
}

#[test]
fn a_helper_that_waits_serves_call_after_call() {
    let (desk, pool) = (Desk::new(4), Waiting::default());
    (0..ROUNDS).for_each(|_| call_with_one_helper(&desk, &pool));
    assert_eq!(pool.spawned.load(Ordering::Relaxed), 1);
    pool.stop.store(true, Ordering::Relaxed);
}

#[test]
fn a_helper_that_has_stopped_waiting_is_replaced() {
    let (desk, pool) = (Desk::new(4), Waiting::default());
    call_with_one_helper(&desk, &pool);
    pool.stop.store(true, Ordering::Relaxed);
    while desk.stools.iter().any(|stool| stool.is_taken.load(Ordering::Relaxed)) {
        thread::yield_now();
    }
    call_with_one_helper(&desk, &pool);
    assert_eq!(pool.spawned.load(Ordering::Relaxed), 2);
}

#[test]
fn a_helper_that_does_not_answer_is_not_waited_for_and_counts_again_once_it_has_looked() {
    let (desk, pool) = (Desk::new(4), Waiting::default());
    call_with_one_helper(&desk, &pool);
    let blindfold = pool.blindfold.lock().unwrap();
    // The call ends all the same. Unless the helper has just looked, in which case it answers once more.
    while desk.waiting(1) == 1 {
        Desk::share(&desk, 1, &pool, &|_| (), || ());
    }
    assert_eq!(pool.spawned.load(Ordering::Relaxed), 1);
    drop(blindfold);
    while desk.waiting(1) == 0 {
        thread::yield_now();
    }
    call_with_one_helper(&desk, &pool);
    assert_eq!(pool.spawned.load(Ordering::Relaxed), 1);
    pool.stop.store(true, Ordering::Relaxed);
}

#[test]
fn many_who_wait_enter_a_call_that_has_room_for_few() {
    let (desk, pool) = (Desk::new(4), Waiting::default());
    let inside = AtomicUsize::new(0);
    let all_four = |_: usize| {
        inside.fetch_add(1, Ordering::Relaxed);
        while inside.load(Ordering::Relaxed) < 4 {
            thread::yield_now();
        }
    };
    Desk::share(&desk, 3, &pool, &all_four, || all_four(0));
    for _ in 0..ROUNDS {
        let came = AtomicUsize::new(0);
        let work = |seat| assert_eq!((seat, came.fetch_add(1, Ordering::Relaxed)), (1, 0));
        Desk::share(&desk, 1, &pool, &work, || {
            while came.load(Ordering::Relaxed) == 0 {
                thread::yield_now();
            }
        });
    }
    assert_eq!(pool.spawned.load(Ordering::Relaxed), 3);
    pool.stop.store(true, Ordering::Relaxed);
}
