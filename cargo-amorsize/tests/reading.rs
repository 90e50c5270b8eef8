//! What needs no build: `check`, `list`, `explain` and `init`, and everything that `tune` refuses
//! before it builds.

mod support;

use amorsize_profile::{
    LoopEntry, LoopFacts, MachineFacts, MemorySource, Profile, ReviewedPlan, Section, TaskMemory,
};
use cargo_amorsize::exit_codes;
use serde_json::Value;
use support::{Fixture, LIBRARY, documented, fields, manifest, member};

/// A profile with one loop.
fn profile(name: &str, tokens: &str) -> String {
    let entry = LoopEntry {
        tokens: tokens.to_owned(),
        facts: LoopFacts {
            item_ns: 40.0,
            item_growth: 0.0,
            item_cv: 0.2,
            piece_ns: 0.0,
            reduce_ns: 30.0,
            reduce_growth: 0.0,
            contention: 0.05,
            coherency: 0.0,
            imbalance: 0.0,
            cpu_share: None,
        },
        parallel_from: Some(300),
        memory: None,
        plan: ReviewedPlan { items: 20_000, cost: 1.0, workers: 2, chunk: 500, speedup: 1.8 },
    };
    let facts =
        MachineFacts::from_array([300.0, 4_000.0, 3_000.0, 20_000.0, 50_000.0, 60.0, 900.0]);
    let section =
        Section { facts, loops: [(name.to_owned(), entry)].into(), untuned: Default::default() };
    Profile { machines: [("x86_64-linux-test".to_owned(), section)].into() }
        .render("cargo amorsize tune -p demo")
}

/// A package whose profile is fresh.
fn measured() -> Fixture {
    let fixture = Fixture::new(&[("Cargo.toml", &manifest("demo", "")), ("src/lib.rs", LIBRARY)]);
    fixture.write("amorsize.toml", &profile("demo::squares", &tokens(&fixture)));
    fixture
}

/// The hash of the annotated function, as a stale profile does not give it: by trying.
fn tokens(fixture: &Fixture) -> String {
    let text = fixture.read("src/lib.rs");
    let start = text.find("#[amorsize::tune]").expect("the annotation");
    // Token by token, one space behind each, doc comments left out.
    let spelled = text[start..]
        .replace("#[amorsize::tune]", "# [ amorsize :: tune ] ")
        .replace(
            "pub fn squares(numbers: &[u64]) -> u64 {",
            "pub fn squares ( numbers : & [ u64 ] ) -> u64 { ",
        )
        .replace(
            "numbers.par_iter().map(|&n| n.wrapping_mul(n)).sum()",
            "numbers . par_iter ( ) . map ( | & n | n . wrapping_mul ( n ) ) . sum ( ) ",
        );
    let words: Vec<&str> = spelled.split_whitespace().collect();
    amorsize_profile::checksum(&(words.join(" ") + " "))
}

#[test]
fn a_fresh_profile_passes_and_an_edited_function_does_not() {
    let fixture = measured();
    let ran = fixture.run("check").expect_code(exit_codes::OK);
    assert!(ran.stderr.contains("Fresh demo: 1 loop in 1 annotated function"), "{}", ran.stderr);

    fixture.write("src/lib.rs", &LIBRARY.replace("/// The", "// New comment.\n/// Their"));
    fixture.run("check").expect_code(exit_codes::OK);

    fixture.write("src/lib.rs", &LIBRARY.replace("mul(n)", "add(n)"));
    let ran = fixture.run("check -p demo").expect_error(
        exit_codes::PROFILE_STALE,
        "profile of package `demo` is stale",
        "cargo amorsize tune -p demo",
    );
    assert_eq!(ran.stdout, "edited    demo::squares  src/lib.rs:5\n");
}

#[test]
fn functions_without_entries_and_entries_without_functions_are_stale() {
    let fixture = measured();
    fixture.write("src/lib.rs", &LIBRARY.replace("squares", "cubes"));
    let ran = fixture.run("check").expect_code(exit_codes::PROFILE_STALE);
    assert_eq!(ran.stdout, "missing   demo::cubes  src/lib.rs:5\norphaned  demo::squares\n");
}

