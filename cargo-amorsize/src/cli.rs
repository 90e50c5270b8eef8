//! The arguments, as the user types them.

use std::path::PathBuf;

use amorsize_profile::parse_size;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::term::Color;

const AFTER_HELP: &str = "\
Exit codes:
    0  fine                                 102  not a cargo project
    2  arguments not understood             103  a bench failed, panicked or hung
    4  nothing to tune                      104  the profile is damaged
   96  the project needs a change           105  a file could not be written
  100  check: the profile is stale          106  the machine is too noisy
  101  a build failed                       130  interrupted";

/// Measures parallel loops and keeps what they cost in amorsize.toml.
#[derive(Debug, Parser)]
#[command(name = "cargo-amorsize", bin_name = "cargo amorsize", version, after_help = AFTER_HELP, max_term_width = 80)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Coloured output.
    #[arg(long, global = true, value_name = "WHEN", help_heading = "Output")]
    pub(crate) color: Option<Color>,

    /// No status lines, only results, warnings and errors.
    #[arg(long, short, global = true, conflicts_with = "verbose", help_heading = "Output")]
    pub(crate) quiet: bool,

    /// Says more about what `tune` does and finds.
    #[arg(long, short, global = true, help_heading = "Output")]
    pub(crate) verbose: bool,

    #[command(flatten)]
    pub(crate) manifest: Manifest,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Prepares packages: an empty amorsize.toml, and a table in Cargo.toml.
    Init,
    /// Runs benches (and tests), measures every annotated loop, verifies and writes the profile.
    Tune(Tune),
    /// Compares the annotated functions with the profile, without building.
    ///
    /// Exits with 0 when the profile is fresh and with 100 when it is stale.
    Check,
    /// Shows the annotated functions and the loops of the profile at a glance.
    List,
    /// Shows how a call of a loop is decided, with every term of the prediction.
    Explain(Explain),
    /// Shows the machine: usable cores, available memory and what both follow from.
    ///
    /// Each fact stands beside the file or variable that tells it, each doubt is a warning. Needs no
    /// project; of one, it shows whether the profiles know this machine.
    Info(Info),
}

/// Which packages, and how cargo finds them.
#[derive(Clone, Debug, Args)]
pub(crate) struct Manifest {
    /// The package to work on; by default the one in this folder, or where that is a workspace
    /// without a package of its own, its default members.
    #[arg(long, short, global = true, value_name = "NAME", help_heading = "Packages")]
    pub(crate) package: Vec<String>,

    /// All packages of the workspace that have annotated functions.
    #[arg(long, global = true, conflicts_with = "package", help_heading = "Packages")]
    pub(crate) workspace: bool,

