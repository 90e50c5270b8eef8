//! When a recording can stop: every loop seen is known well, every annotated function was reached, and
//! nothing new has turned up for a while.

use std::time::Duration;

use crate::observations::{Observations, SizeClass, dominant, size_classes};
use crate::stats::uncertainty;
use crate::tail::Tail;

/// How long nothing new must have been seen: no loop and no size of one.
const QUIET: Duration = Duration::from_millis(1_500);
/// The same while annotated functions are missing, which may be reached late, or never.
const LONG_QUIET: Duration = Duration::from_secs(6);
/// Where loops are not known well, but nothing was recorded for this long, and for so many times as long as the longest call took,
/// the program seems to be busy with something else. (Or the recorder has all it wants of them: it stops writing then.)
const SILENT: Duration = Duration::from_secs(6);
const SILENT_CALLS: u32 = 3;

/// A time whose 95 % interval is this narrow is known; with this many samples it will not become
/// much narrower.
const NARROW: f64 = 0.03;
const NARROW_FROM: usize = 12;
const MANY: usize = 60;

/// Parallel calls that tell contention and the cost of pieces apart; fewer when every setting is
/// known well.
const PARALLEL_CALLS: usize = 40;
const CALLS_PER_SETTING: usize = 6;
const NARROW_SETTING: f64 = 0.05;
/// A loop that has this many serial calls and no parallel one is too short for those: the recorder
/// does not try them.
const SERIAL_ONLY_FROM: usize = 20;

/// Enough to fit.
pub(crate) fn to_fit(tail: &Tail, expected: &[String]) -> bool {
    is_quiet(tail, expected)
        && (is_silent(tail)
            || every_loop(&tail.seen, |class| known(&class.serial) && parallel_known(class)))
}

/// Enough to compare the plans of the loops in `verified` with serial and stock rayon.
pub(crate) fn to_verify(tail: &Tail, verified: &[String]) -> bool {
    tail.seen.calls() > 0
        && is_quiet(tail, verified)
        && (is_silent(tail)
            || every_loop(&tail.seen, |class| {
                // Deterministic loops never run as rayon's.
                let rayon = class.rayon.is_empty() || known(&class.rayon);
                known(&class.serial) && rayon && known(&class.tuned)
            }))
}

fn is_quiet(tail: &Tail, expected: &[String]) -> bool {
    let all = expected.iter().all(|function| tail.seen.has_reached(function));
    let has_called = tail.seen.calls() > 0 && !tail.awaits_call;
    let quiet = match (has_called, all) {
        (true, true) => QUIET,
        (true, false) => LONG_QUIET,
        // What can be tuned may come after what cannot, and a program may take a while before it calls a loop.
        (false, true) if !tail.seen.is_empty() => LONG_QUIET,
        (false, _) => return false,
    };
    tail.last_news.elapsed() >= quiet
}

fn is_silent(tail: &Tail) -> bool {
    !tail.awaits_call
        && tail.last_call.elapsed() >= SILENT.max(tail.longest_call.saturating_mul(SILENT_CALLS))
}

fn known(samples: &[f64]) -> bool {
    samples.len() >= MANY || (samples.len() >= NARROW_FROM && uncertainty(samples) <= NARROW)
}

fn parallel_known(class: &SizeClass) -> bool {
    let few_are_enough =
        |wall: &[f64]| wall.len() >= CALLS_PER_SETTING && uncertainty(wall) <= NARROW_SETTING;
    match class.parallel_calls() {
        0 => class.serial.len() >= SERIAL_ONLY_FROM,
        calls => calls >= PARALLEL_CALLS || class.settings.iter().all(|s| few_are_enough(&s.wall)),
    }
}

