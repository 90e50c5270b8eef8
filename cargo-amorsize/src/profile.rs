//! Loading and changing a package's `amorsize.toml`.

use std::path::{Path, PathBuf};

use amorsize_profile::{Profile, WriteError};
use cargo_metadata::Package;

use crate::again;
use crate::error::{Error, Result, quoted};
use crate::project::profile_path;

/// The profile of a package; `None` where there is none yet.
pub(crate) fn load(package: &Package) -> Result<Option<Profile>> {
    let path = profile_path(package);
    Profile::load(&path).map_err(|error| damaged(package, path, &error))
}

/// The profile of a package, which has to be there.
pub(crate) fn require(package: &Package) -> Result<Profile> {
    load(package)?.ok_or_else(|| Error::NoProfile {
        path: profile_path(package),
        package: package.name.to_string(),
    })
}

/// Changes the profile of a package, or creates it. Returns whether the file was written.
pub(crate) fn update(package: &Package, change: impl FnOnce(&mut Profile)) -> Result<bool> {
    let path = profile_path(package);
    let command = format!("cargo amorsize tune -p {}", package.name);
    amorsize_profile::update(&path, &command, change).map_err(|error| match error {
        WriteError::Read(error) => damaged(package, path, &error),
        other => Error::Write { path, message: other.to_string(), hint: other.hint() },
    })
}

fn damaged(package: &Package, path: PathBuf, error: &amorsize_profile::ReadError) -> Error {
    // The message begins with the path, as compilers print it; here the path stands in the sentence.
    let text = error.to_string();
    let shown = path.display().to_string();
    let message = text.strip_prefix(&shown).unwrap_or(&text).trim_start_matches(':').trim();
    let message = match error.line() {
        Some(line) => {
            let message = message.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
            format!("line {line}: {}", message.trim())
        }
        None => message.to_owned(),
    };
    let package = &package.name;
    let hint = if error.is_damaged() {
        let path = quoted(&shown);
        format!(
            "restore it with `git checkout HEAD -- {path}`, or delete it and measure again: {}",
            again::tune(package)
        )
    } else {
        format!("{}; then: {}", error.hint(), again::command("check", package))
    };
    Error::Damaged { path, message, hint }
}

/// Fails early where the results could not be written at the end.
pub(crate) fn check_writable(folder: &Path) -> Result<()> {
    tempfile::Builder::new()
        .prefix(".amorsize-")
        .tempfile_in(folder)
        .map(drop)
        .map_err(|error| Error::write(folder, &error))
}
