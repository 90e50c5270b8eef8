//! Copies of a published crate in the scratch folder: one as its authors wrote it, two with the
//! attribute. All changes to the crate's own files are made here.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::cargo::Cargo;
use crate::list::RealCrate;
use crate::{Result, edit};

/// The bench target that every copy has, and no other.
pub(crate) const DRIVER: &str = "amorsize-driver";

/// Which copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// As its authors wrote it.
    Stock,
    /// With the attribute and the edits, but no profile.
    Unseen,
    /// With the attribute, the edits and the profile that `tune` writes.
    Tuned,
}

impl Variant {
    pub(crate) const ALL: [Variant; 3] = [Variant::Stock, Variant::Unseen, Variant::Tuned];

    fn folder(self) -> &'static str {
        match self {
            Variant::Stock => "stock",
            Variant::Unseen => "unseen",
            Variant::Tuned => "tuned",
        }
    }
}

/// The copies of one crate.
#[derive(Clone, Debug)]
pub(crate) struct Copies<'a> {
    pub(crate) real_crate: &'a RealCrate,
    folder: PathBuf,
}

impl<'a> Copies<'a> {
    /// Where the copies are, or will be.
    pub(crate) fn of(real_crate: &'a RealCrate, scratch: &Path) -> Self {
        let name = format!("{}-{}", real_crate.name, real_crate.version);
        Copies { real_crate, folder: scratch.join("crates").join(name) }
    }

    /// The folder of one of them.
    pub(crate) fn folder(&self, variant: Variant) -> PathBuf {
        self.folder.join(variant.folder())
    }

    /// Its manifest.
    pub(crate) fn manifest(&self, variant: Variant) -> PathBuf {
        self.folder(variant).join("Cargo.toml")
    }

    /// The version of a copy. Cargo takes packages of the same name and version in two folders for one and the
    /// same where they share a target folder, and would build one of them only.
    fn version(&self, variant: Variant) -> String {
        format!("{}+{}", self.real_crate.version, variant.folder())
    }

    /// Makes all of them anew, with the same versions of everything that they depend on.
    pub(crate) fn make(&self, cargo: &Cargo) -> Result<()> {
        let source = cargo.fetched(self.real_crate)?;
        for variant in Variant::ALL {
            let folder = self.folder(variant);
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            copy_tree(&source, &folder)?;
            self.change(variant)?;
        }
        cargo.resolve(&self.manifest(Variant::Stock))?;
        let version = |variant| self.version(variant);
        let lock = fs::read_to_string(self.folder(Variant::Stock).join("Cargo.lock"))?;
        for variant in [Variant::Unseen, Variant::Tuned] {
            let lock = lock.replace(&version(Variant::Stock), &version(variant));
            fs::write(self.folder(variant).join("Cargo.lock"), lock)?;
        }
        Ok(())
    }

    fn change(&self, variant: Variant) -> Result<()> {
        let folder = self.folder(variant);
        let change = |file: &str, f: &dyn Fn(&str) -> Result<String>| -> Result<()> {
            let path = folder.join(file);
            let text = fs::read_to_string(&path)
                .map_err(|error| format!("failed to read {}: {error}", path.display()))?;
            Ok(fs::write(&path, f(&text)?)?)
        };
        change("Cargo.toml", &|text| manifest(text, self.real_crate, &self.version(variant)))?;
        if variant != Variant::Stock {
            // Edits first: they are written for the text as it was published.
            for wanted in &self.real_crate.edits {
                change(&wanted.file, &|text| edit::replace(text, wanted))?;
            }
            for function in &self.real_crate.functions {
                change(&function.file, &|text| edit::annotate(text, function))?;
            }
        }
        let benches = folder.join("benches");
        if benches.exists() {
            fs::remove_dir_all(&benches)?;
        }
        fs::create_dir_all(&benches)?;
        fs::copy(driver_source(&self.real_crate.name), benches.join("driver.rs"))?;
        fs::copy(driver_source("serve"), benches.join("serve.rs"))?;
        Ok(())
    }
}

/// Our program that calls the crate's functions.
pub(crate) fn driver_source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("drivers").join(format!("{name}.rs"))
}

