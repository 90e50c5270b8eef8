//! How often this process has read from files and sockets.

/// The system's count of them; `None` where it does not count. Counting reads, too.
pub(crate) fn reads() -> Option<u64> {
    let counters = std::fs::read_to_string("/proc/self/io").ok()?;
    counters.lines().find_map(|line| line.strip_prefix("syscr: "))?.parse().ok()
}

/// What [`reads`] reads itself.
pub(crate) fn reads_of_counting() -> Option<u64> {
    let before = reads()?;
    Some(reads()? - before)
}
