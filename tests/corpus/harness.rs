//! Runs programs and compares what they do.

use std::any::Any;
use std::fmt::Debug;
use std::panic::{self, AssertUnwindSafe};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, OnceLock, PoisonError};

use amorsize::{Force, force, invalid_force, loops};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::CORPUS;
use crate::counted::{self, Counted};
use crate::unset::unset_variables;

/// A program, compiled twice. Either function takes a number of items and shows what came out.
pub(crate) struct Program {
    /// The path of the tuned function, which is also the name of its first loop.
    pub(crate) name: &'static str,
    pub(crate) receivers: Receivers,
    pub(crate) plain: fn(usize) -> String,
    pub(crate) tuned: fn(usize) -> String,
}

/// What a program's loops run over.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Receivers {
    /// At least one loop is tuned.
    Indexed,
    /// None is: rayon cannot index them.
    Unindexed,
}

/// Defines a module's programs as `name(input: Type = value, …) -> Type { body }`. Values may use the
/// number of items, whose name is given first.
macro_rules! programs {
    ($receivers:ident, $n:ident; $(
        $name:ident $(<$lifetime:lifetime>)? ($($input:ident: $type:ty = $value:expr),* $(,)?)
            -> $out:ty { $($body:tt)* }
    )*) => {
        pub(crate) const PROGRAMS: &[$crate::harness::Program] = &[$(
            $crate::harness::Program {
                name: concat!(module_path!(), "::tuned::", stringify!($name)),
                receivers: $crate::harness::Receivers::$receivers,
                plain: |$n| {
                    let _ = $n;
                    $crate::harness::shown(plain::$name($($value),*))
                },
                tuned: |$n| {
                    let _ = $n;
                    $crate::harness::shown(tuned::$name($($value),*))
                },
            },
        )*];

        mod plain {
            use super::*;

            $(pub(super) fn $name $(<$lifetime>)? ($($input: $type),*) -> $out { $($body)* })*
        }

        mod tuned {
            use super::*;

            $(
                #[amorsize::tune]
                pub(super) fn $name $(<$lifetime>)? ($($input: $type),*) -> $out { $($body)* }
            )*
        }

        #[test]
        fn outcomes_are_the_same_under_every_plan() {
            $crate::harness::check_under_every_plan(PROGRAMS);
        }
    };
}

/// Defines programs that consist of items. Each has a function `run`, which takes the number of items;
/// functions in `tune! { … }` are annotated in one of the two modules that are made of the program, with
/// the options that stand in front in brackets.
macro_rules! shapes {
    ($($(#[$attribute:meta])* $name:ident { $($items:tt)* })*) => {
        pub(crate) const PROGRAMS: &[$crate::harness::Program] = &[$(
            $crate::harness::Program {
                name: concat!(module_path!(), "::tuned::", stringify!($name)),
                receivers: $crate::harness::Receivers::Indexed,
                plain: |n| $crate::harness::shown(plain::$name::run(n)),
                tuned: |n| $crate::harness::shown(tuned::$name::run(n)),
            },
        )*];

        mod plain {
            $($(#[$attribute])* pub(super) mod $name {
                use $crate::harness::as_it_is as tune;
                $($items)*
            })*
        }

        mod tuned {
            $($(#[$attribute])* pub(super) mod $name {
                use $crate::harness::annotated as tune;
                $($items)*
            })*
        }

        #[test]
        fn outcomes_are_the_same_under_every_plan() {
            $crate::harness::check_under_every_plan(PROGRAMS);
        }
    };
}

macro_rules! as_it_is {
    ([$($options:tt)*] $($function:tt)*) => { $($function)* };
    ($($function:tt)*) => { $($function)* };
}

macro_rules! annotated {
    ([$($options:tt)*] $($function:tt)*) => {
        #[::amorsize::tune($($options)*)]
        $($function)*
    };
    ($($function:tt)*) => {
        #[::amorsize::tune]
        $($function)*
    };
}

pub(crate) use {annotated, as_it_is, programs, shapes};

/// What came out of a program, as text.
pub(crate) fn shown(value: impl Debug) -> String {
    format!("{value:?}")
}

/// Numbers of items that every program runs with.
const SIZES: [usize; 5] = [0, 1, 2, 33, 600];

const PLANS: [Option<Force>; 5] = [
    None,
    Some(Force::Serial),
    Some(Force::Rayon),
    Some(Force::Workers { workers: 2, chunk: Some(1) }),
    Some(Force::Workers { workers: 8, chunk: None }),
];

/// Where a program is called.
#[derive(Clone, Copy, Debug)]
enum Place {
    InAPool,
    OutsideOfAnyPool,
}

const PLACES: [Place; 2] = [Place::InAPool, Place::OutsideOfAnyPool];

/// Plans are in force for the whole process, and items are counted in it: tests take turns.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A pool larger than most machines that run tests. Rayon's global one is made larger too.
pub(crate) fn pool() -> &'static ThreadPool {
    static POOL: OnceLock<ThreadPool> = OnceLock::new();
    POOL.get_or_init(|| {
        ThreadPoolBuilder::new().num_threads(4).build_global().expect("no test made one before");
        ThreadPoolBuilder::new().num_threads(8).build().expect("threads can be started")
    })
}

/// Compares the two forms of each program under every plan.
pub(crate) fn check_under_every_plan(programs: &[Program]) {
    let _turn = turn();
    let mut differences = Vec::new();
    for program in programs {
        let expected = Expected::of(program);
        for plan in PLANS {
            force(plan);
            differences.extend(expected.differences(&format!("{plan:?}")));
        }
    }
    force(None);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    check_that_loops_are_tuned(programs);
}

/// Compares all programs in a process with this value of `AMORSIZE`, which runs the calling test, `name`.
pub(crate) fn check_in_a_process_with(name: &str, value: Option<&str>) {
    const INSIDE: &str = "AMORSIZE_TEST_INSIDE";
    let _turn = turn();
    if std::env::var_os(INSIDE).is_some() {
        let programs = || CORPUS.iter().copied().flatten();
        let differences: Vec<String> = programs()
            .flat_map(|program| Expected::of(program).differences(&format!("AMORSIZE={value:?}")))
            .collect();
        assert!(differences.is_empty(), "{}", differences.join("\n"));
        assert_eq!(invalid_force(), None);
        return CORPUS.iter().copied().for_each(check_that_loops_are_tuned);
    }
    let mut command = Command::new(std::env::current_exe().expect("a test has a path"));
    unset_variables(&mut command).args(["--exact", name]).env(INSIDE, "1");
    if let Some(value) = value {
        command.env("AMORSIZE", value);
    }
    let output = command.output().expect("a test can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.is_empty(), "the library must not print: {stderr}");
}

/// A program that does nothing different because it is not tuned would prove nothing.
fn check_that_loops_are_tuned(programs: &[Program]) {
    let tuned = loops();
    for Program { name, receivers, .. } in programs {
        let is_tuned = tuned.iter().any(|each| {
            let rest = each.name.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['#', ':']))
        });
        assert_eq!(is_tuned, *receivers == Receivers::Indexed, "whether {name} is tuned");
    }
}

