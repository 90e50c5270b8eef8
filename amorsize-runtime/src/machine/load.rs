//! What else the machine is busy with, and how many workers that leaves to a loop that is to respect it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::fact::Fact;
use super::host::Host;
use crate::model::Limits;

/// From this share of processor pressure on, in percent, there are fewer workers.
const CPU_FROM: f64 = 70.0;
/// The same of memory pressure.
const MEMORY_FROM: f64 = 75.0;
/// A reading is used for so long.
const FRESH: Duration = Duration::from_secs(1);
/// Ticks of a processor's time in a second, as Linux counts them for processes on every architecture.
const TICKS_PER_S: f64 = 100.0;

/// How busy the machine is, in percent; `None` where the system does not tell.
///
/// Pressure is the share of the last ten seconds in which some task waited for a processor or for memory.
/// Where the kernel does not measure it, that of processors is the load average of the last minute, less what
/// this process has contributed lately, as a share of the usable cores. That one may exceed 100. On other systems
/// than Linux, that of memory is the share of the installed memory that is not available.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Load {
    /// Pressure on the processors.
    pub cpu_percent: Option<f64>,
    /// Pressure on the memory.
    pub memory_percent: Option<f64>,
}

impl Load {
    /// The load with these shares, in percent.
    pub fn new(cpu_percent: Option<f64>, memory_percent: Option<f64>) -> Self {
        Load { cpu_percent, memory_percent }
    }

    /// The workers of `workers` that this load leaves: all of them below 70 % on the processors and 75 % on the
    /// memory, from there on in proportion to what is left up to 100 %, and always the caller.
    pub fn workers(self, workers: usize) -> usize {
        let left = |percent: Option<f64>, from: f64| match percent {
            Some(percent) if percent > from => (100.0 - percent).max(0.0) / (100.0 - from),
            _ => 1.0,
        };
        let left = left(self.cpu_percent, CPU_FROM).min(left(self.memory_percent, MEMORY_FROM));
        // Rounded against the error of the division: a third of 3 is 1.
        ((workers as f64 * left + 1e-9) as usize).clamp(1, workers.max(1))
    }

    /// Reads the load of a machine with so many usable cores, `own_cores` of which this process keeps busy.
    pub(crate) fn read(host: &Host<'_>, usable_cores: usize, own_cores: f64) -> Self {
        Load {
            cpu_percent: cpu(host, usable_cores, own_cores).map(|fact| fact.value),
            memory_percent: memory(host).map(|fact| fact.value),
        }
    }

    /// Both in one word, with seven digits.
    fn to_bits(self) -> u64 {
        let bits = |percent: Option<f64>| u64::from((percent.unwrap_or(f64::NAN) as f32).to_bits());
        bits(self.cpu_percent) << 32 | bits(self.memory_percent)
    }

    fn from_bits(bits: u64) -> Self {
        let percent = |bits: u64| {
            let share = f32::from_bits(bits as u32);
            (!share.is_nan()).then_some(f64::from(share))
        };
        Load { cpu_percent: percent(bits >> 32), memory_percent: percent(bits) }
    }
}

/// The load of the processors in percent, where this process keeps `own_cores` busy.
pub(super) fn cpu(host: &Host<'_>, usable_cores: usize, own_cores: f64) -> Option<Fact<f64>> {
    pressure(host, "cpu").or_else(|| load_average(host, usable_cores, own_cores))
}

/// The pressure on the memory in percent.
pub(super) fn memory(host: &Host<'_>) -> Option<Fact<f64>> {
    pressure(host, "memory").or_else(|| memory_in_use(host))
}

/// The share of the memory that is not available, of systems that tell it by calls.
fn memory_in_use(host: &Host<'_>) -> Option<Fact<f64>> {
    let calls = host.calls();
    let (installed, available) = ((calls.installed_bytes)()?, (calls.available_bytes)()?);
    let share = 100.0 * (1.0 - available.value as f64 / installed.value.max(1) as f64);
    let source = format!("{} / {}", available.source, installed.source);
    Some(Fact::new(share.clamp(0.0, 100.0), source))
}

/// The line `some avg10=1.23 …` of the pressure on a resource.
fn pressure(host: &Host<'_>, resource: &str) -> Option<Fact<f64>> {
    let path = format!("/proc/pressure/{resource}");
    let text = host.read(&path)?;
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let share = some.split_whitespace().find_map(|field| field.strip_prefix("avg10="))?;
    let share = share.parse().ok().filter(|share| (0.0..=100.0).contains(share))?;
    Some(Fact::new(share, format!("{path} some avg10")))
}

