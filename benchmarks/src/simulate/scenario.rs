//! Random machines and random loops. The cost model never sees these numbers.

/// A machine and what other programs do on it.
#[derive(Clone, Debug)]
pub(super) struct Host {
    /// Cores that may be used.
    pub(super) workers: usize,
    /// The caller's time for a hot helper, and how much later that starts; the same for a cold one.
    pub(super) spawn_ns: f64,
    pub(super) wake_ns: f64,
    pub(super) cold_spawn_ns: f64,
    pub(super) cold_wake_ns: f64,
    /// Deviation of the logarithm of wake times.
    pub(super) wake_spread: f64,
    /// The share of helpers that start twenty times as late.
    pub(super) stragglers: f64,
    /// Taking a chunk of one's own, and one of another worker's.
    pub(super) claim_ns: f64,
    pub(super) steal_ns: f64,
    /// The last so many cores have 0.6 of the speed of the others.
    pub(super) slow_cores: usize,
    pub(super) sharing: Sharing,
}

/// How workers slow each other down. It belongs to the loop, too: how much memory it moves.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sharing {
    /// Not at all.
    None,
    /// As the Universal Scalability Law says.
    Scalability { contention: f64, coherency: f64 },
    /// Memory feeds so many workers.
    Bandwidth { workers: f64 },
}

impl Sharing {
    /// How many times as long items take with so many workers at work.
    pub(super) fn slowdown(self, active: usize) -> f64 {
        let w = active as f64;
        match self {
            Sharing::None => 1.0,
            Sharing::Scalability { contention, coherency } => {
                1.0 + contention * (w - 1.0) + coherency * w * (w - 1.0)
            }
            Sharing::Bandwidth { workers } => (w / workers).max(1.0),
        }
    }
}

impl Host {
    /// What it takes the one who summons a helper, and how much later that one starts.
    pub(super) fn start_ns(&self, is_hot: bool, random: &mut fastrand::Rng) -> (f64, f64) {
        let (spawn_ns, wake_ns) = if is_hot {
            (self.spawn_ns, self.wake_ns)
        } else {
            (self.cold_spawn_ns, self.cold_wake_ns)
        };
        let late = if random.f64() < self.stragglers { 20.0 } else { 1.0 };
        (spawn_ns, wake_ns * late * (self.wake_spread * normal(random)).exp())
    }

    pub(super) fn speed(&self, worker: usize) -> f64 {
        if worker + self.slow_cores >= self.workers { 0.6 } else { 1.0 }
    }
}

/// The items of one call.
#[derive(Clone, Debug)]
pub(super) struct Items {
    /// What the first so many items take, in all.
    sums_ns: Vec<f64>,
    /// Of every chunk, beyond its items.
    pub(super) piece_ns: f64,
    /// Of two results.
    pub(super) reduce_ns: f64,
}

impl Items {
    pub(super) fn new(times_ns: Vec<f64>, piece_ns: f64, reduce_ns: f64) -> Self {
        let mut sums_ns = Vec::with_capacity(times_ns.len() + 1);
        let mut sum = 0.0;
        sums_ns.push(sum);
        sums_ns.extend(times_ns.into_iter().map(|time| {
            sum += time;
            sum
        }));
        Items { sums_ns, piece_ns, reduce_ns }
    }

    pub(super) fn len(&self) -> usize {
        self.sums_ns.len() - 1
    }

    /// What the items from `start` to `end` take one worker alone.
    pub(super) fn time_ns(&self, start: usize, end: usize) -> f64 {
        self.sums_ns[end] - self.sums_ns[start]
    }
}

/// A loop: how its items come about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loop {
    pub(super) item_ns: f64,
    variation: Variation,
    /// The last item takes so many times the first one's time; below 1 where they get cheaper.
    trend: f64,
    piece_ns: f64,
    /// Of two results of a call of one item, and by which power of the items that grows.
    reduce_ns: f64,
    reduce_growth: f64,
}

/// How items differ, apart from the trend.
#[derive(Clone, Copy, Debug)]
enum Variation {
    /// Each by itself, as a log-normal distribution of this deviation says.
    Independent(f64),
    /// As before, but neighbours are alike.
    Blocks { deviation: f64, items: usize },
    /// One in a hundred takes a hundred times as long.
    LongTail,
}

