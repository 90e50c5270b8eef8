//! The clock. WebAssembly outside of WASI has none, and the standard library's panics there: on that
//! target time stands still, so that loops, which have one worker there, run serially and learn nothing.

/// Whether this target has a clock. Without one nothing may wait for time to pass.
pub(crate) const TICKS: bool = !cfg!(all(target_family = "wasm", target_os = "unknown"));

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub(crate) use std::time::Instant;

/// The only moment there is.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instant;

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
impl Instant {
    pub(crate) fn now() -> Self {
        Instant
    }

    pub(crate) fn elapsed(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

/// So many nanoseconds, of half a millennium at most: to convert a `u128` is a call of a function, which shows in short calls.
pub(crate) fn ns(time: std::time::Duration) -> f64 {
    time.as_nanos() as u64 as f64
}
