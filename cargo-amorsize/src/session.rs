//! Runs all programs of a package within one budget of time, again and again where a single run
//! records too little.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use cargo_metadata::Package;

use crate::build::Executable;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::project::Project;
use crate::run::{Mode, Outcome, Run};
use crate::tail::Tail;
use crate::term;

/// Runs of one program at most: with more, what they record will hardly change.
const MOST_ROUNDS: u64 = 40;

/// What is run, and for how long.
pub(crate) struct Session<'a> {
    pub(crate) project: &'a Project,
    pub(crate) package: &'a Package,
    pub(crate) mode: Mode,
    pub(crate) limit: Duration,
}

/// A program and the loops that it reached.
#[derive(Clone, Debug)]
pub(crate) struct Reached {
    pub(crate) executable: Executable,
    pub(crate) loops: BTreeSet<String>,
}

impl Session<'_> {
    /// Runs the programs until `enough` is true or the time is over. A program that fails is
    /// reported after the others had their turn.
    pub(crate) fn run(
        &self,
        programs: &[Executable],
        tail: &mut Tail,
        enough: impl Fn(&Tail) -> bool,
    ) -> Result<Vec<Reached>> {
        let started = Instant::now();
        let progress = Progress::start(self.mode.word(), self.limit);
        let mut reached: Vec<Reached> = programs
            .iter()
            .map(|executable| Reached { executable: executable.clone(), loops: BTreeSet::new() })
            .collect();
        // Those that ended by themselves and recorded something may run again.
        let mut again: Vec<usize> = (0..programs.len()).collect();
        let mut failed = None;
        let mut stopped_empty = None;
        for round in 0..MOST_ROUNDS {
            let turn = std::mem::take(&mut again);
            for (position, &index) in turn.iter().enumerate() {
                let left = self.limit.saturating_sub(started.elapsed());
                // What is known from the programs before does not excuse one from its first run.
                if left.is_zero() || (round > 0 && enough(tail)) {
                    continue;
                }
                let share = left / (turn.len() - position) as u32;
                let executable = &programs[index];
                let before = calls_by_loop(tail);
                let untuned_before = tail.seen.untuned.len();
                if round == 0 {
                    let what = format!("{} ({})", self.package.name, executable.title);
                    progress.suspend(|| term::status(self.mode.word(), &what));
                }
                match self.one(executable, round, share, tail, &progress, &enough) {
                    Err(error @ Error::Run { .. }) => {
                        failed.get_or_insert(error);
                    }
                    Err(other) => return Err(other),
                    Ok(outcome) => {
                        let now = calls_by_loop(tail);
                        let new = now.difference(&before).map(|(name, _)| name.clone());
                        let new: BTreeSet<String> = new.collect();
                        let is_empty = new.is_empty() && tail.seen.untuned.len() == untuned_before;
                        match outcome {
                            Outcome::Finished if !new.is_empty() => again.push(index),
                            Outcome::TimeUp if is_empty && round == 0 => {
                                progress.suspend(|| self.note_empty(executable, share));
                                stopped_empty.get_or_insert((index, share));
                            }
                            _ => {}
                        }
                        reached[index].loops.extend(new);
                    }
                }
            }
            if again.is_empty() {
                break;
            }
        }
        drop(progress);
        match (failed, stopped_empty) {
            (Some(error), _) => Err(error),
            (None, Some((index, share))) if tail.seen.is_empty() => Err(Error::Hung {
                package: self.package.name.to_string(),
                target: programs[index].title.clone(),
                seconds: share.as_secs_f64(),
            }),
            _ => Ok(reached),
        }
    }

    /// Runs one program once.
    pub(crate) fn one(
        &self,
        executable: &Executable,
        round: u64,
        limit: Duration,
        tail: &mut Tail,
        progress: &Progress,
        enough: impl Fn(&Tail) -> bool,
    ) -> Result<Outcome> {
        let base = self.project.target_folder();
        let records = records_folder(&base)?;
        let run = Run {
            project: self.project,
            package: self.package,
            executable,
            mode: &self.mode,
            round,
            records: records.path(),
            limit,
        };
        run.execute(tail, progress, enough)
    }

    fn note_empty(&self, executable: &Executable, share: Duration) {
        term::warning(&format!(
            "{} recorded no call of a tuned loop in {:.0} s and was stopped",
            executable.title,
            share.as_secs_f64()
        ));
    }
}

/// Every loop with how often it was called.
fn calls_by_loop(tail: &Tail) -> BTreeSet<(String, usize)> {
    tail.seen.loops.iter().map(|(name, calls)| (name.clone(), calls.len())).collect()
}

/// A folder for the records of one run, gone when it is dropped.
fn records_folder(base: &Path) -> Result<tempfile::TempDir> {
    std::fs::create_dir_all(base)
        .and_then(|()| tempfile::Builder::new().prefix("records-").tempdir_in(base))
        .map_err(|error| Error::write(base, &error))
}