#[test]
fn a_profile_cut_at_any_byte_is_refused_by_name() {
    let fixture = measured();
    let whole = fixture.read("amorsize.toml");
    // The last line break alone is not missed.
    for end in 0..whole.len() - 1 {
        let Some(cut) = whole.get(..end) else { continue };
        fixture.write("amorsize.toml", cut);
        // The program for the ends of lines and a few others, the same function for the rest.
        if cut.ends_with('\n') || end % 97 == 0 {
            fixture.run("check").expect_error(
                exit_codes::PROFILE_DAMAGED,
                "amorsize.toml cannot be used",
                "cargo amorsize tune -p demo",
            );
        } else {
            assert!(Profile::load(&fixture.path("amorsize.toml")).is_err(), "cut at {end}");
        }
    }
}

#[test]
fn the_loops_are_listed_with_their_plans() {
    let fixture = measured();
    fixture.write("src/lib.rs", &format!("{LIBRARY}\n#[amorsize::tune]\nfn other() {{}}\n"));
    let ran = fixture.run("list").expect_code(exit_codes::OK);
    let squares = ran.stdout.lines().find(|line| line.contains("demo::squares"));
    let squares = squares.expect("the loop");
    for cell in ["20,000", "40.0 ns", "2 × 500", "1.80×", "300", "fresh"] {
        assert!(squares.contains(cell), "{cell} in {squares}");
    }
    let other = ran.stdout.lines().find(|line| line.contains("demo::other"));
    assert!(other.is_some_and(|line| line.ends_with("missing")), "{}", ran.stdout);
}

#[test]
fn a_decision_is_explained_by_any_end_of_the_loop_s_name() {
    let fixture = measured();
    let arguments = "explain squares --cores 2 --len 20000 --workers 2";
    let ran = fixture.run(arguments).expect_code(exit_codes::OK);
    for part in ["demo::squares", "2 workers", "break-even", "wake", "rejected", "serial"] {
        assert!(ran.stdout.contains(part), "{part} in {}", ran.stdout);
    }
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 80), "{}", ran.stdout);
    let ran = fixture.run("explain demo::squares --len 3").expect_code(exit_codes::OK);
    assert!(ran.stdout.contains("the caller runs all items"), "{}", ran.stdout);
}

/// The document that `explain squares` writes for programs.
fn explained(fixture: &Fixture, arguments: &str) -> Value {
    let arguments = format!("explain squares --message-format json {arguments}");
    let ran = fixture.run(&arguments).expect_code(exit_codes::OK);
    assert_eq!(ran.stderr, "");
    serde_json::from_str(&ran.stdout).expect("JSON")
}

#[test]
fn measured_memory_bounds_the_workers_with_its_source_until_somebody_says_otherwise() {
    let fixture = measured();
    let machine = "--cores 96 --available-memory 700GB --len 100000 --cost 100000";
    let source_and_limit = |arguments: &str| {
        let document = explained(&fixture, &format!("{machine} {arguments}"));
        let source = document["workload"]["task_memory_source"].clone();
        (source, document["decision"]["worker_limit"].clone())
    };
    assert_eq!(source_and_limit(""), (Value::Null, 96.into()));
    let path = fixture.path("amorsize.toml");
    let unmeasured = Profile::load(&path).expect("a whole profile").expect("a profile");
    for (source, said) in [
        (MemorySource::Allocator, "measured by allocator"),
        (MemorySource::PeakRss, "measured by peak RSS"),
    ] {
        let mut profile = unmeasured.clone();
        let entries = profile.machines.values_mut().flat_map(|section| section.loops.values_mut());
        for entry in entries {
            entry.memory = Some(TaskMemory { bytes: 12_000_000_000, source });
        }
        fixture.write("amorsize.toml", &profile.render("cargo amorsize tune"));
        assert_eq!(source_and_limit(""), (said.into(), 46.into()));
        assert_eq!(source_and_limit("--memory 24GB"), ("--memory".into(), 23.into()));
        let ran = fixture.run(&format!("explain squares {machine}")).expect_code(exit_codes::OK);
        let task =
            ran.stdout.lines().find(|line| line.contains("memory per task")).expect("a line");
        let words: Vec<&str> = task.split_whitespace().collect();
        assert_eq!(words.join(" "), format!("memory per task 12 GB {said}"));
        fixture.run("check").expect_code(exit_codes::OK);
        fixture.run("list").expect_code(exit_codes::OK);
    }
    fixture.write("src/lib.rs", &LIBRARY.replace("tune]", "tune(memory = \"6GB\")]"));
    let ran = fixture.run(&format!("explain squares {machine} --message-format json"));
    let declared: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(declared["workload"]["task_memory_source"], "the attribute");
    assert_eq!(declared["decision"]["worker_limit"], 93);
}