fn every_loop(seen: &Observations, well_known: impl Fn(&SizeClass) -> bool) -> bool {
    seen.loops.values().all(|calls| dominant(&size_classes(calls)).is_some_and(&well_known))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use amorsize_profile::{Call, Record, Setting};

    use super::*;

    fn tail(settings: &[(Setting, usize)]) -> Tail {
        let mut seen = Observations::default();
        for (setting, calls) in settings {
            for _ in 0..*calls {
                seen.add(Record::Call(Call {
                    name: "a::f#2".into(),
                    item_type: "&u8".into(),
                    items: 100,
                    cost: 1.0,
                    setting: *setting,
                    hot: 1,
                    wall_ns: 5_000,
                    item_sd_ns: None,
                    reduce_ns: None,
                    busy_ns: None,
                    usage: None,
                }));
            }
        }
        let mut tail = Tail::new(seen);
        if let Some(past) = Instant::now().checked_sub(QUIET) {
            tail.last_news = past;
        }
        tail
    }

    const PARALLEL: Setting = Setting::Parallel { workers: 2, chunk: 10 };
    const TUNED: Setting = Setting::Tuned { workers: 1, chunk: 100, predicted_ns: 1 };

    #[test]
    fn a_fit_needs_serial_and_parallel_calls_of_every_function() {
        let (reached, missing) = (["a::f".to_owned()], ["a::g".to_owned()]);
        assert!(!to_fit(&tail(&[]), &[]));
        assert!(!to_fit(&tail(&[(Setting::Serial, 12), (PARALLEL, 5)]), &reached));
        assert!(to_fit(&tail(&[(Setting::Serial, 12), (PARALLEL, 6)]), &reached));
        assert!(to_fit(&tail(&[(Setting::Serial, 12), (PARALLEL, 40)]), &reached));
        assert!(!to_fit(&tail(&[(Setting::Serial, 12), (PARALLEL, 40)]), &missing));
        assert!(!to_fit(&tail(&[(Setting::Serial, 12)]), &reached));
        assert!(to_fit(&tail(&[(Setting::Serial, 20)]), &reached));
    }

    #[test]
    fn loops_that_cannot_be_tuned_are_enough_once_all_functions_were_reached() {
        let mut tail = tail(&[]);
        tail.seen.add(Record::Untuned { name: "a::f#2".into() });
        assert!(!to_fit(&tail, &["a::f".to_owned()]));
        if let Some(past) = Instant::now().checked_sub(LONG_QUIET) {
            tail.last_news = past;
            assert!(to_fit(&tail, &["a::f".to_owned()]));
            assert!(!to_fit(&tail, &["a::g".to_owned()]));
            assert!(!to_verify(&tail, &["a::f".to_owned()]));
        }
    }

    #[test]
    fn verifying_needs_all_that_is_tried() {
        let calls = [(Setting::Serial, 12), (TUNED, 12), (Setting::Rayon, 12)];
        assert!(to_verify(&tail(&calls), &[]));
        assert!(to_verify(&tail(&calls[..2]), &[]));
        assert!(!to_verify(&tail(&calls[..1]), &[]));
        assert!(!to_verify(&tail(&[calls[0], calls[1], (Setting::Rayon, 3)]), &[]));
    }

    #[test]
    fn a_program_that_calls_its_loops_no_more_has_been_heard() {
        let mut tail = tail(&[(Setting::Serial, 2), (PARALLEL, 1)]);
        assert!(!to_fit(&tail, &[]));
        let Some(past) = Instant::now().checked_sub(SILENT) else { return };
        tail.last_call = past;
        assert!(to_fit(&tail, &[]));
        // The next call may take as long as the last one.
        tail.longest_call = SILENT;
        assert!(!to_fit(&tail, &[]));
    }

    #[test]
    fn what_is_known_of_programs_before_does_not_end_one_that_begins() {
        let calls = [(Setting::Serial, 12), (PARALLEL, 40)];
        let reached = ["a::f".to_owned()];
        let begun = |is_first| {
            let mut tail = tail(&calls);
            tail.begin_run(is_first);
            tail
        };
        assert!(!to_fit(&begun(true), &reached));
        // It has a while to call anything at all, …
        let Some(past) = Instant::now().checked_sub(LONG_QUIET) else { return };
        let mut waited = begun(true);
        (waited.last_news, waited.last_call) = (past, past);
        assert!(to_fit(&waited, &reached));
        // … and all of its time where functions are missing.
        let missing = ["a::g".to_owned()];
        assert!(!to_fit(&waited, &missing));
        waited.end_run();
        assert!(to_fit(&waited, &missing));
        // A program that ran before tells nothing new by starting once more.
        let mut again = begun(false);
        again.end_run();
        assert!(to_fit(&again, &reached));
    }
}
