//! Which old numbers stay: all that would still decide as well as the new ones.
//!
//! Numbers that are measured twice are never equal. If each `tune` wrote its own, every run would
//! change the file, and reviewers would stop reading it. So an old number is replaced only where
//! the plans that follow from it are predicted, by the new facts, to be worse by more than the
//! noise.

use std::collections::BTreeMap;

use amorsize_profile::{LoopEntry, LoopFacts, MachineFacts, MemorySource, Section, TaskMemory};
use amorsize_runtime::Workload;
use amorsize_runtime::model::{self, Plan};

use crate::fit::{Measured, Measurement};
use crate::observations::{OFTEN, SizeClass, dominant};
use crate::stats::{median, trimmed_mean};

/// Plans that are at most this much slower than the best count as equally good.
const TOLERANCE: f64 = 0.1;

/// So do plans that are slower by less than this share of a cold start: how hot a program finds its
/// helpers differs from run to run.
const SHARE_OF_COLD_START: f64 = 0.25;

/// Loops for which the machine's old costs may lead to worse plans before those costs are replaced.
const MISFITS: f64 = 0.25;

/// However noisy a measurement was, a plan this much slower is replaced.
const MOST_TOLERANCE: f64 = 0.25;

/// Memory that differs by no more is the same: the largest items need not be met in every run, and how far the
/// workers overlap is a matter of chance.
const ALLOCATOR_NOISE: f64 = 0.05;
const PEAK_RSS_NOISE: f64 = 0.2;

/// Fits `measurement`, keeping of `old` what still decides well, or everything that is not stale when
/// the measurement cannot be `trusted`. Entries of loops that were not reached stay; entries for
/// which `exists` is false go.
pub(crate) fn merged(
    old: Option<&Section>,
    measurement: &Measurement,
    exists: impl Fn(&str, &LoopEntry) -> bool,
    trusted: bool,
) -> Section {
    let measured_facts = measurement.machine.facts;
    let fresh = measurement.section(measured_facts);
    let Some(old) = old else { return fresh };

    // The machine's old costs stay if most loops fitted on top of them decide well.
    let on_old_machine = measurement.section(old.facts);
    let misfits = measurement.loops.iter().filter(|(name, measured)| {
        fresh.loops.get(*name).zip(on_old_machine.loops.get(*name)).is_some_and(|(new, entry)| {
            let (was, is) = ((&entry.facts, &old.facts), (&new.facts, &measured_facts));
            !good_enough(measurement, measured, was, is)
        })
    });
    let machine_holds =
        !trusted || misfits.count() as f64 <= MISFITS * measurement.loops.len() as f64;
    let mut section = if machine_holds { on_old_machine } else { fresh };
    restore(&mut section, old, measurement, trusted, |_, _| false);
    for (name, entry) in &old.loops {
        if !section.loops.contains_key(name) && exists(name, entry) {
            section.loops.insert(name.clone(), entry.clone());
        }
    }
    section
}

/// Adds to `section` the loops that came into the file since the `old` one was read from it: somebody else has measured them
/// meanwhile.
pub(crate) fn add_meanwhile(
    section: &mut Section,
    old: Option<&Section>,
    current: Option<&Section>,
) {
    let was_there = |name: &str| old.is_some_and(|old| old.loops.contains_key(name));
    let others = current.into_iter().flat_map(|current| &current.loops);
    for (name, entry) in others.filter(|(name, _)| !was_there(name)) {
        if !section.untuned.contains_key(name) {
            section.loops.entry(name.clone()).or_insert_with(|| entry.clone());
        }
    }
}

/// Notes in `section` which loops cannot be tuned: those `seen`, with the token hashes of their
/// functions, and the `old` ones that this time were not reached. Such a loop has no numbers.
pub(crate) fn note_untuned(
    section: &mut Section,
    old: Option<&Section>,
    measurement: &Measurement,
    seen: BTreeMap<String, String>,
) {
    let is_tuned = |name: &String| measurement.loops.contains_key(name);
    section.loops.retain(|name, _| is_tuned(name) || !seen.contains_key(name));
    section.untuned = old.map(|old| old.untuned.clone()).unwrap_or_default();
    section.untuned.extend(seen);
    section.untuned.retain(|name, _| !is_tuned(name));
}

