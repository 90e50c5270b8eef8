//! What a batch system has allotted to this process: the processors of SLURM, PBS and LSF jobs, from the
//! variables that these set. Not every cluster enforces them by other means.

use super::fact::{Fact, least};
use super::host::Host;

/// The processors that a batch system grants on this host; the least, where several have set their variables.
pub(crate) fn allotted(host: &Host<'_>) -> Option<Fact<usize>> {
    least([slurm(host), pbs(host), lsf(host)])
}

fn slurm(host: &Host<'_>) -> Option<Fact<usize>> {
    if let Some(cpus) = host.count("SLURM_CPUS_PER_TASK") {
        return Some(Fact::new(cpus, "SLURM_CPUS_PER_TASK"));
    }
    let cpus = host.count("SLURM_CPUS_ON_NODE")?;
    // They are for all tasks of the job on this host. A job script sees the variables of its tasks, which it
    // may be about to start.
    let tasks = ["SLURM_STEP_TASKS_PER_NODE", "SLURM_NTASKS_PER_NODE", "SLURM_TASKS_PER_NODE"]
        .into_iter()
        .find_map(|name| Some((name, tasks_here(host, &host.variable(name)?)?)));
    Some(match tasks {
        Some((name, tasks)) if tasks > 1 => {
            Fact::new((cpus / tasks).max(1), format!("SLURM_CPUS_ON_NODE / {name}"))
        }
        _ => Fact::new(cpus, "SLURM_CPUS_ON_NODE"),
    })
}

/// The tasks on this host, of a list for all hosts such as `2(x3),1`; the most on any host where it is not
/// known which one this is.
fn tasks_here(host: &Host<'_>, list: &str) -> Option<usize> {
    // Runs of hosts with equally many tasks: where the run ends, and the tasks.
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for part in list.split(',') {
        let (tasks, hosts) = match part.trim().split_once("(x") {
            Some((tasks, hosts)) => (tasks, hosts.strip_suffix(')')?.parse().ok()?),
            None => (part.trim(), 1_usize),
        };
        let end = runs.last().map_or(0, |(end, _)| *end).checked_add(hosts)?;
        runs.push((end, tasks.parse().ok()?));
    }
    let index: Option<usize> = host.variable("SLURM_NODEID").and_then(|id| id.trim().parse().ok());
    let here = index.and_then(|index| runs.iter().find(|(end, _)| index < *end));
    here.or_else(|| runs.iter().max_by_key(|(_, tasks)| *tasks)).map(|(_, tasks)| *tasks)
}

fn pbs(host: &Host<'_>) -> Option<Fact<usize>> {
    let count = |name: &'static str| Some(Fact::new(host.count(name)?, name));
    // People use this name for other things too.
    let ncpus = host.variable("PBS_JOBID").and_then(|_| count("NCPUS"));
    // The first counts the processors on each host, the last those on all hosts.
    least([count("PBS_NUM_PPN"), ncpus, count("PBS_NP")])
}

fn lsf(host: &Host<'_>) -> Option<Fact<usize>> {
    let everywhere = host.count("LSB_DJOB_NUMPROC");
    let everywhere = everywhere.map(|slots| Fact::new(slots, "LSB_DJOB_NUMPROC"));
    let here = host.variable("LSB_MCPU_HOSTS").and_then(|list| slots_here(host, &list));
    least([here.map(|slots| Fact::new(slots, "LSB_MCPU_HOSTS")), everywhere])
}

/// The slots on this host, of a list of hosts and their slots such as `a 4 b 8`; the fewest on any host where
/// this one is not among them.
fn slots_here(host: &Host<'_>, list: &str) -> Option<usize> {
    let short = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let name = host.read("/proc/sys/kernel/hostname").map(|name| short(name.trim()));
    let words: Vec<&str> = list.split_whitespace().collect();
    let slots: Option<Vec<(String, usize)>> = words
        .chunks(2)
        .map(|pair| Some((short(pair.first()?), pair.get(1)?.parse().ok().filter(|&n| n > 0)?)))
        .collect();
    let slots = slots?;
    let here = slots.iter().find(|(host, _)| Some(host) == name.as_ref());
    here.or_else(|| slots.iter().min_by_key(|(_, slots)| *slots)).map(|(_, slots)| *slots)
}

