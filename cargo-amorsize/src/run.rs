//! Runs one bench or test as cargo would, with recording on, until it ends by itself, enough is
//! known, or its time is over.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cargo_metadata::Package;

use crate::build::Executable;
use crate::error::{Error, Result};
use crate::process::{End, Group};
use crate::progress::Progress;
use crate::project::{self, Project};
use crate::tail::Tail;

/// Lines of a failed program's output that are shown.
const SHOWN_LINES: usize = 30;

/// How often records are taken up, and how often it is judged whether they suffice.
const READ_EVERY: Duration = Duration::from_millis(100);
const JUDGE_EVERY: Duration = Duration::from_millis(400);

/// Bytes from which on freed memory goes back to the system while memory is measured.
const GIVEN_BACK_FROM: &str = "65536";

/// What a run is for.
#[derive(Clone, Debug)]
pub(crate) enum Mode {
    /// Serial and parallel settings, to be fitted.
    Explore,
    /// Serial, stock rayon and the plans of this profile.
    Verify(PathBuf),
    /// Peaks of the resident memory in calls, of at least so many items, of one loop on so many workers.
    Memory { workers: u32, items: u64, name: String },
}

impl Mode {
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Mode::Explore => "Recording",
            Mode::Verify(_) => "Verifying",
            Mode::Memory { .. } => "Measuring",
        }
    }

    /// What is done to a program meanwhile.
    fn in_progress(&self) -> &'static str {
        match self {
            Mode::Explore => "it was recorded",
            Mode::Verify(_) => "its plans were verified",
            Mode::Memory { .. } => "its memory was measured",
        }
    }
}

/// One run of one program.
pub(crate) struct Run<'a> {
    pub(crate) project: &'a Project,
    pub(crate) package: &'a Package,
    pub(crate) executable: &'a Executable,
    pub(crate) mode: &'a Mode,
    /// How often it was run before.
    pub(crate) round: u64,
    /// An existing folder, for this run alone.
    pub(crate) records: &'a Path,
    pub(crate) limit: Duration,
}

/// How a run went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It ended by itself, successfully.
    Finished,
    /// Enough was known.
    Enough,
    /// Its time was over.
    TimeUp,
}

impl Run<'_> {
    /// Runs the program, adding what it records to `tail`.
    pub(crate) fn execute(
        &self,
        tail: &mut Tail,
        progress: &Progress,
        enough: impl Fn(&Tail) -> bool,
    ) -> Result<Outcome> {
        let log = self.log_path()?;
        let mut command = self.command(&log)?;
        let started = Instant::now();
        let mut group = Group::spawn(&mut command)?;
        tail.begin_run(self.round == 0);
        let mut outcome = Outcome::Finished;
        let mut read = Instant::now();
        let mut judged = Instant::now();
        let end = group.wait(|| {
            if started.elapsed() >= self.limit {
                outcome = Outcome::TimeUp;
                return Ok(true);
            }
            // Seldom: what happens here takes a core from what is measured.
            if read.elapsed() < READ_EVERY {
                return Ok(false);
            }
            read = Instant::now();
            tail.read(self.records).map_err(|error| self.unreadable(&error))?;
            progress.update(&tail.seen);
            // Counting peaks takes no time.
            if judged.elapsed() >= JUDGE_EVERY || matches!(self.mode, Mode::Memory { .. }) {
                judged = Instant::now();
                if enough(tail) {
                    outcome = Outcome::Enough;
                    return Ok(true);
                }
            }
            Ok(false)
        })?;
        tail.read(self.records).map_err(|error| self.unreadable(&error))?;
        tail.end_run();
        match end {
            End::Exited(status) if !status.success() => Err(Error::Run {
                package: self.package.name.to_string(),
                target: self.executable.title.clone(),
                how: format!("failed ({status}) while {}", self.mode.in_progress()),
                log: last_lines(&log),
                command: self.executable.command.clone(),
            }),
            _ => Ok(outcome),
        }
    }

    fn unreadable(&self, error: &std::io::Error) -> Error {
        Error::Records { target: self.executable.title.clone(), message: error.to_string() }
    }

    fn log_path(&self) -> Result<PathBuf> {
        let folder = self.project.target_folder().join("logs");
        std::fs::create_dir_all(&folder).map_err(|error| Error::write(&folder, &error))?;
        let title = self.executable.title.replace(' ', "-");
        Ok(folder.join(format!("{}-{title}.log", self.package.name)))
    }

    fn command(&self, log: &Path) -> Result<Command> {
        let written = |error: std::io::Error| Error::write(log, &error);
        let output = File::create(log).map_err(written)?;
        let errors = output.try_clone().map_err(written)?;
        let mut command = Command::new(&self.executable.path);
        command
            .current_dir(project::folder_of(self.package))
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .envs(package_environment(self.project, self.package))
            .envs(&self.executable.environment)
            // Nobody's history of measurements is to hold runs that recorded.
            .env("CRITERION_HOME", self.project.target_folder().join("criterion"))
            .env("AMORSIZE_RECORD", self.records)
            .env("AMORSIZE_RECORD_SEED", (self.round + 1).to_string());
        // A plan that is forced from outside would measure only itself.
        command.env_remove("AMORSIZE").env_remove("AMORSIZE_PROFILE");
        match self.mode {
            Mode::Explore => command.env("AMORSIZE_RECORD_MODE", "explore"),
            Mode::Verify(profile) => {
                command.env("AMORSIZE_RECORD_MODE", "verify").env("AMORSIZE_PROFILE", profile)
            }
            Mode::Memory { workers, items, name } => {
                // Memory that is kept although it was freed, by each thread that once was a worker, is no
                // task's: there are no more threads than workers, and the C library (glibc) gives back at once
                // what is large.
                command
                    .env("RAYON_NUM_THREADS", workers.to_string())
                    .env("MALLOC_MMAP_THRESHOLD_", GIVEN_BACK_FROM)
                    .env("MALLOC_TRIM_THRESHOLD_", GIVEN_BACK_FROM)
                    .env("AMORSIZE_RECORD_MODE", format!("memory:{workers}:{items}:{name}"))
            }
        };
        let beside = self.executable.path.ancestors().skip(1).take(2).map(Path::to_owned);
        let libraries = self.executable.libraries.iter().cloned();
        if let Some((name, value)) = with_libraries(libraries.chain(beside)) {
            command.env(name, value);
        }
        if self.executable.is_bench {
            command.arg("--bench");
            if uses_criterion(&self.executable.source) {
                // Its usual eight seconds per benchmark would spend the budget on the first ones.
                let quick = ["--noplot", "--warm-up-time", "0.5", "--measurement-time", "1"];
                command.args(quick);
            }
        } else {
            // Tests that run at the same time would measure each other.
            command.env("RUST_TEST_THREADS", "1");
        }
        Ok(command)
    }
}

