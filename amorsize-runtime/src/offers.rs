//! What divide and conquer has on offer: right branches, while those who forked take the left ones.
//!
//! As long as all workers are busy nobody is told of an offer; at any later fork on the same thread that finds a worker
//! missing, a helper is summoned for the oldest one, which is the largest. A thread that has enough on offer makes no more
//! until somebody has taken one. Who waits for the helper that has taken its right
//! branch takes the oldest offer within that branch meanwhile (Wagner and Calder, "Leapfrogging: a portable technique for
//! implementing efficient futures", 1993): nobody has to be woken for it. Only if there is none for a while, a thread of the pool
//! runs whatever else the pool has.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::handover::{Desk, SharedDesk, Spawner, Ticket, Visit};
use crate::loops::Loop;
use crate::pool::{self, Busy, Pool};

/// So many offers of one thread are enough: whoever comes takes the oldest, and the next fork makes another one.
const PLENTY: usize = 4;

/// Who waits looks so often whether its helper is back before it looks for offers again: about half a microsecond.
const LOOKS: u32 = 16;

/// So many looks for offers in vain, and others are told that a worker is missing, …
const TELL_AFTER: u32 = 8;
/// … and so many, and it goes to sleep.
const SLEEP_AFTER: u32 = 256;

/// The helper that was summoned for an offer and has not come.
#[derive(Clone, Default)]
pub(crate) struct Summoned(Arc<Mutex<Option<Busy>>>);

impl Summoned {
    fn set(&self, busy: Busy) {
        *lock(&self.0) = Some(busy);
    }

    pub(crate) fn take(&self) -> Option<Busy> {
        lock(&self.0).take()
    }
}

/// What a thread has on offer and has not summoned anybody for, the oldest first.
#[derive(Default)]
pub(crate) struct Offers(Mutex<List>);

#[derive(Default)]
struct List {
    offers: VecDeque<Offer>,
    /// Offers so far.
    count: u64,
    /// The workers for which the last offer was made.
    workers: usize,
}

struct Offer {
    /// How many there were before it.
    number: u64,
    desk: SharedDesk,
    summoned: Summoned,
    target: &'static Loop,
    /// Units of work.
    cost: usize,
}

/// The offers of one thread from a number on.
#[derive(Clone)]
pub(crate) struct Source {
    offers: Arc<Offers>,
    from: u64,
}

thread_local! {
    static OFFERS: Arc<Offers> = Arc::default();
}

impl Offers {
    /// Those that this thread makes from now on; `None` for one that is ending.
    pub(crate) fn of_this_thread() -> Option<Source> {
        let source = |offers: &Arc<Offers>| {
            let from = lock(&offers.0).count;
            Source { offers: Arc::clone(offers), from }
        };
        OFFERS.try_with(source).ok()
    }
}

impl Source {
    /// Takes the oldest offer that this thread may work on, and works on it; false where there is none.
    fn work(&self, begin: impl FnOnce()) -> bool {
        let is_of_pool = rayon::current_thread_index().is_some();
        let may_take = |offer: &Offer| {
            offer.number >= self.from && (is_of_pool || !offer.target.options().on_pool)
        };
        let mut list = lock(&self.offers.0);
        let place = list.offers.iter().position(may_take);
        let Some(offer) = place.and_then(|place| list.offers.remove(place)) else { return false };
        // As long as the list is locked, whoever made the offer cannot withdraw it and go on to another call.
        let visit = Visit::of(&offer.desk);
        drop(list);
        let Some(visit) = visit else { return false };
        begin();
        // This thread counts as a worker already.
        offer.summoned.set(Busy::helpers(0));
        visit.serve();
        true
    }
}

/// What a thread has on offer while it takes the left branch. Withdrawn when dropped.
pub(crate) struct Offered<'d>(&'d SharedDesk);

/// Whether this thread has so much on offer, and nobody to summon for it, that it need not offer more.
pub(crate) fn are_plenty() -> bool {
    are_plenty_unless(Busy::is_one_missing)
}

fn are_plenty_unless(is_one_missing: impl Fn(usize) -> bool) -> bool {
    let are_plenty = |offers: &Arc<Offers>| {
        let list = lock(&offers.0);
        list.offers.len() >= PLENTY && list.workers > 1 && !is_one_missing(list.workers)
    };
    OFFERS.try_with(are_plenty).unwrap_or(false)
}

