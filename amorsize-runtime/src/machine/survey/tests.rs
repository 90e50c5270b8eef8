//! Whole machines.

use super::*;
use crate::machine::host::Calls;
use crate::machine::host::tree::Tree;

const ONLINE: &str = "/sys/devices/system/cpu/online";

/// A machine whose processors are all on and all allowed, `threads` of them to a core: first one of each core,
/// then the second ones, as on most machines.
fn machine(cpus: u32, threads: u32, sockets: u32) -> Tree {
    let cores = cpus / threads;
    let siblings = move |cpu: u32| {
        let threads: Vec<_> = (0..threads).map(|t| (cpu % cores + t * cores).to_string()).collect();
        threads.join(",")
    };
    let list = format!("0-{}", cpus - 1);
    Tree::new()
        .cpus(0..cpus, move |cpu| cpu % cores * sockets / cores, siblings)
        .file(ONLINE, &list)
        .file("/sys/devices/system/cpu/present", &list)
        .allowed(&list)
}

fn survey(tree: &Tree) -> Survey {
    tree.look(Survey::of)
}

fn names(tree: &Tree) -> Vec<&'static str> {
    survey(tree).doubts.iter().map(Doubt::name).collect()
}

/// The cores for loops and what decided.
fn usable(tree: &Tree) -> (usize, String) {
    let usable = survey(tree).cores.usable;
    (usable.value, usable.source)
}

const MASK: &str = "/proc/self/status Cpus_allowed_list";
const CORES: &str = "/sys/devices/system/cpu/cpu*/topology/core_cpus_list";

#[test]
fn two_sockets_with_96_cores_are_counted_once_each() {
    let tree = machine(192, 2, 2);
    assert_eq!(usable(&tree), (96, CORES.to_owned()));
    let Topology { sockets, physical_cores, online_cpus, offline_cpus, threads_per_core, .. } =
        survey(&tree).topology;
    let value = |fact: Option<Fact<usize>>| fact.map(|fact| fact.value);
    assert_eq!(value(sockets), Some(2));
    assert_eq!(value(physical_cores), Some(96));
    assert_eq!(value(online_cpus), Some(192));
    assert_eq!(value(offline_cpus), Some(0));
    assert_eq!(value(threads_per_core), Some(2));
    assert_eq!(names(&tree), ["shared-cores"]);
}

#[test]
fn without_second_threads_there_is_no_doubt() {
    let tree = machine(8, 1, 1);
    assert_eq!(usable(&tree), (8, MASK.to_owned()));
    assert_eq!(names(&tree), [""; 0]);
}

#[test]
fn of_cores_that_are_half_in_the_mask_each_counts_once() {
    // Cores 0 to 2 with both threads, core 3 with its second one alone.
    let tree = machine(8, 2, 1).allowed("0-2,4-7");
    assert_eq!(usable(&tree), (4, CORES.to_owned()));
    // One thread of each of two cores.
    let tree = machine(8, 2, 1).allowed("1,6");
    assert_eq!(usable(&tree), (2, MASK.to_owned()));
    assert_eq!(names(&tree), [""; 0]);
}

#[test]
fn processors_that_are_off_or_were_never_there_do_not_count() {
    // Virtual machines allow as many as the machine might get one day.
    let tree = machine(4, 1, 1).allowed("0-127").file("/sys/devices/system/cpu/present", "0-5");
    assert_eq!(usable(&tree), (4, MASK.to_owned()));
    assert_eq!(survey(&tree).topology.offline_cpus.map(|fact| fact.value), Some(2));
    // Two of eight are off, and the kernel has removed what it told of them.
    let tree = Tree::new()
        .cpus(0..2, |_| 0, |cpu| cpu.to_string())
        .cpus(4..8, |_| 0, |cpu| cpu.to_string())
        .allowed("0-7");
    assert_eq!(survey(&tree).cores.physical.map(|fact| fact.value), Some(6));
    assert_eq!(usable(&tree).0, 6);
    assert_eq!(survey(&tree).topology.online_cpus.map(|fact| fact.value), Some(6));
}

#[test]
fn kernels_that_have_only_the_old_name_of_a_core_s_threads_are_understood() {
    let siblings = "/sys/devices/system/cpu/cpu0/topology/thread_siblings_list";
    let tree = Tree::new()
        .file(siblings, "0-1\n")
        .file(&siblings.replace("cpu0", "cpu1"), "0-1\n")
        .allowed("0-1")
        .file(ONLINE, "0-1\n");
    assert_eq!(usable(&tree), (1, CORES.replace("core_cpus", "thread_siblings")));
}

