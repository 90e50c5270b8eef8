//! Why a profile was not taken.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::FILE_NAME;

/// Why a profile could not be read: the file, the line where it is known, and what is wrong there.
///
/// [`Display`](fmt::Display) is one line, complete in itself:
///
/// ```text
/// amorsize.toml:7: section "x86_64-linux-amd-19h" does not match its checksum: it was edited, cut short or badly merged
/// ```
///
/// What to do about it is said by [`ReadError::hint`].
#[derive(Debug)]
pub struct ReadError {
    path: Option<PathBuf>,
    line: Option<usize>,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    /// The file could not be read at all.
    Io(io::Error),
    /// The file is of a format that this version does not know.
    UnknownFormat(String),
    /// The file is not what was once written.
    Damaged(String),
    /// A merge was left unfinished.
    Conflict,
}

impl ReadError {
    pub(crate) fn io(error: io::Error) -> Self {
        Self::new(None, Problem::Io(error))
    }

    pub(crate) fn unknown_format(line: usize, message: String) -> Self {
        Self::new(Some(line), Problem::UnknownFormat(message))
    }

    pub(crate) fn damaged(line: Option<usize>, message: impl Into<String>) -> Self {
        Self::new(line, Problem::Damaged(message.into()))
    }

    pub(crate) fn conflict(line: usize) -> Self {
        Self::new(Some(line), Problem::Conflict)
    }

    /// Whether the file is not what was once written, and was read: it was edited, cut short or badly merged. A merge that was left
    /// unfinished is none of these.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        matches!(self.problem, Problem::Damaged(_))
    }

    fn new(line: Option<usize>, problem: Problem) -> Self {
        Self { path: None, line, problem }
    }

    pub(crate) fn at(mut self, path: &Path) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// The file, where the profile was read from one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The line that is wrong, counted from 1, where one can be named.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// What to do about it, as a sentence without a full stop: for the line `hint: …` below the
    /// error.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self.problem {
            Problem::Io(_) => {
                "make the file readable, or delete it and re-run `cargo amorsize tune`"
            }
            Problem::UnknownFormat(_) => {
                "use a version of amorsize that knows this format, \
                 or delete the file and re-run `cargo amorsize tune`"
            }
            Problem::Conflict => {
                "where both sides added a machine class, have git show both whole \
                 (`git checkout --conflict=diff3 -- amorsize.toml`) and delete the lines with \
                 markers; otherwise keep one side (`git checkout --ours -- amorsize.toml`)"
            }
            Problem::Damaged(_) => {
                "restore the file from version control, \
                 or delete it and re-run `cargo amorsize tune`"
            }
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.as_deref().unwrap_or(Path::new(FILE_NAME));
        write!(formatter, "{}:", path.display())?;
        if let Some(line) = self.line {
            write!(formatter, "{line}:")?;
        }
        match &self.problem {
            Problem::Io(error) => write!(formatter, " failed to read the file: {error}"),
            Problem::UnknownFormat(message) | Problem::Damaged(message) => {
                write!(formatter, " {message}")
            }
            Problem::Conflict => {
                formatter.write_str(" the file holds an unresolved merge conflict")
            }
        }
    }
}

/// There is never a source: its text is part of the message.
impl Error for ReadError {}
