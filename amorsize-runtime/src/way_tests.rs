//! Which way a call goes.

use super::*;
use crate::machine;
use crate::profiled::Profiled;
use crate::skip::skip;
use crate::{Options, machine_class};
use amorsize_profile::MachineFacts;

/// A loop whose profile says that an item takes 24 µs.
fn profiled(name: &'static str) -> &'static Loop {
    profiled_at(name, 24_000.0)
}

/// The same of an item that takes so long. A process has one machine, that of its first profile: all have this one, where
/// hot helpers come after 4 µs and cold ones after 30.
fn profiled_at(name: &'static str, item_ns: f64) -> &'static Loop {
    profiled_as(name, LoopFacts { item_ns, ..LoopFacts::default() })
}

fn profiled_as(name: &'static str, item: LoopFacts) -> &'static Loop {
    let machine = MachineFacts::from_array([300.0, 4e3, 1e4, 2e4, 5e4, 60.0, 1e3]);
    let class = machine_class();
    let entry = Profiled { name, class, machine, item, parallel_from: 2, task_bytes: None };
    let entries = Box::leak(Box::new([entry]));
    Box::leak(Box::new(Loop::new(name, Options::NONE, entries)))
}

#[test]
fn the_first_short_calls_of_a_size_run_alone_whatever_the_profile_says() {
    if machine::usable_cores() < 2 {
        return skip("there is one core, and one worker is always serial");
    }
    let target = profiled("sizes");
    let way = |len| Context::new(target, len, Lengths::ANY, 1.0).planned_way(len);
    // 96 µs of items, if the profile is right, and 19 ms.
    let learns = |way| matches!(way, Way::Alone(Pacer { learns: true, .. }));
    assert_eq!([way(4), way(4), way(4), way(4)].map(learns), [false, true, true, true]);
    assert!(matches!(way(4), Way::Crew { .. }));
    assert!(matches!(way(800), Way::Crew { .. }));
}

#[test]
fn calls_that_only_hot_helpers_would_gain_from_are_missed() {
    let target = profiled_at("cold", 150.0);
    let serial = |len, hot| {
        let (facts, limits) =
            (target.facts(len).expect("it has a profile"), target.limits_by_cores());
        model::decide(len, &facts, &machine::facts(), &limits, hot).plan == Plan::Serial
    };
    // Another test may have measured the machine before.
    let Some(len) = (1..300).rfind(|&len| serial(len, 0) && !serial(len, HOT)) else {
        return skip("hot helpers make no difference on the machine that was measured");
    };
    let way = || Context::new(target, len, Lengths::ANY, 1.0).planned_way(len);
    // Or made helpers hot a moment ago.
    let missed = |way| matches!(way, Way::Alone(Pacer { missed: true, .. }));
    assert!((0..10_000).any(|_| missed(way())));
    // Its first call brings the thresholds that later ones are compared with.
    assert!(!target.serial().is_missed(len));
    target.observe_decided(len, len as f64 * 150.0);
    assert!(target.serial().is_missed(len) && !target.serial().is_missed(1));
}

#[test]
fn pieces_of_unknown_cost_are_as_few_as_workers() {
    let cores = machine::usable_cores();
    let target: &'static Loop = Box::leak(Box::new(Loop::new("unmeasured", Options::NONE, &[])));
    let min_chunk = |target, whole| {
        let context = Context::new(target, 1_000, Lengths { whole, ..Lengths::ANY }, 1.0);
        context.with_few_pieces(1_000).limits.min_chunk
    };
    assert_eq!(
        [true, false].map(|whole| min_chunk(target, whole)),
        [1_000_usize.div_ceil(cores), 1]
    );
    assert_eq!(min_chunk(profiled("measured"), true), 1);
}

#[test]
fn only_a_first_call_of_few_items_has_a_crew_before_anything_is_known() {
    let cores = machine::usable_cores();
    if cores < 2 {
        return skip("there is one core");
    }
    let new = || -> &'static Loop { Box::leak(Box::new(Loop::new("first", Options::NONE, &[]))) };
    let is_blind = |target, lengths, len| {
        matches!(
            Context::new(target, len, lengths, 1.0).planned_way(len),
            Way::Blind { chunk: 1, workers: 2.. }
        )
    };
    let (few, many) = (FEW_PER_WORKER * cores, FEW_PER_WORKER * cores + 1);
    let blind = [0, 1, 2, few, many].map(|len| is_blind(new(), Lengths::ANY, len));
    assert_eq!(blind, [false, false, true, true, false]);
    assert!(!is_blind(new(), Lengths { whole: true, ..Lengths::ANY }, 2));
    // What is known of it, if only that it was short, decides from then on.
    for busy_ns in [10.0, 1e6] {
        let target = new();
        target.activate();
        target.observe(2, busy_ns);
        assert!(!is_blind(target, Lengths::ANY, 2) && !is_blind(target, Lengths::ANY, 3));
    }
}

#[test]
fn what_a_first_look_takes_is_not_kept() {
    let target: &'static Loop = Box::leak(Box::new(Loop::new("looks", Options::NONE, &[])));
    let context = Context::new(target, 4, Lengths::ANY, 1.0);
    for learns in [false, true] {
        let mut pacer = Pacer::new(context, Pace::Blocks { known_item_ns: 1.0, first: 4 });
        (pacer.learns, pacer.done) = (learns, 4);
        std::thread::sleep(std::time::Duration::from_millis(1));
        pacer.end();
        assert_eq!(target.facts(4).is_some(), learns);
    }
}

#[test]
fn a_call_that_ended_early_does_not_stand_for_its_size_for_ever() {
    let target: &'static Loop = Box::leak(Box::new(Loop::new("early", Options::NONE, &[])));
    (0..100).for_each(|_| target.observe(10_000, 1e5));
    target.observe(4_000_000, 2e3);
    let item_ns = || target.facts(4_000_000).map(|facts| facts.item_ns);
    assert!(item_ns() < Some(0.1));
    (0..3).for_each(|_| target.observe_decided(4_000_000, 4e7));
    assert!(item_ns() > Some(3.0), "{:?}", item_ns());
}

#[test]
fn calls_run_alone_where_crews_have_been_slower_than_their_callers() {
    if machine::usable_cores() < 2 {
        return skip("there is one core, and one worker is always serial");
    }
    let target = profiled("slow crews");
    let way = || Context::new(target, 800, Lengths::ANY, 1.0).planned_way(800);
    assert!(matches!(way(), Way::Crew { .. }));
    target.observe_alone(800, 1e6);
    for _ in 0..200 {
        match way() {
            Way::Crew { .. } => target.observe_crew(800, 2e6),
            _ => target.observe_alone(800, 1e6),
        }
    }
    assert!(matches!(way(), Way::Alone(Pacer { learns: true, .. })));
}

#[test]
fn calls_that_run_alone_because_crews_are_slower_do_not_miss_hot_helpers() {
    let target = profiled_at("slow crews of hot helpers", 150.0);
    let machine = machine::facts();
    // Another test may make helpers hot at any moment.
    let hot = |len| (0..1_000).map(|_| target.helpers_counted_hot(len, &machine)).min();
    assert_ne!(hot(100), Some(HOT));
    let choose = || target.choose(100, false);
    choose();
    target.observe_alone(100, 1e4);
    for _ in 0..200 {
        match choose() {
            Choice::Crew => target.observe_crew(100, 2e4),
            _ => target.observe_alone(100, 1e4),
        }
    }
    assert_eq!(choose(), Choice::Alone);
    assert!(hot(100) > Some(0) && hot(100_000) != Some(HOT));
    assert!(!target.is_certain(100));
}

#[test]
fn crews_are_tried_once_where_only_losses_keep_the_model_from_them() {
    if machine::usable_cores() < 2 {
        return skip("there is one core, and one worker is always serial");
    }
    // 40 µs of items, which take twice as long with two workers as with one if the profile is right.
    let item = LoopFacts { item_ns: 50.0, contention: 1.0, ..LoopFacts::default() };
    let tried = |target: &'static Loop, crew_ns: f64| {
        let is_crew = |_: &u32| match Context::new(target, 800, Lengths::ANY, 1.0).planned_way(800)
        {
            Way::Crew { .. } => {
                target.observe_crew(800, crew_ns);
                true
            }
            _ => {
                target.observe_alone(800, 4e4);
                false
            }
        };
        (0..1_100).filter(is_crew).count()
    };
    let contention = |target: &'static Loop, n| target.facts(n).map(|facts| facts.contention);

    let slower = profiled_as("contention", item);
    slower.observe_decided(800, 4e4);
    let certain = || [20, 800, 1_200].map(|n| slower.is_certain(n));
    slower.count_certain(800, 1_023);
    assert_eq!(certain(), [true, true, false]);
    // Crews would not help so few items, whatever they lose.
    slower.count_certain(20, 4_096);
    assert_eq!(certain(), [true, true, false]);
    slower.count_certain(800, 1);
    assert_eq!(certain(), [true, false, false]);
    assert!((20..40).contains(&tried(slower, 5e4)));
    assert_eq!(certain(), [true, true, false]);
    assert_eq!(contention(slower, 800), Some(1.0));

    let faster = profiled_as("no contention", item);
    assert!(tried(faster, 3e4) >= 20);
    // Nobody has looked at calls of other sizes.
    assert_eq!([800, 80].map(|n| contention(faster, n)), [Some(0.0), Some(1.0)]);
}
