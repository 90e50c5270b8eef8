//! `cargo amorsize tune`: build, record, fit, verify, write. Nothing is written before the last step,
//! so whatever goes wrong leaves the old profile as it was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use amorsize_profile::{LoopEntry, LoopFacts, Profile, Section, without_type};
use cargo_metadata::Package;

use crate::cli::{MessageFormat, Tune};
use crate::error::{Error, Result};
use crate::fit::{Measurement, Source, spread};
use crate::keep::{self, is_kept, merged, restore};
use crate::noise::{self, Ticks};
use crate::observations::Observations;
use crate::progress::counted;
use crate::project::{self, Project, folder_of, profile_path};
use crate::recording::{self, Recording};
use crate::scan::Scan;
use crate::verdict::{self, Verified};
use crate::verification::Verification;
use crate::{again, check, document, manifest, memory, process, profile, term, tokens};

/// Other programs that take more than this share of the processors distort what is measured.
const LOADED: f64 = 0.1;

/// With more than this, parallel plans cannot be judged at all: what was measured before is better.
const OVERLOADED: f64 = 0.25;

/// Plans that lost are changed and verified again, if there is time for it.
const VERIFICATIONS: usize = 2;
const FIRST_VERIFICATION: f64 = 0.7;
const SHORTEST_VERIFICATION: Duration = Duration::from_secs(3);

/// Items that all take longer than the file says by such a factor are worth a remark: the machine is
/// slower today, or another one of its class.
const NOTABLE_PACE: f64 = 1.25;

/// Serial calls of one loop that spread by more than this, in the middle half and in the median over
/// all loops, say that the machine is doing something else.
const HOPELESS: f64 = 0.6;

pub(crate) fn tune(project: &Project, options: &Tune, verbose: bool) -> Result<()> {
    process::catch_interrupts();
    let mut tuned = Vec::new();
    let result = tune_all(project, options, verbose, &mut tuned);
    if options.output.message_format == MessageFormat::Json {
        term::result(&document::tune(&tuned));
    }
    result
}

/// Adds to `tuned` what became of each package, also where a later one fails.
fn tune_all(
    project: &Project,
    options: &Tune,
    verbose: bool,
    tuned: &mut Vec<Tuned>,
) -> Result<()> {
    let mut worst = None;
    for package in project.packages() {
        let result = match Scan::of(package) {
            Ok(scan) if scan.is_empty() && !project.is_explicit() => {
                check::warn_of_skipped(project, &scan, package);
                continue;
            }
            Ok(_) if project.named_benches(package, options).is_none() => continue,
            Ok(scan) => Job { project, package, options, verbose, scan }.run(),
            Err(error) => Err(error),
        };
        match result {
            Ok(package) => tuned.push(package),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => crate::report_milder(&mut worst, error),
        }
    }
    match worst {
        Some(error) => Err(error),
        None if tuned.is_empty() => {
            Err(Error::NothingAnnotated { packages: check::names(project) })
        }
        None => Ok(()),
    }
}

/// What became of a package that was tuned.
pub(crate) struct Tuned {
    pub(crate) package: String,
    pub(crate) profile: PathBuf,
    /// Of the machine that it was tuned on.
    pub(crate) class: String,
    /// Whether the profile is another one than before; `false` in a dry run.
    pub(crate) is_written: bool,
    /// The share of the processors that other programs used.
    pub(crate) load: f64,
    pub(crate) rows: Vec<Verified>,
    /// Loops whose plans did not win, so that others were chosen.
    pub(crate) mended: Vec<String>,
    /// Loops that were reached and cannot be tuned.
    pub(crate) untuned: Vec<String>,
    /// Annotated functions that no run reached.
    pub(crate) unreached: Vec<String>,
}

/// One package to tune.
pub(crate) struct Job<'a> {
    pub(crate) project: &'a Project,
    pub(crate) package: &'a Package,
    pub(crate) options: &'a Tune,
    pub(crate) verbose: bool,
    pub(crate) scan: Scan,
}

/// What the verification of a section came to.
struct Outcome {
    rows: Vec<Verified>,
    /// Of all rounds those whose plan was then changed.
    lost: Vec<Verified>,
    /// Loops whose plans were changed.
    mended: Vec<String>,
    /// Of the recording and the verification together.
    measurement: Measurement,
}

