//! The profile of the workloads: recorded and fitted as `cargo amorsize tune` records and fits.
//!
//! This program is built a second time, with the feature `record`, and run as `benchmarks record`; the build that
//! measures has no recorder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use amorsize::expansion::{LoopFacts, MachineFacts};
use amorsize_profile::{Record, Section, read_records};
use amorsize_runtime::machine_class;
use serde::{Deserialize, Serialize, Serializer};

use crate::cargo::cargo;
use crate::cli::Effort;
use crate::output;

/// Where recording builds go, so that the build that measures stays what it is.
const TARGET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/amorsize");

/// What was recorded, fitted.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// The machine's class.
    pub(crate) class: String,
    section: Section,
}

impl Recorded {
    /// What was recorded on a machine of this class: profiles of others say little here.
    pub(crate) fn of(effort: &Effort) -> Result<Self, String> {
        let recorded = Recorded::of_any_machine(effort)?;
        is_of(machine_class(), &recorded.class)?;
        Ok(recorded)
    }

    /// Reads what a recording left in the folder that the command line names; without one, builds and records now.
    pub(crate) fn of_any_machine(effort: &Effort) -> Result<Self, String> {
        if let Some(folder) = &effort.records {
            return Recorded::read(folder);
        }
        let folder =
            tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
        let program = build()?;
        output::status("recording");
        let mut recording = Command::new(&program);
        recording.args(effort.arguments()).arg("record").stdin(Stdio::null());
        recording.env("AMORSIZE_RECORD", folder.path()).env_remove("AMORSIZE_PROFILE");
        let status =
            recording.status().map_err(|error| format!("{}: {error}", program.display()))?;
        if !status.success() {
            return Err(format!("{} record failed: {status}", program.display()));
        }
        Recorded::read(folder.path())
    }

    fn read(folder: &Path) -> Result<Self, String> {
        let failed = |error| format!("{}: {error}", folder.display());
        let mut records = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "records") {
                records.extend(read_records(&fs::read_to_string(path).map_err(failed)?).0);
            }
        }
        let class = records.iter().find_map(|record| match record {
            Record::Machine { class, .. } => Some(class.clone()),
            _ => None,
        });
        class.and_then(|class| Some(Recorded { class, section: cargo_amorsize::fitted(records)? })).ok_or_else(
            || {
                let hint = "make some with a build that has the feature `record`: `AMORSIZE_RECORD=DIR benchmarks record`";
                format!("{}: no records; {hint}", folder.display())
            },
        )
    }

    pub(crate) fn machine(&self) -> MachineFacts {
        self.section.facts
    }

    /// Of the workload of this name; `None` where its calls were too short to tell.
    pub(crate) fn facts(&self, workload: &str) -> Option<LoopFacts> {
        self.section.loops.get(workload).map(|entry| entry.facts)
    }
}

/// An error if records of a machine of class `recorded` are to be used on one of class `here`.
fn is_of(here: &str, recorded: &str) -> Result<(), String> {
    if recorded == here {
        return Ok(());
    }
    let hint = "record anew here, or make `facts` of them, for `portability`";
    Err(format!(
        "the records were made on a machine of class {recorded}, this one is {here}: {hint}"
    ))
}

/// Builds this program with the recorder; where it is.
fn build() -> Result<PathBuf, String> {
    output::status("building with the feature `record`");
    let mut cargo = cargo(env!("CARGO_MANIFEST_DIR"));
    cargo
        .args(["build", "--release", "--quiet", "--bin=benchmarks", "--features=record"])
        .args(["--target-dir", TARGET]);
    let hint = "where there is no cargo, use `--records`";
    let status = cargo.status().map_err(|error| format!("failed to run cargo: {error}; {hint}"))?;
    if !status.success() {
        return Err(format!("cargo build failed: {status}"));
    }
    Ok(Path::new(TARGET)
        .join("release")
        .join(format!("benchmarks{}", std::env::consts::EXE_SUFFIX)))
}

/// [`LoopFacts`] as JSON shows them.
#[derive(Deserialize, Serialize)]
#[serde(remote = "LoopFacts")]
pub(crate) struct Facts {
    item_ns: f64,
    item_growth: f64,
    item_cv: f64,
    piece_ns: f64,
    reduce_ns: f64,
    reduce_growth: f64,
    contention: f64,
    coherency: f64,
    imbalance: f64,
    cpu_share: Option<f64>,
}

impl Facts {
    /// For what may have no profile.
    pub(crate) fn optional<S: Serializer>(
        facts: &Option<LoopFacts>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match facts {
            Some(facts) => Facts::serialize(facts, serializer),
            None => serializer.serialize_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_another_class_are_refused_by_name() {
        assert!(is_of("x86-2", "x86-2").is_ok());
        let error = is_of("x86-2", "arm-4").unwrap_err();
        assert!(error.contains("arm-4") && error.contains("x86-2"), "{error}");
    }
}