impl Loop {
    /// The items of a call of `n`, of `item_ns` each on average over many calls.
    pub(super) fn items(&self, n: usize, random: &mut fastrand::Rng) -> Items {
        let mut block = 1.0;
        let times = (0..n).map(|i| {
            let varied = match self.variation {
                Variation::Independent(deviation) => log_normal(deviation, random),
                Variation::Blocks { deviation, items } => {
                    if i % items == 0 {
                        block = log_normal(deviation, random);
                    }
                    block
                }
                Variation::LongTail if random.usize(..100) == 0 => 100.0 / 1.99,
                Variation::LongTail => 1.0 / 1.99,
            };
            let position = (i as f64 + 0.5) / n as f64;
            let trend = 2.0 * (1.0 + (self.trend - 1.0) * position) / (1.0 + self.trend);
            self.item_ns * varied * trend
        });
        Items::new(times.collect(), self.piece_ns, self.reduce_ns_of(n))
    }

    /// What a reduction takes in a call of `n` items.
    fn reduce_ns_of(&self, n: usize) -> f64 {
        self.reduce_ns * (n as f64).powf(self.reduce_growth)
    }
}

/// A call to decide about.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) host: Host,
    pub(super) tuned: Loop,
    /// Items of the call.
    pub(super) n: usize,
    /// Items of the calls that were recorded.
    pub(super) recorded: Vec<usize>,
    /// Helpers that are hot.
    pub(super) hot: usize,
}

/// Most items of a call: more of them, with items as cheap, differ in no decision.
const MOST_ITEMS: f64 = 300_000.0;
/// The longest serial run.
const LONGEST_NS: f64 = 60e9;

impl Scenario {
    /// The same for the same seed.
    pub(super) fn random(seed: u64) -> Self {
        let random = &mut fastrand::Rng::with_seed(seed);
        let workers = between(1.0, 1_024.9, random) as usize;
        let n = between(2.0, MOST_ITEMS, random) as usize;
        let item_ns = between(1.0, 10e6, random).min(LONGEST_NS / n as f64);
        let variation = match random.usize(..6) {
            0..=2 => Variation::Independent(between(0.01, 1.5, random)),
            3 => Variation::Independent(0.0),
            4 => Variation::Blocks {
                deviation: between(0.1, 1.5, random),
                items: between(2.0, 1_000.0, random) as usize,
            },
            _ => Variation::LongTail,
        };
        let trend = match random.usize(..6) {
            0 => between(2.0, 100.0, random),
            1 => 1.0 / between(2.0, 100.0, random),
            _ => 1.0,
        };
        let dear = |often: usize, low, high, random: &mut fastrand::Rng| {
            if random.usize(..10) < often { between(low, high, random) } else { 0.0 }
        };
        let piece_ns = dear(3, 20.0, 10_000.0, random);
        let reduce_ns = 30.0 + dear(4, 30.0, 100_000.0, random);
        let reduce_growth = growth(reduce_ns, seed);
        let reduce_ns = reduce_ns / (n as f64).powf(reduce_growth);
        let tuned = Loop { item_ns, variation, trend, piece_ns, reduce_ns, reduce_growth };
        let host = Host::random(workers, random);
        let size = |random: &mut fastrand::Rng| {
            let near = (n as f64 * between(0.2, 5.0, random)).clamp(2.0, MOST_ITEMS);
            near.min(LONGEST_NS / item_ns).max(2.0) as usize
        };
        let recorded = (0..random.usize(1..=3)).map(|_| size(random)).collect();
        let hot = match random.usize(..4) {
            0 => 0,
            1 => random.usize(..workers),
            _ => workers,
        };
        Scenario { host, tuned, n, recorded, hot }
    }
}

/// The power by which such a reduction grows: half of the dear ones do. From numbers of its own, so that everything
/// else about a seed is as it was when none grew.
fn growth(reduce_ns: f64, seed: u64) -> f64 {
    let random = &mut fastrand::Rng::with_seed(seed ^ u64::MAX >> 1);
    let grows = reduce_ns > 1_000.0 && random.bool();
    if grows { 0.2 + 0.8 * random.f64() } else { 0.0 }
}

