//! The list of crates: `crates.toml`, read strictly.

use serde::Deserialize;

use crate::Result;

const LIST: &str = include_str!("../crates.toml");

/// All crates.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct List {
    #[serde(rename = "crate")]
    crates: Vec<RealCrate>,
}

/// A published crate and what is done to it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RealCrate {
    pub(crate) name: String,
    /// The one version that the functions and edits are written for.
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) features: Vec<String>,
    /// Packages that the driver needs beside those of the crate itself.
    #[serde(default)]
    pub(crate) driver_dependencies: toml::Table,
    /// Development dependencies that only the crate's own benches and examples need, which are left out.
    #[serde(default)]
    pub(crate) without: Vec<String>,
    /// Packages that the driver needs use this crate too: they are given the copy.
    #[serde(default)]
    pub(crate) patches_itself: bool,
    /// Functions that get the attribute.
    #[serde(default, rename = "function")]
    pub(crate) functions: Vec<Function>,
    /// Other changes: hand-set constants that go, and macros that produce functions.
    #[serde(default, rename = "edit")]
    pub(crate) edits: Vec<Edit>,
}

/// A function that gets the attribute.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Function {
    pub(crate) file: String,
    pub(crate) name: String,
    /// Which of several functions of this name in the file, counted from 1.
    pub(crate) occurrence: Option<usize>,
    /// What stands in the attribute's parentheses.
    pub(crate) options: Option<String>,
}

/// A replacement of a few tokens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edit {
    pub(crate) file: String,
    pub(crate) from: String,
    pub(crate) to: String,
    /// How often `from` occurs; all of them are replaced.
    #[serde(default = "once")]
    pub(crate) times: usize,
}

fn once() -> usize {
    1
}

impl List {
    /// The list that this program was built with.
    pub(crate) fn embedded() -> Result<Self> {
        List::parse(LIST)
    }

    fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| format!("crates.toml: {error}").into())
    }

    /// Those with these names, or all without any.
    pub(crate) fn named(&self, names: &[String]) -> Result<Vec<&RealCrate>> {
        if names.is_empty() {
            return Ok(self.crates.iter().collect());
        }
        let find = |name: &String| {
            self.crates.iter().find(|known| known.name == *name).ok_or_else(|| {
                let known: Vec<&str> = self.crates.iter().map(|known| &*known.name).collect();
                format!("no crate `{name}` in crates.toml: it has {}", known.join(", ")).into()
            })
        };
        names.iter().map(find).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_of_the_list_is_tuned_somewhere_and_has_a_driver() {
        let list = List::embedded().expect("the list is valid");
        assert!(!list.crates.is_empty());
        for listed in &list.crates {
            assert!(listed.functions.len() + listed.edits.len() > 0, "{}", listed.name);
            let driver = crate::copy::driver_source(&listed.name);
            assert!(driver.is_file(), "{} is missing", driver.display());
        }
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let text = "[[crate]]\nname = \"a\"\nversion = \"1\"\nversoin = \"2\"\n";
        let error = List::parse(text).expect_err("a misspelt key").to_string();
        assert!(error.contains("versoin") && error.contains("line 4"), "{error}");
    }

    #[test]
    fn an_unknown_crate_is_answered_with_the_known_ones() {
        let list = List::parse("[[crate]]\nname = \"a\"\nversion = \"1\"\n").expect("a list");
        let error = list.named(&["b".to_owned()]).expect_err("unknown").to_string();
        assert!(error.contains("`b`") && error.ends_with("it has a"), "{error}");
        assert_eq!(list.named(&["a".to_owned()]).expect("known").len(), 1);
    }
}
