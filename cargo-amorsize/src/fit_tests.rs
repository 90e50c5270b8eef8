//! The fit against records that are generated from known facts: it has to find them again.

use amorsize_profile::{Call, Record, Setting, Usage};

use super::*;
use crate::observations::SettingTimes;
use crate::stats::SplitMix;

const MACHINE: MachineFacts = MachineFacts {
    spawn_ns: 300.0,
    wake_ns: 4_000.0,
    cold_spawn_ns: 2_000.0,
    cold_wake_ns: 15_000.0,
    hot_for_ns: 50_000.0,
    claim_ns: 60.0,
    reference_ns: 1_000.0,
};

/// Calls of one size under several settings, with all helpers hot and with none, each time off by up to `noise`, with an outlier now
/// and then as a busy machine has them.
fn recorded(truth: LoopFacts, sizes: &[u64], workers: u32, noise: f64) -> Observations {
    let mut random = SplitMix(7);
    let mut seen = Observations::default();
    seen.add(Record::Machine {
        class: "test".into(),
        workers,
        processors: workers,
        pool_threads: workers,
        facts: MACHINE,
    });
    for &items in sizes {
        for round in 0..60 {
            let hot = if round % 2 == 0 { 0 } else { workers - 1 };
            let mut settings = vec![Setting::Serial];
            for w in 2..=workers {
                for pieces in [1, 4, 16] {
                    settings.push(Setting::Parallel {
                        workers: w,
                        chunk: items.div_ceil(u64::from(w * pieces)),
                    });
                }
            }
            for setting in settings {
                let plan = match setting {
                    Setting::Parallel { workers, chunk } => {
                        Plan::Parallel { workers: workers as usize, chunk: chunk as usize }
                    }
                    _ => Plan::Serial,
                };
                let exact =
                    model::predict(items as usize, plan, &truth, &MACHINE, hot as usize).total();
                let mut factor = 1.0 + noise * ((random.next() % 2_001) as f64 / 1_000.0 - 1.0);
                if round % 17 == 3 {
                    factor *= 6.0;
                }
                let wall_ns = (exact * factor) as u64;
                seen.add(Record::Call(Call {
                    name: "demo::f".into(),
                    item_type: "&u8".into(),
                    items,
                    cost: 1.0,
                    setting,
                    hot,
                    wall_ns,
                    item_sd_ns: (setting == Setting::Serial)
                        .then_some(truth.item_ns * truth.item_cv),
                    reduce_ns: (setting != Setting::Serial)
                        .then_some(truth.reduce_ns_of(items as f64)),
                    busy_ns: None,
                    usage: None,
                }));
            }
        }
    }
    seen
}

fn measured(truth: LoopFacts, sizes: &[u64], workers: u32, noise: f64) -> Measurement {
    let seen = recorded(truth, sizes, workers, noise);
    Measurement::new(&seen, |_| Some(Source { tokens: "0".repeat(16), ..Source::default() }))
        .expect("a machine was recorded")
}

#[test]
fn items_of_different_cost_are_fitted_by_the_unit() {
    let unit = LoopFacts {
        item_ns: 50.0,
        item_cv: 0.2,
        piece_ns: 100.0,
        contention: 0.05,
        ..LoopFacts::default()
    };
    let mut seen = Observations::default();
    for cost in [1.0, 64.0] {
        let calls = recorded(unit.at_cost(cost), &[4_000], 4, 0.01);
        seen.machines.clone_from(&calls.machines);
        for call in calls.loops.into_values().flatten() {
            seen.add(Record::Call(Call { cost, ..call }));
        }
    }
    let source = |_: &str| Some(Source { tokens: "0".repeat(16), ..Source::default() });
    let measurement = Measurement::new(&seen, source).expect("a machine was recorded");
    let entry = &measurement.section(MACHINE).loops["demo::f"];
    assert_near(entry.facts.item_ns, unit.item_ns, 1.0);
    assert_near(entry.facts.contention, unit.contention, 0.02);
    assert_near(entry.plan.cost, 64.0, 0.0);
    // Dearer items pay from fewer of them on.
    let parallel_from = entry.parallel_from.expect("parallel somewhere");
    let facts = entry.facts;
    let limits = Limits::cores(4);
    let from = model::break_even(&facts, &MACHINE, &limits, HOT).expect("parallel somewhere");
    assert!(parallel_from < from as u64 / 20, "{parallel_from}, {from}");
}

