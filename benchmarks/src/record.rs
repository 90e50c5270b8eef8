//! Calls every workload while the process records. Part of recording builds alone.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use amorsize::Loop;
use amorsize::expansion::Options;

use crate::cli::Effort;
use crate::executor::Executor;
use crate::output;
use crate::workload::Workload;
use crate::workloads::{Visit, visit_all};

/// Calls in a row of one size, so that pool and caches are as warm as in what is compared.
const ROW: Duration = Duration::from_millis(2);
const CALLS_IN_A_ROW: usize = 64;

pub(crate) fn run(effort: &Effort) -> Result<(), String> {
    let Some(folder) = std::env::var_os("AMORSIZE_RECORD").map(PathBuf::from) else {
        return Err("set AMORSIZE_RECORD to a folder for the records".to_owned());
    };
    // The recorder is silent: it runs in other people's programs. It makes no folder either.
    std::fs::create_dir_all(&folder)
        .and_then(|()| tempfile::tempfile_in(&folder))
        .map_err(|error| format!("AMORSIZE_RECORD={}: {error}", folder.display()))?;
    visit_all(&mut Recording { budget: Duration::from_millis(effort.pick(700, 5_000)), effort })
}

struct Recording<'a> {
    effort: &'a Effort,
    /// Of one workload.
    budget: Duration,
}

impl Visit for Recording<'_> {
    fn visit<W: Workload>(&mut self) -> Result<(), String> {
        let included = |n: &usize| self.effort.includes(&format!("{}/{n}", W::NAME));
        // What a fork knows, it learns in each process. Of a loop all sizes are recorded, whichever of them are measured: it has
        // one profile for all of them.
        if W::FORKS || !W::SIZES.iter().any(included) {
            return Ok(());
        }
        output::status(&format!("{:>16}  {} sizes", W::NAME, W::SIZES.len()));
        let target: &'static Loop = Box::leak(Box::new(Loop::new(W::NAME, Options::NONE, &[])));
        let mut inputs: Vec<W::Input> = W::SIZES.iter().copied().map(W::prepare).collect();
        let start = Instant::now();
        while start.elapsed() < self.budget {
            for input in &mut inputs {
                let row = Instant::now();
                for _ in 0..CALLS_IN_A_ROW {
                    black_box(W::run(black_box(input), Executor::Amorsize(target)));
                    if row.elapsed() >= ROW {
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}
