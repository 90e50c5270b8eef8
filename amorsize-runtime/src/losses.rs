//! Whether crews lose in this process what a profile says they do: to contention, to pieces, to items that differ.
//!
//! How much workers keep each other waiting depends on where the memory of a process lies, and differs from one process to the
//! next; and a recording is of one moment. So where only such losses keep the model from a crew, crews are tried, ever more
//! seldom, for calls of each size: what these take has the last word, as it has where the model is for a crew.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use crate::rivals::{Rivals, TRY_EVERY, Trial, WON_BY};

/// A trial that has not ended after so many times the calls of others is given up: nobody comes to it.
const PATIENCE: u32 = 4;

/// After a trial that crews have not won, the next one begins after so many times as many calls, …
const MORE_SELDOM: u32 = 4;
/// … this many times at most.
const MOST_SELDOM: u32 = 6;

/// What a process knows of the losses of crews in calls of one size.
#[derive(Debug)]
pub(crate) struct Losses {
    /// Calls so far that only losses kept from a crew; while crews are tried, calls since then.
    calls: AtomicU32,
    phase: AtomicU8,
    /// Trials that crews have not won.
    lost: AtomicU32,
}

/// How far a process has come with losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// The profile is believed: nobody has looked yet, or crews were no faster than their callers.
    Assumed,
    /// Calls run alone, and it is noted what they take.
    Comparing,
    /// Crews are tried. A helper that was cold comes late, and to none of the first calls.
    Settling,
    /// Crews are tried, and what they take counts.
    Trying,
    /// Crews are faster here than their callers.
    Refuted,
}

impl Losses {
    pub(crate) const fn new() -> Self {
        Losses {
            calls: AtomicU32::new(0),
            phase: AtomicU8::new(Phase::Assumed as u8),
            lost: AtomicU32::new(0),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        use Phase::{Assumed, Comparing, Refuted, Settling, Trying};
        let phase = self.phase.load(Ordering::Relaxed);
        let phases = [Assumed, Comparing, Settling, Trying];
        phases.into_iter().find(|&each| each as u8 == phase).unwrap_or(Refuted)
    }

    fn enter(&self, phase: Phase) {
        self.calls.store(0, Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.enter(Phase::Assumed);
    }

    /// Counts so many calls while the profile is believed; whether it is time to look.
    pub(crate) fn count(&self, calls: u32, is_short: bool) -> bool {
        if self.phase() != Phase::Assumed {
            return false;
        }
        let calls = self.calls.load(Ordering::Relaxed).saturating_add(calls);
        self.calls.store(calls, Ordering::Relaxed);
        let lost = self.lost.load(Ordering::Relaxed).min(MOST_SELDOM);
        calls >= TRY_EVERY * Trial::of(is_short).calls * MORE_SELDOM.pow(lost)
    }

    /// With the next call, a trial begins; `rivals` know what calls take.
    pub(crate) fn begin_trial(&self, rivals: &Rivals) {
        rivals.forget();
        self.enter(Phase::Comparing);
    }

    /// Whether a trial goes on.
    pub(crate) fn is_on_trial(&self) -> bool {
        matches!(self.phase(), Phase::Comparing | Phase::Settling | Phase::Trying)
    }

    /// It was not yet time to look: the last call would gain nothing from a crew without losses.
    pub(crate) fn count_anew(&self) {
        self.enter(Phase::Assumed);
    }

    /// Whether the next call, while a trial goes on, runs in a crew. It is counted.
    pub(crate) fn tries_crew(&self, rivals: &Rivals, is_short: bool) -> bool {
        let trial = Trial::of(is_short);
        match self.phase() {
            Phase::Comparing if rivals.callers() >= trial.enough => {
                self.phase.store(Phase::Settling as u8, Ordering::Relaxed);
            }
            Phase::Comparing => {}
            Phase::Settling if rivals.crews() >= f64::from(trial.settling) => {
                rivals.forget_crews();
                self.phase.store(Phase::Trying as u8, Ordering::Relaxed);
            }
            Phase::Settling => {}
            Phase::Trying => {
                if let Some((alone_ns, crew_ns)) = rivals.times(is_short) {
                    let gains = crew_ns * WON_BY <= alone_ns;
                    if gains {
                        self.enter(Phase::Refuted);
                    } else {
                        self.lose();
                    }
                    return gains;
                }
            }
            Phase::Assumed | Phase::Refuted => return false,
        }
        let calls = self.calls.load(Ordering::Relaxed) + 1;
        self.calls.store(calls, Ordering::Relaxed);
        if calls > PATIENCE * trial.calls {
            self.lose();
            return false;
        }
        self.phase() != Phase::Comparing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIAL: Trial = Trial::of(true);
    const BEFORE: u32 = TRY_EVERY * TRIAL.calls;
    /// Calls of a trial to all of which somebody comes.
    const SHORTEST: u32 = TRIAL.settling + TRIAL.enough as u32;

    /// Short calls that take 10 ns for each item alone, and so long in a crew to which somebody comes.
    struct Calls {
        losses: Losses,
        rivals: Rivals,
        crew_ns: f64,
    }

    impl Calls {
        fn new(crew_ns: f64) -> Self {
            Calls { losses: Losses::new(), rivals: Rivals::new(), crew_ns }
        }

        /// Makes so many calls; how many of them were tried in crews. The first `late` of these are alone in them.
        fn make(&self, calls: u32, late: u32) -> u32 {
            let mut crews = 0;
            for _ in 0..calls {
                if !self.losses.tries_crew(&self.rivals, true) {
                    self.rivals.add_alone(10.0);
                    if self.losses.count(1, true) {
                        self.losses.begin_trial(&self.rivals);
                    }
                    continue;
                }
                crews += 1;
                if crews > late {
                    self.rivals.add_crew(self.crew_ns);
                }
            }
            crews
        }
    }

    #[test]
    fn crews_are_tried_after_many_calls_and_what_they_take_decides() {
        for (crew_ns, found) in
            [(8.0, Phase::Refuted), (9.5, Phase::Assumed), (15.0, Phase::Assumed)]
        {
            for late in [0, 20] {
                let calls = Calls::new(crew_ns);
                // What it was before the trial does not count.
                calls.rivals.add_alone(400.0);
                assert_eq!(calls.make(BEFORE + TRIAL.enough as u32, 0), 0);
                assert_eq!(calls.make(late + SHORTEST, late), late + SHORTEST);
                assert_eq!(calls.losses.phase(), Phase::Trying);
                calls.make(1, 0);
                assert_eq!(calls.losses.phase(), found);
            }
        }
    }

    #[test]
    fn crews_that_are_no_faster_are_tried_ever_more_seldom() {
        let calls = Calls::new(12.0);
        let trials = |before: u32| calls.make(before + TRIAL.calls + TRIAL.enough as u32, 0);
        assert_eq!([trials(BEFORE), trials(BEFORE), trials(3 * BEFORE)], [SHORTEST, 0, SHORTEST]);
        let of_many = calls.make(10_000_000, 0);
        assert!((4 * SHORTEST..12 * SHORTEST).contains(&of_many), "{of_many}");
    }

    #[test]
    fn a_trial_to_which_nobody_comes_is_made_again() {
        let calls = Calls::new(8.0);
        let tried = calls.make(BEFORE + 1_000, u32::MAX);
        let most = PATIENCE * TRIAL.calls - TRIAL.enough as u32;
        assert_eq!((tried, calls.losses.phase()), (most, Phase::Assumed));
        calls.make(MORE_SELDOM * BEFORE, 0);
        assert_eq!(calls.losses.phase(), Phase::Refuted);
    }
}
