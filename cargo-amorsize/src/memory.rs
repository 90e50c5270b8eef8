//! Memory per task where no tracking allocator tells it: how the peak of the resident memory grows with the workers, in
//! fresh processes in which one loop has so many of them and all others run serially.

use std::time::{Duration, Instant};

use amorsize_profile::without_type;

use crate::build::Executable;
use crate::error::{Error, Result};
use crate::observations::{Observations, dominant, size_classes};
use crate::progress::Progress;
use crate::recording::Recording;
use crate::run::Mode;
use crate::session::Session;
use crate::tail::Tail;
use crate::tune::Job;
use crate::{term, units};

/// The share of the time limit that this may take, if there is a loop that it could matter for.
const SHARE: f64 = 0.15;

/// A loop whose first serial call did not make its process grow by so much is not looked at; and less than
/// this per worker cannot be told from what threads and the allocator keep for themselves.
const LEAST_BYTES: u64 = 4 << 20;

/// Worker counts that are compared, as far as the machine, the loop's items and its options allow.
const WORKERS: [u32; 3] = [1, 2, 4];

/// Runs with each of them.
const LEAST_ROUNDS: usize = 2;
const MOST_ROUNDS: usize = 4;

/// Calls of the loop after which a run has told enough.
const CALLS: usize = 4;

/// One run takes no longer than this.
const LONGEST_RUN: Duration = Duration::from_secs(4);

/// Measures what the recording has found worth it, and notes the results in what it has seen.
pub(crate) fn measure(job: &Job<'_>, recording: &mut Recording, limit: Duration) -> Result<()> {
    let mut candidates = candidates(job, recording);
    if candidates.is_empty() {
        return Ok(());
    }
    let started = Instant::now();
    let limit = limit.mul_f64(SHARE);
    term::status("Measuring", "memory per task, in processes with one to several workers");
    let progress = Progress::start("Measuring", limit);
    // The largest first, should there not be enough time for all.
    candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.growth));
    let number = candidates.len();
    for (index, candidate) in candidates.iter().enumerate() {
        let left = limit.saturating_sub(started.elapsed()) / (number - index) as u32;
        let (slope, runs) = candidate.slope(job, left, &progress)?;
        progress.suspend(|| candidate.report(job, slope, runs));
        if let Slope::Known(bytes) = slope {
            recording.seen.memory.entry(candidate.name.clone()).or_default().slope = Some(bytes);
        }
    }
    recording.spent += started.elapsed();
    Ok(())
}

/// A loop for which memory may matter.
struct Candidate {
    name: String,
    executable: Executable,
    workers: Vec<u32>,
    growth: u64,
}

fn candidates(job: &Job<'_>, recording: &Recording) -> Vec<Candidate> {
    let seen = &recording.seen;
    let most = seen.machines.iter().map(|machine| machine.workers).max().unwrap_or(1);
    let candidate = |name: &String| {
        let memory = seen.memory.get(name)?;
        let growth = memory.growth.filter(|&growth| growth >= LEAST_BYTES)?;
        let options = job.source(name)?.options;
        if memory.task.is_some() || options.memory_bytes.is_some() {
            return None;
        }
        let reaches = |loops: &String| without_type(loops) == without_type(name);
        let reached = recording.reached.iter().find(|each| each.loops.iter().any(reaches))?;
        let most = most.min(options.max_workers.map_or(u32::MAX, |most| most as u32));
        let workers = workers_for(most, items(seen, name)?);
        (workers.len() > 1).then(|| Candidate {
            name: name.clone(),
            executable: reached.executable.clone(),
            workers,
            growth,
        })
    };
    seen.memory.keys().filter_map(candidate).collect()
}

/// The number of items in most calls of a loop.
fn items(seen: &Observations, name: &str) -> Option<u64> {
    Some(dominant(&size_classes(seen.loops.get(name)?))?.items)
}

/// The worker counts to compare where there are so many workers, and so many items for them.
fn workers_for(most: u32, items: u64) -> Vec<u32> {
    let fits = |&workers: &u32| workers <= most && u64::from(workers) <= items;
    WORKERS.into_iter().filter(fits).collect()
}

impl Candidate {
    /// What the runs say, and how many there were.
    fn slope(&self, job: &Job<'_>, limit: Duration, progress: &Progress) -> Result<(Slope, usize)> {
        let started = Instant::now();
        let mut points: Vec<(u32, u64)> = Vec::new();
        let mut slope = Slope::Unsure;
        for round in 0..MOST_ROUNDS {
            let mut peaks = Vec::new();
            for (index, &workers) in self.workers.iter().enumerate() {
                let left = limit.saturating_sub(started.elapsed());
                if left.is_zero() {
                    return Ok((slope, points.len()));
                }
                // Of what is left, each run that is needed gets as much.
                let rounds = LEAST_ROUNDS.saturating_sub(round).max(1);
                let needed = rounds * self.workers.len() - index;
                let share = (left / needed as u32).min(LONGEST_RUN);
                peaks.push((workers, self.peaks(job, workers, round, share, progress)?));
            }
            // Later calls may find more in use than earlier ones: only equally many are compared.
            let calls = peaks.iter().map(|(_, peaks)| peaks.len()).min().unwrap_or(0);
            let Some(last) = calls.checked_sub(1) else { return Ok((slope, points.len())) };
            points.extend(peaks.iter().map(|(workers, peaks)| (*workers, peaks[last])));
            if round + 1 >= LEAST_ROUNDS {
                slope = Slope::of(&points);
                if !matches!(slope, Slope::Unsure) {
                    break;
                }
            }
        }
        Ok((slope, points.len()))
    }