/// Puts old entries back into `section` where what was changed decides no better, or wherever they
/// are not stale when the measurement cannot be `trusted`; never where the old facts have `lost` a
/// verification, which says more than any prediction.
pub(crate) fn restore(
    section: &mut Section,
    old: &Section,
    measurement: &Measurement,
    trusted: bool,
    lost: impl Fn(&str, &LoopFacts) -> bool,
) {
    let facts = section.facts;
    for (name, entry) in &mut section.loops {
        let (Some(before), Some(measured)) = (old.loops.get(name), measurement.loops.get(name))
        else {
            continue;
        };
        let memory = kept_memory(before, &entry.tokens, measured.memory);
        let (was, is) = ((&before.facts, &facts), (&entry.facts, &facts));
        if before.tokens == entry.tokens
            && !lost(name, &before.facts)
            && (!trusted || good_enough(measurement, measured, was, is))
        {
            let (was, is) = (before.facts.cpu_share, entry.facts.cpu_share);
            let cpu_share = if trusted { kept_share(was, is) } else { was.or(is) };
            *entry = before.clone();
            entry.facts.cpu_share = cpu_share;
            // It follows from what the machine costs, too.
            if old.facts != facts
                && let Some(anew) = measurement.entry(measured, entry.facts, &facts)
            {
                entry.parallel_from = anew.parallel_from;
            }
        }
        entry.memory = memory;
    }
}

/// The old CPU share, unless there was none or items of the new one are of another kind.
fn kept_share(old: Option<f64>, new: Option<f64>) -> Option<f64> {
    let is_news = new.is_some() && new.map(Workload::of) != old.map(Workload::of);
    if is_news { new } else { old }
}

/// The memory of a task: as it was `before`, if the function is the same and what was measured `now` differs by no more
/// than the noise, is less exact, or is nothing.
fn kept_memory(before: &LoopEntry, tokens: &str, now: Option<TaskMemory>) -> Option<TaskMemory> {
    let before = before.memory.filter(|_| before.tokens == tokens);
    let (Some(old), Some(new)) = (before, now) else { return now.or(before) };
    let noise = match (old.source, new.source) {
        (MemorySource::Allocator, MemorySource::PeakRss) => return before,
        (MemorySource::PeakRss, MemorySource::Allocator) => return now,
        (MemorySource::Allocator, MemorySource::Allocator) => ALLOCATOR_NOISE,
        (MemorySource::PeakRss, MemorySource::PeakRss) => PEAK_RSS_NOISE,
    };
    let differs = old.bytes.abs_diff(new.bytes) as f64 > noise * old.bytes as f64;
    if differs { now } else { before }
}