fn load_average(host: &Host<'_>, usable_cores: usize, own_cores: f64) -> Option<Fact<f64>> {
    let running = match host.read("/proc/loadavg") {
        Some(text) => Fact::new(text.split_whitespace().next()?.parse().ok()?, "/proc/loadavg"),
        None => (host.calls().load_average)()?,
    };
    let others = Some(running.value - own_cores).filter(|others| others.is_finite())?;
    let share = 100.0 * others.max(0.0) / usable_cores.max(1) as f64;
    Some(Fact::new(share, running.source))
}

/// The processor time that this process has taken.
pub(crate) fn own_cpu_time(host: &Host<'_>) -> Option<Duration> {
    let Some(text) = host.read("/proc/self/stat") else { return (host.calls().own_cpu_time)() };
    // The name of the program, in parentheses, may contain anything.
    let (_, fields) = text.rsplit_once(')')?;
    let ticks = |index| fields.split_whitespace().nth(index)?.parse().ok();
    let (user, system): (u64, u64) = (ticks(11)?, ticks(12)?);
    Duration::try_from_secs_f64(user.saturating_add(system) as f64 / TICKS_PER_S).ok()
}

/// Reads the load at most once a second, whoever asks. Each number is stored by itself: a mixture of two
/// readings does no harm.
#[derive(Debug)]
pub(crate) struct Sampler {
    /// When the load is to be read again, in nanoseconds since any fixed moment.
    stale_at_ns: AtomicU64,
    load: AtomicU64,
    /// When it was last read, and this process's processor time then.
    read_at_ns: AtomicU64,
    own_ns: AtomicU64,
}

impl Sampler {
    pub(crate) const fn new() -> Self {
        Sampler {
            stale_at_ns: AtomicU64::new(0),
            // Two numbers that are none: nothing is known.
            load: AtomicU64::new((0x7fc0_0000 << 32) | 0x7fc0_0000),
            read_at_ns: AtomicU64::new(0),
            own_ns: AtomicU64::new(0),
        }
    }

    /// The load as of `now_ns`, at most a second old.
    pub(crate) fn load(&self, now_ns: u64, usable_cores: usize, host: &Host<'_>) -> Load {
        let stale_at_ns = self.stale_at_ns.load(Ordering::Relaxed);
        let next_ns = now_ns.saturating_add(FRESH.as_nanos() as u64);
        // One of several threads reads; the others make do with what is there.
        let is_mine = now_ns >= stale_at_ns
            && self
                .stale_at_ns
                .compare_exchange(stale_at_ns, next_ns, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if !is_mine {
            return Load::from_bits(self.load.load(Ordering::Relaxed));
        }
        let own_ns = own_cpu_time(host).map_or(0, |time| time.as_nanos() as u64);
        let own_before_ns = self.own_ns.swap(own_ns, Ordering::Relaxed);
        let passed_ns = now_ns.saturating_sub(self.read_at_ns.swap(now_ns, Ordering::Relaxed));
        // The first reading has none to be compared with.
        let own_cores = if stale_at_ns == 0 || passed_ns == 0 {
            0.0
        } else {
            own_ns.saturating_sub(own_before_ns) as f64 / passed_ns as f64
        };
        let load = Load::read(host, usable_cores, own_cores);
        self.load.store(load.to_bits(), Ordering::Relaxed);
        load
    }
}

/// The load of this machine, read at most once a second.
pub fn load() -> Load {
    static SAMPLER: Sampler = Sampler::new();
    SAMPLER.load(crate::pool::now_ns(), super::usable_cores(), &Host::this())
}

/// Adds the limit of what other work on this machine leaves.
pub(crate) fn limit_by_load(limits: Limits) -> Limits {
    if limits.workers == 1 {
        return limits;
    }
    limits.beside_load(load().workers(limits.workers))
}

#[cfg(test)]
mod tests {
    use super::super::host::Calls;
    use super::super::host::tree::Tree;
    use super::*;

    fn load(cpu: f64, memory: f64) -> Load {
        Load { cpu_percent: Some(cpu), memory_percent: Some(memory) }
    }

