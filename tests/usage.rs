//! Whether a loop's items compute or wait, as a process that records sees it: on a quiet machine, and on one
//! where every processor has more threads than it can run. Each test runs itself again, because recording is
//! decided once for a process.

#![cfg(all(feature = "record", target_os = "linux"))]

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use amorsize_profile::{Record, Setting, Usage, read_records};
use amorsize_runtime::Workload;
use rayon::prelude::*;

mod others;
mod skip;
mod unset;

use others::Others;
use skip::skip;
use unset::unset_variables;

/// The variable that makes a process record, and names the folder.
const FOLDER: &str = "AMORSIZE_RECORD";
/// Where the items of a test may write files.
const FILES: &str = "AMORSIZE_TEST_FILES";

/// Items of a call; the sizes of blocks and chunks follow.
const ITEMS: u32 = 32;

/// Computes until this thread has had the processor for about so long, however many threads share it: the
/// number of steps is fixed by a quick measurement beforehand.
fn compute(steps: u64) {
    for step in 0..steps {
        black_box(step);
    }
}

/// Steps of [`compute`] that take about this long on a processor of one's own. The shortest of several
/// measurements is one that nothing interrupted.
fn steps_of(time: Duration) -> u64 {
    const STEPS: u64 = 20_000;
    let measured = (0..50).map(|_| {
        let start = Instant::now();
        compute(STEPS);
        start.elapsed()
    });
    let shortest = measured.min().expect("there are some").as_secs_f64();
    (time.as_secs_f64() / shortest * STEPS as f64) as u64
}

/// What a sleep of a millisecond takes on this machine. The shortest of several is one after which the thread did
/// not wait for a processor.
fn sleep_takes() -> Duration {
    let measured = (0..20).map(|_| {
        let start = Instant::now();
        thread::sleep(Duration::from_millis(1));
        start.elapsed()
    });
    measured.min().expect("there are some")
}

#[amorsize::tune]
fn computing(steps: u64) {
    (0..ITEMS).into_par_iter().for_each(|_| compute(steps));
}

#[amorsize::tune]
fn sleeping() {
    (0..ITEMS).into_par_iter().for_each(|_| thread::sleep(Duration::from_millis(1)));
}

/// Computes for longer than it sleeps, but not for much longer.
#[amorsize::tune]
fn mixed(steps: u64) {
    (0..ITEMS).into_par_iter().for_each(|_| {
        compute(steps);
        thread::sleep(Duration::from_millis(1));
    });
}

/// Waits until the disk has what was written.
#[amorsize::tune]
fn writing_through(folder: &Path) {
    (0..ITEMS).into_par_iter().for_each(|item| write_through(folder, item));
}

fn write_through(folder: &Path, item: u32) {
    let mut file = File::create(folder.join(item.to_string())).expect("a file can be made");
    file.write_all(&[7; 256 << 10]).expect("a file can be written");
    file.sync_all().expect("the disk takes it");
}

/// Reads from a named pipe into which somebody writes when asked, after a while.
#[amorsize::tune]
fn reading_a_pipe(pipe: &File, asks: &Sender<()>) -> usize {
    (0..ITEMS).into_par_iter().map(|_| read_byte(pipe, asks)).sum()
}

fn read_byte(mut pipe: &File, asks: &Sender<()>) -> usize {
    asks.send(()).expect("somebody listens");
    pipe.read(&mut [0]).expect("a pipe can be read")
}

/// Reads what the system has in its cache: the processor copies, nothing waits.
#[amorsize::tune]
fn reading_cached(file: &Path) -> usize {
    (0..ITEMS).into_par_iter().map(|_| fs::read(file).map_or(0, |bytes| bytes.len())).sum()
}

#[amorsize::tune(kernel)]
fn computing_item(steps: u64) {
    compute(steps);
}

#[amorsize::tune(kernel)]
fn sleeping_item() {
    thread::sleep(Duration::from_millis(1));
}

/// What the calls of a test took, run again by itself in a process that records, beside other work if the
/// machine is to be `busy`; `None` in that run, and where the system does not tell.
fn recorded(test: &str, busy: bool) -> Option<Vec<(f64, Usage)>> {
    if std::env::var_os(FOLDER).is_some() {
        return None;
    }
    // One test at a time: what others do would make the machine busy.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Folder::new(test);
    let processors = thread::available_parallelism().map_or(1, usize::from);
    // Two for each.
    let _others = busy.then(|| Others::start(2 * processors));
    let status =
        unset_variables(&mut Command::new(std::env::current_exe().expect("a test has a path")))
            .args(["--exact", test])
            .env(FOLDER, folder.0.join("records"))
            .env(FILES, &folder.0)
            .status();
    assert!(status.expect("a test can be run").success());
    let files = fs::read_dir(folder.0.join("records")).expect("the folder");
    let text: String = files
        .map(|entry| fs::read_to_string(entry.expect("an entry").path()).expect("a text"))
        .collect();
    let (records, unreadable) = read_records(&text);
    assert_eq!(unreadable, 0, "{text}");
    let calls = records.into_iter().filter_map(|record| match record {
        Record::Call(call) if call.setting == Setting::Serial => Some(call),
        _ => None,
    });
    let used: Vec<(f64, Usage)> =
        calls.filter_map(|call| Some((call.wall_ns as f64, call.usage?))).collect();
    let tells = fs::read_to_string("/proc/thread-self/schedstat");
    if tells.is_ok_and(|text| !text.starts_with("0 ")) {
        assert!(!used.is_empty(), "{text}");
        Some(used)
    } else {
        skip("this system does not tell how long threads wait for a processor");
        None
    }
}

