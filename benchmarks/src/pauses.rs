//! Calls with a pause before each: helpers have gone to sleep, the caller has or has not, and the system may
//! wake a helper on the caller's own core, where it waits until the caller is done.

use std::fmt;
use std::hint::spin_loop;
use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use amorsize::Tune;
use rayon::prelude::*;
use serde::Serialize;

use crate::cli::Effort;
use crate::estimate::Estimate;
use crate::executor::Executor;
use crate::forked::collected;
use crate::host::Host;
use crate::interleave::interleave;
use crate::output;
use crate::peer::{Peer, others, unseen};
use crate::placement::current_core;
use crate::spin::spin;
use crate::table::{Table, time};
use crate::workload::Workload;

/// Items for each thread, and the steps of one, each of which takes one to two nanoseconds.
const ITEMS_PER_THREAD: usize = 8;
const STEPS: u32 = if cfg!(test) { 10 } else { 10_000 };

/// What the caller does before a call.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
enum Pause {
    None,
    Spin { us: u64 },
    Sleep { us: u64 },
}

const PAUSES: [Pause; 5] = [
    Pause::None,
    Pause::Spin { us: 100 },
    Pause::Sleep { us: 100 },
    Pause::Spin { us: 10_000 },
    Pause::Sleep { us: 10_000 },
];

impl Pause {
    fn make(self) {
        match self {
            Pause::None => {}
            Pause::Spin { us } => {
                let start = Instant::now();
                while start.elapsed() < Duration::from_micros(us) {
                    spin_loop();
                }
            }
            Pause::Sleep { us } => thread::sleep(Duration::from_micros(us)),
        }
    }
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pause::None => write!(f, "no pause"),
            Pause::Spin { us } => write!(f, "spin {}", time(*us as f64 * 1e3)),
            Pause::Sleep { us } => write!(f, "sleep {}", time(*us as f64 * 1e3)),
        }
    }
}

/// Items that tell on which core they ran.
struct Placed;

impl Workload for Placed {
    const NAME: &'static str = "placed";
    const ORIGIN: &'static str = "parallel calls far apart, as in a server or a window";
    const SIZES: &'static [usize] = &[];

    type Input = Vec<u64>;
    type Output = Vec<Option<usize>>;

    fn prepare(n: usize) -> Vec<u64> {
        (0..n as u64).collect()
    }

