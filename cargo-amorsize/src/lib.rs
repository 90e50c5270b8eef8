//! The cargo subcommand of Amorsize: `cargo amorsize tune` runs a package's benches and tests,
//! measures every loop in a function annotated with `#[amorsize::tune]`, and writes what it learned
//! to `amorsize.toml`; `check`, `list` and `explain` read that file, `info` the machine.
//!
//! Each file is one noun. The way of `tune` through them: `project` and `scan` say what there is,
//! `build` and `run` (a `recording` of `session`s, each with a budget) yield `observations`, `fit`
//! turns those into facts, `keep` retains old numbers that still decide well, a `verification`
//! measures the resulting plans, and the `verdict` says which of them hold.
//! `fit`, `keep` and `stats` are pure. Only `term` writes to the terminal, and only
//! `profile` and `manifest` write to the user's package.
//!
//! The only stable interface of this library are its [`exit_codes`].

mod again;
mod annotation;
mod build;
mod check;
mod cli;
mod document;
mod enough;
mod error;
pub mod exit_codes;
mod explain;
mod explanation;
mod fit;
mod growth;
mod info;
mod init;
mod inventory;
mod keep;
mod list;
mod manifest;
mod memory;
mod noise;
mod observations;
mod process;
mod profile;
mod progress;
mod project;
mod recording;
mod row;
mod run;
mod scan;
mod session;
mod stats;
mod table;
mod tail;
mod term;
mod tokens;
mod tune;
mod units;
mod verdict;
mod verification;

use std::process::ExitCode;

use amorsize_profile::{Record, Section};

use crate::cli::{Cli, Command};
use crate::error::{Error, Result};
use crate::fit::{Measurement, Source};
use crate::observations::Observations;
use crate::project::Project;

/// Runs the command line that this process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::from_arguments();
    term::set_up(cli.color, cli.quiet);
    again::set_up(&cli);
    match execute(&cli) {
        Ok(()) => ExitCode::from(exit_codes::OK),
        Err(error) => {
            report(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

fn execute(cli: &Cli) -> Result<()> {
    let project = || Project::load(&cli.manifest);
    match &cli.command {
        Command::Init => init::init(&project()?),
        Command::Tune(options) => tune::tune(&project()?, options, cli.verbose),
        Command::Check => check::check(&project()?),
        Command::List => list::list(&project()?),
        Command::Explain(options) => explain::explain(&project()?, options),
        Command::Info(options) => info::info(Project::find(&cli.manifest)?.as_ref(), options),
    }
}

/// The facts of loops as `tune` fits them to what recording processes wrote; `None` where none of them says which
/// machine it was on. For simulations; like everything here but the exit codes, it may change in any release.
#[doc(hidden)]
pub fn fitted(records: impl IntoIterator<Item = Record>) -> Option<Section> {
    let mut seen = Observations::default();
    records.into_iter().for_each(|record| seen.add(record));
    let measurement = Measurement::new(&seen, |_| Some(Source::default()))?;
    Some(measurement.section(measurement.machine.facts))
}

/// Shows an error: the output of a program that failed, what is wrong, and what to do next.
fn report(error: &Error) {
    if let Some(log) = error.log() {
        term::foreign(log);
    }
    term::error(&error.to_string(), &error.hint());
}

/// Of two packages' errors, the worse one is kept for the end and for the exit code, and the other one shown at once. That a
/// profile is stale or that there is nothing to tune is less than anything that failed.
fn report_milder(kept: &mut Option<Error>, error: Error) {
    let is_mild = |error: &Error| {
        matches!(error.exit_code(), exit_codes::NOTHING_TO_TUNE | exit_codes::PROFILE_STALE)
    };
    match kept.take() {
        Some(before) if is_mild(&error) && !is_mild(&before) => {
            report(&error);
            *kept = Some(before);
        }
        before => {
            before.iter().for_each(report);
            *kept = Some(error);
        }
    }
}
