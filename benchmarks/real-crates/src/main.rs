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
use crate::list::{List, RealCrate};

/// What went wrong, as a sentence for the person at the terminal.
type Error = Box<dyn std::error::Error>;
type Result<T> = std::result::Result<T, Error>;

/// Tunes published crates in a scratch folder and compares them with what their authors wrote.
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

    /// Only cases whose name contains this.
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
    for real_crate in chosen {
        one(&cargo, real_crate, arguments)?;
    }
    Ok(())
}

/// Everything about one crate.
fn one(cargo: &Cargo, real_crate: &RealCrate, arguments: &Arguments) -> Result<()> {
    println!("{} {}", real_crate.name, real_crate.version);
    let copies = Copies::of(real_crate, cargo.scratch());
    if !arguments.again {
        copies.make(cargo)?;
        // What does not compile is better known at once.
        cargo.drivers(&copies)?;
        let before = cargo.test(&copies, Variant::Stock)?;
        cargo.tune(&copies, arguments.tune_seconds)?;
        let after = cargo.test(&copies, Variant::Tuned)?;
        println!("{}", Tests::compared(before.as_ref(), after.as_ref()));
    }
    let programs = cargo.drivers(&copies)?;
    let seconds = Duration::from_secs(arguments.seconds);
    let cases = measure::all(&programs, seconds, |name| name.contains(&arguments.case))?;
    println!("{}", report::Table(&cases));
    Ok(())
}