/// A folder beside the test, on a disk rather than in memory; removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let program = std::env::current_exe().expect("a test has a path");
        let folder = program.with_file_name(format!("usage-{test}-{}", std::process::id()));
        // What an earlier process with this number has left.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("records")).expect("a folder can be made");
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The share that decides: the middle one of the calls.
fn cpu_share(calls: &[(f64, Usage)]) -> f64 {
    middle(calls.iter().filter_map(|(_, usage)| usage.cpu_share()).collect())
}

fn middle(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn assert_kind(calls: Option<Vec<(f64, Usage)>>, expected: &[Workload]) {
    if let Some(calls) = calls {
        let share = cpu_share(&calls);
        assert!(expected.contains(&Workload::of(share)), "{share} of {calls:?}");
    }
}

/// Enough calls for a few that are watched.
const CALLS: usize = 12;

fn when_recording(calls: impl Fn(&Path)) {
    if let Some(folder) = std::env::var_os(FILES) {
        (0..CALLS).for_each(|_| calls(Path::new(&folder)));
    }
}

/// Two tests of the same calls: alone, and beside other work.
macro_rules! alone_and_beside_others {
    ($($alone:ident, $beside:ident: $expected:expr, $calls:expr;)*) => {$(
        #[test]
        fn $alone() {
            assert_kind(recorded(stringify!($alone), false), $expected);
            when_recording($calls);
        }

        #[test]
        fn $beside() {
            assert_kind(recorded(stringify!($beside), true), $expected);
            when_recording($calls);
        }
    )*};
}

alone_and_beside_others! {
    items_that_sleep_are_io_bound, items_that_sleep_beside_others_are_io_bound:
        &[Workload::Io], |_| sleeping();
    // How much of it is waiting depends on the disk; a folder in memory has none.
    items_that_write_through_wait, items_that_write_through_beside_others_wait:
        if disk_is_slow() { &[Workload::Io, Workload::Mixed] } else { &ANY }, writing_through;
    items_that_read_what_comes_slowly_are_io_bound, items_that_read_what_comes_slowly_beside_others_are_io_bound:
        &[Workload::Io], reading_what_comes_slowly;
    items_that_read_from_the_cache_are_cpu_bound, items_that_read_from_the_cache_beside_others_are_cpu_bound:
        &[Workload::Cpu], reading_a_cached_file;
    // For machines on which computing takes up to twice as long as at best, or sleeping up to 1.7 times as long.
    items_that_do_both_are_mixed, items_that_do_both_beside_others_are_mixed:
        &[Workload::Mixed], |_| mixed(steps_of(sleep_takes().mul_f64(1.75)));
    items_that_compute_are_cpu_bound, items_that_compute_beside_others_are_cpu_bound:
        &[Workload::Cpu], |_| computing(steps_of(LONG));
    kernels_that_sleep_are_io_bound, kernels_that_sleep_beside_others_are_io_bound:
        &[Workload::Io], |_| sleeping_item();
    kernels_that_compute_are_cpu_bound, kernels_that_compute_beside_others_are_cpu_bound:
        &[Workload::Cpu], |_| computing_item(u64::from(ITEMS) * steps_of(LONG));
}

const ANY: [Workload; 3] = [Workload::Cpu, Workload::Mixed, Workload::Io];

/// Whether a file that is written through takes so long that the disk must have been asked.
fn disk_is_slow() -> bool {
    let folder = Folder::new("disk");
    let start = Instant::now();
    (0..ITEMS).for_each(|item| write_through(&folder.0, item));
    let is_slow = start.elapsed() > Duration::from_micros(200) * ITEMS;
    if !is_slow {
        skip("files of this test are not on a disk that takes its time");
    }
    is_slow
}

fn reading_what_comes_slowly(folder: &Path) {
    let pipe = folder.join("pipe");
    if !pipe.exists() {
        let made = Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("the system has `mkfifo`").success());
    }
    let (asks, asked) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut end = File::options().write(true).open(&pipe).expect("a pipe can be opened");
            for () in asked {
                thread::sleep(Duration::from_millis(1));
                end.write_all(&[7]).expect("a pipe can be written");
            }
        });
        let end = File::open(&pipe).expect("a pipe can be opened");
        assert_eq!(reading_a_pipe(&end, &asks), ITEMS as usize);
        drop(asks);
    });
}

fn reading_a_cached_file(folder: &Path) {
    let file = folder.join("cached");
    if !file.exists() {
        fs::write(&file, vec![7; 1 << 20]).expect("a file can be written");
    }
    assert_eq!(reading_cached(&file), ITEMS as usize * (1 << 20));
}

/// Long enough for several turns at a processor in a call.
const LONG: Duration = Duration::from_millis(1);

#[test]
fn processor_time_as_a_share_of_wall_time_would_take_computing_beside_others_for_waiting() {
    let name =
        "processor_time_as_a_share_of_wall_time_would_take_computing_beside_others_for_waiting";
    let calls = recorded(name, true);
    if let Some(calls) = &calls {
        let of_wall = middle(calls.iter().map(|(wall_ns, usage)| usage.cpu_ns / wall_ns).collect());
        assert!(Workload::of(of_wall) != Workload::Cpu, "not busy: {of_wall} of {calls:?}");
    }
    assert_kind(calls, &[Workload::Cpu]);
    when_recording(|_| computing(steps_of(LONG)));
}
