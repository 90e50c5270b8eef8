//! Machines with control groups of every kind.

use super::*;
use crate::machine::host::tree::Tree;

const UNIFIED: &str =
    "30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
const GIB: u64 = 1 << 30;

/// A process in `membership` that sees these mounts.
fn process(membership: &str, mounts: &str) -> Tree {
    let others = "22 27 0:21 / /proc rw - proc proc rw\n27 1 254:0 / / rw - ext4 /dev/vda rw\n";
    Tree::new()
        .file("/proc/self/cgroup", membership)
        .file("/proc/self/mountinfo", &format!("{others}{mounts}"))
}

/// A level of version 2 that limits nothing.
fn unified(tree: Tree, folder: &str) -> Tree {
    tree.file(&format!("{folder}/cpu.max"), "max 100000\n")
        .file(&format!("{folder}/memory.max"), "max\n")
        .file(&format!("{folder}/memory.high"), "max\n")
        .file(&format!("{folder}/memory.current"), "1000\n")
}

fn quota(tree: &Tree) -> Option<(f64, String)> {
    tree.look(quota_cores).map(|fact| (fact.value, fact.source))
}

fn left(tree: &Tree) -> Option<(u64, String)> {
    tree.look(memory_left).map(|fact| (fact.value, fact.source))
}

fn folders(tree: &Tree) -> Vec<(String, bool)> {
    tree.look(levels).into_iter().map(|level| (level.folder, level.is_leaf)).collect()
}

fn leaf(folder: &str) -> (String, bool) {
    (folder.to_owned(), true)
}

fn above(folder: &str) -> (String, bool) {
    (folder.to_owned(), false)
}

#[test]
fn a_container_in_a_namespace_of_its_own_finds_its_limits_at_the_mount() {
    let tree = unified(process("0::/\n", UNIFIED), "/sys/fs/cgroup")
        .file("/sys/fs/cgroup/cpu.max", "150000 100000\n")
        .file("/sys/fs/cgroup/memory.max", "2147483648\n")
        .file("/sys/fs/cgroup/memory.current", "1610612736\n")
        .file("/sys/fs/cgroup/memory.stat", "anon 5\nactive_file 7\ninactive_file 536870912\n");
    assert_eq!(folders(&tree), [leaf("/sys/fs/cgroup")]);
    assert_eq!(quota(&tree), Some((1.5, "/sys/fs/cgroup/cpu.max".to_owned())));
    // Files in the cache are not in the way.
    assert_eq!(left(&tree), Some((GIB, "/sys/fs/cgroup/memory.max".to_owned())));
}

#[test]
fn a_container_in_the_machine_s_namespace_finds_its_limits_below_the_mount_s_root() {
    let path = "/system.slice/docker-4f2a.scope";
    let mount = UNIFIED.replace(" / /sys", &format!(" {path} /sys"));
    let tree = unified(process(&format!("0::{path}\n"), &mount), "/sys/fs/cgroup")
        .file("/sys/fs/cgroup/cpu.max", "400000 100000\n");
    assert_eq!(folders(&tree), [leaf("/sys/fs/cgroup")]);
    assert_eq!(quota(&tree).map(|(cores, _)| cores), Some(4.0));
    // A process that the container has put into a group of its own.
    let tree = process(&format!("0::{path}/jobs/a\n"), &mount);
    let tree = unified(unified(tree, "/sys/fs/cgroup"), "/sys/fs/cgroup/jobs/a");
    assert_eq!(
        folders(&tree),
        [leaf("/sys/fs/cgroup/jobs/a"), above("/sys/fs/cgroup/jobs"), above("/sys/fs/cgroup")]
    );
}

#[test]
fn the_tightest_level_counts_wherever_it_is() {
    let middle = "/sys/fs/cgroup/a/b";
    let tree = process("0::/a/b/c\n", UNIFIED);
    let tree = ["", "/a", "/a/b", "/a/b/c"]
        .into_iter()
        .fold(tree, |tree, level| unified(tree, &format!("/sys/fs/cgroup{level}")))
        .file("/sys/fs/cgroup/a/cpu.max", "800000 100000\n")
        .file(&format!("{middle}/cpu.max"), "100000 50000\n")
        .file(&format!("{middle}/c/cpu.max"), "400000 100000\n")
        .file("/sys/fs/cgroup/a/memory.max", &(8 * GIB).to_string())
        // Its limit is the larger one, but its neighbours have taken most of it.
        .file(&format!("{middle}/memory.max"), &(4 * GIB).to_string())
        .file(&format!("{middle}/memory.current"), &(3 * GIB).to_string())
        .file(&format!("{middle}/c/memory.max"), &(2 * GIB).to_string());
    assert_eq!(quota(&tree), Some((2.0, format!("{middle}/cpu.max"))));
    assert_eq!(left(&tree), Some((GIB, format!("{middle}/memory.max"))));
}