/// Adds a branch of so many units of work to the offers of this thread, for so many workers in all.
pub(crate) fn offer<'d>(
    desk: &'d SharedDesk,
    summoned: &Summoned,
    target: &'static Loop,
    cost: usize,
    workers: usize,
) -> Offered<'d> {
    // A thread that is ending offers nothing.
    let _ = OFFERS.try_with(|offers| {
        let mut list = lock(&offers.0);
        let (desk, summoned, number) = (SharedDesk::clone(desk), summoned.clone(), list.count);
        list.offers.push_back(Offer { number, desk, summoned, target, cost });
        list.count += 1;
        list.workers = workers;
    });
    Offered(desk)
}

/// Summons a helper for the oldest offer of this thread if fewer than so many workers are busy.
pub(crate) fn summon(workers: usize) {
    let oldest = OFFERS.try_with(|offers| {
        let mut list = lock(&offers.0);
        list.offers.front()?;
        let busy = Busy::helper_within(workers)?;
        Some((busy, list.offers.pop_front()?))
    });
    if let Ok(Some((busy, oldest))) = oldest {
        oldest.summoned.set(busy);
        Desk::summon(&oldest.desk, 1, &Pool::Rayon);
    }
}

/// The cost of the oldest offer of this thread, if it is one of `target`.
pub(crate) fn oldest_cost(target: &Loop) -> Option<usize> {
    let cost = |offers: &Arc<Offers>| {
        let list = lock(&offers.0);
        let oldest = list.offers.front()?;
        std::ptr::eq(oldest.target, target).then_some(oldest.cost)
    };
    OFFERS.try_with(cost).ok().flatten()
}

impl Drop for Offered<'_> {
    fn drop(&mut self) {
        let _ = OFFERS.try_with(|offers| {
            let mut list = lock(&offers.0);
            // Unless it was taken, or a helper summoned for it.
            if list.offers.back().is_some_and(|last| SharedDesk::ptr_eq(&last.desk, self.0)) {
                list.offers.pop_back();
            }
        });
    }
}

/// No user code runs under the locks of this module.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A branch that somebody takes, and then its result.
pub(crate) struct Branch<F, R> {
    state: Mutex<State<F>>,
    result: Mutex<Option<R>>,
}

enum State<F> {
    Open(F),
    /// By a thread that makes these offers meanwhile.
    Taken(Option<Source>),
}

impl<F: FnOnce() -> R, R> Branch<F, R> {
    pub(crate) fn new(branch: F) -> Self {
        Branch { state: Mutex::new(State::Open(branch)), result: Mutex::new(None) }
    }

    /// The branch, for a thread that makes these offers while it runs it; where somebody else has it, what that one offers.
    pub(crate) fn take(&self, offers: Option<Source>) -> Result<F, Option<Source>> {
        let mut state = lock(&self.state);
        if let State::Taken(source) = &*state {
            return Err(source.clone());
        }
        match std::mem::replace(&mut *state, State::Taken(offers)) {
            State::Open(branch) => Ok(branch),
            State::Taken(_) => unreachable!("it was open"),
        }
    }

    pub(crate) fn run(&self, branch: F) {
        let result = branch();
        *lock(&self.result) = Some(result);
    }

