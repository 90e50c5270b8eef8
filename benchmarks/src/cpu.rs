//! Processor time of this process.

use std::fs;

/// Nanoseconds that the living threads of this process have run for, in all; `None` where the system does
/// not tell.
pub(crate) fn process_ns() -> Option<f64> {
    let threads = fs::read_dir("/proc/self/task").ok()?;
    let times = threads.flatten().map(|thread| {
        // A thread may end between the two looks.
        let text = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        text.split_whitespace().next().and_then(|ran| ran.parse().ok()).unwrap_or(0.0)
    });
    Some(times.sum()).filter(|&ns| ns > 0.0)
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;
    use crate::spin::spin;

    #[test]
    fn work_takes_processor_time() {
        let Some(before) = process_ns() else { return };
        black_box(spin(black_box(1), 2_000_000));
        assert!(process_ns().expect("as before") > before);
    }
}
