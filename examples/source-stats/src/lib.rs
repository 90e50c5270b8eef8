//! Statistics about the Rust sources of a package and of everything it depends on.
//!
//! An ordinary program that uses rayon wherever there is a list to go through. Its loops differ in what one
//! item costs, from less than a nanosecond to milliseconds, and in how many items there are. No constant says
//! where it pays to go parallel: `#[amorsize::tune]` stands above each function with loops, and the measured
//! answers lie in `amorsize.toml`.
//!
//! The result depends on the sources alone, never on how the work was divided.

pub mod identifiers;
pub mod lexer;
pub mod lines;
pub mod packages;
pub mod report;
pub mod sources;
pub mod stats;
