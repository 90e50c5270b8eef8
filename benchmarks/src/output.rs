//! What leaves the process: results on stdout, progress on stderr, JSON to a file.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

/// Prints results. A reader that has gone away is no error.
pub(crate) fn result(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

/// Prints progress.
pub(crate) fn status(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes what was measured to `file`, if one was named.
pub(crate) fn json(file: Option<&Path>, measured: &impl Serialize) -> io::Result<()> {
    match file {
        Some(file) => std::fs::write(file, serde_json::to_string_pretty(measured)? + "\n"),
        None => Ok(()),
    }
}
