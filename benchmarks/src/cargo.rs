//! The cargo that started this program, or else any.

use std::path::Path;
use std::process::{Command, Stdio};

/// A call of it in this folder, without input.
pub(crate) fn cargo(directory: impl AsRef<Path>) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(directory).stdin(Stdio::null());
    cargo
}
