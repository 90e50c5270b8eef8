//! Published crates, unpacked into a scratch folder and tuned there: do their own tests still pass,
//! and are their loops faster than their authors made them?
//!
//! The way through the files: `list` says which crates, functions and edits; `copy` unpacks one of
//! them, `edit` puts the attribute on its functions; `cargo` builds, tests and tunes the copies;
//! `driver` talks to the programs that call them, `measure` interleaves those, `estimate` and
//! `report` make a table of it. Nothing of the crates themselves is kept in the repository.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod cargo;
mod copy;
mod driver;
mod edit;
mod estimate;
mod list;
mod measure;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::cargo::{Cargo, Tests};
use crate::copy::{Copies, Variant};
use crate::driver::{Driver, Way};
use crate::list::{List, RealCrate};

/// What went wrong, as a sentence for the person at the terminal.
type Error = Box<dyn std::error::Error>;
type Result<T> = std::result::Result<T, Error>;

/// Tunes published crates in a scratch folder and compares them with what their authors wrote.
///
/// `serial` is the faster of the crate as published on a pool of one thread and the tuned copy with AMORSIZE=serial;
/// `tuned / best` compares with the fastest of these two and `stock`. Results that differ make the run fail, in the end.
#[derive(Debug, Parser)]
struct Arguments {
    /// Crates of crates.toml; all of them by default.
    name: Vec<String>,

    /// Where copies, builds and profiles go.
    #[arg(long, value_name = "FOLDER")]
    scratch: Option<PathBuf>,

    /// Seconds of measuring per case, all variants together.
    #[arg(long, value_name = "SECONDS", default_value_t = 6)]
    seconds: u64,

    /// Seconds that `cargo amorsize tune` may measure per crate.
    #[arg(long, value_name = "SECONDS", default_value_t = 90)]
    tune_seconds: u64,

    /// Only cases whose name contains this; every crate measured has to have one.
    #[arg(long, value_name = "TEXT", default_value = "")]
    case: String,

    /// Measures the copies and profiles of an earlier run; no tests, no tuning.
    #[arg(long)]
    again: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let list = List::embedded()?;
    let chosen = list.named(&arguments.name)?;
    let default = || std::env::temp_dir().join("amorsize-real-crates");
    let cargo = Cargo::new(arguments.scratch.clone().unwrap_or_else(default))?;
    let mut different = Vec::new();
    for real_crate in chosen {
        different.extend(one(&cargo, real_crate, arguments)?);
    }
    if different.is_empty() {
        return Ok(());
    }
    Err(format!("results differ in {}", different.join(", ")).into())
}

/// Everything about one crate; the cases that did not return the same every way.
fn one(cargo: &Cargo, real_crate: &RealCrate, arguments: &Arguments) -> Result<Vec<String>> {
    println!("{} {}", real_crate.name, real_crate.version);
    let copies = Copies::of(real_crate, cargo.scratch());
    if !arguments.again {
        copies.make(cargo)?;
        // What does not compile, or is not there, is better known at once.
        let programs = cargo.drivers(&copies)?;
        has_case(&Driver::start(&programs, Way::Stock)?.cases()?, &arguments.case)?;
        let before = cargo.test(&copies, Variant::Stock)?;
        cargo.tune(&copies, arguments.tune_seconds)?;
        let after = cargo.test(&copies, Variant::Tuned)?;
        println!("{}", Tests::compared(before.as_ref(), after.as_ref()));
    }
    let programs = cargo.drivers(&copies)?;
    let seconds = Duration::from_secs(arguments.seconds);
    has_case(&Driver::start(&programs, Way::Stock)?.cases()?, &arguments.case)?;
    let cases = measure::all(&programs, seconds, |name| name.contains(&arguments.case))?;
    println!("{}", report::Table(&cases));
    let different = cases.iter().filter(|case| !case.same);
    Ok(different.map(|case| format!("{}: {}", real_crate.name, case.name)).collect())
}

/// Whether some name contains `text`.
fn has_case(names: &[String], text: &str) -> Result<()> {
    if names.iter().any(|name| name.contains(text)) {
        return Ok(());
    }
    Err(format!("no case contains `{text}`: there are {}", names.join(", ")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_that_is_not_there_is_answered_with_those_that_are() {
        let names = ["fft".to_owned(), "ifft".to_owned()];
        assert!(has_case(&names, "").is_ok() && has_case(&names, "iff").is_ok());
        let error = has_case(&names, "tfi").expect_err("absent").to_string();
        assert!(error.contains("`tfi`") && error.ends_with("fft, ifft"), "{error}");
    }
}
