//! Other load on the machine: waited for before a measurement, and reported with it.

use std::fs;
use std::time::{Duration, Instant};

/// How long one look takes. The system counts in hundredths of a second.
const LOOK: Duration = Duration::from_millis(100);
/// Cores that others may use while the machine counts as quiet.
const QUIET: f64 = 0.15;

/// Processor time so far, in the system's ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Load {
    /// Of all cores, busy or not.
    total: f64,
    /// Of all cores, busy or taken away by the hypervisor.
    busy: f64,
    /// Of this process.
    own: f64,
    cores: f64,
}

impl Load {
    /// Reads the counters; `None` where the system has none.
    pub(crate) fn now() -> Option<Self> {
        let system = fs::read_to_string("/proc/stat").ok()?;
        let own = fs::read_to_string("/proc/self/stat").ok()?;
        Load::parse(&system, &own)
    }

    fn parse(system: &str, own: &str) -> Option<Self> {
        let cores = system
            .lines()
            .filter(|line| line.starts_with("cpu") && !line.starts_with("cpu "))
            .count();
        // user, nice, system, idle, iowait, irq, softirq, steal
        let ticks = numbers(system.lines().next()?.strip_prefix("cpu ")?, 8)?;
        let total: f64 = ticks.iter().sum();
        // The name of the process is in parentheses and may hold anything; state and ten fields
        // stand between it and utime, stime.
        let fields = own.get(own.rfind(')')? + 2..)?;
        let times = numbers(fields.splitn(12, ' ').nth(11)?, 2)?;
        Some(Load {
            total,
            busy: total - ticks.get(3)? - ticks.get(4)?,
            own: times.iter().sum(),
            cores: cores as f64,
        })
    }

    /// Cores that others used on average since `self`.
    fn others_until(&self, now: &Load) -> f64 {
        let busy = (now.busy - self.busy) - (now.own - self.own);
        (busy / (now.total - self.total).max(1.0) * self.cores).max(0.0)
    }
}

/// Cores that others used on average since `start`.
pub(crate) fn others_since(start: Option<Load>) -> Option<f64> {
    Some(start?.others_until(&Load::now()?))
}

/// Waits until others leave the machine alone, `patience` at most.
pub(crate) fn wait_for_quiet(patience: Duration) {
    let start = Instant::now();
    while start.elapsed() < patience {
        let before = Load::now();
        // Looking away by sleeping would let this core go idle too, and change where threads wake up.
        let look = Instant::now();
        while look.elapsed() < LOOK {
            std::hint::spin_loop();
        }
        if others_since(before).is_none_or(|cores| cores < QUIET) {
            return;
        }
    }
}

/// The first `count` of the numbers in `text`.
fn numbers(text: &str, count: usize) -> Option<Vec<f64>> {
    text.split_whitespace().take(count).map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_use_is_what_is_busy_less_our_own() {
        let system = |user: u32, idle: u32| {
            format!("cpu  {user} 0 10 {idle} 5 0 0 0 0 0\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5\n")
        };
        let own = |time: u32| format!("7 (a ) b) R 1 2 3 4 5 6 7 8 9 10 {time} 5 0 0");
        let before = Load::parse(&system(100, 900), &own(40)).expect("valid");
        // Two cores for 100 ticks: 150 busy, of them 90 our own.
        let after = Load::parse(&system(250, 950), &own(130)).expect("valid");
        assert!((before.others_until(&after) - 0.6).abs() < 1e-9);
        assert_eq!(before.others_until(&before), 0.0);
        assert_eq!(Load::parse("nothing", &own(1)), None);
    }
}