#[test]
fn memory_bounds_the_workers_of_a_machine_that_is_not_here() {
    let fixture = measured();
    let machine = "--cores 96 --available-memory 700GB --len 100000 --cost 100000";
    for (task, workers) in [(6, 93), (12, 46), (24, 23), (48, 11), (800, 1)] {
        let document = explained(&fixture, &format!("{machine} --memory {task}GB"));
        assert_eq!(document["system"]["usable_memory_bytes"], 560_000_000_000_u64);
        assert_eq!(document["decision"]["worker_limit"], workers);
        assert_eq!(document["decision"]["worker_limit_by"], "memory");
        // Of plans that are equal within 2 %, the one with fewer workers is taken.
        let decision = &document["decision"];
        if task > 6 {
            assert_eq!(
                (&decision["limited_by"], &decision["plan"]["workers"]),
                (&"memory".into(), &workers.into())
            );
        }
        let ran = fixture.run(&format!("explain squares {machine} --memory {task}GB"));
        assert!(
            ran.stdout.contains(&format!("{task} GB per task, 560 GB usable")),
            "{}",
            ran.stdout
        );
    }
    let arguments = format!("explain squares {machine} --memory 12GB");
    let ran = fixture.run(&arguments).expect_code(exit_codes::OK);
    let limit = ran.stdout.lines().find(|line| line.contains("limited by")).expect("the limit");
    let words: Vec<&str> = limit.split_whitespace().collect();
    assert_eq!(words.join(" "), "limited by memory 12 GB per task, 560 GB usable");
    let half = explained(&fixture, &format!("{machine} --memory 12GB --memory-fraction 0.5"));
    assert_eq!(half["decision"]["worker_limit"], 29);
    let options = "tune(memory = \"12GB\", memory_fraction = 0.5)]";
    fixture.write("src/lib.rs", &LIBRARY.replace("tune]", options));
    let ran = fixture.run(&format!("explain squares {machine} --message-format json"));
    let declared: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(declared["decision"]["worker_limit"], 29);
    assert_eq!(declared["system"]["sources"]["memory_permille"], "the attribute");
    fixture.run("explain squares --memory 4GBs").expect_code(exit_codes::USAGE);
}

#[test]
fn programs_and_people_get_the_same_numbers_of_an_explanation() {
    let fixture = measured();
    let arguments = "--len 20000 --cores 4 --workers 3 --hot 1 --memory 1GB --available-memory 8GB";
    let document = explained(&fixture, arguments);
    assert_eq!((&document["document"], &document["format"]), (&"explain".into(), &1.into()));
    for (value, heading) in [
        (&document, "Fields of the document `explain`:"),
        (&document["workload"], "Fields of `workload`:"),
        (&document["system"], "Fields of `system`:"),
        (&document["system"]["measured"], "Fields of `measured`:"),
        (&document["decision"], "Fields of `decision`:"),
        (&document["decision"]["plan"], "Fields of each plan:"),
        (&document["prediction"], "Fields of `prediction`:"),
        (&document["rejected"][0], "Fields of each of `rejected`:"),
    ] {
        assert_eq!(fields(value), documented(heading), "{heading}");
    }
    for name in fields(&document["system"]["sources"]) {
        assert!(!document["system"][&name].is_null(), "{name}");
    }
    let prediction = &document["prediction"];
    let number = |value: &Value| value.as_f64().expect("a number");
    let predicted = number(&prediction["predicted_ns"]);
    let terms = prediction["terms"].as_array().expect("a list");
    let sum: f64 = terms.iter().map(|term| number(&term["time_ns"])).sum();
    assert!((sum / predicted - 1.0).abs() < 1e-9, "{sum} {predicted}");

    let ran = fixture.run(&format!("explain squares {arguments}")).expect_code(exit_codes::OK);
    let plan = &document["decision"]["plan"];
    for shown in [
        format!("{} workers", plan["workers"]),
        format!("{} chunks of {} items", plan["chunks"], plan["chunk_items"]),
        format!("{:.0} µs", predicted / 1e3),
        format!("{:.2}×", number(&prediction["speedup"])),
        format!("{:.1} %", 100.0 * number(&prediction["efficiency"])),
        format!("{:.1} %", 100.0 * number(&prediction["overhead_share"])),
        format!("{} items", document["decision"]["break_even_items"]),
        format!("when cold {}", document["decision"]["cold_break_even_items"]),
    ] {
        assert!(ran.stdout.contains(&shown), "{shown} in {}", ran.stdout);
    }
}