/// The root of this repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The crate's manifest with `amorsize` as a dependency and our driver as its only bench. All variants get
/// the same one but for the version, so that they have the same dependencies.
fn manifest(text: &str, real_crate: &RealCrate, version: &str) -> Result<String> {
    let mut manifest: Table = text.parse().map_err(|error| format!("Cargo.toml: {error}"))?;
    table(&mut manifest, "package")?.insert("version".to_owned(), version.into());
    for targets in ["bench", "example"] {
        manifest.remove(targets);
    }
    let driver = Table::from_iter([
        ("name".to_owned(), Value::from(DRIVER)),
        ("path".to_owned(), Value::from("benches/driver.rs")),
        ("harness".to_owned(), Value::from(false)),
    ]);
    manifest.insert("bench".to_owned(), Value::Array(vec![Value::Table(driver)]));
    let path = |path: String| Value::Table(Table::from_iter([("path".to_owned(), path.into())]));
    let root = repository().canonicalize()?.display().to_string();
    table(&mut manifest, "dependencies")?.insert("amorsize".to_owned(), path(root));
    let for_tests = table(&mut manifest, "dev-dependencies")?;
    for name in &real_crate.without {
        for_tests
            .remove(name)
            .ok_or_else(|| format!("Cargo.toml: no development dependency `{name}`"))?;
    }
    for_tests.extend(real_crate.driver_dependencies.clone());
    // A workspace of its own, wherever the scratch folder is.
    manifest.insert("workspace".to_owned(), Value::Table(Table::new()));
    if real_crate.patches_itself {
        let registry = table(table(&mut manifest, "patch")?, "crates-io")?;
        registry.insert(real_crate.name.clone(), path(".".to_owned()));
    }
    Ok(toml::to_string(&manifest)?)
}

/// The table of this name, made if it is missing.
fn table<'t>(parent: &'t mut Table, name: &str) -> Result<&'t mut Table> {
    let entry = parent.entry(name).or_insert_with(|| Value::Table(Table::new()));
    entry.as_table_mut().ok_or_else(|| format!("Cargo.toml: `{name}` is no table").into())
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLISHED: &str = "\
[package]
name = \"shapes\"
version = \"1.2.3\"

[[bench]]
name = \"all\"
harness = false

[dependencies.rayon]
version = \"1\"

[dev-dependencies.criterion]
version = \"0.8\"

[dev-dependencies.proptest]
version = \"1\"
";

    fn shapes(more: &str) -> RealCrate {
        let text = format!("name = \"shapes\"\nversion = \"1.2.3\"\n{more}");
        toml::from_str(&text).expect("a crate of the list")
    }

    #[test]
    fn a_copy_depends_on_amorsize_and_has_our_driver_alone() {
        let listed = shapes("without = [\"criterion\"]\ndriver-dependencies = { rand = \"0.9\" }");
        let text = manifest(PUBLISHED, &listed, "1.2.3+stock").expect("a manifest");
        let changed: Table = text.parse().expect("still TOML");
        assert!(changed["dependencies"]["amorsize"]["path"].is_str());
        assert_eq!(changed["package"]["version"].as_str(), Some("1.2.3+stock"));
        assert_eq!(changed["dependencies"]["rayon"]["version"].as_str(), Some("1"));
        let for_tests: Vec<&String> =
            changed["dev-dependencies"].as_table().expect("a table").keys().collect();
        assert_eq!(for_tests, ["proptest", "rand"]);
        let benches = changed["bench"].as_array().expect("benches");
        assert_eq!(benches.len(), 1);
        assert_eq!(benches[0]["name"].as_str(), Some(DRIVER));
        assert!(changed.contains_key("workspace") && !changed.contains_key("patch"));
    }

    #[test]
    fn a_crate_that_its_driver_uses_indirectly_is_patched() {
        let text =
            manifest(PUBLISHED, &shapes("patches-itself = true"), "1.2.3").expect("a manifest");
        let changed: Table = text.parse().expect("still TOML");
        assert_eq!(changed["patch"]["crates-io"]["shapes"]["path"].as_str(), Some("."));
    }

    #[test]
    fn a_dependency_that_is_not_there_cannot_be_left_out() {
        let error =
            manifest(PUBLISHED, &shapes("without = [\"plotters\"]"), "1").expect_err("absent");
        assert!(error.to_string().contains("`plotters`"), "{error}");
    }

    #[test]
    fn a_tree_is_copied_with_its_folders() {
        let folder = tempfile::tempdir().expect("a folder");
        let from = folder.path().join("from");
        fs::create_dir_all(from.join("src/deep")).expect("folders");
        fs::write(from.join("src/deep/lib.rs"), "fn f() {}").expect("a file");
        copy_tree(&from, &folder.path().join("to")).expect("copied");
        let text = fs::read_to_string(folder.path().join("to/src/deep/lib.rs"));
        assert_eq!(text.expect("the copy"), "fn f() {}");
    }
}
