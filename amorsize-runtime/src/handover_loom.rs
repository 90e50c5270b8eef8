//! The protocol under loom: all interleavings of a few threads, with a preemption bound.
//!
//! Run by `RUSTFLAGS="--cfg loom" cargo test --release -p amorsize-runtime --lib loom`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread::{self, JoinHandle};

use super::{Desk, Linger, Spawner, Ticket};

/// A loom thread for every helper; all are joined before a model ends, so that the late ones run too.
#[derive(Default)]
struct Threads(Mutex<Vec<JoinHandle<()>>>);

impl Threads {
    fn join(self) {
        let handles = std::mem::take(&mut *self.0.lock().unwrap());
        handles.into_iter().for_each(|handle| handle.join().unwrap());
    }
}

impl Spawner for Threads {
    fn spawn(&self, ticket: Ticket) {
        self.0.lock().unwrap().push(thread::spawn(|| ticket.redeem(&mut Once(0))));
    }

    fn run_other_work(&self) -> bool {
        false
    }
}

/// Waits after each call until it has looked twice.
struct Once(u32);

impl Linger for Once {
    fn begins(&mut self, _: &Desk) -> bool {
        self.0 = 0;
        true
    }

    fn goes_on(&mut self, _: &Desk) -> bool {
        self.0 += 1;
        self.0 == 1
    }
}

fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// Takes claims until none is left.
fn take_all(next: &AtomicUsize, claims: usize) -> usize {
    let mut taken = 0;
    while next.fetch_add(1, Ordering::Relaxed) < claims {
        taken += 1;
    }
    taken
}

/// Loom's cell reports an access by a helper that is not ordered before the caller's.
struct Shared<'a>(&'a loom::cell::UnsafeCell<usize>);

// SAFETY: of what is claimed once, only one thread writes; loom checks that.
unsafe impl Sync for Shared<'_> {}

impl Shared<'_> {
    fn add_one(&self) {
        // SAFETY: see above.
        self.0.with_mut(|value| unsafe { *value += 1 });
    }
}

/// Lends work on its stack that one thread can do.
fn call_with_borrowed_work(desk: &Arc<Desk>, pool: &Threads) {
    let work = loom::cell::UnsafeCell::new(0_usize);
    let next = AtomicUsize::new(0);
    let shared = Shared(&work);
    let run = |_: usize| {
        (0..take_all(&next, 1)).for_each(|_| shared.add_one());
    };
    Desk::share(desk, 1, pool, &run, || run(0));
    // SAFETY: the call is over, so nobody else holds the work; loom checks that.
    assert_eq!(work.with(|value| unsafe { *value }), 1);
}

#[test]
fn loom_borrowed_work_is_touched_only_while_the_gate_holds_it() {
    check(|| {
        let pool = Threads::default();
        call_with_borrowed_work(&Desk::new(1), &pool);
        pool.join();
    });
}

#[test]
fn loom_one_who_waits_touches_the_work_of_the_call_that_it_answers() {
    check(|| {
        let (pool, desk) = (Threads::default(), Desk::new(1));
        (0..2).for_each(|_| call_with_borrowed_work(&desk, &pool));
        pool.join();
    });
}

#[test]
fn loom_late_helpers_of_one_call_serve_the_next_or_leave() {
    check(|| {
        let pool = Threads::default();
        let desk = Desk::new(2);
        for _ in 0..2 {
            let next = AtomicUsize::new(0);
            let done = AtomicUsize::new(0);
            let run = |_: usize| _ = done.fetch_add(take_all(&next, 2), Ordering::Relaxed);
            Desk::share(&desk, 1, &pool, &run, || run(0));
            assert_eq!(done.load(Ordering::Relaxed), 2);
        }
        pool.join();
    });
}

#[test]
fn loom_two_helpers_never_share_a_seat() {
    check(|| {
        let pool = Threads::default();
        let desk = Desk::new(2);
        let seats = [AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0)];
        let run = |seat: usize| _ = seats[seat].fetch_add(1, Ordering::Relaxed);
        Desk::share(&desk, 2, &pool, &run, || run(0));
        assert!(seats.iter().all(|taken| taken.load(Ordering::Relaxed) <= 1));
        pool.join();
    });
}

#[test]
fn loom_a_panicking_caller_waits_too() {
    check(|| {
        let pool = Threads::default();
        let desk = Desk::new(2);
        let alive = AtomicUsize::new(1);
        let run = |_: usize| assert_eq!(alive.load(Ordering::Relaxed), 1);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            Desk::share(&desk, 1, &pool, &run, || std::panic::resume_unwind(Box::new("stop")));
        }));
        alive.store(0, Ordering::Relaxed);
        assert!(outcome.is_err_and(|payload| payload.is::<&str>()));
        pool.join();
    });
}