fn assert_near(found: f64, truth: f64, within: f64) {
    assert!((found - truth).abs() <= within, "found {found}, not {truth} ± {within}");
}

#[test]
fn known_facts_are_found_again() {
    for (item_ns, contention, piece_ns, reduce_ns) in [
        (100.0, 0.05, 200.0, 0.0),
        (1_000.0, 0.3, 0.0, 10_000.0),
        (25.0, 0.0, 3_000.0, 50.0),
        (5_000.0, 0.0, 0.0, 0.0),
    ] {
        let truth = LoopFacts {
            item_ns,
            item_cv: 0.4,
            piece_ns,
            reduce_ns,
            contention,
            ..LoopFacts::default()
        };
        for noise in [0.0, 0.03] {
            let measured = measured(truth, &[10_000], 4, noise);
            let facts = measured.section(MACHINE).loops["demo::f"].facts;
            assert_near(facts.item_ns, item_ns, item_ns * (0.002 + noise / 3.0));
            // So little variation drowns in the noise of calls.
            assert_near(facts.item_cv, 0.4, if noise > 0.0 { 0.4 } else { 0.01 });
            assert!(facts.item_cv <= 0.401 && facts.imbalance <= 0.01 + noise, "{facts:?}");
            assert_near(facts.contention, contention, 0.003 + noise);
            // A piece matters as far as it shows in the call's time.
            let visible = 10_000.0 * item_ns / 64.0;
            assert_near(facts.piece_ns, piece_ns, 0.01 * piece_ns + 1.0 + visible * noise);
            assert_near(facts.reduce_ns, reduce_ns, 0.01 * reduce_ns);
        }
    }
}

#[test]
fn items_that_grow_with_the_call_are_found_and_decide_in_calls_of_all_sizes() {
    // In 64 of them 128 ns, in 2,048 of them 4 µs.
    let truth = LoopFacts { item_ns: 2.0, item_growth: 1.0, item_cv: 0.2, ..LoopFacts::default() };
    let measured = measured(truth, &[64, 512, 2_048], 4, 0.0);
    let section = measured.section(MACHINE);
    let entry = &section.loops["demo::f"];
    assert_near(entry.facts.item_ns, 2.0, 0.01);
    assert_near(entry.facts.item_growth, 1.0, 1e-3);
    assert!(entry.facts.contention < 0.005 && entry.facts.piece_ns < 5.0, "{entry:?}");
    let limits = Limits::cores(4);
    let from = model::break_even(&truth, &MACHINE, &limits, HOT).expect("long calls pay") as f64;
    assert_near(entry.parallel_from.expect("long calls pay") as f64, from, 0.02 * from + 1.0);
}

#[test]
fn reductions_that_grow_with_the_call_are_found_in_calls_of_all_sizes() {
    let truth = LoopFacts {
        item_ns: 500.0,
        item_cv: 0.2,
        reduce_ns: 600.0,
        reduce_growth: 0.7,
        contention: 0.2,
        ..LoopFacts::default()
    };
    let measured = measured(truth, &[200, 2_000, 20_000], 4, 0.0);
    let facts = measured.section(MACHINE).loops["demo::f"].facts;
    assert_near(facts.reduce_ns, truth.reduce_ns, 0.01 * truth.reduce_ns);
    assert_near(facts.reduce_growth, truth.reduce_growth, 1e-3);
    assert_near(facts.contention, truth.contention, 0.005);
    assert!(facts.piece_ns < 1.0, "{facts:?}");
}

