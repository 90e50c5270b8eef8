//! `info`: the machine, for people and for programs, in a project and outside of one; and that it agrees with
//! what others read of the same machine.

mod support;

use cargo_amorsize::exit_codes;
use serde_json::Value;
use support::{Fixture, LIBRARY, Ran, documented, fields, manifest};
#[cfg(target_os = "linux")]
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// Runs `info` with these variables, and no others that decide what it says.
fn info(fixture: &Fixture, arguments: &str, variables: &[(&str, &str)]) -> Ran {
    let mut command = fixture.command(["info"].into_iter().chain(arguments.split_whitespace()));
    Ran::new(command.envs(variables.iter().copied()).output().expect("the program"))
}

/// The document that `info` writes for programs.
fn document(fixture: &Fixture, variables: &[(&str, &str)]) -> Value {
    let ran = info(fixture, "--message-format json", variables).expect_code(exit_codes::OK);
    assert_eq!(ran.stderr, "");
    serde_json::from_str(&ran.stdout).expect("JSON")
}

fn outside() -> Fixture {
    Fixture::new(&[("notes.txt", "")])
}

fn package() -> Fixture {
    Fixture::new(&[("Cargo.toml", &manifest("demo", "")), ("src/lib.rs", LIBRARY)])
}

#[test]
fn people_see_the_machine_outside_of_a_project_in_eighty_columns() {
    let outside = outside();
    if !outside.is_outside() {
        return;
    }
    let ran = info(&outside, "", &[]).expect_code(exit_codes::OK);
    for part in ["usable core", "of memory available", "cores for loops", "spawn", "reference"] {
        assert!(ran.stdout.contains(part), "{part} in {}", ran.stdout);
    }
    assert!(!ran.stdout.contains("profiles"), "{}", ran.stdout);
    for line in ran.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn a_variable_that_cannot_be_read_is_a_warning_with_a_hint() {
    let variables = [("AMORSIZE_MEMORY", "4 GBs"), ("AMORSIZE_MAX_WORKERS", "none")];
    let ran = info(&outside(), "", &variables).expect_code(exit_codes::OK);
    let warning = "warning: AMORSIZE_MEMORY=\"4 GBs\" is ignored: `GBs` is no unit";
    assert!(ran.stderr.contains(warning), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: for example: AMORSIZE_MEMORY=8GiB"), "{}", ran.stderr);

    let document = document(&outside(), &variables);
    let warnings = document["warnings"].as_array().expect("a list");
    let names: Vec<&str> = warnings.iter().filter_map(|warning| warning["name"].as_str()).collect();
    assert!(names.contains(&"invalid-memory"), "{names:?}");
    assert!(names.contains(&"invalid-max-workers"), "{names:?}");
    assert!(warnings.iter().all(|warning| warning["message"].is_string()));
    assert!(warnings.iter().all(|warning| warning["hint"].is_string()));
}

#[test]
fn variables_that_users_set_stand_beside_what_they_decide() {
    let variables =
        [("AMORSIZE_MEMORY", "560GB"), ("RAYON_NUM_THREADS", "3"), ("AMORSIZE_MAX_WORKERS", "2")];
    let document = document(&outside(), &variables);
    assert_eq!(document["available_memory_bytes"], 560_000_000_000_u64);
    assert_eq!(document["sources"]["available_memory_bytes"], "AMORSIZE_MEMORY");
    assert_eq!(document["usable_cores"], 3);
    assert_eq!(document["sources"]["usable_cores"], "RAYON_NUM_THREADS");
    assert_eq!(document["max_workers"], 2);
    let ran = info(&outside(), "", &variables).expect_code(exit_codes::OK);
    assert!(ran.stdout.contains("3 usable cores, 560 GB of memory available"), "{}", ran.stdout);
}

#[test]
fn programs_get_one_object_with_the_fields_that_the_guide_lists() {
    let document = document(&outside(), &[]);
    assert_eq!((&document["document"], &document["format"]), (&"info".into(), &1.into()));
    for (value, heading) in [
        (&document, "Fields of the document `info`:"),
        (&document["topology"], "Fields of `topology`:"),
        (&document["measured"], "Fields of `measured`:"),
    ] {
        assert_eq!(fields(value), documented(heading), "{heading}");
    }
    for level in document["cgroup_levels"].as_array().expect("a list") {
        assert_eq!(fields(level), documented("Fields of each of `cgroup_levels`:"));
    }
    // Whatever is known has a source.
    for (value, sources) in [
        (&document, &document["sources"]),
        (&document["topology"], &document["topology"]["sources"]),
    ] {
        for name in sources.as_object().expect("an object").keys() {
            assert!(!value[name].is_null(), "{name}");
        }
    }
    assert!(document["usable_cores"].as_u64().is_some_and(|cores| cores >= 1));
    assert!(document["measured"]["reference_ns"].as_f64().is_some_and(|ns| ns > 0.0));
}

#[test]
fn a_package_s_profile_is_shown_with_whether_it_knows_this_machine() {
    let fixture = package();
    let ran = info(&fixture, "", &[]).expect_code(exit_codes::OK);
    assert!(ran.stdout.contains("none yet"), "{}", ran.stdout);
    assert!(ran.stdout.contains("cargo amorsize tune -p demo"), "{}", ran.stdout);

    fixture.run("init").expect_code(exit_codes::OK);
    let ran = info(&fixture, "", &[]).expect_code(exit_codes::OK);
    assert!(ran.stdout.contains("not for here"), "{}", ran.stdout);
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 80), "{}", ran.stdout);

    let class = amorsize_runtime::machine_class().to_owned();
    let mut profile = amorsize_profile::Profile::default();
    let facts = amorsize_profile::MachineFacts::from_array([1.0; 7]);
    let section =
        amorsize_profile::Section { facts, loops: Default::default(), untuned: Default::default() };
    profile.machines.insert(class.clone(), section);
    fixture.write("amorsize.toml", &profile.render("cargo amorsize tune -p demo"));
    let package = &document(&fixture, &[])["packages"][0];
    assert_eq!((&package["name"], &package["loops_for_this_class"]), (&"demo".into(), &0.into()));
    assert_eq!(package["profiled_classes"][0], class);

    fixture.write("amorsize.toml", "format = 1\n");
    let ran = fixture.run("info --message-format json");
    assert_eq!(ran.stdout, "");
    ran.expect_error(
        exit_codes::PROFILE_DAMAGED,
        "amorsize.toml cannot be used",
        "git checkout HEAD -- ",
    );
}

