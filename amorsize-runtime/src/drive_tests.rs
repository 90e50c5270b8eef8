//! Which way a call goes.

use super::*;
use crate::machine;
use crate::profiled::Profiled;
use crate::{Options, machine_class};
use amorsize_profile::MachineFacts;

/// A loop whose profile says that an item takes 24 µs.
fn profiled(name: &'static str) -> &'static Loop {
    let machine = MachineFacts::from_array([300.0, 4e3, 300.0, 4e3, 5e4, 60.0, 1e3]);
    let item = LoopFacts { item_ns: 24_000.0, ..LoopFacts::default() };
    let class = machine_class();
    let entry = Profiled { name, class, machine, item, parallel_from: 2, task_bytes: None };
    let entries = Box::leak(Box::new([entry]));
    Box::leak(Box::new(Loop::new(name, Options::NONE, entries)))
}

#[test]
fn a_short_call_of_a_size_never_seen_runs_alone_whatever_the_profile_says() {
    if machine::usable_cores() < 2 {
        // One worker is always serial.
        return;
    }
    let target = profiled("sizes");
    let is_alone = |len| {
        let context = Context::new(target, len, Lengths::ANY, 1.0);
        matches!(context.planned_way(len), Way::Alone(_))
    };
    // 96 µs of items, if the profile is right, and 19 ms.
    assert!(is_alone(4) && is_alone(4));
    assert!(!is_alone(800));
    target.observe(4, 96_000.0);
    assert!(!is_alone(4));
}

#[test]
fn the_first_look_at_a_size_is_not_kept() {
    let target: &'static Loop = Box::leak(Box::new(Loop::new("looks", Options::NONE, &[])));
    assert!(target.is_first_look(4) && !target.is_first_look(5) && target.is_first_look(64));
    let context = Context::new(target, 4, Lengths::ANY, 1.0);
    for learns in [false, true] {
        let mut pacer = Pacer::new(context, Pace::Blocks { known_item_ns: 1.0, first: 4 });
        (pacer.learns, pacer.done) = (learns, 4);
        std::thread::sleep(std::time::Duration::from_millis(1));
        pacer.end();
        assert_eq!(target.has_seen(4), learns);
    }
}

#[test]
fn a_crew_that_has_been_slower_than_its_caller_is_only_tried_from_time_to_time() {
    if machine::usable_cores() < 2 {
        return;
    }
    let target = profiled("slow crews");
    let crews = || {
        let way = |_: &u32| Context::new(target, 800, Lengths::ANY, 1.0).planned_way(800);
        (0..2 * TRY_EVERY).filter(|call| matches!(way(call), Way::Crew { .. })).count()
    };
    assert_eq!(crews(), 2 * TRY_EVERY as usize);
    target.observe_alone(800, 1e6);
    (0..40).for_each(|_| target.observe_crew(800, 2e6));
    assert_eq!(crews(), 2 * TRIALS as usize);
}
