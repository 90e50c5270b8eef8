//! Each option of the attribute by its effect.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use amorsize::{Force, force};
use rayon::prelude::*;

/// Plans are in force for the whole process: tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

const WORKERS: [Option<Force>; 7] = [
    None,
    Some(Force::Serial),
    Some(Force::Workers { workers: 1, chunk: None }),
    Some(Force::Workers { workers: 2, chunk: None }),
    Some(Force::Workers { workers: 3, chunk: Some(7) }),
    Some(Force::Workers { workers: 8, chunk: Some(1) }),
    Some(Force::Workers { workers: 8, chunk: Some(usize::MAX) }),
];

/// Numbers of very different magnitude: every order of adding them gives another sum.
fn numbers(n: usize) -> Vec<f64> {
    let mut state = 1_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64
    };
    (0..n).map(|_| next() * 10_f64.powf(next() % 20.0 - 10.0)).collect()
}

#[amorsize::tune(cost = columns)]
fn row_maxima(matrix: &[f64], columns: usize) -> Vec<f64> {
    matrix.par_chunks(columns).map(|row| row.iter().copied().fold(0.0, f64::max)).collect()
}

struct Rows<T>(Vec<Vec<T>>);

impl<T: Send + Sync + Into<f64>> Rows<T> {
    /// Consumes what the cost is computed from, and has loops of both kinds.
    #[amorsize::tune(cost = self.0.iter().map(Vec::len).sum::<usize>() as f32 / self.0.len() as f32)]
    fn sums(self) -> (Vec<f64>, usize) {
        let total = |row: Vec<T>| row.into_iter().map(Into::into).sum::<f64>();
        let count = self.0.par_chunk_by(|a, b| a.len() == b.len()).count();
        (self.0.into_par_iter().filter(|row| !row.is_empty()).map(total).collect(), count)
    }
}

#[test]
fn costs_of_any_kind_change_no_result() {
    let _turn = turn();
    for plan in WORKERS {
        force(plan);
        for (rows, columns) in [(0, 1), (1, 5), (40, 1), (700, 3), (3, 900)] {
            let matrix = numbers(rows * columns);
            let expected: Vec<f64> =
                matrix.chunks(columns).map(|row| row.iter().copied().fold(0.0, f64::max)).collect();
            assert_eq!(row_maxima(&matrix, columns), expected);
            // A cost of zero or of zero divided by zero is none.
            for (length, sums) in [(0, vec![]), (2, vec![3.0; rows])] {
                let rows = Rows(vec![[1_u8, 2][..length].to_vec(); rows]);
                let runs = usize::from(!rows.0.is_empty());
                assert_eq!(rows.sums(), (sums, runs));
            }
        }
    }
    force(None);
}

#[amorsize::tune(deterministic)]
fn sum(xs: &[f64]) -> f64 {
    xs.par_iter().map(|x| x.sqrt()).sum()
}

#[amorsize::tune(deterministic)]
fn sum_of_some(xs: &[f64]) -> f64 {
    xs.par_iter().filter(|x| **x > 1.0).copied().reduce(|| 0.0, |a, b| a + b)
}

#[test]
fn deterministic_sums_are_equal_bit_by_bit_under_every_plan() {
    let _turn = turn();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(8).build().expect("a pool");
    for n in [0, 1, 63, 64, 65, 1_000, 30_000] {
        let xs = numbers(n);
        let mut sums = HashSet::new();
        for _ in 0..3 {
            for plan in WORKERS {
                force(plan);
                sums.insert((sum(&xs).to_bits(), sum_of_some(&xs).to_bits()));
                sums.insert(pool.install(|| (sum(&xs).to_bits(), sum_of_some(&xs).to_bits())));
            }
        }
        force(None);
        assert_eq!(sums.len(), 1, "{n} items");
    }
}

#[amorsize::tune(on_pool)]
fn indices(n: usize) -> Vec<Option<usize>> {
    (0..n).into_par_iter().map(|_| rayon::current_thread_index()).collect()
}

#[test]
fn with_on_pool_every_item_runs_on_a_thread_of_the_pool() {
    let _turn = turn();
    for plan in WORKERS {
        force(plan);
        for n in [1, 10, 1_000] {
            assert!(indices(n).iter().all(Option::is_some), "{plan:?}, {n} items");
        }
    }
    force(None);
}

/// How long threads are waited for.
const PATIENCE: Duration = Duration::from_secs(5);

#[amorsize::tune(io)]
fn waiting(n: usize) -> HashSet<ThreadId> {
    (0..n)
        .into_par_iter()
        .map(|_| {
            thread::sleep(Duration::from_millis(5));
            thread::current().id()
        })
        .collect()
}

/// How many of 16 items have seen all of them in progress at the same time, until then.
#[amorsize::tune(io, chunk = 1)]
fn meeting(until: Instant) -> usize {
    let come = AtomicUsize::new(0);
    let meet = || {
        come.fetch_add(1, Ordering::SeqCst);
        while come.load(Ordering::SeqCst) < 16 && Instant::now() < until {
            thread::yield_now();
        }
        come.load(Ordering::SeqCst) == 16
    };
    (0..16).into_par_iter().filter(|_| meet()).count()
}

#[test]
fn items_that_wait_have_more_threads_than_cores() {
    let _turn = turn();
    // On a busy machine threads come late: there may have to be several calls.
    let until = Instant::now() + PATIENCE;
    let mut most = waiting(64).len();
    while most <= 8 && Instant::now() < until {
        most = waiting(64).len();
    }
    assert!(most > 8, "{most} threads");
    force(Some(Force::Workers { workers: 16, chunk: Some(1) }));
    let mut met = (0..5).map(|_| meeting(Instant::now() + PATIENCE));
    assert!(met.any(|met| met == 16));
    force(None);
}

#[amorsize::tune(skip = [1, 3])]
fn skipping(xs: &[u32]) -> (u32, u32, u32) {
    (
        xs.par_iter().sum(),
        xs.par_iter().map(|x| x + 1).sum(),
        xs.par_iter().max().copied().unwrap_or(0),
    )
}

#[test]
fn skipped_loops_are_left_alone_and_the_others_keep_their_names() {
    assert_eq!(skipping(&[1, 2, 3]), (6, 9, 3));
    let names: Vec<&str> = amorsize::loops().iter().map(|each| each.name).collect();
    assert!(names.contains(&"options::skipping#2"), "{names:?}");
    assert!(!names.contains(&"options::skipping") && !names.contains(&"options::skipping#3"));
}
