//! The executor by its effects: results, order, drops, panics, whatever plan is in force.

use std::collections::{BTreeMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use amorsize_runtime::expansion::{Loop, LoopFacts, Options};
use amorsize_runtime::{Force, Tune, force};
use rayon::prelude::*;

#[path = "../../tests/skip/mod.rs"]
mod skip;

use skip::skip;

static LOOP: Loop = Loop::new("executor", Options::NONE, &[]);

/// Plans are in force for the whole process: tests that impose one take turns.
struct InForce(#[allow(dead_code)] MutexGuard<'static, ()>);

fn in_force(plan: Option<Force>) -> InForce {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    force(plan);
    InForce(turn)
}

impl Drop for InForce {
    fn drop(&mut self) {
        force(None);
    }
}

/// Plans of every kind. More workers than the machine has cores are served by as many pool threads.
fn plans() -> Vec<Option<Force>> {
    let workers = |workers, chunk| Some(Force::Workers { workers, chunk });
    vec![
        None,
        Some(Force::Serial),
        Some(Force::Rayon),
        workers(1, None),
        workers(2, None),
        workers(2, Some(1)),
        workers(3, Some(7)),
        workers(8, Some(64)),
        workers(8, Some(usize::MAX)),
    ]
}

/// Runs `test` under every plan, in a pool of its own that is larger than most machines.
fn under_every_plan(test: impl Fn() + Sync) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(8).build().expect("a pool");
    for plan in plans() {
        let _in_force = in_force(plan);
        pool.install(&test);
    }
}

#[test]
fn few_items_of_a_loop_that_was_never_seen_run_side_by_side_in_its_first_call() {
    static FIRST: Loop = Loop::new("first", Options::NONE, &[]);
    if amorsize_runtime::usable_cores() < 2 {
        return skip("there is one core");
    }
    let _in_force = in_force(None);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(8).build().expect("a pool");
    let (come, until) = (AtomicUsize::new(0), Instant::now() + Duration::from_secs(20));
    let meets = |_| {
        come.fetch_add(1, Ordering::SeqCst);
        while come.load(Ordering::SeqCst) < 2 && Instant::now() < until {
            thread::yield_now();
        }
        come.load(Ordering::SeqCst) == 2
    };
    assert!(pool.install(|| (0..2).into_par_iter().tuned(&FIRST).all(meets)));
}

#[test]
fn collects_are_complete_and_in_order() {
    under_every_plan(|| {
        for n in [0, 1, 2, 3, 7, 64, 65, 1_000] {
            let xs: Vec<usize> = (0..n).collect();
            let doubled: Vec<usize> = xs.par_iter().tuned(&LOOP).map(|x| x * 2).collect();
            assert_eq!(doubled, xs.iter().map(|x| x * 2).collect::<Vec<_>>());
            let odd: Vec<usize> =
                xs.par_iter().tuned(&LOOP).copied().filter(|x| x % 2 == 1).collect();
            assert_eq!(odd, xs.iter().copied().filter(|x| x % 2 == 1).collect::<Vec<_>>());
        }
    });
}

#[test]
fn every_adaptor_that_is_wrapped_again_gives_the_sequential_result() {
    under_every_plan(|| {
        let xs: Vec<u32> = (0..333).collect();
        let ys: Vec<u32> = (1_000..1_400).collect();
        macro_rules! same {
            ($parallel:expr, $serial:expr) => {
                assert_eq!(
                    $parallel.collect::<Vec<_>>(),
                    $serial.collect::<Vec<_>>(),
                    stringify!($parallel)
                );
            };
        }
        let p = || xs.par_iter().tuned(&LOOP);
        let s = || xs.iter();
        same!(p().enumerate(), s().enumerate());
        same!(p().rev(), s().rev());
        same!(p().skip(7).take(100), s().skip(7).take(100));
        same!(p().step_by(3), s().step_by(3));
        same!(p().zip(ys.par_iter()), s().zip(ys.iter()));
        same!(p().zip_eq(xs.par_iter().tuned(&LOOP)), s().zip(xs.iter()));
        same!(p().chain(ys.par_iter()), s().chain(ys.iter()));
        same!(p().chunks(10).map(|c| c.len()), xs.chunks(10).map(<[u32]>::len));
        same!(p().with_min_len(5).map(|x| x + 1), s().map(|x| x + 1));
        same!(p().with_max_len(5).map(|x| x + 1), s().map(|x| x + 1));
        same!(p().map_with(1, |a, x| x + *a), s().map(|x| x + 1));
        same!(p().map_init(|| 1, |a, x| x + *a), s().map(|x| x + 1));
        same!(p().cloned().update(|x| *x += 1), s().map(|x| x + 1));
        same!(p().inspect(|_| ()), s());
        same!(p().panic_fuse(), s());
        same!(p().filter_map(|x| x.checked_sub(300)), s().filter_map(|x| x.checked_sub(300)));
        same!(p().flat_map_iter(|x| 0..x % 4), s().flat_map(|x| 0..x % 4));
        same!(
            p().filter(|x| *x % 3 == 0).copied().map(|x| x * 2).filter(|x| x % 4 == 0),
            s().filter(|x| *x % 3 == 0).copied().map(|x| x * 2).filter(|x| x % 4 == 0)
        );
        same!(
            p().filter(|x| *x % 2 == 0).cloned().inspect(|_| ()).flat_map_iter(|x| [x, x]),
            s().filter(|x| *x % 2 == 0).cloned().flat_map(|x| [x, x])
        );
        same!(xs.par_chunks(7).tuned(&LOOP).map(<[u32]>::len), xs.chunks(7).map(<[u32]>::len));
        same!(xs.par_windows(2).tuned(&LOOP).map(|w| w[1]), xs.windows(2).map(|w| w[1]));
    });
}

#[test]
fn reductions_and_folds_see_every_item_once() {
    under_every_plan(|| {
        let n = 10_000_u64;
        let sum: u64 = (0..n as usize).into_par_iter().tuned(&LOOP).map(|x| x as u64).sum();
        assert_eq!(sum, n * (n - 1) / 2);
        let text: Vec<String> = (0..500).map(|x| x.to_string()).collect();
        // Not commutative: the order of the pieces matters.
        let joined = text
            .par_iter()
            .tuned(&LOOP)
            .fold(String::new, |all, word| all + word)
            .reduce(String::new, |left, right| left + &right);
        assert_eq!(joined, text.concat());
        let counts = (0..1_000_u32)
            .into_par_iter()
            .tuned(&LOOP)
            .fold(BTreeMap::new, |mut counts: BTreeMap<u32, u32>, x| {
                *counts.entry(x % 7).or_default() += 1;
                counts
            })
            .reduce(BTreeMap::new, |mut left, right| {
                right.into_iter().for_each(|(key, count)| *left.entry(key).or_default() += count);
                left
            });
        assert_eq!(counts.values().sum::<u32>(), 1_000);
        assert_eq!(counts.len(), 7);
    });
}

#[test]
fn mutation_in_place_reaches_every_item() {
    under_every_plan(|| {
        let mut xs = vec![0_u32; 5_000];
        let ys: Vec<u32> = (0..5_000).collect();
        xs.par_iter_mut().tuned(&LOOP).zip(ys.par_iter()).for_each(|(x, y)| *x += y + 1);
        assert!(xs.iter().zip(1..).all(|(x, y)| *x == y));
        xs.par_chunks_mut(64).tuned(&LOOP).for_each(|chunk| chunk.fill(7));
        assert_eq!(xs, vec![7; 5_000]);
    });
}

#[test]
fn searches_find_what_they_look_for() {
    under_every_plan(|| {
        let p = || (0..10_000_usize).into_par_iter().tuned(&LOOP);
        assert_eq!(p().find_any(|&x| x == 7_777), Some(7_777));
        assert_eq!(p().find_first(|&x| x % 100 == 99), Some(99));
        assert_eq!(p().find_last(|&x| x % 100 == 99), Some(9_999));
        assert_eq!(p().position_first(|x| x == 5_000), Some(5_000));
        assert!(p().filter(|x| x % 2 == 0).any(|x| x == 4_444));
        assert!(p().all(|x| x < 10_000));
        let short: Result<Vec<usize>, usize> =
            p().map(|x| if x == 9_000 { Err(x) } else { Ok(x) }).collect();
        assert_eq!(short, Err(9_000));
    });
}

/// Counts its drops.
struct Counted {
    id: usize,
    drops: Arc<Vec<AtomicUsize>>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.drops[self.id].fetch_add(1, Ordering::Relaxed);
    }
}

