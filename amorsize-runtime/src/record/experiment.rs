//! Which call of a loop gets which setting: seeded random order, rounds of all settings, until there
//! are enough samples of each.

use std::time::Duration;

use amorsize_profile::Setting;

use super::meter::SHORTEST;
use crate::model::{self, Limits};

/// Samples of each setting after which a loop of this size runs under its best setting, unmeasured.
const ENOUGH: usize = 40;
/// Those of short calls take so long together, unless that would be too many: a few would all be taken at a moment at which
/// the clock is slow, or a neighbour busy.
const LONG_ENOUGH_NS: f64 = 10e6;
const MOST: usize = 320;
/// While a loop is verified, more of them: the claim is a ratio of two medians.
const ENOUGH_TO_VERIFY: usize = 300;
/// Chunks per worker that are compared.
const CHUNKS_PER_WORKER: [usize; 3] = [1, 4, 16];
/// Where others run on crews, short calls of a loop that is faster on its own do so in one phase of so many.
const SERIAL_PER_CREW: usize = 4;
/// Calls of a setting after which its mean says something. What has fewer is tried in any phase: a loop that is called
/// seldom may not see all of them.
const TELLING: usize = 3;
/// Calls in a row under one setting, where phases are heeded. The first ones are not measured, as helpers are cold, and the data is
/// still where the setting before has left it: in a program that is tuned, each call of a loop runs as the one before did.
const STINT: usize = 12;
const SETTLING: usize = 4;
/// Calls that take so long are measured at once: it does not show in them.
const SETTLED_NS: f64 = 1e6;
/// Serial time below which no fork can pay: parallel settings are not tried.
const NEVER_PARALLEL_NS: f64 = 1_000.0;
/// Serial time from which fewer settings are tried: a quarter of the workers each time, and of these one.
const LONG_NS: f64 = 200e6;
const CHUNKS_PER_WORKER_OF_LONG: [usize; 1] = [4];

/// How short calls of all loops run at a time. Loops that follow each other work on the same data, with helpers that the
/// one before has left hot or cold: how long a loop takes depends on how the others run. So what is compared is a program
/// whose loops are serial, one whose loops are rayon's, and one whose loops have crews, as far as they gain by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Serial,
    Rayon,
    Crew,
}

impl Phase {
    /// Calls that take longer do not heed phases: what other loops do does not affect them, and they are few.
    const LENGTH: Duration = Duration::from_millis(20);

    /// Each as often as it occurs in this, on average.
    const MIX: [Phase; 10] = {
        use Phase::{Crew, Rayon, Serial};
        [Serial, Serial, Serial, Rayon, Rayon, Crew, Crew, Crew, Crew, Crew]
    };

    /// The phase that far from the start of a recording; phases follow each other at random.
    pub(super) fn at(since_start: Duration, seed: u64) -> Self {
        let index = (since_start.as_nanos() / Phase::LENGTH.as_nanos()) as u64;
        let mut random = Random::new(seed.wrapping_add(index));
        Phase::MIX[random.below(Phase::MIX.len())]
    }

    /// When a setting is among its like.
    fn of(setting: &Setting) -> Self {
        match setting {
            Setting::Serial | Setting::Tuned { workers: 1, .. } => Phase::Serial,
            Setting::Rayon => Phase::Rayon,
            Setting::Parallel { .. } | Setting::Tuned { .. } => Phase::Crew,
        }
    }
}

/// What to do with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Assignment {
    /// The first call: nothing is known yet.
    First,
    /// Run serially in timed blocks.
    SerialBlocks {
        /// Watch how the caller spends its time, too.
        metered: bool,
    },
    /// Run and measure.
    Run(Setting),
    /// Run without measuring: another setting is to be left behind, or there is nothing more to learn.
    Unmeasured(Setting),
}

/// Calls in a row under one setting, within one phase.
#[derive(Clone, Copy, Debug)]
struct Stint {
    setting: Setting,
    phase: Phase,
    /// Calls to come.
    left: usize,
    /// How many of them are not measured.
    settling: usize,
}

