//! Crews against their callers alone: which of them is faster, for the calls of a loop that the model has a crew for.
//!
//! What calls took at different times says little: clocks, caches and other processes change. So the one that is not in use is
//! tried for some calls in a row, and only that trial decides.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::mean::Mean;

/// The first short calls run alone, whatever the profile says: items of another size may be much cheaper. Side by
/// side, short ones may seem as dear as they were thought to be, while the data comes to many cores. Of the first of these
/// calls no more is kept than that caches are warm afterwards.
const LOOKS: u32 = 4;

/// One call in so many is part of a trial at most, …
pub(crate) const TRY_EVERY: u32 = 32;
/// … and trials are so seldom that they take no more than this share of the time, …
const TRIAL_SHARE: f64 = 1.0 / 128.0;
/// … but so many times as often before the first one, when only the first calls tell what a caller takes alone, with code and data
/// in no cache, …
const AT_FIRST: u32 = 16;
/// … and after the first and the second trial that crews have lost in a row, which a disturbance may have decided, …
const AGAIN_AFTER_ONE: u32 = 16;
const AGAIN_AFTER_TWO: u32 = 4;
/// … and after so many calls where the one in use seems to have become the slower one.
const DOUBT: u32 = 64;

/// More trials lost in a row than this make no difference.
const MANY_LOST: u32 = 3;
/// In place of that number: there was no trial yet.
const UNTRIED: u32 = u32::MAX;

/// Short calls are left to crews if they take their callers, alone, so many times as long: so few calls tell no more than that, and
/// crews cost what no call of the loop takes, such as memory that another thread has to give back. For the same reasons crews have
/// to win by as much where a profile is against them, however long calls are.
pub(crate) const WON_BY: f64 = 1.1;

/// Calls in a row of what is not in use.
pub(crate) struct Trial {
    pub(crate) calls: u32,
    /// The first ones do not count: a cold helper does not come to them, or their data is in the caches of others.
    pub(crate) settling: u32,
    /// Calls of a crew that tell what it takes. Some are no crew's: nobody comes to them.
    pub(crate) enough: f64,
}

impl Trial {
    /// Of long calls, fewer tell as much, and while they last somebody waits.
    pub(crate) const fn of(is_short: bool) -> Self {
        if is_short {
            Trial { calls: 32, settling: 8, enough: 16.0 }
        } else {
            Trial { calls: 8, settling: 2, enough: 4.0 }
        }
    }
}

/// No trial is due.
const NEVER: u32 = u32::MAX;

/// What calls of one size took, alone and in crews.
#[derive(Debug)]
pub(crate) struct Rivals {
    alone: Mean,
    crew: Mean,
    /// Calls so far that the model had a crew for.
    calls: AtomicU32,
    /// The call with which the next trial begins or the last one began.
    trial: AtomicU32,
    /// Trials in a row that crews have not won, the last one included.
    lost: AtomicU32,
}

/// What becomes of a call that the model has a crew for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// It runs alone, as nothing is known of calls of this size yet.
    Look {
        /// What it takes is noted.
        is_kept: bool,
    },
    /// It runs alone: crews have not won the last trial, or this is one.
    Alone,
    Crew,
}

impl Rivals {
    pub(crate) const fn new() -> Self {
        Rivals {
            alone: Mean::new(),
            crew: Mean::new(),
            calls: AtomicU32::new(0),
            trial: AtomicU32::new(NEVER),
            lost: AtomicU32::new(UNTRIED),
        }
    }

    /// Adds a call that took its caller, alone, so long for each item.
    pub(crate) fn add_alone(&self, item_ns: f64) {
        self.alone.add_typical(item_ns);
    }

    /// Adds a call that took a crew so long for each item.
    pub(crate) fn add_crew(&self, item_ns: f64) {
        self.crew.add_typical(item_ns);
    }

