//! Packages that are written to a temporary folder, with a space in its path, and the command line
//! run on them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[path = "../../../tests/skip/mod.rs"]
pub(crate) mod skip;
#[path = "../../../tests/unset/mod.rs"]
mod unset;

use skip::skip;
use unset::unset_variables;

/// A temporary project.
pub(crate) struct Fixture {
    folder: tempfile::TempDir,
}

/// Where the repository is: fixtures depend on its facade by path.
pub(crate) fn repository() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    folder.canonicalize().expect("the repository")
}

#[allow(dead_code, reason = "not every test file reads what was written")]
impl Fixture {
    /// Writes the files, by path and text. `{amorsize}` in a text stands for the path of the facade.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder =
            tempfile::Builder::new().prefix("a fixture ").tempdir().expect("a temporary folder");
        let fixture = Fixture { folder };
        // The versions that this repository was built with, so that nothing has to be downloaded.
        if let Ok(lock) = fs::read_to_string(repository().join("Cargo.lock")) {
            fixture.write("Cargo.lock", &lock);
        }
        for (name, text) in files {
            fixture.write(name, text);
        }
        fixture
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        let facade = repository().to_string_lossy().replace('\\', "/");
        fs::write(path, text.replace("{amorsize}", &facade)).expect("a file");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file")
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// Whether an empty fixture is outside of all cargo projects, as it is unless the temporary folder is in one.
    pub(crate) fn is_outside(&self) -> bool {
        let is_project = |folder: &Path| folder.join("Cargo.toml").exists();
        let is_outside = !self.folder.path().ancestors().any(is_project);
        if !is_outside {
            skip("the temporary folder is in a cargo project");
        }
        is_outside
    }

    /// `cargo amorsize ARGUMENTS` in the root of the project, as cargo starts it.
    pub(crate) fn command<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-amorsize"));
        unset_variables(&mut command)
            .arg("amorsize")
            .args(arguments)
            .current_dir(self.folder.path())
            .env("NO_COLOR", "1")
            .env("CARGO_TARGET_DIR", target_folder());
        command
    }

    /// Cargo itself, in the root of the project.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO"));
        unset_variables(&mut command)
            .args(arguments)
            .current_dir(self.folder.path())
            .env("CARGO_TARGET_DIR", target_folder());
        command
    }

    pub(crate) fn run(&self, arguments: &str) -> Ran {
        let output = self.command(arguments.split_whitespace()).output().expect("the program");
        Ran::new(output)
    }
}

/// The fields that the guide lists, of the object with this heading, sorted.
#[allow(dead_code, reason = "not every test file reads documents")]
pub(crate) fn documented(heading: &str) -> Vec<String> {
    let guide = repository().join("docs/guide.md");
    let guide = fs::read_to_string(guide).expect("the guide");
    let (_, part) = guide.split_once(heading).expect("the heading");
    let rows = part.lines().skip(1).skip_while(|line| !line.starts_with('|'));
    let rows = rows.take_while(|line| line.starts_with('|')).skip(2);
    // Fields stand in the first column, each in back quotes.
    let mut fields: Vec<String> = rows
        .flat_map(|row| {
            let cell = row.split('|').nth(1).unwrap_or_default();
            cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    fields.sort();
    fields
}

/// The fields of an object, sorted.
#[allow(dead_code, reason = "not every test file reads documents")]
pub(crate) fn fields(value: &serde_json::Value) -> Vec<String> {
    let mut fields: Vec<String> = value.as_object().expect("an object").keys().cloned().collect();
    fields.sort();
    fields
}

/// One target folder for all fixtures, so that the facade is built once; kept between runs.
fn target_folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixtures")
}

/// What a run has said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn new(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    #[track_caller]
    pub(crate) fn expect_code(self, code: u8) -> Self {
        assert_eq!(self.code, Some(i32::from(code)), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Every failure names what is wrong and ends with what to do.
    #[track_caller]
    pub(crate) fn expect_error(self, code: u8, says: &str, hints: &str) -> Self {
        let ran = self.expect_code(code);
        let error = ran.stderr.rfind("error: ").expect("an error");
        let (_, error) = ran.stderr.split_at(error);
        assert!(error.contains(says), "{says:?} in {}", ran.stderr);
        let (_, hint) = error.rsplit_once("hint: ").expect("a hint");
        assert!(hint.contains(hints), "{hints:?} in {hint}");
        ran
    }
}

/// A bench without a harness that calls a function for a few seconds.
#[allow(dead_code, reason = "not every test file runs benches")]
pub(crate) fn bench(setup: &str, call: &str) -> String {
    format!(
        "use std::hint::black_box;
        fn main() {{
            {setup}
            let start = std::time::Instant::now();
            while start.elapsed() < std::time::Duration::from_secs(3) {{ black_box({call}); }}
        }}"
    )
}

/// A package that depends on the facade and on rayon. It is its own workspace, whatever the temporary folder is in.
pub(crate) fn manifest(name: &str, more: &str) -> String {
    format!("{}\n[workspace]\n", member(name, more))
}

/// The same as a member of a workspace.
pub(crate) fn member(name: &str, more: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
         [dependencies]\namorsize = {{ path = '{{amorsize}}' }}\nrayon = \"1\"\n{more}\n"
    )
}

/// A library with one annotated function.
pub(crate) const LIBRARY: &str = "\
use rayon::prelude::*;

/// The sum of the squares.
#[amorsize::tune]
pub fn squares(numbers: &[u64]) -> u64 {
    numbers.par_iter().map(|&n| n.wrapping_mul(n)).sum()
}
";
