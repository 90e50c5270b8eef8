//! Builds the benches or tests of a package with recording switched on.
//!
//! They go to a target directory of their own: otherwise the user's `target/release` would hold
//! binaries that record.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::Stdio;

use cargo_metadata::{Artifact, BuildScript, Message, Package, TargetKind};

use crate::error::{Error, Result, quoted};
use crate::process::{End, Group};
use crate::project::{Features, Project, folder_of};
use crate::{again, term};

/// What is built.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// These bench targets.
    Benches(Vec<String>),
    /// Everything that `cargo test` runs, except for documentation tests.
    Tests,
}

impl What {
    fn noun(&self) -> &'static str {
        match self {
            What::Benches(_) => "benches",
            What::Tests => "tests",
        }
    }
}

/// A program to record.
#[derive(Clone, Debug)]
pub(crate) struct Executable {
    pub(crate) path: PathBuf,
    /// `bench stats`
    pub(crate) title: String,
    /// For the hint: what runs it alone.
    pub(crate) command: String,
    pub(crate) is_bench: bool,
    pub(crate) source: PathBuf,
    /// What build scripts and cargo add to its environment.
    pub(crate) environment: BTreeMap<OsString, OsString>,
    /// Where build scripts put dynamic libraries.
    pub(crate) libraries: Vec<PathBuf>,
}

/// Builds and returns the programs of `package`, in the order in which cargo names them.
pub(crate) fn build(
    project: &Project,
    package: &Package,
    what: &What,
    features: &Features,
) -> Result<Vec<Executable>> {
    let anchor = project.anchor(package)?;
    term::status("Building", &format!("the {} of {}, recording", what.noun(), package.name));
    let mut command = match what {
        What::Benches(_) => project.cargo("bench"),
        What::Tests => project.cargo("test"),
    };
    command
        .current_dir(&anchor.folder)
        .args(["--no-run", "--message-format=json-render-diagnostics", "--target-dir"])
        .arg(project.target_folder())
        // Named as cargo metadata names it, or packages behind symbolic links have other identities.
        .arg("--manifest-path")
        .arg(anchor.folder.join("Cargo.toml"))
        // The name alone may also be that of a dependency.
        .args(["--package", &format!("{}@{}", package.name, package.version)])
        .args(["--color", if term::stderr_is_colored() { "always" } else { "never" }])
        .args(features.arguments(Some(&anchor.feature)));
    if anchor.folder != folder_of(package) {
        command.args(["--package", &anchor.specification]);
    }
    match what {
        What::Benches(names) => {
            for name in names {
                command.args(["--bench", name]);
            }
        }
        What::Tests => {
            command.args(["--release", "--tests"]);
        }
    }
    if term::is_quiet() {
        command.arg("--quiet");
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped());

    let mut cargo = Group::spawn(&mut command)?;
    let messages = cargo.child.stdout.take();
    let reader = std::thread::spawn(move || {
        let stream = messages.map(BufReader::new).map(Message::parse_stream);
        stream.into_iter().flatten().filter_map(Result::ok).collect::<Vec<Message>>()
    });
    let end = cargo.wait(|| Ok(false))?;
    let messages = reader.join().unwrap_or_default();
    if !matches!(end, End::Exited(status) if status.success()) {
        return Err(Error::Build {
            package: package.name.to_string(),
            what: what.noun().to_owned(),
            command: again::tune(&package.name),
        });
    }
    Ok(executables(package, what, features, messages))
}

fn executables(
    package: &Package,
    what: &What,
    features: &Features,
    messages: Vec<Message>,
) -> Vec<Executable> {
    let mut programs: Vec<Artifact> = Vec::new();
    let mut environment = BTreeMap::new();
    let mut libraries = Vec::new();
    for message in messages {
        match message {
            Message::CompilerArtifact(artifact) if artifact.package_id == package.id => {
                let kind = |kind: &TargetKind| artifact.target.kind.contains(kind);
                if let (true, Some(path)) = (kind(&TargetKind::Bin), &artifact.executable)
                    && !artifact.profile.test
                {
                    let name = format!("CARGO_BIN_EXE_{}", artifact.target.name);
                    environment.insert(name.into(), path.as_os_str().to_owned());
                }
                let wanted = match what {
                    What::Benches(_) => kind(&TargetKind::Bench),
                    What::Tests => artifact.profile.test && !kind(&TargetKind::Bench),
                };
                // A bench with `harness = false` is no test for cargo, but it has an executable.
                if wanted && artifact.executable.is_some() {
                    programs.push(artifact);
                }
            }
            Message::BuildScriptExecuted(script) => {
                libraries.extend(libraries_of(&script));
                if script.package_id == package.id {
                    environment.extend(of_build_script(script));
                }
            }
            _ => {}
        }
    }
    programs
        .into_iter()
        .filter_map(|artifact| {
            let path = artifact.executable?.into_std_path_buf();
            let target = artifact.target;
            let is_bench = target.kind.contains(&TargetKind::Bench);
            let (title, selection) = if is_bench {
                (format!("bench {}", target.name), format!("--bench {}", target.name))
            } else if target.kind.contains(&TargetKind::Test) {
                (format!("test {}", target.name), format!("--test {}", target.name))
            } else if target.kind.contains(&TargetKind::Bin) {
                (format!("unit tests of bin {}", target.name), format!("--bin {}", target.name))
            } else {
                ("unit tests".to_owned(), "--lib".to_owned())
            };
            let subcommand = if is_bench { "bench" } else { "test --release" };
            let extra: String =
                features.arguments(None).iter().map(|a| format!(" {}", quoted(a))).collect();
            Some(Executable {
                path,
                title,
                command: format!("cargo {subcommand} -p {} {selection}{extra}", package.name),
                is_bench,
                source: target.src_path.into_std_path_buf(),
                environment: environment.clone(),
                libraries: libraries.clone(),
            })
        })
        .collect()
}

/// The folders that a build script has the linker search and that it may have put libraries into: those within its own.
fn libraries_of(script: &BuildScript) -> Vec<PathBuf> {
    let paths = script.linked_paths.iter().map(|path| {
        let path = path.as_str();
        PathBuf::from(path.split_once('=').map_or(path, |(_kind, path)| path))
    });
    paths.filter(|path| path.starts_with(script.out_dir.as_std_path())).collect()
}

fn of_build_script(script: BuildScript) -> Vec<(OsString, OsString)> {
    let variables = script.env.into_iter().map(|(name, value)| (name.into(), value.into()));
    let out = ("OUT_DIR".into(), script.out_dir.into_std_path_buf().into_os_string());
    variables.chain([out]).collect()
}
