//! The hand-over: lends work that lives on the caller's stack to helpers from a pool.
//!
//! This and the allocator are the only modules of Amorsize with `unsafe` code. `handover.md` beside this file states
//! the protocol and why it holds; the comments here refer to its rules by number.

#![allow(unsafe_code)]
#![doc = include_str!("handover.md")]

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use sync::{Arc, AtomicU64, AtomicUsize, Mutex, Ordering, Thread, UnsafeCell};

/// Where helpers come from. Injectable, so that the protocol can be proved without a pool.
pub(crate) trait Spawner: Sync {
    /// Redeems `ticket` on some other thread, at any later time or never.
    fn spawn(&self, ticket: Ticket);

    /// Runs other pending work on this thread if there is any; false when there was none.
    fn run_other_work(&self) -> bool;
}

/// What a panic carries.
pub(crate) type Payload = Box<dyn Any + Send>;

/// The gate: no helper may enter.
const CLOSED: u64 = 1 << 63;
/// The caller sleeps until the last helper leaves.
const PARKED: u64 = 1 << 62;
/// Bits 0 to 15: helpers inside.
const INSIDE: u64 = 0xffff;
/// Bits 16 to 31: helpers that have entered since the gate was opened.
const ENTERED_SHIFT: u32 = 16;
/// Bits 32 to 47: helpers that may enter while the gate is open.
const ALLOWED_SHIFT: u32 = 32;
/// Most helpers that one call can have.
const MAX_HELPERS: usize = 0xffff;

/// How often the caller looks at the gate before it does something else.
const SPINS: u32 = if cfg!(loom) { 1 } else { 4_000 };
/// How long the caller sleeps at most before it looks again.
const NAP: Duration = Duration::from_micros(200);

/// Borrowed work with its type erased.
#[derive(Clone, Copy)]
struct Errand {
    /// Points to the `H` of [`Desk::lend`], which outlives the open gate.
    helper: *const (),
    /// Calls that `H`.
    call: unsafe fn(*const (), usize),
}

/// Calls the helper function behind an erased pointer.
///
/// # Safety
///
/// `helper` must point to a live `H`.
unsafe fn call<H: Fn(usize) + Sync>(helper: *const (), seat: usize) {
    // SAFETY: the caller of this function guarantees a live `H`; sharing it is allowed by `H: Sync`.
    let helper = unsafe { &*helper.cast::<H>() };
    helper(seat);
}

/// A desk, as its owner and helpers hold it.
pub(crate) type SharedDesk = Arc<Desk>;

/// A place where one thread lends out work, one call at a time.
pub(crate) struct Desk {
    gate: AtomicU64,
    /// Helpers that were spawned and have not started yet.
    pending: AtomicUsize,
    /// When one was spawned last. Kept here for those who spawn; the protocol does not look at it.
    pub(crate) summoned_ns: AtomicU64,
    /// Written only by the owner while the gate is closed and nobody is inside; read only by helpers
    /// that are inside.
    errand: UnsafeCell<Option<Errand>>,
    /// The first panic of a helper.
    panic: Mutex<Option<Payload>>,
    owner: Thread,
}

// SAFETY: all fields but `errand` are `Sync` by themselves. `errand` holds a raw pointer to an
// `H: Sync` and is accessed as rules 1 and 2 say, never by a writer and a reader at the same time.
unsafe impl Sync for Desk {}
// SAFETY: see above; the pointer in `errand` may be used from any thread because `H: Sync`.
unsafe impl Send for Desk {}

