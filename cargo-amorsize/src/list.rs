//! `cargo amorsize list`: annotated functions and the loops of the profile at a glance.

use std::collections::BTreeSet;

use amorsize_profile::{LoopEntry, Profile, Section};

use crate::check::{self, Finding};
use crate::error::{Error, Result};
use crate::project::Project;
use crate::scan::{Scan, base_name};
use crate::table::Table;
use crate::{profile, term, units};

pub(crate) fn list(project: &Project) -> Result<()> {
    let mut listed = 0;
    for package in project.packages() {
        let scan = Scan::of(package)?;
        let profile = profile::load(package)?.unwrap_or_default();
        if scan.functions.is_empty() && profile.machines.is_empty() {
            check::warn_of_skipped(project, &scan, package);
            continue;
        }
        if listed > 0 {
            term::result("");
        }
        listed += 1;
        check::warn_of_doubts(&scan, package);
        let section = section(&profile, None);
        let class = section.map_or("not measured yet", |(class, _)| class);
        term::result(&format!("{} ({class})", term::heading(&package.name)));
        table(&scan, &profile, section.map(|(_, section)| section)).print();
    }
    if listed == 0 {
        return Err(Error::NothingAnnotated { packages: check::names(project) });
    }
    Ok(())
}

fn table(scan: &Scan, profile: &Profile, section: Option<&Section>) -> Table {
    let findings = check::findings(scan, profile);
    let headings = ["items", "item", "plan", "gain", "parallel from", "state"];
    let mut table = Table::new("loop", &headings);
    let reached: BTreeSet<&str> = section
        .into_iter()
        .flat_map(|section| section.loops.keys().chain(section.untuned.keys()))
        .map(String::as_str)
        .collect();
    let unreached = scan
        .functions
        .keys()
        .map(String::as_str)
        .filter(|function| !reached.iter().any(|name| base_name(name) == *function));
    let names: BTreeSet<&str> = reached.iter().copied().chain(unreached).collect();
    for name in names {
        let entry = section.and_then(|section| section.loops.get(name));
        table.row(name, cells(entry, state(&findings, section, name)), Vec::new());
    }
    table
}

fn state(findings: &[Finding], section: Option<&Section>, loop_name: &str) -> &'static str {
    let of_loop = findings.iter().find(|finding| match finding {
        Finding::Edited { name, .. } | Finding::Missing { name, .. } => {
            name == base_name(loop_name)
        }
        Finding::Orphan { name } => name == loop_name,
    });
    match of_loop {
        Some(Finding::Edited { .. }) => "edited",
        Some(Finding::Missing { .. }) => "missing",
        Some(Finding::Orphan { .. }) => "orphaned",
        None if section.is_some_and(|section| section.loops.contains_key(loop_name)) => "fresh",
        None if section.is_some_and(|section| section.untuned.contains_key(loop_name)) => "untuned",
        None => "unmeasured",
    }
}

fn cells(entry: Option<&LoopEntry>, state: &str) -> Vec<String> {
    let none = || "-".to_owned();
    match entry {
        Some(LoopEntry { facts, parallel_from, plan, .. }) => vec![
            units::count(plan.items),
            units::time(facts.at_cost(plan.cost).item_ns_of(plan.items as f64)),
            units::plan(plan.workers, plan.chunk),
            units::factor(plan.speedup),
            parallel_from.map_or_else(|| "never".to_owned(), units::count),
            state.to_owned(),
        ],
        None => vec![none(), none(), none(), none(), none(), state.to_owned()],
    }
}

/// The section of the named class, or of this machine's, or else the first.
pub(crate) fn section<'a>(
    profile: &'a Profile,
    class: Option<&str>,
) -> Option<(&'a str, &'a Section)> {
    let here = amorsize_runtime::machine_class();
    profile
        .machines
        .get_key_value(class.unwrap_or(here))
        .or_else(|| profile.machines.iter().next().filter(|_| class.is_none()))
        .map(|(class, section)| (class.as_str(), section))
}
