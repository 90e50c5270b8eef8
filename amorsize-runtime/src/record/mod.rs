//! Recording: runs every call of every loop under an assigned setting, and writes what it took.
//!
//! Only with the feature `record`, and only in a process started with `AMORSIZE_RECORD` set to an
//! existing folder. `cargo amorsize tune` does both. Each process appends lines to one file of its
//! own in that folder, each line with one system call outside the timed region, so that a process
//! that is killed loses at most the line it was writing.

mod coarse;
mod experiment;
mod kernel;
mod memory;
mod meter;
mod nesting;
mod resident;
mod serial;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use amorsize_profile::{Call, Memory, MemoryEvidence, Profile, Record, Setting, Usage};
use rayon::iter::plumbing::Consumer;

use crate::allocator::is_installed;
use crate::board::Shift;
use crate::collection;
use crate::drive::{run_as_rayon, run_timed, smallest_piece_in_memory};
use crate::loops::Loop;
use crate::machine;
use crate::model::{self, Limits, Plan};
use crate::pieces::Pieces;
use crate::pool;
use crate::run::{Run, fold_at_once};
use crate::way::Context;
use coarse::Coarse;
use experiment::{Assignment, Experiment, Phase};
pub(crate) use kernel::Sampled;
use kernel::{Samples, Took};
use nesting::{Inner, Measured, Turns};
use resident::{Asked, Peaks, Resident};
use serial::Blocks;

/// The recorder of this process, if it records.
pub(crate) fn recorder() -> Option<&'static Recorder> {
    static RECORDER: OnceLock<Option<Recorder>> = OnceLock::new();
    RECORDER.get_or_init(Recorder::from_environment).as_ref()
}

/// What a recording process is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Mode {
    /// Compares settings.
    Explore,
    /// Compares the plans of a profile with serial runs and stock rayon.
    Verify,
    /// Watches the resident memory while one loop runs on a given number of workers and all others run serially.
    Memory(Asked),
}

impl Mode {
    fn parse(text: &str) -> Option<Mode> {
        match text.strip_prefix("memory:") {
            Some(asked) => Asked::parse(asked).map(Mode::Memory),
            None => (text == "verify").then_some(Mode::Verify),
        }
    }
}

/// Chunks per worker where memory is watched.
const CHUNKS_PER_WORKER: usize = 16;

/// Notes that a loop was reached for which there is no plan to find.
pub(crate) fn note_untuned(target: &'static Loop) {
    let Some(recorder) = recorder() else { return };
    let mut untuned = recorder.untuned.lock().unwrap_or_else(PoisonError::into_inner);
    if untuned.insert(target.name()) {
        recorder.append(&Record::Untuned { name: target.name().to_owned() });
    }
}

/// Name and item type of a loop.
type Named = (&'static str, &'static str);

/// Name and item type of a loop, and the binary orders of magnitude of its items' number and cost.
type Key = (&'static str, &'static str, u32, i32);

/// What was seen of one call beyond the time that it took.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// Estimated standard deviation of one item's time.
    item_sd_ns: Option<f64>,
    /// Mean time of a reduction.
    reduce_ns: Option<f64>,
    /// What workers were busy for with items and pieces.
    busy_ns: Option<f64>,
    usage: Option<Usage>,
}

impl Seen {
    /// Of a call by the executor.
    fn of_crew(shift: Shift) -> Self {
        let busy_ns = shift.busy_ns.saturating_sub(shift.reducing_ns);
        Seen { reduce_ns: shift.reduce_ns(), busy_ns: Some(busy_ns as f64), ..Seen::default() }
    }
}

pub(crate) struct Recorder {
    mode: Mode,
    file: Mutex<File>,
    /// By loop.
    experiments: Mutex<HashMap<Key, Experiment>>,
    /// Whose turn their calls are.
    turns: Mutex<HashMap<Key, Turns>>,
    /// Loops that were noted already.
    untuned: Mutex<HashSet<&'static str>>,
    /// By kernel.
    samples: Mutex<HashMap<&'static str, Samples>>,
    /// The most that an item has taken so far.
    task_bytes: Mutex<HashMap<Named, u64>>,
    /// Of the loop whose memory is watched.
    peaks: Peaks,
    start: Instant,
    seed: u64,
    /// What one look at the clock adds to a measurement, in nanoseconds.
    clock_ns: u64,
    /// The profile that replaces what is compiled in.
    profile: Profile,
}

