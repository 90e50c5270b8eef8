//! The file formats of Amorsize, and nothing else: the profile `amorsize.toml` and the records that
//! a profile is fitted from, and how people write sizes, fractions and times.
//!
//! The crate is shared by the proc macro, the runtime and the command line. It must never depend on
//! rayon or on a serialisation framework, because the proc macro builds it into the host part of
//! every user's build.
//!
//! Without features there are the types, [`checksum`], [`parse_size`], [`permille`] and [`parse_duration_ns`].
//! The feature `toml` adds `Profile::load`, `Profile::parse` and `Profile::render`; the feature `write` adds
//! `update`, and raises the required Rust version to 1.89. The feature `record` adds the lines of record files.

mod checksum;
mod duration;
mod fraction;
mod profile;
#[cfg(feature = "toml")]
mod read;
#[cfg(feature = "toml")]
mod read_error;
#[cfg(feature = "record")]
mod record;
#[cfg(feature = "toml")]
mod render;
mod size;
#[cfg(feature = "write")]
mod write;
#[cfg(feature = "write")]
mod write_error;

pub use checksum::checksum;
pub use duration::parse_duration_ns;
pub use fraction::permille;
pub use profile::{
    FILE_NAME, LoopEntry, LoopFacts, MachineFacts, MemorySource, Profile, ReviewedPlan, Section,
    TaskMemory, without_type,
};
#[cfg(feature = "toml")]
pub use read_error::ReadError;
#[cfg(feature = "record")]
pub use record::{Call, Memory, MemoryEvidence, Record, Setting, Usage, read_records};
pub use size::{InvalidSize, parse_size};
#[cfg(feature = "write")]
pub use write::update;
#[cfg(feature = "write")]
pub use write_error::WriteError;