/// Whether plans made from the `old` facts are about as fast as plans made from the `new` ones, at
/// every size and with as many hot helpers as was recorded: as was measured, where both were, or as the
/// new facts predict.
fn good_enough(
    measurement: &Measurement,
    measured: &Measured,
    old: (&LoopFacts, &MachineFacts),
    new: (&LoopFacts, &MachineFacts),
) -> bool {
    let limits_of = |item: &LoopFacts| measurement.limits(measured, item);
    let (old_limits, new_limits) = (limits_of(old.0), limits_of(new.0));
    measured.classes.iter().all(|class| {
        let n = class.items as usize;
        let noise = class.serial_uncertainty();
        let noise = if noise.is_finite() { 2.0 * noise } else { MOST_TOLERANCE };
        let tolerance = (TOLERANCE + noise).min(MOST_TOLERANCE);
        let cold_start_ns = new.1.cold_spawn_ns + new.1.cold_wake_ns;
        let negligible_ns = SHARE_OF_COLD_START * cold_start_ns;
        let about_as_fast = |old: f64, new: f64| old <= new * (1.0 + tolerance) + negligible_ns;
        let (was, is) = (class.facts(old.0), class.facts(new.0));
        let (old, new) = ((&was, old.1, &old_limits), (&is, new.1, &new_limits));
        class.hots().into_iter().all(|hot| {
            let plan = |(item, machine, limits)| {
                model::decide(n, item, machine, limits, hot as usize).plan
            };
            let predicted = |plan| model::predict(n, plan, new.0, new.1, hot as usize).total();
            let measured = |plan| measured_time(class, plan, hot);
            let (old_plan, new_plan) = (plan(old), plan(new));
            about_as_fast(predicted(old_plan), predicted(new_plan))
                || measured(old_plan)
                    .zip(measured(new_plan))
                    .is_some_and(|(old, new)| about_as_fast(old, new))
        })
    })
}

/// What a plan took, by the setting that is nearest to it.
fn measured_time(class: &SizeClass, plan: Plan, hot: u32) -> Option<f64> {
    let Plan::Parallel { workers, chunk } = plan else {
        return Some(trimmed_mean(&class.serial)).filter(|time| time.is_finite());
    };
    let distance = |of: u64| ((of as f64) / (chunk as f64)).ln().abs();
    class
        .settings
        .iter()
        .filter(|setting| setting.workers as usize == workers && setting.wall.len() >= OFTEN)
        .filter(|setting| setting.hot == hot.min(setting.workers - 1))
        .filter(|setting| distance(setting.chunk) <= 2_f64.ln())
        .min_by(|a, b| distance(a.chunk).total_cmp(&distance(b.chunk)))
        .map(|setting| trimmed_mean(&setting.wall))
}

/// How long items took in serial calls, in multiples of what `section` says: the median over its loops.
pub(crate) fn pace(section: &Section, measurement: &Measurement) -> f64 {
    let paces: Vec<f64> = measurement
        .loops
        .iter()
        .filter_map(|(name, measured)| {
            let class = dominant(&measured.classes)?;
            let facts = section.loops.get(name)?.facts;
            Some(class.item_ns()? / class.facts(&facts).item_ns)
        })
        .collect();
    if paces.is_empty() { 1.0 } else { median(&paces) }
}