impl Desk {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Desk {
            gate: AtomicU64::new(CLOSED),
            pending: AtomicUsize::new(0),
            summoned_ns: AtomicU64::new(0),
            errand: UnsafeCell::new(None),
            panic: Mutex::new(None),
            owner: sync::current_thread(),
        })
    }

    /// [`Desk::lend`], with all helpers summoned at once.
    #[cfg(test)]
    pub(crate) fn share<H, R>(
        desk: &Arc<Self>,
        helpers: usize,
        spawner: &dyn Spawner,
        helper: &H,
        caller: impl FnOnce() -> R,
    ) -> R
    where
        H: Fn(usize) + Sync,
    {
        Desk::lend(desk, helpers, spawner, helper, || {
            Desk::summon(desk, helpers, spawner);
            caller()
        })
    }

    /// Runs `caller` here while up to `helpers` pool threads run `helper`, each with its own seat
    /// number from 1 on. Returns when `caller` has returned and no helper is inside. Helpers come as `caller`,
    /// what it calls on this thread, or helpers inside summon them.
    ///
    /// # Panics
    ///
    /// Resumes the panic of `caller`, else the first panic of a helper, after all have left.
    fn lend<H, R>(
        desk: &Arc<Self>,
        helpers: usize,
        spawner: &dyn Spawner,
        helper: &H,
        caller: impl FnOnce() -> R,
    ) -> R
    where
        H: Fn(usize) + Sync,
    {
        let helpers = helpers.min(MAX_HELPERS);
        let errand = Errand { helper: std::ptr::from_ref(helper).cast(), call: call::<H> };
        desk.errand.with_mut(|slot| {
            // SAFETY: rule 1: the gate is closed and nobody is inside, since `Desk::new` or since
            // the wait at the end of the previous call; this thread alone opens it.
            unsafe { *slot = Some(errand) }
        });
        desk.gate.store((helpers as u64) << ALLOWED_SHIFT, Ordering::SeqCst);

        // Rule 3: from here to the end of the wait nothing may unwind past this frame.
        let guard = AbortOnUnwind;
        let outcome = catch_unwind(AssertUnwindSafe(caller));
        desk.close_and_wait(spawner);
        std::mem::forget(guard);

        let helper_panic = desk.panic.lock().unwrap_or_else(|e| e.into_inner()).take();
        match (outcome, helper_panic) {
            (Ok(result), None) => result,
            (Err(payload), second) => {
                // The second payload's own drop could panic in turn.
                std::mem::forget(second);
                resume_unwind(payload)
            }
            (Ok(result), Some(payload)) => {
                drop(result);
                resume_unwind(payload)
            }
        }
    }

    /// Spawns the helpers that are missing. For the owner, while the gate is open.
    pub(crate) fn summon(desk: &Arc<Self>, helpers: usize, spawner: &dyn Spawner) {
        for _ in 0..desk.missing(helpers) {
            Desk::summon_one(desk, spawner);
        }
    }

    /// How many of so many helpers have to be spawned. Rule 4: helpers of earlier calls that have not started
    /// yet count. For the owner, while the gate is open.
    pub(crate) fn missing(&self, helpers: usize) -> usize {
        helpers.saturating_sub(self.pending.load(Ordering::SeqCst))
    }

    /// Helpers that were spawned and have not started.
    pub(crate) fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    /// Spawns a helper. For the owner while the gate is open, and for helpers inside.
    pub(crate) fn summon_one(desk: &Arc<Self>, spawner: &dyn Spawner) {
        desk.pending.fetch_add(1, Ordering::SeqCst);
        spawner.spawn(Ticket(Arc::clone(desk)));
    }

    /// A helper's work, once it has started.
    fn serve(&self) {
        let Some(seat) = self.enter() else { return };
        let inside = Inside(self);
        let errand = self.errand.with(|slot| {
            // SAFETY: rule 2: this helper is inside, so the owner does not write.
            unsafe { *slot }
        });
        let errand = errand.expect("an open gate has an errand");
        // SAFETY: rule 2: the owner keeps the `H` alive until nobody is inside, and this helper is
        // inside until `inside` drops.
        let work = || unsafe { (errand.call)(errand.helper, seat) };
        let outcome = catch_unwind(AssertUnwindSafe(work));
        if let Err(payload) = outcome {
            let mut first = self.panic.lock().unwrap_or_else(|e| e.into_inner());
            match *first {
                None => *first = Some(payload),
                // The payload's own drop could panic in turn.
                Some(_) => std::mem::forget(payload),
            }
        }
        drop(inside);
    }

    /// Enters the gate while it is open and has seats left, and returns the seat.
    fn enter(&self) -> Option<usize> {
        let entered = |gate: u64| (gate >> ENTERED_SHIFT) & INSIDE;
        self.gate
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |gate| {
                let allowed = (gate >> ALLOWED_SHIFT) & INSIDE;
                (gate & CLOSED == 0 && entered(gate) < allowed)
                    .then(|| gate + (1 << ENTERED_SHIFT) + 1)
            })
            .ok()
            .map(|gate| entered(gate) as usize + 1)
    }

    fn leave(&self) {
        let gate = self.gate.fetch_sub(1, Ordering::AcqRel);
        // The desk stays alive through the helper's own `Arc`, whatever the owner does from here on.
        if gate & INSIDE == 1 && gate & PARKED != 0 {
            self.owner.unpark();
        }
    }

    fn close_and_wait(&self, spawner: &dyn Spawner) {
        let mut gate = self.gate.fetch_or(CLOSED, Ordering::AcqRel);
        let mut looks = 0;
        while gate & INSIDE != 0 {
            if looks < SPINS {
                looks += 1;
                sync::spin_loop();
            } else if !spawner.run_other_work() {
                gate = self.gate.fetch_or(PARKED, Ordering::AcqRel);
                if gate & INSIDE == 0 {
                    break;
                }
                sync::park_timeout(NAP);
            }
            gate = self.gate.load(Ordering::Acquire);
        }
    }
}