/// A program, and what its plain form does for each of [`SIZES`].
struct Expected<'p> {
    program: &'p Program,
    outcomes: [String; SIZES.len()],
}

impl<'p> Expected<'p> {
    fn of(program: &'p Program) -> Self {
        let [outcomes, again] = PLACES.map(|place| SIZES.map(|n| outcome(program.plain, n, place)));
        assert_eq!(outcomes, again, "without tuning, {} is not the same every time", program.name);
        Expected { program, outcomes }
    }

    /// What the tuned form does differently with the plan now in force, a line each.
    fn differences(&self, plan: &str) -> Vec<String> {
        let Program { name, tuned, .. } = self.program;
        let mut differences = Vec::new();
        for (n, expected) in SIZES.into_iter().zip(&self.outcomes) {
            for place in PLACES {
                let seen = outcome(*tuned, n, place);
                if seen != *expected {
                    let (expected, seen) = (excerpt(expected), excerpt(&seen));
                    let line =
                        format!("{name}, n = {n}, {plan}, {place:?}: {seen} instead of {expected}");
                    differences.push(line);
                }
            }
        }
        differences
    }
}

fn excerpt(outcome: &str) -> String {
    outcome.chars().take(300).collect()
}

/// What `run` gives or how it panics. Whatever it counts must be dropped in the end.
fn outcome(run: fn(usize) -> String, n: usize, place: Place) -> String {
    let pool = pool();
    let (before, running) = (counted::alive(), Running::start());
    let result = panic::catch_unwind(AssertUnwindSafe(|| match place {
        Place::InAPool => pool.install(|| run(n)),
        Place::OutsideOfAnyPool => run(n),
    }));
    let outcome = result.unwrap_or_else(message);
    drop(running);
    assert_eq!(counted::alive(), before, "items are left over, or were dropped twice: {outcome}");
    outcome
}

fn message(payload: Box<dyn Any + Send>) -> String {
    let payload = match payload.downcast::<String>() {
        Ok(text) => return format!("panic: {text}"),
        Err(payload) => payload,
    };
    let payload = match payload.downcast::<&str>() {
        Ok(text) => return format!("panic: {text}"),
        Err(payload) => payload,
    };
    match payload.downcast::<Counted>() {
        Ok(item) => format!("panic: {item:?}"),
        Err(_) => "panic".to_owned(),
    }
}

/// While a program runs its panics are part of the outcome, and are not printed.
struct Running;

impl Running {
    fn start() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let usual = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                if !IS_RUNNING.load(Ordering::Relaxed) {
                    usual(info);
                }
            }));
        });
        IS_RUNNING.store(true, Ordering::Relaxed);
        Running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        IS_RUNNING.store(false, Ordering::Relaxed);
    }
}

static IS_RUNNING: AtomicBool = AtomicBool::new(false);
