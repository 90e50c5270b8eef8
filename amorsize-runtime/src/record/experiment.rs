//! Which call of a loop gets which setting: seeded random order, rounds of all settings, until there
//! are enough samples of each.

use amorsize_profile::Setting;

use super::meter::SHORTEST;
use crate::model::{self, Limits};

/// Samples of each setting after which a loop of this size runs under its best setting, unmeasured.
const ENOUGH: usize = 40;
/// While a loop is verified, more of them: the claim is a ratio of two medians.
const ENOUGH_TO_VERIFY: usize = 300;
/// Chunks per worker that are compared.
const CHUNKS_PER_WORKER: [usize; 3] = [1, 4, 16];
/// Serial time below which no fork can pay: parallel settings are not tried.
const NEVER_PARALLEL_NS: f64 = 1_000.0;
/// Serial time from which fewer settings are tried: a quarter of the workers each time, and of these one.
const LONG_NS: f64 = 200e6;
const CHUNKS_PER_WORKER_OF_LONG: [usize; 1] = [4];

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
    /// Run without measuring.
    Settled(Setting),
}

/// The calls of one loop at one order of magnitude of items.
#[derive(Debug)]
pub(super) struct Experiment {
    /// The settings of a round; empty until the item time is known.
    settings: Vec<Setting>,
    /// What is left of the present round.
    round: Vec<Setting>,
    /// Time per item under each setting so far, and how often it was run.
    seen: Vec<(Setting, f64, usize)>,
    random: u64,
    enough: usize,
    /// For how many items to make the settings once the item time is known; `None` when they are fixed.
    items: Option<u64>,
    /// What the first call would have taken serially.
    serial_ns: f64,
    serial_calls: usize,
}

impl Experiment {
    pub(super) fn explore(items: u64, seed: u64) -> Self {
        Experiment::new(Vec::new(), Some(items), ENOUGH, seed)
    }

    pub(super) fn verify(seed: u64) -> Self {
        let tuned = Setting::Tuned { workers: 1, chunk: 1, predicted_ns: 0 };
        let settings = vec![Setting::Serial, Setting::Rayon, tuned];
        Experiment::new(settings, None, ENOUGH_TO_VERIFY, seed)
    }

    fn new(settings: Vec<Setting>, items: Option<u64>, enough: usize, seed: u64) -> Self {
        // The generator must not start from zero, and neighbouring seeds must not look alike.
        let random = (seed.wrapping_add(1)).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Experiment {
            settings,
            round: Vec::new(),
            seen: Vec::new(),
            random,
            enough,
            items,
            serial_ns: 0.0,
            serial_calls: 0,
        }
    }

    pub(super) fn next(&mut self) -> Assignment {
        if self.settings.is_empty() {
            return Assignment::First;
        }
        if self.is_settled() {
            return Assignment::Settled(self.best());
        }
        if self.round.is_empty() {
            self.round.clone_from(&self.settings);
            self.shuffle();
        }
        let setting = self.round.pop().expect("a round has settings");
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

    /// Makes the settings, once it is known how long items take and so how many workers they may have.
    pub(super) fn learn_item_time(&mut self, item_ns: f64, limits: Limits) {
        let Some(items) = self.items.filter(|_| self.settings.is_empty()) else {
            return;
        };
        let serial_ns = item_ns * items as f64;
        self.serial_ns = serial_ns;
        self.settings = vec![Setting::Serial, Setting::Serial];
        if serial_ns < NEVER_PARALLEL_NS || limits.workers < 2 {
            return;
        }
        self.settings.push(Setting::Rayon);
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

    pub(super) fn add(&mut self, setting: Setting, item_ns: f64) {
        let same = |seen: &Setting| match (seen, &setting) {
            (Setting::Tuned { .. }, Setting::Tuned { .. }) => true,
            (seen, setting) => seen == setting,
        };
        match self.seen.iter_mut().find(|(seen, ..)| same(seen)) {
            Some((_, mean, count)) => {
                *count += 1;
                *mean += (item_ns - *mean) / *count as f64;
            }
            None => self.seen.push((setting, item_ns, 1)),
        }
    }

    fn is_settled(&self) -> bool {
        self.round.is_empty()
            && self.seen.len() >= self.distinct()
            && self.seen.iter().all(|&(_, _, count)| count >= self.enough)
    }

    /// Different settings in a round: all but the second serial one.
    fn distinct(&self) -> usize {
        self.settings.len() - usize::from(self.items.is_some())
    }

    fn best(&self) -> Setting {
        let best = self.seen.iter().min_by(|a, b| a.1.total_cmp(&b.1));
        best.map_or(Setting::Serial, |&(setting, ..)| setting)
    }

    /// Fisher and Yates, with a xorshift generator.
    fn shuffle(&mut self) {
        for last in (1..self.round.len()).rev() {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            self.round.swap(last, (self.random % (last as u64 + 1)) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explored(items: u64, item_ns: f64, workers: usize) -> Experiment {
        let mut experiment = Experiment::explore(items, 7);
        assert_eq!(experiment.next(), Assignment::First);
        experiment.learn_item_time(item_ns, Limits::cores(workers));
        experiment
    }

    #[test]
    fn each_round_runs_every_setting_and_serial_twice() {
        let mut experiment = explored(1_000, 1_000.0, 2);
        let mut round: Vec<_> = (0..6)
            .map(|_| match experiment.next() {
                Assignment::Run(setting) => setting,
                Assignment::SerialBlocks { metered: true } => Setting::Serial,
                other => panic!("unexpected {other:?}"),
            })
            .collect();
        round.sort();
        let parallel = |chunk| Setting::Parallel { workers: 2, chunk };
        let expected = [
            Setting::Serial,
            Setting::Serial,
            Setting::Rayon,
            parallel(32),
            parallel(125),
            parallel(500),
        ];
        assert_eq!(round, expected);
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
        for _ in 0..20 {
            let blocks = Assignment::SerialBlocks { metered: false };
            let serial = [blocks, Assignment::Run(Setting::Serial)];
            assert!(serial.contains(&experiment.next()));
        }
    }

    #[test]
    fn with_enough_samples_the_best_setting_stays() {
        let mut experiment = explored(1_000, 1_000.0, 2);
        let best = Setting::Parallel { workers: 2, chunk: 125 };
        let mut calls = 0;
        loop {
            let setting = match experiment.next() {
                Assignment::Run(setting) => setting,
                Assignment::SerialBlocks { .. } => Setting::Serial,
                Assignment::Settled(setting) => break assert_eq!(setting, best),
                Assignment::First => panic!("the item time is known"),
            };
            experiment.add(setting, if setting == best { 510.0 } else { 900.0 });
            calls += 1;
        }
        assert_eq!(calls, ENOUGH * 6);
    }

    #[test]
    fn verification_balances_serial_rayon_and_tuned() {
        let mut experiment = Experiment::verify(3);
        let mut counts = [0; 3];
        for _ in 0..300 {
            let Assignment::Run(setting) = experiment.next() else { panic!("not settled yet") };
            experiment.add(setting, 1.0);
            counts[match setting {
                Setting::Serial => 0,
                Setting::Rayon => 1,
                _ => 2,
            }] += 1;
        }
        assert_eq!(counts, [100; 3]);
    }
}
