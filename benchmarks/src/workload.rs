//! What a workload is.

use std::fmt::Debug;

use crate::executor::Executor;

/// Work on a collection of items, the same under every executor.
pub(crate) trait Workload {
    /// As users name it in `--filter`.
    const NAME: &'static str;
    /// Where it comes from, and why it is here.
    const ORIGIN: &'static str;
    /// Numbers of items to measure.
    const SIZES: &'static [usize];
    /// Whether it divides and conquers: executors without a fork of two branches stay out then, and there
    /// is no plan but a cut-off.
    const FORKS: bool = false;

    /// Whether one call of the workload is one of its loop, which can be predicted.
    const IS_ONE_CALL: bool = true;

    /// What is worked on. A workload that works in place changes it.
    type Input: Clone + PartialEq + Debug;
    /// What one call returns.
    type Output: PartialEq + Debug;

    /// Makes an input of `n` items, the same every time.
    fn prepare(n: usize) -> Self::Input;

    /// One call.
    fn run(input: &mut Self::Input, executor: Executor) -> Self::Output;

    /// Whether there is an arm for `executor`.
    fn takes(executor: Executor) -> bool {
        !Self::FORKS || executor.forks()
    }

    /// Whether `executor` returns the same as the plain iterator and leaves the same input behind.
    fn agrees(input: &Self::Input, executor: Executor) -> bool {
        let (mut expected, mut actual) = (input.clone(), input.clone());
        let returned = Self::run(&mut expected, Executor::Serial);
        returned == Self::run(&mut actual, executor) && expected == actual
    }
}
