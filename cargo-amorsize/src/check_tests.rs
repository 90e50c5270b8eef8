//! Tests of the comparison between sources and profile.

use std::collections::BTreeMap;

use amorsize_profile::{LoopEntry, LoopFacts, MachineFacts, ReviewedPlan, Section};

use super::*;

fn function(name: &str, tokens: &str, conditional: bool, auxiliary: bool) -> Function {
    Function {
        name: name.into(),
        file: "src/lib.rs".into(),
        line: 3,
        tokens: tokens.into(),
        conditional,
        auxiliary,
        options: crate::annotation::Options::default(),
    }
}

fn scan(functions: &[Function]) -> Scan {
    let mut scan = Scan::default();
    for function in functions {
        scan.functions.entry(function.name.clone()).or_default().push(function.clone());
    }
    scan
}

fn profile(sections: &[(&str, &[(&str, &str)])]) -> Profile {
    let entry = |tokens: &str| LoopEntry {
        tokens: tokens.into(),
        facts: LoopFacts { item_ns: 1.0, ..LoopFacts::default() },
        parallel_from: None,
        memory: None,
        plan: ReviewedPlan { items: 1, cost: 1.0, workers: 1, chunk: 1, speedup: 1.0 },
    };
    let facts = MachineFacts::from_array([1.0; 7]);
    let section = |loops: &[(&str, &str)]| Section {
        facts,
        loops: loops.iter().map(|(name, tokens)| (name.to_string(), entry(tokens))).collect(),
        untuned: BTreeMap::new(),
    };
    let machines: BTreeMap<String, Section> =
        sections.iter().map(|(class, loops)| (class.to_string(), section(loops))).collect();
    Profile { machines }
}

#[test]
fn a_profile_with_every_function_is_fresh() {
    let scan = scan(&[function("a::f", "1", false, false)]);
    let profile = profile(&[("m", &[("a::f", "1"), ("a::f#2", "1")])]);
    assert_eq!(findings(&scan, &profile), []);
}

#[test]
fn a_loop_that_was_not_measured_since_its_function_lost_it_is_orphaned() {
    let scan = scan(&[function("a::f", "2", false, false)]);
    let here: &[(&str, &str)] = &[("a::f", "2"), ("a::f#2", "1")];
    // On another machine nothing of it was measured since.
    let there: &[(&str, &str)] = &[("a::f", "1"), ("a::f#3", "1")];
    let profile = profile(&[("here", here), ("there", there)]);
    assert_eq!(findings(&scan, &profile), [Finding::Orphan { name: "a::f#2".to_owned() }]);
}

#[test]
fn edited_missing_and_orphaned_are_told_apart() {
    let scan = scan(&[function("a::f", "2", false, false), function("a::g", "1", false, false)]);
    let profile = profile(&[("m", &[("a::f", "1"), ("a::h", "1")])]);
    let place = "src/lib.rs:3".to_owned();
    assert_eq!(
        findings(&scan, &profile),
        [
            Finding::Edited { name: "a::f".into(), place: place.clone() },
            Finding::Missing { name: "a::g".into(), place },
            Finding::Orphan { name: "a::h".into() },
        ]
    );
}

#[test]
fn a_loop_that_cannot_be_tuned_is_known_all_the_same() {
    let scan = scan(&[function("a::f", "1", false, false), function("a::g", "2", false, false)]);
    let mut profile = profile(&[("m", &[])]);
    let untuned = &mut profile.machines.get_mut("m").expect("just made").untuned;
    untuned.extend([("a::f", "1"), ("a::g", "1")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    let place = "src/lib.rs:3".to_owned();
    assert_eq!(findings(&scan, &profile), [Finding::Edited { name: "a::g".into(), place }]);
}

#[test]
fn one_machine_that_has_measured_the_present_source_is_enough() {
    let scan = scan(&[function("a::f", "2", false, false)]);
    let profile = profile(&[("m", &[("a::f", "1")]), ("n", &[("a::f", "2")])]);
    assert_eq!(findings(&scan, &profile), []);
}

#[test]
fn functions_under_cfg_and_in_benches_may_be_missing_but_not_outdated() {
    let scan = scan(&[
        function("a::f", "2", true, false),
        function("a::f", "3", true, false),
        function("bench::g", "2", false, true),
    ]);
    assert_eq!(findings(&scan, &Profile::default()), []);
    assert_eq!(findings(&scan, &profile(&[("m", &[("a::f", "3")])])), []);
    assert_eq!(findings(&scan, &profile(&[("m", &[("a::f", "1")])])).len(), 1);
}