    /// With `--workspace`: not this package; may be given several times.
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        requires = "workspace",
        help_heading = "Packages"
    )]
    pub(crate) exclude: Vec<String>,

    /// Path to Cargo.toml.
    #[arg(long, global = true, value_name = "PATH", help_heading = "Packages")]
    pub(crate) manifest_path: Option<PathBuf>,

    /// Cargo does not use the network.
    #[arg(long, global = true, help_heading = "Packages")]
    pub(crate) offline: bool,

    /// Cargo does not change Cargo.lock.
    #[arg(long, global = true, help_heading = "Packages")]
    pub(crate) locked: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Tune {
    /// Only this bench target; may be given several times.
    #[arg(long, value_name = "NAME", help_heading = "What is run")]
    pub(crate) bench: Vec<String>,

    /// Also the tests, even when the benches reach every annotated function.
    #[arg(long, help_heading = "What is run")]
    pub(crate) tests: bool,

    /// Seconds of measuring per package, builds not counted.
    #[arg(long, value_name = "SECONDS", default_value_t = 40,
          value_parser = clap::value_parser!(u64).range(2..=86_400), help_heading = "What is run")]
    pub(crate) time_limit: u64,

    /// Keeps what was measured on a machine that is too noisy.
    #[arg(long, help_heading = "What is run")]
    pub(crate) force: bool,

    /// Measures and shows, but changes neither amorsize.toml nor Cargo.toml.
    #[arg(long, help_heading = "What is run")]
    pub(crate) dry_run: bool,

    /// Features to activate, separated by commas or spaces.
    #[arg(long, short = 'F', value_name = "FEATURES", help_heading = "Features")]
    pub(crate) features: Vec<String>,

    /// Activates all features.
    #[arg(long, help_heading = "Features")]
    pub(crate) all_features: bool,

    /// Leaves the feature `default` off.
    #[arg(long, help_heading = "Features")]
    pub(crate) no_default_features: bool,

    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Explain {
    /// The loop's name, or an end of it that fits no other loop.
    #[arg(value_name = "LOOP")]
    pub(crate) name: String,

    /// Number of items in the call; by default what the recording saw most of.
    #[arg(long, value_name = "N", help_heading = "The call")]
    pub(crate) len: Option<usize>,

    /// Units of work per item, for a loop with the option `cost`; by default those at which it was
    /// measured.
    #[arg(long, value_name = "UNITS", value_parser = positive, help_heading = "The call")]
    pub(crate) cost: Option<f64>,

    /// Memory that a worker's task takes at its peak, such as 500MB; bounds the workers. By
    /// default what the attribute's option `memory` says, else what `tune` measured.
    #[arg(long, value_name = "SIZE", value_parser = parse_size, help_heading = "The call")]
    pub(crate) memory: Option<u64>,

    /// Helpers that are hot when the call begins; by default all.
    #[arg(long, value_name = "H", help_heading = "The call")]
    pub(crate) hot: Option<usize>,

    /// Most workers that the call may use, in place of AMORSIZE_MAX_WORKERS: an upper limit,
    /// whatever the machine has.
    #[arg(long, value_name = "W", value_parser = clap::value_parser!(u32).range(1..), help_heading = "The call")]
    pub(crate) workers: Option<u32>,

    /// Usable cores of a machine that need not be here, and threads of its pool; by default this
    /// machine's. Without --workers, all of them may be used.
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u32).range(1..), help_heading = "The machine")]
    pub(crate) cores: Option<u32>,

    /// Memory that the machine has available, such as 560GB; by default this machine's.
    #[arg(long, value_name = "SIZE", value_parser = parse_size, help_heading = "The machine")]
    pub(crate) available_memory: Option<u64>,

    /// The share of the available memory that tasks may take together; by default
    /// what the option `memory_fraction` of the attribute says, else 0.8.
    #[arg(long, value_name = "F", value_parser = permille, help_heading = "The machine")]
    pub(crate) memory_fraction: Option<u16>,

    /// The section of this machine class; by default this machine's.
    #[arg(long, value_name = "CLASS", help_heading = "The machine")]
    pub(crate) machine: Option<String>,

    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Info {
    #[command(flatten)]
    pub(crate) output: Output,
}

/// How results are written.
#[derive(Clone, Debug, Args)]
pub(crate) struct Output {
    /// For whom results are written.
    #[arg(long, value_name = "FORMAT", default_value = "human", help_heading = "Output")]
    pub(crate) message_format: MessageFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessageFormat {
    /// For people.
    Human,
    /// For programs: one object; the guide lists its fields.
    Json,
}

impl Cli {
    /// Parses what the process was started with. Cargo starts `cargo amorsize check` as
    /// `cargo-amorsize amorsize check`; an alias starts it without that word.
    pub(crate) fn from_arguments() -> Self {
        let mut arguments: Vec<_> = std::env::args_os().collect();
        if arguments.get(1).is_some_and(|first| first == "amorsize") {
            arguments.remove(1);
        }
        Cli::parse_from(arguments)
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "expected a number above 0".to_owned())
}

/// A share above 0 and at most 1, in thousandths, as the attribute reads it.
fn permille(text: &str) -> Result<u16, String> {
    let permille = text.parse().ok().and_then(amorsize_profile::permille);
    permille.ok_or_else(|| "expected a number above 0 and at most 1".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_memory_fraction_is_a_share_in_thousandths() {
        assert_eq!(["1", "0.8", "0.333", "0.001"].map(permille), [1_000, 800, 333, 1].map(Ok));
        for text in ["0", "-0.5", "1.1", "80%", "NaN", "inf", ""] {
            assert!(permille(text).is_err(), "{text}");
        }
    }
}
