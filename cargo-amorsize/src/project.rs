//! The user's project: which packages are meant, what they depend on, what can be run in them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, Target, TargetKind};

use crate::cli::{Manifest, Tune};
use crate::error::{Error, Result, quoted};

/// The name of the package that users depend on.
const FACADE: &str = "amorsize";

/// A workspace as cargo sees it.
pub(crate) struct Project {
    pub(crate) metadata: Metadata,
    cargo: OsString,
    /// `--offline` and `--locked`, to be passed on to every call of cargo.
    flags: Vec<String>,
    /// Whether the user named the packages.
    explicit: bool,
    selected: Vec<usize>,
}

/// How the feature `record` of the facade is switched on for a package.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Anchor {
    /// The member that depends on `amorsize` directly, as `name@version`.
    pub(crate) specification: String,
    /// Where cargo is run, so that the member's dependencies can be named.
    pub(crate) folder: PathBuf,
    /// `KEY/record`, and in front of it the feature that turns on the dependency, where that has one.
    pub(crate) feature: String,
}

impl Project {
    /// Asks cargo about the project in the current folder, or the one that was named.
    pub(crate) fn load(manifest: &Manifest) -> Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut flags = Vec::new();
        for (set, flag) in [(manifest.offline, "--offline"), (manifest.locked, "--locked")] {
            if set {
                flags.push(flag.to_owned());
            }
        }
        let mut command = MetadataCommand::new();
        command.cargo_path(&cargo).other_options(flags.clone());
        // What cargo says is shown within our own message.
        command.env("CARGO_TERM_COLOR", "never");
        if let Some(path) = &manifest.manifest_path {
            command.manifest_path(path);
        }
        let metadata = command.exec().map_err(metadata_error)?;
        let mut project = Project { metadata, cargo, flags, explicit: false, selected: Vec::new() };
        project.select(manifest)?;
        Ok(project)
    }

    /// The same, but it is no error if nothing was named and the current folder is in no project.
    pub(crate) fn find(manifest: &Manifest) -> Result<Option<Self>> {
        let named =
            manifest.manifest_path.is_some() || !manifest.package.is_empty() || manifest.workspace;
        if named || manifest_above().is_some() { Self::load(manifest).map(Some) } else { Ok(None) }
    }

    fn select(&mut self, manifest: &Manifest) -> Result<()> {
        let members = self.metadata.workspace_packages();
        let index = |package: &Package| {
            self.metadata.packages.iter().position(|other| other.id == package.id)
        };
        let named = |wanted: &String| {
            let found = members.iter().find(|package| package.name.as_str() == wanted);
            found.and_then(|package| index(package)).ok_or_else(|| {
                let known = members.iter().map(|package| package.name.to_string()).collect();
                Error::NoSuchPackage { wanted: wanted.clone(), known }
            })
        };
        if manifest.workspace {
            let excluded: Vec<usize> = manifest.exclude.iter().map(named).collect::<Result<_>>()?;
            let all = members.iter().filter_map(|package| index(package));
            self.selected = all.filter(|member| !excluded.contains(member)).collect();
            return if self.selected.is_empty() { Err(Error::AllExcluded) } else { Ok(()) };
        }
        if !manifest.package.is_empty() {
            let mut selected: Vec<usize> = Vec::new();
            for found in manifest.package.iter().map(named) {
                let found = found?;
                if !selected.contains(&found) {
                    selected.push(found);
                }
            }
            self.explicit = true;
            self.selected = selected;
            return Ok(());
        }
        let here = manifest.manifest_path.clone().or_else(manifest_above);
        let root = self.metadata.workspace_root.join("Cargo.toml");
        let member = here
            .filter(|path| !same_file(path, root.as_std_path()))
            .and_then(|path| {
                members.iter().find(|p| same_file(p.manifest_path.as_std_path(), &path))
            })
            .and_then(|package| index(package));
        self.explicit = member.is_some() || members.len() == 1;
        self.selected = match member {
            Some(member) => vec![member],
            None => {
                self.metadata.workspace_default_packages().into_iter().filter_map(index).collect()
            }
        };
        Ok(())
    }

    /// The packages that are meant.
    pub(crate) fn packages(&self) -> impl Iterator<Item = &Package> {
        self.selected.iter().map(|&index| &self.metadata.packages[index])
    }

    /// Whether the user named the packages, by `-p` or by standing in one.
    pub(crate) fn is_explicit(&self) -> bool {
        self.explicit
    }

    /// The features that `options` name for this package: where several packages are meant, those that it has, as in cargo.
    /// What none of them has is left for cargo to complain of.
    pub(crate) fn features(&self, package: &Package, options: &Tune) -> Features {
        let mut features = Features::of(options);
        let lists = features.named.iter().flat_map(|list| list.split([',', ' ']));
        let is_meant = |name: &&str| {
            has_feature(package, name) || !self.packages().any(|other| has_feature(other, name))
        };
        features.named = lists.filter(is_meant).map(str::to_owned).collect();
        features
    }

    /// The bench targets that `options` name for this package; `None` if they are all of other packages that are meant.
    pub(crate) fn named_benches(&self, package: &Package, options: &Tune) -> Option<Vec<String>> {
        let is_meant = |name: &&String| {
            has_bench(package, name) || !self.packages().any(|other| has_bench(other, name))
        };
        let benches: Vec<String> = options.bench.iter().filter(is_meant).cloned().collect();
        (!benches.is_empty() || options.bench.is_empty()).then_some(benches)
    }

    /// Where builds that record go, apart from the user's own.
    pub(crate) fn target_folder(&self) -> PathBuf {
        self.metadata.target_directory.join("amorsize").into_std_path_buf()
    }

    /// A call of cargo.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.cargo);
        command.arg(subcommand).args(&self.flags);
        command
    }

    /// The cargo that this project is built with.
    pub(crate) fn cargo_path(&self) -> &OsString {
        &self.cargo
    }

    /// Finds the member through which the feature `record` reaches `package`: the package itself, or
    /// else a member that it depends on, or else any member.
    pub(crate) fn anchor(&self, package: &Package) -> Result<Anchor> {
        if package.name.as_str() == FACADE {
            return Ok(Anchor {
                specification: format!("{}@{}", package.name, package.version),
                folder: folder_of(package).to_owned(),
                feature: "record".to_owned(),
            });
        }
        let below = self.members_below(package);
        below
            .into_iter()
            .find_map(|member| {
                let dependency = member
                    .dependencies
                    .iter()
                    .filter(|dependency| dependency.name == FACADE)
                    .filter(|dependency| dependency.kind != DependencyKind::Build)
                    .min_by_key(|dependency| dependency.optional)?;
                let key = dependency.rename.as_deref().unwrap_or(FACADE);
                // Of another member an optional dependency is not switched on, only its feature;
                // the package's own is what the user wants to be tuned.
                let weak = if dependency.optional && member.id != package.id { "?" } else { "" };
                let mut feature = format!("{key}{weak}/record");
                if weak.is_empty()
                    && let Some(switch) = switch_of(member, key)
                {
                    feature = format!("{switch},{feature}");
                }
                Some(Anchor {
                    specification: format!("{}@{}", member.name, member.version),
                    folder: folder_of(member).to_owned(),
                    feature,
                })
            })
            .ok_or_else(|| Error::NoDependency { package: package.name.to_string() })
    }

    /// The package and the members it depends on, nearest first.
    fn members_below<'a>(&'a self, package: &'a Package) -> Vec<&'a Package> {
        let mut found = vec![package];
        let mut next = 0;
        while let Some(package) = found.get(next).copied() {
            next += 1;
            for dependency in &package.dependencies {
                let Some(path) = &dependency.path else {
                    continue;
                };
                let member = self.metadata.workspace_packages().into_iter().find(|member| {
                    member.manifest_path.parent().is_some_and(|folder| folder == path)
                });
                if let Some(member) = member
                    && !found.iter().any(|known| known.id == member.id)
                {
                    found.push(member);
                }
            }
        }
        found
    }
}

