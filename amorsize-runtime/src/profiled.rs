//! What profiles say of a loop: which entries are its own, and what those of another machine are worth here.

use amorsize_profile::{LoopFacts, MachineFacts};

use crate::machine;

/// What is assumed of a loop beyond its item time until it has been recorded. Reductions may be
/// anything from nothing to the merge of two hash maps.
pub(crate) const UNRECORDED: LoopFacts = LoopFacts {
    item_ns: 0.0,
    item_growth: 0.0,
    item_cv: 0.5,
    piece_ns: 0.0,
    reduce_ns: 2_000.0,
    reduce_growth: 0.0,
    contention: 0.05,
    coherency: 0.0,
    imbalance: 0.0,
    cpu_share: None,
};

/// What the profile says of one loop on one machine class, as the attribute embeds it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Profiled {
    /// The loop's name.
    pub name: &'static str,
    /// The machine class.
    pub class: &'static str,
    /// The costs of that class.
    pub machine: MachineFacts,
    /// The costs of the loop there.
    pub item: LoopFacts,
    /// The smallest number of items that ran in parallel there; `usize::MAX` for none.
    pub parallel_from: usize,
    /// What one worker's task takes at its peak, in bytes; `None` where that was not measured.
    pub task_bytes: Option<u64>,
}

/// The entries of one loop, for items of any type, in a list in which those of each loop stand together.
/// For the expansion of the attribute.
pub const fn select(entries: &'static [Profiled], name: &str) -> &'static [Profiled] {
    let mut first = 0;
    while first < entries.len() && !belongs_to(entries[first].name, name) {
        first += 1;
    }
    let mut end = first;
    while end < entries.len() && belongs_to(entries[end].name, name) {
        end += 1;
    }
    entries.split_at(end).0.split_at(first).1
}

/// Whether an entry's name is `name`, or `name<type>`.
const fn belongs_to(entry: &str, name: &str) -> bool {
    let (entry, name) = (entry.as_bytes(), name.as_bytes());
    if entry.len() < name.len() || (entry.len() > name.len() && entry[name.len()] != b'<') {
        return false;
    }
    let mut i = 0;
    while i < name.len() {
        if entry[i] != name[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// Whether an entry's name is `name<item_type>`.
pub(crate) fn is_for_items(entry: &str, name: &str, item_type: &str) -> bool {
    let rest = entry.strip_prefix(name).and_then(|rest| rest.strip_prefix('<'));
    rest.and_then(|rest| rest.strip_suffix('>')) == Some(item_type)
}

/// The entry for this machine's class; else the first one of its architecture, or of any, scaled by the
/// reference loop.
pub(crate) fn on_this_machine(
    entries: impl Iterator<Item = &'static Profiled>,
) -> Option<LoopFacts> {
    let mut entries = entries.peekable();
    let first = *entries.peek()?;
    let class = machine::class();
    let architecture = class.split('-').next();
    let mut nearest = None;
    for entry in entries {
        if entry.class == class {
            machine::adopt(entry.machine);
            return Some(entry.item);
        }
        if nearest.is_none() && entry.class.split('-').next() == architecture {
            nearest = Some(entry);
        }
    }
    let nearest = nearest.unwrap_or(first);
    let ratio = machine::measured().reference_ns / nearest.machine.reference_ns;
    let ratio = if ratio.is_finite() && ratio > 0.0 { ratio } else { 1.0 };
    Some(ported(nearest.item, ratio))
}

/// What a profile of another machine says of a loop here, where the reference loop takes `ratio` times as long.
///
/// Contention belongs to that machine's caches and memory, and more than is assumed of an unknown loop is not
/// believed. Below 1, where any number of workers is faster than one, that costs processor time at most; from 1
/// on, as under a lock, workers would make the loop slower than it is serially, and it is kept.
fn ported(item: LoopFacts, ratio: f64) -> LoopFacts {
    let contention = match item.contention {
        shared if shared < 1.0 => shared.min(UNRECORDED.contention),
        locked => locked,
    };
    LoopFacts {
        item_ns: item.item_ns * ratio,
        piece_ns: item.piece_ns * ratio,
        reduce_ns: item.reduce_ns * ratio,
        contention,
        ..item
    }
}

/// What the entry for this machine's class says of the memory of a task; else the first one that says something, as
/// that depends little on the machine.
pub(crate) fn measured_task_bytes(
    entries: impl Iterator<Item = &'static Profiled> + Clone,
) -> Option<u64> {
    let mut measured = entries.filter(|entry| entry.task_bytes.is_some());
    // Without one the machine need not be known.
    let first = measured.clone().next()?;
    let here = measured.find(|entry| entry.class == machine::class());
    here.unwrap_or(first).task_bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_another_machine_are_scaled_and_its_contention_is_believed_where_it_must_be() {
        let item = LoopFacts { item_ns: 10.0, piece_ns: 20.0, reduce_ns: 30.0, ..UNRECORDED };
        let times = |facts: LoopFacts| [facts.item_ns, facts.piece_ns, facts.reduce_ns];
        assert_eq!(times(ported(item, 0.5)), [5.0, 10.0, 15.0]);
        let contention = |contention| ported(LoopFacts { contention, ..item }, 1.0).contention;
        assert_eq!([0.0, 0.01, 0.8, 1.0, 2.5].map(contention), [0.0, 0.01, 0.05, 1.0, 2.5]);
    }
}
