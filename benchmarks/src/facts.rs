//! What a profile would hold of every workload, to be taken to another machine.

use std::fmt;
use std::fs;
use std::path::Path;

use amorsize::expansion::LoopFacts;
use serde::{Deserialize, Serialize};

use crate::cli::Effort;
use crate::host::Host;
use crate::recorded::{Facts, Recorded};
use crate::table::{Table, time};
use crate::workload::Workload;
use crate::workloads::{Visit, visit_all};

/// Everything measured.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Results {
    pub(crate) host: Host,
    loops: Vec<Entry>,
}

/// One workload, for all its sizes.
#[derive(Debug, Deserialize, Serialize)]
struct Entry {
    workload: String,
    #[serde(with = "Facts")]
    facts: LoopFacts,
}

impl Results {
    /// What `--json` wrote to `file`.
    pub(crate) fn read(file: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
        serde_json::from_str(&text).map_err(|error| {
            let hint = "make such a file with `benchmarks facts --json FILE`";
            format!("{}: {error}; {hint}", file.display())
        })
    }

    /// Of the workload of this name.
    pub(crate) fn facts(&self, workload: &str) -> Option<LoopFacts> {
        self.loops.iter().find(|entry| entry.workload == workload).map(|entry| entry.facts)
    }
}

pub(crate) fn run(effort: &Effort) -> Result<Results, String> {
    let recorded = Recorded::of_any_machine(effort)?;
    let host = Host::of_class(recorded.class.clone(), recorded.machine());
    let mut listing = Listing { recorded, loops: Vec::new() };
    visit_all(&mut listing)?;
    if listing.loops.is_empty() {
        return Err("no workload was recorded".to_owned());
    }
    Ok(Results { host, loops: listing.loops })
}

struct Listing {
    recorded: Recorded,
    loops: Vec<Entry>,
}

impl Visit for Listing {
    fn visit<W: Workload>(&mut self) -> Result<(), String> {
        let entry = |facts| Entry { workload: W::NAME.to_owned(), facts };
        self.loops.extend(self.recorded.facts(W::NAME).map(entry));
        Ok(())
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new([
            "workload",
            "item",
            "growth",
            "variation",
            "piece",
            "reduce",
            "growth",
            "contention",
        ]);
        for Entry { workload, facts } in &self.loops {
            table.row([
                workload.clone(),
                time(facts.item_ns),
                format!("{:.2}", facts.item_growth),
                format!("{:.1}", facts.item_cv),
                time(facts.piece_ns),
                time(facts.reduce_ns),
                format!("{:.2}", facts.reduce_growth),
                format!("{:.2}", facts.contention),
            ]);
        }
        write!(f, "{}\n{table}", self.host)
    }
}

#[cfg(test)]
mod tests {
    use amorsize::expansion::MachineFacts;

    use super::*;

    #[test]
    fn what_was_written_is_read_again_and_anything_else_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("facts.json");
        let machine = MachineFacts::from_array([200.0, 3e3, 2e3, 2e4, 5e4, 50.0, 1e3]);
        let facts = LoopFacts { item_ns: 12.5, ..LoopFacts::default() };
        let entry = Entry { workload: "axpy".to_owned(), facts };
        let written = Results { host: Host::new(machine), loops: vec![entry] };
        crate::output::json(Some(&file), &written).unwrap();

        let read = Results::read(&file).unwrap();
        assert_eq!(read.host.costs, machine);
        assert_eq!(read.facts("axpy").unwrap().item_ns, 12.5);
        assert!(read.facts("noop").is_none());

        fs::write(&file, "{}").unwrap();
        let error = Results::read(&file).unwrap_err();
        assert!(error.contains("facts.json") && error.contains("facts --json"), "{error}");
    }
}