fn counted(n: usize) -> (Vec<Counted>, Arc<Vec<AtomicUsize>>) {
    let drops: Arc<Vec<_>> = Arc::new((0..n).map(|_| AtomicUsize::new(0)).collect());
    ((0..n).map(|id| Counted { id, drops: Arc::clone(&drops) }).collect(), drops)
}

fn each_once(drops: &[AtomicUsize]) -> bool {
    drops.iter().all(|count| count.load(Ordering::Relaxed) == 1)
}

#[test]
fn items_and_results_are_dropped_once() {
    under_every_plan(|| {
        let (items, drops) = counted(500);
        items.into_par_iter().tuned(&LOOP).filter(|item| item.id % 2 == 0).for_each(drop);
        assert!(each_once(&drops));
        let (items, drops) = counted(500);
        let kept: Vec<Counted> = items.into_par_iter().tuned(&LOOP).map(|item| item).collect();
        assert!(drops.iter().all(|count| count.load(Ordering::Relaxed) == 0));
        drop(kept);
        assert!(each_once(&drops));
        let (items, drops) = counted(500);
        drop(items.into_par_iter().tuned(&LOOP));
        assert!(each_once(&drops));
    });
}

#[test]
fn a_panic_anywhere_reaches_the_caller_and_drops_everything_once() {
    keep_expected_panics_quiet();
    under_every_plan(|| {
        for bad in [0, 1, 63, 64, 250, 498, 499] {
            let (items, drops) = counted(500);
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                items
                    .into_par_iter()
                    .tuned(&LOOP)
                    .map(|item| if item.id == bad { panic!("item {bad}") } else { item })
                    .collect::<Vec<_>>()
            }));
            let payload = outcome.err().expect("the panic comes through");
            assert_eq!(payload.downcast_ref::<String>(), Some(&format!("item {bad}")));
            assert!(each_once(&drops), "item {bad}");
        }
        // The loop and the pool go on.
        assert_eq!((0..100_u32).into_par_iter().tuned(&LOOP).sum::<u32>(), 4_950);
    });
}

