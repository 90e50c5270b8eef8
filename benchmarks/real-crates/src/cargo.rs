//! What cargo does for the copies: fetch, build, test and tune.

use std::collections::BTreeMap;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cargo_metadata::{Message, MetadataCommand};

use crate::Result;
use crate::copy::{Copies, DRIVER, Variant, repository};
use crate::list::RealCrate;

/// Cargo, with all builds of copies in one target folder.
#[derive(Debug)]
pub(crate) struct Cargo {
    scratch: PathBuf,
}

/// The drivers of a crate's copies.
#[derive(Debug)]
pub(crate) struct Drivers {
    pub(crate) stock: PathBuf,
    pub(crate) unseen: PathBuf,
    pub(crate) tuned: PathBuf,
}

impl Cargo {
    pub(crate) fn new(scratch: PathBuf) -> Result<Self> {
        fs::create_dir_all(&scratch)
            .map_err(|error| format!("failed to make {}: {error}", scratch.display()))?;
        Ok(Cargo { scratch: scratch.canonicalize()? })
    }

    pub(crate) fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// A call of cargo whose builds go to the scratch folder.
    fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(program());
        command.arg(subcommand).env("CARGO_TARGET_DIR", self.scratch.join("target"));
        command.env_remove("AMORSIZE").env_remove("AMORSIZE_RECORD");
        command
    }

    /// The folder where cargo keeps the sources of this crate, fetched if need be.
    pub(crate) fn fetched(&self, real_crate: &RealCrate) -> Result<PathBuf> {
        let RealCrate { name, version, .. } = real_crate;
        let folder = self.scratch.join("fetch");
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("src/lib.rs"), "")?;
        fs::write(
            folder.join("Cargo.toml"),
            format!(
                "[package]\nname = \"fetch\"\nedition = \"2024\"\n\n[workspace]\n\n\
                 [dependencies]\n{name} = \"={version}\"\n"
            ),
        )?;
        let metadata = MetadataCommand::new()
            .cargo_path(program())
            .manifest_path(folder.join("Cargo.toml"))
            .exec()?;
        let package = metadata
            .packages
            .iter()
            .find(|package| {
                package.name.as_str() == name && package.version.to_string() == *version
            })
            .ok_or_else(|| format!("cargo fetched no {name} {version}"))?;
        let folder = package.manifest_path.parent().ok_or("a manifest without a folder")?;
        Ok(folder.as_std_path().to_owned())
    }

    /// Writes the copy's lock file.
    pub(crate) fn resolve(&self, manifest: &Path) -> Result<()> {
        MetadataCommand::new().cargo_path(program()).manifest_path(manifest).exec()?;
        Ok(())
    }

    /// Runs the crate's own tests, optimised, as profiles are of no account otherwise. `None` if they do not build:
    /// what they need may not be part of the package.
    pub(crate) fn test(&self, copies: &Copies<'_>, variant: Variant) -> Result<Option<Tests>> {
        eprintln!("testing {}", copies.folder(variant).display());
        let output = self
            .command("test")
            .args(["--release", "--no-fail-fast", "--locked", "--color", "never"])
            .arg("--manifest-path")
            .arg(copies.manifest(variant))
            .args(features(copies.real_crate))
            .stdin(Stdio::null())
            .output()?;
        let log = copies.folder(variant).with_extension("tests.log");
        fs::write(&log, [&*output.stdout, &*output.stderr].concat())?;
        let tests = Tests::read(&String::from_utf8_lossy(&output.stdout));
        if tests.ended.is_empty() && !output.status.success() {
            eprintln!("they do not build: see {}", log.display());
            return Ok(None);
        }
        Ok(Some(tests))
    }

    /// `cargo amorsize tune` on the tuned copy, as a user would call it.
    pub(crate) fn tune(&self, copies: &Copies<'_>, seconds: u64) -> Result<()> {
        let mut build = Command::new(program());
        build
            .args(["build", "--release", "--package", "cargo-amorsize"])
            .arg("--manifest-path")
            .arg(repository().join("Cargo.toml"));
        let tool = executable(build, "cargo-amorsize")?;
        let status = Command::new(tool)
            .args(["tune", "--bench", DRIVER, "--time-limit", &seconds.to_string()])
            .arg("--manifest-path")
            .arg(copies.manifest(Variant::Tuned))
            .args(features(copies.real_crate))
            .env("CARGO_TARGET_DIR", self.scratch.join("target"))
            .status()?;
        if !status.success() {
            return Err(format!("`cargo amorsize tune` failed: {status}").into());
        }
        Ok(())
    }

    /// Builds the drivers of all copies.
    pub(crate) fn drivers(&self, copies: &Copies<'_>) -> Result<Drivers> {
        let build = |variant| {
            let mut command = self.command("bench");
            command
                .args(["--no-run", "--locked", "--bench", DRIVER])
                .arg("--manifest-path")
                .arg(copies.manifest(variant))
                .args(features(copies.real_crate));
            executable(command, DRIVER)
        };
        Ok(Drivers {
            stock: build(Variant::Stock)?,
            unseen: build(Variant::Unseen)?,
            tuned: build(Variant::Tuned)?,
        })
    }
}