#[test]
fn calls_of_any_size_on_machines_of_any_size_are_explained() {
    let fixture = measured();
    for arguments in [
        "--len 0",
        "--len 1 --cores 1 --hot 0",
        "--len 18446744073709551615 --cores 100000",
        "--len 18446744073709551615 --cores 4294967295 --hot 18446744073709551615",
        "--len 18446744073709551615 --cost 1e300",
        "--len 7 --cost 1e-300 --workers 4294967295",
        "--memory 16777215TiB --available-memory 1B",
        "--memory 1B --available-memory 16777215TiB --memory-fraction 0.001",
    ] {
        let ran = fixture.run(&format!("explain squares {arguments}")).expect_code(exit_codes::OK);
        assert!(!ran.stdout.contains("NaN") && !ran.stdout.contains("inf "), "{}", ran.stdout);
        assert!(ran.stdout.lines().all(|line| line.chars().count() <= 80), "{}", ran.stdout);
        explained(&fixture, arguments);
    }
}

#[test]
fn a_package_without_a_profile_whose_functions_a_scan_does_not_see_is_not_called_fresh() {
    let inside_a_macro = format!("macro_rules! tuned {{ () => {{ {LIBRARY} }} }}\ntuned!();\n");
    let files = [("Cargo.toml", &*manifest("demo", "")), ("src/lib.rs", &inside_a_macro)];
    let ran = Fixture::new(&files).run("check").expect_code(exit_codes::OK);
    let says = "Unchecked demo: no profile yet";
    assert!(ran.stderr.contains(says) && !ran.stderr.contains("Fresh"), "{}", ran.stderr);
    assert!(ran.stderr.contains("cargo amorsize tune -p demo"), "{}", ran.stderr);
}

#[test]
fn a_loop_that_cannot_be_tuned_is_fresh_listed_and_explained_until_it_is_edited() {
    let fixture = measured();
    let path = fixture.path("amorsize.toml");
    let mut profile = Profile::load(&path).expect("a whole profile").expect("a profile");
    let section = profile.machines.values_mut().next().expect("a section");
    section.loops.clear();
    section.untuned.insert("demo::squares".to_owned(), tokens(&fixture));
    fixture.write("amorsize.toml", &profile.render("cargo amorsize tune -p demo"));

    let ran = fixture.run("check").expect_code(exit_codes::OK);
    assert!(ran.stderr.contains("Fresh demo: 1 loop in"), "{}", ran.stderr);
    let ran = fixture.run("list").expect_code(exit_codes::OK);
    let squares = ran.stdout.lines().find(|line| line.contains("demo::squares"));
    assert!(squares.is_some_and(|line| line.ends_with("untuned")), "{}", ran.stdout);
    let ran = fixture.run("explain squares").expect_code(exit_codes::OK);
    assert!(ran.stdout.contains("demo::squares\nno plan: "), "{}", ran.stdout);
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 80), "{}", ran.stdout);
    assert!(!ran.stderr.contains("edited"), "{}", ran.stderr);
    let document = explained(&fixture, "");
    assert_eq!((&document["is_tuned"], &document["decision"]), (&false.into(), &Value::Null));

    fixture.write("src/lib.rs", &LIBRARY.replace("mul(n)", "add(n)"));
    let ran = fixture.run("check").expect_code(exit_codes::PROFILE_STALE);
    assert_eq!(ran.stdout, "edited    demo::squares  src/lib.rs:5\n");
    let ran = fixture.run("list").expect_code(exit_codes::OK);
    assert!(ran.stdout.contains("edited"), "{}", ran.stdout);
    let ran = fixture.run("explain squares").expect_code(exit_codes::OK);
    assert!(ran.stderr.contains("src/lib.rs:5 was edited"), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: cargo amorsize tune -p demo"), "{}", ran.stderr);
    assert_eq!(explained(&fixture, "")["warnings"][0]["name"], "edited");
}