    /// Whether the next call runs alone or in a crew however many helpers are hot: crews have not won the last trial, or it
    /// is time for one.
    pub(crate) fn override_heat(&self) -> bool {
        self.alone_wins()
            || self.calls.load(Ordering::Relaxed) >= self.trial.load(Ordering::Relaxed)
    }

    /// What becomes of the next call. It is counted. A profile says that items take so long alone; infinitely long if there
    /// is none.
    pub(crate) fn choose(&self, is_short: bool, recorded_ns: f64) -> Choice {
        let call = self.calls.load(Ordering::Relaxed);
        // From time to time, after some hours, it starts again, which costs a few looks.
        self.calls.store(call.wrapping_add(1), Ordering::Relaxed);
        if is_short && call < LOOKS {
            return Choice::Look { is_kept: call > 0 };
        }
        let start = self.trial.load(Ordering::Relaxed);
        let Trial { calls, settling, .. } = Trial::of(is_short);
        match (start != NEVER && call >= start).then(|| call - start) {
            None => {}
            Some(into_trial) if into_trial < calls => {
                let tries_alone = !self.alone_wins();
                if into_trial == settling {
                    self.of(tries_alone).reset();
                }
                return choice(tries_alone);
            }
            Some(_) => self.end_trial(call, is_short),
        }
        let alone_wins = self.alone_wins();
        if start.checked_sub(call) == Some(calls) {
            // What made the one in use slow before may be over.
            self.of(alone_wins).reset();
        }
        self.schedule_trial(call, is_short, alone_wins, recorded_ns);
        choice(alone_wins)
    }

    /// Decides by what calls took in a trial.
    fn end_trial(&self, call: u32, is_short: bool) {
        match self.times(is_short) {
            Some((alone_ns, crew_ns)) => {
                let lost = match self.lost.load(Ordering::Relaxed) {
                    _ if crews_win(is_short, alone_ns, crew_ns) => 0,
                    UNTRIED => 1,
                    lost => (lost + 1).min(MANY_LOST),
                };
                self.lost.store(lost, Ordering::Relaxed);
                self.trial.store(NEVER, Ordering::Relaxed);
            }
            // Nobody came.
            None => self.set_trial(call, TRY_EVERY * Trial::of(is_short).calls),
        }
    }

    /// Says when the next trial is to be, unless that is said already and there is no new doubt.
    fn schedule_trial(&self, call: u32, is_short: bool, alone_wins: bool, recorded_ns: f64) {
        let trial = self.trial.load(Ordering::Relaxed);
        let Some((alone_ns, crew_ns)) = self.times(is_short) else {
            // Another thread has forgotten what crews took: only a trial tells it again.
            if trial == NEVER && alone_wins {
                self.set_trial(call, TRY_EVERY * Trial::of(is_short).calls);
            } else if trial == NEVER && self.crew_ns(is_short).is_some_and(|ns| ns > recorded_ns) {
                // No long call ran alone yet, and crews take longer than one took in the recording.
                self.set_trial(call, DOUBT);
            }
            return;
        };
        // Calls of one size may be short or long: what both would say.
        let crews_win = |is_short| crews_win(is_short, alone_ns, crew_ns);
        let is_doubtful = if alone_wins { crews_win(true) } else { !crews_win(false) };
        // Another thread may just have begun one.
        if is_doubtful && trial.saturating_sub(call) > DOUBT {
            self.set_trial(call, DOUBT);
        } else if trial == NEVER && (is_short || alone_wins) {
            // A long call alone would be noticed, however seldom.
            let often = match self.lost.load(Ordering::Relaxed) {
                UNTRIED => AT_FIRST,
                1 => AGAIN_AFTER_ONE,
                2 => AGAIN_AFTER_TWO,
                _ => 1,
            };
            let trial = Trial::of(is_short);
            self.set_trial(call, calls_between(trial, alone_ns, crew_ns) / often);
        }
    }

