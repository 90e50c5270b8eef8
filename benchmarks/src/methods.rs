//! What each method costs where a loop stays serial: the plain iterator, Amorsize made to stay serial, and rayon on a pool of one thread.

use std::collections::HashMap;
use std::fmt;
use std::hint::black_box;
use std::iter;
use std::time::Instant;

use amorsize::{Force, Loop, Tune};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde::Serialize;

use crate::cli::Effort;
use crate::estimate::Estimate;
use crate::executor;
use crate::host::Host;
use crate::table::{Table, time};

/// Items per call: enough for what a call costs by itself not to show.
const ITEMS: usize = 16_384;
/// Calls per timed region.
const CALLS: usize = 5;

static LOOP: Loop = amorsize::tuned_loop!("benchmarks::methods");

/// Everything measured.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    host: Host,
    rows: Vec<Row>,
}

/// Times of a call, in nanoseconds.
#[derive(Debug, Serialize)]
struct Row {
    method: &'static str,
    plain: Estimate,
    amorsize: Estimate,
    rayon: Estimate,
    /// Amorsize's time divided by the plain iterator's.
    ratio: Estimate,
}

/// Measures methods, interleaved.
struct Bench<'e> {
    effort: &'e Effort,
    /// Of one thread.
    pool: ThreadPool,
    rows: Vec<Row>,
}

impl Bench<'_> {
    fn measure<A, B, C>(
        &mut self,
        method: &'static str,
        mut plain: impl FnMut() -> A,
        mut amorsize: impl FnMut() -> B,
        mut rayon: impl FnMut() -> C + Send,
    ) {
        if !self.effort.includes(method) {
            return;
        }
        let rounds = self.effort.pick(51, 201);
        let mut samples = [const { Vec::new() }; 3];
        for _ in 0..rounds {
            samples[0].push(call_ns(&mut plain));
            executor::impose(Some(Force::Serial));
            samples[1].push(call_ns(&mut amorsize));
            executor::impose(None);
            samples[2].push(self.pool.install(|| call_ns(&mut rayon)));
        }
        let [plain, amorsize, rayon] = samples.each_ref().map(|samples| Estimate::of(samples));
        let ratio = Estimate::of_ratio(&samples[1], &samples[0]);
        self.rows.push(Row { method, plain, amorsize, rayon, ratio });
    }
}

fn call_ns<R>(mut call: impl FnMut() -> R) -> f64 {
    let start = Instant::now();
    for _ in 0..CALLS {
        black_box(call());
    }
    start.elapsed().as_nanos() as f64 / CALLS as f64
}

