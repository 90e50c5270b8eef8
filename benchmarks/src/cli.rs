//! The command line.

use std::error::Error;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use regex::Regex;

#[cfg(feature = "record")]
use crate::record;
use crate::{
    blocking, build_cost, calls, facts, methods, nine_loops, output, pauses, portability, predict,
    report, respect_load, simulate, suite,
};

/// Measures Amorsize against its peers, interleaved in one run.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    /// Fewer rounds: a first impression in a few minutes
    #[arg(long, global = true)]
    quick: bool,

    /// Only what matches this regular expression, as in `axpy/1000` or `mandelbrot`
    #[arg(long, global = true, value_name = "RE")]
    filter: Option<Regex>,

    /// Use the recordings in DIR, made on a machine of this class, instead of making new ones
    #[arg(long, global = true, value_name = "DIR")]
    records: Option<PathBuf>,

    /// Also write everything measured to FILE
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Also write the comparison as a page to FILE; only without a command
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Also write the comparison as Markdown to FILE, and its plot beside it; only without a command
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Nine short loops: the executor alone and with its decision, against rayon
    NineLoops,
    /// What a parallel call takes beside its items, by workers and chunks
    Calls,
    /// What the methods of iterators cost where a loop stays serial, against the plain iterator and rayon
    Methods,
    /// Items that wait for a server or for the disk, under the option `io`, against rayon as it is and on as many threads
    Blocking,
    /// Calls with pauses before them, alone and beside a busy process
    Pauses,
    /// Plans under the option `respect_load` while other processes come and go
    RespectLoad,
    /// What the model predicts for its plans, and what they take
    Predict,
    /// What a profile would hold of every workload, for `portability` on another machine
    Facts,
    /// What the profile of another machine costs here
    Portability {
        /// What `facts --json` wrote on the other machine
        #[arg(value_name = "FILE")]
        foreign: PathBuf,
    },
    /// Random loops on machines of up to 1,024 cores: the model's plans against the best ones
    Simulate,
    /// What a user's clean build pays for depending on Amorsize
    BuildCost,
    /// Calls every workload, in a process that records to the folder AMORSIZE_RECORD
    #[cfg(feature = "record")]
    Record,
    /// Keeps a core busy until the input ends: the busy process of `pauses` and `respect-load`
    #[command(hide = true)]
    KeepBusy,
}

impl Command {
    /// Whether `--filter` can choose a part of it, and whether it starts from recordings.
    fn takes_filter_and_records(&self) -> (bool, bool) {
        match self {
            Command::NineLoops | Command::Methods | Command::Blocking => (true, false),
            Command::Predict | Command::Portability { .. } => (true, true),
            Command::Facts => (false, true),
            #[cfg(feature = "record")]
            Command::Record => (true, false),
            _ => (false, false),
        }
    }

    /// Whether there is anything for `--json` to write.
    fn has_results(&self) -> bool {
        match self {
            #[cfg(feature = "record")]
            Command::Record => false,
            Command::KeepBusy => false,
            _ => true,
        }
    }
}

/// How much to measure.
#[derive(Clone, Debug)]
pub(crate) struct Effort {
    pub(crate) quick: bool,
    filter: Option<Regex>,
    /// A folder with recordings.
    pub(crate) records: Option<PathBuf>,
}

impl Effort {
    /// Whether the filter lets `name` pass.
    pub(crate) fn includes(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|re| re.is_match(name))
    }

    pub(crate) fn is_filtered(&self) -> bool {
        self.filter.is_some()
    }

    /// The arguments that ask for as much.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let quick = self.quick.then(|| "--quick".to_owned());
        let filter = self.filter.as_ref().map(|filter| format!("--filter={filter}"));
        quick.into_iter().chain(filter).collect()
    }

    /// The first of two numbers when quick, the second otherwise.
    pub(crate) fn pick<T>(&self, quick: T, thorough: T) -> T {
        if self.quick { quick } else { thorough }
    }
}

pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let Arguments { quick, filter, records, .. } = arguments;
    let [json, html, markdown] =
        [&arguments.json, &arguments.html, &arguments.markdown].map(|file| file.as_deref());
    if let Some(command) = &arguments.command {
        let (takes_filter, takes_records) = command.takes_filter_and_records();
        for (option, is_idle) in [
            ("--filter", filter.is_some() && !takes_filter),
            ("--records", records.is_some() && !takes_records),
            ("--json", json.is_some() && !command.has_results()),
            ("--html", html.is_some()),
            ("--markdown", markdown.is_some()),
        ] {
            if is_idle {
                return Err(format!("this command has no use for `{option}`: leave it out").into());
            }
        }
    }
    let effort = Effort { quick, filter, records };
    let plot = markdown.map(report::plot_beside);
    for file in [json, html, markdown, plot.as_deref()].into_iter().flatten() {
        output::check(file)?;
    }
    match arguments.command {
        None => {
            let results = suite::run(&effort)?;
            output::result(&results.to_string());
            // What cannot be written keeps nothing else from being so.
            output::failures([
                (json, output::json(json, &results)),
                (html, html.map_or(Ok(()), |file| report::html(file, &results))),
                (markdown, markdown.map_or(Ok(()), |file| report::markdown(file, &results))),
            ])?;
        }
        Some(Command::NineLoops) => {
            let results = nine_loops::run(&effort)?;
            output::result(&results.to_string());
            output::json(json, &results)?;
        }
        Some(Command::Calls) => {
            let results = calls::run(&effort);
            output::result(&results.to_string());
            output::json(json, &results)?;
        }
        Some(Command::Methods) => {
            let results = methods::run(&effort)?;
            output::result(&results.to_string());
            output::json(json, &results)?;
        }
        Some(Command::Blocking) => {
            let results = blocking::run(&effort)?;
            output::result(&results.to_string());
            output::json(json, &results)?;
        }
        Some(Command::Pauses) => {
            let results = pauses::run(&effort)?;
            output::result(&results.to_string());
            output::json(json, &results)?;
        }
        Some(Command::RespectLoad) => {
            let results = respect_load::run(&effort)?;
            output::result(&results.to_string());
            output::json(json, &results)?;
        }
        Some(Command::Predict) => {
            let results = predict::run(&effort)?;
            output::result(&results.to_string());
            output::json(json, &results)?;
        }
        Some(Command::Facts) => {
            let results = facts::run(&effort)?;
            output::result(&results.to_string());
            output::json(json, &results)?;
        }
        Some(Command::Portability { foreign }) => {
            let results = portability::run(&effort, &foreign)?;
            output::result(&results.to_string());
            output::json(json, &results)?;
        }
        Some(Command::Simulate) => {
            let results = simulate::run(&effort);
            output::result(&results.to_string());
            output::json(json, &results)?;
        }
        #[cfg(feature = "record")]
        Some(Command::Record) => record::run(&effort)?,
        Some(Command::KeepBusy) => pauses::keep_busy(),
        Some(Command::BuildCost) => {
            let results = build_cost::run(&effort)?;
            output::result(&results.to_string());
            output::json(json, &results)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
