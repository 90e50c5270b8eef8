//! `tune` from the first build to the written profile, and what it does with benches that fail,
//! hang or do not build. These tests build; they share one target folder. Those that look closely at what was
//! measured run alone.

mod support;

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use amorsize_profile::{MemorySource, Profile};
use cargo_amorsize::exit_codes;
use serde_json::Value;
#[cfg(target_os = "linux")]
use support::skip::skip;
use support::{Fixture, LIBRARY, Ran, bench, documented, fields, manifest, member};

const BENCH_TARGET: &str = "\n[[bench]]\nname = \"speed\"\nharness = false\n";

/// A package whose bench is `text`. Each needs a name of its own, or in the target folder that all
/// fixtures share the program of one would replace that of another.
fn package(name: &str, text: &str) -> Fixture {
    Fixture::new(&[
        ("Cargo.toml", &manifest(name, BENCH_TARGET)),
        ("src/lib.rs", LIBRARY),
        ("benches/speed.rs", text),
    ])
}

static TURN: RwLock<()> = RwLock::new(());

/// For a test beside which nothing else is built or measured.
fn alone() -> RwLockWriteGuard<'static, ()> {
    TURN.write().unwrap_or_else(PoisonError::into_inner)
}

/// For all others.
fn beside_others() -> RwLockReadGuard<'static, ()> {
    TURN.read().unwrap_or_else(PoisonError::into_inner)
}

/// `cargo amorsize tune ARGUMENTS`, beside others.
fn tune(fixture: &Fixture, arguments: &str) -> Ran {
    let _turn = beside_others();
    fixture.run(&format!("tune {arguments}"))
}

fn squares() -> String {
    bench("let numbers: Vec<u64> = (0..200_000).collect();", "demo::squares(black_box(&numbers))")
}

#[test]
fn a_package_is_tuned_and_its_profile_is_fresh_at_once() {
    let fixture = package("demo", &squares());
    let ran = tune(&fixture, "--time-limit 8 --force").expect_code(exit_codes::OK);
    assert!(ran.stdout.contains("demo::squares"), "{}", ran.stdout);
    for column in ["serial", "rayon", "tuned", "predicted"] {
        assert!(ran.stdout.contains(column), "{}", ran.stdout);
    }
    let profile = Profile::load(&fixture.path("amorsize.toml")).expect("a whole profile");
    let profile = profile.expect("a profile");
    let section = profile.machines.values().next().expect("a section");
    let entry = &section.loops["demo::squares"];
    assert_eq!(entry.plan.items, 200_000);
    assert!(entry.facts.item_ns > 0.0);
    assert!(fixture.read("Cargo.toml").contains("[package.metadata.amorsize]"));

    fixture.run("check").expect_code(exit_codes::OK);
    fixture.run("explain squares").expect_code(exit_codes::OK);
}

