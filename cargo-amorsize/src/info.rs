//! `cargo amorsize info`: the machine as Amorsize sees it. Works outside of a project too.

use std::path::PathBuf;

use amorsize_profile::MachineFacts;
use amorsize_runtime::survey::Survey;

use crate::cli::{Info, MessageFormat};
use crate::error::Result;
use crate::project::{Project, profile_path};
use crate::{document, inventory, profile, term};

/// What is known of this machine and of the present packages' profiles for it.
pub(crate) struct Findings {
    pub(crate) survey: Survey,
    /// What handing out work costs, as just measured.
    pub(crate) measured: MachineFacts,
    pub(crate) packages: Vec<Profiled>,
}

/// A package and what its profile has for this machine.
pub(crate) struct Profiled {
    pub(crate) package: String,
    pub(crate) path: PathBuf,
    /// The machine classes that the profile has sections for; `None` where there is no profile.
    pub(crate) classes: Option<Vec<String>>,
    /// Loops in this machine's section; `None` where there is none.
    pub(crate) loops: Option<usize>,
}

pub(crate) fn info(project: Option<&Project>, options: &Info) -> Result<()> {
    // First, so that a damaged profile is an error as everywhere else, not half an answer.
    let packages = project.map(packages).transpose()?.unwrap_or_default();
    let findings = Findings {
        survey: amorsize_runtime::machine_survey(),
        measured: amorsize_runtime::measure_machine(),
        packages,
    };
    match options.output.message_format {
        MessageFormat::Json => term::result(&document::info(&findings)),
        MessageFormat::Human => {
            for line in inventory::lines(&findings, term::columns()) {
                term::result(&line);
            }
            for doubt in &findings.survey.doubts {
                term::warning(&doubt.to_string());
                term::note(&doubt.hint());
            }
        }
    }
    Ok(())
}

/// The packages that are meant. Of those that nobody named, only the ones with a profile.
fn packages(project: &Project) -> Result<Vec<Profiled>> {
    let class = amorsize_runtime::machine_class();
    let mut packages = Vec::new();
    for package in project.packages() {
        let profile = profile::load(package)?;
        if profile.is_none() && !project.is_explicit() {
            continue;
        }
        let section = profile.as_ref().and_then(|profile| profile.machines.get(class));
        packages.push(Profiled {
            package: package.name.to_string(),
            path: profile_path(package),
            loops: section.map(|section| section.loops.len()),
            classes: profile.map(|profile| profile.machines.into_keys().collect()),
        });
    }
    Ok(packages)
}
