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

use sync::{Arc, AtomicBool, AtomicU64, AtomicUsize, Mutex, Ordering, Thread, UnsafeCell};

/// Where helpers come from. Injectable, so that the protocol can be proved without a pool.
pub(crate) trait Spawner {
    /// Redeems `ticket` on some other thread, at any later time or never.
    fn spawn(&self, ticket: Ticket);

    /// Runs other pending work on this thread if there is any; false when there was none. For callers that wait.
    fn run_other_work(&self) -> bool;

    /// How often a caller that waits looks at the gate before it asks for other work.
    fn looks(&self) -> u32 {
        SPINS
    }
}

/// What a panic carries.
pub(crate) type Payload = Box<dyn Any + Send>;

/// The gate: no helper may enter.
const CLOSED: u64 = 1 << 63;
/// The caller sleeps until the last helper leaves. Of the gate and of a stool.
const PARKED: u64 = 1 << 62;
/// Helpers that may enter while the gate is open, those on stools included.
const ALLOWED: Field = Field { shift: 24, bits: 12 };
/// Helpers that were called from their stools, or have entered since the gate was opened.
const ENTERED: Field = Field { shift: 12, bits: 12 };
/// Helpers inside that came through the gate.
const INSIDE: Field = Field { shift: 0, bits: 12 };
/// Helpers that one call can have.
const MAX_HELPERS: u64 = (1 << INSIDE.bits) - 1;

/// An order: none.
const NONE: u64 = 0;
/// Who sits there is called, and has not noticed. Its seat is above these bits.
const CALLED: u64 = 1;
/// It has come, and is inside.
const WORKS: u64 = 2;
/// It did not notice during a whole call: no other one counts on it before it does.
const ABSENT: u64 = 3;
/// Which of these it is.
const STATE: u64 = 3;
const SEAT: Field = Field { shift: 2, bits: 12 };

/// How often a caller looks at the gate before it does something else.
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
/// What many read has no neighbours that others write: of many cores that want one cache line, each waits for all others.
#[repr(C, align(128))]
pub(crate) struct Desk {
    gate: AtomicU64,
    /// Written only by the owner while the gate is closed and nobody is inside; read only by helpers
    /// that are inside.
    errand: UnsafeCell<Option<Errand>>,
    /// How long helpers stay after this call. This and the other times are kept here for those who spawn and wait; the
    /// protocol does not look at them.
    pub(crate) stay_ns: Apart<AtomicU64>,
    /// Helpers that were spawned and have not started yet.
    pending: AtomicUsize,
    /// When one was spawned last.
    pub(crate) summoned_ns: AtomicU64,
    /// When the last call ended; 0 while one runs, and after one that panicked.
    pub(crate) ended_ns: AtomicU64,
    /// How many helpers had come to it.
    came: AtomicUsize,
    /// The first panic of a helper.
    panic: Mutex<Option<Payload>>,
    owner: Thread,
    /// Where helpers wait for the next call.
    stools: Box<[Stool]>,
}

/// Shares no cache line with what is beside it.
#[repr(align(128))]
pub(crate) struct Apart<T>(pub(crate) T);

/// Where one helper waits for the next call, and hears of it without a look at what others look at.
#[repr(align(128))]
struct Stool {
    /// A helper sits here, and looks at the order.
    is_taken: AtomicBool,
    /// What the owner wants of it.
    order: AtomicU64,
    /// For the call. Written only by the owner, before it calls who sits here; read only by who has answered.
    errand: UnsafeCell<Option<Errand>>,
}

impl Stool {
    fn new() -> Self {
        let (is_taken, order) = (AtomicBool::new(false), AtomicU64::new(NONE));
        Stool { is_taken, order, errand: UnsafeCell::new(None) }
    }

    /// Sits down, unless somebody does already.
    fn take(&self) -> bool {
        !self.is_taken.load(Ordering::Relaxed) && !self.is_taken.swap(true, Ordering::AcqRel)
    }