#[test]
fn a_second_bench_has_time_to_begin_however_much_the_first_one_told() {
    let for_long = |setup: &str, function: &str| {
        let setup = format!("{setup} let numbers: Vec<u64> = (0..200_000).collect();");
        bench(&setup, &format!("pair::{function}(black_box(&numbers))"))
            .replace("from_secs(3)", "from_secs(60)")
    };
    let targets = BENCH_TARGET.to_owned() + &BENCH_TARGET.replace("speed", "warmth");
    let fixture = Fixture::new(&[
        ("Cargo.toml", &manifest("pair", &targets)),
        ("src/lib.rs", &(LIBRARY.to_owned() + CUBES)),
        ("benches/speed.rs", &for_long("", "squares")),
        (
            "benches/warmth.rs",
            &for_long("std::thread::sleep(std::time::Duration::from_secs(1));", "cubes"),
        ),
    ]);
    let ran = tune(&fixture, "--time-limit 30 --force").expect_code(exit_codes::OK);
    assert!(!ran.stderr.contains("no run reached"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("no verification reached"), "{}", ran.stderr);
    let profile = Profile::load(&fixture.path("amorsize.toml")).expect("a whole profile");
    let profile = profile.expect("a profile");
    let section = profile.machines.values().next().expect("a section");
    assert_eq!(section.loops.keys().collect::<Vec<_>>(), ["pair::cubes", "pair::squares"]);
}

/// A second function for [`LIBRARY`].
const CUBES: &str = "
#[amorsize::tune]
pub fn cubes(numbers: &[u64]) -> u64 {
    numbers.par_iter().map(|&n| n.wrapping_mul(n).wrapping_mul(n)).sum()
}
";

#[test]
fn a_dry_run_tells_programs_what_it_measured_and_changes_no_file() {
    let fixture = package("rehearsed", &squares().replace("demo::", "rehearsed::"));
    let before = fixture.read("Cargo.toml");
    let arguments = "--time-limit 8 --force --dry-run --message-format json";
    let ran = tune(&fixture, arguments).expect_code(exit_codes::OK);

    let document: Value = serde_json::from_str(&ran.stdout).expect("one JSON object");
    assert_eq!(document["document"], "tune");
    let package = &document["packages"][0];
    assert_eq!((&package["name"], &package["is_written"]), (&"rehearsed".into(), &false.into()));
    let call = &package["calls"][0];
    for (value, heading) in [
        (&document, "Fields of the document `tune`:"),
        (package, "Fields of each of `packages`:"),
        (call, "Fields of each of `calls`:"),
    ] {
        assert_eq!(fields(value), documented(heading), "{heading}");
    }
    assert_eq!((&call["loop"], &call["items"]), (&"rehearsed::squares".into(), &200_000.into()));
    for time in ["serial_ns", "rayon_ns", "tuned_ns", "predicted_ns"] {
        assert!(call[time].as_f64().is_some_and(|ns| ns > 0.0), "{time}: {call}");
    }
    // Fewer than three calls have no interval.
    let interval = &call["tuned_to_serial"];
    if !interval.is_null() {
        let ratio = |field: &str| interval[field].as_f64().expect("a number");
        assert!(ratio("low") <= ratio("ratio") && ratio("ratio") <= ratio("high"), "{call}");
    }

    assert!(!fixture.path("amorsize.toml").exists());
    assert_eq!(fixture.read("Cargo.toml"), before);
}

/// A loop whose items wait.
const WAITING: &str = "
use rayon::prelude::*;

#[amorsize::tune]
pub fn answers(requests: &[u64]) -> u64 {
    let answer = |&request: &u64| {
        std::thread::sleep(std::time::Duration::from_millis(1));
        request
    };
    requests.par_iter().map(answer).sum()
}
";

#[test]
fn items_that_wait_are_told_from_those_that_compute_and_get_more_threads_than_there_are_cores() {
    let setup = "let requests: Vec<u64> = (0..64).collect();";
    let fixture = package("waiting", &bench(setup, "waiting::answers(black_box(&requests))"));
    fixture.write("src/lib.rs", WAITING);
    let run = |arguments: &str| {
        let mut command = fixture.command(arguments.split_whitespace());
        // More threads than this machine may have cores: such items leave them free.
        let output = command.env("RAYON_NUM_THREADS", "8").output().expect("the program");
        Ran::new(output).expect_code(exit_codes::OK)
    };
    let turn = alone();
    run("tune --time-limit 15 --force");
    drop(turn);
    let profile = Profile::load(&fixture.path("amorsize.toml")).expect("a whole profile");
    let section = profile.expect("a profile").machines.into_values().next().expect("a section");
    let entry = &section.loops["waiting::answers"];
    // Or more than half of the threads, where there are cores enough.
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    assert!(entry.plan.workers as usize > processors.min(4), "{entry:?}");

    let explained = run("explain answers");
    assert!(explained.stdout.contains("limited by"), "{}", explained.stdout);
    // Only where the system tells how threads spend their time.
    if let Some(share) = entry.facts.cpu_share {
        assert!(share < 0.5, "{entry:?}");
        for says in ["I/O-bound", "use the option `io`"] {
            assert!(explained.stdout.contains(says), "{}", explained.stdout);
        }
        let json = run("explain answers --message-format json").stdout;
        let json: serde_json::Value = serde_json::from_str(&json).expect("a document");
        assert_eq!(json["workload"]["bound_by"], "io", "{json}");
    }
}

/// One loop that can be tuned and one that cannot.
const BOTH: &str = "
use rayon::prelude::*;

#[amorsize::tune]
pub fn runs(numbers: &[u64]) -> u64 {
    let runs = numbers.par_chunk_by(|a, b| a / 64 == b / 64).count() as u64;
    numbers.par_iter().map(|&n| n ^ runs).sum()
}
";

#[test]
fn loops_that_cannot_be_tuned_count_as_reached_and_make_way_for_ones_that_can() {
    let setup = "let numbers: Vec<u64> = (0..100_000).collect();";
    let fixture = package("both", &bench(setup, "both::runs(black_box(&numbers))"));
    fixture.write("src/lib.rs", BOTH);
    fixture.write("tests/all.rs", "");
    let section = || {
        let profile = Profile::load(&fixture.path("amorsize.toml")).expect("a whole profile");
        profile.expect("a profile").machines.into_values().next().expect("a section")
    };
    let names = |names: &mut dyn Iterator<Item = &String>| -> Vec<String> {
        names.map(|name| name.trim_start_matches("both::").to_owned()).collect()
    };

    // Only what cannot be tuned: nothing to fit, yet nothing is missing either.
    let only = BOTH.replace("numbers.par_iter().map(|&n| n ^ runs).sum()", "runs");
    fixture.write("src/lib.rs", &only);
    let ran = tune(&fixture, "--time-limit 20 --force").expect_code(exit_codes::OK);
    assert!(ran.stderr.contains("Untuned both::runs: needs no plan"), "{}", ran.stderr);
    assert!(
        !ran.stderr.contains("no run reached") && !ran.stderr.contains("tests"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.stdout, "");
    assert_eq!(names(&mut section().untuned.keys()), ["runs"]);
    fixture.run("check").expect_code(exit_codes::OK);
    let ran = tune(&fixture, "--time-limit 20 --force").expect_code(exit_codes::OK);
    assert!(ran.stderr.contains("Unchanged"), "{}", ran.stderr);

    // Both kinds in one function.
    fixture.write("src/lib.rs", BOTH);
    let ran = tune(&fixture, "--time-limit 6 --force").expect_code(exit_codes::OK);
    assert!(!ran.stderr.contains("no run reached"), "{}", ran.stderr);
    assert_eq!(names(&mut section().untuned.keys()), ["runs"]);
    assert_eq!(names(&mut section().loops.keys()), ["runs#2"]);
    fixture.run("check").expect_code(exit_codes::OK);

    // What could not be tuned can be now.
    fixture.write(
        "src/lib.rs",
        &BOTH.replace("par_chunk_by(|a, b| a / 64 == b / 64)", "par_chunks(64)"),
    );
    tune(&fixture, "--time-limit 6 --force").expect_code(exit_codes::OK);
    assert_eq!(names(&mut section().loops.keys()), ["runs", "runs#2"]);
    assert!(section().untuned.is_empty());
}

/// A loop in a generic function.
const GENERIC: &str = "
use rayon::prelude::*;

#[amorsize::tune]
pub fn total<T: Copy + Sync + Into<f64>>(numbers: &[T]) -> f64 {
    numbers.par_iter().map(|&n| n.into().sqrt()).sum()
}
";

#[test]
fn a_generic_function_is_tuned_for_each_type_of_items() {
    let both = "let (a, b) = (vec![1_u8; 100_000], vec![1_f32; 50_000]);";
    let one = "generic::total(black_box(&a))";
    let fixture = package("generic", &bench(both, one));
    fixture.write("src/lib.rs", GENERIC);
    let names = || -> Vec<String> {
        let profile = Profile::load(&fixture.path("amorsize.toml")).expect("a whole profile");
        let section = profile.expect("a profile").machines.into_values().next();
        section.expect("a section").loops.into_keys().collect()
    };
    tune(&fixture, "--time-limit 6 --force").expect_code(exit_codes::OK);
    assert_eq!(names(), ["generic::total"]);

    let two = format!("({one}, generic::total(black_box(&b)))");
    fixture.write("benches/speed.rs", &bench(both, &two));
    let ran = tune(&fixture, "--time-limit 10 --force").expect_code(exit_codes::OK);
    assert_eq!(names(), ["generic::total<&f32>", "generic::total<&u8>"]);
    for name in ["total<&f32>", "total<&u8>"] {
        assert!(ran.stdout.contains(name), "{}", ran.stdout);
    }
    fixture.run("check").expect_code(exit_codes::OK);
    fixture.run("explain total<&u8>").expect_code(exit_codes::OK);
    let ran = fixture.run("explain total");
    assert!(ran.stderr.contains("generic::total<&f32>"), "{}", ran.stderr);

    // What is told apart once stays so.
    fixture.write("benches/speed.rs", &bench(both, one));
    tune(&fixture, "--time-limit 6 --force").expect_code(exit_codes::OK);
    assert_eq!(names(), ["generic::total<&f32>", "generic::total<&u8>"]);
}

/// Loops whose items take 64 KiB, 8 MiB and 64 MiB each.
const SCRATCH: &str = "
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Items in progress, the most of them at any moment, and for how many of them items wait.
pub static NOW: AtomicUsize = AtomicUsize::new(0);
pub static MOST: AtomicUsize = AtomicUsize::new(0);
pub static WANTED: AtomicUsize = AtomicUsize::new(0);

fn filled(bytes: usize) -> u64 {
    MOST.fetch_max(NOW.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    let memory = std::hint::black_box(vec![1_u8; bytes]);
    // Long enough for several workers to have all of theirs at the same time.
    let sum = || std::hint::black_box(&memory).iter().map(|&byte| u64::from(byte)).sum::<u64>();
    let sum = sum() + sum();
    let start = std::time::Instant::now();
    while MOST.load(Ordering::SeqCst) < WANTED.load(Ordering::SeqCst)
        && start.elapsed() < std::time::Duration::from_secs(30)
    {
        std::thread::yield_now();
    }
    NOW.fetch_sub(1, Ordering::SeqCst);
    sum
}

#[amorsize::tune]
pub fn small(n: usize) -> u64 {
    (0..n).into_par_iter().map(|_| filled(64 << 10)).sum()
}

#[amorsize::tune]
pub fn medium(n: usize) -> u64 {
    (0..n).into_par_iter().map(|_| filled(8 << 20)).sum()
}

#[amorsize::tune]
pub fn large(n: usize) -> u64 {
    (0..n).into_par_iter().map(|_| filled(64 << 20)).sum()
}
";

/// A package with these loops whose bench begins with `start`, tuned, and what `tune` has said.
fn scratch(name: &str, start: &str, seconds: u64) -> (Fixture, Profile, String) {
    let call = format!("({name}::small(64), {name}::medium(4), {name}::large(4))");
    let fixture = package(name, &format!("{start}\n{}", bench("", &call)));
    fixture.write("src/lib.rs", SCRATCH);
    let tune = format!("tune --verbose --time-limit {seconds} --force");
    let ran = fixture.run(&tune).expect_code(exit_codes::OK);
    fixture.run("check").expect_code(exit_codes::OK);
    fixture.run("list").expect_code(exit_codes::OK);
    let profile = Profile::load(&fixture.path("amorsize.toml")).expect("a whole profile");
    (fixture, profile.expect("a profile"), ran.stderr)
}

/// What the profile says of the memory of a loop's tasks, in MiB.
fn mebibytes(profile: &Profile, name: &str, source: MemorySource) -> Option<f64> {
    let section = profile.machines.values().next().expect("a section");
    let memory = section.loops[name].memory?;
    assert_eq!(memory.source, source, "{name}");
    Some(memory.bytes as f64 / f64::from(1 << 20))
}

const TRACKED: &str = "#[global_allocator]
static ALLOCATOR: amorsize::TrackingAllocator = amorsize::TrackingAllocator::system();";

/// Says how many items of a call were in progress at a time.
const MOST: &str = "
use std::sync::atomic::Ordering::SeqCst;
fn main() {
    let wanted = std::env::args().nth(1).unwrap().parse().unwrap();
    tracked::WANTED.store(wanted, SeqCst);
    assert_eq!(tracked::medium(40), 40 * 2 * (8 << 20));
    println!(\"{}\", tracked::MOST.load(SeqCst));
}
";

#[test]
fn memory_per_task_is_measured_by_the_tracking_allocator_and_bounds_the_workers() {
    let _turn = beside_others();
    let (fixture, mut profile, said) = scratch("tracked", TRACKED, 20);
    for (name, size) in
        [("tracked::small", 0.0625), ("tracked::medium", 8.0), ("tracked::large", 64.0)]
    {
        let measured = mebibytes(&profile, name, MemorySource::Allocator).expect(&said);
        assert!((measured / size - 1.0).abs() < 0.03, "{name}: {measured} MiB\n{said}");
    }
    let ran = fixture.run("explain medium --cores 8 --available-memory 20MiB --len 100");
    let task = ran.stdout.lines().find(|line| line.contains("memory per task")).expect("a line");
    let words: Vec<&str> = task.split_whitespace().collect();
    assert_eq!(words.join(" "), "memory per task 8.00 MiB measured by allocator");

    // Everything but the memory is as on a machine where eight workers pay.
    for entry in profile.machines.values_mut().flat_map(|section| section.loops.values_mut()) {
        (entry.facts.item_ns, entry.facts.contention, entry.facts.coherency) = (1e8, 0.0, 0.0);
        (entry.facts.piece_ns, entry.parallel_from) = (0.0, Some(2));
    }
    fixture.write("amorsize.toml", &profile.render("cargo amorsize tune"));
    fixture.write("src/bin/most.rs", MOST);
    for (available, most) in [("20MiB", 2), ("30MiB", 3), ("1GiB", 8)] {
        let ran = fixture
            .cargo(&[
                "run",
                "--release",
                "--offline",
                "--quiet",
                "--bin",
                "most",
                &most.to_string(),
            ])
            .env("RAYON_NUM_THREADS", "8")
            .env("AMORSIZE_MEMORY", available)
            .output()
            .map(support::Ran::new)
            .expect("cargo")
            .expect_code(0);
        assert_eq!(ran.stdout.trim(), most.to_string(), "with {available}: {}", ran.stderr);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn memory_per_task_is_measured_by_the_resident_memory_of_fresh_processes() {
    // Peaks cannot be read everywhere, and grow with workers only where there are two.
    let readable = std::fs::write("/proc/self/clear_refs", "5").is_ok();
    if !readable || amorsize_runtime::usable_cores() < 2 {
        return skip("there is one core, or peaks of the resident memory cannot be reset");
    }
    let _turn = alone();
    let is_unsure = |said: &str| said.contains("runs do not tell");
    let mut tuned = scratch("untracked", "", 60);
    if is_unsure(&tuned.2) {
        // Beside other work, fewer runs fit into the time, and workers that come late make them contradict each other.
        tuned = scratch("untracked", "", 120);
    }
    let (fixture, profile, said) = tuned;
    if is_unsure(&said) {
        return skip("something else keeps this machine busy, and runs contradict each other");
    }
    for (name, size) in [("untracked::medium", 8.0), ("untracked::large", 64.0)] {
        let measured = mebibytes(&profile, name, MemorySource::PeakRss).expect(&said);
        assert!((measured / size - 1.0).abs() <= 0.25, "{name}: {measured} MiB\n{said}");
    }
    // Less than the noise is not measured; it is not nothing, either.
    assert_eq!(mebibytes(&profile, "untracked::small", MemorySource::PeakRss), None);
    let ran = fixture.run("explain large --message-format json").expect_code(exit_codes::OK);
    assert!(ran.stdout.contains("\"measured by peak RSS\""), "{}", ran.stdout);
}

#[test]
fn a_virtual_workspace_with_a_renamed_optional_dependency_is_tuned_member_by_member() {
    let renamed = "[package]\nname = \"mine\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
        [dependencies]\nrayon = \"1\"\n\
        fast = { package = \"amorsize\", path = '{amorsize}', optional = true }\n\
        [features]\nparallel = [\"dep:fast\"]\nmore = []\n\
        [[bench]]\nname = \"speed\"\nharness = false\n";
    let annotated = LIBRARY.replace(
        "#[amorsize::tune]",
        "#[cfg_attr(feature = \"parallel\", fast::tune(crate = fast))]",
    );
    let fixture = Fixture::new(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"mine\", \"other\"]\nresolver = \"3\"\n"),
        ("mine/Cargo.toml", renamed),
        ("mine/src/lib.rs", &annotated),
        ("mine/benches/speed.rs", &squares().replace("demo::", "mine::")),
        ("other/Cargo.toml", &member("other", "")),
        ("other/src/lib.rs", LIBRARY),
    ]);
    // Of two packages, one has the bench and the feature.
    tune(&fixture, "--bench speed --features more --time-limit 6 --force")
        .expect_code(exit_codes::OK);
    assert!(fixture.read("mine/amorsize.toml").contains("mine::squares"));
    assert!(!fixture.exists("other/amorsize.toml"));
    fixture.run("check -p mine").expect_code(exit_codes::OK);
}

#[test]
fn the_feature_reaches_a_package_that_has_amorsize_only_through_another_member() {
    let annotated =
        LIBRARY.replace("#[amorsize::tune]", "#[base::amorsize::tune(crate = base::amorsize)]");
    let through = "[package]\nname = \"through\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
        [dependencies]\nrayon = \"1\"\nbase = { path = \"../base\" }\n\
        [[bench]]\nname = \"speed\"\nharness = false\n";
    let fixture = Fixture::new(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"base\", \"through\"]\nresolver = \"3\"\n"),
        ("base/Cargo.toml", &member("base", "")),
        ("base/src/lib.rs", "pub use amorsize;"),
        ("through/Cargo.toml", through),
        ("through/src/lib.rs", &annotated),
        ("through/benches/speed.rs", &squares().replace("demo::", "through::")),
    ]);
    tune(&fixture, "-p through --time-limit 6 --force").expect_code(exit_codes::OK);
    assert!(fixture.read("through/amorsize.toml").contains("through::squares"));
}

#[test]
fn functions_that_no_bench_reaches_are_looked_for_in_the_tests() {
    let fixture = Fixture::new(&[
        ("Cargo.toml", &manifest("tested", "")),
        ("src/lib.rs", LIBRARY),
        (
            "tests/all.rs",
            "#[test] fn all() {
                let numbers: Vec<u64> = (0..100_000).collect();
                for _ in 0..2_000 { std::hint::black_box(tested::squares(&numbers)); }
            }",
        ),
    ]);
    let ran = tune(&fixture, "--time-limit 6 --force").expect_code(exit_codes::OK);
    assert!(ran.stderr.contains("(test all)"), "{}", ran.stderr);
    fixture.run("check").expect_code(exit_codes::OK);
}

#[test]
fn tests_that_fail_leave_what_benches_recorded() {
    let fixture = package("tested", &squares().replace("demo::", "tested::"));
    let cubes = "#[amorsize::tune]\npub fn cubes(n: u64) -> u64 {\n    \
        (0..n).into_par_iter().map(|i| i * i * i).sum()\n}\n";
    fixture.write("src/lib.rs", &format!("{LIBRARY}\n{cubes}"));
    fixture.write("tests/all.rs", "#[test] fn fails_when_optimised() { panic!() }");
    let ran = tune(&fixture, "--time-limit 6 --force").expect_code(exit_codes::OK);
    assert!(ran.stderr.contains("what no bench reached is left out"), "{}", ran.stderr);
    assert!(ran.stderr.contains("no run reached tested::cubes"), "{}", ran.stderr);
    assert!(fixture.read("amorsize.toml").contains("tested::squares"));
}

#[test]
fn a_bench_that_panics_is_shown_and_nothing_is_written() {
    let fixture = package("panics", "fn main() { panic!(\"out of cheese\") }");
    let ran = tune(&fixture, "--time-limit 4").expect_error(
        exit_codes::RUN_FAILED,
        "bench speed of package `panics` failed",
        "cargo bench -p panics --bench speed",
    );
    assert!(ran.stderr.contains("out of cheese"), "{}", ran.stderr);
    assert!(!fixture.exists("amorsize.toml"));
}

#[test]
fn a_bench_that_hangs_is_stopped_and_nothing_is_written() {
    let fixture = package("hangs", "fn main() { loop { std::thread::park() } }");
    tune(&fixture, "--bench speed --time-limit 2").expect_error(
        exit_codes::RUN_FAILED,
        "recorded nothing",
        "--time-limit",
    );
    assert!(!fixture.exists("amorsize.toml"));
}

#[test]
fn a_build_error_is_cargo_s_to_show() {
    let fixture = package("broken", "fn main() { let x: u32 = \"text\"; }");
    let ran = tune(&fixture, "").expect_error(
        exit_codes::BUILD_FAILED,
        "failed to build the benches of package `broken`",
        "cargo amorsize tune -p broken",
    );
    assert!(ran.stderr.contains("mismatched types"), "{}", ran.stderr);
}

#[test]
fn a_bench_that_reaches_no_loop_is_told_what_to_call() {
    let fixture = package("idle", "fn main() {}");
    tune(&fixture, "--bench speed --time-limit 2").expect_error(
        exit_codes::NOTHING_TO_TUNE,
        "no bench or test of package `idle` reached",
        "call one from a bench",
    );
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_bench_and_keeps_the_old_profile() {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    // The bench says which process it is, and starts one of its own.
    let fixture = package(
        "interrupted",
        "fn main() {
            let child = std::process::Command::new(\"sleep\").arg(\"600\").spawn().unwrap();
            let ids = format!(\"{} {}\", std::process::id(), child.id());
            std::fs::write(\"ids.new\", ids).unwrap();
            std::fs::rename(\"ids.new\", \"ids\").unwrap();
            loop { std::thread::park() }
        }",
    );
    fixture.run("init").expect_code(exit_codes::OK);
    let before = fixture.read("amorsize.toml");
    let _turn = beside_others();
    let mut tune = fixture
        .command(["tune", "--quiet", "--time-limit", "600"])
        .stderr(Stdio::null())
        .spawn()
        .expect("the program");
    let patience = Instant::now() + Duration::from_secs(300);
    while !fixture.exists("ids") {
        assert!(Instant::now() < patience, "the bench never started");
        assert!(tune.try_wait().expect("a child").is_none(), "tune ended before its bench began");
        std::thread::yield_now();
    }
    let kill = |id: &str, signal: &str| {
        std::process::Command::new("kill")
            .args([signal, id])
            .stderr(Stdio::null())
            .status()
            .expect("kill")
            .success()
    };
    assert!(kill(&tune.id().to_string(), "-INT"));
    let status = tune.wait().expect("a status");
    assert_eq!(status.code(), Some(i32::from(exit_codes::INTERRUPTED)), "{:?}", status.signal());
    assert_eq!(fixture.read("amorsize.toml"), before);
    for id in fixture.read("ids").split(' ') {
        // An orphan is gone once whoever inherited it has collected it.
        while kill(id, "-0") && !is_zombie(id) {
            assert!(Instant::now() < patience, "process {id} is still running");
            std::thread::yield_now();
        }
    }
}

#[cfg(unix)]
fn is_zombie(id: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{id}/stat"))
        .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")))
}