/// The calls of one loop at one order of magnitude of items.
#[derive(Debug)]
pub(super) struct Experiment {
    has_rayon: bool,
    /// The settings of a round; empty until the item time is known.
    settings: Vec<Setting>,
    /// What is left of the present round.
    round: Vec<Setting>,
    /// Where phases are heeded.
    stint: Option<Stint>,
    /// The present phase, and whether this loop runs on its own in it though others have crews.
    phase: Option<(Phase, bool)>,
    /// Time per item under each setting so far, and how often it was run.
    seen: Vec<(Setting, f64, usize)>,
    random: Random,
    enough: usize,
    /// For how many items to make the settings once the item time is known; `None` when they are fixed.
    items: Option<u64>,
    /// What the last serial call took; infinite while there was none.
    serial_ns: f64,
    serial_calls: usize,
}

impl Experiment {
    /// `has_rayon` if calls may run as rayon's, which reduces in another order each time.
    pub(super) fn explore(items: u64, has_rayon: bool, seed: u64) -> Self {
        Experiment { has_rayon, ..Experiment::new(Vec::new(), Some(items), ENOUGH, seed) }
    }

    /// The same.
    pub(super) fn verify(has_rayon: bool, seed: u64) -> Self {
        let tuned = Setting::Tuned { workers: 1, chunk: 1, predicted_ns: 0 };
        let mut settings = vec![Setting::Serial, tuned];
        settings.extend(has_rayon.then_some(Setting::Rayon));
        Experiment { has_rayon, ..Experiment::new(settings, None, ENOUGH_TO_VERIFY, seed) }
    }

    fn new(settings: Vec<Setting>, items: Option<u64>, enough: usize, seed: u64) -> Self {
        Experiment {
            has_rayon: true,
            settings,
            round: Vec::new(),
            stint: None,
            phase: None,
            seen: Vec::new(),
            random: Random::new(seed),
            enough,
            items,
            serial_ns: f64::INFINITY,
            serial_calls: 0,
        }
    }

    pub(super) fn next(&mut self, phase: Phase) -> Assignment {
        if self.settings.is_empty() {
            return Assignment::First;
        }
        if self.has_seen_all(self.enough) {
            return Assignment::Unmeasured(self.best());
        }
        let setting = self.next_setting(phase);
        if let Some(stint) = self.stint.as_mut().filter(|stint| stint.settling > 0) {
            stint.settling -= 1;
            return Assignment::Unmeasured(setting);
        }
        if setting == Setting::Serial && self.items.is_some() {
            self.serial_calls += 1;
            // The variation of the items needs fewer samples than their mean.
            if self.serial_calls % 3 == 1 {
                let metered = self.serial_ns >= SHORTEST.as_nanos() as f64;
                return Assignment::SerialBlocks { metered };
            }
        }
        Assignment::Run(setting)
    }

    /// The setting of the next call.
    fn next_setting(&mut self, phase: Phase) -> Setting {
        if let Some(stint) = self.stint.as_mut().filter(|stint| stint.phase == phase) {
            if stint.left > 0 {
                stint.left -= 1;
                return stint.setting;
            }
        }
        let heeded = self.heeded(phase);
        let setting = self.draw(heeded);
        let goes_on = self.stint.is_some_and(|before| is_same(&before.setting, &setting));
        let settling = if goes_on || self.serial_ns >= SETTLED_NS { 0 } else { SETTLING };
        self.stint = heeded.map(|_| Stint { setting, phase, left: STINT - 1, settling });
        setting
    }

    /// The next setting of the round that is due. Once there is none, all that may be are added anew.
    fn draw(&mut self, phase: Option<Phase>) -> Setting {
        let is_due = |setting: &Setting| phase.is_none_or(|phase| Phase::of(setting) == phase);
        if !self.round.iter().any(is_due) {
            let from = self.round.len();
            self.round.extend(self.settings.iter().copied().filter(is_due));
            self.random.shuffle(&mut self.round[from..]);
        }
        let at = self.round.iter().rposition(is_due).expect("added above");
        self.round.remove(at)
    }

