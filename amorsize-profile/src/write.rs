//! Changing an `amorsize.toml` that others may be reading, or changing, at the same time.
//!
//! Readers take no lock: they see the old file or the new one, because the new one is written beside
//! it and renamed over it. Writers exclude each other by a lock and re-read the file under it, so
//! that the change of each is made to what the one before has left.

use std::env;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process;

use crate::write_error::folder_of;
use crate::{Profile, WriteError, checksum};

/// Applies `change` to the profile at `path`, or to an empty one where there is no file yet.
/// Returns whether the file was written.
///
/// A file whose profile, rounded as by [`Profile::rounded`], is not altered by `change` keeps every
/// byte, its first line included; otherwise it is rendered anew with `command` in that line.
///
/// The update is atomic: whatever happens, the file is the old or the new one, and whole. Updates by
/// several threads or processes of one host are made one after the other. The lock for that is a
/// file in the system's folder for temporary files, named after a hash of the profile's path: it
/// does not litter the package, and works where the package lies on a network file system that
/// cannot lock. Updates from several hosts at once leave a whole file too, but one may be lost.
///
/// # Errors
///
/// When the present file cannot be read or is damaged (it is never overwritten), when the changed
/// profile could not be read back, and when the folder or the disk does not allow the write. The
/// file is then as it was.
pub fn update(
    path: &Path,
    command: &str,
    change: impl FnOnce(&mut Profile),
) -> Result<bool, WriteError> {
    let failed = |source| WriteError::Write { path: path.to_owned(), source };
    let target = resolve(path).map_err(failed)?;
    let _lock = lock(&target)?;

    let old = Profile::load(path).map_err(WriteError::Read)?;
    let mut new = old.clone().unwrap_or_default();
    change(&mut new);
    let new = new.rounded();
    if old.as_ref() == Some(&new) {
        return Ok(false);
    }
    let text = new.render(command);
    Profile::parse(&text).map_err(|error| WriteError::Invalid(error.at(path)))?;
    replace(&target, &text).map_err(failed)?;
    Ok(true)
}

/// The file that `path` leads to through symbolic links, so that a link is not replaced by a file
/// and all names of one file share one lock. The file itself need not exist.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = path.file_name().ok_or(error)?;
            Ok(fs::canonicalize(folder_of(path))?.join(name))
        }
        resolved => resolved,
    }
}

/// Waits for the lock of `target`, which is held until the returned file is dropped or the process
/// ends, in whatever way.
///
/// The lock file stays where it is: removing it would let a third process lock a new one while the
/// second still waits for the old.
fn lock(target: &Path) -> Result<File, WriteError> {
    let name = format!("amorsize-{}.lock", checksum(&target.to_string_lossy()));
    let path = env::temp_dir().join(name);
    let locked = open_lock(&path).and_then(|file| {
        wait_for(&file)?;
        Ok(file)
    });
    locked.map_err(|source| WriteError::Lock { path, source })
}

fn open_lock(path: &Path) -> io::Result<File> {
    let opened = OpenOptions::new().write(true).create(true).truncate(false).open(path);
    match opened {
        // Another user's lock file can be read and that is enough to lock it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            File::open(path).map_err(|_| error)
        }
        opened => opened,
    }
}

#[allow(clippy::incompatible_msrv, reason = "the feature `write` is documented to need Rust 1.89")]
fn wait_for(file: &File) -> io::Result<()> {
    loop {
        match file.lock() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Makes `text` the contents of `target`, in one step, with the permissions of the old file.
fn replace(target: &Path, text: &str) -> io::Result<()> {
    let permissions = match fs::metadata(target) {
        Ok(metadata) => Some(metadata.permissions()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let (temporary, file) = Temporary::create_beside(target)?;
    fill(file, text, permissions)?;
    temporary.rename_to(target)?;
    sync_folder(folder_of(target));
    Ok(())
}

fn fill(mut file: File, text: &str, permissions: Option<Permissions>) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    if let Some(permissions) = permissions {
        file.set_permissions(permissions)?;
    }
    // Before the rename, or a power failure could leave the new name with no contents.
    file.sync_all()
}

/// A file on its way to become another; removed if it does not get there.
struct Temporary {
    path: PathBuf,
    is_in_place: bool,
}

impl Temporary {
    /// In the same folder, because a rename is atomic only within one file system.
    fn create_beside(target: &Path) -> io::Result<(Self, File)> {
        let mut attempt = 0_u32;
        loop {
            // An unfinished file of a process that was killed may have taken the name.
            let name = format!(".{}.{}.{attempt}.tmp", crate::FILE_NAME, process::id());
            let path = folder_of(target).join(name);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let is_in_place = false;
                    return Ok((Temporary { path, is_in_place }, file));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    fn rename_to(mut self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        self.is_in_place = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_in_place {
            // The error that led here is the one to report.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes the rename outlast a power failure, where the system offers that for folders. The new file
/// is in place already, so a failure here must not be reported as one of the update.
fn sync_folder(folder: &Path) {
    if cfg!(unix) {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}

#[cfg(test)]
mod tests;
