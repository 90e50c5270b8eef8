//! Everything that can go wrong, with its exit code and the next command to type.

use std::io;
use std::path::{Path, PathBuf};

use crate::{again, exit_codes};

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the command line. Its message is lower-case, without a full stop; [`Error::hint`]
/// says what to do about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("failed to read the project: {message}")]
    Metadata { message: String, hint: String },

    #[error("no package `{wanted}` in this workspace")]
    NoSuchPackage { wanted: String, known: Vec<String> },

    #[error("no package is left of this workspace")]
    AllExcluded,

    #[error("package `{package}` has no bench target `{bench}`")]
    NoSuchBench { package: String, bench: String, known: Vec<String> },

    #[error("package `{package}` does not depend on `amorsize`")]
    NoDependency { package: String },

    #[error("no function of {packages} is annotated with `#[amorsize::tune]`")]
    NothingAnnotated { packages: String },

    #[error("package `{package}` has no benches and no tests, so nothing runs its {loops}")]
    NothingRuns { package: String, loops: String },

    #[error("no bench or test of package `{package}` reached an annotated function")]
    NothingReached { package: String, functions: Vec<String>, limit_s: u64 },

    #[error("two functions share the loop name `{name}`:\n  {first}\n  {second}")]
    NameCollision { name: String, first: String, second: String },

    #[error("failed to read the source file {}: {message}", path.display())]
    Source { path: PathBuf, message: String },

    #[error("failed to build the {what} of package `{package}`; cargo's messages are above")]
    Build { package: String, what: String, command: String },

    #[error("failed to start {}: {source}", program.display())]
    Start { program: PathBuf, source: io::Error },

    #[error("{target} of package `{package}` {how}")]
    Run { package: String, target: String, how: String, log: String, command: String },

    #[error(
        "{target} of package `{package}` recorded nothing within {seconds:.0} s and was stopped"
    )]
    Hung { package: String, target: String, seconds: f64 },

    #[error("the records of {target} cannot be understood: {message}")]
    Records { target: String, message: String },

    #[error("the machine is too noisy to tune on: {what}")]
    TooNoisy { what: String, package: String },

    #[error("the profile {} cannot be used: {message}", path.display())]
    Damaged { path: PathBuf, message: String, hint: String },

    #[error("there is no profile at {}", path.display())]
    NoProfile { path: PathBuf, package: String },

    #[error("the profile {} has no loops yet", path.display())]
    NothingMeasured { path: PathBuf, package: String },

    /// `near` are the arguments of an `explain` that would work.
    #[error("no loop `{wanted}` in {place}")]
    NoSuchLoop { wanted: String, place: String, near: Option<Vec<String>> },

    #[error("`{wanted}` could be any of: {}", candidates.join(", "))]
    AmbiguousLoop { wanted: String, candidates: Vec<String> },

    #[error("{problem}")]
    Stale { problem: String, next: String },

    #[error("failed to write {}: {message}", path.display())]
    Write { path: PathBuf, message: String, hint: String },

    #[error("interrupted; a profile that was not written yet is unchanged")]
    Interrupted,
}

impl Error {
    /// A file or folder that could not be written, for what the system says.
    pub(crate) fn write(path: &Path, source: &io::Error) -> Self {
        // An error of a temporary file names that file too, which nobody asked for.
        let inner = source.get_ref().and_then(|error| std::error::Error::source(error));
        Error::Write {
            path: path.to_owned(),
            message: inner.map_or_else(|| source.to_string(), ToString::to_string),
            hint: "make sure that its folder is writable and has room, and try again".to_owned(),
        }
    }

