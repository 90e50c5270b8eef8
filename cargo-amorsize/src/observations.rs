//! What recording processes have seen, grouped by loop and number of items.

use std::collections::{BTreeMap, BTreeSet};

use amorsize_profile::{
    Call, LoopFacts, MachineFacts, Memory, MemoryEvidence, MemorySource, Record, Setting,
    TaskMemory, Usage, without_type,
};

use crate::scan::base_name;
use crate::stats::{median, trimmed_mean, uncertainty};

/// Calls under one setting from which on what they took is worth something.
pub(crate) const OFTEN: usize = 5;

/// Everything observed so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observations {
    pub(crate) machines: Vec<Machine>,
    /// Calls by the name of the loop; by `name<type>` once there were items of more than one type.
    pub(crate) loops: BTreeMap<String, Vec<Call>>,
    /// What is known of the memory that items take, by the same names.
    pub(crate) memory: BTreeMap<String, LoopMemory>,
    /// The items' type by the name of the loop; `None` once there was more than one.
    types: BTreeMap<String, Option<String>>,
    /// Names of loops that were reached and cannot be tuned.
    pub(crate) untuned: BTreeSet<String>,
    /// Lines that were no records.
    pub(crate) strange_lines: usize,
}

/// The machine as one recording process saw it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Machine {
    pub(crate) class: String,
    /// Workers that loops may have whose items compute.
    pub(crate) workers: u32,
    /// Logical processors for loops whose items wait.
    pub(crate) processors: u32,
    pub(crate) pool_threads: u32,
    pub(crate) facts: MachineFacts,
}

/// What was seen of the memory that a loop's items take, in bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct LoopMemory {
    /// What an item took at its peak, as the tracking allocator counted it.
    pub(crate) task: Option<u64>,
    /// How far the process grew in the first serial call.
    pub(crate) growth: Option<u64>,
    /// The peaks after each call in a process that was run to watch them.
    pub(crate) peaks: Vec<u64>,
    /// What follows from the peaks of several such processes.
    pub(crate) slope: Option<u64>,
}

impl LoopMemory {
    /// The memory of a task, by the best that there is.
    pub(crate) fn measured(&self) -> Option<TaskMemory> {
        let by = |source| move |bytes| TaskMemory { bytes, source };
        let task = self.task.map(by(MemorySource::Allocator));
        task.or_else(|| self.slope.map(by(MemorySource::PeakRss)))
    }
}

impl Observations {
    /// No observations. Loops that have an entry `name<type>` among `names` are told apart by type from the
    /// start.
    pub(crate) fn named_as<'n>(names: impl Iterator<Item = &'n String>) -> Self {
        let types = names
            .map(|name| (without_type(name), name))
            .filter(|(plain, name)| plain.len() < name.len())
            .map(|(plain, _)| (plain.to_owned(), None));
        Observations { types: types.collect(), ..Observations::default() }
    }

    /// The name that the calls of a loop go by, given the type of its items.
    fn name_of(&mut self, name: &str, item_type: &str) -> String {
        let typed = |item_type: &str| format!("{name}<{item_type}>");
        if item_type.is_empty() {
            return name.to_owned();
        }
        let known = self.types.entry(name.to_owned()).or_insert_with(|| Some(item_type.to_owned()));
        match known {
            Some(known) if known == item_type => name.to_owned(),
            Some(_) => {
                let first = known.take().expect("it is there");
                if let Some(calls) = self.loops.remove(name) {
                    self.loops.insert(typed(&first), calls);
                }
                if let Some(memory) = self.memory.remove(name) {
                    self.memory.insert(typed(&first), memory);
                }
                typed(item_type)
            }
            None => typed(item_type),
        }
    }

    pub(crate) fn add(&mut self, record: Record) {
        match record {
            Record::Machine { class, workers, processors, pool_threads, facts } => {
                self.machines.push(Machine { class, workers, processors, pool_threads, facts });
            }
            Record::Memory(Memory { name, item_type, evidence, bytes }) => {
                let name = self.name_of(&name, &item_type);
                let memory = self.memory.entry(name).or_default();
                match evidence {
                    MemoryEvidence::Task => memory.task = memory.task.max(Some(bytes)),
                    MemoryEvidence::Growth => memory.growth = memory.growth.max(Some(bytes)),
                    MemoryEvidence::Peak { .. } => memory.peaks.push(bytes),
                }
            }
            Record::Untuned { name } => _ = self.untuned.insert(name),
            // A call without items tells nothing about items.
            Record::Call(call) if call.items == 0 => {}
            Record::Call(call) => {
                let name = self.name_of(&call.name, &call.item_type);
                self.loops.entry(name).or_default().push(call);
            }
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
        let facts: Vec<MachineFacts> = self.machines.iter().map(|machine| machine.facts).collect();
        let most = |count: fn(&Machine) -> u32| self.machines.iter().map(count).max().unwrap_or(1);
        Some(Machine {
            class: first.class.clone(),
            workers: most(|machine| machine.workers),
            processors: most(|machine| machine.processors),
            pool_threads: most(|machine| machine.pool_threads),
            facts: MachineFacts::median(&facts)?,
        })
    }
}

