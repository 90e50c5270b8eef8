//! A corpus of small programs with rayon loops. Each is compiled twice, as it is and under
//! `#[amorsize::tune]`, and both must do the same: results, panics and drops, under every plan.
//!
//! Programs are sorted by what they are about, one module each; [`harness`] runs them.

mod adaptors;
mod constraints;
mod consumers;
mod counted;
mod dear;
mod drops;
mod exits;
mod harness;
mod inputs;
mod panics;
mod properties;
mod receivers;
mod shapes;
mod stages;
mod unindexed;
#[path = "../unset/mod.rs"]
mod unset;

use harness::{Program, check_in_a_process_with};

/// All programs.
const CORPUS: &[&[Program]] = &[
    adaptors::PROGRAMS,
    constraints::PROGRAMS,
    consumers::PROGRAMS,
    dear::PROGRAMS,
    drops::PROGRAMS,
    exits::PROGRAMS,
    panics::PROGRAMS,
    receivers::PROGRAMS,
    shapes::PROGRAMS,
    stages::PROGRAMS,
    unindexed::PROGRAMS,
];

#[test]
fn outcomes_are_the_same_without_the_variable() {
    check_in_a_process_with("outcomes_are_the_same_without_the_variable", None);
}

#[test]
fn outcomes_are_the_same_with_the_variable_set_to_serial() {
    check_in_a_process_with(
        "outcomes_are_the_same_with_the_variable_set_to_serial",
        Some("serial"),
    );
}

#[test]
fn outcomes_are_the_same_with_the_variable_set_to_two_workers() {
    let name = "outcomes_are_the_same_with_the_variable_set_to_two_workers";
    check_in_a_process_with(name, Some("workers=2,chunk=1"));
}

#[test]
fn outcomes_are_the_same_with_the_variable_set_to_eight_workers() {
    let name = "outcomes_are_the_same_with_the_variable_set_to_eight_workers";
    check_in_a_process_with(name, Some("workers=8"));
}
