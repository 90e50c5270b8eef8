//! What recording processes have seen, grouped by loop and number of items.

use std::collections::{BTreeMap, BTreeSet};

use amorsize_profile::{Call, MachineFacts, Record, Setting};

use crate::scan::base_name;
use crate::stats::{median, uncertainty};

/// Everything observed so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observations {
    pub(crate) machines: Vec<Machine>,
    /// Calls by the name of the loop.
    pub(crate) loops: BTreeMap<String, Vec<Call>>,
    /// Names of loops that were reached and cannot be tuned.
    pub(crate) untuned: BTreeSet<String>,
    /// Lines that were no records.
    pub(crate) strange_lines: usize,
}

/// The machine as one recording process saw it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Machine {
    pub(crate) class: String,
    pub(crate) workers: u32,
    pub(crate) facts: MachineFacts,
}

impl Observations {
    pub(crate) fn add(&mut self, record: Record) {
        match record {
            Record::Machine { class, workers, facts } => {
                self.machines.push(Machine { class, workers, facts });
            }
            Record::Untuned { name } => _ = self.untuned.insert(name),
            // A call without items tells nothing about items.
            Record::Call(call) if call.items == 0 => {}
            Record::Call(call) => self.loops.entry(call.name.clone()).or_default().push(call),
        }
    }

    /// Whether no loop was reached, be it tuned or not.
    pub(crate) fn is_empty(&self) -> bool {
        self.loops.is_empty() && self.untuned.is_empty()
    }

    /// Whether any loop of the function was reached.
    pub(crate) fn has_reached(&self, function: &str) -> bool {
        self.loops.keys().chain(&self.untuned).any(|name| base_name(name) == function)
    }

    pub(crate) fn calls(&self) -> usize {
        self.loops.values().map(Vec::len).sum()
    }

    /// These observations and those of a verification, whose calls under a plan are calls under that
    /// setting.
    pub(crate) fn with_verification(&self, verification: &Observations) -> Observations {
        let mut all = self.clone();
        for call in verification.loops.values().flatten() {
            let setting = match call.setting {
                Setting::Tuned { workers, chunk, .. } if workers > 1 => {
                    Setting::Parallel { workers, chunk }
                }
                // It includes the decision, which a serial call for comparison does not.
                Setting::Tuned { .. } => continue,
                other => other,
            };
            all.add(Record::Call(Call { setting, ..call.clone() }));
        }
        all
    }

    /// The machine, as the median over all processes says.
    pub(crate) fn machine(&self) -> Option<Machine> {
        let first = self.machines.first()?;
        let of = |fact: fn(&MachineFacts) -> f64| {
            median(&self.machines.iter().map(|machine| fact(&machine.facts)).collect::<Vec<_>>())
        };
        Some(Machine {
            class: first.class.clone(),
            workers: self.machines.iter().map(|machine| machine.workers).max().unwrap_or(1),
            facts: MachineFacts {
                spawn_ns: of(|facts| facts.spawn_ns),
                wake_ns: of(|facts| facts.wake_ns),
                claim_ns: of(|facts| facts.claim_ns),
                reference_ns: of(|facts| facts.reference_ns),
            },
        })
    }
}

/// The calls of one loop that had about the same number of items. All times are scaled to `items`.
#[derive(Clone, Debug, Default)]
pub(crate) struct SizeClass {
    /// The median number of items.
    pub(crate) items: u64,
    /// Wall times of serial calls, in ns.
    pub(crate) serial: Vec<f64>,
    /// Wall times under stock rayon, in ns.
    pub(crate) rayon: Vec<f64>,
    /// Wall times by workers and pieces, in ns.
    pub(crate) settings: Vec<SettingTimes>,
    /// Wall times under the plan that is verified, in ns.
    pub(crate) tuned: Vec<f64>,
    /// What was predicted for those, in ns.
    pub(crate) predicted: Vec<f64>,
    /// The plan that was verified: workers and chunk size of most of those calls.
    pub(crate) tuned_plan: Option<(u32, u64)>,
    /// Standard deviations of one item's time, in ns.
    pub(crate) item_sd: Vec<f64>,
}

/// The calls of a size class with one number of workers and about one number of pieces.
#[derive(Clone, Debug)]
pub(crate) struct SettingTimes {
    pub(crate) workers: u32,
    pub(crate) chunk: u64,
    /// Wall times in ns.
    pub(crate) wall: Vec<f64>,
}

