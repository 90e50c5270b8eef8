//! How much of the processors others used while something was measured. Only Linux tells.

use std::collections::BTreeSet;

/// The processors' time so far, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticks {
    /// Of all processors that this process may use.
    total: u64,
    busy: u64,
    /// Of this process and its children that have ended.
    own: u64,
}

impl Ticks {
    /// Up to now; `None` where the system does not say.
    pub(crate) fn now() -> Option<Self> {
        let read = |path: &str| std::fs::read_to_string(path).ok();
        let allowed = allowed(&read("/proc/self/status")?)?;
        let (total, busy) = processors(&read("/proc/stat")?, &allowed);
        Some(Ticks { total, busy, own: own(&read("/proc/self/stat")?)? })
    }

    /// The share of the processors' time that others have used since `before`.
    pub(crate) fn others_since(&self, before: &Ticks) -> f64 {
        let total = self.total.saturating_sub(before.total);
        let busy = self.busy.saturating_sub(before.busy);
        let others = busy.saturating_sub(self.own.saturating_sub(before.own));
        if total == 0 { 0.0 } else { others as f64 / total as f64 }
    }
}

/// Whether the system tells what others use.
pub(crate) fn is_known() -> bool {
    Ticks::now().is_some()
}

/// The share of the processors' time that others have used since then; 0 where nobody knows.
pub(crate) fn share_since(before: Option<Ticks>) -> f64 {
    before.zip(Ticks::now()).map_or(0.0, |(before, now)| now.others_since(&before))
}

/// The processors of a list such as `0-3,8`.
fn allowed(status: &str) -> Option<BTreeSet<u32>> {
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let mut allowed = BTreeSet::new();
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        allowed.extend(first.parse::<u32>().ok()?..=last.parse().ok()?);
    }
    Some(allowed)
}

/// Total and busy ticks; waiting for disks is not busy, a hypervisor's other guests are.
fn processors(stat: &str, allowed: &BTreeSet<u32>) -> (u64, u64) {
    let (mut total, mut busy) = (0, 0);
    for line in stat.lines() {
        let mut fields = line.split_ascii_whitespace();
        let number = fields.next().and_then(|name| name.strip_prefix("cpu")?.parse().ok());
        if number.is_some_and(|number| allowed.contains(&number)) {
            // user nice system idle iowait irq softirq steal; guests are part of user.
            let ticks: Vec<u64> = fields.take(8).filter_map(|field| field.parse().ok()).collect();
            let all: u64 = ticks.iter().sum();
            let idle: u64 = ticks.iter().skip(3).take(2).sum();
            total += all;
            busy += all - idle;
        }
    }
    (total, busy)
}

/// Ticks of the process and its collected children: utime, stime, cutime, cstime.
fn own(stat: &str) -> Option<u64> {
    // The name in parentheses may hold anything; the third field follows it.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    fields.get(11..15)?.iter().map(|field| field.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors_are_understood() {
        let allowed = allowed("Name:\tx\nCpus_allowed_list:\t0-2,7\n").expect("a list");
        assert_eq!(allowed.into_iter().collect::<Vec<_>>(), [0, 1, 2, 7]);
    }

    #[test]
    fn only_the_processors_that_may_be_used_count() {
        let stat = "cpu 9 9 9 9\ncpu0 10 0 5 80 3 1 0 1 0 0\ncpu1 50 0 0 50 0 0 0 0 0 0\nintr 1";
        assert_eq!(processors(stat, &BTreeSet::from([0])), (100, 17));
        assert_eq!(processors(stat, &BTreeSet::from([0, 1])), (200, 67));
    }

    #[test]
    fn a_program_s_name_may_hold_spaces_and_parentheses() {
        let stat = "1 (a) b) S 1 2 3 4 5 6 7 8 9 10 100 20 3 4 20 0";
        assert_eq!(own(stat), Some(127));
    }

    #[test]
    fn what_is_not_ours_is_others() {
        let before = Ticks { total: 0, busy: 0, own: 0 };
        let after = Ticks { total: 200, busy: 150, own: 100 };
        assert!((after.others_since(&before) - 0.25).abs() < 1e-9);
    }
}