    pub(crate) fn result(self) -> Option<R> {
        self.result.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a caller does until the helper that has taken its right branch is done.
#[derive(Default)]
pub(crate) struct Waiting {
    /// The offers within that branch.
    source: Cell<Option<Source>>,
    /// Looks for offers in vain since there was one.
    looks: Cell<u32>,
    /// Others are told that a worker is missing.
    missing: Cell<Option<Busy>>,
}

impl Waiting {
    pub(crate) fn begin(&self, source: Option<Source>) {
        self.source.set(source);
    }

    /// Works on something within the branch; false where there is nothing.
    fn work_within(&self) -> bool {
        let Some(source) = self.source.take() else { return false };
        let found = source.work(|| drop(self.missing.take()));
        self.source.set(Some(source));
        found
    }

    fn tell(&self) {
        let missing = self.missing.take();
        self.missing.set(missing.or_else(|| Some(Busy::waiting())));
    }
}

impl Spawner for Waiting {
    fn spawn(&self, ticket: Ticket) {
        Pool::Rayon.spawn(ticket);
    }

    fn looks(&self) -> u32 {
        LOOKS
    }

    fn run_other_work(&self) -> bool {
        if self.work_within() {
            self.looks.set(0);
            return true;
        }
        let looks = self.looks.get();
        self.looks.set(looks.saturating_add(1));
        // Who is not of the pool is replaced by a thread of it, which then needs the core.
        let patience =
            if rayon::current_thread_index().is_some() { TELL_AFTER } else { SLEEP_AFTER };
        if looks >= patience {
            self.tell();
            if Pool::Rayon.run_other_work() {
                return true;
            }
        }
        if looks >= SLEEP_AFTER {
            return false;
        }
        pool::note_use(pool::now_ns(), 1);
        (0..LOOKS).for_each(|_| std::hint::spin_loop());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handover;
    use crate::options::Options;

    static LOOP: Loop = Loop::new("fork", Options::NONE, &[]);
    static ON_POOL: Loop = Loop::new("on_pool", Options { on_pool: true, ..Options::NONE }, &[]);

    /// Offers `right` while `left` runs, which gets what is offered from before and from after this; whether it ran.
    fn offered(target: &'static Loop, left: impl FnOnce(&Source, &Source)) -> bool {
        let (summoned, ran) = (Summoned::default(), Mutex::new(false));
        let right = |_| *lock(&ran) = summoned.take().is_some();
        let before = Offers::of_this_thread().expect("this thread is not ending");
        let mut left = Some(left);
        handover::at_desk(1, |desk| {
            handover::lend(desk, 1, &Waiting::default(), &right, &mut || {
                let _offered = offer(desk, &summoned, target, 1, 2);
                let after = Offers::of_this_thread().expect("this thread is not ending");
                left.take().expect("the caller works once")(&before, &after);
            });
        });
        ran.into_inner().expect("no test panics there")
    }

    /// What somebody else finds there.
    fn elsewhere(source: &Source) -> bool {
        std::thread::scope(|scope| scope.spawn(|| source.work(|| ())).join().expect("no panic"))
    }

    #[test]
    fn who_waits_takes_the_oldest_offer_within_its_branch_and_none_from_before_it() {
        let outer = offered(&LOOP, |all, inner| {
            assert!(!elsewhere(inner));
            assert!(offered(&LOOP, |_, _| assert!(elsewhere(inner) && !elsewhere(inner))));
            assert!(elsewhere(all) && !elsewhere(all));
        });
        assert!(outer);
    }

    #[test]
    fn nothing_is_on_offer_any_more_after_the_left_branch() {
        let mut source = None;
        assert!(!offered(&LOOP, |all, _| source = Some(all.clone())));
        assert!(!elsewhere(&source.expect("the left branch has run")));
    }

    #[test]
    fn offers_are_plenty_while_nobody_is_there_to_take_them() {
        let are_plenty = || are_plenty_unless(|_| false);
        fn plenty_within(depth: usize) -> Vec<bool> {
            let mut plenty = vec![are_plenty_unless(|_| false)];
            if depth > 0 {
                offered(&LOOP, |_, _| plenty.extend(plenty_within(depth - 1)));
            }
            plenty
        }
        assert_eq!(plenty_within(PLENTY), [false, false, false, false, true]);
        offered(&LOOP, |all, _| {
            offered(&LOOP, |_, _| {
                offered(&LOOP, |_, _| {
                    offered(&LOOP, |_, _| {
                        assert!(are_plenty() && !are_plenty_unless(|workers| workers == 2));
                        assert!(elsewhere(all) && !are_plenty());
                    });
                });
            });
        });
    }

    #[test]
    fn what_belongs_on_the_pool_is_not_taken_elsewhere() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
        let taken = offered(&ON_POOL, |all, _| {
            assert!(!elsewhere(all));
            assert!(pool.install(|| all.work(|| ())));
        });
        assert!(taken);
    }

    #[test]
    fn the_oldest_offer_has_the_cost_of_its_loop_alone() {
        offered(&LOOP, |_, _| {
            offered(&ON_POOL, |_, _| {
                assert_eq!([&LOOP, &ON_POOL].map(oldest_cost), [Some(1), None]);
            });
        });
        assert_eq!(oldest_cost(&LOOP), None);
    }

    #[test]
    fn a_thread_that_waits_long_is_missed_until_it_has_work() {
        let wait = |source: &Source| {
            let waiting = Waiting::default();
            assert!((0..SLEEP_AFTER).all(|_| waiting.run_other_work()));
            assert!(!waiting.run_other_work());
            let told = waiting.missing.take();
            assert!(told.is_some());
            waiting.missing.set(told);
            waiting.begin(Some(source.clone()));
            assert!(waiting.run_other_work());
            waiting.missing.take().is_none() && waiting.looks.get() == 0
        };
        let taken = offered(&LOOP, |all, _| {
            assert!(
                std::thread::scope(|scope| scope.spawn(|| wait(all)).join()).expect("no panic")
            );
        });
        assert!(taken);
    }
}