impl Recorder {
    fn from_environment() -> Option<Recorder> {
        let folder = PathBuf::from(std::env::var_os("AMORSIZE_RECORD")?);
        let mode = std::env::var("AMORSIZE_RECORD_MODE").ok();
        let mode = mode.and_then(|mode| Mode::parse(&mode)).unwrap_or(Mode::Explore);
        let seed = std::env::var("AMORSIZE_RECORD_SEED").ok().and_then(|seed| seed.parse().ok());
        let profile = std::env::var_os("AMORSIZE_PROFILE")
            .and_then(|path| Profile::load(Path::new(&path)).ok().flatten())
            .unwrap_or_default();
        let mut file = create(&folder)?;
        let workers_at = |cpu_share| {
            machine::limit_by_pool(machine::limits_by_cores(cpu_share, None)).workers as u32
        };
        let first = Record::Machine {
            class: machine::class().to_owned(),
            workers: workers_at(None),
            processors: machine::usable_processors() as u32,
            pool_threads: workers_at(Some(0.0)),
            facts: machine::measure_often(),
        };
        writeln!(file, "{}", first.to_line()).ok()?;
        if let Some(section) = profile.machines.get(machine::class()) {
            machine::adopt(section.facts);
        }
        Some(Recorder {
            mode,
            file: Mutex::new(file),
            experiments: Mutex::new(HashMap::new()),
            turns: Mutex::new(HashMap::new()),
            untuned: Mutex::new(HashSet::new()),
            samples: Mutex::new(HashMap::new()),
            task_bytes: Mutex::new(HashMap::new()),
            peaks: Peaks::default(),
            start: Instant::now(),
            seed: seed.unwrap_or(1),
            clock_ns: clock_cost(),
            profile,
        })
    }

    /// Starts to measure a call of this kernel, unless it is one of a loop's items or there are enough samples.
    pub(crate) fn start_sample(&self, name: &'static str) -> Option<Sampled> {
        if self.mode != Mode::Explore {
            return None;
        }
        self.with_samples(name, Samples::next).map(Sampled::start)
    }

    /// Writes what a call of this kernel took.
    pub(crate) fn end_sample(&self, name: &'static str, sampled: Sampled) {
        let Took { time, taken, usage } = sampled.end();
        let task_bytes = self.with_samples(name, |samples| samples.add(time, taken));
        self.note_task_bytes((name, ""), task_bytes);
        let wall_ns = (time.as_nanos() as u64).saturating_sub(self.clock_ns);
        self.append(&Record::Call(Call {
            name: name.to_owned(),
            item_type: String::new(),
            items: 1,
            cost: 1.0,
            setting: Setting::Serial,
            hot: 0,
            wall_ns,
            item_sd_ns: None,
            reduce_ns: None,
            busy_ns: None,
            usage,
        }));
    }