/// Whether a package has a feature, or the dependency whose feature is named.
fn has_feature(package: &Package, name: &str) -> bool {
    match name.split_once('/') {
        None => package.features.contains_key(name),
        Some((of, _)) => {
            let of = of.trim_end_matches('?');
            let key = |dependency: &cargo_metadata::Dependency| {
                dependency.rename.as_deref().unwrap_or(&dependency.name) == of
            };
            package.name.as_str() == of || package.dependencies.iter().any(key)
        }
    }
}

fn has_bench(package: &Package, name: &str) -> bool {
    let mut targets = package.targets.iter();
    targets.any(|target| target.kind.contains(&TargetKind::Bench) && target.name == name)
}

/// The one feature of a package that turns on an optional dependency, if it has another name than the dependency: the code
/// that uses it will be under that feature. Of several, the user has to choose.
fn switch_of<'a>(package: &'a Package, dependency: &str) -> Option<&'a str> {
    let turns_on = format!("dep:{dependency}");
    let mut switches = package.features.iter().filter(|(_, on)| on.contains(&turns_on));
    match (switches.next(), switches.next()) {
        (Some((name, _)), None) if name != dependency => Some(name),
        _ => None,
    }
}

/// The folder of a package.
pub(crate) fn folder_of(package: &Package) -> &Path {
    package.manifest_path.parent().map_or(Path::new("."), |folder| folder.as_std_path())
}

/// Where the profile of a package is, or will be.
pub(crate) fn profile_path(package: &Package) -> PathBuf {
    folder_of(package).join(amorsize_profile::FILE_NAME)
}

