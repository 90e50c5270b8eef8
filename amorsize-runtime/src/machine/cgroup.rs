//! Control groups: what the levels that this process is in limit, from its own up to the highest one that
//! it can see. Version 1 has a hierarchy for each controller, version 2 one for all, and a system may have
//! both at once.

mod place;
#[cfg(test)]
mod tests;

use self::place::{Place, places};
use super::fact::{Fact, least};
use super::host::Host;

/// One level of a control group, and what it limits. A limit holds for all levels below it too.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CgroupLevel {
    /// Where its files are.
    pub folder: String,
    /// Whether it is the process's own level.
    pub is_leaf: bool,
    /// Processor time that all processes of the level get in a unit of time: a number of cores.
    pub quota_cores: Option<Fact<f64>>,
    /// Memory that the level may hold. Of version 2 the smaller of `memory.max` and `memory.high`: above the
    /// latter processes are not killed, but slowed down until they hold less.
    pub memory_limit_bytes: Option<Fact<u64>>,
    /// Memory that it holds, without files in the cache that have not been used for a while: the kernel drops
    /// those first.
    pub memory_used_bytes: Option<Fact<u64>>,
}

/// All levels of this process, those of each hierarchy together, from its own upwards.
pub(crate) fn levels(host: &Host<'_>) -> Vec<CgroupLevel> {
    let level = |place: Place| CgroupLevel {
        quota_cores: place.quota_cores(host),
        memory_limit_bytes: place.memory_limit(host),
        memory_used_bytes: place.memory_used(host),
        is_leaf: place.is_leaf,
        folder: place.folder,
    };
    places(host).into_iter().map(level).collect()
}

/// The smallest quota of all levels.
pub(crate) fn quota_cores(host: &Host<'_>) -> Option<Fact<f64>> {
    let quotas = places(host).into_iter().filter_map(|place| place.quota_cores(host));
    quotas.min_by(|a, b| a.value.total_cmp(&b.value))
}

/// The least that the memory limits of all levels leave, which may be nothing. Where the use is not known,
/// that is the limit itself.
pub(crate) fn memory_left(host: &Host<'_>) -> Option<Fact<u64>> {
    least(places(host).into_iter().map(|place| {
        let limit = place.memory_limit(host)?;
        let used = place.memory_used(host).map_or(0, |used| used.value);
        Some(Fact::new(limit.value.saturating_sub(used), limit.source))
    }))
}

impl Place {
    fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    fn quota_cores(&self, host: &Host<'_>) -> Option<Fact<f64>> {
        let (path, quota_us, period_us): (_, i64, i64) = if self.is_unified {
            let path = self.file("cpu.max");
            let text = host.read(&path)?;
            // No quota is the word `max`.
            let (quota, period) = text.trim().split_once(' ')?;
            (path, quota.parse().ok()?, period.parse().ok()?)
        } else {
            let path = self.file("cpu.cfs_quota_us");
            // No quota is −1.
            let quota = host.number(&path)?;
            (path, quota, host.number(&self.file("cpu.cfs_period_us"))?)
        };
        let is_quota = quota_us > 0 && period_us > 0;
        is_quota.then(|| Fact::new(quota_us as f64 / period_us as f64, path))
    }

    fn memory_limit(&self, host: &Host<'_>) -> Option<Fact<u64>> {
        let limit = |name: &str| {
            let path = self.file(name);
            let bytes = host.number(&path)?;
            // Version 1 writes no limit as the largest number of whole pages that it can count.
            (1..1 << 62).contains(&bytes).then(|| Fact::new(bytes, path))
        };
        if self.is_unified {
            least([limit("memory.max"), limit("memory.high")])
        } else {
            limit("memory.limit_in_bytes")
        }
    }

    fn memory_used(&self, host: &Host<'_>) -> Option<Fact<u64>> {
        let (name, cached) = if self.is_unified {
            ("memory.current", "inactive_file ")
        } else {
            ("memory.usage_in_bytes", "total_inactive_file ")
        };
        let path = self.file(name);
        let used: u64 = host.number(&path)?;
        let statistics = host.read(&self.file("memory.stat")).unwrap_or_default();
        let cached = statistics.lines().find_map(|line| line.strip_prefix(cached)?.parse().ok());
        Some(Fact::new(used.saturating_sub(cached.unwrap_or(0)), path))
    }
}