    /// The phase whose settings are due; `None` for any.
    fn heeded(&mut self, phase: Phase) -> Option<Phase> {
        let is_tried = |phase| self.settings.iter().any(|setting| Phase::of(setting) == phase);
        let is_short = self.serial_ns < Phase::LENGTH.as_nanos() as f64;
        let is_compared = is_tried(Phase::Rayon) || is_tried(Phase::Crew);
        if !is_short || !is_compared || !self.has_seen_all(TELLING) {
            return None;
        }
        let has_crew = phase == Phase::Crew && is_tried(Phase::Crew);
        let has_rayon = phase == Phase::Rayon && is_tried(Phase::Rayon);
        // Not from call to call: where the system places threads, and how hot they are, takes a while to settle.
        let stays_serial = match self.phase {
            Some((present, stays_serial)) if present == phase => stays_serial,
            _ => self.stays_serial(),
        };
        self.phase = Some((phase, stays_serial));
        let is_among_its_like = has_rayon || (has_crew && !stays_serial);
        Some(if is_among_its_like { phase } else { Phase::Serial })
    }

    /// Whether a loop runs on its own among others that have crews: most of the time if it was faster so. One that is
    /// verified does as its plan says.
    fn stays_serial(&mut self) -> bool {
        let best = |phase| {
            let of_phase = self.seen.iter().filter(|(setting, ..)| Phase::of(setting) == phase);
            of_phase.map(|&(_, mean, _)| mean).min_by(f64::total_cmp)
        };
        let is_faster = best(Phase::Serial).zip(best(Phase::Crew)).is_some_and(|(a, b)| a <= b);
        self.items.is_some() && is_faster && self.random.below(SERIAL_PER_CREW) > 0
    }

    /// Makes the settings, once it is known how long items take and so how many workers they may have.
    pub(super) fn learn_item_time(&mut self, item_ns: f64, limits: Limits) {
        let Some(items) = self.items.filter(|_| self.settings.is_empty()) else {
            return;
        };
        let serial_ns = item_ns * items as f64;
        self.serial_ns = serial_ns;
        self.enough = ((LONG_ENOUGH_NS / serial_ns) as usize).clamp(ENOUGH, MOST);
        self.settings = vec![Setting::Serial, Setting::Serial];
        if serial_ns < NEVER_PARALLEL_NS || limits.workers < 2 {
            return;
        }
        self.settings.extend(self.has_rayon.then_some(Setting::Rayon));
        let is_long = serial_ns >= LONG_NS;
        let mut workers = limits.workers;
        while workers >= 2 {
            let fewer = is_long && workers < limits.workers;
            let per_worker =
                if fewer { &CHUNKS_PER_WORKER_OF_LONG[..] } else { &CHUNKS_PER_WORKER };
            for per_worker in per_worker {
                let chunk = model::chunk_of(items as usize, workers * per_worker);
                let chunk = limits.clamp_chunk(chunk) as u64;
                let setting = Setting::Parallel { workers: workers as u32, chunk };
                if chunk < items && !self.settings.contains(&setting) {
                    self.settings.push(setting);
                }
            }
            workers /= if is_long { 4 } else { 2 };
        }
    }

    pub(super) fn add(&mut self, setting: Setting, items: u64, wall_ns: u64) {
        if setting == Setting::Serial {
            self.serial_ns = wall_ns as f64;
        }
        if matches!(setting, Setting::Tuned { .. }) {
            // What the plan is for calls of this size.
            let tuned = self.settings.iter_mut().find(|known| is_same(known, &setting));
            tuned.into_iter().for_each(|tuned| *tuned = setting);
        }
        let item_ns = wall_ns as f64 / items as f64;
        match self.seen.iter_mut().find(|(seen, ..)| is_same(seen, &setting)) {
            Some((_, mean, count)) => {
                *count += 1;
                *mean += (item_ns - *mean) / *count as f64;
            }
            None => self.seen.push((setting, item_ns, 1)),
        }
    }

    /// Whether each setting was run so often.
    fn has_seen_all(&self, times: usize) -> bool {
        let samples = |setting: &Setting| {
            let seen = self.seen.iter().find(|(seen, ..)| is_same(seen, setting));
            seen.map_or(0, |&(.., count)| count)
        };
        self.settings.iter().all(|setting| samples(setting) >= times)
    }