/// The bench targets that are run when none is named: those whose features are on.
pub(crate) fn benches<'a>(package: &'a Package, features: &Features) -> Vec<&'a Target> {
    let on = features.on_in(&package.name, &package.features);
    package
        .targets
        .iter()
        .filter(|target| target.kind.contains(&TargetKind::Bench))
        .filter(|target| features.all || target.required_features.iter().all(|f| on.contains(&**f)))
        .collect()
}

/// Whether `cargo test` has something to run: a library, a binary or an integration test that
/// wants to be tested and says `test` somewhere is more than can be told here, so any will do.
pub(crate) fn has_tests(package: &Package) -> bool {
    package.targets.iter().any(|target| target.test)
}

/// The features that the user asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Features {
    pub(crate) named: Vec<String>,
    pub(crate) all: bool,
    pub(crate) no_default: bool,
}

impl Features {
    /// Those of a call of `tune`.
    pub(crate) fn of(options: &Tune) -> Self {
        Features {
            named: options.features.clone(),
            all: options.all_features,
            no_default: options.no_default_features,
        }
    }

    /// Those that are on in a package with these features: the ones that are named, the default ones, and all that they
    /// turn on.
    fn on_in<'a>(
        &'a self,
        package: &str,
        features: &'a BTreeMap<String, Vec<String>>,
    ) -> BTreeSet<&'a str> {
        let named = self.named.iter().flat_map(|list| list.split([',', ' ']));
        // Of `package/feature` the feature; `dependency/feature` turns on an optional dependency here.
        let own = |name: &'a str| match name.split_once('/') {
            Some((of, feature)) if of == package => feature,
            Some((dependency, _)) => dependency,
            None => name,
        };
        let mut next: Vec<&str> = named.map(own).collect();
        if !self.no_default {
            next.push("default");
        }
        let mut on = BTreeSet::new();
        while let Some(feature) = next.pop() {
            if on.insert(feature) {
                next.extend(features.get(feature).into_iter().flatten().map(String::as_str));
            }
        }
        on
    }

    /// The arguments for cargo, and for the hint that repeats a call.
    pub(crate) fn arguments(&self, also: Option<&str>) -> Vec<String> {
        let mut arguments = Vec::new();
        let named: Vec<&str> = self.named.iter().map(String::as_str).chain(also).collect();
        if !named.is_empty() {
            arguments.push("--features".to_owned());
            arguments.push(named.join(","));
        }
        if self.all {
            arguments.push("--all-features".to_owned());
        }
        if self.no_default {
            arguments.push("--no-default-features".to_owned());
        }
        arguments
    }
}

fn manifest_above() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    here.ancestors().map(|folder| folder.join("Cargo.toml")).find(|path| path.is_file())
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

fn metadata_error(error: cargo_metadata::Error) -> Error {
    let text = match error {
        cargo_metadata::Error::CargoMetadata { stderr } => stderr,
        other => other.to_string(),
    };
    let message = text.trim().trim_start_matches("error: ").to_owned();
    let hint = if message.contains("could not find `Cargo.toml`") {
        "go to a cargo project, or name it: cargo amorsize list --manifest-path PATH/Cargo.toml"
            .to_owned()
    } else if message.contains("--locked") || message.contains("--offline") {
        "drop the flag, or update first: cargo fetch".to_owned()
    } else {
        let here = std::env::current_dir().unwrap_or_default();
        format!("cargo itself says this: cd {} && cargo metadata", quoted(&here.to_string_lossy()))
    };
    Error::Metadata { message, hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_passed_on_as_cargo_spells_them() {
        let features = Features { named: vec!["a b".into()], all: false, no_default: true };
        assert_eq!(
            features.arguments(Some("amorsize/record")),
            ["--features", "a b,amorsize/record", "--no-default-features"]
        );
    }

    #[test]
    fn features_that_are_on_are_the_named_ones_the_default_ones_and_what_these_turn_on() {
        let package: BTreeMap<String, Vec<String>> = [
            ("default", vec!["std"]),
            ("std", vec!["dep:other", "alloc"]),
            ("fast", vec!["simd", "fast"]),
        ]
        .map(|(name, on)| (name.to_owned(), on.into_iter().map(str::to_owned).collect()))
        .into();
        let on = |named: &str, no_default| {
            let features = Features { named: vec![named.into()], all: false, no_default };
            ["alloc", "simd", "other"]
                .map(|feature| features.on_in("demo", &package).contains(feature))
        };
        assert_eq!(on("", false), [true, false, false]);
        assert_eq!(on("demo/fast,nothing", true), [false, true, false]);
        // A dependency's feature turns the dependency on, and no feature of the package that has its name.
        assert_eq!(on("other/alloc,simd?/fast", true), [false, false, true]);
    }
}