#[cfg(test)]
mod tests {
    use super::super::host::tree::Tree;
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Option<(usize, String)> {
        let tree = Tree::new().file("/proc/sys/kernel/hostname", "node7.cluster\n");
        let set = |tree: Tree, (name, value): &(&str, &str)| tree.variable(name, value);
        let tree = variables.iter().fold(tree, set);
        tree.look(allotted).map(|fact| (fact.value, fact.source))
    }

    fn some(cpus: usize, source: &str) -> Option<(usize, String)> {
        Some((cpus, source.to_owned()))
    }

    #[test]
    fn a_slurm_task_has_its_own_cpus() {
        let task = [("SLURM_CPUS_PER_TASK", "8"), ("SLURM_CPUS_ON_NODE", "96")];
        assert_eq!(with(&task), some(8, "SLURM_CPUS_PER_TASK"));
    }

    #[test]
    fn slurm_tasks_on_one_host_share_its_cpus() {
        let alone = ("SLURM_CPUS_ON_NODE", "48");
        assert_eq!(with(&[alone]), some(48, "SLURM_CPUS_ON_NODE"));
        let shared = with(&[alone, ("SLURM_NTASKS_PER_NODE", "4")]);
        assert_eq!(shared, some(12, "SLURM_CPUS_ON_NODE / SLURM_NTASKS_PER_NODE"));
        let crowded = with(&[alone, ("SLURM_NTASKS_PER_NODE", "64")]);
        assert_eq!(crowded.map(|(cpus, _)| cpus), Some(1));
        // One task is what a step has that a job with four tasks on each host has started.
        let step = [("SLURM_NTASKS_PER_NODE", "4"), ("SLURM_STEP_TASKS_PER_NODE", "1")];
        assert_eq!(with(&[alone, step[0], step[1]]), some(48, "SLURM_CPUS_ON_NODE"));
    }

    #[test]
    fn the_tasks_of_this_host_are_found_in_slurm_s_list() {
        let at = |list, node| {
            let cpus = ("SLURM_CPUS_ON_NODE", "60");
            with(&[cpus, ("SLURM_TASKS_PER_NODE", list), ("SLURM_NODEID", node)]).map(|(n, _)| n)
        };
        assert_eq!(at("2(x3),1", "2"), Some(30));
        assert_eq!(at("2(x3),1", "3"), Some(60));
        // Of an unknown host the worst is assumed.
        assert_eq!(at("2(x3),6", ""), Some(10));
        assert_eq!(at("2(x3),6", "9"), Some(10));
        for garbage in ["2(x", "x", "2(x3", ",", "2(x18446744073709551615),1"] {
            assert_eq!(at(garbage, "0"), Some(60), "{garbage}");
        }
    }

    #[test]
    fn pbs_counts_for_a_host_and_for_all_hosts() {
        let job = ("PBS_JOBID", "1.server");
        assert_eq!(with(&[("PBS_NP", "16")]), some(16, "PBS_NP"));
        let torque = [("PBS_NP", "16"), ("PBS_NUM_PPN", "4")];
        assert_eq!(with(&torque), some(4, "PBS_NUM_PPN"));
        assert_eq!(with(&[job, ("NCPUS", "6")]), some(6, "NCPUS"));
        assert_eq!(with(&[("NCPUS", "6")]), None);
    }

    #[test]
    fn lsf_lists_the_slots_of_each_host() {
        let all = ("LSB_DJOB_NUMPROC", "12");
        assert_eq!(with(&[all]), some(12, "LSB_DJOB_NUMPROC"));
        let hosts = ("LSB_MCPU_HOSTS", "node3 4 node7 8");
        assert_eq!(with(&[all, hosts]), some(8, "LSB_MCPU_HOSTS"));
        assert_eq!(with(&[all, ("LSB_MCPU_HOSTS", "a 4 b 8")]), some(4, "LSB_MCPU_HOSTS"));
        for garbage in ["node7", "node7 x", "node7 0", ""] {
            assert_eq!(with(&[("LSB_MCPU_HOSTS", garbage)]), None, "{garbage}");
        }
    }

    #[test]
    fn nonsense_allots_nothing() {
        for value in ["", "0", "-4", "many", " "] {
            assert_eq!(with(&[("SLURM_CPUS_PER_TASK", value), ("PBS_NP", value)]), None, "{value}");
        }
        assert_eq!(with(&[]), None);
    }
}