#[test]
fn a_limit_above_a_leaf_that_says_max_counts() {
    let job = "/system.slice/slurmstepd.scope/job_7";
    let tree = process(&format!("0::{job}/step_0/user/task_0\n"), UNIFIED);
    let folder = format!("/sys/fs/cgroup{job}");
    let tree = unified(unified(tree, &folder), &format!("{folder}/step_0/user/task_0"))
        .file(&format!("{folder}/cpu.max"), "300000 100000\n")
        .file(&format!("{folder}/memory.max"), &GIB.to_string())
        .file(&format!("{folder}/memory.current"), "0\n");
    assert_eq!(quota(&tree).map(|(cores, _)| cores), Some(3.0));
    assert_eq!(left(&tree), Some((GIB, format!("{folder}/memory.max"))));
    let levels = tree.look(levels);
    assert!(levels[0].is_leaf && levels[0].memory_limit_bytes.is_none());
    assert_eq!(levels.iter().filter(|level| level.memory_limit_bytes.is_some()).count(), 1);
}

#[test]
fn memory_that_slows_a_process_down_when_exceeded_is_a_limit_too() {
    let tree = unified(process("0::/\n", UNIFIED), "/sys/fs/cgroup")
        .file("/sys/fs/cgroup/memory.max", "9000\n")
        .file("/sys/fs/cgroup/memory.high", "5000\n");
    assert_eq!(left(&tree), Some((4_000, "/sys/fs/cgroup/memory.high".to_owned())));
}

#[test]
fn version_1_has_a_hierarchy_for_each_controller() {
    let mounts = "31 23 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n\
        32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
        35 31 0:32 /docker/4f2a /sys/fs/cgroup/memory ro master:9 - cgroup cgroup rw,memory\n\
        40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n";
    let memberships =
        "9:name=systemd:/x\n4:memory:/docker/4f2a\n2:cpu,cpuacct:/docker/4f2a\n1:cpuset:/\n";
    let (cpu, memory) = ("/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/memory");
    let tree = process(memberships, mounts)
        .file(&format!("{cpu}/cpu.cfs_quota_us"), "-1\n")
        .file(&format!("{cpu}/cpu.cfs_period_us"), "100000\n")
        .file(&format!("{cpu}/docker/4f2a/cpu.cfs_quota_us"), "250000\n")
        .file(&format!("{cpu}/docker/4f2a/cpu.cfs_period_us"), "100000\n")
        .file(&format!("{memory}/memory.limit_in_bytes"), "4294967296\n")
        .file(&format!("{memory}/memory.usage_in_bytes"), "3221225472\n")
        .file(
            &format!("{memory}/memory.stat"),
            "inactive_file 1\ntotal_inactive_file 1073741824\n",
        );
    assert_eq!(quota(&tree), Some((2.5, format!("{cpu}/docker/4f2a/cpu.cfs_quota_us"))));
    assert_eq!(left(&tree), Some((2 * GIB, format!("{memory}/memory.limit_in_bytes"))));
    let unlimited = tree.file(&format!("{memory}/memory.limit_in_bytes"), "9223372036854771712\n");
    assert_eq!(left(&unlimited), None);
}

#[test]
fn where_both_versions_are_mounted_each_limits_what_it_controls() {
    let mounts = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
        41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    let tree = process("4:memory:/api/601c\n0::/user.slice\n", mounts)
        .file("/sys/fs/cgroup/memory/api/601c/memory.limit_in_bytes", "3000\n")
        .file("/sys/fs/cgroup/memory/api/601c/memory.usage_in_bytes", "1000\n")
        .file("/sys/fs/cgroup/unified/user.slice/cpu.max", "200000 100000\n");
    let memory = "/sys/fs/cgroup/memory/api/601c/memory.limit_in_bytes".to_owned();
    assert_eq!(left(&tree), Some((2_000, memory)));
    assert_eq!(quota(&tree).map(|(cores, _)| cores), Some(2.0));
    assert_eq!(folders(&tree).len(), 5);
}

