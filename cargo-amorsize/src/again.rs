//! The commands that hints name, with those of the arguments typed this time that another time needs, too.

use std::sync::OnceLock;

use crate::cli::{Cli, Command, Tune};
use crate::error::quoted;
use crate::project::Features;

static TYPED: OnceLock<String> = OnceLock::new();

/// Keeps what was typed for the rest of the process.
pub(crate) fn set_up(cli: &Cli) {
    let mut words = Vec::new();
    if let Some(path) = &cli.manifest.manifest_path {
        words.extend(["--manifest-path".to_owned(), path.display().to_string()]);
    }
    if let Command::Tune(options) = &cli.command {
        words.extend(of_tune(options));
    }
    let _ = TYPED.set(words.iter().map(|word| format!(" {}", quoted(word))).collect());
}

/// What says what is built and run: the limits of a run change from one to the next.
fn of_tune(options: &Tune) -> Vec<String> {
    let benches = options.bench.iter().flat_map(|bench| ["--bench".to_owned(), bench.clone()]);
    let mut words: Vec<String> = benches.collect();
    if options.tests {
        words.push("--tests".to_owned());
    }
    words.extend(Features::of(options).arguments(None));
    words
}

/// `cargo amorsize tune -p demo`, and more where more was typed.
pub(crate) fn tune(package: &str) -> String {
    command("tune", package)
}

/// `cargo amorsize check -p demo`, and more where more was typed.
pub(crate) fn command(subcommand: &str, package: &str) -> String {
    let typed = TYPED.get().map_or("", String::as_str);
    format!("cargo amorsize {subcommand} -p {package}{typed}")
}
