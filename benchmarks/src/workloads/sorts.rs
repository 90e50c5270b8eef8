use crate::executor::Executor;
use crate::fork::{Divided, Fork, divide_by};
use crate::workload::Workload;

/// Quick sort: what is forked for is known only after the items were divided, and no two branches are
/// equally long.
pub(crate) struct QuickSort;

/// Merge sort: equal branches, and a merge by the caller after each fork.
pub(crate) struct MergeSort;

/// Fewer items are sorted by insertion, in every executor: this belongs to the sort, not to its forks.
const BY_INSERTION: usize = 16;

impl Workload for QuickSort {
    const NAME: &'static str = "quick_sort";
    const ORIGIN: &'static str = "Hoare 1961; pivot from three items, no threshold for forks";
    const SIZES: &'static [usize] = &[1_000, 10_000, 100_000, 1_000_000];
    const FORKS: bool = true;

    type Input = Vec<u64>;
    type Output = Vec<u64>;

    fn prepare(n: usize) -> Vec<u64> {
        random(n)
    }

    fn run(input: &mut Vec<u64>, executor: Executor) -> Vec<u64> {
        let mut items = input.clone();
        divide_by(executor, QuickSorted(&mut items));
        items
    }
}

impl Workload for MergeSort {
    const NAME: &'static str = "merge_sort";
    const ORIGIN: &'static str = "von Neumann 1945, top down, no threshold for forks";
    const SIZES: &'static [usize] = &[1_000, 10_000, 100_000, 1_000_000];
    const FORKS: bool = true;

    type Input = Vec<u64>;
    type Output = Vec<u64>;

    fn prepare(n: usize) -> Vec<u64> {
        random(n)
    }

    fn run(input: &mut Vec<u64>, executor: Executor) -> Vec<u64> {
        let mut items = input.clone();
        let mut space = input.clone();
        divide_by(executor, MergeSorted { items: &mut items, space: &mut space });
        items
    }
}

struct QuickSorted<'a>(&'a mut [u64]);

impl Divided for QuickSorted<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn run(self, fork: &mut impl Fork) {
        if self.0.len() <= BY_INSERTION {
            return sort_by_insertion(self.0);
        }
        let (low, high) = divide(self.0);
        fork.join(QuickSorted(low), QuickSorted(high));
    }
}

struct MergeSorted<'a> {
    items: &'a mut [u64],
    space: &'a mut [u64],
}

impl Divided for MergeSorted<'_> {
    fn len(&self) -> usize {
        self.items.len()
    }

    fn run(self, fork: &mut impl Fork) {
        let MergeSorted { items, space } = self;
        if items.len() <= BY_INSERTION {
            return sort_by_insertion(items);
        }
        let middle = items.len() / 2;
        let (left, right) = items.split_at_mut(middle);
        let (left_space, right_space) = space.split_at_mut(middle);
        fork.join(
            MergeSorted { items: left, space: left_space },
            MergeSorted { items: right, space: right_space },
        );
        merge(items, space);
    }
}

fn random(n: usize) -> Vec<u64> {
    let mut random = fastrand::Rng::with_seed(12);
    (0..n).map(|_| random.u64(..)).collect()
}

/// Cuts `items` at a pivot that is neither in the left nor in the right part.
fn divide(items: &mut [u64]) -> (&mut [u64], &mut [u64]) {
    let (middle, last) = (items.len() / 2, items.len() - 1);
    // The median of three comes last.
    if items[middle] < items[0] {
        items.swap(0, middle);
    }
    if items[last] < items[0] {
        items.swap(0, last);
    }
    if items[middle] < items[last] {
        items.swap(middle, last);
    }
    let pivot = items[last];
    let mut border = 0;
    for i in 0..last {
        // Without a branch: what is swapped with itself stays.
        let is_low = items[i] < pivot;
        items.swap(i, border);
        border += usize::from(is_low);
    }
    items.swap(border, last);
    let (low, high) = items.split_at_mut(border);
    (low, &mut high[1..])
}

fn sort_by_insertion(items: &mut [u64]) {
    for sorted in 1..items.len() {
        let item = items[sorted];
        let mut place = sorted;
        while place > 0 && items[place - 1] > item {
            items[place] = items[place - 1];
            place -= 1;
        }
        items[place] = item;
    }
}

/// Merges the two sorted halves of `items`, by way of `space`.
fn merge(items: &mut [u64], space: &mut [u64]) {
    space.copy_from_slice(items);
    let (left, right) = space.split_at(space.len() / 2);
    let (mut l, mut r) = (0, 0);
    for item in items {
        let from_left = r == right.len() || (l < left.len() && left[l] <= right[r]);
        *item = if from_left { left[l] } else { right[r] };
        l += usize::from(from_left);
        r += usize::from(!from_left);
    }
}
