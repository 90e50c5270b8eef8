//! What leaves the process: results on stdout, progress on stderr, JSON to a file.

use std::fs::OpenOptions;
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

/// An error, before anything is measured, if `file` could not be written.
pub(crate) fn check(file: &Path) -> Result<(), String> {
    let written = if file.exists() {
        OpenOptions::new().append(true).open(file).map(drop)
    } else {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        tempfile::tempfile_in(folder.unwrap_or(Path::new("."))).map(drop)
    };
    written.map_err(|error| format!("{}: {error}", file.display()))
}

/// The failures to write files, all together.
pub(crate) fn failures<'f>(
    written: impl IntoIterator<Item = (Option<&'f Path>, io::Result<()>)>,
) -> Result<(), String> {
    let failed = written
        .into_iter()
        .filter_map(|(file, outcome)| Some(format!("{}: {}", file?.display(), outcome.err()?)));
    let failed: Vec<String> = failed.collect();
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_written_is_named_and_none_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let [new, lost] = ["new.json", "absent/new.json"].map(|name| folder.path().join(name));
        check(&new).unwrap();
        assert!(!new.exists());
        assert!(check(folder.path()).is_err());
        assert!(check(&lost).unwrap_err().contains("absent"));
        std::fs::write(&new, "old").unwrap();
        check(&new).unwrap();
        assert_eq!(std::fs::read_to_string(&new).unwrap(), "old");
        let failed = || Err(io::Error::other("full"));
        let outcomes = [(None, Ok(())), (Some(&*new), failed()), (Some(&*lost), failed())];
        let text = failures(outcomes).unwrap_err();
        assert!(text.contains("absent") && text.matches("full").count() == 2, "{text}");
    }
}