    fn change(&self, from: u64, to: u64) -> bool {
        self.order.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Whether a helper waits here that can be counted on. For the owner, while nobody is inside.
    fn has_helper(&self) -> bool {
        self.is_taken.load(Ordering::Relaxed) && self.order.load(Ordering::Relaxed) == NONE
    }

    /// Calls who waits here, if somebody does. For the owner, while nobody is inside: a store that it need not wait for.
    fn call(&self, errand: Errand, seat: usize) -> bool {
        let has_helper = self.has_helper();
        if has_helper {
            self.errand.with_mut(|slot| {
                // SAFETY: rule 1: nobody is inside, and nobody else calls.
                unsafe { *slot = Some(errand) }
            });
            self.order.store(CALLED | (seat as u64) << SEAT.shift, Ordering::Release);
        }
        has_helper
    }

    /// Takes the call back unless it was answered; whether it was not. For the owner.
    fn take_back(&self) -> bool {
        let order = self.order.load(Ordering::Relaxed);
        // If the change fails, somebody works.
        order & STATE == CALLED && self.change(order, ABSENT)
    }

    /// Comes if there is a call; its seat. For who sits here.
    fn answer(&self) -> Option<usize> {
        let order = self.order.load(Ordering::Relaxed);
        match order & STATE {
            // If the change fails, the owner has taken the call back.
            CALLED if self.change(order, WORKS) => return Some(SEAT.of(order) as usize),
            ABSENT => _ = self.change(order, NONE),
            _ => {}
        }
        None
    }
}

// SAFETY: all fields but the errand of each are `Sync` by themselves. An errand is a raw pointer to a `Help`, which is
// `Sync`, and is accessed as rules 1 and 2 say, never by a writer and a reader at the same time.
unsafe impl Sync for Desk {}
// SAFETY: as for the desk.
unsafe impl Sync for Stool {}
// SAFETY: see above; the pointer may be used from any thread because a `Help` is `Sync`.
unsafe impl Send for Desk {}
// SAFETY: as for the desk.
unsafe impl Send for Stool {}

impl Desk {
    /// With room for so many helpers that wait.
    pub(crate) fn new(stools: usize) -> Arc<Self> {
        Arc::new(Desk {
            gate: AtomicU64::new(CLOSED),
            errand: UnsafeCell::new(None),
            stay_ns: Apart(AtomicU64::new(0)),
            pending: AtomicUsize::new(0),
            summoned_ns: AtomicU64::new(0),
            ended_ns: AtomicU64::new(0),
            came: AtomicUsize::new(0),
            panic: Mutex::new(None),
            owner: sync::current_thread(),
            stools: (0..stools).map(|_| Stool::new()).collect(),
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
        desk.open(errand, helpers);

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
    /// yet, or were called, count. For the owner, while the gate is open, before anything is spawned.
    pub(crate) fn missing(&self, helpers: usize) -> usize {
        match helpers.saturating_sub(self.entered()) {
            0 => 0,
            to_come => to_come.saturating_sub(self.pending.load(Ordering::SeqCst)),
        }
    }

    /// Helpers that have entered the present call, or were called to it.
    pub(crate) fn entered(&self) -> usize {
        ENTERED.of(self.gate.load(Ordering::Relaxed)) as usize
    }

    /// Helpers that had come to the last call when it was over.
    pub(crate) fn came(&self) -> usize {
        self.came.load(Ordering::Relaxed)
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

    /// Calls those who wait, and opens the gate for the rest of so many helpers. For the owner, while the gate is closed and
    /// nobody inside.
    fn open(&self, errand: Errand, helpers: usize) {
        let allowed = helpers.min(MAX_HELPERS as usize);
        let waiting = self.waiting(allowed);
        let gate = (allowed as u64) << ALLOWED.shift | (waiting as u64) << ENTERED.shift;
        // Where none has to come through the gate, nobody looks at `pending` either (rule 4).
        let order = if waiting < allowed { Ordering::SeqCst } else { Ordering::Release };
        self.gate.store(gate, order);
        let mut seats = 1..=waiting;
        let mut seat = seats.next();
        for stool in &self.stools {
            let Some(of_this) = seat else { break };
            if stool.call(errand, of_this) {
                seat = seats.next();
            }
        }
    }

    /// How many helpers wait, if not more than `most`.
    pub(crate) fn waiting(&self, most: usize) -> usize {
        self.stools.iter().filter(|stool| stool.has_helper()).take(most).count()
    }

    /// A helper's work in the present call.
    ///
    /// # Safety
    ///
    /// This helper is inside, and has not left when this returns.
    unsafe fn serve(&self, errand: &UnsafeCell<Option<Errand>>, seat: usize) {
        let errand = errand.with(|slot| {
            // SAFETY: rule 2: this helper is inside, so the owner does not write.
            unsafe { *slot }
        });
        let errand = errand.expect("who is called, or finds the gate open, has an errand");
        // SAFETY: rule 2: the owner keeps what this points to alive until nobody is inside.
        let work = || unsafe { &*errand }.help(seat);
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

    /// Enters the gate while it is open and has seats left; the seat.
    fn enter(&self) -> Option<usize> {
        let enter = |gate| has_room(gate).then(|| gate + ENTERED.one() + INSIDE.one());
        let gate = self.gate.fetch_update(Ordering::SeqCst, Ordering::SeqCst, enter).ok()?;
        Some(ENTERED.of(gate) as usize + 1)
    }

    /// Leaves the gate.
    fn leave(&self) {
        let gate = self.gate.fetch_sub(INSIDE.one(), Ordering::AcqRel);
        // The desk stays alive through the helper's own `Arc`, whatever the owner does from here on.
        if INSIDE.of(gate) == 1 && gate & PARKED != 0 {
            self.owner.unpark();
        }
    }

    /// Sits down on a stool if one is free, the one for this seat first.
    fn sit_down(&self, seat: usize) -> Option<&Stool> {
        let (before, from) = self.stools.split_at((seat - 1).min(self.stools.len()));
        from.iter().chain(before).find(|stool| stool.take())
    }

    /// Waits on a stool for calls, and serves them, until `linger` has enough.
    fn wait(&self, stool: &Stool, linger: &mut dyn Linger) {
        loop {
            if let Some(seat) = stool.answer() {
                let working = Working { desk: self, stool };
                // SAFETY: rule 2: it has answered, and leaves when `working` is dropped.
                unsafe { self.serve(&stool.errand, seat) };
                let waits = linger.begins(self);
                drop(working);
                if !waits {
                    break;
                }
            } else if linger.goes_on(self) {
                sync::spin_loop();
            } else {
                break;
            }
        }
        // A call that comes at this moment is answered by who sits down next, or taken back.
        stool.is_taken.store(false, Ordering::Release);
    }

    fn close_and_wait(&self, spawner: &dyn Spawner) {
        let gate = self.gate.fetch_or(CLOSED, Ordering::AcqRel);
        let absent = self.stools.iter().filter(|stool| stool.take_back()).count();
        self.came.store(ENTERED.of(gate) as usize - absent, Ordering::Relaxed);
        let mut looks = 0;
        self.wait_for(&self.gate, |gate| INSIDE.of(gate) != 0, &mut looks, spawner);
        for stool in &self.stools {
            self.wait_for(&stool.order, |order| order & STATE == WORKS, &mut looks, spawner);
        }
    }

    /// Waits as long as somebody is inside, as `place` tells.
    fn wait_for(
        &self,
        place: &AtomicU64,
        is_inside: impl Fn(u64) -> bool,
        looks: &mut u32,
        spawner: &dyn Spawner,
    ) {
        loop {
            let state = place.load(Ordering::Acquire);
            if !is_inside(state) {
                return;
            } else if *looks < spawner.looks() {
                *looks += 1;
                sync::spin_loop();
            } else if !spawner.run_other_work() {
                let park = |state| is_inside(state).then_some(state | PARKED);
                if place.fetch_update(Ordering::AcqRel, Ordering::Acquire, park).is_ok() {
                    sync::park_timeout(NAP);
                }
            }
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
        let Some(visit) = Visit::of(&desk) else { return };
        visit.serve();
        // Before it leaves: the next call must find it there.
        let stool = if linger.begins(&desk) { desk.sit_down(visit.seat) } else { None };
        drop(visit);
        if let Some(stool) = stool {
            desk.wait(stool, linger);
        }
    }
}

/// A helper inside, that came through the gate. It leaves when this is dropped, on every path.
pub(crate) struct Visit<'d> {
    desk: &'d Arc<Desk>,
    seat: usize,
}

impl<'d> Visit<'d> {
    /// Enters the present call, if there is one and it has a seat left.
    pub(crate) fn of(desk: &'d SharedDesk) -> Option<Self> {
        let seat = desk.enter()?;
        Some(Visit { desk, seat })
    }

    /// Works there.
    pub(crate) fn serve(&self) {
        // SAFETY: rule 2: it has entered, and leaves when `self` is dropped.
        unsafe { self.desk.serve(&self.desk.errand, self.seat) };
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.desk.leave();
    }
}

/// Whether and how long helpers wait for the next call.
pub(crate) trait Linger {
    /// Whether one does that has served a call at `desk`.
    fn begins(&mut self, desk: &Desk) -> bool;

    /// Whether it goes on, having looked in vain. Asked again and again; what it does meanwhile should be short.
    fn goes_on(&mut self, desk: &Desk) -> bool;
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

/// Leaves the work that it was called to from a stool when dropped, on every path.
struct Working<'a> {
    desk: &'a Desk,
    stool: &'a Stool,
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        // The desk stays alive, as above.
        if self.stool.order.swap(NONE, Ordering::AcqRel) & PARKED != 0 {
            self.desk.owner.unpark();
        }
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
    /// With room for so many helpers that wait.
    fn get(stools: usize) -> Self {
        let free = DESKS.try_with(|desks| desks.borrow_mut().pop()).ok().flatten();
        let large = free.filter(|desk| desk.stools.len() >= stools);
        OwnDesk(Some(large.unwrap_or_else(|| Desk::new(stools.next_power_of_two()))))
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

/// Gives `work` a desk of the calling thread for so many helpers.
pub(crate) fn at_desk<R>(helpers: usize, work: impl FnOnce(&SharedDesk) -> R) -> R {
    let own = OwnDesk::get(helpers);
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
    at_desk(helpers, |desk| Desk::share(desk, helpers, spawner, helper, caller));
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
        pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
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
        pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
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
