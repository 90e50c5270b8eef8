//! The loops of the example package, as `cargo amorsize tune` verifies them.

use std::process::Stdio;

use serde::Deserialize;

use crate::cargo::cargo;
use crate::output;

const PACKAGE: &str = "source-stats";

/// The largest calls of a loop, where its time goes. Times in nanoseconds.
#[derive(Debug, Deserialize)]
pub(crate) struct Call {
    #[serde(rename = "loop")]
    pub(crate) name: String,
    pub(crate) items: usize,
    is_dominant: bool,
    pub(crate) plan: Planned,
    pub(crate) serial_ns: f64,
    /// None where no call was left to stock rayon.
    pub(crate) rayon_ns: Option<f64>,
    pub(crate) tuned_ns: f64,
    pub(crate) predicted_ns: f64,
    pub(crate) predicted_serial_ns: f64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Planned {
    pub(crate) is_serial: bool,
    pub(crate) workers: usize,
    pub(crate) chunk_items: usize,
}

#[derive(Deserialize)]
struct Document {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    calls: Vec<Call>,
}

/// Tunes the example without changing its profile.
pub(crate) fn tune() -> Result<Vec<Call>, String> {
    output::status(&format!("tuning the example {PACKAGE}"));
    let mut cargo = cargo(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    cargo
        .args(["run", "--release", "--quiet", "--package=cargo-amorsize", "--"])
        .args(["tune", "--package", PACKAGE, "--dry-run", "--quiet", "--message-format=json"])
        .stderr(Stdio::inherit());
    let ran = cargo.output().map_err(|error| format!("failed to run cargo: {error}"))?;
    if !ran.status.success() {
        return Err(format!("tuning {PACKAGE} failed: {}", ran.status));
    }
    let document: Document = serde_json::from_slice(&ran.stdout)
        .map_err(|error| format!("what tuning {PACKAGE} wrote is not understood: {error}"))?;
    let calls = document.packages.into_iter().flat_map(|package| package.calls);
    Ok(calls.filter(|call| call.is_dominant).collect())
}
