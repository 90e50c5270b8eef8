//! What systems without `/proc` tell when they are asked, through sysinfo. macOS, Windows and FreeBSD tell
//! something, of any other system it knows nothing. Nothing here waits: a load that takes two looks with time
//! between them is not known.

use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use sysinfo::{MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, System};

use super::fact::Fact;
use super::host::Calls;

/// Everything but the parallelism, which the standard library tells.
pub(super) const CALLS: Calls = Calls {
    parallelism: || None,
    physical_cores,
    installed_bytes,
    available_bytes,
    load_average,
    own_cpu_time,
};

fn physical_cores() -> Option<Fact<usize>> {
    // On FreeBSD sysinfo counts hardware threads.
    if cfg!(target_os = "freebsd") {
        return None;
    }
    let cores = System::physical_core_count().filter(|&cores| cores > 0)?;
    Some(Fact::new(cores, "sysinfo physical_core_count"))
}

fn installed_bytes() -> Option<Fact<u64>> {
    memory(System::total_memory, "sysinfo total_memory")
}

fn available_bytes() -> Option<Fact<u64>> {
    memory(System::available_memory, "sysinfo available_memory")
}

fn memory(bytes: fn(&System) -> u64, source: &str) -> Option<Fact<u64>> {
    let bytes = look(|system| {
        system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        // What it cannot read is 0.
        Some(bytes(system)).filter(|&bytes| bytes > 0)
    });
    Some(Fact::new(bytes?, source))
}

fn load_average() -> Option<Fact<f64>> {
    // Windows has none, and sysinfo would start to make one up, which stays 0.
    if cfg!(windows) {
        return None;
    }
    let average = System::load_average();
    // All of them are 0 where it cannot read them.
    let is_known = [average.one, average.five, average.fifteen].iter().any(|&load| load > 0.0);
    is_known.then(|| Fact::new(average.one, "sysinfo load_average"))
}

fn own_cpu_time() -> Option<Duration> {
    // Without a load average there is nothing to take it from.
    if cfg!(windows) {
        return None;
    }
    let this = sysinfo::get_current_pid().ok()?;
    look(|system| {
        let cpu = ProcessRefreshKind::nothing().with_cpu();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[this]), true, cpu);
        Some(Duration::from_millis(system.process(this)?.accumulated_cpu_time()))
    })
}

/// Has a look at the system through the one value of this process, because making one takes longer than the look.
fn look<T>(look: impl FnOnce(&mut System) -> Option<T>) -> Option<T> {
    static SYSTEM: LazyLock<Mutex<System>> = LazyLock::new(|| Mutex::new(System::new()));
    // Without this file, as in some jails of FreeBSD, making the value panics.
    if cfg!(target_os = "freebsd") && !Path::new("/dev/null").exists() {
        return None;
    }
    look(&mut SYSTEM.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(all(test, feature = "survey"))]
mod tests {
    use super::super::host::tree::Tree;
    use super::super::load::{self, Load};
    use super::super::memory::Memory;
    use super::super::topology::Topology;
    use super::*;

    fn value<T>(fact: Option<Fact<T>>) -> Option<T> {
        fact.map(|fact| fact.value)
    }

    #[test]
    fn what_is_told_is_possible() {
        let told = Tree::new().calls(CALLS);
        let Memory { installed_bytes, available_bytes, .. } = told.look(Memory::read);
        if let (Some(installed), Some(available)) = (value(installed_bytes), value(available_bytes))
        {
            assert!((1..=installed).contains(&available), "{available} of {installed}");
        }
        assert!(value(told.look(Topology::read).physical_cores).is_none_or(|cores| cores > 0));
        let Load { cpu_percent, memory_percent } = told.look(|host| Load::read(host, 1, 0.0));
        assert!(cpu_percent.is_none_or(|load| load >= 0.0));
        assert!(memory_percent.is_none_or(|load| (0.0..100.0).contains(&load)));
        let before = told.look(load::own_cpu_time);
        assert!(before <= told.look(load::own_cpu_time));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_tells_what_its_files_tell() {
        let told = Tree::new().calls(CALLS);
        let files = super::super::host::Host::this();

        let (memory, by_files) = (told.look(Memory::read), Memory::read(&files));
        let installed = value(memory.installed_bytes).expect("Linux tells");
        assert_eq!(Some(installed), value(by_files.installed_bytes));
        let bytes = |fact| value(fact).expect("Linux tells");
        let difference = bytes(memory.system_bytes).abs_diff(bytes(by_files.system_bytes));
        // The rest of the machine does not stand still meanwhile.
        assert!(difference < installed / 4, "{difference}");

        let cores = |topology: Topology| value(topology.physical_cores);
        let (cores, by_files) = (cores(told.look(Topology::read)), cores(Topology::read(&files)));
        if let (Some(cores), Some(by_files)) = (cores, by_files) {
            assert_eq!(cores, by_files);
        }

        let by_files = load::own_cpu_time(&files).expect("Linux tells");
        let time = told.look(load::own_cpu_time).expect("Linux tells");
        // Both count in ticks of 10 ms.
        assert!(time + Duration::from_millis(20) >= by_files, "{time:?} {by_files:?}");
    }
}
