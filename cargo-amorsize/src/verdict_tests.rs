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
    seen.add(Record::Machine {
        class: "test".into(),
        workers: 2,
        processors: 2,
        pool_threads: 2,
        facts: MACHINE,
    });
    add_calls(&mut seen, 1, items, serial_ns, parallel_ns, verified);
    seen
}

/// Adds such calls, with so many hot helpers.
fn add_calls(
    seen: &mut Observations,
    hot: u32,
    items: u64,
    serial_ns: u64,
    parallel_ns: u64,
    verified: bool,
) {
    let chunk = items / 8;
    let parallel = if verified {
        Setting::Tuned { workers: 2, chunk, predicted_ns: parallel_ns }
    } else {
        Setting::Parallel { workers: 2, chunk }
    };
    let rayon_ns = parallel_ns * 11 / 10;
    let settings =
        [(Setting::Serial, serial_ns), (Setting::Rayon, rayon_ns), (parallel, parallel_ns)];
    add_settings(seen, hot, items, settings);
}

/// Adds calls that take about so long under each setting.
fn add_settings(seen: &mut Observations, hot: u32, items: u64, settings: [(Setting, u64); 3]) {
    for round in 0..40 {
        for (setting, ns) in settings {
            add_call(seen, hot, items, setting, ns + ns * (round % 5) / 400);
        }
    }
}

fn add_call(seen: &mut Observations, hot: u32, items: u64, setting: Setting, wall_ns: u64) {
    seen.add(Record::Call(Call {
        name: "a::f".into(),
        item_type: "&u8".into(),
        items,
        cost: 1.0,
        setting,
        hot,
        wall_ns,
        item_sd_ns: None,
        reduce_ns: None,
        busy_ns: None,
        usage: None,
    }));
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
    let mut rows = compare(&verification, &section);
    assert!(!rows[0].loses_to_serial() && !rows[0].loses_to_rayon());
    let all = measurement(&seen.with_verification(&verification));
    assert!(mend(&mut section, &mut rows, &all, |_, _| false).is_empty());
    note_speedups(&mut section, &rows, |_, _| false);
    let speedup = section.loops["a::f"].plan.speedup;
    assert!((1.9..2.1).contains(&speedup), "{speedup}");
}

#[test]
fn a_plan_that_loses_to_serial_is_given_up() {
    let (seen, mut section) = fitted();
    let verification = calls(1_000, 100_000, 130_000, true);
    let mut rows = compare(&verification, &section);
    assert!(rows[0].loses_to_serial() && rows[0].is_dominant);
    let all = measurement(&seen.with_verification(&verification));
    assert_eq!(mend(&mut section, &mut rows, &all, |_, _| true), ["a::f"]);
    note_speedups(&mut section, &rows, |_, _| false);
    let plan = section.loops["a::f"].plan;
    assert_eq!((plan.workers, plan.chunk, plan.speedup), (1, 1_000, 1.0));
}

#[test]
fn facts_that_lost_would_lose_again_and_mended_ones_would_not() {
    let (seen, mut section) = fitted();
    let before = section.loops["a::f"].facts;
    let verification = calls(1_000, 100_000, 130_000, true);
    let mut rows = compare(&verification, &section);
    let all = measurement(&seen.with_verification(&verification));
    mend(&mut section, &mut rows, &all, |_, _| true);
    assert!(would_lose("a::f", &before, &MACHINE, &Limits::cores(2), &rows));
    assert!(!would_lose("a::f", &section.loops["a::f"].facts, &MACHINE, &Limits::cores(2), &rows));
    assert!(!would_lose("a::g", &before, &MACHINE, &Limits::cores(2), &rows));
}

#[test]
fn a_new_plan_has_to_win_and_an_old_one_has_to_lose() {
    let (seen, section) = fitted();
    let verification = calls(1_000, 100_000, 100_000, true);
    let mut rows = compare(&verification, &section);
    let all = measurement(&seen.with_verification(&verification));
    assert!(mend(&mut section.clone(), &mut rows, &all, |_, _| true).is_empty());
    assert_eq!(mend(&mut section.clone(), &mut rows, &all, |_, _| false), ["a::f"]);
}

