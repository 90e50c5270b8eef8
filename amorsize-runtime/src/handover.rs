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
/// The number of the call, which starts again after 2¹⁴ of them.
const CALL: Field = Field { shift: 48, bits: 14 };
/// Helpers that wait for the next call, neither inside nor pending.
const WAITING: Field = Field { shift: 36, bits: 12 };
/// Helpers that may enter while the gate is open.
const ALLOWED: Field = Field { shift: 24, bits: 12 };
/// Helpers that have entered since the gate was opened.
const ENTERED: Field = Field { shift: 12, bits: 12 };
/// Helpers inside.
const INSIDE: Field = Field { shift: 0, bits: 12 };
/// Helpers that one call can have, less those that wait already.
const MAX_HELPERS: u64 = (1 << INSIDE.bits) - 1;

/// How often the caller looks at the gate before it does something else.
const SPINS: u32 = if cfg!(loom) { 1 } else { 4_000 };
/// How long the caller sleeps at most before it looks again.
const NAP: Duration = Duration::from_micros(200);

/// A number within the gate.
#[derive(Clone, Copy)]
struct Field {
    shift: u32,
    bits: u32,
}

impl Field {
    /// One of what it counts.
    const fn one(self) -> u64 {
        1 << self.shift
    }

    const fn mask(self) -> u64 {
        ((1 << self.bits) - 1) << self.shift
    }

    const fn of(self, gate: u64) -> u64 {
        (gate & self.mask()) >> self.shift
    }
}

/// A helper's place in one call.
#[derive(Clone, Copy)]
struct Place {
    /// The number of the call.
    call: u64,
    seat: usize,
}

/// What helpers do for a call.
pub(crate) trait Help: Sync {
    /// The work of the helper at `seat`, from 1 on.
    fn help(&self, seat: usize);
}

impl<F: Fn(usize) + Sync> Help for F {
    fn help(&self, seat: usize) {
        self(seat);
    }
}