/// A helper that was spawned and has not started: counted in `pending` until it starts, or until the
/// pool drops it unstarted.
pub(crate) struct Ticket(Arc<Desk>);

impl Ticket {
    /// Starts the helper.
    pub(crate) fn redeem(self) {
        let desk = Arc::clone(&self.0);
        drop(self);
        desk.serve();
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Leaves the gate when dropped, on every path.
struct Inside<'a>(&'a Desk);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// Ends the process if the owner would unwind while helpers may hold its borrowed work.
struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        std::process::abort();
    }
}

thread_local! {
    /// Desks of this thread that are not in use: one per depth of nesting that has occurred.
    static DESKS: RefCell<Vec<Arc<Desk>>> = const { RefCell::new(Vec::new()) };
}

/// A desk of the calling thread, put back for the next call when dropped.
struct OwnDesk(Option<Arc<Desk>>);

impl OwnDesk {
    fn get() -> Self {
        let free = DESKS.try_with(|desks| desks.borrow_mut().pop()).ok().flatten();
        OwnDesk(Some(free.unwrap_or_else(Desk::new)))
    }

    fn desk(&self) -> &Arc<Desk> {
        self.0.as_ref().expect("it is there until this is dropped")
    }
}

impl Drop for OwnDesk {
    fn drop(&mut self) {
        // While the thread ends there is no list any more, and the desk goes with it.
        let _ = DESKS.try_with(|desks| desks.borrow_mut().extend(self.0.take()));
    }
}

/// Gives `work` a desk of the calling thread.
pub(crate) fn at_desk<R>(work: impl FnOnce(&SharedDesk) -> R) -> R {
    let own = OwnDesk::get();
    work(own.desk())
}

/// [`Desk::share`] at a desk of the calling thread.
#[cfg(all(test, not(loom)))]
pub(crate) fn share(
    helpers: usize,
    spawner: &dyn Spawner,
    helper: &(dyn Fn(usize) + Sync),
    caller: &mut dyn FnMut(),
) {
    at_desk(|desk| Desk::share(desk, helpers, spawner, &helper, caller));
}

/// [`Desk::lend`], without type parameters: one copy serves all loops of a program.
pub(crate) fn lend(
    desk: &SharedDesk,
    helpers: usize,
    spawner: &dyn Spawner,
    helper: &(dyn Fn(usize) + Sync),
    caller: &mut dyn FnMut(),
) {
    Desk::lend(desk, helpers, spawner, &helper, caller);
}

/// The synchronisation primitives, replaced by loom's when the protocol is model-checked.
mod sync {
    pub(super) use imp::*;

    #[cfg(not(loom))]
    mod imp {
        pub(crate) use std::hint::spin_loop;
        pub(crate) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
        pub(crate) use std::sync::{Arc, Mutex};
        pub(crate) use std::thread::{Thread, current as current_thread, park_timeout};

        /// `std::cell::UnsafeCell` with loom's interface.
        pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

        impl<T> UnsafeCell<T> {
            pub(crate) fn new(value: T) -> Self {
                UnsafeCell(std::cell::UnsafeCell::new(value))
            }
            pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
                f(self.0.get())
            }
            pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
                f(self.0.get())
            }
        }
    }

    #[cfg(loom)]
    mod imp {
        pub(crate) use loom::cell::UnsafeCell;
        pub(crate) use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
        pub(crate) use loom::sync::{Arc, Mutex};
        pub(crate) use loom::thread::{Thread, current as current_thread};

        pub(crate) fn spin_loop() {
            loom::thread::yield_now();
        }

        /// Without a time limit: a wake-up that the protocol forgets is then found as a deadlock.
        pub(crate) fn park_timeout(_: std::time::Duration) {
            loom::thread::park();
        }
    }
}

#[cfg(all(test, loom))]
#[path = "handover_loom.rs"]
mod loom_tests;

#[cfg(all(test, not(loom)))]
#[path = "handover_tests.rs"]
mod tests;