#[test]
fn a_new_plan_that_does_not_win_stays_where_one_that_wins_would_go_with_it() {
    let two_sizes = |parallel_ns, verified| {
        let mut seen = calls(1_000, 400_000, parallel_ns, verified);
        add_calls(&mut seen, 1, 500, 200_000, 110_000, verified);
        seen
    };
    let seen = two_sizes(220_000, false);
    let section = measurement(&seen).section(MACHINE);
    let mended = |parallel_ns| {
        let (mut section, verification) = (section.clone(), two_sizes(parallel_ns, true));
        let mut rows = compare(&verification, &section);
        let all = measurement(&seen.with_verification(&verification));
        let names = mend(&mut section, &mut rows, &all, |_, _| false);
        assert_eq!(names.is_empty(), section.loops["a::f"].plan.workers == 2);
        [500, 1_000].map(|items| rows.iter().any(|row| row.items == items && row.given_up))
    };
    assert_eq!(mended(400_000), [false, false]);
    // One that loses does not.
    assert_eq!(mended(460_000), [false, true]);
}

#[test]
fn a_new_plan_that_was_hardly_compared_is_judged_by_the_few_calls_or_stays() {
    let (_, section) = fitted();
    let observed = |settings: &[(Setting, u64)]| {
        let mut seen = Observations::default();
        for &(setting, ns) in settings {
            add_call(&mut seen, 1, 1_000, setting, ns);
        }
        compare(&seen, &section)
    };
    let tuned = Setting::Tuned { workers: 2, chunk: 125, predicted_ns: 55_000 };
    let fast = observed(&[(Setting::Serial, 100_000), (tuned, 50_000)]);
    let slow = observed(&[(Setting::Serial, 100_000), (tuned, 110_000)]);
    let alone = observed(&[(tuned, 110_000)]);
    assert!([&fast, &slow, &alone].iter().all(|rows| rows[0].to_serial.is_none()));
    assert_eq!([fast, slow, alone].map(|rows| rows[0].gains_nothing()), [false, true, false]);
}

#[test]
fn an_old_serial_plan_that_loses_to_rayon_is_measured_anew() {
    let (seen, fresh) = fitted();
    let mut old = fresh.clone();
    old.loops.get_mut("a::f").unwrap().facts.contention = 2.0;
    let mut verification = Observations::default();
    let tuned = Setting::Tuned { workers: 1, chunk: 1_000, predicted_ns: 100_000 };
    add_settings(
        &mut verification,
        0,
        1_000,
        [(Setting::Serial, 100_000), (Setting::Rayon, 60_000), (tuned, 100_000)],
    );
    let mut rows = compare(&verification, &old);
    assert!(rows[0].misses_gain() && !rows[0].loses_to_serial());
    let all = measurement(&seen.with_verification(&verification));
    let before = old.loops["a::f"].facts;
    assert!(would_lose("a::f", &before, &MACHINE, &Limits::cores(2), &rows));
    assert!(mend(&mut old.clone(), &mut rows, &all, |_, _| false).is_empty());
    assert_eq!(mend(&mut old, &mut rows, &all, |_, _| true), ["a::f"]);
    let after = old.loops["a::f"].facts;
    assert!(!would_lose("a::f", &after, &MACHINE, &Limits::cores(2), &rows));
    assert_eq!(old.loops["a::f"].plan.workers, 2);
}

#[test]
fn a_plan_that_loses_when_cold_stays_when_hot() {
    let mut seen = calls(1_000, 30_000, 19_000, false);
    add_calls(&mut seen, 0, 1_000, 30_000, 26_000, false);
    let mut section = measurement(&seen).section(MACHINE);
    let mut verification = calls(1_000, 30_000, 19_000, true);
    add_calls(&mut verification, 0, 1_000, 30_000, 60_000, true);
    let mut rows = compare(&verification, &section);
    assert!(rows[0].loses_to_serial());
    let all = measurement(&seen.with_verification(&verification));
    assert_eq!(mend(&mut section, &mut rows, &all, |_, _| true), ["a::f"]);
    let facts = section.loops["a::f"].facts;
    let plan =
        |hot| amorsize_runtime::model::decide(1_000, &facts, &MACHINE, &Limits::cores(2), hot).plan;
    assert_eq!(plan(0), Plan::Serial);
    assert_ne!(plan(1), Plan::Serial);
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
