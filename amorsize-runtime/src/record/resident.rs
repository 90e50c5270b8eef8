//! The resident memory of this process and its peak, as Linux tells them; nothing elsewhere.

use std::fs;
use std::sync::{Mutex, PoisonError};

/// Growth from which on it is worth a remark; what threads and the allocator keep for themselves is less.
const NOTABLE: u64 = 2 << 20;

/// Resident memory at some moment, from which on the peak counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resident {
    bytes: u64,
}

impl Resident {
    /// Forgets the peak so far; `None` where that cannot be done.
    pub(super) fn now() -> Option<Self> {
        // 5 sets the peak to what is resident now.
        fs::write("/proc/self/clear_refs", "5").ok()?;
        Some(Resident { bytes: read("VmRSS:")? })
    }

    /// How far the resident memory has grown at its peak.
    pub(super) fn growth(self) -> Option<u64> {
        Some(read("VmHWM:")?.saturating_sub(self.bytes))
    }

    /// The same, if it is worth a remark.
    pub(super) fn notable_growth(self) -> Option<u64> {
        self.growth().filter(|&growth| growth >= NOTABLE)
    }
}

/// Which calls a process runs to watch its memory: `WORKERS:ITEMS:LOOP`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) workers: u32,
    /// Calls of fewer items are left out: in no process would they keep all workers busy.
    pub(super) items: u64,
    /// Of the loop, with or without the type of its items.
    pub(super) name: String,
}

impl Asked {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut fields = text.splitn(3, ':');
        let (workers, items) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Asked { workers, items, name: fields.next()?.to_owned() }).filter(|_| workers > 0)
    }
}

/// So many calls are watched, at most.
const CALLS: usize = 4;

/// How far the resident memory has grown in the calls so far. Calls that run at the same time are watched together.
#[derive(Debug, Default)]
pub(super) struct Peaks(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Before the first call.
    start: Option<Resident>,
    /// The most at any moment of any call, beyond that.
    peak: u64,
    calls: usize,
}

impl Peaks {
    /// False if the call is not watched: there were enough, or nothing can be seen.
    pub(super) fn start_call(&self) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.calls == CALLS {
            return false;
        }
        let Some(now) = Resident::now() else { return false };
        state.start.get_or_insert(now);
        state.calls += 1;
        true
    }

    /// The peak of all calls so far, beyond what was resident before the first one.
    pub(super) fn end_call(&self) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.peak = state.peak.max(state.start?.growth()?);
        Some(state.peak)
    }
}

/// A line of `/proc/self/status`, in bytes.
fn read(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = value.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_about_may_have_a_path_and_a_type_in_its_name() {
        let name = "a::f<(u8, b::C)>".to_owned();
        let asked = Asked { workers: 2, items: 40, name };
        assert_eq!(Asked::parse("2:40:a::f<(u8, b::C)>"), Some(asked));
        for wrong in ["", "2", "2:40", "0:40:f", "2::f", "x:1:f"] {
            assert_eq!(Asked::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_peak_counts_from_the_moment_it_is_asked_about() {
        let fill = |bytes: usize| drop(std::hint::black_box(vec![1_u8; bytes]));
        fill(256 << 20);
        // Not every container lets a process write there.
        let Some(resident) = Resident::now() else { return };
        fill(64 << 20);
        let growth = resident.notable_growth().expect("64 MiB are notable");
        // Other tests run at the same time.
        assert!((60 << 20..160 << 20).contains(&growth), "{growth}");
    }
}