/// Whether a loop's entry says the same as before.
pub(crate) fn is_kept(old: Option<&Section>, name: &str, entry: &LoopEntry) -> bool {
    old.and_then(|section| section.loops.get(name)) == Some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::Source;
    use crate::observations::{Machine, SettingTimes};

    const MACHINE: MachineFacts = MachineFacts {
        spawn_ns: 300.0,
        wake_ns: 4_000.0,
        cold_spawn_ns: 300.0,
        cold_wake_ns: 4_000.0,
        hot_for_ns: 50_000.0,
        claim_ns: 60.0,
        reference_ns: 1_000.0,
    };

    fn measurement(item_ns: f64, machine: MachineFacts, tokens: &str) -> Measurement {
        let item = LoopFacts {
            item_ns,
            item_growth: 0.0,
            item_cv: 0.1,
            piece_ns: 0.0,
            reduce_ns: 20.0,
            reduce_growth: 0.0,
            contention: 0.02,
            coherency: 0.0,
            imbalance: 0.0,
            cpu_share: None,
        };
        let time = |plan| model::predict(2_000, plan, &item, &machine, 0).total();
        let settings = (2..=4).flat_map(|workers| [10, 40, 160].map(|chunk| (workers, chunk)));
        let settings = settings.map(|(workers, chunk)| SettingTimes {
            workers,
            chunk,
            hot: 0,
            wall: vec![
                time(Plan::Parallel { workers: workers as usize, chunk: chunk as usize });
                20
            ],
            busy: Vec::new(),
        });
        let class = SizeClass {
            items: 2_000,
            serial: vec![time(Plan::Serial); 20],
            settings: settings.collect(),
            ..SizeClass::default()
        };
        let source = Source { tokens: tokens.repeat(16), ..Source::default() };
        let measured = Measured { source, classes: vec![class], memory: None };
        Measurement {
            machine: Machine {
                class: "test".into(),
                workers: 4,
                processors: 4,
                pool_threads: 4,
                facts: machine,
            },
            loops: BTreeMap::from([("demo::f".into(), measured)]),
        }
    }

    #[test]
    fn a_second_measurement_within_the_noise_changes_nothing() {
        let old = merged(None, &measurement(100.0, MACHINE, "a"), |_, _| true, true);
        let machine = MachineFacts { wake_ns: 5_500.0, claim_ns: 80.0, ..MACHINE };
        for item_ns in [80.0, 97.0, 104.0, 130.0] {
            let again = merged(Some(&old), &measurement(item_ns, machine, "a"), |_, _| true, true);
            assert_eq!(again, old, "{item_ns}");
        }
    }

    #[test]
    fn the_pace_says_how_much_longer_items_take_than_the_file_says() {
        let old = merged(None, &measurement(100.0, MACHINE, "a"), |_, _| true, true);
        assert_eq!(pace(&old, &measurement(130.0, MACHINE, "a")), 1.3);
        let nothing = Section { facts: MACHINE, loops: BTreeMap::new(), untuned: BTreeMap::new() };
        assert_eq!(pace(&nothing, &measurement(130.0, MACHINE, "a")), 1.0);
    }

    #[test]
    fn a_change_that_alters_a_decision_is_taken() {
        let old = merged(None, &measurement(100.0, MACHINE, "a"), |_, _| true, true);
        let new = merged(Some(&old), &measurement(1.0, MACHINE, "a"), |_, _| true, true);
        assert_eq!(new.loops["demo::f"].plan.workers, 1);
        assert_eq!(new.facts, old.facts);
    }

    #[test]
    fn a_measurement_that_cannot_be_trusted_only_adds_what_is_missing_or_stale() {
        let old = merged(None, &measurement(100.0, MACHINE, "a"), |_, _| true, true);
        let loaded = MachineFacts { wake_ns: 200_000.0, ..MACHINE };
        let new = merged(Some(&old), &measurement(1.0, loaded, "a"), |_, _| true, false);
        assert_eq!(new, old);
        let new = merged(Some(&old), &measurement(1.0, loaded, "b"), |_, _| true, false);
        assert_eq!(new.loops["demo::f"].tokens, "b".repeat(16));
        assert_eq!(new.facts, old.facts);
    }

    #[test]
    fn an_edited_function_is_measured_anew_and_the_machine_stays() {
        let old = merged(None, &measurement(100.0, MACHINE, "a"), |_, _| true, true);
        let machine = MachineFacts { wake_ns: 4_400.0, ..MACHINE };
        let new = merged(Some(&old), &measurement(104.0, machine, "b"), |_, _| true, true);
        assert_eq!(new.loops["demo::f"].tokens, "b".repeat(16));
        assert_eq!(new.facts, old.facts);
    }

    #[test]
    fn memory_stays_as_it_was_within_the_noise_and_is_never_replaced_by_less_exact_numbers() {
        let memory = |bytes, source| Some(TaskMemory { bytes, source });
        let with = |memory, tokens| {
            let mut measurement = measurement(100.0, MACHINE, tokens);
            measurement.loops.values_mut().for_each(|measured| measured.memory = memory);
            measurement
        };
        let after = |old, new, tokens| {
            let old = merged(None, &with(old, "a"), |_, _| true, true);
            merged(Some(&old), &with(new, tokens), |_, _| true, true).loops["demo::f"].memory
        };
        let exact = |bytes| memory(bytes, MemorySource::Allocator);
        let slope = |bytes| memory(bytes, MemorySource::PeakRss);
        for (old, new, expected) in [
            (None, slope(100), slope(100)),
            (None, None, None),
            (slope(100), None, slope(100)),
            (slope(100), slope(119), slope(100)),
            (slope(100), slope(121), slope(121)),
            (slope(100), exact(100), exact(100)),
            (exact(100), slope(900), exact(100)),
            (exact(100), exact(104), exact(100)),
            (exact(100), exact(106), exact(106)),
            (exact(0), exact(0), exact(0)),
            (exact(0), exact(1), exact(1)),
        ] {
            assert_eq!(after(old, new, "a"), expected, "{old:?} {new:?}");
            assert_eq!(after(old, new, "b"), new, "{old:?} {new:?}");
        }
    }

    #[test]
    fn a_loop_is_tuned_or_untuned_as_it_was_last_reached() {
        let measurement = measurement(100.0, MACHINE, "a");
        let untuned = |names: &[&str]| -> BTreeMap<String, String> {
            names.iter().map(|name| ((*name).to_owned(), "a".repeat(16))).collect()
        };
        let mut old = merged(None, &measurement, |_, _| true, true);
        old.loops.insert("demo::was_tuned".into(), old.loops["demo::f"].clone());
        old.untuned = untuned(&["demo::f", "demo::rare"]);

        let mut new = merged(Some(&old), &measurement, |_, _| true, true);
        note_untuned(
            &mut new,
            Some(&old),
            &measurement,
            untuned(&["demo::f#2", "demo::was_tuned"]),
        );
        assert_eq!(new.loops.keys().collect::<Vec<_>>(), ["demo::f"]);
        assert_eq!(new.untuned, untuned(&["demo::f#2", "demo::rare", "demo::was_tuned"]));

        let mut again = merged(Some(&new), &measurement, |_, _| true, true);
        note_untuned(&mut again, Some(&new), &measurement, untuned(&["demo::f#2"]));
        assert_eq!(again, new);
    }

    #[test]
    fn entries_go_with_their_function_and_stay_when_only_not_reached() {
        let mut old = merged(None, &measurement(100.0, MACHINE, "a"), |_, _| true, true);
        let entry = old.loops["demo::f"].clone();
        old.loops.insert("demo::gone".into(), entry.clone());
        old.loops.insert("demo::rare".into(), entry);
        let new = merged(
            Some(&old),
            &measurement(100.0, MACHINE, "a"),
            |name, _| name != "demo::gone",
            true,
        );
        assert_eq!(new.loops.keys().collect::<Vec<_>>(), ["demo::f", "demo::rare"]);
    }

    #[test]
    fn loops_that_somebody_else_measured_meanwhile_stay() {
        let old = merged(None, &measurement(100.0, MACHINE, "a"), |_, _| true, true);
        let with = |names: &[&str]| {
            let mut section = old.clone();
            for &name in names {
                section.loops.insert(name.into(), old.loops["demo::f"].clone());
            }
            section
        };
        let current = with(&["demo::dropped", "demo::new", "demo::untuned"]);
        let mut section = merged(None, &measurement(200.0, MACHINE, "b"), |_, _| true, true);
        section.untuned.insert("demo::untuned".into(), "a".into());
        add_meanwhile(&mut section, Some(&with(&["demo::dropped"])), Some(&current));
        assert_eq!(section.loops.keys().collect::<Vec<_>>(), ["demo::f", "demo::new"]);
        assert_ne!(section.loops["demo::f"], current.loops["demo::f"]);
    }

    #[test]
    fn an_old_cpu_share_stays_unless_items_are_of_another_kind() {
        assert_eq!(kept_share(Some(0.95), Some(0.9)), Some(0.95));
        assert_eq!(kept_share(Some(0.95), Some(0.7)), Some(0.7));
        assert_eq!(kept_share(None, Some(0.7)), Some(0.7));
        assert_eq!(kept_share(Some(0.1), None), Some(0.1));
    }
}
