//! The exit codes of `cargo amorsize`, for scripts and continuous integration.
//!
//! They are part of the interface: a code never changes its meaning.

/// Everything went well; for `check`: the profile is fresh.
pub const OK: u8 = 0;

/// The arguments could not be understood.
pub const USAGE: u8 = 2;

/// There is nothing to tune: no package left, no annotated function, or no bench or test that could reach one.
pub const NOTHING_TO_TUNE: u8 = 4;

/// The project is not set up for Amorsize: no such package, no dependency on `amorsize`, a
/// Cargo.toml that cannot be read, two loops with one name.
pub const SETUP_ERROR: u8 = 96;

/// `check`: the profile does not match the sources.
pub const PROFILE_STALE: u8 = 100;

/// Building the benches or tests failed.
pub const BUILD_FAILED: u8 = 101;

/// `cargo metadata` failed: most often this is not a cargo project.
pub const CARGO_METADATA_FAILED: u8 = 102;

/// A bench or test failed, panicked or hung while it was recorded or verified.
pub const RUN_FAILED: u8 = 103;

/// The profile is damaged (truncated, badly merged or edited by hand), or this version cannot read it.
pub const PROFILE_DAMAGED: u8 = 104;

/// A file could not be written; what was there before is unchanged.
pub const WRITE_FAILED: u8 = 105;

/// The machine was too busy for numbers worth keeping; `--force` keeps them anyway.
pub const TOO_NOISY: u8 = 106;

/// Interrupted by Ctrl-C or a termination signal; a profile that was not written yet is unchanged.
pub const INTERRUPTED: u8 = 130;