/// A few instructions, which the compiler can vectorise.
#[inline]
fn mix(x: u32) -> u32 {
    let x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    let x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// No item has this.
fn is_rare(x: &u32) -> bool {
    mix(*x) == 77
}

/// Measures methods of iterators over a slice: what is written for the plain iterator, and for the parallel one where that differs.
macro_rules! measure {
    ($bench:expr, $slice:expr, $items:ident; $($method:literal: $plain:expr $(=> $parallel:expr)?;)*) => {
        $(
            $bench.measure(
                $method,
                || {
                    let $items = $slice.iter();
                    $plain
                },
                || {
                    let $items = $slice.par_iter().tuned(&LOOP);
                    measure!(@last $plain $(, $parallel)?)
                },
                || {
                    let $items = $slice.par_iter();
                    measure!(@last $plain $(, $parallel)?)
                },
            );
        )*
    };
    (@last $plain:expr) => { $plain };
    (@last $plain:expr, $parallel:expr) => { $parallel };
}

pub(crate) fn run(effort: &Effort) -> Result<Results, String> {
    let pool = ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.map_err(|error| format!("no pool of one thread: {error}"))?;
    let mut bench = Bench { effort, pool, rows: Vec::new() };
    let mut random = fastrand::Rng::with_seed(17);
    let numbers: Vec<u32> = (0..ITEMS).map(|_| random.u32(..)).collect();
    let numbers = black_box(&numbers[..]);
    reductions(&mut bench, numbers);
    folds(&mut bench, numbers);
    searches(&mut bench, numbers);
    collections(&mut bench, numbers);
    adaptors(&mut bench, numbers);
    if bench.rows.is_empty() {
        return Err("the filter leaves no method".to_owned());
    }
    Ok(Results { host: Host::new(Host::machine()), rows: bench.rows })
}

fn reductions(bench: &mut Bench<'_>, numbers: &[u32]) {
    measure! { bench, numbers, items;
        "sum": items.sum::<u32>();
        "map.sum": items.map(|x| mix(*x)).sum::<u32>();
        "map.reduce": items.map(|x| mix(*x)).fold(0, |a, b| a ^ b)
            => items.map(|x| mix(*x)).reduce(|| 0, |a, b| a ^ b);
        "max": items.max();
        "max_by_key": items.max_by_key(|x| mix(**x));
        "filter.count": items.filter(|x| mix(**x) % 3 == 1).count();
        "filter.sum": items.filter(|x| **x % 3 == 0).sum::<u32>();
        "flat_map.sum": items.flat_map(|x| [*x, mix(*x)]).sum::<u32>()
            => items.flat_map_iter(|x| [*x, mix(*x)]).sum::<u32>();
        "for_each": items.for_each(|x| { black_box(mix(*x)); });
        "map_init.sum": {
            let mut last = 0;
            items.map(|x| std::mem::replace(&mut last, mix(*x))).sum::<u32>()
        } => items.map_init(|| 0, |last, x| std::mem::replace(last, mix(*x))).sum::<u32>();
    }
}

fn folds(bench: &mut Bench<'_>, numbers: &[u32]) {
    measure! { bench, numbers, items;
        "fold to a number": items.fold(0, |a, x| a ^ mix(*x))
            => items.fold(|| 0, |a, x| a ^ mix(*x)).reduce(|| 0, |a, b| a ^ b);
        "fold to a tuple": items.fold((0_u64, 0_u64), totals)
            => items.fold(|| (0, 0), totals).reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        "fold to a vector": items.fold(Vec::new(), thirds)
            => items.fold(Vec::new, thirds).reduce(Vec::new, append);
        "fold to a string": items.fold(String::new(), letters)
            => items.fold(String::new, letters).reduce(String::new, |a, b| a + &b);
        "fold to a map": items.fold(HashMap::new(), counts)
            => items.fold(HashMap::new, counts).reduce(HashMap::new, add_counts);
    }
}

fn searches(bench: &mut Bench<'_>, numbers: &[u32]) {
    measure! { bench, numbers, items;
        "any": { items }.any(is_rare) => items.any(is_rare);
        "find": { items }.find(|x| is_rare(x)) => items.find_any(|x| is_rare(x));
        "find_first": { items }.find(|x| is_rare(x)) => items.find_first(|x| is_rare(x));
        "position_first": { items }.position(is_rare) => items.position_first(is_rare);
        "try_for_each": { items }.try_for_each(failing) => items.try_for_each(failing);
        "try_fold": { items }.try_fold(0_u32, sum_of_halves)
            => items.try_fold(|| 0, sum_of_halves).try_reduce(|| 0, |a, b| a.checked_add(b));
    }
}

fn collections(bench: &mut Bench<'_>, numbers: &[u32]) {
    measure! { bench, numbers, items;
        "map.collect": items.map(|x| mix(*x)).collect::<Vec<_>>();
        "enumerate.map.collect":
            items.enumerate().map(|(i, x)| mix(*x) ^ i as u32).collect::<Vec<_>>();
        "collect into a map": items.map(|x| (x >> 22, *x)).collect::<HashMap<_, _>>();
        "unzip": items.map(|x| (mix(*x), *x)).unzip::<u32, u32, Vec<_>, Vec<_>>();
        "filter.unzip": items
            .filter(|x| **x % 3 == 0)
            .map(|x| (mix(*x), *x))
            .unzip::<u32, u32, Vec<_>, Vec<_>>();
        "partition": items.map(|x| mix(*x)).partition::<Vec<_>, _>(|x| x % 2 == 0)
            => items.map(|x| mix(*x)).partition::<Vec<_>, Vec<_>, _>(|x| x % 2 == 0);
    }
    // What the attribute makes of `collect` where the source names a `Vec` or a `Result`.
    bench.measure(
        "filter.collect",
        || numbers.iter().filter(|x| **x % 3 == 0).collect::<Vec<_>>(),
        || numbers.par_iter().tuned(&LOOP).filter(|x| **x % 3 == 0).collect_vec(),
        || numbers.par_iter().filter(|x| **x % 3 == 0).collect::<Vec<_>>(),
    );
    bench.measure(
        "flat_map.collect",
        || numbers.iter().flat_map(twice).collect::<Vec<_>>(),
        || numbers.par_iter().tuned(&LOOP).flat_map_iter(twice).collect_vec(),
        || numbers.par_iter().flat_map_iter(twice).collect::<Vec<_>>(),
    );
    bench.measure(
        "map.collect into a result",
        || numbers.iter().map(half).collect::<Option<Vec<_>>>(),
        || numbers.par_iter().tuned(&LOOP).map(half).try_collect_vec::<Option<Vec<_>>>(),
        || numbers.par_iter().map(half).collect::<Option<Vec<_>>>(),
    );
}

fn adaptors(bench: &mut Bench<'_>, numbers: &[u32]) {
    measure! { bench, numbers, items;
        "zip.map.sum": items.zip(numbers).map(|(a, b)| mix(*a) ^ b).sum::<u32>();
        "chain.map.sum": items.chain(numbers).map(|x| mix(*x)).sum::<u32>();
        "map.enumerate.sum": items.map(|x| mix(*x)).enumerate().map(|(i, x)| x ^ i as u32).sum::<u32>();
        "map.rev.sum": items.map(|x| mix(*x)).rev().sum::<u32>();
        "step_by.map.sum": items.step_by(3).map(|x| mix(*x)).sum::<u32>();
        "copied.map.sum": items.copied().map(mix).sum::<u32>();
    }
}

fn totals((sum, odd): (u64, u64), x: &u32) -> (u64, u64) {
    (sum + u64::from(*x), odd + u64::from(*x % 2))
}

fn thirds(mut all: Vec<u32>, x: &u32) -> Vec<u32> {
    if x % 3 == 1 {
        all.push(*x);
    }
    all
}

fn append(mut left: Vec<u32>, mut right: Vec<u32>) -> Vec<u32> {
    left.append(&mut right);
    left
}

fn letters(mut all: String, x: &u32) -> String {
    all.push(char::from(b'a' + (x % 26) as u8));
    all
}

fn counts(mut counts: HashMap<u32, u32>, x: &u32) -> HashMap<u32, u32> {
    *counts.entry(x >> 26).or_default() += 1;
    counts
}

fn add_counts(mut left: HashMap<u32, u32>, right: HashMap<u32, u32>) -> HashMap<u32, u32> {
    if left.is_empty() {
        return right;
    }
    right.into_iter().for_each(|(key, count)| *left.entry(key).or_default() += count);
    left
}

fn failing(x: &u32) -> Result<(), u32> {
    if is_rare(x) { Err(*x) } else { Ok(()) }
}

fn half(x: &u32) -> Option<u32> {
    x.checked_div(2)
}

fn sum_of_halves(sum: u32, x: &u32) -> Option<u32> {
    sum.checked_add(mix(*x) >> 16)
}

fn twice(x: &u32) -> impl Iterator<Item = u32> + use<> {
    iter::repeat_n(*x, (x % 3) as usize)
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table =
            Table::new(["method", "plain", "amorsize", "rayon, one thread", "amorsize / plain"]);
        for row in &self.rows {
            table.row([
                row.method.to_owned(),
                time(row.plain.median),
                time(row.amorsize.median),
                time(row.rayon.median),
                format!("{:.2} ±{:.0}%", row.ratio.median, row.ratio.uncertainty() * 100.0),
            ]);
        }
        writeln!(f, "{}\n{table}", self.host)?;
        let worst = self.rows.iter().map(|row| row.ratio.median).fold(0.0, f64::max);
        writeln!(f, "methods_vs_plain_worst: {worst:.2}")
    }
}
