//! What a user's clean build pays: the same small crate on rayon, without and with Amorsize.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde::Serialize;

use crate::case::PATIENCE;
use crate::cli::Effort;
use crate::estimate::{Estimate, median};
use crate::load;
use crate::output;

/// The proc-macro family that most builds have already; not counted.
const SYN_FAMILY: [&str; 4] = ["syn", "quote", "proc-macro2", "unicode-ident"];

/// The workspace, for the path dependency and for versions that are known to be there offline.
const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

const SOURCE: &str = "\
use rayon::prelude::*;

#[tune]
pub fn lengths(words: &[String]) -> Vec<usize> {
    words.par_iter().map(|word| word.chars().count()).collect()
}

#[tune]
pub fn total(numbers: &[u64]) -> u64 {
    numbers.par_iter().filter(|&&n| n % 3 == 0).map(|n| n * n).sum()
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let numbers: Vec<u64> = (0..1_000).collect();
    println!(\"{:?} {}\", lengths(&words), total(&numbers));
}
";

/// Everything measured.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    /// Crates that Amorsize adds, its own and syn's family left out.
    extra_crates: BTreeSet<String>,
    /// All crates that it adds.
    all_extra_crates: BTreeSet<String>,
    rayon_seconds: Estimate,
    amorsize_seconds: Estimate,
    extra_seconds: f64,
}

/// Builds both crates in turn, each time from nothing.
pub(crate) fn run(effort: &Effort) -> Result<Results, Box<dyn Error>> {
    let root = tempfile::tempdir()?;
    let plain = root.path().join("on-rayon");
    let tuned = root.path().join("on-amorsize");
    let amorsize = format!("amorsize = {{ path = {WORKSPACE:?} }}\n");
    write_package(&plain, "", &SOURCE.replace("#[tune]\n", ""))?;
    write_package(&tuned, &amorsize, &SOURCE.replace("#[tune]", "#[amorsize::tune]"))?;

    let before = crates(&plain)?;
    let all_extra_crates: BTreeSet<String> = crates(&tuned)?.difference(&before).cloned().collect();
    let (mut plain_seconds, mut tuned_seconds) = (Vec::new(), Vec::new());
    for repetition in 1..=effort.pick(1, 3) {
        output::status(&format!("clean builds, repetition {repetition}"));
        plain_seconds.push(clean_build(&plain)?);
        tuned_seconds.push(clean_build(&tuned)?);
    }
    let differences: Vec<f64> =
        tuned_seconds.iter().zip(&plain_seconds).map(|(tuned, plain)| tuned - plain).collect();
    Ok(Results {
        extra_crates: all_extra_crates.iter().filter(|name| !is_expected(name)).cloned().collect(),
        all_extra_crates,
        rayon_seconds: Estimate::of(&plain_seconds),
        amorsize_seconds: Estimate::of(&tuned_seconds),
        extra_seconds: median(&differences),
    })
}

/// Whether a crate is Amorsize's own or one of syn's family.
fn is_expected(name: &str) -> bool {
    name.starts_with("amorsize") || SYN_FAMILY.contains(&name)
}

fn write_package(at: &Path, dependency: &str, source: &str) -> std::io::Result<()> {
    fs::create_dir_all(at.join("src"))?;
    let manifest = format!(
        "[package]\nname = \"user\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nrayon = \"1.12\"\n{dependency}\n[workspace]\n"
    );
    fs::write(at.join("Cargo.toml"), manifest)?;
    fs::write(at.join("src/main.rs"), source)?;
    // Cargo drops the entries that are not needed and keeps the versions of the others.
    fs::copy(Path::new(WORKSPACE).join("Cargo.lock"), at.join("Cargo.lock"))?;
    Ok(())
}

/// Names of the crates that are built for the package in `directory` on this host.
fn crates(directory: &Path) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let tree = ["tree", "--offline", "--edges=normal,build", "--prefix=none"];
    let output = cargo(directory).args(tree).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("cargo tree failed: {}", output.status).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let names = text.lines().filter_map(|line| line.split_whitespace().next());
    Ok(names.map(str::to_owned).collect())
}

/// Seconds of a release build with an empty target folder.
fn clean_build(directory: &Path) -> Result<f64, Box<dyn Error>> {
    let target = directory.join("target");
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    let mut build = cargo(directory);
    build.args(["build", "--release", "--offline", "--quiet"]);
    load::wait_for_quiet(PATIENCE);
    let start = Instant::now();
    let status = build.status()?;
    let seconds = start.elapsed().as_secs_f64();
    if !status.success() {
        return Err(format!("cargo build failed: {status}").into());
    }
    Ok(seconds)
}

fn cargo(directory: &Path) -> Command {
    let mut cargo = crate::cargo::cargo(directory);
    cargo.env_remove("CARGO_TARGET_DIR");
    cargo
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<&str> = self.all_extra_crates.iter().map(String::as_str).collect();
        writeln!(f, "added crates: {}\n", all.join(", "))?;
        writeln!(f, "extra_crates: {}", self.extra_crates.len())?;
        writeln!(f, "rayon_build_seconds: {:.2}", self.rayon_seconds.median)?;
        writeln!(f, "amorsize_build_seconds: {:.2}", self.amorsize_seconds.median)?;
        writeln!(f, "extra_build_seconds: {:.2}", self.extra_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_crates_and_syns_family_are_not_counted() {
        assert!(is_expected("amorsize-runtime") && is_expected("syn"));
        assert!(!is_expected("synstructure") && !is_expected("rayon"));
    }
}