/// The facts that come out where blocks of items tell of so much variation.
fn facts_with_blocks(truth: LoopFacts, item_cv: f64) -> LoopFacts {
    let mut measured = measured(truth, &[10_000], 4, 0.0);
    let classes = &mut measured.loops.get_mut("demo::f").expect("it was recorded").classes;
    classes.iter_mut().for_each(|class| class.item_sd = vec![item_cv * truth.item_ns]);
    measured.section(MACHINE).loops["demo::f"].facts
}

#[test]
fn noise_in_blocks_is_no_variation_and_chunks_tell_how_much_there_is() {
    let truth = LoopFacts { item_ns: 1_000.0, item_cv: 0.1, ..LoopFacts::default() };
    assert_near(facts_with_blocks(truth, 6.0).item_cv, 0.1, 0.01);
    // More than blocks tell of is not believed.
    let facts = facts_with_blocks(LoopFacts { item_cv: 3.0, ..truth }, 1.0);
    assert!(facts.item_cv <= 1.0, "{facts:?}");
}

#[test]
fn chunks_that_differ_by_a_share_of_their_length_are_told_from_items_that_vary() {
    let truth = LoopFacts {
        item_ns: 1_000.0,
        item_cv: 0.5,
        imbalance: 0.3,
        contention: 0.02,
        ..LoopFacts::default()
    };
    let facts = facts_with_blocks(truth, 5.0);
    assert_near(facts.imbalance, 0.3, 0.01);
    assert_near(facts.item_cv, 0.5, 0.05);
    assert_near(facts.contention, 0.02, 0.001);
}

/// The equations of calls of 35 items of 0.4 ms under settings of so many workers and items per chunk, each of which takes so
/// many times as long as predicted.
fn rows_of(truth: LoopFacts, settings: &[(u32, u64, f64)]) -> Vec<Row> {
    const ITEMS: u64 = 35;
    let times = |&(workers, chunk, factor): &(u32, u64, f64)| {
        let plan = Plan::Parallel { workers: workers as usize, chunk: chunk as usize };
        let exact = model::predict(ITEMS as usize, plan, &truth, &MACHINE, HOT).total();
        let wall = vec![factor * exact; 12];
        SettingTimes { workers, chunk, hot: workers, wall, busy: Vec::new() }
    };
    let serial = vec![ITEMS as f64 * truth.item_ns; 12];
    let settings = settings.iter().map(times).collect();
    let class = SizeClass { items: ITEMS, serial, settings, ..SizeClass::default() };
    rows(&class, LoopFacts { coherency: 0.0, ..truth }, &MACHINE)
}

/// Nothing is known but that items do not vary.
const EQUAL_ITEMS: [f64; UNKNOWNS] =
    [f64::INFINITY, f64::INFINITY, f64::INFINITY, f64::INFINITY, 0.0];

#[test]
fn coherency_is_believed_where_it_explains_much() {
    let truth = LoopFacts { item_ns: 4e5, coherency: 1e-4, ..LoopFacts::default() };
    let exact = [2, 4, 8, 16, 32].map(|workers| (workers, 1, 1.0));
    assert_near(bounded_fit(&rows_of(truth, &exact), &EQUAL_ITEMS)[COHERENCY], 1e-4, 1e-6);

    // As recorded where helpers are late now and then, most of all where they are many: a coherency explains a little more
    // of that than imbalance alone, and would rule out the hundreds of workers that longer calls can use.
    let late = [
        (3, 12, 1.05),
        (3, 3, 1.05),
        (6, 6, 1.06),
        (6, 2, 1.07),
        (6, 1, 1.05),
        (12, 3, 1.11),
        (12, 1, 1.09),
        (25, 2, 1.10),
        (25, 1, 1.05),
        (51, 1, 1.19),
        (103, 1, 1.20),
        (206, 1, 1.21),
        (412, 1, 1.20),
    ];
    let truth = LoopFacts { coherency: 0.0, ..truth };
    let found = bounded_fit(&rows_of(truth, &late), &EQUAL_ITEMS);
    assert_eq!(found[COHERENCY], 0.0, "{found:?}");
}