    /// The exit code, one of [`exit_codes`].
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Error::Metadata { .. } => exit_codes::CARGO_METADATA_FAILED,
            Error::AllExcluded
            | Error::NothingAnnotated { .. }
            | Error::NothingRuns { .. }
            | Error::NothingReached { .. } => exit_codes::NOTHING_TO_TUNE,
            Error::NoSuchPackage { .. }
            | Error::NoSuchBench { .. }
            | Error::NoDependency { .. }
            | Error::NameCollision { .. }
            | Error::Source { .. }
            | Error::NoProfile { .. }
            | Error::NothingMeasured { .. }
            | Error::NoSuchLoop { .. }
            | Error::AmbiguousLoop { .. } => exit_codes::SETUP_ERROR,
            Error::Build { .. } => exit_codes::BUILD_FAILED,
            Error::Start { .. }
            | Error::Run { .. }
            | Error::Hung { .. }
            | Error::Records { .. } => exit_codes::RUN_FAILED,
            Error::TooNoisy { .. } => exit_codes::TOO_NOISY,
            Error::Damaged { .. } => exit_codes::PROFILE_DAMAGED,
            Error::Stale { .. } => exit_codes::PROFILE_STALE,
            Error::Write { .. } => exit_codes::WRITE_FAILED,
            Error::Interrupted => exit_codes::INTERRUPTED,
        }
    }

    /// What the user can do next, ending in a command where there is one.
    pub(crate) fn hint(&self) -> String {
        match self {
            Error::Metadata { hint, .. } => hint.clone(),
            Error::NoSuchPackage { wanted, known } => {
                match nearest(wanted, known.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the packages here are: {}", known.join(", ")),
                }
            }
            Error::AllExcluded => "name fewer of them with `--exclude`".to_owned(),
            Error::NoSuchBench { bench, known, .. } => {
                match nearest(bench, known.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `--bench {near}`?"),
                    None if known.is_empty() => {
                        "it has no bench target whose features are on; use `--features` or `--tests`"
                            .to_owned()
                    }
                    None => format!("its bench targets are: {}", known.join(", ")),
                }
            }
            Error::NoDependency { package } => {
                format!("add it: cargo add --package {package} amorsize")
            }
            Error::NothingAnnotated { .. } => "put `#[amorsize::tune]` on a function that holds a \
                rayon loop, then: cargo amorsize tune"
                .to_owned(),
            Error::NothingRuns { package, .. } => format!(
                "write a bench or test that calls them on realistic data, for example in \
                 benches/tuned.rs, then: {}",
                again::tune(package)
            ),
            Error::NothingReached { package, limit_s, .. } => format!(
                "call one from a bench on realistic data; if they only need more time: \
                 {} --time-limit {}",
                again::tune(package),
                limit_s * 3
            ),
            Error::NameCollision { .. } => "name one of them: #[amorsize::tune(name = \"…\")], \
                then: cargo amorsize check"
                .to_owned(),
            Error::Source { .. } => "make it compile first: cargo check".to_owned(),
            Error::Build { command, .. } => format!("once it builds, try again: {command}"),
            Error::Start { program, .. } => {
                format!("see whether it can run here: {}", quoted(&program.to_string_lossy()))
            }
            Error::Run { command, .. } => format!("run it alone: {command}"),
            Error::Hung { package, seconds, .. } => format!(
                "if it does not hang but only needs longer before its first tuned loop: \
                 {} --time-limit {:.0}",
                again::tune(package),
                (seconds * 8.0).max(120.0)
            ),
            Error::Records { .. } => "build the benches with the same version of `amorsize` as \
                this tool: cargo update -p amorsize"
                .to_owned(),
            Error::TooNoisy { package, .. } => format!(
                "try again when it is idle, or keep what was measured: \
                 {} --force",
                again::tune(package)
            ),
            Error::NoProfile { package, .. } | Error::NothingMeasured { package, .. } => {
                format!("measure it: {}", again::tune(package))
            }
            Error::NoSuchLoop { near, .. } => match near {
                Some(near) => {
                    let command = near.iter().map(|word| quoted(word)).collect::<Vec<_>>();
                    format!("did you mean this? cargo amorsize explain {}", command.join(" "))
                }
                None => "see which loops there are: cargo amorsize list".to_owned(),
            },
            Error::AmbiguousLoop { candidates, .. } => {
                let first = quoted(candidates.first().map_or("", String::as_str));
                format!("give more of the name: cargo amorsize explain {first}")
            }
            Error::Stale { next, .. } => next.clone(),
            Error::Damaged { hint, .. } | Error::Write { hint, .. } => hint.clone(),
            Error::Interrupted => "start again: cargo amorsize tune".to_owned(),
        }
    }

    /// Output of a failed program, to be shown above the error.
    pub(crate) fn log(&self) -> Option<&str> {
        match self {
            Error::Run { log, .. } if !log.is_empty() => Some(log),
            _ => None,
        }
    }
}

/// The known name that is most like `wanted`, if any is like it at all.
pub(crate) fn nearest<'a>(
    wanted: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(wanted, name), name))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// Quotes a path for a shell when it needs it.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+:=,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_met_with_the_nearest_name() {
        assert_eq!(nearest("sourcestats", ["rayon", "source-stats"]), Some("source-stats"));
        assert_eq!(nearest("xyz", ["rayon", "source-stats"]), None);
    }

    #[test]
    fn paths_with_spaces_are_quoted_in_hints() {
        assert_eq!(quoted("a/b.toml"), "a/b.toml");
        assert_eq!(quoted("my dir/it's"), r"'my dir/it'\''s'");
    }
}
