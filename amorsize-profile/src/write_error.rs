//! Why a profile was not written.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::ReadError;

/// Why a profile was not updated. The file is as it was before.
///
/// [`Display`](fmt::Display) is one line, complete in itself; what to do about it is said by
/// [`WriteError::hint`].
#[derive(Debug)]
#[non_exhaustive]
pub enum WriteError {
    /// The present file cannot be read or is damaged, so that there is nothing to merge with.
    Read(ReadError),
    /// The change made a profile that could not be read back, such as one with a time that is not
    /// a number.
    Invalid(ReadError),
    /// The lock that keeps two updates apart could not be taken.
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file could not be written.
    Write {
        /// The profile.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl WriteError {
    /// What to do about it, as a sentence without a full stop: for the line `hint: …` below the
    /// error.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            WriteError::Read(error) => error.hint().to_owned(),
            WriteError::Invalid(_) => "please report this as a bug of amorsize".to_owned(),
            WriteError::Lock { path, .. } => format!(
                "make the folder `{}` writable, or name another folder for temporary files",
                folder_of(path).display()
            ),
            WriteError::Write { path, .. } => format!(
                "make sure that the folder `{}` exists, is writable and has space left",
                folder_of(path).display()
            ),
        }
    }
}

/// The folder that `path` is in, as a path that can be opened and shown.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::Read(error) => error.fmt(formatter),
            WriteError::Invalid(error) => {
                write!(formatter, "refused to write a profile that could not be read back: {error}")
            }
            WriteError::Lock { path, source } => {
                write!(formatter, "failed to lock `{}`: {source}", path.display())
            }
            WriteError::Write { path, source } => {
                write!(formatter, "failed to write `{}`: {source}", path.display())
            }
        }
    }
}

/// There is never a source: its text is part of the message.
impl Error for WriteError {}