/// The calls of one loop that had about the same number of items, and items of about the same cost. All
/// times are scaled to `items` and `cost`.
#[derive(Clone, Debug, Default)]
pub(crate) struct SizeClass {
    /// The median number of items.
    pub(crate) items: u64,
    /// The median number of work units per item.
    pub(crate) cost: Cost,
    /// Wall times of serial calls, in ns.
    pub(crate) serial: Vec<f64>,
    /// Wall times under stock rayon, in ns.
    pub(crate) rayon: Vec<f64>,
    /// Wall times by workers, pieces and hot helpers, in ns.
    pub(crate) settings: Vec<SettingTimes>,
    /// How many helpers were hot before most calls.
    pub(crate) hot: u32,
    /// Wall times under the plan that is verified, in ns.
    pub(crate) tuned: Vec<f64>,
    /// Of those the parallel ones, by how many helpers were hot.
    pub(crate) tuned_parallel: BTreeMap<u32, Vec<f64>>,
    /// What was predicted for those, in ns.
    pub(crate) predicted: Vec<f64>,
    /// The plan that was verified: workers and chunk size of most of those calls.
    pub(crate) tuned_plan: Option<(u32, u64)>,
    /// Standard deviations of one item's time, in ns.
    pub(crate) item_sd: Vec<f64>,
    /// Times of reducing the results of two workers, in ns.
    pub(crate) reduce: Vec<f64>,
    /// Shares of the time of serial calls in which their items computed.
    pub(crate) cpu_shares: Vec<f64>,
}

/// Units of work per item, 1 where nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct Cost(pub(crate) f64);

impl Default for Cost {
    fn default() -> Self {
        Cost(1.0)
    }
}

/// The calls of a size class with one number of workers, about one number of pieces, and one number of
/// hot helpers.
#[derive(Clone, Debug)]
pub(crate) struct SettingTimes {
    pub(crate) workers: u32,
    pub(crate) chunk: u64,
    pub(crate) hot: u32,
    /// Wall times in ns.
    pub(crate) wall: Vec<f64>,
    /// What all workers together were busy for with items and pieces, in ns; of the calls that tell.
    pub(crate) busy: Vec<f64>,
}

impl SizeClass {
    /// Serial time of one item in ns, where there was a serial call.
    pub(crate) fn item_ns(&self) -> Option<f64> {
        (!self.serial.is_empty()).then(|| trimmed_mean(&self.serial) / self.items as f64)
    }

    /// The numbers of hot helpers that occurred often enough to matter, or the most frequent one.
    pub(crate) fn hots(&self) -> BTreeSet<u32> {
        let often = self.settings.iter().filter(|setting| setting.wall.len() >= OFTEN);
        let hots: BTreeSet<u32> = often.map(|setting| setting.hot).collect();
        if hots.is_empty() { BTreeSet::from([self.hot]) } else { hots }
    }

    /// The facts of a loop for calls of this class.
    pub(crate) fn facts(&self, facts: &LoopFacts) -> LoopFacts {
        facts.at_cost(self.cost.0).in_calls_of(self.items as usize)
    }

    pub(crate) fn parallel_calls(&self) -> usize {
        self.settings.iter().map(|setting| setting.wall.len()).sum()
    }

    fn calls(&self) -> usize {
        self.serial.len() + self.rayon.len() + self.parallel_calls() + self.tuned.len()
    }

    /// How unsure the serial time is, as a fraction.
    pub(crate) fn serial_uncertainty(&self) -> f64 {
        uncertainty(&self.serial)
    }
}

/// Groups the calls of one loop by size; quarter octaves, so that the sizes of a class differ by at
/// most a fifth. Sorted by size.
pub(crate) fn size_classes(calls: &[Call]) -> Vec<SizeClass> {
    let mut groups: BTreeMap<(u32, i32), Vec<&Call>> = BTreeMap::new();
    for call in calls {
        let cost = (4.0 * call.cost.log2()).round() as i32;
        groups.entry((quarter_octave(call.items), cost)).or_default().push(call);
    }
    groups.into_values().map(|calls| size_class(&calls)).collect()
}

