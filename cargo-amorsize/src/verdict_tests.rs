//! Verdicts on verifications that are made up: a plan that wins, one that loses, one that nobody can
//! tell.

use amorsize_profile::{Call, Record, Setting};

use super::*;
use crate::fit::Source;

const MACHINE: MachineFacts = MachineFacts {
    spawn_ns: 300.0,
    wake_ns: 4_000.0,
    cold_spawn_ns: 2_000.0,
    cold_wake_ns: 15_000.0,
    hot_for_ns: 50_000.0,
    claim_ns: 60.0,
    reference_ns: 1_000.0,
};

/// Calls of one size: serial, and on two workers in the time that the caller gives.
fn calls(items: u64, serial_ns: u64, parallel_ns: u64, verified: bool) -> Observations {
    let mut seen = Observations::default();
    seen.add(Record::Machine { class: "test".into(), workers: 2, facts: MACHINE });
    let chunk = items / 8;
    let parallel = if verified {
        Setting::Tuned { workers: 2, chunk, predicted_ns: parallel_ns }
    } else {
        Setting::Parallel { workers: 2, chunk }
    };
    for round in 0..40 {
        for (setting, ns) in [
            (Setting::Serial, serial_ns),
            (Setting::Rayon, parallel_ns * 11 / 10),
            (parallel, parallel_ns),
        ] {
            let wall_ns = ns + ns * (round % 5) / 400;
            seen.add(Record::Call(Call {
                name: "a::f".into(),
                items,
                setting,
                hot: 1,
                wall_ns,
                item_sd_ns: None,
            }));
        }
    }
    seen
}

fn measurement(seen: &Observations) -> Measurement {
    Measurement::new(seen, |_| Some(Source { tokens: "0".repeat(16), ..Source::default() }))
        .expect("a machine")
}

/// What recording promised: a gain of 1.8.
fn fitted() -> (Observations, Section) {
    let seen = calls(1_000, 100_000, 55_000, false);
    let section = measurement(&seen).section(MACHINE);
    assert_eq!(section.loops["a::f"].plan.workers, 2);
    (seen, section)
}

#[test]
fn a_plan_that_wins_stays_and_its_measured_gain_is_noted() {
    let (seen, mut section) = fitted();
    let verification = calls(1_000, 100_000, 50_000, true);
    let rows = compare(&verification, &section);
    assert!(!rows[0].loses_to_serial() && !rows[0].loses_to_rayon());
    let all = measurement(&seen.with_verification(&verification));
    assert!(mend(&mut section, &rows, &all).is_empty());
    note_speedups(&mut section, &rows, |_, _| false);
    let speedup = section.loops["a::f"].plan.speedup;
    assert!((1.9..2.1).contains(&speedup), "{speedup}");
}

#[test]
fn a_plan_that_loses_to_serial_is_given_up() {
    let (seen, mut section) = fitted();
    let verification = calls(1_000, 100_000, 130_000, true);
    let rows = compare(&verification, &section);
    assert!(rows[0].loses_to_serial() && rows[0].is_dominant);
    let all = measurement(&seen.with_verification(&verification));
    assert_eq!(mend(&mut section, &rows, &all), ["a::f"]);
    note_speedups(&mut section, &rows, |_, _| false);
    let plan = section.loops["a::f"].plan;
    assert_eq!((plan.workers, plan.chunk, plan.speedup), (1, 1_000, 1.0));
}

#[test]
fn facts_that_lost_would_lose_again_and_mended_ones_would_not() {
    let (seen, mut section) = fitted();
    let before = section.loops["a::f"].facts;
    let verification = calls(1_000, 100_000, 130_000, true);
    let rows = compare(&verification, &section);
    mend(&mut section, &rows, &measurement(&seen.with_verification(&verification)));
    assert!(would_lose("a::f", &before, &MACHINE, &rows));
    assert!(!would_lose("a::f", &section.loops["a::f"].facts, &MACHINE, &rows));
    assert!(!would_lose("a::g", &before, &MACHINE, &rows));
}

#[test]
fn a_difference_within_the_noise_is_no_loss() {
    let (_, section) = fitted();
    let rows = compare(&calls(1_000, 100_000, 101_000, true), &section);
    assert!(!rows[0].loses_to_serial());
}

#[test]
fn entries_that_are_kept_keep_their_speedup() {
    let (_, mut section) = fitted();
    let before = section.clone();
    let rows = compare(&calls(1_000, 100_000, 50_000, true), &section);
    note_speedups(&mut section, &rows, |_, _| true);
    assert_eq!(section, before);
}