    fn set_trial(&self, call: u32, after: u32) {
        self.trial.store(call.saturating_add(after), Ordering::Relaxed);
    }

    /// What crews took until now does not count any more.
    pub(crate) fn forget_crews(&self) {
        self.crew.reset();
    }

    /// Forgets what calls took until now.
    pub(crate) fn forget(&self) {
        self.alone.reset();
        self.crew.reset();
    }

    /// Calls of crews that are remembered.
    pub(crate) fn crews(&self) -> f64 {
        self.crew.get().map_or(0.0, |(_, calls)| calls)
    }

    /// Calls of callers alone that are remembered.
    pub(crate) fn callers(&self) -> f64 {
        self.alone.get().map_or(0.0, |(_, calls)| calls)
    }

    /// Whether crews have not won the last trial.
    fn alone_wins(&self) -> bool {
        (1..=MANY_LOST).contains(&self.lost.load(Ordering::Relaxed))
    }

    fn of(&self, alone: bool) -> &Mean {
        if alone { &self.alone } else { &self.crew }
    }

    /// What calls took alone and in crews; `None` before there were enough of both.
    pub(crate) fn times(&self, is_short: bool) -> Option<(f64, f64)> {
        let (alone_ns, _) = self.alone.get()?;
        Some((alone_ns, self.crew_ns(is_short)?))
    }

    /// What calls took in crews; `None` before there were enough.
    fn crew_ns(&self, is_short: bool) -> Option<f64> {
        let (crew_ns, calls) = self.crew.get()?;
        (calls >= Trial::of(is_short).enough).then_some(crew_ns)
    }
}

fn choice(alone: bool) -> Choice {
    if alone { Choice::Alone } else { Choice::Crew }
}

fn crews_win(is_short: bool, alone_ns: f64, crew_ns: f64) -> bool {
    let won_by = if is_short { WON_BY } else { 1.0 };
    crew_ns * won_by <= alone_ns
}