impl SizeClass {
    /// Median serial time of one item in ns, where there was a serial call.
    pub(crate) fn item_ns(&self) -> Option<f64> {
        (!self.serial.is_empty()).then(|| median(&self.serial) / self.items as f64)
    }

    pub(crate) fn parallel_calls(&self) -> usize {
        self.settings.iter().map(|setting| setting.wall.len()).sum()
    }

    fn calls(&self) -> usize {
        self.serial.len() + self.rayon.len() + self.parallel_calls() + self.tuned.len()
    }

    /// How unsure the serial median is, as a fraction.
    pub(crate) fn serial_uncertainty(&self) -> f64 {
        uncertainty(&self.serial)
    }
}

/// Groups the calls of one loop by size; quarter octaves, so that the sizes of a class differ by at
/// most a fifth. Sorted by size.
pub(crate) fn size_classes(calls: &[Call]) -> Vec<SizeClass> {
    let mut groups: BTreeMap<u32, Vec<&Call>> = BTreeMap::new();
    for call in calls {
        groups.entry(quarter_octave(call.items)).or_default().push(call);
    }
    groups.into_values().map(|calls| size_class(&calls)).collect()
}

fn size_class(calls: &[&Call]) -> SizeClass {
    let mut sizes: Vec<u64> = calls.iter().map(|call| call.items).collect();
    sizes.sort_unstable();
    let items = sizes[sizes.len() / 2];
    let mut class = SizeClass { items, ..SizeClass::default() };
    let mut settings: BTreeMap<(u32, u32), (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    let mut plans: BTreeMap<(u32, u64), usize> = BTreeMap::new();
    for call in calls {
        let scale = items as f64 / call.items as f64;
        let wall = call.wall_ns as f64 * scale;
        match call.setting {
            Setting::Serial => {
                class.serial.push(wall);
                class.item_sd.extend(call.item_sd_ns);
            }
            Setting::Rayon => class.rayon.push(wall),
            Setting::Parallel { workers, chunk } => {
                let pieces = call.items.div_ceil(chunk.max(1));
                let (walls, chunks) =
                    settings.entry((workers, quarter_octave(pieces))).or_default();
                walls.push(wall);
                chunks.push(chunk as f64 * scale);
            }
            Setting::Tuned { workers, chunk, predicted_ns } => {
                class.tuned.push(wall);
                class.predicted.push(predicted_ns as f64 * scale);
                *plans.entry((workers, chunk)).or_default() += 1;
            }
        }
    }
    class.settings = settings
        .into_iter()
        .map(|((workers, _), (wall, chunks))| SettingTimes {
            workers,
            chunk: (median(&chunks).round() as u64).max(1),
            wall,
        })
        .collect();
    class.tuned_plan = plans.into_iter().max_by_key(|(_, count)| *count).map(|(plan, _)| plan);
    class
}

/// How long a serial run of all calls of a class would take, in ns.
pub(crate) fn weight(class: &SizeClass) -> f64 {
    class.item_ns().map_or(0.0, |item_ns| item_ns * class.items as f64 * class.calls() as f64)
}

/// The class in which a serial run of all its calls would take longest.
pub(crate) fn dominant(classes: &[SizeClass]) -> Option<&SizeClass> {
    classes.iter().max_by(|a, b| weight(a).total_cmp(&weight(b)))
}

/// The class of a count: quarters of an octave.
pub(crate) fn quarter_octave(count: u64) -> u32 {
    (4.0 * (count.max(1) as f64).log2()).round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(items: u64, setting: Setting, wall_ns: u64) -> Call {
        Call { name: "a::f".into(), items, setting, wall_ns, item_sd_ns: None }
    }

    #[test]
    fn calls_of_about_one_size_share_a_class_and_are_scaled_to_it() {
        let calls = [
            call(1_000, Setting::Serial, 10_000),
            call(1_010, Setting::Serial, 10_100),
            call(1_000, Setting::Rayon, 9_000),
            call(4_000, Setting::Serial, 40_000),
        ];
        let classes = size_classes(&calls);
        assert_eq!(classes.len(), 2);
        assert_eq!(classes[0].items, 1_000);
        assert!((classes[0].serial[1] - 10_000.0).abs() < 1e-6);
        assert_eq!(dominant(&classes).map(|class| class.items), Some(4_000));
    }
}
