//! Times every loop of the program on its own sources, at several lengths.
//!
//! The calls come in rounds, each in another order, so that no loop is always met by the same caches and the
//! same sleeping threads. `SOURCE_STATS_SECONDS` says for how long; under `cargo test`, which does not pass
//! `--bench`, there is one round.

use std::hint::black_box;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use source_stats::{identifiers, lines, packages, sources, stats};

/// Budget where the environment sets none.
const SECONDS: f64 = 12.0;

/// In each round a case is called once, and a short one so often that it takes this long, but ...
const TIME_PER_ROUND: Duration = Duration::from_millis(1);

/// ... not oftener than this.
const CALLS_PER_ROUND: u32 = 8;

/// One function with a slice of one length.
struct Case<'a> {
    function: &'static str,
    length: usize,
    call: Box<dyn Fn() + 'a>,
    times: Vec<Duration>,
}

impl Case<'_> {
    fn call(&mut self) {
        let start = Instant::now();
        (self.call)();
        self.times.push(start.elapsed());
    }

    fn calls_per_round(&self) -> u32 {
        let time = self.times[0].max(Duration::from_nanos(1));
        let calls = TIME_PER_ROUND.as_nanos() / time.as_nanos();
        u32::try_from(calls).unwrap_or(u32::MAX).clamp(1, CALLS_PER_ROUND)
    }

    fn median(&self) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        times[times.len() / 2]
    }
}

#[derive(Default)]
struct Cases<'a>(Vec<Case<'a>>);

impl<'a> Cases<'a> {
    /// Adds `call` with all items, an eighth of them, and sixteen.
    fn add<T, R>(
        &mut self,
        function: &'static str,
        items: &'a [T],
        call: impl Fn(&'a [T]) -> R + Copy + 'a,
    ) {
        let mut lengths = [items.len(), items.len() / 8, items.len().min(16)].to_vec();
        lengths.dedup();
        for length in lengths {
            let call = Box::new(move || {
                black_box(call(black_box(&items[..length])));
            });
            self.0.push(Case { function, length, call, times: Vec::new() });
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let locations = sources::locate(&manifest)?;
    let sources = sources::read(&locations)?;
    let stats = stats::analyse(&sources);
    let packages = packages::group(&sources);
    let comparable = lines::comparable(&sources);
    let mut fingerprints = lines::fingerprints(&comparable);
    fingerprints.sort_unstable();
    let frequencies = identifiers::frequencies(&sources);
    let identifiers = identifiers::ranked(&frequencies);
    let uses = identifiers::uses(&sources, &frequencies);

    let mut cases = Cases::default();
    cases.add("sources::read", &locations, |some| sources::read(some).map(|read| read.len()).ok());
    cases.add("stats::analyse", &sources, stats::analyse);
    cases.add("stats::line_count", &sources, stats::line_count);
    cases.add("stats::token_count", &stats, stats::token_count);
    cases.add("stats::files_with_long_functions", &stats, |some| {
        stats::files_with_long_functions(some, 100)
    });
    cases.add("stats::bytes_per_token", &sources, |some| stats::bytes_per_token(some, &stats));
    cases.add("identifiers::frequencies", &sources, identifiers::frequencies);
    cases.add("identifiers::uses", &sources, |some| identifiers::uses(some, &frequencies));
    cases.add("identifiers::scores", &uses, |some| identifiers::scores(some, sources.len()));
    cases.add("identifiers::lengths", &identifiers, identifiers::lengths);
    cases.add("identifiers::camel_case_count", &identifiers, identifiers::camel_case_count);
    cases.add("lines::comparable", &sources, lines::comparable);
    cases.add("lines::fingerprints", &comparable, lines::fingerprints);
    cases.add("lines::repeated", &fingerprints, lines::repeated);
    cases.add("packages::group", &sources, packages::group);
    cases.add("packages::pairs", &packages, packages::pairs);
    let mut cases = cases.0;

    measure(&mut cases, budget()?);

    let mut out = io::stdout().lock();
    let bytes: usize = sources.iter().map(|source| source.text.len()).sum();
    writeln!(out, "{} files of {} packages, {bytes} bytes", sources.len(), packages.len())?;
    writeln!(out, "{:<34} {:>8} {:>14} {:>8}", "function", "n", "median", "calls")?;
    for case in &cases {
        let median = format!("{:.2?}", case.median());
        writeln!(
            out,
            "{:<34} {:>8} {median:>14} {:>8}",
            case.function,
            case.length,
            case.times.len()
        )?;
    }
    Ok(())
}

/// How long to measure after the first round.
fn budget() -> Result<Duration, Box<dyn std::error::Error>> {
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(Duration::ZERO);
    }
    let seconds = match std::env::var("SOURCE_STATS_SECONDS") {
        Ok(seconds) => {
            seconds.parse().map_err(|_| "SOURCE_STATS_SECONDS must be a number of seconds")?
        }
        Err(_) => SECONDS,
    };
    Ok(Duration::try_from_secs_f64(seconds)?)
}

/// Calls every case once, and then in shuffled rounds until the budget is spent.
fn measure(cases: &mut [Case<'_>], budget: Duration) {
    let start = Instant::now();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut round: Vec<usize> = (0..cases.len()).collect();
    random.shuffle(&mut round);
    round.iter().for_each(|&case| cases[case].call());

    let again = |case: usize| std::iter::repeat_n(case, cases[case].calls_per_round() as usize);
    let mut round: Vec<usize> = (0..cases.len()).flat_map(again).collect();
    loop {
        random.shuffle(&mut round);
        for &case in &round {
            if start.elapsed() >= budget {
                return;
            }
            cases[case].call();
        }
    }
}

/// Xorshift: the order of the calls is irregular, and the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    fn shuffle(&mut self, items: &mut [usize]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}