/// The calls of one setting: times in ns, and chunk sizes.
#[derive(Default)]
struct Group {
    wall: Vec<f64>,
    busy: Vec<f64>,
    chunks: Vec<f64>,
}

fn size_class(calls: &[&Call]) -> SizeClass {
    let mut sizes: Vec<u64> = calls.iter().map(|call| call.items).collect();
    sizes.sort_unstable();
    let items = sizes[sizes.len() / 2];
    let cost = median(&calls.iter().map(|call| call.cost).collect::<Vec<f64>>());
    let mut class = SizeClass { items, cost: Cost(cost), ..SizeClass::default() };
    let mut settings: BTreeMap<(u32, u32, u32), Group> = BTreeMap::new();
    let mut plans: BTreeMap<(u32, u64), usize> = BTreeMap::new();
    let mut hots: BTreeMap<u32, usize> = BTreeMap::new();
    for call in calls {
        *hots.entry(call.hot).or_default() += 1;
        let scale = items as f64 / call.items as f64;
        let scaled = |ns: f64| ns * scale * cost / call.cost;
        let wall = scaled(call.wall_ns as f64);
        match call.setting {
            Setting::Serial => {
                class.serial.push(wall);
                class.item_sd.extend(call.item_sd_ns);
                class.cpu_shares.extend(call.usage.and_then(Usage::cpu_share));
            }
            Setting::Rayon => class.rayon.push(wall),
            Setting::Parallel { workers, chunk } => {
                let pieces = call.items.div_ceil(chunk.max(1));
                // More of them than helpers make no difference.
                let hot = call.hot.min(workers.saturating_sub(1));
                let key = (workers, quarter_octave(pieces), hot);
                let group = settings.entry(key).or_default();
                group.wall.push(wall);
                group.busy.extend(call.busy_ns.map(scaled));
                group.chunks.push(chunk as f64 * scale);
                class.reduce.extend(call.reduce_ns);
            }
            Setting::Tuned { workers, chunk, predicted_ns } => {
                class.tuned.push(wall);
                if workers > 1 {
                    let hot = call.hot.min(workers - 1);
                    class.tuned_parallel.entry(hot).or_default().push(wall);
                }
                class.predicted.push(scaled(predicted_ns as f64));
                *plans.entry((workers, chunk)).or_default() += 1;
            }
        }
    }
    class.settings = settings
        .into_iter()
        .map(|((workers, _, hot), Group { wall, busy, chunks })| SettingTimes {
            workers,
            chunk: (median(&chunks).round() as u64).max(1),
            hot,
            wall,
            busy,
        })
        .collect();
    class.tuned_plan = most_frequent(plans);
    class.hot = most_frequent(hots).unwrap_or(0);
    class
}

fn most_frequent<T>(counts: BTreeMap<T, usize>) -> Option<T> {
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(what, _)| what)
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

    fn names_of(seen: &Observations) -> Vec<(&str, usize)> {
        seen.loops.iter().map(|(name, calls)| (name.as_str(), calls.len())).collect()
    }

    #[test]
    fn loops_are_told_apart_by_type_once_there_is_more_than_one() {
        let typed = |item_type: &str| {
            let call = call(8, Setting::Serial, 80);
            Record::Call(Call { item_type: item_type.into(), ..call })
        };
        let mut seen = Observations::default();
        seen.add(typed("&u8"));
        seen.add(typed(""));
        assert_eq!(names_of(&seen), [("a::f", 2)]);
        for item_type in ["f32", "&u8", "f32", "f64"] {
            seen.add(typed(item_type));
        }
        assert_eq!(names_of(&seen), [("a::f<&u8>", 3), ("a::f<f32>", 2), ("a::f<f64>", 1)]);
        assert!(seen.has_reached("a::f"));

        let names = ["a::f<f64>".to_owned(), "a::g".to_owned()];
        let mut seen = Observations::named_as(names.iter());
        seen.add(typed("&u8"));
        assert_eq!(names_of(&seen), [("a::f<&u8>", 1)]);
    }

    fn call(items: u64, setting: Setting, wall_ns: u64) -> Call {
        Call {
            name: "a::f".into(),
            item_type: "&u8".into(),
            items,
            cost: 1.0,
            setting,
            hot: 0,
            wall_ns,
            item_sd_ns: None,
            reduce_ns: None,
            busy_ns: None,
            usage: None,
        }
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