#[test]
fn a_typo_in_a_loop_s_name_is_met_with_the_right_one() {
    let fixture = measured();
    for format in ["human", "json"] {
        let ran = fixture.run(&format!("explain sqares --message-format {format}"));
        assert_eq!(ran.stdout, "");
        ran.expect_error(
            exit_codes::SETUP_ERROR,
            "no loop `sqares`",
            "cargo amorsize explain demo::squares",
        );
    }
}

#[test]
fn a_profile_without_loops_says_that_they_are_to_be_measured() {
    let fixture = Fixture::new(&[("Cargo.toml", &manifest("demo", "")), ("src/lib.rs", LIBRARY)]);
    fixture.run("init").expect_code(exit_codes::OK);
    fixture.run("explain squares").expect_error(
        exit_codes::SETUP_ERROR,
        "amorsize.toml has no loops yet",
        "cargo amorsize tune -p demo",
    );
}

#[test]
fn init_prepares_a_package_once_and_keeps_what_was_there() {
    let fixture =
        Fixture::new(&[("Cargo.toml", &manifest("demo", "# A comment.")), ("src/lib.rs", LIBRARY)]);
    let before = fixture.read("Cargo.toml");
    let ran = fixture.run("init").expect_code(exit_codes::OK);
    assert!(ran.stderr.contains("Created") && ran.stderr.contains("Added"), "{}", ran.stderr);
    let (manifest, profile) = (fixture.read("Cargo.toml"), fixture.read("amorsize.toml"));
    assert!(manifest.starts_with(&before), "{manifest}");
    assert!(manifest.contains("[package.metadata.amorsize]"), "{manifest}");

    fixture.run("init").expect_code(exit_codes::OK);
    assert_eq!(fixture.read("Cargo.toml"), manifest);
    assert_eq!(fixture.read("amorsize.toml"), profile);
}