/// What cargo sets for programs that it runs.
fn package_environment(project: &Project, package: &Package) -> Vec<(&'static str, OsString)> {
    let text = |value: &Option<String>| OsString::from(value.as_deref().unwrap_or_default());
    let path = |value: Option<&str>| OsString::from(value.unwrap_or_default());
    let version = &package.version;
    vec![
        ("CARGO", project.cargo_path().clone()),
        ("CARGO_MANIFEST_DIR", project::folder_of(package).into()),
        ("CARGO_MANIFEST_PATH", package.manifest_path.as_os_str().to_owned()),
        ("CARGO_PKG_NAME", package.name.to_string().into()),
        ("CARGO_PKG_VERSION", version.to_string().into()),
        ("CARGO_PKG_VERSION_MAJOR", version.major.to_string().into()),
        ("CARGO_PKG_VERSION_MINOR", version.minor.to_string().into()),
        ("CARGO_PKG_VERSION_PATCH", version.patch.to_string().into()),
        ("CARGO_PKG_VERSION_PRE", version.pre.to_string().into()),
        ("CARGO_PKG_AUTHORS", package.authors.join(":").into()),
        ("CARGO_PKG_DESCRIPTION", text(&package.description)),
        ("CARGO_PKG_HOMEPAGE", text(&package.homepage)),
        ("CARGO_PKG_REPOSITORY", text(&package.repository)),
        ("CARGO_PKG_LICENSE", text(&package.license)),
        ("CARGO_PKG_LICENSE_FILE", path(package.license_file.as_ref().map(|p| p.as_str()))),
        ("CARGO_PKG_README", path(package.readme.as_ref().map(|p| p.as_str()))),
        (
            "CARGO_PKG_RUST_VERSION",
            package.rust_version.as_ref().map(ToString::to_string).unwrap_or_default().into(),
        ),
    ]
}

/// The system's variable for folders with dynamic libraries, with these put first.
fn with_libraries(first: impl Iterator<Item = PathBuf>) -> Option<(&'static str, OsString)> {
    let name = if cfg!(windows) {
        "PATH"
    } else if cfg!(target_os = "macos") {
        "DYLD_FALLBACK_LIBRARY_PATH"
    } else {
        "LD_LIBRARY_PATH"
    };
    let old = std::env::var_os(name).unwrap_or_default();
    // An empty path would be the working directory.
    let old = std::env::split_paths(&old).filter(|path| !path.as_os_str().is_empty());
    let joined = std::env::join_paths(first.chain(old)).ok()?;
    Some((name, joined))
}

/// Whether a bench's main function is criterion's, which understands criterion's options.
fn uses_criterion(source: &Path) -> bool {
    std::fs::read_to_string(source).is_ok_and(|text| text.contains("criterion_main!"))
}

fn last_lines(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let skipped = lines.len().saturating_sub(SHOWN_LINES);
    let mut shown = lines[skipped..].join("\n");
    if skipped > 0 {
        shown = format!("… {skipped} lines above, all in {}\n{shown}", log.display());
    }
    shown
}