    fn run(seeds: &mut Vec<u64>, executor: Executor) -> Vec<Option<usize>> {
        match executor {
            Executor::Serial => seeds.iter().map(item).collect(),
            Executor::Rayon => seeds.par_iter().map(item).collect(),
            Executor::RayonMinLen(min) => seeds.par_iter().with_min_len(min).map(item).collect(),
            Executor::Amorsize(target) => seeds.par_iter().tuned(target).map(item).collect(),
            Executor::Orx => others::orx(seeds),
            Executor::Paralight => others::paralight(seeds),
            Executor::Forked(forked) => collected(seeds.len(), |cores| {
                forked.run(
                    (cores, &seeds[..]),
                    |(cores, seeds)| {
                        cores
                            .iter_mut()
                            .zip(seeds)
                            .for_each(|(core, seed)| *core = Some(item(seed)));
                    },
                    |(), ()| (),
                );
            }),
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use super::item;
    use crate::forked::with_paralight;

    pub(super) fn orx(seeds: &[u64]) -> Vec<Option<usize>> {
        use orx_parallel::*;
        seeds.par().map(item).collect()
    }

    pub(super) fn paralight(seeds: &[u64]) -> Vec<Option<usize>> {
        use paralight::prelude::*;
        let mut cores = vec![None; seeds.len()];
        with_paralight(|pool| {
            let both = (cores.par_iter_mut(), seeds.par_iter()).zip_eq();
            both.with_thread_pool(pool).for_each(|(core, seed)| *core = item(seed));
        });
        cores
    }
}

fn item(seed: &u64) -> Option<usize> {
    std::hint::black_box(spin(*seed, STEPS));
    current_core()
}

/// Whether all items ran on one core, as far as is known.
fn is_on_one_core(cores: &[Option<usize>]) -> bool {
    cores.iter().all(|core| core.is_some() && *core == cores[0])
}

/// Everything measured.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    host: Host,
    items: usize,
    alone: Vec<AfterPause>,
    /// While another process keeps one core busy.
    beside_load: Vec<AfterPause>,
}

/// Calls after one kind of pause.
#[derive(Debug, Serialize)]
struct AfterPause {
    pause: Pause,
    calls: Vec<Calls>,
}

/// One executor's calls. Times in nanoseconds.
#[derive(Debug, Serialize)]
struct Calls {
    name: String,
    all: Estimate,
    /// Of those that ran on more than one core, if there were any.
    spread: Option<Estimate>,
    /// The share of the others.
    on_one_core: f64,
}

pub(crate) fn run(effort: &Effort) -> Result<Results, String> {
    let items = ITEMS_PER_THREAD * rayon::current_num_threads();
    output::status("alone");
    let alone = PAUSES.map(|pause| after(pause, items, effort)).into();
    output::status("beside another process that keeps a core busy");
    let neighbour = Neighbour::start().map_err(|error| format!("no busy process: {error}"))?;
    let beside_load = PAUSES.map(|pause| after(pause, items, effort)).into();
    drop(neighbour);
    Ok(Results { host: Host::new(Host::machine()), items, alone, beside_load })
}

fn after(pause: Pause, items: usize, effort: &Effort) -> AfterPause {
    output::status(&pause.to_string());
    let mut peers = vec![Peer::Serial, Peer::Rayon, Peer::Profiled(unseen())];
    peers.extend(others::<Placed>().map(Peer::Other));
    let mut seeds = Placed::prepare(items);
    let rounds = effort.pick(31, 101);
    // Of every call, those that only warm up included.
    let mut made = vec![Vec::new(); peers.len()];
    let samples = interleave(&peers, rounds, |peer| {
        let executor = peer.executor();
        // One call to have the pool as it is after a call of this executor.
        Placed::run(&mut seeds, executor);
        pause.make();
        let start = Instant::now();
        let cores = Placed::run(&mut seeds, executor);
        let ns = start.elapsed().as_nanos() as f64;
        let number = peers.iter().position(|each| each.setting() == peer.setting());
        made[number.expect("it is one of them")].push((ns, is_on_one_core(&cores)));
        ns
    });
    let calls = peers.iter().zip(samples).zip(made).map(|((peer, samples), made)| {
        // What counts stands among them in the same order.
        let mut made = made.into_iter();
        let counted = samples.iter().filter_map(|ns| made.find(|(made_ns, _)| made_ns == ns));
        let spread: Vec<f64> = counted.filter(|(_, one)| !one).map(|(ns, _)| ns).collect();
        Calls {
            name: match peer {
                Peer::Profiled(_) => "amorsize".to_owned(),
                peer => peer.setting(),
            },
            all: Estimate::of(&samples),
            spread: (!spread.is_empty()).then(|| Estimate::of(&spread)),
            on_one_core: 1.0 - spread.len() as f64 / samples.len() as f64,
        }
    });
    AfterPause { pause, calls: calls.collect() }
}

/// A process that keeps one core busy until it is dropped.
pub(crate) struct Neighbour(Child);

impl Neighbour {
    pub(crate) fn start() -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("keep-busy").stdin(Stdio::piped()).spawn().map(Neighbour)
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Works until nobody holds the other end of its input, so that it does not outlive who started it.
pub(crate) fn keep_busy() {
    let input = thread::spawn(|| io::stdin().read_to_end(&mut Vec::new()));
    while !input.is_finished() {
        std::hint::black_box(spin(1, STEPS));
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.host)?;
        writeln!(
            f,
            "{} items of {STEPS} steps; in brackets, calls that stayed on one core",
            self.items
        )?;
        for (title, results) in [("alone", &self.alone), ("beside load", &self.beside_load)] {
            let mut headings = vec![title.to_owned()];
            headings.extend(results.iter().map(|after| after.pause.to_string()));
            let mut table = Table::new(headings);
            for executor in 0..results[0].calls.len() {
                let mut row = vec![results[0].calls[executor].name.clone()];
                row.extend(results.iter().map(|after| after.calls[executor].cell()));
                table.row(row);
            }
            write!(f, "\n{table}")?;
        }
        writeln!(f)?;
        for (prefix, results) in [("", &self.alone), ("loaded_", &self.beside_load)] {
            for after in results {
                let name = after.pause.to_string().replace([' ', '.'], "_").replace('µ', "u");
                writeln!(f, "{prefix}vs_best_peer_{name}: {:.3}", after.vs_best_peer())?;
            }
        }
        Ok(())
    }
}

impl AfterPause {
    /// The least time of all others divided by ours, calls on one core included.
    fn vs_best_peer(&self) -> f64 {
        let (ours, others): (Vec<&Calls>, Vec<&Calls>) =
            self.calls.iter().partition(|calls| calls.name == "amorsize");
        let best = others.iter().map(|calls| calls.all.median).fold(f64::INFINITY, f64::min);
        best / ours[0].all.median
    }
}

impl Calls {
    fn cell(&self) -> String {
        let median = time(self.all.median);
        if self.on_one_core == 0.0 {
            return median;
        }
        format!("{median} [{:.0} %]", 100.0 * self.on_one_core)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_executor_runs_every_item() {
        let mut seeds = Placed::prepare(100);
        let ours = [Executor::Serial, Executor::Rayon, Executor::Amorsize(unseen())];
        for executor in ours.into_iter().chain(others::<Placed>()) {
            assert_eq!(Placed::run(&mut seeds, executor).len(), 100, "{executor:?}");
        }
    }

    #[test]
    fn calls_on_one_core_are_told_from_others() {
        assert!(is_on_one_core(&[Some(3), Some(3)]));
        assert!(!is_on_one_core(&[Some(3), Some(1)]));
        assert!(!is_on_one_core(&[None, None]));
    }
}
