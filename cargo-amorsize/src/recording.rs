//! Records the benches of a package, and its tests if functions are left that no bench reached.

use std::time::{Duration, Instant};

use amorsize_profile::Profile;

use crate::build::{What, build};
use crate::enough;
use crate::error::{Error, Result};
use crate::noise::{self, Ticks};
use crate::observations::{Observations, dominant, size_classes};
use crate::progress::counted;
use crate::project;
use crate::run::Mode;
use crate::scan::{Function, Scan};
use crate::session::{Reached, Session};
use crate::tail::Tail;
use crate::tune::Job;
use crate::{term, units};

/// Shares of the time limit: benches, then tests for what no bench reaches. The rest is for verifying.
const BENCHES: f64 = 0.55;
const TESTS: f64 = 0.2;

/// What was observed, and how.
pub(crate) struct Recording {
    pub(crate) seen: Observations,
    pub(crate) reached: Vec<Reached>,
    /// Time of measuring, without builds.
    pub(crate) spent: Duration,
    /// The largest share of the processors that other programs took.
    pub(crate) load: f64,
}

impl Recording {
    /// Builds and records. Only `--bench` keeps the tests out when there are functions left.
    pub(crate) fn of(
        job: &Job<'_>,
        benches: Vec<String>,
        old: Option<&Profile>,
        limit: Duration,
    ) -> Result<Self> {
        let sections = old.into_iter().flat_map(|profile| profile.machines.values());
        let names = sections.flat_map(|section| section.loops.keys());
        let mut tail = Tail::new(Observations::named_as(names));
        let mut recording = Recording {
            seen: Observations::default(),
            reached: Vec::new(),
            spent: Duration::ZERO,
            load: 0.0,
        };
        if !benches.is_empty() {
            let share = limit.mul_f64(BENCHES);
            recording.add(job, &What::Benches(benches), &mut tail, &expected(&job.scan), share)?;
        }
        let missing = unreached(&job.scan, &tail.seen);
        let wanted = job.options.tests || (job.options.bench.is_empty() && !missing.is_empty());
        if wanted && project::has_tests(job.package) {
            if job.verbose && !missing.is_empty() && !recording.reached.is_empty() {
                term::detail(&format!("no bench reached {}", missing.join(", ")));
            }
            let share = if recording.reached.is_empty() { BENCHES } else { TESTS };
            let tested =
                recording.add(job, &What::Tests, &mut tail, &missing, limit.mul_f64(share));
            match tested {
                // What benches recorded is as good without tests that nobody asked for.
                Err(error @ (Error::Build { .. } | Error::Run { .. } | Error::Hung { .. }))
                    if !job.options.tests && tail.seen.calls() > 0 =>
                {
                    term::warning(&format!("{error}: what no bench reached is left out"));
                    term::note(&error.hint());
                }
                tested => tested?,
            }
        }
        if tail.seen.strange_lines > 0 && tail.seen.calls() == 0 {
            return Err(Error::Records {
                target: format!("package `{}`", job.package.name),
                message: counted(tail.seen.strange_lines, "unknown line"),
            });
        }
        recording.seen = tail.seen;
        Ok(recording)
    }

    fn add(
        &mut self,
        job: &Job<'_>,
        what: &What,
        tail: &mut Tail,
        expected: &[String],
        limit: Duration,
    ) -> Result<()> {
        let programs =
            build(job.project, job.package, what, &job.project.features(job.package, job.options))?;
        let (started, before) = (Instant::now(), Ticks::now());
        let (project, package) = (job.project, job.package);
        let session = Session { project, package, mode: Mode::Explore, limit };
        let reached = session.run(&programs, tail, |tail| enough::to_fit(tail, expected))?;
        let took = started.elapsed();
        self.reached.extend(reached);
        self.spent += took;
        self.load = self.load.max(noise::share_since(before));
        term::status(
            "Recorded",
            &format!(
                "{} of {} in {:.1} s",
                counted(tail.seen.calls(), "call"),
                counted(tail.seen.loops.len(), "loop"),
                took.as_secs_f64()
            ),
        );
        if job.verbose {
            for (name, calls) in &tail.seen.loops {
                let classes = size_classes(calls);
                let Some(class) = dominant(&classes) else { continue };
                term::detail(&format!(
                    "{name}: {} of {} items, {} serial ± {:.1} %, {} parallel",
                    counted(calls.len(), "call"),
                    units::count(class.items),
                    class.serial.len(),
                    class.serial_uncertainty() * 100.0,
                    class.parallel_calls(),
                ));
            }
        }
        Ok(())
    }
}

/// The names of the benches to run.
pub(crate) fn benches(job: &Job<'_>) -> Result<Vec<String>> {
    let mut features = job.project.features(job.package, job.options);
    let anchor = job.project.anchor(job.package)?;
    if anchor.folder == project::folder_of(job.package) {
        features.named.push(anchor.feature);
    }
    let known: Vec<String> = project::benches(job.package, &features)
        .into_iter()
        .map(|target| target.name.clone())
        .collect();
    let named = job.project.named_benches(job.package, job.options).unwrap_or_default();
    if named.is_empty() {
        return Ok(known);
    }
    match named.iter().find(|bench| !known.contains(bench)) {
        None => Ok(named),
        Some(bench) => Err(Error::NoSuchBench {
            package: job.package.name.to_string(),
            bench: bench.clone(),
            known,
        }),
    }
}

/// Functions that somebody would miss in the profile: not those of benches and tests, and not those
/// under a `#[cfg]` that may not hold here.
pub(crate) fn expected(scan: &Scan) -> Vec<String> {
    let matters = |functions: &[Function]| {
        functions.iter().any(|function| !function.auxiliary && !function.conditional)
    };
    let functions = scan.functions.iter();
    functions.filter(|(_, all)| matters(all)).map(|(name, _)| name.clone()).collect()
}

fn unreached(scan: &Scan, seen: &Observations) -> Vec<String> {
    expected(scan).into_iter().filter(|name| !seen.has_reached(name)).collect()
}