/// How many calls go by before the next trial of what takes so much longer.
fn calls_between(trial: Trial, alone_ns: f64, crew_ns: f64) -> u32 {
    let loss = (alone_ns / crew_ns).max(crew_ns / alone_ns) - 1.0;
    ((f64::from(trial.calls) * loss / TRIAL_SHARE) as u32).max(TRY_EVERY * trial.calls)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mean::MEMORY;

    const TRIAL: u32 = Trial::of(true).calls;
    const BETWEEN: u32 = TRY_EVERY * TRIAL;

    /// Short or long calls of a loop, the times of which may change.
    struct Calls {
        rivals: Rivals,
        is_short: bool,
        alone_ns: f64,
        crew_ns: f64,
        recorded_ns: f64,
    }

    impl Calls {
        fn new(is_short: bool, alone_ns: f64, crew_ns: f64) -> Self {
            Calls { rivals: Rivals::new(), is_short, alone_ns, crew_ns, recorded_ns: f64::INFINITY }
        }

        /// Makes so many calls; how many of them were crews'.
        fn make(&self, calls: u32) -> u32 {
            (0..calls).map(|_| u32::from(self.make_one() == Choice::Crew)).sum()
        }

        fn make_one(&self) -> Choice {
            let choice = self.rivals.choose(self.is_short, self.recorded_ns);
            match choice {
                Choice::Crew => self.rivals.add_crew(self.crew_ns),
                Choice::Look { is_kept: false } => {}
                _ => self.rivals.add_alone(self.alone_ns),
            }
            choice
        }
    }

    #[test]
    fn the_first_short_calls_are_looked_at_and_all_but_one_kept() {
        let calls = Calls::new(true, 10.0, 6.0);
        let looks: Vec<_> = (0..5).map(|_| calls.make_one()).collect();
        let kept = Choice::Look { is_kept: true };
        assert_eq!(looks, [Choice::Look { is_kept: false }, kept, kept, kept, Choice::Crew]);
    }

    #[test]
    fn long_calls_that_gain_never_run_alone() {
        assert_eq!(Calls::new(false, 10.0, 6.0).make(10_000), 10_000);
    }

    #[test]
    fn long_calls_that_never_ran_alone_do_for_a_trial_where_crews_take_longer_than_was_recorded() {
        let trial = Trial::of(false).calls;
        let slow = Calls { recorded_ns: 8.0, ..Calls::new(false, 9.0, 10.0) };
        let before = DOUBT + Trial::of(false).enough as u32;
        assert_eq!(slow.make(before), before);
        // Crews lose, there and three times more.
        assert_eq!(slow.make(trial), 0);
        assert_eq!(slow.make(500), 3 * trial);
        // Items have become dearer, and crews win: that is all.
        let dearer = Calls { recorded_ns: 8.0, ..Calls::new(false, 18.0, 10.0) };
        assert_eq!(dearer.make(10_000), 10_000 - trial);
    }

    #[test]
    fn short_calls_run_alone_now_and_then_where_crews_are_faster() {
        let calls = Calls::new(true, 10.0, 9.0);
        let crews = calls.make(10 * BETWEEN);
        assert_eq!(10 * BETWEEN - crews, LOOKS + 10 * TRIAL);
    }

    #[test]
    fn first_calls_that_seemed_dear_alone_are_soon_corrected() {
        let mut calls = Calls::new(true, 20.0, 10.0);
        calls.make(LOOKS);
        calls.alone_ns = 9.0;
        calls.make(16 + TRIAL * 128 / AT_FIRST + TRIAL);
        assert_eq!(calls.make(50), 0);
    }

    #[test]
    fn where_crews_are_slower_calls_run_alone_after_a_trial() {
        let calls = Calls::new(true, 10.0, 13.0);
        calls.make(LOOKS + 16 + DOUBT + TRIAL + 1);
        // 0.3 more for each of 32 calls, out of 1,228; the first two times, of fewer.
        for between in [1_228 / 16, 1_228 / 4, 1_228, 1_228] {
            assert_eq!(calls.make(between - 1), 0);
            assert_eq!(calls.make(TRIAL + 1), TRIAL);
        }
    }

    #[test]
    fn where_crews_gain_little_only_long_calls_are_left_to_them() {
        let crews = |is_short| Calls::new(is_short, 10.0, 9.3).make(100 * BETWEEN);
        assert!(crews(true) < 2 * 100 * TRIAL, "{}", crews(true));
        assert_eq!(crews(false), 100 * BETWEEN);
    }

    #[test]
    fn what_is_much_slower_is_seldom_tried() {
        let calls = Calls::new(true, 1.0, 9.0);
        calls.make(LOOKS + 16 + DOUBT + TRIAL + 1);
        for between in [TRIAL * 8 * 128 / 16, TRIAL * 8 * 128 / 4, TRIAL * 8 * 128] {
            assert_eq!(calls.make(between - 1), 0);
            assert_eq!(calls.make(TRIAL + 1), TRIAL);
        }
    }

    #[test]
    fn a_clock_that_becomes_slower_makes_no_crew_slow() {
        let mut calls = Calls::new(true, 10.0, 6.0);
        calls.make(500);
        (calls.alone_ns, calls.crew_ns) = (20.0, 12.0);
        // The crew seems slower than its caller was, so that he is tried; it is not.
        let crews = calls.make(1_000);
        assert_eq!(1_000 - crews, TRIAL);
    }

    #[test]
    fn the_other_one_is_taken_as_soon_as_a_trial_tells_that_it_has_become_faster() {
        let mut calls = Calls::new(false, 10.0, 6.0);
        calls.rivals.add_alone(10.0);
        calls.make(500);
        // Somebody else is on the other core.
        calls.crew_ns = 15.0;
        calls.make(MEMORY + DOUBT + TRIAL);
        assert!(calls.make(500) <= 3 * Trial::of(false).calls);
        calls.crew_ns = 6.0;
        calls.make(2 * BETWEEN + TRIAL);
        assert_eq!(calls.make(500), 500);
    }

    #[test]
    fn a_trial_that_a_disturbance_has_decided_is_soon_made_again() {
        for is_short in [true, false] {
            let mut calls = Calls::new(is_short, 10.0, 6.0);
            calls.rivals.add_alone(10.0);
            calls.make(500);
            calls.crew_ns = 15.0;
            while calls.make_one() == Choice::Crew || !calls.rivals.override_heat() {}
            calls.make(TRIAL);
            calls.crew_ns = 6.0;
            let (made, trial) = (1_000, Trial::of(is_short));
            let alone = made - calls.make(made);
            let between = calls_between(trial, 10.0, 15.0) / AGAIN_AFTER_ONE;
            assert!(alone <= between + 2 * TRIAL, "{alone} of {made}");
        }
    }

    #[test]
    fn what_made_crews_slow_and_is_over_does_not_count_in_a_trial() {
        let mut calls = Calls::new(true, 10.0, 9.0);
        calls.make(500);
        calls.crew_ns = 20.0;
        calls.make(MEMORY);
        calls.crew_ns = 9.0;
        assert_eq!(500 - calls.make(500), TRIAL);
    }

    #[test]
    fn hot_helpers_matter_only_while_crews_are_in_use_and_no_trial_is_due() {
        let heat_matters = |calls: &Calls, of: u32| {
            let matters = |_: &u32| {
                let matters = !calls.rivals.override_heat();
                calls.make_one();
                matters
            };
            (0..of).filter(matters).count() as u32
        };
        let fast = Calls::new(true, 10.0, 9.0);
        // With the call that follows a trial, a cold helper comes back.
        assert_eq!(heat_matters(&fast, 500), 500 - TRIAL - 1);
        assert_eq!(heat_matters(&fast, BETWEEN), BETWEEN - TRIAL - 1);
        let slow = Calls::new(true, 10.0, 13.0);
        slow.make(LOOKS + 16 + DOUBT + TRIAL + 1);
        assert_eq!(heat_matters(&slow, 10 * BETWEEN), 0);
    }

    #[test]
    fn a_trial_of_long_calls_is_over_soon() {
        let mut calls = Calls::new(false, 10.0, 6.0);
        calls.rivals.add_alone(10.0);
        calls.make(500);
        // Somebody was on the other core for a while.
        calls.crew_ns = 15.0;
        calls.make(MEMORY);
        calls.crew_ns = 6.0;
        let crews = calls.make(500);
        assert_eq!(500 - crews, Trial::of(false).calls);
    }

    #[test]
    fn a_trial_to_which_nobody_comes_changes_nothing() {
        let calls = Calls::new(true, 10.0, 13.0);
        calls.make(LOOKS + 16 + DOUBT + TRIAL + 1);
        let alone = || {
            let choice = calls.rivals.choose(true, f64::INFINITY);
            if choice == Choice::Alone {
                calls.rivals.add_alone(10.0);
            }
            choice == Choice::Alone
        };
        let alone = (0..10_000).filter(|_| alone()).count();
        assert!((9_500..10_000).contains(&alone), "{alone}");
    }

    #[test]
    fn crews_are_tried_again_although_it_was_forgotten_what_they_took() {
        let calls = Calls::new(true, 10.0, 9.0);
        calls.rivals.lost.store(1, Ordering::Relaxed);
        calls.rivals.forget();
        calls.make(LOOKS + BETWEEN + TRIAL + 1);
        assert_eq!(calls.make(100), 100);
    }

    #[test]
    fn one_interruption_makes_no_crew_slow() {
        let calls = Calls::new(false, 10.0, 8.0);
        calls.rivals.add_alone(10.0);
        calls.make(20);
        calls.rivals.add_crew(40_000.0);
        assert_eq!(calls.make(1_000), 1_000);
    }
}