    fn best(&self) -> Setting {
        let best = self.seen.iter().min_by(|a, b| a.1.total_cmp(&b.1));
        best.map_or(Setting::Serial, |&(setting, ..)| setting)
    }
}

/// Whatever the plan was, a tuned call is one.
fn is_same(a: &Setting, b: &Setting) -> bool {
    a == b || matches!((a, b), (Setting::Tuned { .. }, Setting::Tuned { .. }))
}

/// A xorshift generator.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        // It must not start from zero, and neighbouring seeds must not look alike.
        Random((seed.wrapping_add(1)).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // The last bits are the least random ones.
        ((self.0 >> 32) % end as u64) as usize
    }

    /// Fisher and Yates.
    fn shuffle<T>(&mut self, values: &mut [T]) {
        for last in (1..values.len()).rev() {
            let other = self.below(last + 1);
            values.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explored(items: u64, item_ns: f64, workers: usize) -> Experiment {
        let mut experiment = Experiment::explore(items, true, 7);
        assert_eq!(experiment.next(Phase::Crew), Assignment::First);
        experiment.learn_item_time(item_ns, Limits::cores(workers));
        experiment
    }

    /// The settings of so many calls, in phases of one length.
    fn settings_in(experiment: &mut Experiment, phase: Phase, calls: usize) -> Vec<Setting> {
        let next = |_| match experiment.next(phase) {
            Assignment::Run(setting) | Assignment::Unmeasured(setting) => setting,
            Assignment::SerialBlocks { .. } => Setting::Serial,
            Assignment::First => panic!("the item time is known"),
        };
        (0..calls).map(next).collect()
    }

    fn two_workers(chunk: u64) -> Setting {
        Setting::Parallel { workers: 2, chunk }
    }

    #[test]
    fn a_round_of_long_calls_runs_every_setting_and_serial_twice() {
        let mut experiment = explored(1_000, 50_000.0, 2);
        let mut round = settings_in(&mut experiment, Phase::Crew, 6);
        round.sort();
        let expected = [
            Setting::Serial,
            Setting::Serial,
            Setting::Rayon,
            two_workers(32),
            two_workers(125),
            two_workers(500),
        ];
        assert_eq!(round, expected);
    }

    /// Runs so many calls, each of 1,000 items, and counts serial ones, rayon's and others.
    fn counts_of(
        experiment: &mut Experiment,
        phase: Phase,
        calls: usize,
        wall_ns: impl Fn(Setting) -> u64,
    ) -> [usize; 3] {
        let mut counts = [0; 3];
        for _ in 0..calls {
            let [setting] = settings_in(experiment, phase, 1)[..] else { panic!("one call") };
            experiment.add(setting, 1_000, wall_ns(setting));
            counts[match setting {
                Setting::Serial => 0,
                Setting::Rayon => 1,
                _ => 2,
            }] += 1;
        }
        counts
    }

    /// For calls that never settle.
    fn without_end(experiment: Experiment) -> Experiment {
        Experiment { enough: usize::MAX, ..experiment }
    }

    fn is_near(count: usize, expected: usize) -> bool {
        count.abs_diff(expected) * 5 < expected
    }

    #[test]
    fn every_setting_is_tried_a_few_times_whatever_the_phase() {
        let mut experiment = explored(1_000, 1_000.0, 2);
        let counts = counts_of(&mut experiment, Phase::Serial, 6 * TELLING, |_| 1_000_000);
        assert_eq!(counts, [2 * TELLING, TELLING, 3 * TELLING]);
        assert_eq!(counts_of(&mut experiment, Phase::Serial, 9, |_| 1_000_000), [9, 0, 0]);
    }

    #[test]
    fn short_calls_run_as_all_loops_do_but_mostly_without_a_crew_where_that_is_faster() {
        for (serial_ns, crew_ns, serial_calls) in [(1_000_000, 500_000, 0), (500_000, 600_000, 750)]
        {
            let mut experiment = without_end(explored(1_000, 1_000.0, 2));
            let wall_ns = |setting| if setting == Setting::Serial { serial_ns } else { crew_ns };
            let mut run = |phase, calls| counts_of(&mut experiment, phase, calls, wall_ns);
            run(Phase::Crew, 6 * TELLING);
            let mut serial_of_crew = 0;
            for _ in 0..500 {
                assert_eq!(run(Phase::Serial, 2), [2, 0, 0]);
                assert_eq!(run(Phase::Rayon, 2), [0, 2, 0]);
                let [serial, rayon, crew] = run(Phase::Crew, 2);
                // The same in the whole phase.
                assert!(rayon == 0 && (serial == 2 || crew == 2), "{serial} {crew}");
                serial_of_crew += serial;
            }
            assert!(is_near(serial_of_crew, serial_calls) || serial_calls == serial_of_crew);
        }
    }

    /// A loop that heeds phases, and whose crews are faster.
    fn gaining() -> Experiment {
        let mut experiment = without_end(explored(1_000, 1_000.0, 2));
        let wall_ns = |setting| if setting == Setting::Serial { 1_000_000 } else { 500_000 };
        counts_of(&mut experiment, Phase::Crew, 6 * TELLING, wall_ns);
        experiment
    }

    #[test]
    fn all_settings_of_a_crew_are_tried_alike_each_for_a_while() {
        let mut experiment = gaining();
        let settings = settings_in(&mut experiment, Phase::Crew, 30 * STINT);
        let count = |chunk| settings.iter().filter(|other| **other == two_workers(chunk)).count();
        assert_eq!([32, 125, 500].map(count), [10 * STINT; 3]);
        assert!(settings.chunks(STINT).all(|stint| stint.iter().all(|each| *each == stint[0])));
    }

    #[test]
    fn the_first_short_calls_under_another_setting_are_not_measured() {
        for (serial_ns, settling) in [(SETTLED_NS, 0), (SETTLED_NS - 1.0, SETTLING)] {
            let mut experiment = gaining();
            experiment.serial_ns = serial_ns;
            // Out of the stint that it is in.
            settings_in(&mut experiment, Phase::Serial, STINT);
            let mut before = Setting::Serial;
            for _ in 0..30 {
                let unmeasured = |_| match experiment.next(Phase::Crew) {
                    Assignment::Run(setting) => (setting, false),
                    Assignment::Unmeasured(setting) => (setting, true),
                    other => panic!("{other:?}"),
                };
                let stint: Vec<_> = (0..STINT).map(unmeasured).collect();
                let expected = if stint[0].0 == before { 0 } else { settling };
                assert_eq!(stint.iter().filter(|call| call.1).count(), expected);
                assert!(stint[..expected].iter().all(|call| call.1));
                before = stint[0].0;
            }
        }
    }

    #[test]
    fn phases_follow_each_other_at_random() {
        let phases: Vec<Phase> = (0..10_000).map(|i| Phase::at(i * Phase::LENGTH, 5)).collect();
        let count = |pair: [Phase; 2]| phases.windows(2).filter(|other| *other == pair).count();
        assert!(is_near(count([Phase::Crew; 2]), 2_500));
        assert!(is_near(count([Phase::Serial, Phase::Crew]), 1_500));
        assert!(is_near(count([Phase::Crew, Phase::Rayon]), 1_000));
        assert_eq!(phases[7], Phase::at(8 * Phase::LENGTH - Duration::from_nanos(1), 5));
    }

    #[test]
    fn long_calls_are_tried_on_a_quarter_of_the_workers_with_one_chunk_size() {
        let settings = explored(9_600, 1e6, 96).settings;
        let parallel = |workers, chunk| Setting::Parallel { workers, chunk };
        let most = [parallel(96, 100), parallel(96, 25), parallel(96, 7)];
        assert_eq!(settings[3..6], most);
        assert_eq!(settings[6..], [parallel(24, 100), parallel(6, 400)]);
    }

    #[test]
    fn a_call_that_no_fork_can_speed_up_is_only_run_serially() {
        let mut experiment = explored(10, 1.0, 8);
        for phase in [Phase::Serial, Phase::Rayon, Phase::Crew] {
            assert_eq!(settings_in(&mut experiment, phase, 20), [Setting::Serial; 20]);
        }
        let in_blocks = Assignment::SerialBlocks { metered: false };
        let blocks = (0..30).filter(|_| experiment.next(Phase::Crew) == in_blocks).count();
        assert_eq!(blocks, 10);
    }

    #[test]
    fn of_short_calls_more_are_enough() {
        let enough = |item_ns| explored(1_000, item_ns, 2).enough;
        assert_eq!([1.0, 14.0, 100.0, 1_000.0, 1e9].map(enough), [MOST, MOST, 100, ENOUGH, ENOUGH]);
    }

    #[test]
    fn with_enough_samples_the_best_setting_stays() {
        let mut experiment = explored(1_000, 1_000.0, 2);
        let best = two_workers(125);
        let mut calls = 0;
        loop {
            let phase = Phase::MIX[calls % Phase::MIX.len()];
            let setting = match experiment.next(phase) {
                Assignment::Run(setting) => setting,
                Assignment::SerialBlocks { .. } => Setting::Serial,
                Assignment::Unmeasured(setting) if experiment.has_seen_all(ENOUGH) => {
                    break assert_eq!(setting, best);
                }
                Assignment::Unmeasured(_) => continue,
                Assignment::First => panic!("the item time is known"),
            };
            experiment.add(setting, 1_000, if setting == best { 510_000 } else { 900_000 });
            calls += 1;
        }
        assert!(calls > 5 * ENOUGH, "{calls}");
        assert!(experiment.seen.iter().all(|&(.., count)| count >= ENOUGH));
    }

    #[test]
    fn without_rayon_the_phases_are_heeded_as_well() {
        let mut experiment = Experiment::explore(1_000, false, 7);
        assert_eq!(experiment.next(Phase::Crew), Assignment::First);
        experiment.learn_item_time(1_000.0, Limits::cores(2));
        assert!(!experiment.settings.contains(&Setting::Rayon));
        for setting in experiment.settings.clone() {
            let wall_ns = if Phase::of(&setting) == Phase::Crew { 500_000 } else { 900_000 };
            (0..TELLING).for_each(|_| experiment.add(setting, 1_000, wall_ns));
        }
        for phase in [Phase::Serial, Phase::Rayon] {
            let settings = settings_in(&mut experiment, phase, 100);
            assert!(settings.iter().all(|setting| Phase::of(setting) == Phase::Serial));
        }
        let crews = settings_in(&mut experiment, Phase::Crew, 100);
        assert!(crews.iter().any(|setting| Phase::of(setting) == Phase::Crew));
    }

    /// How calls are verified that take so long, under plans for so many workers.
    fn verified(workers: u32, call_ns: u64, phase: Phase) -> [usize; 3] {
        let tuned = Setting::Tuned { workers, chunk: 1, predicted_ns: 0 };
        let mut experiment = without_end(Experiment::verify(true, 3));
        for _ in 0..TELLING {
            experiment.add(Setting::Serial, 1_000, call_ns);
            experiment.add(Setting::Rayon, 1_000, call_ns);
            experiment.add(tuned, 1_000, call_ns / 2);
        }
        counts_of(&mut experiment, phase, 300, |setting| match setting {
            Setting::Tuned { .. } => call_ns / 2,
            _ => call_ns,
        })
    }

    #[test]
    fn short_calls_are_verified_among_others_that_run_alike() {
        let short = |workers, phase| verified(workers, 1_000_000, phase);
        assert_eq!(short(2, Phase::Crew), [0, 0, 300]);
        assert_eq!(short(2, Phase::Serial), [300, 0, 0]);
        assert_eq!(short(2, Phase::Rayon), [0, 300, 0]);
        // A serial plan is a serial run, in every phase but rayon's.
        for phase in [Phase::Crew, Phase::Serial] {
            let [serial, rayon, tuned] = short(1, phase);
            assert!(rayon == 0 && serial.abs_diff(tuned) <= STINT, "{serial} {tuned}");
        }
    }

    #[test]
    fn long_calls_that_are_verified_balance_serial_rayon_and_tuned() {
        assert_eq!(verified(2, 1_000_000_000, Phase::Crew), [100; 3]);
    }
}