#[test]
fn a_project_that_was_named_has_to_be_there() {
    let outside = outside();
    if !outside.is_outside() {
        return;
    }
    outside.run("info -p demo").expect_error(
        exit_codes::CARGO_METADATA_FAILED,
        "could not find `Cargo.toml`",
        "--manifest-path",
    );
    outside.run("info --message-format yaml").expect_code(exit_codes::USAGE);
}

#[test]
#[cfg(target_os = "linux")]
fn another_library_counts_the_same_cores_and_the_same_memory() {
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::everything());
    let read = || System::new_with_specifics(memory).expect("the machine can be read");
    let before = read();
    let survey = amorsize_runtime::machine_survey();
    let after = read();

    let installed = survey.memory.installed_bytes.expect("Linux tells").value;
    assert_eq!(installed, before.total_memory());
    // The rest of the machine does not stand still meanwhile.
    let (low, high) = (
        before.available_memory().min(after.available_memory()),
        before.available_memory().max(after.available_memory()),
    );
    let left = survey.memory.system_bytes.expect("Linux tells").value;
    let slack = installed / 20;
    assert!((low.saturating_sub(slack)..=high + slack).contains(&left), "{left} in {low}..{high}");

    if let (Some(cores), Ok(counted)) =
        (survey.topology.physical_cores, System::physical_core_count())
    {
        assert_eq!(cores.value, counted);
    }
    // The other library looks at the root of version 2 alone, and at the machine's memory where nothing limits
    // it.
    let root = survey.cgroups.iter().find(|level| level.folder == "/sys/fs/cgroup");
    if let (Some(root), Some(theirs)) = (root, before.cgroup_limits()) {
        let ours = root.memory_limit_bytes.as_ref().map_or(installed, |limit| limit.value);
        assert_eq!(ours.min(installed), theirs.total_memory);
    }
}