    /// The peak after each call in a process with so many workers; none if it fails, as a process may that runs out of
    /// memory.
    fn peaks(
        &self,
        job: &Job<'_>,
        workers: u32,
        round: usize,
        limit: Duration,
        progress: &Progress,
    ) -> Result<Vec<u64>> {
        let most = self.workers.iter().copied().max().unwrap_or(1);
        let (name, items) = (self.name.clone(), u64::from(most));
        let mode = Mode::Memory { workers, items, name };
        let mut tail = Tail::new(Observations::default());
        let peaks = |tail: &Tail| -> Vec<u64> {
            tail.seen.memory.values().flat_map(|memory| memory.peaks.clone()).collect()
        };
        let session = Session { project: job.project, package: job.package, mode, limit };
        let enough = |tail: &Tail| peaks(tail).len() >= CALLS;
        match session.one(&self.executable, round as u64, limit, &mut tail, progress, enough) {
            Ok(_) => Ok(peaks(&tail)),
            Err(Error::Run { .. }) => Ok(Vec::new()),
            Err(other) => Err(other),
        }
    }

    fn report(&self, job: &Job<'_>, slope: Slope, runs: usize) {
        let name = &self.name;
        match slope {
            Slope::Known(bytes) => {
                let bytes = units::bytes(bytes);
                term::status("Measured", &format!("{name}: {bytes} per task, by {runs} runs"));
            }
            Slope::Small if job.verbose => term::detail(&format!(
                "{name}: less than {} per task, by {runs} runs",
                units::bytes(LEAST_BYTES)
            )),
            Slope::Small => {}
            // Most loops whose process grows allocate results, not room to work in: that this is unsure is no warning.
            Slope::Unsure if job.verbose => {
                let growth = units::bytes(self.growth);
                term::detail(&format!(
                    "{name} takes memory ({growth} in its first call), and {runs} runs do not tell \
                     how much per task: raise --time-limit, let the bench allocate through \
                     amorsize::TrackingAllocator, or declare it: #[amorsize::tune(memory = \"…\")]"
                ));
            }
            Slope::Unsure => {}
        }
    }
}

/// How the peak grows with the workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slope {
    /// By so many bytes for each.
    Known(u64),
    /// By too little to matter.
    Small,
    Unsure,
}

impl Slope {
    /// By least squares over workers and peaks. Whole MiB: no more can be told.
    fn of(points: &[(u32, u64)]) -> Self {
        const MIB: f64 = 1_048_576.0;
        let count = points.len() as f64;
        let mean =
            |value: &dyn Fn(&(u32, u64)) -> f64| points.iter().map(value).sum::<f64>() / count;
        let (workers, peak) = (mean(&|point| f64::from(point.0)), mean(&|point| point.1 as f64));
        let spread = count * mean(&|point| (f64::from(point.0) - workers).powi(2));
        let together =
            count * mean(&|point| (f64::from(point.0) - workers) * (point.1 as f64 - peak));
        let slope = together / spread;
        let residual =
            |point: &(u32, u64)| point.1 as f64 - peak - slope * (f64::from(point.0) - workers);
        let variance = count * mean(&|point| residual(point).powi(2)) / (count - 2.0);
        let error = (variance / spread).sqrt();
        if !slope.is_finite() || !error.is_finite() {
            return Slope::Unsure;
        }
        match slope {
            slope if slope + 2.0 * error < LEAST_BYTES as f64 => Slope::Small,
            slope if slope >= (4.0 * error).max(LEAST_BYTES as f64) => {
                Slope::Known(((slope / MIB).round() * MIB) as u64)
            }
            _ => Slope::Unsure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn what_grows_with_the_workers_is_told_from_what_does_not() {
        let points = |per_worker: u64| {
            let noise = [0, 300_000, 700_000, 100_000, 500_000, 0];
            let workers = [1_u32, 2, 4, 1, 2, 4];
            let peak = move |(workers, noise)| {
                (workers, 50 * MIB + u64::from(workers) * per_worker + noise)
            };
            workers.into_iter().zip(noise).map(peak).collect::<Vec<_>>()
        };
        for mib in [8, 64, 1_000] {
            assert_eq!(Slope::of(&points(mib * MIB)), Slope::Known(mib * MIB));
        }
        for small in [0, 64 << 10, 2 * MIB] {
            assert_eq!(Slope::of(&points(small)), Slope::Small);
        }
    }

    #[test]
    fn runs_that_contradict_each_other_tell_nothing() {
        // In one of them the second worker came too late.
        let mut points = vec![(1, 64 * MIB), (2, 128 * MIB), (1, 64 * MIB), (2, 64 * MIB)];
        assert_eq!(Slope::of(&points), Slope::Unsure);
        assert_eq!(Slope::of(&points[..2]), Slope::Unsure);
        assert_eq!(Slope::of(&[]), Slope::Unsure);
        points[3].1 = 127 * MIB;
        assert_eq!(Slope::of(&points), Slope::Known(64 * MIB));
        // More workers that take less are no measurement of memory.
        assert_eq!(Slope::of(&[(1, 9), (2, 5), (1, 9), (2, 5)]), Slope::Small);
    }

    #[test]
    fn no_more_workers_are_compared_than_have_something_to_do() {
        assert_eq!(workers_for(96, 1_000), [1, 2, 4]);
        assert_eq!(workers_for(3, 1_000), [1, 2]);
        assert_eq!(workers_for(96, 3), [1, 2]);
        assert_eq!(workers_for(1, 1_000), [1]);
    }
}
