//! Items of a known cost: dependent arithmetic, no memory, no clock.

use std::hint::black_box;
use std::time::Instant;

/// Runs `steps` dependent steps of about a nanosecond each. The result fits 32 bits, so that sums of
/// results do not overflow.
#[inline]
pub(crate) fn spin(seed: u64, steps: u32) -> u64 {
    let mut x = seed | 1;
    for _ in 0..steps {
        x ^= x >> 29;
        x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    x >> 32
}

/// The number of steps with which one item of a plain loop takes about `item_ns`.
///
/// Measured in such a loop, because the steps of neighbouring items overlap while they are few.
pub(crate) fn steps_for(item_ns: f64) -> u32 {
    let mut steps = 1;
    while item_time(steps) < item_ns {
        steps *= 2;
    }
    let (mut below, mut above) = (steps / 2, steps);
    // 64 steps are near enough to any number above 1,000.
    while above - below > (above / 64).max(1) {
        let middle = below + (above - below) / 2;
        if item_time(middle) < item_ns {
            below = middle;
        } else {
            above = middle;
        }
    }
    let nearer_below = below > 0 && item_ns - item_time(below) < item_time(above) - item_ns;
    if nearer_below { below } else { above }
}

/// Nanoseconds per item, the best of several tries.
fn item_time(steps: u32) -> f64 {
    let items = (200_000 / steps as usize).clamp(8, 20_000);
    let seeds: Vec<u64> = (0..items as u64).collect();
    let once = || {
        let start = Instant::now();
        black_box(sum_of_spins(black_box(&seeds), black_box(steps)));
        start.elapsed().as_nanos() as f64 / items as f64
    };
    (0..7).map(|_| once()).fold(f64::INFINITY, f64::min)
}

/// The plain loop.
#[inline(never)]
pub(crate) fn sum_of_spins(seeds: &[u64], steps: u32) -> u64 {
    seeds.iter().map(|&seed| spin(seed, steps)).sum()
}