impl Scenario {
    /// What sets it apart, in a few words.
    pub(super) fn kind(&self) -> String {
        let Scenario { host, tuned, n, hot, .. } = self;
        let mut kind = vec![match tuned.variation {
            Variation::Independent(deviation) => format!("varied {deviation:.2}"),
            Variation::Blocks { deviation, items } => format!("blocks {deviation:.2}/{items}"),
            Variation::LongTail => "long tail".to_owned(),
        }];
        if tuned.trend != 1.0 {
            kind.push(format!("trend {:.2}", tuned.trend));
        }
        match host.sharing {
            Sharing::None => {}
            Sharing::Scalability { contention, coherency } => {
                kind.push(format!("usl {contention:.3} {coherency:.0e}"));
            }
            Sharing::Bandwidth { workers } => kind.push(format!("bandwidth {workers:.1}")),
        }
        if tuned.piece_ns > 0.0 {
            kind.push(format!("piece {:.0}", tuned.piece_ns));
        }
        if tuned.reduce_growth > 0.0 {
            let reduce_ns = tuned.reduce_ns_of(*n);
            kind.push(format!("reduce {reduce_ns:.0}^{:.1}", tuned.reduce_growth));
        } else if tuned.reduce_ns > 1_000.0 {
            kind.push(format!("reduce {:.0}", tuned.reduce_ns));
        }
        if *hot + 1 < host.workers {
            kind.push(format!("{hot} hot"));
        }
        if host.stragglers > 0.0 {
            kind.push("stragglers".to_owned());
        }
        if host.slow_cores > 0 {
            kind.push("slow cores".to_owned());
        }
        kind.join(", ")
    }
}

impl Host {
    fn random(workers: usize, random: &mut fastrand::Rng) -> Self {
        let spawn_ns = between(50.0, 1_000.0, random);
        let wake_ns = between(500.0, 5_000.0, random);
        let sharing = match random.usize(..4) {
            0 => Sharing::Scalability {
                contention: between(0.001, 0.3, random),
                coherency: between(1e-6, 1e-3, random),
            },
            1 => Sharing::Bandwidth { workers: between(1.5, 64.0, random) },
            _ => Sharing::None,
        };
        Host {
            workers,
            spawn_ns,
            wake_ns,
            cold_spawn_ns: spawn_ns + between(2_000.0, 30_000.0, random),
            cold_wake_ns: wake_ns + between(5_000.0, 80_000.0, random),
            wake_spread: between(0.05, 0.5, random),
            stragglers: if random.usize(..4) == 0 { 0.02 } else { 0.0 },
            claim_ns: between(20.0, 200.0, random),
            steal_ns: between(50.0, 500.0, random),
            slow_cores: if random.usize(..6) == 0 { workers / 2 } else { 0 },
            sharing,
        }
    }
}

/// Evenly distributed logarithm.
pub(super) fn between(low: f64, high: f64, random: &mut fastrand::Rng) -> f64 {
    (low.ln() + random.f64() * (high / low).ln()).exp()
}

/// Of mean 1.
pub(super) fn log_normal(deviation: f64, random: &mut fastrand::Rng) -> f64 {
    (deviation * normal(random) - 0.5 * deviation * deviation).exp()
}

/// Standard normal (Box and Muller 1958).
fn normal(random: &mut fastrand::Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.f64()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_scenario_every_time_and_another_seed_another_one() {
        let text = |seed| format!("{:?}", Scenario::random(seed));
        assert_eq!(text(1), text(1));
        assert_ne!(text(1), text(2));
    }

    #[test]
    fn items_take_their_time_on_average_whatever_the_trend() {
        let random = &mut fastrand::Rng::with_seed(7);
        for trend in [0.01, 1.0, 50.0] {
            for variation in [
                Variation::Independent(0.8),
                Variation::Blocks { deviation: 0.5, items: 7 },
                Variation::LongTail,
            ] {
                let [piece_ns, reduce_ns, reduce_growth] = [0.0; 3];
                let item_ns = 10.0;
                let tuned = Loop { item_ns, variation, trend, piece_ns, reduce_ns, reduce_growth };
                let items = tuned.items(200_000, random);
                let mean = items.time_ns(0, items.len()) / items.len() as f64;
                assert!((9.0..11.0).contains(&mean), "{trend} {variation:?}: {mean}");
            }
        }
    }

    #[test]
    fn scenarios_reach_from_one_worker_to_a_thousand() {
        let workers: Vec<usize> =
            (0..500).map(|seed| Scenario::random(seed).host.workers).collect();
        assert!(workers.iter().min() == Some(&1) && workers.iter().any(|&w| w > 900));
        assert!(workers.iter().all(|w| (1..=1_024).contains(w)));
    }
}