#[test]
fn what_workers_wait_for_is_no_contention_where_records_tell() {
    const ITEMS: u64 = 10_000;
    let truth = LoopFacts { item_ns: 1_000.0, contention: 0.05, ..LoopFacts::default() };
    let fitted = |tells_busy: bool| {
        let settings = (2..=4).flat_map(|workers| [1, 4, 16].map(|each| (workers, each)));
        let settings = settings.map(|(workers, each): (u32, u64)| {
            let chunk = ITEMS.div_ceil(u64::from(workers) * each);
            let plan = Plan::Parallel { workers: workers as usize, chunk: chunk as usize };
            let terms = model::predict(ITEMS as usize, plan, &truth, &MACHINE, HOT);
            // Helpers are late, whatever the chunks: 1 ms for a call of 2.5 to 5.
            let wall = vec![terms.total() + 1e6; 12];
            let busy = vec![terms.busy() * f64::from(workers); if tells_busy { 12 } else { 0 }];
            SettingTimes { workers, chunk, hot: workers, wall, busy }
        });
        let serial = vec![ITEMS as f64 * truth.item_ns; 12];
        let item_sd = vec![0.0];
        let settings = settings.collect();
        let class = SizeClass { items: ITEMS, serial, settings, item_sd, ..SizeClass::default() };
        facts_of(&[class], &MACHINE).expect("there are serial calls")
    };
    let found = [true, false].map(|tells_busy| fitted(tells_busy).contention);
    assert!((0.03..0.08).contains(&found[0]) && found[1] > 0.15, "{found:?}");
}

#[test]
fn a_piece_costs_no_more_than_workers_are_busy_for_unless_it_is_reduced() {
    const ITEMS: u64 = 12_800;
    let fitted = |more_ns: f64, reduce_ns: f64| {
        let truth = LoopFacts { item_ns: 1_000.0, ..LoopFacts::default() };
        // Short chunks are as slow as long ones by the clock, as with a few neighbours that are dearer than all others.
        let settings = [100, 25, 5].map(|chunk| {
            let total_ns = ITEMS as f64 * truth.item_ns + more_ns * ITEMS.div_ceil(chunk) as f64;
            let times =
                |ns: f64| (0..12).map(|call| ns * (1.0 + f64::from(call % 3) / 1e3)).collect();
            let (wall, busy) = (times(200e3), times(total_ns));
            SettingTimes { workers: 128, chunk, hot: 127, wall, busy }
        });
        let serial = vec![ITEMS as f64 * truth.item_ns; 12];
        let (settings, item_sd, reduce) = (settings.into(), vec![5_000.0], vec![reduce_ns; 12]);
        let class =
            SizeClass { items: ITEMS, serial, settings, item_sd, reduce, ..SizeClass::default() };
        facts_of(&[class], &MACHINE).expect("there are serial calls").piece_ns
    };
    let [none, some, reduced] =
        [(0.0, 30.0), (500.0, 30.0), (0.0, 3_000.0)].map(|(a, b)| fitted(a, b));
    assert!(none <= 30.0, "{none}");
    assert!((300.0..600.0).contains(&some), "{some}");
    assert!(none < reduced && reduced <= 3_000.0, "{reduced}");
}

#[test]
fn the_plan_is_reviewed_at_the_size_where_the_time_goes() {
    let truth = LoopFacts { item_ns: 100.0, item_cv: 0.1, ..LoopFacts::default() };
    let entry =
        measured(truth, &[100, 50_000, 900], 4, 0.02).section(MACHINE).loops["demo::f"].clone();
    assert_eq!(entry.plan.items, 50_000);
    assert_eq!(entry.plan.workers, 4);
    assert!(entry.plan.speedup > 3.0, "{:?}", entry.plan);
    let from = entry.parallel_from.expect("parallel pays from some size on");
    assert!((50..1_000).contains(&from), "{from}");
}

