//! The machine that the tests run on, under limits that the tests set. Each runs itself again in a process
//! of its own, and is skipped where the means to limit a process are missing.

use std::path::{Path, PathBuf};
use std::process::Command;

use amorsize_runtime::survey::CgroupLevel;
use amorsize_runtime::{available_memory, machine_survey, usable_cores};

#[path = "../../tests/skip/mod.rs"]
mod skip;
#[path = "../../tests/unset/mod.rs"]
mod unset;

use skip::skip;
use unset::unset_variables;

const INSIDE: &str = "AMORSIZE_TEST_INSIDE";

fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs the test `name` of this file through the program `limiter`, whose last arguments are the program to
/// run and its arguments.
fn run_through(limiter: &mut Command, name: &str) {
    let test = std::env::current_exe().expect("a test has a path");
    let program = limiter.get_program().to_string_lossy().into_owned();
    // Whether the limit can be set is told by a program that none of the limits ends.
    match Command::new(&program).args(limiter.get_args()).arg("true").output() {
        Err(_) => return skip(&format!("there is no `{program}`")),
        Ok(output) if !output.status.success() => {
            return skip(&format!("`{program}` could not set the limit"));
        }
        Ok(_) => {}
    }
    let output = unset_variables(limiter)
        .arg(test)
        .args(["--exact", name, "--test-threads", "1"])
        .env(INSIDE, "1")
        .output();
    let output = output.expect("it ran before");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("running 1 test"), "{text}{errors}");
}

/// The first processor that this process may run on.
fn a_processor() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    Some(list.trim().split([',', '-']).next()?.to_owned())
}

#[test]
fn a_process_on_one_processor_has_one_core() {
    if is_inside() {
        assert_eq!(usable_cores(), 1);
        let survey = machine_survey();
        assert_eq!(survey.cores.allowed.map(|fact| fact.value), Some(1));
    } else if let Some(processor) = a_processor() {
        let limiter = &mut Command::new("taskset");
        run_through(limiter.args(["-c", &processor]), "a_process_on_one_processor_has_one_core");
    } else {
        skip("the system does not tell the processors of a process");
    }
}

#[test]
fn a_limit_of_the_address_space_limits_the_memory() {
    const LIMIT: u64 = 1 << 30;
    if is_inside() {
        let left = available_memory().expect("there is a limit");
        assert!(left < LIMIT, "{left}");
        let survey = machine_survey();
        let left = survey.memory.address_space_bytes.expect("there is a limit");
        assert!(left.value < LIMIT && left.source == "/proc/self/limits Max address space");
    } else {
        let limiter = &mut Command::new("prlimit");
        let name = "a_limit_of_the_address_space_limits_the_memory";
        run_through(limiter.arg(format!("--as={LIMIT}")), name);
    }
}

/// A control group below the one that this process is in, which goes away with the value.
struct Group(PathBuf);

impl Group {
    /// `None` where the system does not let this process make one with a file `limit` in it.
    fn below(level: &CgroupLevel, limit: &str, value: &str) -> Option<Self> {
        let name = format!("amorsize-test-{}-{limit}", std::process::id());
        let folder = Path::new(&level.folder).join(name);
        std::fs::create_dir(&folder).ok()?;
        let group = Group(folder);
        let file = group.0.join(limit);
        // On a file system that is no control group's, writing would make the file.
        (file.exists() && std::fs::write(file, value).is_ok()).then_some(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// Runs the test `name` in a group below one of this process's that is limited by one of the files `limits`, each
/// with its value: the versions of control groups have different ones.
fn run_in_a_group(limits: [(&str, &str); 2], name: &str) {
    let levels = machine_survey().cgroups;
    let leaves = || levels.iter().filter(|level| level.is_leaf);
    let groups = limits
        .iter()
        .flat_map(|(limit, value)| leaves().find_map(|level| Group::below(level, limit, value)));
    let groups: Vec<Group> = groups.collect();
    if groups.is_empty() {
        skip("the system does not let this process make a control group with this limit");
    }
    let enter = "echo $$ > \"$0/cgroup.procs\" && exec \"$@\"";
    for group in &groups {
        run_through(Command::new("sh").args(["-c", enter]).arg(&group.0), name);
    }
}

#[test]
fn a_control_group_s_memory_limit_is_seen() {
    const LIMIT: u64 = 1 << 28;
    if is_inside() {
        let survey = machine_survey();
        assert!(available_memory().is_some_and(|left| left < LIMIT), "{:?}", survey.memory);
        let limits = survey.cgroups.iter().filter_map(|level| level.memory_limit_bytes.as_ref());
        assert!(limits.into_iter().any(|limit| limit.value == LIMIT), "{:?}", survey.cgroups);
    } else {
        let limits = ["memory.max", "memory.limit_in_bytes"];
        let value = LIMIT.to_string();
        let limits = limits.map(|limit| (limit, value.as_str()));
        run_in_a_group(limits, "a_control_group_s_memory_limit_is_seen");
    }
}

#[test]
fn a_control_group_s_quota_is_seen() {
    if is_inside() {
        assert_eq!(usable_cores(), 1);
        let survey = machine_survey();
        assert_eq!(survey.cores.quota.as_ref().map(|fact| fact.value), Some(1.5));
    } else {
        let limits = [("cpu.max", "150000 100000"), ("cpu.cfs_quota_us", "150000")];
        run_in_a_group(limits, "a_control_group_s_quota_is_seen");
    }
}

#[test]
fn there_is_always_a_core_and_no_more_than_the_system_counts() {
    let survey = machine_survey();
    let granted = survey.cores.granted.value;
    let counted = std::thread::available_parallelism().map_or(1, usize::from);
    assert!((1..=counted).contains(&granted), "{granted} of {counted}");
}
