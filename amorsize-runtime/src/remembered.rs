//! The last decisions of a thread. Calls in a row are mostly alike, and to compare sixteen numbers of workers anew takes two
//! microseconds.

use std::cell::Cell;

use amorsize_profile::{LoopFacts, MachineFacts};

use crate::model::{self, Decision, Limits};

/// Decisions that are remembered.
const PLACES: usize = 8;

/// A decision holds while items take what they took to within this factor.
const ALIKE_WITHIN: f64 = 1.1;

/// What a decision was made for.
#[derive(Clone, Copy, PartialEq)]
struct Question {
    n: usize,
    item: LoopFacts,
    machine: MachineFacts,
    limits: Limits,
    hot: usize,
}

impl Question {
    /// Whether the answer to it answers `other`.
    fn is_like(&self, other: &Question) -> bool {
        let LoopFacts { item_ns, reduce_ns, .. } = other.item;
        let item = LoopFacts { item_ns, reduce_ns, ..self.item };
        alike(item_ns, self.item.item_ns)
            && alike(reduce_ns, self.item.reduce_ns)
            && Question { item, ..*self } == *other
    }
}

fn alike(a: f64, b: f64) -> bool {
    a <= b * ALIKE_WITHIN && b <= a * ALIKE_WITHIN
}

thread_local! {
    static LAST: [Cell<Option<(Question, Decision)>>; PLACES] = const { [const { Cell::new(None) }; PLACES] };
}

/// [`model::decide`], unless this thread has decided the same a moment ago.
pub(crate) fn decide(
    n: usize,
    item: &LoopFacts,
    machine: &MachineFacts,
    limits: &Limits,
    hot: usize,
) -> Decision {
    let hot = hot.min(limits.workers);
    let question = Question { n, item: *item, machine: *machine, limits: *limits, hot };
    let decide = || model::decide(n, item, machine, limits, hot);
    // A thread that is ending remembers nothing.
    LAST.try_with(|places| {
        let place = (n.wrapping_mul(0x9e37_79b9) >> 8) ^ usize::from(hot > 0);
        let place = &places[place & (PLACES - 1)];
        let decision = match place.get() {
            Some((last, decision)) if last.is_like(&question) => decision,
            _ => {
                let decision = decide();
                place.set(Some((question, decision)));
                decision
            }
        };
        Decision { serial_ns: n as f64 * item.item_ns, ..decision }
    })
    .unwrap_or_else(|_| decide())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Plan;

    const MACHINE: MachineFacts = MachineFacts {
        spawn_ns: 200.0,
        wake_ns: 2_000.0,
        cold_spawn_ns: 2_000.0,
        cold_wake_ns: 20_000.0,
        hot_for_ns: 40_000.0,
        claim_ns: 50.0,
        reference_ns: 1_000.0,
    };

    fn plan(n: usize, item_ns: f64, workers: usize, hot: usize) -> Plan {
        let item = LoopFacts { item_ns, ..LoopFacts::default() };
        let limits = Limits::cores(workers);
        let decision = decide(n, &item, &MACHINE, &limits, hot);
        assert_eq!(decision.serial_ns, n as f64 * item_ns);
        decision.plan
    }

    #[test]
    fn a_decision_holds_while_items_take_about_the_same() {
        let item_ns = 1_000.0;
        let first = plan(1_000, item_ns, 16, 15);
        assert!(matches!(first, Plan::Parallel { .. }));
        assert_eq!(plan(1_000, 1.05 * item_ns, 16, 15), first);
        assert_eq!(plan(1_000, 0.001 * item_ns, 16, 15), Plan::Serial);
    }

    #[test]
    fn another_question_has_an_answer_of_its_own() {
        let workers = |plan| match plan {
            Plan::Serial => 1,
            Plan::Parallel { workers, .. } => workers,
        };
        for _ in 0..2 {
            assert_eq!(workers(plan(100_000, 1_000.0, 16, 15)), 16);
            assert_eq!(workers(plan(100_000, 1_000.0, 8, 15)), 8);
            assert_eq!(workers(plan(20, 500.0, 16, 0)), 1);
            assert!(workers(plan(20, 500.0, 16, 15)) > 1);
            assert_eq!(workers(plan(2, 10.0, 16, 15)), 1);
        }
    }
}