#[test]
fn two_functions_with_one_name_are_asked_for_names() {
    let fixture = measured();
    let twice = "struct A; struct B;
        impl A { #[amorsize::tune] fn run(&self) {} }
        impl B { #[amorsize::tune] fn run(&self) {} }";
    fixture.write("src/lib.rs", twice);
    fixture.run("check").expect_error(
        exit_codes::SETUP_ERROR,
        "two functions share the loop name `demo::run`",
        "name = ",
    );
    fixture.write("src/lib.rs", &twice.replacen("tune]", "tune(name = \"demo::a\")]", 1));
    fixture.run("check").expect_code(exit_codes::PROFILE_STALE);
}

#[test]
fn renamed_and_conditional_annotations_are_found() {
    let fixture = measured();
    fixture.write(
        "src/lib.rs",
        "#[fast::tune] fn a() {}
         #[cfg_attr(feature = \"x\", fast::tune)] fn b() {}
         #[cfg(windows)] #[fast::tune] fn c() {}",
    );
    let ran = fixture.run("check").expect_code(exit_codes::PROFILE_STALE);
    let missing: Vec<&str> =
        ran.stdout.lines().filter(|line| line.starts_with("missing")).collect();
    assert_eq!(missing.len(), 2, "{}", ran.stdout);
}

#[test]
fn a_folder_without_a_project_is_named_as_such() {
    let fixture = Fixture::new(&[("notes.txt", "")]);
    if !fixture.is_outside() {
        return;
    }
    for command in ["tune", "check", "list", "init", "explain f"] {
        fixture.run(command).expect_error(
            exit_codes::CARGO_METADATA_FAILED,
            "could not find `Cargo.toml`",
            "--manifest-path",
        );
    }
}

#[test]
fn a_package_without_the_dependency_is_told_how_to_add_it() {
    let fixture = Fixture::new(&[
        ("Cargo.toml", "[package]\nname = \"demo\"\nedition = \"2024\"\n\n[workspace]\n"),
        ("src/lib.rs", ""),
    ]);
    for command in ["tune", "check", "init"] {
        fixture.run(command).expect_error(
            exit_codes::SETUP_ERROR,
            "package `demo` does not depend on `amorsize`",
            "cargo add --package demo amorsize",
        );
    }
}

#[test]
fn a_package_without_annotations_is_told_to_add_one() {
    let fixture = Fixture::new(&[("Cargo.toml", &manifest("demo", "")), ("src/lib.rs", "")]);
    fixture.run("tune").expect_error(exit_codes::NOTHING_TO_TUNE, "annotated", "#[amorsize::tune]");
    assert!(!fixture.exists("amorsize.toml"));
}

#[test]
fn a_package_without_benches_and_tests_is_told_to_write_one() {
    let fixture = Fixture::new(&[
        ("Cargo.toml", &manifest("demo", "\n[lib]\ntest = false\n")),
        ("src/lib.rs", LIBRARY),
    ]);
    fixture.run("tune").expect_error(
        exit_codes::NOTHING_TO_TUNE,
        "no benches and no tests",
        "cargo amorsize tune -p demo",
    );
}

#[test]
fn unknown_packages_and_benches_are_met_with_the_nearest_name() {
    let fixture = measured();
    fixture.write("benches/speed.rs", "fn main() {}");
    fixture.run("check -p dmeo").expect_error(
        exit_codes::SETUP_ERROR,
        "no package `dmeo`",
        "did you mean `demo`?",
    );
    fixture.run("check --workspace --exclude dmeo").expect_error(
        exit_codes::SETUP_ERROR,
        "no package `dmeo`",
        "did you mean `demo`?",
    );
    fixture.run("tune --bench sped").expect_error(
        exit_codes::SETUP_ERROR,
        "no bench target `sped`",
        "--bench speed",
    );
}

#[test]
fn all_packages_of_a_workspace_are_meant_from_any_of_them_but_for_those_left_out() {
    let fixture = Fixture::new(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"one\", \"two\"]\nresolver = \"3\"\n"),
        ("one/Cargo.toml", &member("one", "")),
        ("one/src/lib.rs", LIBRARY),
        ("two/Cargo.toml", &member("two", "")),
        ("two/src/lib.rs", LIBRARY),
        ("two/amorsize.toml", &profile("two::squares", "0000000000000000")),
    ]);
    let stale = |arguments: &str| {
        let ran = fixture.run(&format!("check --manifest-path one/Cargo.toml {arguments}"));
        ["one", "two"].map(|name| ran.stdout.contains(&format!("{name}::squares")))
    };
    assert_eq!(stale(""), [true, false]);
    assert_eq!(stale("--workspace"), [true, true]);
    assert_eq!(stale("--workspace --exclude one"), [false, true]);
    fixture.run("check --workspace --exclude one --exclude two").expect_error(
        exit_codes::NOTHING_TO_TUNE,
        "no package is left",
        "--exclude",
    );
    fixture.run("check --exclude one").expect_code(exit_codes::USAGE);
    fixture.run("check --workspace -p one").expect_code(exit_codes::USAGE);
}

#[test]
fn a_damaged_profile_stops_tune_before_anything_is_built() {
    let fixture = measured();
    fixture.write("amorsize.toml", "format = 1\n");
    let ran = fixture.run("tune").expect_error(
        exit_codes::PROFILE_DAMAGED,
        "amorsize.toml cannot be used",
        "git checkout HEAD -- ",
    );
    assert!(!ran.stderr.contains("Building"), "{}", ran.stderr);
    assert_eq!(fixture.read("amorsize.toml"), "format = 1\n");
}

