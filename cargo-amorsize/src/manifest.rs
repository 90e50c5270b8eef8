//! The table `[package.metadata.amorsize]` in a package's Cargo.toml.
//!
//! A build cannot watch a profile that does not exist yet, so without one it watches Cargo.toml.
//! The table is what makes Cargo.toml change in the commit that adds the profile: whoever pulls both
//! gets a rebuild.

use std::io::Write;
use std::path::Path;

use cargo_metadata::Package;
use toml_edit::{DocumentMut, InlineTable, Item, Value};

use crate::error::{Error, Result};

const COMMENT: &str =
    "# Added with amorsize.toml, so that builds without it notice that it has come.";
const HEADER: &str = "[package.metadata.amorsize]";

/// Adds the table where it is missing. Returns whether it was.
pub(crate) fn ensure_table(package: &Package) -> Result<bool> {
    let path = package.manifest_path.as_std_path();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::Source { path: path.to_owned(), message: error.to_string() })?;
    let changed =
        with_table(&text).map_err(|message| Error::Source { path: path.to_owned(), message })?;
    match changed {
        None => Ok(false),
        Some(changed) => {
            replace(path, &changed).map_err(|error| Error::write(path, &error))?;
            Ok(true)
        }
    }
}

/// The text with the table; `None` when it is there already. Everything else stays as it is.
fn with_table(text: &str) -> Result<Option<String>, String> {
    let mut document: DocumentMut = text.parse().map_err(|error| format!("{error}"))?;
    let package = document
        .get_mut("package")
        .and_then(Item::as_table_like_mut)
        .ok_or("it has no table [package]")?;
    let metadata = package.get_mut("metadata");
    if let Some(metadata) = &metadata
        && metadata.get("amorsize").is_some()
    {
        return Ok(None);
    }
    // `metadata = { … }` cannot be extended by a table of its own.
    if let Some(inline) = metadata.and_then(Item::as_inline_table_mut) {
        inline.insert("amorsize", Value::InlineTable(InlineTable::new()));
        return Ok(Some(document.to_string()));
    }
    // Neither can `package = { … }`.
    if let Some(package) = document.get_mut("package").and_then(Item::as_inline_table_mut) {
        let metadata = InlineTable::from_iter([("amorsize", InlineTable::new())]);
        package.insert("metadata", Value::InlineTable(metadata));
        return Ok(Some(document.to_string()));
    }
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let gap = if text.ends_with('\n') { "" } else { end };
    Ok(Some(format!("{text}{gap}{end}{COMMENT}{end}{HEADER}{end}")))
}

/// Written beside and renamed over, so that nobody ever reads half a Cargo.toml.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let permissions = std::fs::metadata(path)?.permissions();
    let path = path.canonicalize()?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".Cargo.toml-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(permissions)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(text: &str) -> String {
        let changed = with_table(text).expect("a manifest").expect("a change");
        assert_eq!(with_table(&changed), Ok(None), "adding twice changes nothing");
        changed
    }

    #[test]
    fn everything_else_stays_as_it_was() {
        let text =
            "# A comment.\n[package]\nname   = 'demo' # odd\n\n[dependencies]\nrayon = \"1\"";
        let changed = added(text);
        assert!(changed.starts_with(text), "{changed}");
        assert!(changed.ends_with("\n[package.metadata.amorsize]\n"), "{changed}");
    }

    #[test]
    fn metadata_of_others_is_extended_however_it_is_written() {
        for text in [
            "[package]\nname = 'a'\n[package.metadata.docs.rs]\nall-features = true\n",
            "[package]\nname = 'a'\nmetadata = { docs = { rs = 1 } }\n",
            "[package]\nname = 'a'\nmetadata.docs.rs = 1\n",
            "package = { name = 'a', metadata = { docs = 1 } }\n",
        ] {
            assert!(added(text).contains("docs"), "{text}");
        }
    }

    #[test]
    fn a_package_that_is_an_inline_table_stays_one() {
        let changed = added("package = { name = 'a' }\nlib = { path = 'a.rs' }\n");
        assert!(changed.starts_with("package = {") && !changed.contains(HEADER), "{changed}");
        assert!(added("package.name = 'a'\n").contains(HEADER));
    }

    #[test]
    fn line_ends_of_windows_are_kept() {
        let changed = added("[package]\r\nname = 'a'\r\n");
        assert_eq!(changed.matches('\n').count(), changed.matches("\r\n").count());
    }

    #[test]
    fn a_virtual_manifest_is_refused() {
        assert!(with_table("[workspace]\nmembers = []\n").is_err());
    }
}
