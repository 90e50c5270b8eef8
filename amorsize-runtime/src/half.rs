//! The right half of a run while its owner folds the left one: on offer, taken, or done. It changes hands under a lock
//! that is held for a move.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

use crate::board::Shift;
use crate::run::Run;

/// How long an owner sleeps at most before it looks again.
const NAP: Duration = Duration::from_micros(200);

/// The right half of a run while its owner folds the left one.
pub(crate) struct Half<P, C, R> {
    /// Whether `state` is [`State::Offered`]: a hint, checked under the lock.
    on_offer: AtomicBool,
    state: Mutex<State<P, C, R>>,
    pub(crate) done: Done,
}

enum State<P, C, R> {
    Empty,
    Offered(Run<P, C>),
    /// Somebody folds it.
    Taken,
    Done(Finished<R>),
}

/// What came of a run, and what whoever folded it did.
type Finished<R> = (thread::Result<R>, Shift);

impl<P, C, R> Half<P, C, R> {
    pub(crate) fn empty() -> Self {
        let state = Mutex::new(State::Empty);
        Half { on_offer: AtomicBool::new(false), state, done: Done::new() }
    }

    /// Is on offer.
    pub(crate) fn of(run: Run<P, C>) -> Self {
        let state = Mutex::new(State::Offered(run));
        Half { on_offer: AtomicBool::new(true), state, done: Done::new() }
    }

    fn replace(&self, state: State<P, C, R>) -> State<P, C, R> {
        // No user code runs under the lock.
        std::mem::replace(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner), state)
    }

    pub(crate) fn offer(&self, run: Run<P, C>) {
        self.done.clear();
        // Before it is: a thief who took it at once would otherwise have said first that it is not.
        self.on_offer.store(true, Ordering::Relaxed);
        self.replace(State::Offered(run));
    }

    pub(crate) fn is_on_offer(&self) -> bool {
        self.on_offer.load(Ordering::Relaxed)
    }

    /// Takes the run, unless a thief was faster.
    pub(crate) fn take(&self) -> Option<Run<P, C>> {
        self.take_under(self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the run from its owner, unless somebody was faster or is about to be: of many who try at once, nobody should
    /// have to sleep before the lock.
    pub(crate) fn steal(&self) -> Option<Run<P, C>> {
        match self.state.try_lock() {
            Ok(state) => self.take_under(state),
            Err(TryLockError::Poisoned(state)) => self.take_under(state.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn take_under(&self, mut state: MutexGuard<'_, State<P, C, R>>) -> Option<Run<P, C>> {
        match std::mem::replace(&mut *state, State::Taken) {
            State::Offered(run) => {
                self.on_offer.store(false, Ordering::Relaxed);
                Some(run)
            }
            other => {
                *state = other;
                None
            }
        }
    }

    pub(crate) fn finish(&self, result: thread::Result<R>, shift: Shift) {
        self.replace(State::Done((result, shift)));
        self.done.set();
    }

    /// What was made of it, once nobody else is there.
    pub(crate) fn into_result(self) -> Finished<R> {
        match self.state.into_inner().unwrap_or_else(PoisonError::into_inner) {
            State::Done(finished) => finished,
            _ => unreachable!("it was waited for"),
        }
    }

    pub(crate) fn result(&self) -> Finished<R> {
        match self.replace(State::Empty) {
            State::Done(finished) => finished,
            _ => unreachable!("the owner has waited for it"),
        }
    }
}

/// Tells the owner of a half that its result is there. On a cache line of its own, as the owner looks at it all the time.
#[repr(C)]
pub(crate) struct Done {
    /// An alignment would say the same, but takes an allocator several times as long.
    _before: MaybeUninit<[u8; LINE]>,
    set: AtomicBool,
    /// The owner sleeps, or is about to.
    has_sleeper: AtomicBool,
    sleeper: Mutex<Option<thread::Thread>>,
    _after: MaybeUninit<[u8; LINE]>,
}

/// Bytes of a cache line.
const LINE: usize = 64;

impl Done {
    fn new() -> Self {
        Done {
            _before: MaybeUninit::uninit(),
            set: AtomicBool::new(false),
            has_sleeper: AtomicBool::new(false),
            sleeper: Mutex::new(None),
            _after: MaybeUninit::uninit(),
        }
    }

    pub(crate) fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }

    fn clear(&self) {
        self.set.store(false, Ordering::Relaxed);
        self.has_sleeper.store(false, Ordering::Relaxed);
    }

    fn set(&self) {
        self.set.store(true, Ordering::SeqCst);
        // An owner that says later that it sleeps has seen the flag.
        if self.has_sleeper.load(Ordering::SeqCst) {
            let sleeper = self.sleeper.lock().unwrap_or_else(PoisonError::into_inner).take();
            sleeper.inspect(thread::Thread::unpark);
        }
    }

    /// Sleeps for a while unless it is set.
    pub(crate) fn sleep(&self) {
        *self.sleeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current());
        self.has_sleeper.store(true, Ordering::SeqCst);
        if !self.set.load(Ordering::SeqCst) {
            thread::park_timeout(NAP);
        }
    }
}