#[test]
fn a_merge_of_two_machines_sections_is_made_as_the_hint_says() {
    let fixture = measured();
    let mut profile = Profile::parse(&fixture.read("amorsize.toml")).expect("a profile");
    let (class, mut section) = profile.machines.pop_first().expect("a section");
    // What sections of two machines have in common, git takes out of a conflict.
    section.untuned.insert("demo::grouped".to_owned(), "0123456789abcdef".to_owned());
    let git = |arguments: &str| {
        let mut command = std::process::Command::new("git");
        let name = ["-c", "user.name=demo", "-c", "user.email=demo@example.com"];
        command.args(name).args(arguments.split(' ')).current_dir(fixture.path(""));
        command.output().expect("git is there").status.success()
    };
    let commit = |class: &str| {
        let machines = [(class.to_owned(), section.clone())].into();
        fixture.write("amorsize.toml", &Profile { machines }.render("cargo amorsize tune"));
        assert!(git("add amorsize.toml") && git("commit -qm measured"));
    };
    fixture.write("amorsize.toml", &Profile::default().render("cargo amorsize init"));
    assert!(git("init -q") && git("add .") && git("commit -qm init") && git("branch theirs"));
    commit(&class);
    assert!(git("checkout -q theirs"));
    commit("another-machine");
    assert!(git("checkout -q -") && !git("merge -q theirs"));
    fixture.run("check").expect_error(
        exit_codes::PROFILE_DAMAGED,
        "unresolved merge conflict",
        "`git checkout --conflict=diff3 -- amorsize.toml`",
    );
    assert!(git("checkout --conflict=diff3 -- amorsize.toml"));
    let conflict = fixture.read("amorsize.toml");
    let is_marker = |line: &&str| {
        ["<<<<<<<", "|||||||", "=======", ">>>>>>>"].contains(&line.get(..7).unwrap_or(""))
    };
    let merged: Vec<&str> = conflict.lines().filter(|line| !is_marker(line)).collect();
    fixture.write("amorsize.toml", &(merged.join("\n") + "\n"));
    let merged = Profile::load(&fixture.path("amorsize.toml")).expect("a whole profile");
    assert_eq!(merged.expect("a profile").machines.len(), 2);
}

#[test]
fn a_profile_without_functions_is_to_be_deleted() {
    let fixture = measured();
    fixture.write("src/lib.rs", "");
    let ran = fixture.run("check").expect_error(exit_codes::PROFILE_STALE, "is stale", "delete ");
    assert_eq!(ran.stdout, "orphaned  demo::squares\n");
}

#[test]
fn hints_repeat_what_was_typed() {
    let fixture = measured();
    fixture.write("amorsize.toml", &profile("demo::squares", "0123456789abcdef"));
    let path = fixture.path("Cargo.toml");
    let mut command = fixture.command(["check", "--manifest-path"]);
    let ran = support::Ran::new(command.arg(&path).output().expect("the program"));
    let hint = format!("cargo amorsize tune -p demo --manifest-path '{}'", path.display());
    ran.expect_error(exit_codes::PROFILE_STALE, "is stale", &hint);
}

#[test]
fn the_worst_of_several_packages_gives_the_exit_code() {
    let damaged = format!("{}\n", "format = 1");
    let workspace = "[workspace]\nmembers = [\"one\", \"two\"]\nresolver = \"3\"\n";
    let fixture = Fixture::new(&[
        ("Cargo.toml", workspace),
        ("one/Cargo.toml", &member("one", "")),
        ("one/src/lib.rs", LIBRARY),
        ("one/amorsize.toml", &damaged),
        ("two/Cargo.toml", &member("two", "")),
        ("two/src/lib.rs", LIBRARY),
    ]);
    let ran = fixture.run("check").expect_code(exit_codes::PROFILE_DAMAGED);
    assert!(ran.stderr.contains("package `two` has no profile yet"), "{}", ran.stderr);
}

#[test]
fn arguments_that_are_not_understood_end_with_the_usual_code() {
    measured().run("tnue").expect_code(exit_codes::USAGE);
}

#[test]
fn the_help_fits_eighty_columns() {
    let fixture = Fixture::new(&[]);
    for command in ["--help", "tune --help", "explain --help", "check --help", "info --help"] {
        let ran = fixture.run(command).expect_code(exit_codes::OK);
        for line in ran.stdout.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
