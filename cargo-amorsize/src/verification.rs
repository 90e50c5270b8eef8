//! Runs the programs that reached a loop once more, with the plans of the fitted profile beside serial
//! runs and stock rayon.

use std::collections::BTreeSet;
use std::time::Duration;

use amorsize_profile::{Profile, Section, without_type};
use cargo_metadata::Package;

use crate::enough;
use crate::error::{Error, Result};
use crate::observations::Observations;
use crate::project::Project;
use crate::run::Mode;
use crate::scan::base_name;
use crate::session::{Reached, Session};
use crate::tail::Tail;

/// What is verified, and with which programs.
pub(crate) struct Verification<'a> {
    pub(crate) project: &'a Project,
    pub(crate) package: &'a Package,
    /// The machine class of the section.
    pub(crate) class: &'a str,
    pub(crate) reached: &'a [Reached],
}

impl Verification<'_> {
    /// Observes the plans of `section` for the loops that are `concerned`.
    pub(crate) fn run(
        &self,
        section: &Section,
        concerned: impl Fn(&str) -> bool,
        limit: Duration,
    ) -> Result<Observations> {
        let base = self.project.target_folder();
        let folder = tempfile::Builder::new()
            .prefix("verify-")
            .tempdir_in(&base)
            .map_err(|error| Error::write(&base, &error))?;
        let path = folder.path().join(amorsize_profile::FILE_NAME);
        let mut fitted = Profile::default();
        fitted.machines.insert(self.class.to_owned(), section.clone());
        std::fs::write(&path, fitted.render("cargo amorsize tune"))
            .map_err(|error| Error::write(&path, &error))?;

        // Programs that add no loop to those before them need not run again.
        let mut covered: BTreeSet<String> = BTreeSet::new();
        let mut programs = Vec::new();
        for program in self.reached {
            let before = covered.len();
            // What one program reaches with items of one type, another may reach with a second one.
            let reaches = |name: &str| {
                program.loops.iter().any(|reached| without_type(reached) == without_type(name))
            };
            let wanted = section.loops.keys().filter(|name| reaches(name) && concerned(name));
            covered.extend(wanted.cloned());
            if covered.len() > before {
                programs.push(program.executable.clone());
            }
        }
        let functions: BTreeSet<&str> = covered.iter().map(|name| base_name(name)).collect();
        let expected: Vec<String> = functions.into_iter().map(str::to_owned).collect();
        let mut tail = Tail::new(Observations::named_as(section.loops.keys()));
        let session = Session {
            project: self.project,
            package: self.package,
            mode: Mode::Verify(path),
            limit,
        };
        match session.run(&programs, &mut tail, |tail| enough::to_verify(tail, &expected)) {
            // Nobody has verified anything then, which is said of each plan that is new.
            Ok(_) | Err(Error::Hung { .. }) => Ok(tail.seen),
            Err(error) => Err(error),
        }
    }
}
