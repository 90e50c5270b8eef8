//! What a test says that cannot test anything here. Rust's harness knows no skipping: such a test passes.

use std::io::Write;

/// Says on standard error, where the harness does not swallow it, that this test tests nothing here, and why.
pub(crate) fn skip(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}
