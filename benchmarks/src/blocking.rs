//! Loops whose items wait: requests to a server, and files that are written to the disk. Stock rayon
//! has as many of them under way as there are cores; the option `io` has more, and so has rayon in a pool of as many threads.

use std::fmt;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use amorsize::{Loop, Tune};
use amorsize_runtime::io_limits;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde::Serialize;

use crate::cli::Effort;
use crate::estimate::Estimate;
use crate::executor::Executor;
use crate::host::Host;
use crate::interleave::interleave;
use crate::output;
use crate::peer::Peer;
use crate::table::{Table, count, ratio, time};

/// How long the server thinks about a request.
const ANSWER_AFTER: Duration = Duration::from_millis(1);

/// What is written to each file.
const BLOCK: [u8; 4096] = [7; 4096];

/// Items of a call.
const ITEMS: usize = 64;

static REQUESTS: Loop = amorsize::tuned_loop!("benchmarks::requests", io);
static WRITES: Loop = amorsize::tuned_loop!("benchmarks::writes", io);

/// Everything measured.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    host: Host,
    /// Of the pool of `io`, the caller included, and of the wide one.
    threads: usize,
    loops: Vec<Comparison>,
}

/// What one loop came to. All times in nanoseconds per call.
#[derive(Debug, Serialize)]
struct Comparison {
    workload: &'static str,
    items: usize,
    serial: Estimate,
    rayon: Estimate,
    /// Rayon in a pool of as many threads as `io` uses.
    rayon_wide: Estimate,
    /// With the option `io`, after the warm-up.
    io: Estimate,
    rayon_by_io: Estimate,
    rayon_wide_by_io: Estimate,
}

pub(crate) fn run(effort: &Effort) -> Result<Results, String> {
    let failed = |what: &'static str| move |error| format!("{what}: {error}");
    let threads = io_limits(None).workers;
    let wide = ThreadPoolBuilder::new().num_threads(threads).build();
    let wide = wide.map_err(|error| format!("no pool of {threads} threads: {error}"))?;
    let mut loops = Vec::new();
    if effort.includes("requests") {
        let server = serve().map_err(failed("no server on the loopback device"))?;
        let item = |_| request(server).expect("the server answers");
        loops.push(compare("requests", &REQUESTS, &wide, effort, item));
    }
    if effort.includes("writes") {
        let folder = Folder::new().map_err(failed("no folder for files"))?;
        let item = |n| write(&folder.0, n).expect("a file can be written");
        loops.push(compare("writes", &WRITES, &wide, effort, item));
    }
    if loops.is_empty() {
        return Err("the filter leaves no loop".to_owned());
    }
    Ok(Results { host: Host::new(Host::machine()), threads, loops })
}

fn compare(
    workload: &'static str,
    target: &'static Loop,
    wide: &ThreadPool,
    effort: &Effort,
    item: impl Fn(usize) + Sync,
) -> Comparison {
    output::status(workload);
    // The third one is rayon in the wide pool.
    let peers = [Peer::Serial, Peer::Rayon, Peer::Other(Executor::Rayon), Peer::Profiled(target)];
    let samples = interleave(&peers, effort.pick(11, 51), |peer| {
        let start = Instant::now();
        match peer {
            Peer::Serial => (0..ITEMS).for_each(&item),
            Peer::Rayon => (0..ITEMS).into_par_iter().for_each(&item),
            Peer::Other(_) => wide.install(|| (0..ITEMS).into_par_iter().for_each(&item)),
            _ => (0..ITEMS).into_par_iter().tuned(target).for_each(&item),
        }
        start.elapsed().as_nanos() as f64
    });
    let [serial, rayon, rayon_wide, io] = [0, 1, 2, 3].map(|peer: usize| &samples[peer][..]);
    Comparison {
        workload,
        items: ITEMS,
        serial: Estimate::of(serial),
        rayon: Estimate::of(rayon),
        rayon_wide: Estimate::of(rayon_wide),
        io: Estimate::of(io),
        rayon_by_io: Estimate::of_ratio(rayon, io),
        rayon_wide_by_io: Estimate::of_ratio(rayon_wide, io),
    }
}

/// Starts a server that answers each connection after a while, for as long as the process lives.
fn serve() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            thread::spawn(move || answer(connection));
        }
    });
    Ok(address)
}

fn answer(mut connection: TcpStream) -> std::io::Result<()> {
    let mut question = [0];
    connection.read_exact(&mut question)?;
    thread::sleep(ANSWER_AFTER);
    connection.write_all(&question)
}

fn request(server: SocketAddr) -> std::io::Result<()> {
    let mut connection = TcpStream::connect(server)?;
    connection.write_all(&[1])?;
    connection.read_exact(&mut [0])
}

/// A folder beside the program, on a disk rather than in memory; removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let program = std::env::current_exe()?;
        let name = format!("blocking-{}", std::process::id());
        let folder = program.with_file_name(name);
        fs::create_dir(&folder)?;
        Ok(Folder(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Writes one file and waits until the disk has it.
fn write(folder: &Path, n: usize) -> std::io::Result<()> {
    let mut file = File::create(folder.join(n.to_string()))?;
    file.write_all(&BLOCK)?;
    file.sync_all()
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.host)?;
        let wide = format!("rayon, {} threads", self.threads);
        let heads = ["loop", "items", "serial", "rayon", &wide, "io", "rayon/io", "that pool/io"];
        let mut table = Table::new(heads);
        for each in &self.loops {
            table.row([
                each.workload.to_owned(),
                count(each.items),
                time(each.serial.median),
                time(each.rayon.median),
                time(each.rayon_wide.median),
                time(each.io.median),
                ratio(&each.rayon_by_io),
                ratio(&each.rayon_wide_by_io),
            ]);
        }
        writeln!(f, "\n{table}")?;
        for each in &self.loops {
            writeln!(f, "io_vs_rayon_{}: {:.3}", each.workload, each.rayon_by_io.median)?;
            let wide = each.rayon_wide_by_io.median;
            writeln!(f, "io_vs_rayon_of_as_many_threads_{}: {wide:.3}", each.workload)?;
        }
        Ok(())
    }
}