#[test]
fn a_loop_without_parallel_calls_still_has_an_item_time() {
    let truth = LoopFacts { item_ns: 40.0, ..LoopFacts::default() };
    let facts = measured(truth, &[500], 1, 0.0).section(MACHINE).loops["demo::f"].facts;
    assert_near(facts.item_ns, 40.0, 0.1);
    assert_eq!((facts.contention, facts.piece_ns, facts.reduce_ns), (0.0, 0.0, 0.0));
}

#[test]
fn options_of_the_attribute_bound_the_plan() {
    let truth = LoopFacts { item_ns: 1_000.0, item_cv: 0.1, ..LoopFacts::default() };
    let seen = recorded(truth, &[10_000], 4, 0.0);
    let options = Options { max_workers: Some(2), chunk: Some(7), ..Options::default() };
    let source = |_: &str| Some(Source { tokens: "0".repeat(16), options: options.clone() });
    let measured = Measurement::new(&seen, source).expect("a machine");
    let plan = measured.section(MACHINE).loops["demo::f"].plan;
    assert_eq!((plan.workers, plan.chunk), (2, 7));
}

#[test]
fn a_plan_that_lost_against_serial_is_given_up() {
    let item = LoopFacts { item_ns: 100.0, item_cv: 0.1, piece_ns: 10.0, ..LoopFacts::default() };
    let limits = Limits::cores(4);
    let decide = |item: &LoopFacts| model::decide(10_000, item, &MACHINE, &limits, 3).plan;
    let call = Occasion { items: 10_000, cost: Cost(1.0), hot: 3 };
    assert_ne!(decide(&item), Plan::Serial);
    for mended in [
        made_serial_by_contention(item, call, &MACHINE, &limits),
        made_serial_by_pieces(item, call, &MACHINE, &limits),
    ] {
        assert_eq!(decide(&mended), Plan::Serial);
        assert_eq!(mended.item_ns, 100.0);
    }
}

#[test]
fn loops_of_other_packages_are_left_out() {
    let truth = LoopFacts { item_ns: 40.0, ..LoopFacts::default() };
    let seen = recorded(truth, &[500], 2, 0.0);
    let measured = Measurement::new(&seen, |_| None).expect("a machine");
    assert!(measured.section(MACHINE).loops.is_empty());
}

#[test]
fn the_cpu_share_is_that_of_the_middle_call_and_bounds_the_workers() {
    let call = |usage: Option<(f64, f64)>| {
        Record::Call(Call {
            name: "a::f".into(),
            item_type: String::new(),
            items: 100,
            cost: 1.0,
            setting: Setting::Serial,
            hot: 0,
            wall_ns: 1_000_000,
            item_sd_ns: None,
            reduce_ns: None,
            busy_ns: None,
            usage: usage.map(|(cpu_ns, blocked_ns)| Usage { cpu_ns, blocked_ns }),
        })
    };
    let fitted = |usages: &[Option<(f64, f64)>]| {
        let (workers, processors, pool_threads) = (4, 8, 30);
        let mut seen = Observations::default();
        let class = "test".to_owned();
        seen.add(Record::Machine { class, workers, processors, pool_threads, facts: MACHINE });
        usages.iter().for_each(|usage| seen.add(call(*usage)));
        let measurement = Measurement::new(&seen, |_| Some(Source::default())).expect("a fit");
        let facts = measurement.section(MACHINE).loops["a::f"].facts;
        let limits = measurement.limits(&measurement.loops["a::f"], &facts);
        (facts.cpu_share, limits.workers)
    };
    // One disturbed call, and one of which nothing is known, do not matter.
    let waiting = Some((250_000.0, 750_000.0));
    assert_eq!(fitted(&[waiting, Some((1e6, 0.0)), None, waiting]), (Some(0.25), 30));
    assert_eq!(fitted(&[Some((4e5, 1e5))]), (Some(0.8), 10));
    assert_eq!(fitted(&[Some((9e5, 1e5))]), (Some(0.9), 4));
    assert_eq!(fitted(&[None, Some((0.0, 0.0))]), (None, 4));
}
