//! What every driver has in common. Started by `cargo bench` or `cargo amorsize tune` it calls all cases in turn;
//! with `--serve` it does what it is told on standard input, so that several drivers can take turns.

// Each driver needs some of this, and no other crate any of it.
#![allow(dead_code, unreachable_pub)]

use std::hint::black_box;
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

/// Calls that are not counted go on for at least so long before a sample.
const WARM_UP: Duration = Duration::from_millis(2);

/// One turn of a case under `cargo bench`, and how long all turns take.
const TURN: Duration = Duration::from_millis(10);
const CALLS_PER_TURN: usize = 64;
const BENCH: Duration = Duration::from_secs(120);

/// A function with its input, ready to be called. Returns a digest of the result if that is wanted.
type Call = Box<dyn FnMut(bool) -> u64>;

/// A function at one size.
pub struct Case {
    name: String,
    make: Box<dyn Fn() -> Call>,
}

impl Case {
    /// `input` is made when the case is first wanted; `call` is what is timed, `digest` is not.
    pub fn new<I: 'static, T>(
        name: impl Into<String>,
        input: impl Fn() -> I + 'static,
        call: impl Fn(&mut I) -> T + Copy + 'static,
        digest: impl Fn(&T, &I) -> u64 + Copy + 'static,
    ) -> Case {
        let make = move || -> Call {
            let mut input = input();
            Box::new(move |wanted| {
                let result = black_box(call(black_box(&mut input)));
                if wanted { digest(&result, &input) } else { 0 }
            })
        };
        Case { name: name.into(), make: Box::new(make) }
    }
}

/// The main function of a driver.
pub fn drive(cases: Vec<Case>) {
    let asked = |flag: &str| std::env::args().any(|argument| argument == flag);
    if asked("--one-thread") {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread();
        pool.build_global().expect("nothing has used the pool yet");
    }
    if asked("--serve") { serve(&cases) } else { bench(&cases) }
}

/// Calls all cases in turn, each with its input at hand.
fn bench(cases: &[Case]) {
    let start = Instant::now();
    let mut calls: Vec<Call> = cases.iter().map(|case| (case.make)()).collect();
    while start.elapsed() < BENCH {
        for call in &mut calls {
            let turn = Instant::now();
            for _ in 0..CALLS_PER_TURN {
                call(false);
                if turn.elapsed() >= TURN {
                    break;
                }
            }
        }
    }
}

/// Answers a line by a line until there are no more.
fn serve(cases: &[Case]) {
    let mut current: Option<(usize, Call)> = None;
    let mut stdout = std::io::stdout();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("standard input");
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<usize>().expect("a number");
        let answer = if words[0] == "cases" {
            let names: Vec<&str> = cases.iter().map(|case| &*case.name).collect();
            names.join("\t")
        } else {
            let index = number(1);
            if current.as_ref().is_none_or(|(at, _)| *at != index) {
                // The old input goes before the new one comes.
                drop(current.take());
                current = Some((index, (cases[index].make)()));
            }
            let (_, call) = current.as_mut().expect("made above");
            match words[0] {
                "digest" => format!("{:016x}", call(true)),
                "time" => format!("{:.3}", time(call, number(2) as f64)),
                other => panic!("asked `{other}`"),
            }
        };
        writeln!(stdout, "{answer}").and_then(|()| stdout.flush()).expect("standard output");
    }
}

/// Nanoseconds per call, of as many calls as take about `wanted_ns`. A call that takes longer needs no warm-up.
fn time(call: &mut Call, wanted_ns: f64) -> f64 {
    let start = Instant::now();
    let mut warm_up = 0_u32;
    while warm_up == 0 || start.elapsed() < WARM_UP {
        call(false);
        warm_up += 1;
        let first_ns = start.elapsed().as_nanos() as f64;
        if warm_up == 1 && first_ns >= wanted_ns {
            return first_ns;
        }
    }
    let estimate_ns = start.elapsed().as_nanos() as f64 / f64::from(warm_up);
    let calls = (wanted_ns / estimate_ns).ceil().max(1.0);
    let start = Instant::now();
    for _ in 0..calls as u64 {
        call(false);
    }
    start.elapsed().as_nanos() as f64 / calls
}

/// The generator SplitMix64: seeded inputs.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Evenly distributed in `low..high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// One number of many, which changes with each of them and with their order.
pub fn digest(numbers: impl IntoIterator<Item = u64>) -> u64 {
    numbers.into_iter().fold(0xcbf2_9ce4_8422_2325, |digest, number| {
        (digest.rotate_left(5) ^ number).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
