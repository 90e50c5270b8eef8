//! Finds and reads the Rust sources of a package and of everything it depends on.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, NodeDep, PackageId};
use cargo_platform::{Cfg, Platform};
use rayon::prelude::*;

/// One source file.
#[derive(Clone, Debug)]
pub struct Source {
    /// Name and version of the package it belongs to, such as `either-1.15.0`.
    pub package: String,
    /// Path inside the package, such as `src/lib.rs`, with `/` on every system.
    pub path: String,
    /// The text; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// Package and path, as in `either-1.15.0/src/lib.rs`.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.package, self.path)
    }
}

/// Where a source file is.
#[derive(Clone, Debug)]
pub struct Location {
    package: String,
    path: String,
    file: PathBuf,
}

/// Why the sources could not be read.
#[derive(Debug)]
pub enum Error {
    /// `rustc` could not tell for which platform dependencies are to be resolved.
    Host(String),
    /// `cargo metadata` failed.
    Metadata(cargo_metadata::Error),
    /// A file or folder could not be read.
    Read(PathBuf, io::Error),
    /// No package has a Rust file in its `src` folder.
    NoSources,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(reason) => write!(f, "failed to ask rustc for the host platform: {reason}"),
            Self::Metadata(error) => write!(f, "failed to list packages: {error}"),
            Self::Read(path, error) => write!(f, "failed to read {}: {error}", path.display()),
            Self::NoSources => write!(f, "no Rust sources found"),
        }
    }
}

impl std::error::Error for Error {}

/// The sources of the package at `manifest` and of all packages in its dependency graph.
///
/// # Errors
///
/// Fails where `cargo metadata` does, and on the first file that cannot be read.
pub fn load(manifest: &Path) -> Result<Vec<Source>, Error> {
    read(&locate(manifest)?)
}

/// Where those sources are, ordered by package and path.
///
/// # Errors
///
/// Fails where `cargo metadata` does, or when a `src` folder cannot be listed.
pub fn locate(manifest: &Path) -> Result<Vec<Location>, Error> {
    let host = Host::ask()?;
    let metadata = metadata(manifest, &host)?;
    let mut locations = Vec::new();
    for id in dependency_graph(&metadata, &host) {
        let package = &metadata[id];
        let label = format!("{}-{}", package.name, package.version);
        if let Some(root) = package.manifest_path.parent() {
            list(root.as_std_path(), "src", &label, &mut locations)?;
        }
    }
    if locations.is_empty() {
        return Err(Error::NoSources);
    }
    locations.sort_unstable_by(|a, b| (&a.package, &a.path).cmp(&(&b.package, &b.path)));
    Ok(locations)
}

/// Reads the files, in parallel.
///
/// # Errors
///
/// Fails on a file that cannot be read.
#[amorsize::tune]
pub fn read(locations: &[Location]) -> Result<Vec<Source>, Error> {
    locations
        .par_iter()
        .map(|location| match fs::read(&location.file) {
            Ok(bytes) => Ok(Source {
                package: location.package.clone(),
                path: location.path.clone(),
                text: String::from_utf8_lossy(&bytes).into_owned(),
            }),
            Err(error) => Err(Error::Read(location.file.clone(), error)),
        })
        .collect()
}

/// Everything that was needed to build a package lies on this machine, so cargo is first asked not to use the
/// network. Only where more is missing, such as the dependencies of other workspace members, may it fetch.
fn metadata(manifest: &Path, host: &Host) -> Result<Metadata, Error> {
    let platform = format!("--filter-platform={}", host.name);
    let ask = |options: &[&str]| {
        let mut command = MetadataCommand::new();
        command.manifest_path(manifest);
        command.other_options(options.iter().map(ToString::to_string).collect::<Vec<_>>());
        command.exec()
    };
    ask(&["--offline", &platform]).or_else(|_| ask(&[&platform])).map_err(Error::Metadata)
}

/// The platform that packages are built for here.
struct Host {
    name: String,
    cfgs: Vec<Cfg>,
}

impl Host {
    fn ask() -> Result<Self, Error> {
        let name = rustc_prints("host-tuple")?;
        let cfgs = rustc_prints("cfg")?.lines().filter_map(|line| line.parse().ok()).collect();
        Ok(Host { name, cfgs })
    }

    /// Whether more than tests and benches need the dependency here.
    fn needs(&self, dependency: &NodeDep) -> bool {
        dependency.dep_kinds.iter().any(|each| {
            let is_for = |platform: &Platform| platform.matches(&self.name, &self.cfgs);
            each.kind != DependencyKind::Development && each.target.as_ref().is_none_or(is_for)
        })
    }
}

fn rustc_prints(what: &str) -> Result<String, Error> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--print", what])
        .output()
        .map_err(|error| Error::Host(error.to_string()))?;
    let printed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || printed.is_empty() {
        let reason = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Host(reason.trim().to_owned()));
    }
    Ok(printed)
}

/// The manifest's package, or all members of a workspace without one, and what they need.
fn dependency_graph<'m>(metadata: &'m Metadata, host: &Host) -> Vec<&'m PackageId> {
    let Some(resolve) = &metadata.resolve else {
        return Vec::new();
    };
    let mut found: Vec<&PackageId> = match &resolve.root {
        Some(root) => vec![root],
        None => metadata.workspace_members.iter().collect(),
    };
    let mut next = 0;
    while let Some(&id) = found.get(next) {
        let nodes = resolve.nodes.iter().filter(|node| node.id == *id);
        for dependency in nodes.flat_map(|node| &node.deps).filter(|each| host.needs(each)) {
            if !found.contains(&&dependency.pkg) {
                found.push(&dependency.pkg);
            }
        }
        next += 1;
    }
    found
}

/// Adds the Rust files of `folder`, a path inside the package at `root`. A folder that is not there has none.
fn list(
    root: &Path,
    folder: &str,
    package: &str,
    locations: &mut Vec<Location>,
) -> Result<(), Error> {
    let full = root.join(folder);
    let fail = |error| Error::Read(full.clone(), error);
    let entries = match fs::read_dir(&full) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fail(error)),
    };
    for entry in entries {
        let entry = entry.map_err(fail)?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        // The type of the entry itself: a link could lead out of the package, or round in circles.
        let kind = entry.file_type().map_err(fail)?;
        if kind.is_dir() {
            list(root, &path, package, locations)?;
        } else if kind.is_file() && path.ends_with(".rs") {
            let (package, file) = (package.to_owned(), entry.path());
            locations.push(Location { package, path, file });
        }
    }
    Ok(())
}