    /// Runs one call under the setting that is its turn.
    pub(crate) fn run<P, C>(&'static self, context: Context, run: Run<P, C>) -> C::Result
    where
        P: Pieces,
        C: Consumer<P::Item>,
    {
        let Context { target, cost, .. } = context;
        let (name, item_type, items) = (target.name(), target.item_type(), run.len as u64);
        if items == 0 {
            return context.run_serial(None, run).close();
        }
        if let Mode::Memory(asked) = &self.mode {
            return self.run_for_memory(asked, context, run);
        }
        // If it is a kernel's, its calls are items from now on.
        self.with_samples(name, Samples::end);
        if let Some(inner) = nesting::within_item() {
            let setting = match inner.setting() {
                Setting::Rayon if target.options().deterministic => Setting::Serial,
                setting => setting,
            };
            return self.run_as(context, run, setting).0;
        }
        let key = (name, item_type, items.ilog2(), cost.log2() as i32);
        if self.with_turns(key, Turns::next_is_theirs) {
            return context.run_serial(None, run).close();
        }
        let assignment = self.with_experiment(target, key, items, |e| e.next(self.phase()));
        let measured = Measured::start(match assignment {
            Assignment::First | Assignment::SerialBlocks { .. } => Inner::Serial,
            Assignment::Run(setting) | Assignment::Unmeasured(setting) => Inner::of(setting),
        });
        let result = self.run_assigned(assignment, key, context, run);
        self.with_turns(key, |turns| turns.note(measured.has_inner_loops()));
        result
    }

    /// Runs one call under its assignment and writes what it took.
    fn run_assigned<P, C>(
        &'static self,
        assignment: Assignment,
        key: Key,
        context: Context,
        run: Run<P, C>,
    ) -> C::Result
    where
        P: Pieces,
        C: Consumer<P::Item>,
    {
        let Context { target, cost, .. } = context;
        let (name, item_type, items) = (target.name(), target.item_type(), run.len as u64);
        let named = (name, item_type);
        let hot = pool::hot_helpers(&machine::facts());
        let write = move |items, hot: usize, setting, wall_ns, seen: Seen| {
            self.append(&Record::Call(Call {
                name: name.to_owned(),
                item_type: item_type.to_owned(),
                items,
                cost,
                setting,
                hot: hot.try_into().unwrap_or(u32::MAX),
                wall_ns,
                item_sd_ns: seen.item_sd_ns,
                reduce_ns: seen.reduce_ns,
                busy_ns: seen.busy_ns,
                usage: seen.usage,
            }));
        };
        let (result, setting, wall_ns, seen) = match assignment {
            Assignment::Unmeasured(setting) => return self.run_as(context, run, setting).0,
            Assignment::First => {
                let mut blocks = Blocks::growing();
                // What the tracking allocator counts is more exact.
                let resident = if is_installed() { None } else { Resident::now() };
                let result = blocks.run_first(context, run).close();
                if let Some(bytes) = resident.and_then(Resident::notable_growth) {
                    self.append_memory(named, MemoryEvidence::Growth, bytes);
                }
                self.note_task_bytes(named, blocks.task_bytes());
                if let Some(rest) = blocks.handed_over {
                    // The serial part took so long that no helper was hot any more.
                    write(rest.items, 0, rest.setting, rest.wall_ns, rest.seen);
                }
                let items = blocks.items() as u64;
                let (wall_ns, seen) = (blocks.total_ns(), blocks.seen());
                write(items, hot, Setting::Serial, wall_ns, seen);
                let item_ns = wall_ns as f64 / items as f64;
                // What was just seen counts for more than an old profile.
                let limits = match seen.usage.and_then(Usage::cpu_share) {
                    None => context.limits,
                    cpu_share => {
                        let Limits { workers, bound, .. } = target.limits_at(cpu_share);
                        Limits { workers, bound, ..context.limits }
                    }
                };
                let limits = target.limits_of_crew(limits);
                self.with_experiment(target, key, items, |e| e.learn_item_time(item_ns, limits));
                return result;
            }
            Assignment::SerialBlocks { metered } => {
                let mut blocks = Blocks::equal(run.len);
                if metered {
                    blocks.watch();
                }
                let result = blocks.run(context, run).close();
                self.note_task_bytes(named, blocks.task_bytes());
                (result, Setting::Serial, blocks.total_ns(), blocks.seen())
            }
            Assignment::Run(setting) => {
                let setting = self.with_prediction(context, run.len, setting);
                let start = Instant::now();
                let (result, seen) = self.run_as(context, run, setting);
                let wall_ns = start.elapsed().as_nanos() as u64;
                (result, setting, wall_ns.saturating_sub(self.clock_ns), seen)
            }
        };
        collection::tell(target, wall_ns as f64, move |wall_ns| {
            let wall_ns = wall_ns as u64;
            self.with_experiment(target, key, items, |e| e.add(setting, items, wall_ns));
            write(items, hot, setting, wall_ns, seen);
        });
        result
    }

    /// Writes what items take at their peak, where that is known and more than before.
    fn note_task_bytes(&self, named: Named, bytes: Option<u64>) {
        let Some(bytes) = bytes else { return };
        {
            let mut known = self.task_bytes.lock().unwrap_or_else(PoisonError::into_inner);
            if known.get(&named).is_some_and(|&most| most >= bytes) {
                return;
            }
            known.insert(named, bytes);
        }
        self.append_memory(named, MemoryEvidence::Task, bytes);
    }

    fn append_memory(&self, named: Named, evidence: MemoryEvidence, bytes: u64) {
        let (name, item_type) = (named.0.to_owned(), named.1.to_owned());
        self.append(&Record::Memory(Memory { name, item_type, evidence, bytes }));
    }

    /// Runs a call of the loop that is asked about on so many workers, and notes how far the resident memory grows;
    /// runs all others serially.
    fn run_for_memory<P, C>(&self, asked: &Asked, context: Context, run: Run<P, C>) -> C::Result
    where
        P: Pieces,
        C: Consumer<P::Item>,
    {
        let (target, workers) = (context.target, asked.workers as usize);
        let limits = target.limits_of_crew(context.limits);
        let is_watched = target.is_called(&asked.name)
            && run.len as u64 >= asked.items
            && workers <= limits.workers
            && self.peaks.start_call();
        let result = if !is_watched || workers == 1 {
            context.run_serial(None, run).close()
        } else {
            let chunk = model::chunk_of(run.len, workers * CHUNKS_PER_WORKER);
            let chunk = limits.clamp_chunk(chunk);
            context.run_parallel(None, run, workers, chunk).0.close()
        };
        if let Some(peak) = is_watched.then(|| self.peaks.end_call()).flatten() {
            let evidence = MemoryEvidence::Peak { workers: asked.workers };
            self.append_memory((target.name(), target.item_type()), evidence, peak);
        }
        result
    }

    /// Also what was seen of it.
    fn run_as<P, C>(&self, context: Context, run: Run<P, C>, setting: Setting) -> (C::Result, Seen)
    where
        P: Pieces,
        C: Consumer<P::Item>,
    {
        if setting != Setting::Serial {
            meter::note_handed_over();
        }
        let result = match setting {
            Setting::Serial => context.run_serial(None, run).close(),
            Setting::Rayon => {
                let piece = smallest_piece_in_memory(context.target, run.len).unwrap_or(1);
                let Run { producer, consumer, len } = run;
                let producer = Coarse { producer, piece };
                let result = run_as_rayon(Run { producer, consumer, len });
                pool::note_use(pool::now_ns(), rayon::current_num_threads());
                result
            }
            Setting::Parallel { workers, chunk } => {
                let (workers, chunk) = (workers as usize, chunk as usize);
                let (folded, account) = context.run_parallel(None, run, workers, chunk);
                return (folded.close(), Seen::of_crew(account.shift));
            }
            Setting::Tuned { .. } => run_planned(context, run),
        };
        (result, Seen::default())
    }

    /// Fills in the plan that the model chooses, for calls under verification.
    fn with_prediction(&self, context: Context, n: usize, setting: Setting) -> Setting {
        let (Setting::Tuned { .. }, Some(facts)) = (setting, context.facts(n)) else {
            return setting;
        };
        let limits = context.target.limits_of_crew(context.limits);
        let limits = context.target.limits_with(limits, n, &facts);
        let machine = machine::facts();
        let hot = pool::helpers_counted_hot(&machine);
        let decision = model::decide(n, &facts, &machine, &limits, hot);
        let (workers, chunk) = match decision.plan {
            Plan::Serial => (1, n as u64),
            Plan::Parallel { workers, chunk } => (workers as u32, chunk as u64),
        };
        Setting::Tuned { workers, chunk, predicted_ns: decision.terms.total() as u64 }
    }

    /// Takes what is known of the loop from the profile that replaces what is compiled in. Comes before anything
    /// that asks for it.
    pub(crate) fn adopt_profile(&self, target: &'static Loop) {
        let Some(section) = self.profile.machines.get(machine::class()) else { return };
        let exact = format!("{}<{}>", target.name(), target.item_type());
        let entry = section.loops.get(&exact).or_else(|| section.loops.get(target.name()));
        if let Some(entry) = entry {
            target.adopt(entry.facts);
            target.adopt_task_bytes(entry.memory.map(|memory| memory.bytes));
        }
    }

    fn phase(&self) -> Phase {
        Phase::at(self.start.elapsed(), self.seed)
    }

    fn with_samples<R>(&self, name: &'static str, f: impl FnOnce(&mut Samples) -> R) -> R {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        f(samples.entry(name).or_default())
    }

    fn with_turns<R>(&self, key: Key, f: impl FnOnce(&mut Turns) -> R) -> R {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        f(turns.entry(key).or_default())
    }

    fn with_experiment<R>(
        &self,
        target: &Loop,
        key: Key,
        items: u64,
        f: impl FnOnce(&mut Experiment) -> R,
    ) -> R {
        let has_rayon = !target.options().deterministic;
        let mut experiments = self.experiments.lock().unwrap_or_else(PoisonError::into_inner);
        let number = experiments.len() as u64;
        let experiment = experiments.entry(key).or_insert_with(|| {
            let seed = self.seed.wrapping_add(number);
            match self.mode {
                Mode::Verify => Experiment::verify(has_rayon, seed),
                // Calls whose memory is watched are no experiment.
                Mode::Explore | Mode::Memory(_) => Experiment::explore(items, has_rayon, seed),
            }
        });
        f(experiment)
    }

    fn append(&self, record: &Record) {
        let line = record.to_line() + "\n";
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk loses observations; the program under measurement goes on.
        let _ = file.write_all(line.as_bytes());
    }
}

/// Runs as a process that does not record would.
fn run_planned<P, C>(context: Context, run: Run<P, C>) -> C::Result
where
    P: Pieces,
    C: Consumer<P::Item>,
{
    let (target, len) = (context.target, run.len);
    let (planned, units) = (target.planned(), context.units(len));
    let hot = || target.helpers_counted_hot(units, &machine::facts());
    if planned.is_untimed(units) {
        fold_at_once(run.producer, run.consumer)
    } else if planned.is_certain_with(units, hot) {
        run_timed(target, run, context.lengths, units)
    } else {
        context.go(run, context.beside_others().planned_way(len))
    }
}

fn create(folder: &Path) -> Option<File> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let path = folder.join(format!("{}-{now:x}.records", std::process::id()));
    File::options().append(true).create_new(true).open(path).ok()
}

fn clock_cost() -> u64 {
    let look = |_| {
        let start = Instant::now();
        start.elapsed().as_nanos() as u64
    };
    (0..64).map(look).min().unwrap_or(0)
}
