//! What a parallel call takes beside its items, where one follows the other: equal items, by workers and chunks.

use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

use amorsize::{Force, Loop, Tune};
use rayon::prelude::*;
use serde::Serialize;

use crate::cli::Effort;
use crate::estimate::Estimate;
use crate::executor;
use crate::host::Host;
use crate::table::{Table, time};

/// What each worker has to do in a call.
const WORK: Duration = Duration::from_micros(8);
const CHUNKS: [usize; 4] = [1, 2, 4, 8];
/// Calls in a row, of which the first ones do not count.
const CALLS: usize = 256;
const UNCOUNTED: usize = 64;

static LOOP: Loop = amorsize::tuned_loop!("benchmarks::calls");

/// Everything measured.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    host: Host,
    rows: Vec<Row>,
}

/// Times beside the items, in nanoseconds per call.
#[derive(Debug, Serialize)]
struct Row {
    workers: usize,
    /// Of each worker.
    chunks: usize,
    amorsize: Estimate,
    /// On all threads, whatever the number of workers.
    rayon: Estimate,
}

pub(crate) fn run(effort: &Effort) -> Results {
    let threads = rayon::current_num_threads();
    let counts = [2, 4, 8, 16, 32, 64].into_iter().filter(|&workers| workers <= threads);
    let row = |workers, chunks| {
        let items = vec![WORK / chunks as u32; workers * chunks];
        let plan = Force::Workers { workers, chunk: Some(1) };
        let (mut ours, mut rayons) = (Vec::new(), Vec::new());
        for _ in 0..effort.pick(3, 15) {
            executor::impose(Some(plan));
            ours.extend(beside_items(|| items.par_iter().tuned(&LOOP).for_each(work)));
            executor::impose(None);
            rayons.extend(beside_items(|| items.par_iter().for_each(work)));
        }
        let [amorsize, rayon] = [ours, rayons].map(|samples| Estimate::of(&samples));
        Row { workers, chunks, amorsize, rayon }
    };
    let rows = counts.flat_map(|workers| CHUNKS.map(|chunks| row(workers, chunks))).collect();
    Results { host: Host::new(Host::machine()), rows }
}

/// Takes so long.
fn work(item: &Duration) {
    let start = Instant::now();
    while start.elapsed() < *black_box(item) {}
}

/// What calls take beside the items of one worker.
fn beside_items(call: impl Fn()) -> Vec<f64> {
    let timed = || {
        let start = Instant::now();
        call();
        start.elapsed().saturating_sub(WORK).as_nanos() as f64
    };
    std::iter::repeat_with(timed).take(CALLS).skip(UNCOUNTED).collect()
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(["workers", "chunks each", "amorsize", "rayon, all threads"]);
        for row in &self.rows {
            table.row([
                row.workers.to_string(),
                row.chunks.to_string(),
                time(row.amorsize.median),
                time(row.rayon.median),
            ]);
        }
        write!(f, "{}\n{table}", self.host)
    }
}