#[test]
fn names_with_spaces_and_backslashes_are_found() {
    // The kernel escapes them in one of the two files only.
    let mount = UNIFIED.replace(" / /sys/fs/cgroup", r" /my\040jobs\134x2d /mnt/control\040groups");
    let tree = process("0::/my jobs\\x2d/a b\n", &mount);
    let tree = unified(tree, "/mnt/control groups/a b");
    assert_eq!(folders(&tree), [leaf("/mnt/control groups/a b"), above("/mnt/control groups")]);
}

#[test]
fn levels_above_the_namespace_are_followed_as_far_as_their_names_are_known() {
    // Mounted from two levels above the namespace's root, whose names nobody tells.
    let mount = UNIFIED.replace(" / /sys", " /../.. /sys");
    let tree = unified(process("0::/\n", &mount), "/sys/fs/cgroup");
    assert_eq!(folders(&tree), [above("/sys/fs/cgroup")]);
    // A process that was moved out of its namespace, beside the mount and below it.
    let tree = unified(process("0::/../neighbour\n", UNIFIED), "/sys/fs/cgroup");
    assert_eq!(folders(&tree), []);
    let tree = unified(process("0::/../../neighbour\n", &mount), "/sys/fs/cgroup/neighbour");
    assert_eq!(folders(&tree), [leaf("/sys/fs/cgroup/neighbour"), above("/sys/fs/cgroup")]);
}

#[test]
fn of_several_mounts_the_one_that_shows_most_levels_counts() {
    let part = UNIFIED.replace(" / /sys/fs/cgroup", " /pod/one /run/part");
    let other = UNIFIED.replace(" / /sys/fs/cgroup", " /pod/two /run/other");
    let tree = process("0::/pod/one\n", &format!("{part}{UNIFIED}{other}"));
    let tree =
        ["/run/part", "/run/other", "/sys/fs/cgroup/pod/one"].into_iter().fold(tree, unified);
    assert_eq!(folders(&tree).first(), Some(&leaf("/sys/fs/cgroup/pod/one")));
    assert_eq!(folders(&tree).len(), 3);
}

#[test]
fn a_group_that_is_gone_leaves_those_above_it() {
    let tree = process("0::/pod/old (deleted)\n", UNIFIED);
    let tree = unified(tree, "/sys/fs/cgroup/pod").file("/sys/fs/cgroup/pod/memory.max", "5000\n");
    assert_eq!(left(&tree).map(|(bytes, _)| bytes), Some(4_000));
    assert_eq!(folders(&tree), [above("/sys/fs/cgroup/pod"), above("/sys/fs/cgroup")]);
}

#[test]
fn a_limit_whose_use_is_not_known_is_all_left_and_one_that_is_used_up_is_nothing() {
    let tree = process("0::/\n", UNIFIED).file("/sys/fs/cgroup/memory.max", "5000\n");
    assert_eq!(left(&tree).map(|(bytes, _)| bytes), Some(5_000));
    let tree = tree.file("/sys/fs/cgroup/memory.current", "6000\n");
    assert_eq!(left(&tree).map(|(bytes, _)| bytes), Some(0));
}

#[test]
fn what_is_missing_or_garbage_limits_nothing() {
    assert_eq!(folders(&Tree::new()), []);
    for (membership, mounts) in [
        ("", UNIFIED),
        ("0::/\n", ""),
        ("0::\n::\n0\n:::::\n", UNIFIED),
        ("0::/\n", "30 25\n - cgroup2\n30 25 0:26 / /sys/fs/cgroup rw - cgroup2\n\n"),
        ("0::/elsewhere\n", &UNIFIED.replace(" / /sys", " /here /sys")),
    ] {
        let tree = unified(process(membership, mounts), "/sys/fs/cgroup");
        assert_eq!(folders(&tree), [], "{membership:?} {mounts:?}");
    }
    for (cpu, memory) in
        [("", ""), ("max", "0"), ("0 0", "-5"), ("-1 100000", "x"), ("9 -1", "1e9")]
    {
        let tree = process("0::/\n", UNIFIED)
            .file("/sys/fs/cgroup/cpu.max", cpu)
            .file("/sys/fs/cgroup/memory.max", memory)
            .file("/sys/fs/cgroup/memory.current", "?")
            .file("/sys/fs/cgroup/memory.stat", "inactive_file\n");
        assert_eq!((quota(&tree), left(&tree)), (None, None), "{cpu:?} {memory:?}");
    }
}