#[test]
fn panics_in_folds_reducers_and_drops_come_through() {
    keep_expected_panics_quiet();
    struct Explosive(bool);
    impl Drop for Explosive {
        fn drop(&mut self) {
            if self.0 && !thread::panicking() {
                panic!("drop");
            }
        }
    }
    under_every_plan(|| {
        let p = || (0..1_000_usize).into_par_iter().tuned(&LOOP).with_max_len(10);
        let reduce = || p().reduce(|| 0, |_, _| panic!("reducer"));
        assert!(catch_unwind(AssertUnwindSafe(reduce)).is_err());
        let identity = || p().fold(|| panic!("identity"), |a: usize, _| a).sum::<usize>();
        assert!(catch_unwind(AssertUnwindSafe(identity)).is_err());
        let drops = || p().map(|x| Explosive(x == 500)).for_each(drop);
        assert!(catch_unwind(AssertUnwindSafe(drops)).is_err());
    });
}

/// Keeps expected panics off the terminal, for the rest of the process.
fn keep_expected_panics_quiet() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let expected = ["item ", "reducer", "identity", "drop"];
        let text = info.payload().downcast_ref::<&str>().copied();
        let message = info.payload().downcast_ref::<String>().map(String::as_str).or(text);
        let message = message.unwrap_or_default();
        if !expected.iter().any(|start| message.starts_with(start)) {
            before(info);
        }
    }));
}

#[test]
fn a_largest_length_set_by_hand_holds_in_every_plan() {
    under_every_plan(|| {
        let largest = (0..1_000_usize)
            .into_par_iter()
            .tuned(&LOOP)
            .with_max_len(8)
            .fold(|| 0, |count, _| count + 1)
            .reduce(|| 0, usize::max);
        assert!((1..=8).contains(&largest), "{largest}");
    });
}

