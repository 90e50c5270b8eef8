//! From a profile beside `Cargo.toml` into the binary: real packages, built by cargo.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use amorsize_profile::{
    FILE_NAME, LoopEntry, LoopFacts, MachineFacts, Profile, ReviewedPlan, Section,
};

mod unset;

use unset::unset_variables;

/// A package in a folder of its own. All fixtures share one target directory, so that rayon is built
/// once.
struct Package {
    root: PathBuf,
}

impl Package {
    /// The path has a space in it, as users' paths do.
    fn new(name: &str, dependency: &str, source: &str) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("embedding tests").join(name);
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("src")).expect("a folder for the fixture");
        let repository = env!("CARGO_MANIFEST_DIR");
        let dependency = dependency.replace("PATH", &format!("{repository:?}"));
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [dependencies]\n{dependency}\nrayon = \"1\"\n\n[workspace]\n"
        );
        fs::write(root.join("Cargo.toml"), manifest).expect("Cargo.toml");
        fs::write(root.join("src/main.rs"), source).expect("main.rs");
        // The same versions as here: they are on this machine already.
        fs::copy(Path::new(repository).join("Cargo.lock"), root.join("Cargo.lock"))
            .expect("a lock");
        Package { root }
    }

    fn cargo(&self, arguments: &[&str]) -> Output {
        unset_variables(&mut Command::new(env!("CARGO")))
            .args(arguments)
            .args(["--release", "--offline", "--quiet"])
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("embedding"))
            .output()
            .expect("cargo runs")
    }

    /// Builds and runs the package, and returns what it prints.
    fn run(&self) -> String {
        let output = self.cargo(&["run"]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        // Cargo may have something to say of its own configuration; code and the library may not.
        assert!(!errors.contains("-->") && !errors.contains("amorsize"), "warnings: {errors}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn build_fails(&self) -> String {
        let output = self.cargo(&["build"]);
        assert!(!output.status.success());
        String::from_utf8(output.stderr).expect("UTF-8")
    }

    fn write_profile(&self, loops: &[(&str, f64)]) {
        fs::write(self.root.join(FILE_NAME), profile(loops).render("cargo amorsize tune"))
            .expect("the profile");
    }
}

/// A profile with loops of the given item times, on a machine class that exists nowhere.
fn profile(loops: &[(&str, f64)]) -> Profile {
    let facts = MachineFacts::from_array([100.0, 500.0, 2_000.0, 9_000.0, 50_000.0, 30.0, 2_700.0]);
    let entry = |item_ns| LoopEntry {
        tokens: "0123456789abcdef".to_owned(),
        facts: LoopFacts {
            item_ns,
            item_growth: 0.0,
            item_cv: 0.1,
            piece_ns: 0.0,
            reduce_ns: 20.0,
            reduce_growth: 0.0,
            contention: 0.01,
            coherency: 0.0,
            imbalance: 0.0,
            cpu_share: None,
        },
        parallel_from: Some(500),
        memory: None,
        plan: ReviewedPlan { items: 1_000, cost: 1.0, workers: 2, chunk: 100, speedup: 1.5 },
    };
    let loops = loops.iter().map(|&(name, item_ns)| (name.to_owned(), entry(item_ns))).collect();
    let mut profile = Profile::default();
    profile
        .machines
        .insert("z80-cpm".to_owned(), Section { facts, loops, untuned: Default::default() });
    profile
}

const DIRECT: &str = "amorsize = { path = PATH }";

/// Prints which loops are profiled after a call each.
const TWO_MODULES: &str = r#"
#![forbid(unsafe_code)]
#![deny(warnings)]

mod first {
    use rayon::prelude::*;

    #[amorsize::tune]
    pub fn total(xs: &[u32]) -> u32 {
        xs.par_iter().sum::<u32>() + xs.par_iter().map(|x| x + 1).sum::<u32>()
    }
}

mod second {
    use rayon::prelude::*;

    pub struct Numbers(pub Vec<u32>);

    impl Numbers {
        #[amorsize::tune]
        pub fn total(&self) -> u32 {
            self.0.par_iter().sum()
        }
    }
}

fn main() {
    first::total(&[1, 2, 3]);
    second::Numbers(vec![1]).total();
    for each in amorsize::loops() {
        println!("{} {} {}", each.name, each.profiled, each.serial_below);
    }
}
"#;

#[test]
fn a_colleagues_warm_clone_embeds_the_first_profile_it_pulls() {
    let package = Package::new("colleague", DIRECT, TWO_MODULES);
    let before = package.run();
    assert!(before.lines().all(|line| line.split(' ').nth(1) == Some("false")), "{before}");
    // What a commit with the first profile brings: the file, and a table in the manifest.
    package.write_profile(&[("colleague::second::total", 10.0)]);
    let manifest = package.root.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).expect("Cargo.toml");
    fs::write(&manifest, text + "\n[package.metadata.amorsize]\n").expect("Cargo.toml");
    let after = package.run();
    assert!(after.contains("colleague::second::total true 500"), "{after}");
    // From then on the profile itself is an input of the build.
    package.write_profile(&[("colleague::first::total#2", 100.0)]);
    let later = package.run();
    assert!(later.contains("colleague::second::total false"), "{later}");
    assert!(later.contains("colleague::first::total false"), "{later}");
    assert!(later.contains("colleague::first::total#2 true 200"), "{later}");
}

#[test]
fn a_damaged_profile_is_a_compile_error_that_names_file_and_remedy() {
    let package = Package::new("damaged", DIRECT, TWO_MODULES);
    package.write_profile(&[("damaged::second::total", 10.0)]);
    let path = package.root.join(FILE_NAME);
    let text = fs::read_to_string(&path).expect("the profile");
    fs::write(&path, text.replace("item_ns = 10.0", "item_ns = 11.0")).expect("the profile");
    let message = package.build_fails();
    assert!(message.contains("embedding tests/damaged/amorsize.toml"), "{message}");
    assert!(message.contains("checksum"), "{message}");
    assert!(message.contains("cargo amorsize tune"), "{message}");
}

#[test]
fn a_renamed_dependency_is_reached_through_the_option_crate() {
    let source = TWO_MODULES
        .replace("#[amorsize::tune]", "#[tuner::tune(crate = ::tuner)]")
        .replace("amorsize::loops", "tuner::loops");
    let dependency = "tuner = { package = \"amorsize\", path = PATH }";
    let package = Package::new("renamed", dependency, &source);
    assert!(package.run().contains("renamed::second::total false"));
}
