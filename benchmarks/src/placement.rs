//! The core that a thread runs on.

/// The number of the core that this thread is on at the moment; `None` where the system does not tell.
pub(crate) fn current_core() -> Option<usize> {
    #[cfg(target_os = "linux")]
    return Some(rustix::thread::sched_getcpu());
    #[cfg(not(target_os = "linux"))]
    None
}