#[test]
fn a_smallest_length_set_by_hand_holds_in_every_plan() {
    under_every_plan(|| {
        let smallest = (0..1_000_usize)
            .into_par_iter()
            .tuned(&LOOP)
            .with_min_len(100)
            .fold(|| 0, |count, _| count + 1)
            .reduce(|| usize::MAX, usize::min);
        assert!(smallest >= 100, "{smallest}");
    });
}

#[test]
fn a_loop_below_break_even_never_enters_the_pool() {
    static CHEAP: Loop = Loop::new("cheap", Options::NONE, &[]);
    let _in_force = in_force(None);
    CHEAP.adopt(LoopFacts { item_ns: 1.0, reduce_ns: 10.0, ..LoopFacts::default() });
    let caller = thread::current().id();
    // Fewer calls than it takes for one to be sampled: however slow this machine is just now, nothing
    // is learnt.
    for _ in 0..200 {
        let threads: HashSet<_> =
            (0..100).into_par_iter().tuned(&CHEAP).map(|_: i32| thread::current().id()).collect();
        assert_eq!(threads, HashSet::from([caller]));
    }
}

#[test]
fn loops_nest_and_mix_with_rayons_own() {
    under_every_plan(|| {
        let total: u64 = (0..40_u64)
            .into_par_iter()
            .map(|x| {
                let inner =
                    |y: usize| (0..y).into_par_iter().tuned(&LOOP).map(|z| z as u64).sum::<u64>();
                let (a, b) = rayon::join(
                    || (0..50_usize).into_par_iter().tuned(&LOOP).map(inner).sum::<u64>(),
                    || x,
                );
                a + b
            })
            .sum();
        let inner: u64 = (0..50_u64).map(|y| y * y.saturating_sub(1) / 2).sum();
        assert_eq!(total, 40 * inner + 40 * 39 / 2);
    });
}

#[test]
fn many_threads_outside_the_pool_call_one_loop_at_once() {
    for plan in [None, Some(Force::Workers { workers: 2, chunk: Some(3) })] {
        let _in_force = in_force(plan);
        thread::scope(|scope| {
            for caller in 0..8_u64 {
                scope.spawn(move || {
                    for round in 0..200 {
                        let n = caller * 10 + round % 50;
                        let sum: u64 =
                            (0..n as usize).into_par_iter().tuned(&LOOP).map(|x| x as u64).sum();
                        assert_eq!(sum, n * n.saturating_sub(1) / 2);
                    }
                });
            }
        });
    }
}

#[test]
fn thousands_of_threads_call_one_loop_at_once() {
    let _in_force = in_force(Some(Force::Workers { workers: 4, chunk: Some(3) }));
    let gate = RwLock::new(());
    let call = || {
        drop(gate.read());
        for n in [1, 30, 300] {
            let words: Vec<String> =
                (0..n).into_par_iter().tuned(&LOOP).map(|x| x.to_string()).collect();
            assert!(words.into_iter().eq((0..n).map(|x| x.to_string())));
        }
    };
    thread::scope(|scope| {
        let closed = gate.write();
        // As many as the system allows.
        for _ in 0..3_000 {
            if thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, call).is_err() {
                break;
            }
        }
        drop(closed);
    });
}

#[test]
fn a_pool_of_one_thread_is_enough() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    for plan in plans() {
        let _in_force = in_force(plan);
        let sum = || (0..1_000_u32).into_par_iter().tuned(&LOOP).map(|x| x % 10).sum::<u32>();
        assert_eq!(pool.install(sum), 4_500);
        assert_eq!(sum(), 4_500);
    }
}

#[test]
fn generic_code_that_hides_the_methods_still_gets_all_items() {
    fn total(xs: impl IndexedParallelIterator<Item = usize>) -> usize {
        xs.enumerate().map(|(i, x)| i * x).sum()
    }
    under_every_plan(|| {
        let expected: usize = (0..100).map(|x| x * x).sum();
        assert_eq!(total((0..100_usize).into_par_iter().tuned(&LOOP)), expected);
    });
}
