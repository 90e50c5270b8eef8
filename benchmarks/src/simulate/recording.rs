//! What a recording would have written: noisy times of calls under the settings that a recorder tries.

use amorsize_profile::{Call, MachineFacts, Record, Setting};

use super::engine;
use super::scenario::{Items, Scenario, between, log_normal};

/// Calls under each setting.
const CALLS: usize = 12;
/// They have so many different inputs in turn: items of one call differ from those of another, in a recording as in use.
const INPUTS: usize = 4;
/// Of these, serial ones in timed blocks.
const IN_BLOCKS: usize = 4;
const BLOCKS: usize = 8;
/// Serial blocks shorter than this are not told apart.
const SHORTEST_BLOCK_NS: f64 = 2_000.0;
/// Serial time below which no parallel setting is tried.
const NEVER_PARALLEL_NS: f64 = 1_000.0;
/// Serial time from which a quarter of the workers is tried each time, not half of them, and these with one chunk size.
const LONG_NS: f64 = 200e6;
const CHUNKS_PER_WORKER_OF_LONG: [usize; 1] = [4];
const CHUNKS_PER_WORKER: [usize; 3] = [1, 4, 16];

/// Deviation of what one call takes, and of what one block takes.
const NOISE: f64 = 0.03;
/// One call in so many is interrupted.
const INTERRUPTED: usize = 50;

/// The records of the scenario's loop; its name is [`NAME`].
pub(super) fn records(scenario: &Scenario, random: &mut fastrand::Rng) -> Vec<Record> {
    let Scenario { host, tuned, recorded, .. } = scenario;
    let mut measured = |truth: f64| truth * log_normal(0.05, random);
    let facts = [
        measured(host.spawn_ns),
        measured(host.wake_ns),
        measured(host.cold_spawn_ns),
        measured(host.cold_wake_ns),
        50_000.0,
        measured(host.claim_ns),
        1_000.0,
    ];
    let mut records = vec![Record::Machine {
        class: "simulated".to_owned(),
        workers: host.workers as u32,
        processors: host.workers as u32,
        pool_threads: host.workers as u32,
        facts: MachineFacts::from_array(facts),
    }];
    for &n in recorded {
        let inputs: [_; INPUTS] = std::array::from_fn(|_| tuned.items(n, random));
        for setting in settings(&inputs[0], host.workers) {
            for call in 0..CALLS {
                let record = one(scenario, &inputs[call % INPUTS], setting, call, random);
                records.push(Record::Call(record));
            }
        }
    }
    records
}

/// What the records call the loop.
pub(super) const NAME: &str = "simulated";

fn one(
    scenario: &Scenario,
    items: &Items,
    setting: Setting,
    call: usize,
    random: &mut fastrand::Rng,
) -> Call {
    let hot = scenario.host.workers - 1;
    let (plan, reduce_ns) = match setting {
        Setting::Parallel { workers, chunk } => {
            let reduce_ns = items.reduce_ns * log_normal(NOISE, random);
            ((workers as usize, chunk as usize), Some(reduce_ns))
        }
        _ => ((1, items.len()), None),
    };
    let took = engine::run(&scenario.host, items, plan, hot, random.u64(..));
    let in_blocks = setting == Setting::Serial && call < IN_BLOCKS;
    Call {
        name: NAME.to_owned(),
        item_type: String::new(),
        items: items.len() as u64,
        cost: 1.0,
        setting,
        hot: hot as u32,
        wall_ns: (took.wall_ns * noise(random)).max(1.0) as u64,
        item_sd_ns: if in_blocks { deviation_ns(items, random) } else { None },
        reduce_ns,
        busy_ns: reduce_ns.map(|_| took.busy_ns * log_normal(NOISE, random)),
        usage: None,
    }
}

/// What a process thinks that items take which has seen these calls.
pub(super) fn seen_item_ns(calls: &[Items], random: &mut fastrand::Rng) -> f64 {
    let seen_ns =
        |items: &Items| items.time_ns(0, items.len()) * noise(random) / items.len() as f64;
    calls.iter().map(seen_ns).sum::<f64>() / calls.len() as f64
}

/// A factor; now and then much above 1.
fn noise(random: &mut fastrand::Rng) -> f64 {
    let interrupted =
        if random.usize(..INTERRUPTED) == 0 { between(1.1, 5.0, random) } else { 1.0 };
    log_normal(NOISE, random) * interrupted
}

/// The settings that a recorder tries for these items.
fn settings(items: &Items, most: usize) -> Vec<Setting> {
    let n = items.len();
    let serial_ns = items.time_ns(0, n);
    let mut settings = vec![Setting::Serial];
    if serial_ns < NEVER_PARALLEL_NS {
        return settings;
    }
    let (mut workers, is_long) = (most, serial_ns >= LONG_NS);
    while workers >= 2 {
        let fewer = is_long && workers < most;
        let per_worker = if fewer { &CHUNKS_PER_WORKER_OF_LONG[..] } else { &CHUNKS_PER_WORKER };
        for per_worker in per_worker {
            let chunk = n.div_ceil(workers * per_worker);
            let setting = Setting::Parallel { workers: workers as u32, chunk: chunk as u64 };
            if chunk < n && !settings.contains(&setting) {
                settings.push(setting);
            }
        }
        workers /= if is_long { 4 } else { 2 };
    }
    settings
}

/// The deviation of one item's time as a recorder estimates it from blocks.
fn deviation_ns(items: &Items, random: &mut fastrand::Rng) -> Option<f64> {
    let block = items.len().div_ceil(BLOCKS);
    let full = items.len() / block;
    let means: Vec<f64> = (0..full)
        .map(|i| items.time_ns(i * block, (i + 1) * block) * noise(random) / block as f64)
        .collect();
    let total_ns = means.iter().sum::<f64>() * block as f64;
    if full < 4 || total_ns < SHORTEST_BLOCK_NS * full as f64 {
        return None;
    }
    // How far a block is from its neighbours' mean: a trend is no variation.
    let apart = means.windows(3).map(|near| (near[1] - (near[0] + near[2]) / 2.0).abs());
    Some(1.4826 * median(apart.collect()) / 1.5_f64.sqrt() * (block as f64).sqrt())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