#[test]
fn a_thread_pinned_to_one_core_does_not_speak_for_the_process() {
    let tree = machine(8, 1, 1).file("/proc/thread-self/status", "Cpus_allowed_list:\t3\n");
    assert_eq!(usable(&tree).0, 8);
    let tree = machine(8, 1, 1).file("/proc/self/status", "Cpus_allowed_list:\t0\n");
    assert_eq!(usable(&tree).0, 8);
}

fn with_quota(tree: Tree, max: &str) -> Tree {
    tree.file("/proc/self/cgroup", "0::/\n")
        .file("/proc/self/mountinfo", "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
        .file("/sys/fs/cgroup/cpu.max", max)
}

#[test]
fn quotas_are_rounded_down_but_leave_one_worker() {
    let source = "/sys/fs/cgroup/cpu.max".to_owned();
    for (max, workers, doubts) in [
        ("150000 100000", 1, vec!["quota-rounded"]),
        ("20000 100000", 1, vec!["quota-rounded"]),
        ("200000 100000", 2, vec![]),
        ("399999 100000", 3, vec!["quota-rounded"]),
    ] {
        let tree = with_quota(machine(8, 1, 1), max);
        assert_eq!(usable(&tree), (workers, source.clone()), "{max}");
        assert_eq!(names(&tree), doubts, "{max}");
    }
    // One that does not decide is not worth a word.
    let tree = with_quota(machine(8, 2, 1), "650000 100000");
    assert_eq!(usable(&tree).0, 4);
    assert_eq!(survey(&tree).cores.usable_processors.value, 6);
    assert_eq!(names(&tree), ["shared-cores"]);
}

#[test]
fn a_batch_system_s_allotment_counts_where_nothing_else_enforces_it() {
    let tree = machine(64, 2, 2).variable("SLURM_CPUS_PER_TASK", "8");
    assert_eq!(usable(&tree), (8, "SLURM_CPUS_PER_TASK".to_owned()));
    assert_eq!(names(&tree), ["allotted-less"]);
    // Allotted threads of cores that are all in the mask.
    let tree = machine(8, 2, 1).variable("SLURM_CPUS_PER_TASK", "8");
    assert_eq!(usable(&tree).0, 4);
    assert_eq!(names(&tree), ["shared-cores"]);
}

#[test]
fn the_number_of_rayon_s_threads_wins_and_is_doubted_above_the_cores() {
    let tree = machine(4, 1, 1).variable("RAYON_NUM_THREADS", "6");
    assert_eq!(usable(&tree), (6, "RAYON_NUM_THREADS".to_owned()));
    assert_eq!(survey(&tree).cores.granted.value, 4);
    assert_eq!(names(&tree), ["too-many-threads"]);
    let tree = machine(4, 2, 1).variable("RAYON_NUM_THREADS", "2");
    assert_eq!((usable(&tree).0, names(&tree)), (2, vec![]));
    for ignored in ["0", "x", ""] {
        let tree = machine(4, 1, 1).variable("RAYON_NUM_THREADS", ignored);
        assert_eq!(usable(&tree).0, 4, "{ignored}");
    }
}

#[test]
fn variables_that_cannot_be_read_are_ignored_and_named() {
    let tree = machine(4, 1, 1)
        .variable("AMORSIZE_MEMORY", "lots")
        .variable("AMORSIZE_MAX_WORKERS", "0")
        .variable("AMORSIZE", "fast");
    assert_eq!(names(&tree), ["invalid-memory", "invalid-max-workers", "invalid-plan"]);
    assert_eq!(survey(&tree).cores.max_workers, None);
    let texts: Vec<String> = survey(&tree).doubts.iter().map(ToString::to_string).collect();
    assert!(texts[0].contains("AMORSIZE_MEMORY=\"lots\""), "{texts:?}");
    assert!(texts[1].contains("AMORSIZE_MAX_WORKERS=\"0\""), "{texts:?}");
    assert!(texts[2].contains("AMORSIZE=\"fast\""), "{texts:?}");
}

#[test]
fn a_memory_limit_above_a_leaf_without_one_is_doubted() {
    let tree = machine(4, 1, 1)
        .file("/proc/self/cgroup", "0::/job/task\n")
        .file("/proc/self/mountinfo", "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
        .file("/sys/fs/cgroup/job/memory.max", "5000\n")
        .file("/sys/fs/cgroup/job/task/memory.max", "max\n");
    assert_eq!(names(&tree), ["memory-limit-above"]);
    assert_eq!(survey(&tree).memory.available_bytes.map(|fact| fact.value), Some(5_000));
    let tree = tree.file("/sys/fs/cgroup/job/task/memory.max", "9000\n");
    assert_eq!(names(&tree), [""; 0]);
}

#[test]
fn fast_and_slow_cores_are_told_apart() {
    let intel = machine(12, 1, 1)
        .file("/sys/devices/cpu_core/cpus", "0-3\n")
        .file("/sys/devices/cpu_atom/cpus", "4-11\n");
    let hybrid = Hybrid { fast_cpus: "0-3".to_owned(), slow_cpus: "4-11".to_owned() };
    assert_eq!(survey(&intel).topology.hybrid.map(|fact| fact.value), Some(hybrid));
    assert_eq!(names(&intel), ["hybrid-cores"]);
    // Only the slow ones are allowed.
    assert_eq!(names(&intel.allowed("4-9")), [""; 0]);

    let capacity = |tree: Tree, cpu: u32, capacity: &str| {
        tree.file(&format!("/sys/devices/system/cpu/cpu{cpu}/cpu_capacity"), capacity)
    };
    let equal = (0..4).fold(machine(4, 1, 1), |tree, cpu| capacity(tree, cpu, "1024\n"));
    assert_eq!(survey(&equal).topology.hybrid, None);
    let arm = capacity(capacity(equal, 0, "446\n"), 1, "871\n");
    let hybrid = Hybrid { fast_cpus: "2-3".to_owned(), slow_cpus: "0-1".to_owned() };
    assert_eq!(survey(&arm).topology.hybrid.map(|fact| fact.value), Some(hybrid));
}

#[test]
fn memory_nodes_are_doubted_where_the_mask_spans_several() {
    let tree = machine(8, 1, 2)
        .file("/sys/devices/system/node/node0/cpulist", "0-3\n")
        .file("/sys/devices/system/node/node1/cpulist", "4-7\n")
        // Memory without processors.
        .file("/sys/devices/system/node/node2/cpulist", "\n")
        .file("/sys/devices/system/node/possible", "0-2\n");
    let nodes = survey(&tree).topology.nodes;
    let nodes: Vec<_> = nodes.iter().map(|node| (node.value.number, &*node.value.cpus)).collect();
    assert_eq!(nodes, [(0, "0-3"), (1, "4-7")]);
    assert_eq!(names(&tree), ["several-nodes"]);
    let hint = survey(&tree).doubts[0].hint();
    assert!(hint.contains("numactl --cpunodebind=0 --membind=0"), "{hint}");
    assert_eq!(names(&tree.allowed("4-6")), [""; 0]);
}

#[test]
fn caches_are_listed_with_who_shares_them() {
    let cache = |tree: Tree, index: u32, facts: [&str; 4]| {
        let names = ["level", "type", "size", "shared_cpu_list"];
        let folder = format!("/sys/devices/system/cpu/cpu0/cache/index{index}");
        let file = |tree: Tree, (name, text)| tree.file(&format!("{folder}/{name}"), text);
        names.into_iter().zip(facts).fold(tree, file)
    };
    let tree = cache(machine(4, 2, 1), 0, ["1\n", "Data\n", "48K\n", "0,2\n"]);
    let tree = cache(tree, 10, ["3\n", "Unified\n", "32M\n", "0-3\n"]);
    let tree = cache(tree, 2, ["2\n", "Unified\n", "many\n", "0-3\n"]);
    let caches: Vec<Cache> =
        survey(&tree).topology.caches.into_iter().map(|fact| fact.value).collect();
    let kind = |kind: &str| kind.to_owned();
    assert_eq!(
        caches,
        [
            Cache { level: 1, kind: kind("Data"), size_bytes: 49_152, shared_by: 2 },
            Cache { level: 3, kind: kind("Unified"), size_bytes: 33_554_432, shared_by: 4 },
        ]
    );
}

#[test]
fn of_a_machine_that_tells_nothing_one_worker_is_sure() {
    let survey = survey(&Tree::new());
    assert_eq!(survey.cores.usable.value, 1);
    assert_eq!(survey.class.source, "the target of the build");
    assert_eq!(survey.memory.available_bytes, None);
    assert_eq!(survey.topology, Topology::default());
    assert_eq!((survey.cpu_load, survey.memory_load), (None, None));
    assert!(survey.cgroups.is_empty() && survey.doubts.is_empty());
}

/// A desktop that has no files: 8 processors on 4 cores, a quarter of the memory available.
const TELLS: Calls = Calls {
    parallelism: || Some(8),
    physical_cores: || Some(Fact::new(4, "told cores")),
    installed_bytes: || Some(Fact::new(16_000, "told installed")),
    available_bytes: || Some(Fact::new(4_000, "told left")),
    load_average: || Some(Fact::new(3.0, "told load")),
    own_cpu_time: || None,
};

#[test]
fn a_system_without_files_is_asked() {
    let tree = Tree::new().calls(TELLS);
    assert_eq!(usable(&tree), (4, "told cores".to_owned()));
    let Survey { cores, memory, cpu_load, memory_load, topology, .. } = survey(&tree);
    assert_eq!(cores.usable_processors, Fact::new(8, "the standard library"));
    assert_eq!(topology.physical_cores, cores.physical);
    assert_eq!(memory.available_bytes, Some(Fact::new(4_000, "told left")));
    assert_eq!(memory.installed_bytes, Some(Fact::new(16_000, "told installed")));
    assert_eq!(cpu_load, Some(Fact::new(75.0, "told load")));
    assert_eq!(memory_load, Some(Fact::new(75.0, "told left / told installed")));
    assert_eq!(names(&tree), ["shared-cores"]);
}

#[test]
fn a_system_that_is_asked_has_no_more_cores_than_the_process_may_use() {
    let tree = Tree::new().calls(Calls { parallelism: || Some(3), ..TELLS });
    assert_eq!(usable(&tree), (3, "the standard library".to_owned()));
    assert_eq!(survey(&tree).cores.physical.map(|fact| fact.value), Some(3));
    // Nothing but the parallelism is known, nothing but the cores, and not even these.
    let tree = Tree::new().calls(Calls { parallelism: || Some(3), ..Calls::NONE });
    assert_eq!(usable(&tree).0, 3);
    let tree = Tree::new().calls(Calls { parallelism: || None, ..TELLS });
    assert_eq!(usable(&tree).0, 4);
    let tree = Tree::new().calls(Calls { parallelism: || Some(0), ..TELLS });
    assert_eq!(usable(&tree).0, 1);
}

#[test]
fn a_system_with_files_is_not_asked() {
    let tree = machine(2, 1, 1)
        .file("/proc/meminfo", "MemTotal: 3 kB\nMemAvailable: 2 kB\n")
        .file("/proc/loadavg", "1.00 1.00 1.00 1/99 42\n");
    let files = survey(&tree);
    let mut both = survey(&tree.calls(TELLS));
    // Only pressure on the memory may be missing among the files of a system that has the others.
    assert_eq!(both.memory_load.take().map(|load| load.value), Some(75.0));
    assert_eq!(both, files);
}

#[test]
fn garbage_in_every_file_is_as_good_as_nothing() {
    let garbage = "\u{0}-,:::\\777 - x\nCpus_allowed_list:\t0-99999999999\n";
    let tree = machine(2, 1, 1);
    let tree = [
        ONLINE,
        "/proc/self/status",
        "/proc/thread-self/status",
        "/proc/self/cgroup",
        "/proc/self/mountinfo",
        "/proc/self/limits",
        "/proc/self/stat",
        "/proc/meminfo",
        "/proc/loadavg",
        "/proc/pressure/cpu",
        "/proc/pressure/memory",
        "/sys/devices/system/cpu/present",
        "/sys/devices/system/cpu/cpu0/topology/core_cpus_list",
        "/sys/devices/system/cpu/cpu0/topology/physical_package_id",
        "/sys/devices/system/cpu/cpu0/cpu_capacity",
        "/sys/devices/system/cpu/cpu0/cache/index0/level",
        "/sys/devices/system/node/node0/cpulist",
        "/sys/devices/cpu_core/cpus",
        "/sys/devices/cpu_atom/cpus",
    ]
    .into_iter()
    .fold(tree, |tree, path| tree.file(path, garbage));
    let survey = survey(&tree);
    assert_eq!(survey.cores.usable.value, 1);
    assert_eq!(survey.memory.available_bytes, None);
    assert!(survey.doubts.is_empty(), "{:?}", survey.doubts);
}
