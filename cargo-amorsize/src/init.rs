//! `cargo amorsize init`: an empty profile and the table in Cargo.toml.

use crate::error::{Error, Result};
use crate::project::{Project, profile_path};
use crate::scan::Scan;
use crate::{again, manifest, profile, term};

pub(crate) fn init(project: &Project) -> Result<()> {
    let mut prepared = 0;
    for package in project.packages() {
        // In a workspace only the packages that use Amorsize are meant, unless they are named.
        let depends = project.anchor(package);
        if !project.is_explicit() && (depends.is_err() || Scan::of(package)?.is_empty()) {
            continue;
        }
        depends?;
        prepared += 1;
        let path = profile_path(package);
        let existed = profile::load(package)?.is_some();
        if existed {
            term::status("Fresh", &format!("{} exists", path.display()));
        } else {
            profile::update(package, |_| ())?;
            term::status("Created", &format!("{}, still empty", path.display()));
        }
        if manifest::ensure_table(package)? {
            let manifest = &package.manifest_path;
            term::status("Added", &format!("[package.metadata.amorsize] to {manifest}"));
        } else {
            term::status("Fresh", &format!("{} has its table", package.manifest_path));
        }
        if !existed {
            term::status("Next", &again::tune(&package.name));
        }
    }
    if prepared == 0 {
        return Err(Error::NothingAnnotated { packages: "this workspace".to_owned() });
    }
    Ok(())
}
