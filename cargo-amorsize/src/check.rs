//! `cargo amorsize check`: do the profile and the annotated functions belong together? Reads both,
//! builds nothing, and asks for no section of the present machine.

use std::collections::BTreeSet;

use amorsize_profile::{Profile, Section};
use cargo_metadata::Package;

use crate::error::{Error, Result, quoted};
use crate::progress::counted;
use crate::project::{Project, profile_path};
use crate::scan::{Function, Scan, base_name};
use crate::{again, profile, term};

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
    let mut worst = None;
    let mut looked_at = 0;
    for package in project.packages() {
        match one(project, package) {
            Ok(done) => looked_at += usize::from(done),
            Err(error) => {
                looked_at += 1;
                crate::report_milder(&mut worst, error);
            }
        }
    }
    match worst {
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
        warn_of_skipped(project, &scan, package);
        if project.is_explicit() {
            project.anchor(package)?;
        }
        return Ok(false);
    }
    warn_of_doubts(&scan, package);
    let problem = match &profile {
        Some(_) => format!("the profile of package `{}` is stale", package.name),
        None => format!("package `{}` has no profile yet", package.name),
    };
    let is_new = profile.is_none();
    let profile = profile.unwrap_or_default();
    let findings = findings(&scan, &profile);
    if findings.is_empty() && is_new {
        let name = &package.name;
        term::status(
            "Unchecked",
            &format!(
                "{name}: no profile yet; which functions should be in it, a look at the sources does not \
                 tell (macros, `#[cfg]`, benches): {}",
                again::tune(name)
            ),
        );
        return Ok(true);
    }
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
    let next = if only_orphans && scan.has_nothing() {
        // There is nothing left to tune.
        let path = profile_path(package);
        format!("delete {}", quoted(&path.to_string_lossy()))
    } else {
        let why = if only_orphans { "drop what is gone" } else { "measure again" };
        format!("{why}: {}", again::tune(&package.name))
    };
    Err(Error::Stale { problem, next })
}

/// Says what a scan of the package could not see.
pub(crate) fn warn_of_doubts(scan: &Scan, package: &Package) {
    for doubt in scan.doubts() {
        term::warning(&format!("{}: {doubt}", package.name));
    }
}

/// The same of a package in which nothing was found, if it uses Amorsize.
pub(crate) fn warn_of_skipped(project: &Project, scan: &Scan, package: &Package) {
    if project.anchor(package).is_ok() {
        warn_of_doubts(scan, package);
    }
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
    for section in profile.machines.values() {
        for (name, tokens) in entries_of(section) {
            let orphan = Finding::Orphan { name: name.to_owned() };
            let is_gone = !scan.has(name, tokens) || is_left_behind(scan, section, name, tokens);
            if is_gone && !findings.contains(&orphan) {
                findings.push(orphan);
            }
        }
    }
    findings
}

/// Whether an entry is of a loop that its function had before it was edited and, as other loops of it in this section were measured
/// since, has no more, or has under another number.
pub(crate) fn is_left_behind(scan: &Scan, section: &Section, name: &str, tokens: &str) -> bool {
    let Some(functions) = scan.function_of(name) else { return false };
    let is_present = |tokens: &str| functions.iter().any(|function| function.tokens == tokens);
    let is_sibling = |other: &str| base_name(other) == base_name(name);
    !is_present(tokens)
        && entries_of(section).any(|(other, tokens)| is_sibling(other) && is_present(tokens))
}

/// Name and token hash of every loop in the profile, tuned or not.
fn entries(profile: &Profile) -> impl Iterator<Item = (&str, &str)> {
    profile.machines.values().flat_map(entries_of)
}

/// The same of one section.
fn entries_of(section: &Section) -> impl Iterator<Item = (&str, &str)> {
    let tuned = section.loops.iter().map(|(name, entry)| (name, &entry.tokens));
    tuned.chain(&section.untuned).map(|(name, tokens)| (name.as_str(), tokens.as_str()))
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
