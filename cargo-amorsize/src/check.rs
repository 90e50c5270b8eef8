//! `cargo amorsize check`: do the profile and the annotated functions belong together? Reads both,
//! builds nothing, and asks for no section of the present machine.

use std::collections::BTreeSet;

use amorsize_profile::Profile;
use cargo_metadata::Package;

use crate::error::{Error, Result};
use crate::progress::counted;
use crate::project::Project;
use crate::scan::{Function, Scan, base_name};
use crate::{profile, term, tokens};

/// Why a profile does not match the sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The function was changed after it was measured.
    Edited { name: String, place: String },
    /// The function is in no section of the profile.
    Missing { name: String, place: String },
    /// The profile has an entry without a function.
    Orphan { name: String },
}

impl Finding {
    fn line(&self) -> String {
        match self {
            Finding::Edited { name, place } => format!("edited    {name}  {place}"),
            Finding::Missing { name, place } => format!("missing   {name}  {place}"),
            Finding::Orphan { name } => format!("orphaned  {name}"),
        }
    }
}

pub(crate) fn check(project: &Project) -> Result<()> {
    let mut first_error = None;
    let mut looked_at = 0;
    for package in project.packages() {
        match one(project, package) {
            Ok(done) => looked_at += usize::from(done),
            Err(error) => {
                looked_at += 1;
                // The last error is reported by the caller; the others here.
                if let Some(before) = first_error.replace(error) {
                    crate::report(&before);
                }
            }
        }
    }
    match first_error {
        Some(error) => Err(error),
        None if looked_at == 0 => Err(Error::NothingAnnotated { packages: names(project) }),
        None => Ok(()),
    }
}

/// The packages that are meant, for a message.
pub(crate) fn names(project: &Project) -> String {
    let names: Vec<String> =
        project.packages().map(|package| format!("`{}`", package.name)).collect();
    match names.len() {
        0..=3 => names.join(", "),
        many => format!("{many} packages"),
    }
}

/// Checks one package; `false` where Amorsize has nothing to do.
fn one(project: &Project, package: &Package) -> Result<bool> {
    let scan = Scan::of(package)?;
    let profile = profile::load(package)?;
    if scan.is_empty() && profile.is_none() {
        if project.is_explicit() {
            project.anchor(package)?;
        }
        return Ok(false);
    }
    for place in &scan.unseen {
        term::warning(&format!(
            "{}: a macro at {place} mentions `tune`; what it expands to is not checked",
            package.name
        ));
    }
    let problem = match &profile {
        Some(_) => format!("the profile of package `{}` is stale", package.name),
        None => format!("package `{}` has no profile yet", package.name),
    };
    let profile = profile.unwrap_or_default();
    let findings = findings(&scan, &profile);
    if findings.is_empty() {
        let loops: BTreeSet<&str> = entries(&profile).map(|(name, _)| name).collect();
        term::status(
            "Fresh",
            &format!(
                "{}: {} in {}, for {}",
                package.name,
                counted(loops.len(), "loop"),
                counted(scan.functions.len(), "annotated function"),
                counted(profile.machines.len(), "machine section"),
            ),
        );
        return Ok(true);
    }
    for finding in &findings {
        term::result(&finding.line());
    }
    let only_orphans = findings.iter().all(|finding| matches!(finding, Finding::Orphan { .. }));
    let why = if only_orphans { "drop what is gone" } else { "measure again" };
    Err(Error::Stale { problem, next: format!("{why}: cargo amorsize tune -p {}", package.name) })
}

/// Compares; sorted by name.
pub(crate) fn findings(scan: &Scan, profile: &Profile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, alternatives) in &scan.functions {
        let measured: Vec<&str> = entries(profile)
            .filter(|(entry, _)| base_name(entry) == name)
            .map(|(_, tokens)| tokens)
            .collect();
        let matches = |function: &Function| measured.contains(&function.tokens.as_str());
        let Some(first) = alternatives.first() else {
            continue;
        };
        let place = first.place();
        if measured.is_empty() {
            // Whether a function under `#[cfg]` exists here, and whether a bench's own function is
            // worth measuring, is not for a scan to say.
            if alternatives.iter().any(|function| !function.conditional && !function.auxiliary) {
                findings.push(Finding::Missing { name: name.clone(), place });
            }
        } else if !alternatives.iter().any(matches) {
            findings.push(Finding::Edited { name: name.clone(), place });
        }
    }
    for (name, tokens) in entries(profile) {
        let orphan = Finding::Orphan { name: name.to_owned() };
        if scan.function_of(name).is_none()
            && tokens != tokens::of_unseen()
            && !findings.contains(&orphan)
        {
            findings.push(orphan);
        }
    }
    findings
}

/// Name and token hash of every loop in the profile, tuned or not.
fn entries(profile: &Profile) -> impl Iterator<Item = (&str, &str)> {
    profile.machines.values().flat_map(|section| {
        let tuned = section.loops.iter().map(|(name, entry)| (name, &entry.tokens));
        tuned.chain(&section.untuned).map(|(name, tokens)| (name.as_str(), tokens.as_str()))
    })
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
