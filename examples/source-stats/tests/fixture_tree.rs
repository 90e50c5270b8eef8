//! The program on a small workspace in `tests/fixture`, with every number known.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use source_stats::report::Report;
use source_stats::{identifiers, packages, sources, stats};

fn manifest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture/app/Cargo.toml")
}

fn source_stats(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_source-stats"))
        .args(arguments)
        .output()
        .expect("the program can be started")
}

#[test]
fn sources_of_the_package_and_its_dependencies_are_read_in_order() {
    let sources = sources::load(&manifest()).expect("the fixture can be read");
    let files: Vec<_> =
        sources.iter().map(|source| (source.package.as_str(), source.path.as_str())).collect();
    assert_eq!(
        files,
        [
            ("app-0.1.0", "src/main.rs"),
            ("shapes-0.2.0", "src/lib.rs"),
            ("shapes-0.2.0", "src/solid/cube.rs"),
        ]
    );
}

#[test]
fn the_numbers_of_the_fixture_are_right() {
    let sources = sources::load(&manifest()).expect("the fixture can be read");
    let stats = stats::analyse(&sources);
    let lines: Vec<_> = stats
        .iter()
        .map(|file| (file.lines.code, file.lines.comment, file.lines.blank, file.longest_function))
        .collect();
    assert_eq!(lines, [(6, 3, 2, 5), (5, 1, 1, 0), (4, 2, 0, 3)]);
    assert_eq!(stats::line_count(&sources), 24);

    let ranked = identifiers::ranked(&identifiers::frequencies(&sources));
    assert_eq!((ranked[0].name, ranked[0].occurrences, ranked[0].files), ("Cube", 6, 3));

    let packages = packages::group(&sources);
    let pairs = packages::pairs(&packages);
    assert_eq!((pairs.len(), pairs[0].shared_lines), (1, 1));
}

#[test]
fn the_number_of_threads_does_not_change_the_report() {
    let sources = sources::load(&manifest()).expect("the fixture can be read");
    let report = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("a pool of few threads").install(|| {
            let mut out = Vec::new();
            Report::new(&sources).write(&mut out, 10).expect("memory can be written to");
            String::from_utf8(out).expect("the report is text")
        })
    };
    let one = report(1);
    assert_eq!(report(2), one);
    assert_eq!(report(5), one);
}

#[test]
fn the_report_is_at_most_80_columns_wide() {
    // Its own dependencies have longer names and larger numbers than the fixture.
    let output = source_stats(&["--top", "1000"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report = String::from_utf8(output.stdout).expect("the report is text");
    for line in report.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(
        report.contains(concat!("source-stats-", env!("CARGO_PKG_VERSION"), "/src/lexer.rs")),
        "{report}"
    );
}

#[test]
fn top_limits_the_lists() {
    let manifest = manifest();
    let manifest = manifest.to_str().expect("the path is text");
    let output = source_stats(&["--manifest-path", manifest, "--top", "1"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report = String::from_utf8(output.stdout).expect("the report is text");
    assert!(report.contains("         2 packages\n         3 files"), "{report}");
    assert!(report.contains("app-0.1.0/src/main.rs"), "{report}");
    assert!(!report.contains("cube.rs"), "{report}");
}

#[test]
fn errors_go_to_stderr_and_fail() {
    for (arguments, message) in [
        (&["--top", "many"][..], "--top needs a number, not `many`"),
        (&["--top"], "--top needs a value"),
        (&["--bottom"], "unexpected argument `--bottom`"),
        (&["--manifest-path", "nowhere/Cargo.toml"], "failed to list packages"),
    ] {
        let output = source_stats(arguments);
        assert!(!output.status.success());
        assert!(output.stdout.is_empty());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.starts_with("error: ") && error.contains(message), "{error}");
    }
}