/// Borrowed work, which outlives the open gate: the reference of [`Desk::lend`] without its lifetime.
type Errand = *const (dyn Help + 'static);

/// A desk, as its owner and helpers hold it.
pub(crate) type SharedDesk = Arc<Desk>;

/// A place where one thread lends out work, one call at a time.
///
/// In the order in which helpers need it: the first fields share a cache line.
#[repr(C, align(128))]
pub(crate) struct Desk {
    gate: AtomicU64,
    /// Written only by the owner while the gate is closed and nobody is inside; read only by helpers
    /// that are inside.
    errand: UnsafeCell<Option<Errand>>,
    /// How long helpers stay after this call. This and the other times are kept here for those who spawn and wait; the
    /// protocol does not look at them.
    pub(crate) stay_ns: AtomicU64,
    /// Helpers that were spawned and have not started yet.
    pending: AtomicUsize,
    /// When one was spawned last.
    pub(crate) summoned_ns: AtomicU64,
    /// The first panic of a helper.
    panic: Mutex<Option<Payload>>,
    owner: Thread,
    /// When the last call ended.
    pub(crate) ended_ns: AtomicU64,
}

// SAFETY: all fields but `errand` are `Sync` by themselves. `errand` holds a raw pointer to a
// `Help`, which is `Sync`, and is accessed as rules 1 and 2 say, never by a writer and a reader at the same time.
unsafe impl Sync for Desk {}
// SAFETY: see above; the pointer in `errand` may be used from any thread because a `Help` is `Sync`.
unsafe impl Send for Desk {}

impl Desk {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Desk {
            gate: AtomicU64::new(CLOSED),
            errand: UnsafeCell::new(None),
            stay_ns: AtomicU64::new(0),
            pending: AtomicUsize::new(0),
            summoned_ns: AtomicU64::new(0),
            panic: Mutex::new(None),
            owner: sync::current_thread(),
            ended_ns: AtomicU64::new(0),
        })
    }

    /// [`Desk::lend`], with all helpers summoned at once.
    #[cfg(test)]
    pub(crate) fn share<R>(
        desk: &Arc<Self>,
        helpers: usize,
        spawner: &dyn Spawner,
        helper: &dyn Help,
        caller: impl FnOnce() -> R,
    ) -> R {
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
    fn lend<R>(
        desk: &Arc<Self>,
        helpers: usize,
        spawner: &dyn Spawner,
        helper: &dyn Help,
        caller: impl FnOnce() -> R,
    ) -> R {
        // SAFETY: only the lifetime changes, which nothing relies on but rule 2.
        let errand = unsafe { std::mem::transmute::<*const (dyn Help + '_), Errand>(helper) };
        desk.errand.with_mut(|slot| {
            // SAFETY: rule 1: the gate is closed and nobody is inside, since `Desk::new` or since
            // the wait at the end of the previous call; this thread alone opens it.
            unsafe { *slot = Some(errand) }
        });
        desk.open(helpers);

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
    /// yet, or have stayed, count. For the owner, while the gate is open, before anything is spawned.
    pub(crate) fn missing(&self, helpers: usize) -> usize {
        let gate = self.gate.load(Ordering::SeqCst);
        // Who entered first may have left already.
        let stayed = WAITING.of(gate) + ENTERED.of(gate);
        helpers.saturating_sub(self.pending.load(Ordering::SeqCst) + stayed as usize)
    }

    /// Helpers that have entered the present call.
    pub(crate) fn entered(&self) -> usize {
        ENTERED.of(self.gate.load(Ordering::Relaxed)) as usize
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

    /// Opens the gate for the next call and so many helpers. For the owner, while the gate is closed and nobody inside.
    fn open(&self, helpers: usize) {
        let open = |gate| {
            let call = (CALL.of(gate) + 1) << CALL.shift & CALL.mask();
            // All who enter may wait afterwards: the bound is that of both.
            let allowed = (helpers as u64).min(MAX_HELPERS - WAITING.of(gate));
            Some(call | gate & WAITING.mask() | allowed << ALLOWED.shift)
        };
        self.gate.fetch_update(Ordering::SeqCst, Ordering::SeqCst, open).expect("it always opens");
    }

    /// A helper's work in the present call.
    fn serve(&self, place: Place) {
        let errand = self.errand.with(|slot| {
            // SAFETY: rule 2: this helper is inside, so the owner does not write.
            unsafe { *slot }
        });
        let errand = errand.expect("an open gate has an errand");
        // SAFETY: rule 2: the owner keeps what this points to alive until nobody is inside, and this helper is
        // inside until the caller of this function lets it leave.
        let work = || unsafe { &*errand }.help(place.seat);
        let outcome = catch_unwind(AssertUnwindSafe(work));
        if let Err(payload) = outcome {
            let mut first = self.panic.lock().unwrap_or_else(|e| e.into_inner());
            match *first {
                None => *first = Some(payload),
                // The payload's own drop could panic in turn.
                Some(_) => std::mem::forget(payload),
            }
        }
    }

    /// Enters the gate while it is open and has seats left.
    fn enter(&self) -> Option<Place> {
        let enter = |gate| has_room(gate).then(|| gate + ENTERED.one() + INSIDE.one());
        self.gate.fetch_update(Ordering::SeqCst, Ordering::SeqCst, enter).ok().map(Place::next)
    }

    /// Leaves the gate, to wait for the next call or for good.
    fn leave(&self, waits: bool) {
        let waiting = if waits { WAITING.one() } else { 0 };
        let gate = self.gate.fetch_add(waiting.wrapping_sub(INSIDE.one()), Ordering::AcqRel);
        // The desk stays alive through the helper's own `Arc`, whatever the owner does from here on.
        if INSIDE.of(gate) == 1 && gate & PARKED != 0 {
            self.owner.unpark();
        }
    }

    /// Waits, as one who counts as waiting, for a later call than `last`, and enters it.
    fn wait(&self, last: u64, linger: &mut dyn Linger) -> Option<Place> {
        let is_next = |gate| has_room(gate) && CALL.of(gate) != last;
        let entered = |gate| gate + ENTERED.one() + INSIDE.one() - WAITING.one();
        loop {
            if is_next(self.gate.load(Ordering::Relaxed)) {
                let enter = |gate| is_next(gate).then(|| entered(gate));
                match self.gate.fetch_update(Ordering::SeqCst, Ordering::SeqCst, enter) {
                    Ok(gate) => return Some(Place::next(gate)),
                    // Others were faster.
                    Err(_) => continue,
                }
            }
            if linger.goes_on() {
                sync::spin_loop();
                continue;
            }
            let enter_or_go =
                |gate| Some(if is_next(gate) { entered(gate) } else { gate - WAITING.one() });
            let gate = self.gate.fetch_update(Ordering::SeqCst, Ordering::SeqCst, enter_or_go);
            let place = gate.ok().filter(|&gate| is_next(gate)).map(Place::next);
            if place.is_some() || !(linger.returns() && self.wait_again()) {
                return place;
            }
        }
    }

    /// Counts as waiting again, unless too many do.
    fn wait_again(&self) -> bool {
        let has_room = |gate| WAITING.of(gate) + ALLOWED.of(gate) < MAX_HELPERS;
        let wait = |gate| has_room(gate).then(|| gate + WAITING.one());
        self.gate.fetch_update(Ordering::SeqCst, Ordering::SeqCst, wait).is_ok()
    }

    fn close_and_wait(&self, spawner: &dyn Spawner) {
        let mut gate = self.gate.fetch_or(CLOSED, Ordering::AcqRel);
        let mut looks = 0;
        while INSIDE.of(gate) != 0 {
            if looks < SPINS {
                looks += 1;
                sync::spin_loop();
            } else if !spawner.run_other_work() {
                gate = self.gate.fetch_or(PARKED, Ordering::AcqRel);
                if INSIDE.of(gate) == 0 {
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
    /// Starts the helper. Once it has served a call, it waits for the next one if that is what `linger` wants.
    pub(crate) fn redeem(self, linger: &mut dyn Linger) {
        let desk = Arc::clone(&self.0);
        drop(self);
        let mut place = desk.enter();
        while let Some(here) = place {
            let mut inside = Inside { desk: &desk, waits: false };
            desk.serve(here);
            inside.waits = linger.begins(&desk);
            let waits = inside.waits;
            drop(inside);
            if !waits {
                return;
            }
            place = desk.wait(here.call, linger);
        }
    }
}

/// Whether and how long helpers wait for the next call.
pub(crate) trait Linger {
    /// Whether one does that has served a call at `desk`.
    fn begins(&mut self, desk: &Desk) -> bool;

    /// Whether it goes on, having looked in vain. Asked again and again.
    fn goes_on(&mut self) -> bool;

    /// It has given up waiting, and counts no more. Whether it waits once more.
    fn returns(&mut self) -> bool;
}

impl Place {
    /// That of the helper that enters next.
    fn next(gate: u64) -> Self {
        Place { call: CALL.of(gate), seat: ENTERED.of(gate) as usize + 1 }
    }
}

/// Whether the gate is open and has a seat left.
fn has_room(gate: u64) -> bool {
    gate & CLOSED == 0 && ENTERED.of(gate) < ALLOWED.of(gate)
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Leaves the gate when dropped, on every path.
struct Inside<'a> {
    desk: &'a Desk,
    /// For the next call.
    waits: bool,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.desk.leave(self.waits);
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
    helper: &dyn Help,
    caller: &mut dyn FnMut(),
) {
    at_desk(|desk| Desk::share(desk, helpers, spawner, helper, caller));
}

/// [`Desk::lend`], without type parameters: one copy serves all loops of a program.
pub(crate) fn lend(
    desk: &SharedDesk,
    helpers: usize,
    spawner: &dyn Spawner,
    helper: &dyn Help,
    caller: &mut dyn FnMut(),
) {
    Desk::lend(desk, helpers, spawner, helper, caller);
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