    #[test]
    fn workers_shrink_in_proportion_from_the_thresholds_on() {
        for (cpu, workers) in
            [(0.0, 12), (70.0, 12), (75.0, 10), (80.0, 8), (85.0, 6), (97.5, 1), (100.0, 1)]
        {
            assert_eq!(load(cpu, 0.0).workers(12), workers, "{cpu} %");
        }
        for (memory, workers) in [(75.0, 10), (80.0, 8), (90.0, 4), (100.0, 1)] {
            assert_eq!(load(0.0, memory).workers(10), workers, "{memory} %");
        }
        // The tighter of the two counts; twice the load that fits leaves the caller alone.
        assert_eq!(load(85.0, 95.0).workers(10), 2);
        assert_eq!(load(200.0, 0.0).workers(96), 1);
    }

    #[test]
    fn there_is_always_a_worker_and_never_one_more() {
        for cpu in [-5.0, 0.0, 70.0, 71.0, 99.9, 1e30, f64::INFINITY, f64::NAN] {
            for workers in [1, 2, 3, 96, 1_024] {
                let left = load(cpu, 0.0).workers(workers);
                assert!((1..=workers).contains(&left), "{cpu} % of {workers}: {left}");
            }
            assert_eq!(load(cpu, 0.0).workers(0), 1);
        }
        assert_eq!(Load::default().workers(7), 7);
    }

    #[test]
    fn pressure_comes_before_the_load_average() {
        let pressure = "some avg10=12.50 avg60=3.00 avg300=1.00 total=99\nfull avg10=80.00\n";
        let tree = Tree::new().file("/proc/loadavg", "6.00 5.00 4.00 3/200 4711\n");
        let read = |tree: &Tree| tree.look(|host| Load::read(host, 8, 2.0));
        assert_eq!(read(&tree), Load { cpu_percent: Some(50.0), memory_percent: None });
        let tree = tree
            .file("/proc/pressure/cpu", pressure)
            .file("/proc/pressure/memory", "some avg10=76.00 avg60=0.00 avg300=0.00 total=0\n");
        assert_eq!(read(&tree), load(12.5, 76.0));
        let garbage = Tree::new()
            .file("/proc/loadavg", "much\n")
            .file("/proc/pressure/cpu", "some avg10=x\n")
            .file("/proc/pressure/memory", "");
        assert_eq!(read(&garbage), Load::default());
        assert_eq!(read(&Tree::new()), Load::default());
    }

    #[test]
    fn the_time_of_this_process_is_found_behind_any_name() {
        let stat = "42 (a) b (c) R 1 42 42 0 -1 4194304 90 0 0 0 150 50 0 0 20 0 4 0 123 1 1\n";
        let time = Tree::new().file("/proc/self/stat", stat).look(own_cpu_time);
        assert_eq!(time, Some(Duration::from_secs(2)));
        assert_eq!(Tree::new().file("/proc/self/stat", "42 (a").look(own_cpu_time), None);
        let told = Calls { own_cpu_time: || Some(Duration::from_secs(3)), ..Calls::NONE };
        assert_eq!(Tree::new().calls(told).look(own_cpu_time), Some(Duration::from_secs(3)));
    }

    #[test]
    fn the_load_is_read_at_most_once_a_second_and_without_this_process() {
        const SECOND: u64 = 1_000_000_000;
        let machine = |running: &str, ticks: u64| {
            let stat = format!("42 (demo) R 1 42 42 0 -1 0 90 0 0 0 {ticks} 0 0 0\n");
            Tree::new().file("/proc/loadavg", running).file("/proc/self/stat", &stat)
        };
        let sampler = Sampler::new();
        let at = |now_ns, tree: &Tree| {
            tree.look(|host| sampler.load(now_ns, 4, host)).cpu_percent.expect("there is a load")
        };
        assert_eq!(at(5 * SECOND, &machine("3.0", 100)), 75.0);
        assert_eq!(at(6 * SECOND - 1, &machine("1.0", 100)), 75.0);
        // Two of three cores' worth were this process's own in the last two seconds.
        assert_eq!(at(7 * SECOND, &machine("3.0", 500)), 25.0);
        assert_eq!(at(7 * SECOND + 1, &machine("4.0", 500)), 25.0);
        assert_eq!(at(9 * SECOND, &machine("4.0", 500)), 100.0);
    }

    #[test]
    fn readings_survive_being_packed() {
        let known = load(12.5, 0.0);
        for load in [known, Load::default(), Load { cpu_percent: None, ..known }] {
            assert_eq!(Load::from_bits(load.to_bits()), load);
        }
        assert_eq!(Load::from_bits(Sampler::new().load.into_inner()), Load::default());
    }
}