impl Job<'_> {
    fn run(&self) -> Result<Tuned> {
        let old = profile::load(self.package)?;
        check::warn_of_doubts(&self.scan, self.package);
        self.project.anchor(self.package)?;
        if self.scan.has_nothing() {
            let packages = format!("package `{}`", self.package.name);
            return Err(Error::NothingAnnotated { packages });
        }
        let benches = recording::benches(self)?;
        if benches.is_empty() && !project::has_tests(self.package) {
            return Err(Error::NothingRuns {
                package: self.package.name.to_string(),
                loops: counted(self.scan.functions.len(), "annotated function"),
            });
        }
        if !self.options.dry_run {
            profile::check_writable(folder_of(self.package))?;
        }

        let limit = Duration::from_secs(self.options.time_limit);
        let mut recording = Recording::of(self, benches, old.as_ref(), limit)?;
        memory::measure(self, &mut recording, limit)?;
        let seen = &recording.seen;
        let measurement = self.measurement(seen)?;
        self.refuse_noise(&measurement, recording.load)?;

        let class = measurement.machine.class.clone();
        let old_section = old.as_ref().and_then(|profile| profile.machines.get(&class));
        // A loop that was one for items of any type is gone once it is told apart by type.
        let replaced = |name: &str| {
            let mut names = measurement.loops.keys();
            names.any(|typed| typed != name && without_type(typed) == name)
        };
        let exists =
            |name: &str, entry: &LoopEntry| self.scan.has(name, &entry.tokens) && !replaced(name);
        let trusted = self.trusts(recording.load);
        let mut section = rounded(&class, merged(old_section, &measurement, exists, trusted));

        let left = limit.saturating_sub(recording.spent);
        let before = Ticks::now();
        let kept = |name: &str, entry: &LoopEntry| is_kept(old_section, name, entry);
        let verified = self.verify(&recording, &class, &mut section, kept, left)?;
        if let Some(old) = old_section {
            let section_facts = section.facts;
            let lost = |name: &str, facts: &LoopFacts| {
                let measurement = &verified.measurement;
                measurement.loops.get(name).is_some_and(|measured| {
                    let limits = measurement.limits(measured, facts);
                    verdict::would_lose(name, facts, &section_facts, &limits, &verified.lost)
                })
            };
            restore(&mut section, old, &verified.measurement, trusted, lost);
        }
        let rows = &verified.rows;
        verdict::note_speedups(&mut section, rows, kept);
        // A plan that was mended is news only if the entry was not put back.
        let mut mended = verified.mended;
        mended.retain(|name| section.loops.get(name).is_some_and(|entry| !kept(name, entry)));
        if self.options.output.message_format == MessageFormat::Human {
            verdict::print(rows, &section, &mended, self.verbose);
        }
        let is_new = |name: &str, entry: &LoopEntry| {
            measurement.loops.contains_key(name) && !kept(name, entry)
        };
        self.name_unverified(verdict::unverified(rows, &section, is_new));
        let load = recording.load.max(noise::share_since(before));
        self.warn_of_load(load, old_section.is_some());

        process::check_interrupted()?;
        let untuned = self.untuned(seen);
        keep::note_untuned(&mut section, old_section, &measurement, untuned.clone());
        let pace = keep::pace(&section, &verified.measurement);
        let profile = profile_path(self.package);
        let is_written = if self.options.dry_run {
            let note = format!("{} stays as it is", profile.display());
            term::status("Dry run", &note);
            false
        } else {
            self.write(&profile, &class, section, old_section, pace)?
        };
        for name in untuned.keys() {
            term::status("Untuned", &format!("{name}: needs no plan (a join, or not indexable)"));
        }
        let unreached = self.name_unreached(seen);
        Ok(Tuned {
            package: self.package.name.to_string(),
            profile,
            class,
            is_written,
            load,
            rows: verified.rows,
            mended,
            untuned: untuned.into_keys().collect(),
            unreached,
        })
    }

    /// Verifies the plans of `section`, gives up those that lost, and verifies what then changed.
    fn verify(
        &self,
        recording: &Recording,
        class: &str,
        section: &mut Section,
        kept: impl Fn(&str, &LoopEntry) -> bool,
        limit: Duration,
    ) -> Result<Outcome> {
        let started = Instant::now();
        let reached = &recording.reached;
        let verification =
            Verification { project: self.project, package: self.package, class, reached };
        let mut seen = recording.seen.clone();
        let mut rows: Vec<Verified> = Vec::new();
        let mut lost: Vec<Verified> = Vec::new();
        // Names of loops: changed in the last round, and in any.
        let (mut changed, mut mended) = (Vec::<String>::new(), Vec::<String>::new());
        for round in 0.. {
            let left = limit.saturating_sub(started.elapsed());
            let share = if round == 0 { left.mul_f64(FIRST_VERIFICATION) } else { left };
            let concerned = |name: &str| round == 0 || changed.iter().any(|other| other == name);
            let before = Ticks::now();
            let observed = verification.run(section, concerned, share)?;
            let trusted = self.trusts(noise::share_since(before));
            let compared = verdict::compare(&observed, section);
            rows.retain(|row| !concerned(&row.name));
            rows.extend(compared.into_iter().filter(|row| concerned(&row.name)));
            rows.sort_by(|a, b| (&a.name, a.items).cmp(&(&b.name, b.items)));

            seen = seen.with_verification(&observed);
            let measurement = self.measurement(&seen)?;
            // A plan that lost to other programs is not the plan's fault.
            changed = if trusted {
                verdict::mend(section, &mut rows, &measurement, &kept)
            } else {
                Vec::new()
            };
            *section = rounded(class, section.clone());
            let settled = changed.is_empty();
            if !settled {
                let plans = counted(changed.len(), "plan");
                term::status("Mending", &format!("{plans} that did not win"));
                mended.extend(changed.iter().cloned());
                lost.extend(rows.iter().filter(|row| row.given_up).cloned());
            }
            let left = limit.saturating_sub(started.elapsed());
            if settled || round + 1 == VERIFICATIONS || left < SHORTEST_VERIFICATION {
                return Ok(Outcome { rows, lost, mended, measurement });
            }
        }
        unreachable!("the rounds end by themselves")
    }

    fn measurement(&self, seen: &Observations) -> Result<Measurement> {
        Measurement::new(seen, |name| self.source(name))
            .filter(|measurement| !measurement.loops.is_empty() || !self.untuned(seen).is_empty())
            .ok_or_else(|| self.nothing_reached())
    }

    /// Merges the section, made from the `old` one, into the profile at `path` and prepares Cargo.toml. `pace` is how long
    /// items took, in multiples of what the section says. Returns whether the profile changed.
    fn write(
        &self,
        path: &Path,
        class: &str,
        mut section: Section,
        old: Option<&Section>,
        pace: f64,
    ) -> Result<bool> {
        let written = profile::update(self.package, |profile| {
            let current = profile.machines.remove(class);
            keep::add_meanwhile(&mut section, old, current.as_ref());
            profile.machines.insert(class.to_owned(), section);
            for section in profile.machines.values_mut() {
                let before = section.clone();
                let is_there = |name: &str, tokens: &str| {
                    self.scan.has(name, tokens)
                        && !check::is_left_behind(&self.scan, &before, name, tokens)
                };
                section.loops.retain(|name, entry| is_there(name, &entry.tokens));
                section.untuned.retain(|name, tokens| is_there(name, tokens));
            }
        })?;
        if written {
            term::status("Wrote", &format!("{}", path.display()));
        } else {
            let holds = if (1.0 / NOTABLE_PACE..=NOTABLE_PACE).contains(&pace) {
                "what it says still holds".to_owned()
            } else {
                format!(
                    "its plans still hold, though items took {pace:.1} times as long as it says"
                )
            };
            term::status("Unchanged", &format!("{}: {holds}", path.display()));
        }
        if manifest::ensure_table(self.package)? {
            let manifest = &self.package.manifest_path;
            term::status("Added", &format!("[package.metadata.amorsize] to {manifest}"));
        }
        Ok(written)
    }

    /// What the sources say about a loop; `None` for loops of other packages.
    pub(crate) fn source(&self, name: &str) -> Option<Source> {
        if let Some(functions) = self.scan.function_of(name) {
            let function = functions.first()?;
            return Some(Source {
                tokens: function.tokens.clone(),
                options: function.options.clone(),
            });
        }
        // From a macro: no source to hash, but its module says that it is ours.
        let own = self
            .package
            .targets
            .iter()
            .any(|target| name.starts_with(&format!("{}::", target.name.replace('-', "_"))));
        own.then(|| Source { tokens: tokens::of_unseen(), ..Source::default() })
    }

    /// An error where times differ too much to tell anything and other programs may be why. On a quiet machine it is the
    /// data: some calls of a search are over at once.
    fn refuse_noise(&self, measurement: &Measurement, load: f64) -> Result<()> {
        let spread = spread(measurement);
        if spread <= HOPELESS {
            return Ok(());
        }
        let what = format!(
            "half of the serial calls of one loop differ by {:.0} % and more",
            spread * 100.0
        );
        if noise::is_known() && load <= LOADED {
            term::warning(&format!("{what}, on a quiet machine: plans are for the median"));
            return Ok(());
        }
        if self.options.force {
            term::warning(&format!("{what}; kept because of --force"));
            return Ok(());
        }
        Err(Error::TooNoisy { what, package: self.package.name.to_string() })
    }

    /// Whether what was measured beside that much load is good enough to change old numbers.
    fn trusts(&self, load: f64) -> bool {
        load <= OVERLOADED || self.options.force
    }

    fn warn_of_load(&self, load: f64, old: bool) {
        if load <= LOADED {
            return;
        }
        let kept = match (self.trusts(load), old) {
            (true, _) => "parallel plans look worse than they are",
            (false, true) => {
                "old numbers stay as they are, and new parallel plans could not be judged"
            }
            (false, false) => "parallel plans could not be judged",
        };
        let load = load * 100.0;
        term::warning(&format!("other programs used {load:.0} % of the processors: {kept}"));
        term::note(&format!(
            "when it is quieter, measure again: {}",
            again::tune(&self.package.name)
        ));
    }

    fn nothing_reached(&self) -> Error {
        Error::NothingReached {
            package: self.package.name.to_string(),
            functions: recording::expected(&self.scan),
            limit_s: self.options.time_limit,
        }
    }

    /// The loops of this package that were reached and cannot be tuned, with the hashes of their
    /// functions.
    fn untuned(&self, seen: &Observations) -> BTreeMap<String, String> {
        let own = |name: &String| Some((name.clone(), self.source(name)?.tokens));
        seen.untuned.iter().filter_map(own).collect()
    }

    /// Warns of new parallel plans that no verification reached.
    fn name_unverified(&self, names: Vec<&str>) {
        if names.is_empty() {
            return;
        }
        for name in names {
            term::warning(&format!(
                "no verification reached {name}: its plan is what the model says"
            ));
        }
        let (command, limit_s) = (again::tune(&self.package.name), self.options.time_limit * 3);
        term::note(&format!("give it more time: {command} --time-limit {limit_s}"));
    }

    /// Warns of the annotated functions that no run reached; their names.
    fn name_unreached(&self, seen: &Observations) -> Vec<String> {
        let mut unreached = Vec::new();
        for (name, functions) in &self.scan.functions {
            let Some(function) = functions.iter().find(|function| !function.auxiliary) else {
                continue;
            };
            if !seen.has_reached(name) {
                let why = if function.conditional { ", which is under a #[cfg]" } else { "" };
                term::warning(&format!("no run reached {name} ({}){why}", function.place()));
                unreached.push(name.clone());
            }
        }
        if !unreached.is_empty() {
            let command = again::tune(&self.package.name);
            term::note(&format!("call it from a bench or test, then: {command}"));
        }
        unreached
    }
}

/// The section with its numbers as the file will hold them, so that what is verified is what is
/// written.
fn rounded(class: &str, section: Section) -> Section {
    let mut profile = Profile::default();
    profile.machines.insert(class.to_owned(), section);
    let mut rounded = profile.rounded();
    rounded.machines.remove(class).unwrap_or_else(|| unreachable!("it was inserted above"))
}
