//! Loops that the attribute does not find by itself: kernels, marked calls, loops with a name of their
//! own, and plans for other executors.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use amorsize::{Loop, Tune};
use rayon::prelude::*;

fn was_called(name: &str) -> bool {
    amorsize::loops().iter().any(|each| each.name == name)
}

/// One step of a linear congruential generator, many times.
#[amorsize::tune(kernel)]
pub fn simulate(seed: u64) -> u64 {
    (0..100).fold(seed, |x, _| x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1))
}

struct Model {
    factor: u64,
}

impl Model {
    #[amorsize::tune(kernel, name = "model step", max_workers = 2)]
    #[must_use]
    fn step(&self, x: u64) -> u64 {
        if x == 0 {
            return 0;
        }
        self.factor * x
    }
}

#[test]
fn a_kernel_stays_callable_and_carries_its_loop() {
    assert_eq!(simulate(1), simulate(1));
    let seeds: Vec<u64> = (0..1_000).collect();
    let parallel: Vec<u64> = seeds.into_par_iter().tuned(SIMULATE).map(simulate).collect();
    assert!(parallel.into_iter().eq((0..1_000).map(simulate)));
    assert!(was_called("by_hand::simulate"));

    let model = Model { factor: 3 };
    let step = |x: u32| model.step(x.into());
    let sum: u64 = (0..100_u32).into_par_iter().tuned(Model::STEP).map(step).sum();
    assert_eq!(sum, 3 * 4_950);
    assert!(was_called("model step"));
}

#[test]
fn a_loop_by_hand_collects_vectors_by_name() {
    static LOOP: Loop = amorsize::tuned_loop!("collected by hand");
    let words: Vec<String> = (0..1_000).map(|n| format!("{n:b}")).collect();
    let ones =
        words.par_iter().tuned(&LOOP).flat_map_iter(|word| word.chars().filter(|c| *c == '1'));
    assert_eq!(ones.clone().count(), ones.collect_vec().len());
    let short = words.par_iter().tuned(&LOOP).filter(|word| word.len() < 5);
    assert_eq!(
        short.map(String::len).collect_vec(),
        [1, 1, 2, 2, 3, 3, 3, 3].into_iter().chain([4; 8]).collect::<Vec<_>>()
    );
}

#[test]
fn a_kernel_s_plan_drives_scoped_threads() {
    let seeds: Vec<u64> = (0..1_000).collect();
    let plan = SIMULATE.plan(seeds.len());
    let next = AtomicUsize::new(0);
    let sum = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..plan.workers() {
            scope.spawn(|| {
                loop {
                    let start = next.fetch_add(plan.chunk_size(), Ordering::Relaxed);
                    let Some(rest) = seeds.get(start..) else { break };
                    let chunk = &rest[..plan.chunk_size().min(rest.len())];
                    let part: usize = chunk.iter().map(|seed| simulate(*seed) as usize % 7).sum();
                    sum.fetch_add(part, Ordering::Relaxed);
                }
            });
        }
    });
    let expected: usize = seeds.iter().map(|seed| simulate(*seed) as usize % 7).sum();
    assert_eq!(sum.into_inner(), expected);
}

#[test]
fn a_kernel_s_plan_drives_another_pool() {
    let plan = SIMULATE.plan(10_000);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(plan.workers()).build().expect("a pool");
    let seeds: Vec<u64> = (0..10_000).collect();
    let sums: Vec<u64> = pool.install(|| {
        seeds
            .par_chunks(plan.chunk_size())
            .map(|chunk| chunk.iter().map(|seed| simulate(*seed) % 7).sum())
            .collect()
    });
    assert_eq!(sums.iter().sum::<u64>(), seeds.iter().map(|seed| simulate(*seed) % 7).sum());
}

#[test]
fn plans_respect_the_number_of_items() {
    for n in [0, 1, 2, 1_000, usize::MAX] {
        let plan = SIMULATE.plan(n);
        assert!(plan.workers() >= 1 && plan.workers() <= n.max(1), "{n}: {plan:?}");
        assert!(plan.chunk_size() >= 1, "{n}: {plan:?}");
    }
    assert!(Model::STEP.plan(1 << 20).workers() <= 2);
}

static NAMED: Loop = amorsize::tuned_loop!("by hand", max_workers = 3);

#[test]
fn a_loop_with_a_name_of_its_own_needs_no_attribute() {
    let xs: Vec<u32> = (0..500).collect();
    assert_eq!(xs.par_iter().tuned(&NAMED).filter(|x| **x % 5 == 0).count(), 100);
    assert!(was_called("by hand"));
}

/// Hides the entry call, as helper traits and macros do.
fn halves(xs: &[u32]) -> impl IndexedParallelIterator<Item = &[u32]> {
    xs.par_chunks(xs.len().div_ceil(2).max(1))
}

macro_rules! each {
    ($xs:expr) => {
        $xs.par_iter()
    };
}

#[amorsize::tune]
fn marked(xs: &[u32]) -> (usize, u32, u32) {
    (
        amorsize::tuned!(halves(xs)).map(<[u32]>::len).max().unwrap_or(0),
        amorsize::tuned!(each!(xs)).sum(),
        xs.par_iter().map(|x| x * 2).sum(),
    )
}

#[test]
fn marked_calls_are_loops_like_those_that_are_found() {
    assert_eq!(marked(&[1, 2, 3]), (2, 6, 12));
    for name in ["by_hand::marked", "by_hand::marked#2", "by_hand::marked#3"] {
        assert!(was_called(name), "{name}");
    }
}
