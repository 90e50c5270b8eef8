//! Executors that run two branches: divide and conquer, written once for all of them.

use std::thread;

use amorsize::Loop;
use chili::Scope;

use crate::executor::Executor;
use crate::forked::{Forked, chili_scope};

/// Work that divides itself.
pub(crate) trait Divided: Send {
    /// The number of items.
    fn len(&self) -> usize;

    fn run(self, fork: &mut impl Fork);
}

/// Runs two branches, which fork in the same way.
pub(crate) trait Fork {
    fn join(&mut self, left: impl Divided, right: impl Divided);
}

/// Runs `work` as `executor` forks.
pub(crate) fn divide_by(executor: Executor, work: impl Divided) {
    match executor {
        Executor::Serial => work.run(&mut Alone),
        Executor::Rayon => work.run(&mut Rayon { shortest: 0 }),
        Executor::RayonMinLen(shortest) => work.run(&mut Rayon { shortest }),
        Executor::Amorsize(target) => work.run(&mut Tuned(target)),
        Executor::Forked(Forked::Chili) => work.run(&mut chili_scope()),
        Executor::Forked(Forked::Scope) => {
            let depth = rayon::current_num_threads().next_power_of_two().ilog2();
            work.run(&mut Threads { depth });
        }
        other => unreachable!("{other:?} does not fork"),
    }
}

impl Executor {
    /// Whether it can run two branches.
    pub(crate) fn forks(self) -> bool {
        !matches!(self, Executor::Orx | Executor::Paralight | Executor::Forked(Forked::OpenMp(_)))
    }
}

/// One after the other.
struct Alone;

impl Fork for Alone {
    fn join(&mut self, left: impl Divided, right: impl Divided) {
        left.run(self);
        right.run(self);
    }
}

/// `rayon::join`, with the threshold that its users write by hand.
#[derive(Clone, Copy)]
struct Rayon {
    shortest: usize,
}

impl Fork for Rayon {
    fn join(&mut self, left: impl Divided, right: impl Divided) {
        let (mut here, mut there) = (*self, *self);
        if left.len() + right.len() < self.shortest {
            left.run(&mut here);
            right.run(&mut there);
        } else {
            rayon::join(|| left.run(&mut here), || right.run(&mut there));
        }
    }
}

/// `amorsize::join` under the attribute.
#[derive(Clone, Copy)]
struct Tuned(&'static Loop);

impl Fork for Tuned {
    fn join(&mut self, left: impl Divided, right: impl Divided) {
        let (mut here, mut there) = (*self, *self);
        let (left_len, right_len) = (left.len(), right.len());
        self.0.join(left_len, || left.run(&mut here), right_len, || right.run(&mut there));
    }
}

impl Fork for Scope<'_> {
    fn join(&mut self, left: impl Divided, right: impl Divided) {
        Scope::join(self, |scope| left.run(scope), |scope| right.run(scope));
    }
}

/// A thread for the right branch, down to one branch for each core.
#[derive(Clone, Copy)]
struct Threads {
    depth: u32,
}

impl Fork for Threads {
    fn join(&mut self, left: impl Divided, right: impl Divided) {
        let Some(depth) = self.depth.checked_sub(1) else {
            left.run(self);
            return right.run(self);
        };
        let (mut here, mut there) = (Threads { depth }, Threads { depth });
        thread::scope(|scope| {
            scope.spawn(|| right.run(&mut there));
            left.run(&mut here);
        });
    }
}
