//! Which way a call goes.

use super::*;
use crate::machine;
use crate::profiled::Profiled;
use crate::{Options, machine_class};
use amorsize_profile::MachineFacts;

#[test]
fn a_short_call_of_a_size_never_seen_starts_alone_whatever_the_profile_says() {
    if machine::usable_cores() < 2 {
        // One worker is always serial.
        return;
    }
    let machine = MachineFacts::from_array([300.0, 4e3, 300.0, 4e3, 5e4, 60.0, 1e3]);
    let item = LoopFacts { item_ns: 20_000.0, ..LoopFacts::default() };
    let (name, class) = ("sizes", machine_class());
    let entry = Profiled { name, class, machine, item, parallel_from: 2, task_bytes: None };
    let entries = Box::leak(Box::new([entry]));
    let target: &'static Loop = Box::leak(Box::new(Loop::new(name, Options::NONE, entries)));
    let is_alone = |len| {
        let context = Context::new(target, len, Lengths::ANY, 1.0);
        matches!(context.planned_way(len), Way::Alone(_))
    };
    // 160 µs of items, if the profile is right, and 18 ms.
    assert!(is_alone(8));
    assert!(!is_alone(900));
    target.observe(8, 160_000.0);
    assert!(!is_alone(8));
}
