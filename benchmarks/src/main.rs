//! Measures Amorsize against its peers; `README.md` beside this package says how to read it.
//!
//! The comparison proper is [`suite`]: every workload under every peer, in interleaved rounds.
//! [`nine_loops`] takes the executor alone to loops too short for most executors, [`overhead`] takes
//! the decision alone to one too short for any, [`methods`] takes serial loops to the methods of iterators, [`blocking`] has items that wait, [`pauses`]
//! pauses between calls and a busy neighbour, and [`build_cost`] times users' builds. [`simulate`] has no
//! clock: it shows the cost model machines that are not here.

mod blocking;
mod build_cost;
mod calls;
mod cargo;
mod case;
mod cli;
mod cpu;
mod estimate;
mod examples;
mod executor;
mod facts;
mod fork;
mod fork_join;
mod forked;
mod host;
mod interleave;
mod load;
mod methods;
mod nine_loops;
mod openmp;
mod output;
mod overhead;
mod pauses;
mod peer;
mod placement;
mod plot;
mod portability;
mod predict;
#[cfg(feature = "record")]
mod record;
mod recorded;
mod report;
mod respect_load;
mod score;
mod simulate;
mod spin;
mod suite;
mod sweep;
mod table;
mod workload;
mod workloads;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::status(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}