fn program() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}

fn features(real_crate: &RealCrate) -> Vec<String> {
    if real_crate.features.is_empty() {
        return Vec::new();
    }
    vec!["--features".to_owned(), real_crate.features.join(",")]
}

/// Runs a build and returns what it made of the target with this name.
fn executable(mut build: Command, target: &str) -> Result<PathBuf> {
    let mut child = build
        .args(["--message-format", "json-render-diagnostics"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = child.stdout.take().ok_or("cargo has no output")?;
    let mut made = None;
    for message in Message::parse_stream(BufReader::new(stdout)) {
        if let Message::CompilerArtifact(artifact) = message?
            && artifact.target.name == target
            && let Some(path) = artifact.executable
        {
            made = Some(path.into_std_path_buf());
        }
    }
    let status = child.wait()?;
    if !status.success() {
        return Err(format!("building `{target}` failed: {status}").into());
    }
    made.ok_or_else(|| format!("cargo built no executable `{target}`").into())
}

/// How each test of a crate ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tests {
    /// By the program and the test's name; `true` if it passed.
    ended: BTreeMap<(usize, String), bool>,
}

impl Tests {
    /// Reads what test programs print, one after the other.
    fn read(output: &str) -> Self {
        let mut tests = Tests::default();
        let mut program = 0;
        for line in output.lines() {
            if line.starts_with("running ") {
                program += 1;
            }
            let Some((name, end)) =
                line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... "))
            else {
                continue;
            };
            let passed = match end {
                "ok" => true,
                "FAILED" => false,
                _ => continue,
            };
            tests.ended.insert((program, name.to_owned()), passed);
        }
        tests
    }

    fn passed(&self) -> usize {
        self.ended.values().filter(|&&passed| passed).count()
    }

    /// How many passed, and every test that ended differently.
    pub(crate) fn compared(before: Option<&Tests>, after: Option<&Tests>) -> String {
        let (before, after) = match (before, after) {
            (Some(before), Some(after)) => (before, after),
            (None, None) => return "its tests do not build, before as after".to_owned(),
            (Some(_), None) => return "ITS TESTS BUILD NO MORE".to_owned(),
            (None, Some(_)) => return "its tests did not build before".to_owned(),
        };
        let of = |tests: &Tests| format!("{} of {}", tests.passed(), tests.ended.len());
        let mut text = format!("tests passed: {} before, {} after", of(before), of(after));
        let names = before.ended.keys().chain(after.ended.keys());
        let differs = |key: &&(usize, String)| before.ended.get(key) != after.ended.get(key);
        let mut different: Vec<&(usize, String)> = names.filter(differs).collect();
        different.sort();
        different.dedup();
        for key in different {
            text += &format!("\n  changed: {}", key.1);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "
running 3 tests
test a ... ok
test b - should panic ... ok
test c ... ignored

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s

running 1 test
test src/lib.rs - a (line 3) ... FAILED
";

    #[test]
    fn tests_are_counted_by_how_they_ended() {
        let tests = Tests::read(BEFORE);
        assert_eq!((tests.passed(), tests.ended.len()), (2, 3));
        let same = Tests::compared(Some(&tests), Some(&Tests::read(BEFORE)));
        assert_eq!(same, "tests passed: 2 of 3 before, 2 of 3 after");
        assert!(Tests::compared(Some(&tests), None).contains("NO MORE"));
    }

    #[test]
    fn a_test_that_ends_differently_is_named_even_if_as_many_pass() {
        let swapped = BEFORE.replace("test a ... ok", "test a ... FAILED");
        let swapped = swapped.replace("(line 3) ... FAILED", "(line 3) ... ok");
        let text = Tests::compared(Some(&Tests::read(BEFORE)), Some(&Tests::read(&swapped)));
        assert!(text.starts_with("tests passed: 2 of 3 before, 2 of 3 after\n"), "{text}");
        assert_eq!(text.matches("changed: ").count(), 2, "{text}");
    }
}
