use super::*;

const MACHINE: MachineFacts = MachineFacts {
    spawn_ns: 200.0,
    wake_ns: 3_000.0,
    cold_spawn_ns: 5_000.0,
    cold_wake_ns: 20_000.0,
    hot_for_ns: 50_000.0,
    claim_ns: 50.0,
    reference_ns: 1_000.0,
};

#[test]
fn what_follows_long_blocks_begins_with_a_cache_line_and_short_ones_stay_as_they_are() {
    for (start, len, end) in [
        (0, 1, 1),
        (0, 63, 63),
        (1, 100, 101),
        (0, 12_500, 12_544),
        (330, 3_700, 4_032),
        (4_032, 1_000_001, 1_004_096),
        (1, usize::MAX - 1, usize::MAX),
    ] {
        assert_eq!(start + whole_lines(start, len), end, "{start}, {len}");
    }
    for len in 0..10_000 {
        let whole = whole_lines(0, len);
        assert!((len..=len + len / 64).contains(&whole), "{len}: {whole}");
    }
}

/// All helpers are hot.
const HOT: usize = usize::MAX;

fn items(item_ns: f64) -> LoopFacts {
    LoopFacts {
        item_ns,
        item_growth: 0.0,
        item_cv: 0.1,
        piece_ns: 0.0,
        reduce_ns: 20.0,
        reduce_growth: 0.0,
        contention: 0.02,
        coherency: 0.0,
        imbalance: 0.0,
        cpu_share: None,
    }
}

#[test]
fn a_tiny_loop_stays_serial_and_a_large_one_does_not() {
    let limits = Limits::cores(8);
    assert_eq!(decide(100, &items(1.0), &MACHINE, &limits, HOT).plan, Plan::Serial);
    assert!(matches!(
        decide(100_000, &items(100.0), &MACHINE, &limits, HOT).plan,
        Plan::Parallel { workers: 8, .. }
    ));
}

#[test]
fn no_plan_is_predicted_slower_than_serial() {
    for workers in [1, 2, 3, 8, 96, 1024] {
        for n in [0, 1, 2, 3, 10, 1_000, 1 << 20, usize::MAX] {
            for item_ns in [0.0, 0.5, 10.0, 1e6, 1e300, f64::NAN, f64::INFINITY] {
                let limits = Limits::cores(workers);
                for hot in [0, 1, 7, HOT] {
                    let decision = decide(n, &items(item_ns), &MACHINE, &limits, hot);
                    if let Plan::Parallel { workers: chosen, chunk } = decision.plan {
                        assert!(decision.terms.total() < decision.serial_ns);
                        assert!((2..=workers).contains(&chosen) && (1..n).contains(&chunk));
                    }
                }
            }
        }
    }
}

/// MMIX's generator (Knuth).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    /// Evenly distributed logarithm.
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low * (high / low).powf(self.below(1 << 20) as f64 / f64::from(1 << 20))
    }

    /// Mostly nothing.
    fn some(&mut self, low: f64, high: f64) -> f64 {
        if self.below(3) > 0 { 0.0 } else { self.between(low, high) }
    }

    /// Facts as loops have them, from the simplest to the oddest.
    fn item(&mut self) -> LoopFacts {
        LoopFacts {
            item_ns: self.between(0.5, 1e7),
            item_growth: self.some(0.1, LoopFacts::MOST_ITEM_GROWTH),
            item_cv: self.some(0.01, 10.0),
            piece_ns: self.some(10.0, 1e5),
            reduce_ns: self.some(10.0, 1e5),
            reduce_growth: self.some(0.1, 1.0),
            contention: self.some(1e-3, 0.5),
            coherency: self.some(1e-6, 1e-2),
            imbalance: self.some(0.01, 1.0),
            cpu_share: None,
        }
    }

    fn machine(&mut self) -> MachineFacts {
        let (spawn_ns, wake_ns) = (self.between(20.0, 2_000.0), self.between(200.0, 1e4));
        MachineFacts {
            spawn_ns,
            wake_ns,
            cold_spawn_ns: spawn_ns + self.between(100.0, 5e4),
            cold_wake_ns: wake_ns + self.between(100.0, 1e5),
            claim_ns: self.between(10.0, 500.0),
            ..MACHINE
        }
    }
}

#[test]
fn no_facts_lead_to_a_panic_or_to_a_plan_that_is_not_allowed() {
    const NUMBERS: [f64; 8] = [0.0, 1e-300, 0.5, 1e3, 1e308, f64::INFINITY, f64::NAN, -1.0];
    const COUNTS: [usize; 7] = [0, 1, 2, 100, 1 << 30, usize::MAX - 1, usize::MAX];
    let mut random = Random(7);
    let mut pick = |of: usize| random.below(of);
    let mut parallel = 0;
    for _ in 0..100_000 {
        let mut number = || NUMBERS[pick(NUMBERS.len())];
        let item = LoopFacts {
            item_ns: number(),
            item_growth: number(),
            item_cv: number(),
            piece_ns: number(),
            reduce_ns: number(),
            reduce_growth: number(),
            contention: number(),
            coherency: number(),
            imbalance: number(),
            cpu_share: None,
        };
        let machine = MachineFacts::from_array(std::array::from_fn(|_| number()));
        let mut count = || COUNTS[pick(COUNTS.len())];
        let (n, hot, workers) = (count(), count(), count());
        let limits = Limits { min_chunk: count(), max_chunk: count(), ..Limits::cores(workers) };
        let decision = decide(n, &item, &machine, &limits, hot);
        if let Plan::Parallel { workers: chosen, chunk } = decision.plan {
            assert!((2..=workers).contains(&chosen) && (1..n).contains(&chunk), "{decision:?}");
            assert!(decision.terms.total() < decision.serial_ns, "{decision:?}");
            parallel += 1;
        }
        assert!(best_chunk(n, workers, &item, &machine, hot) > 0);
        break_even_within(n, &item, &machine, &limits, hot);
    }
    assert!(parallel > 0, "no call went parallel");
}

#[test]
fn a_call_that_pays_with_hot_helpers_may_not_pay_with_cold_ones() {
    let (item, limits) = (items(1_000.0), Limits::cores(2));
    assert_ne!(decide(20, &item, &MACHINE, &limits, 1).plan, Plan::Serial);
    assert_eq!(decide(20, &item, &MACHINE, &limits, 0).plan, Plan::Serial);
    assert_ne!(decide(100, &item, &MACHINE, &limits, 0).plan, Plan::Serial);
}

#[test]
fn every_hot_helper_saves_time() {
    let plan = Plan::Parallel { workers: 5, chunk: 10 };
    let time = |hot| predict(1_000, plan, &items(1_000.0), &MACHINE, hot).total();
    assert!((0..4).all(|hot| time(hot) > time(hot + 1)));
    assert_eq!(time(4), time(HOT));
    // Two hot helpers and two cold ones, whom three summon, term by term.
    let terms = predict(1_000, plan, &items(1_000.0), &MACHINE, 2);
    assert_eq!(terms.spawn, (2.0 * 200.0 + 2.0 * 5_000.0) / 5.0);
    let hot = [200.0 + 3_000.0, 400.0 + 3_000.0];
    let cold = [5_000.0 / 3.0 + 20_000.0, 10_000.0 / 3.0 + 20_000.0];
    let late = hot.iter().chain(&cold).sum::<f64>() / 5.0;
    assert!((terms.wake / late - 1.0).abs() < 1e-12, "{} {late}", terms.wake);
}

/// When each of `count` helpers starts, step by step.
fn starts(count: usize, spawn_ns: f64, wake_ns: f64) -> Vec<f64> {
    let (mut free_at, mut starts) = (vec![0.0_f64], Vec::new());
    while starts.len() < count {
        let next = free_at.iter_mut().min_by(|a, b| a.total_cmp(b)).expect("the caller");
        *next += spawn_ns;
        let start = *next + wake_ns;
        free_at.push(start);
        starts.push(start);
    }
    starts
}

#[test]
fn helpers_who_summon_others_are_as_late_as_step_by_step() {
    for (spawn_ns, wake_ns) in [(300.0, 2_000.0), (21e3, 46e3), (5e3, 80e3), (1e3, 1e3)] {
        for count in [1, 2, 7, 15, 95, 1_023] {
            let starts = starts(count, spawn_ns, wake_ns);
            let (late, last) = lateness(count as f64, spawn_ns, wake_ns);
            let ratio = late / starts.iter().sum::<f64>();
            let last_ratio = last / starts.iter().copied().fold(0.0, f64::max);
            for ratio in [ratio, last_ratio] {
                assert!((0.8..1.1).contains(&ratio), "{spawn_ns} {wake_ns} {count}: {ratio}");
            }
        }
    }
    assert_eq!(lateness(0.0, 300.0, 2_000.0), (0.0, 0.0));
}

/// A loop whose items take 1 µs and differ in nothing, without costs of its own.
const PLAIN: LoopFacts = LoopFacts {
    item_ns: 1_000.0,
    item_growth: 0.0,
    item_cv: 0.0,
    piece_ns: 0.0,
    reduce_ns: 0.0,
    reduce_growth: 0.0,
    contention: 0.0,
    coherency: 0.0,
    imbalance: 0.0,
    cpu_share: None,
};

#[test]
fn the_tail_is_the_wait_for_the_last_chunk_of_every_worker_but_one() {
    let tail = |item: LoopFacts, n, workers, chunk| {
        predict(n, Plan::Parallel { workers, chunk }, &item, &MACHINE, HOT).tail
    };
    // The second worker starts after 200 + 3,000 ns, which is less than the half of a chunk of ten items. Such chunks
    // differ by 2 %, which are 200 ns.
    assert_eq!(tail(PLAIN, 100, 2, 10), (3_200.0 + 200.0) / 2.0);
    // The half of a chunk of two items is less than that.
    assert_eq!(tail(PLAIN, 100, 2, 2), (1_000.0 + 40.0) / 2.0);
    // Of nine chunks, one worker has five and the other one four: half a chunk more than on average.
    assert_eq!(tail(PLAIN, 90, 2, 10), (5_000.0 + 200.0) / 2.0);
    // Of four workers three wait, and the last one starts 400 ns later.
    assert_eq!(tail(PLAIN, 160, 4, 10), (3_600.0 + 200.0) * 3.0 / 4.0);
    // Two chunks keep two workers busy, however many there are.
    assert_eq!(tail(PLAIN, 20, 9, 10), tail(PLAIN, 20, 2, 10));
    assert_eq!(tail(PLAIN, 10, 2, 10), 0.0);
    // What chunks differ by grows with the slow-down; what the fit says of them includes it.
    let shared = LoopFacts { contention: 0.5, ..PLAIN };
    assert_eq!(tail(shared, 100, 2, 10), (3_200.0 + 1.5 * 200.0) / 2.0);
    let imbalanced = LoopFacts { imbalance: 0.25, ..PLAIN };
    assert_eq!(tail(imbalanced, 100, 2, 10), (3_200.0 + 200.0 + 2_500.0) / 2.0);
    // Eight items, each of which varies by its mean, vary by √8 µs, and the longer of two such chunks by √(2·ln 2) of that.
    let varied = LoopFacts { item_cv: 1.0, ..PLAIN };
    let expected = (3_200.0 + 160.0 + 3_330.22) / 2.0;
    assert!((tail(varied, 80, 2, 8) - expected).abs() < 0.01, "{}", tail(varied, 80, 2, 8));
}

#[test]
fn results_are_reduced_in_pairs_and_more_often_where_much_is_taken_from_others() {
    for (workers, pieces, expected) in [
        (1.0, 5.0, 0.0),
        (2.0, 2.0, 1.0),
        (4.0, 4.0, 2.0),
        (16.0, 16.0, 4.0),
        // With four chunks for each of four, one half of log₂ 4 more, and so for two, who take from each other again and again;
        // with sixteen for each of sixteen, seven eighths of log₂ 16.
        (2.0, 8.0, 2.0),
        (2.0, 128.0, 4.0),
        (4.0, 16.0, 3.0),
        (16.0, 256.0, 7.5),
    ] {
        assert_eq!(reductions(workers, pieces), expected, "{workers} {pieces}");
    }
    let item = LoopFacts { reduce_ns: 20.0, ..PLAIN };
    let reduce = |workers, chunk| {
        predict(64, Plan::Parallel { workers, chunk }, &item, &MACHINE, HOT).reduce
    };
    assert_eq!(
        [reduce(2, 32), reduce(4, 16), reduce(4, 4), reduce(16, 4)],
        [20.0, 40.0, 60.0, 80.0]
    );
    // Two pieces have two results.
    assert_eq!(reduce(16, 32), 20.0);
}

#[test]
fn items_that_take_longer_in_longer_calls_pay_from_where_those_calls_do() {
    // 1 µs each in calls of 1,000.
    let growing = LoopFacts { item_ns: 1.0, item_growth: 1.0, ..PLAIN };
    let limits = Limits::cores(4);
    for n in [1, 10, 31, 100, 1_000, 100_000] {
        let alike = LoopFacts { item_ns: n as f64, ..PLAIN };
        let [found, expected] =
            [growing, alike].map(|item| decide(n, &item, &MACHINE, &limits, HOT));
        assert_eq!(found, expected, "{n}");
        let [found, expected] =
            [growing, alike].map(|item| predict(n, expected.plan, &item, &MACHINE, HOT));
        assert_eq!(found, expected, "{n}");
    }
    let from = break_even(&growing, &MACHINE, &limits, HOT).expect("long calls pay");
    let is_parallel = |n| decide(n, &growing, &MACHINE, &limits, HOT).plan != Plan::Serial;
    assert!(from > 2 && is_parallel(from) && !is_parallel(from - 1), "{from}");
}

#[test]
fn a_reduction_that_grows_with_the_call_is_dear_in_long_calls_alone() {
    let item = LoopFacts { reduce_ns: 20.0, reduce_growth: 0.5, ..PLAIN };
    let reduce = |n: usize, item: &LoopFacts| {
        predict(n, Plan::Parallel { workers: 2, chunk: n / 2 }, item, &MACHINE, HOT).reduce
    };
    assert_eq!([4, 64, 10_000].map(|n| reduce(n, &item)), [40.0, 160.0, 2_000.0]);
    // Four items of 16 units each are 64 units.
    assert_eq!(reduce(4, &item.at_cost(16.0)), reduce(64, &item));
    // Where all that is collected is moved, no call is too short or too long for that.
    let gains = |reduce_ns, n| {
        let item = LoopFacts { reduce_ns, reduce_growth: 1.0, ..PLAIN };
        decide(n, &item, &MACHINE, &Limits::cores(2), HOT).plan != Plan::Serial
    };
    let (cheap, dear) = (0.3 * PLAIN.item_ns, 0.5 * PLAIN.item_ns);
    let long = [1 << 20, 1 << 30];
    assert_eq!(long.map(|n| (gains(cheap, n), gains(dear, n))), [(true, false); 2]);
}

/// The workers of so long a call that starting them costs nothing.
fn workers_of_a_long_call(limit: usize, contention: f64, coherency: f64) -> usize {
    let item = LoopFacts { contention, coherency, ..PLAIN };
    match decide(1 << 40, &item, &MACHINE, &Limits::cores(limit), HOT).plan {
        Plan::Serial => 1,
        Plan::Parallel { workers, .. } => workers,
    }
}

#[test]
fn of_two_counts_within_two_percent_the_smaller_one_is_taken() {
    // Two workers take 1.32 / 2 = 0.660 of the serial time, three 1.96 / 3 = 0.653.
    assert_eq!(workers_of_a_long_call(3, 0.0, 0.16), 2);
    // 1.30 / 2 = 0.650 and 1.90 / 3 = 0.633.
    assert_eq!(workers_of_a_long_call(3, 0.0, 0.15), 3);
}

#[test]
fn two_workers_have_to_gain_three_percent_over_a_long_serial_run() {
    // 1.92 / 2 = 0.960 of it, and 1.96 / 2 = 0.980.
    assert_eq!([0.92, 0.96].map(|contention| workers_of_a_long_call(2, contention, 0.0)), [2, 1]);
}

#[test]
fn two_workers_have_to_gain_a_tenth_over_a_serial_run_as_short_as_the_start_of_a_helper() {
    // Helpers that start at once, but would not if they were cold, which takes as long as the items.
    let machine = MachineFacts { spawn_ns: 0.0, wake_ns: 0.0, claim_ns: 0.0, ..MACHINE };
    let n = ((machine.cold_spawn_ns + machine.cold_wake_ns) / PLAIN.item_ns) as usize;
    let gains = |contention| {
        let item = LoopFacts { contention, ..PLAIN };
        decide(n, &item, &machine, &Limits::cores(2), HOT).plan != Plan::Serial
    };
    // 1.72 / 2 = 0.860 of it and 0.017 for chunks that differ, and 1.84 / 2 = 0.920.
    assert_eq!([0.72, 0.84].map(gains), [true, false]);
}

#[test]
fn whatever_the_facts_no_plan_is_predicted_slower_than_serial() {
    let mut random = Random(5);
    let mut parallel = 0;
    for _ in 0..20_000 {
        let (item, machine) = (random.item(), random.machine());
        let n = random.between(1.0, 1e6) as usize;
        let (workers, hot) = (1 + random.below(1_024), random.below(1_024));
        let chunk = random.between(1.0, n as f64) as usize;
        let limits = [Limits::cores(workers), Limits::cores(workers).with_chunk(Some(chunk))]
            [random.below(2)];
        let decision = decide(n, &item, &machine, &limits, hot);
        let total = decision.terms.total();
        let is_serial = decision.plan == Plan::Serial;
        assert!(
            total <= decision.serial_ns && is_serial == (total == decision.serial_ns),
            "{decision:?}"
        );
        assert_eq!(decision.terms, predict(n, decision.plan, &item, &machine, hot));
        parallel += usize::from(!is_serial);
    }
    assert!((8_000..16_000).contains(&parallel), "{parallel} of 20,000");
}

#[test]
fn whatever_the_facts_dearer_items_never_raise_the_break_even() {
    let mut random = Random(3);
    for _ in 0..100 {
        let (item, machine) = (random.item(), random.machine());
        let limits = Limits::cores(random.between(1.0, 1_025.0) as usize);
        let hot = [0, random.below(1_024), HOT][random.below(3)];
        let (mut item_ns, mut last) = (0.1, usize::MAX);
        while item_ns < 1e8 {
            let item = LoopFacts { item_ns, ..item };
            let at = break_even(&item, &machine, &limits, hot).unwrap_or(usize::MAX);
            assert!(at <= last, "{item:?} {machine:?} {limits:?} {hot}: {at} > {last}");
            last = at;
            item_ns *= random.between(1.01, 30.0);
        }
    }
}

#[test]
fn dearer_items_never_raise_the_break_even() {
    let limits = Limits::cores(4);
    let mut last = usize::MAX;
    for item_ns in [1.0, 3.0, 10.0, 100.0, 1e3, 1e5, 1e7] {
        let at = break_even(&items(item_ns), &MACHINE, &limits, HOT).expect("parallel pays");
        assert!(at <= last, "{item_ns} ns: {at} > {last}");
        last = at;
    }
    assert_eq!(last, 2);
}

#[test]
fn the_quick_break_even_is_close_to_the_exact_one() {
    for item_ns in [1.0, 30.0, 1e3, 1e5] {
        for (workers, hot) in [(2, 0), (2, HOT), (16, 0), (16, 3), (96, HOT)] {
            let (item, limits) = (items(item_ns), Limits::cores(workers));
            let exact = break_even(&item, &MACHINE, &limits, hot).expect("parallel pays");
            let quick = break_even_within(1 << 20, &item, &MACHINE, &limits, hot);
            let ratio = quick.expect("parallel pays") as f64 / exact as f64;
            assert!((0.95..1.25).contains(&ratio), "{item_ns} {workers} {hot}: {ratio}");
        }
    }
}

#[test]
fn one_worker_is_always_serial() {
    assert_eq!(break_even(&items(1e6), &MACHINE, &Limits::cores(1), HOT), None);
}

#[test]
fn chunks_of_few_items_are_not_rounded_up_where_that_takes_longer() {
    // 2.44 items for each worker: three rounds of one, or two of two.
    let item = items(65.0 * MACHINE.claim_ns);
    assert_eq!(best_chunk(244, 100, &item, &MACHINE, 99), 1);
    // Where pieces are dear, there are few of them.
    let dear = LoopFacts { piece_ns: 10.0 * item.item_ns, ..item };
    assert_eq!(best_chunk(244, 100, &dear, &MACHINE, 99), 3);
}

#[test]
fn a_worker_with_one_chunk_more_than_others_makes_them_wait() {
    // Items that one worker takes, of those that two or three take together.
    for (n, chunk, w, longest) in [
        (16.0, 3.0, 2.0, 9.0),
        (16.0, 4.0, 2.0, 8.0),
        (7.0, 3.0, 2.0, 4.0),
        (10.0, 3.0, 2.0, 6.0),
        (10.0, 2.0, 3.0, 4.0),
        (3.0, 1.0, 3.0, 1.0),
    ] {
        assert_eq!(longest_share(n, chunk, f64::ceil(n / chunk), w), longest, "{n} {chunk} {w}");
    }
    // Where a helper is there at once.
    for item_ns in [1e5, 1e6] {
        let chunk = best_chunk(16, 2, &items(item_ns), &MACHINE, 1);
        assert_eq!(16 % (2 * chunk), 0, "{chunk} of {item_ns} ns");
    }
}

#[test]
fn limits_on_the_chunk_are_kept_and_the_smaller_one_wins() {
    let limits = Limits { min_chunk: 64, max_chunk: 8, ..Limits::cores(4) };
    let plan = decide(10_000, &items(1e4), &MACHINE, &limits, HOT).plan;
    assert!(matches!(plan, Plan::Parallel { chunk: 64, .. }), "{plan:?}");
    let single = Limits { max_chunk: 1, ..Limits::cores(4) };
    let plan = decide(10_000, &items(1e4), &MACHINE, &single, HOT).plan;
    assert!(matches!(plan, Plan::Parallel { chunk: 1, .. }), "{plan:?}");
}

#[test]
fn busy_helpers_leave_fewer_workers_and_always_the_caller() {
    let limits = Limits::cores(4);
    assert_eq!(limits.beside(0), limits);
    assert_eq!(limits.beside(1), Limits { workers: 3, bound: Bound::Busy, ..limits });
    assert_eq!(limits.beside(9).workers, 1);
    assert_eq!(Limits::cores(1).beside(1), Limits::cores(1));
}

#[test]
fn other_work_on_the_machine_leaves_fewer_workers_and_always_the_caller() {
    let limits = Limits::cores(4);
    assert_eq!([4, 9].map(|workers| limits.beside_load(workers)), [limits; 2]);
    assert_eq!(limits.beside_load(3), Limits { workers: 3, bound: Bound::Load, ..limits });
    assert_eq!(limits.beside_load(0).workers, 1);
}

/// Workers of `cores` for tasks of `task` where `available` is available, all in the same unit.
fn fitting(cores: usize, available: u64, task: u64) -> usize {
    let usable = usable_memory(available, MEMORY_PERMILLE);
    Limits::cores(cores).within_memory(task, usable).workers
}

#[test]
fn as_many_workers_as_fit_into_eight_tenths_of_the_available_memory() {
    assert_eq!(usable_memory(700, MEMORY_PERMILLE), 560);
    // A machine with 96 cores and 700 GB: from 5.83 GB per task on there is no room for all.
    assert_eq!([6, 12, 24, 48].map(|task| fitting(96, 700, task)), [93, 46, 23, 11]);
    assert_eq!([5_830, 5_840].map(|task| fitting(96, 700_000, task)), [96, 95]);
    // 96 workers of 12 GB would take 1,152 GB, 46 take 552.
    assert_eq!([96 * 12, fitting(96, 700, 12) * 12], [1_152, 552]);
    assert_eq!(fitting(8, 4_000, 500), 6);
}

#[test]
fn of_installed_memory_65_percent_counts_as_available() {
    let workers = |installed: u64, cores, task| fitting(cores, installed * 65 / 100, task);
    let rows = [(16_000, 8, 100), (16_000, 8, 1_000), (16_000, 8, 2_000)];
    assert_eq!(rows.map(|(ram, cores, task)| workers(ram, cores, task)), [8, 8, 4]);
    let rows = [(8_000, 16, 500), (4_000, 8, 500), (32_000, 4, 2_000)];
    assert_eq!(rows.map(|(ram, cores, task)| workers(ram, cores, task)), [8, 4, 4]);
}

#[test]
fn memory_leaves_one_worker_and_limits_only_tasks_that_take_some() {
    let limits = Limits::cores(4);
    assert_eq!(limits.within_memory(0, 0), limits);
    assert_eq!(limits.within_memory(1, u64::MAX), limits);
    let bound = Bound::Memory { task_bytes: 10, usable_bytes: 9 };
    assert_eq!(limits.within_memory(10, 9), Limits { workers: 1, bound, ..limits });
    assert_eq!(usable_memory(u64::MAX, u16::MAX), u64::MAX);
}

#[test]
fn more_memory_never_means_fewer_workers() {
    for task in [1, 3, 1_000, u64::MAX] {
        let mut last = 0;
        for usable in [0, 1, 2, 10, 12, 5_000, 1 << 40, u64::MAX] {
            let workers = Limits::cores(64).within_memory(task, usable).workers;
            assert!(workers >= last.max(1), "{task} {usable}");
            last = workers;
        }
    }
}

/// The workers that are chosen at each limit up to 1,024.
fn workers_by_limit(
    n: usize,
    item: &LoopFacts,
    machine: &MachineFacts,
    limits: Limits,
    hot: usize,
) -> Vec<usize> {
    let workers = |most| match decide(n, item, machine, &Limits { workers: most, ..limits }, hot) {
        Decision { plan: Plan::Serial, .. } => 1,
        Decision { plan: Plan::Parallel { workers, .. }, .. } => workers,
    };
    (1..=1_024).map(workers).collect()
}

#[test]
fn a_higher_limit_never_means_fewer_workers() {
    // The best number is about 88, and from 72 to 110 all are within 3 %.
    let flat = LoopFacts { contention: 0.0, coherency: 1.0 / 7_744.0, ..items(100.0) };
    let workers = workers_by_limit(1_000_000_000_000, &flat, &MACHINE, Limits::cores(1), HOT);
    assert!(workers.is_sorted() && (72..=96).contains(&workers[1_023]), "{workers:?}");
    let mut random = Random(11);
    for _ in 0..100 {
        let (item, machine) = (random.item(), random.machine());
        let n = random.between(2.0, 1e8) as usize;
        let chunk = 1 + n / random.between(2.0, 1e4) as usize;
        let (min_chunk, max_chunk) =
            [(1, usize::MAX), (chunk, usize::MAX), (1, chunk), (chunk, chunk)][random.below(4)];
        let limits = Limits { min_chunk, max_chunk, ..Limits::cores(1) };
        let hot = [0, random.below(1_024), HOT][random.below(3)];
        let workers = workers_by_limit(n, &item, &machine, limits, hot);
        assert!(workers.is_sorted(), "{n} {item:?} {machine:?} {limits:?} {hot}: {workers:?}");
    }
}

#[test]
fn worker_steps_end_at_the_limit_or_behind_it_and_are_few() {
    assert_eq!(worker_steps(1).count(), 0);
    assert_eq!(worker_steps(4).collect::<Vec<_>>(), [2, 3, 4]);
    let steps: Vec<_> = worker_steps(25).skip(12).collect();
    assert_eq!(steps, [14, 15, 16, 18, 20, 22, 24, 27]);
    assert!(worker_steps(1_024).count() < 60 && worker_steps(usize::MAX).count() < 500);
}

#[test]
fn the_decision_says_what_limited_the_workers() {
    let heavy = items(1e6);
    let by_cores = decide(1_000, &heavy, &MACHINE, &Limits::cores(2), HOT);
    assert_eq!(by_cores.limited_by, Some(Bound::Cores));
    let by_items = decide(3, &heavy, &MACHINE, &Limits::cores(8), HOT);
    assert_eq!(by_items.limited_by, Some(Bound::Items));
}

#[test]
fn what_a_process_sees_outweighs_the_profile_as_it_accumulates() {
    let item_ns = |seen, calls| learned(LoopFacts { item_ns: 100.0, ..PLAIN }, seen, calls).item_ns;
    assert_eq!([1.0, 8.0, 24.0].map(|calls| item_ns(200.0, calls)), [1000.0 / 9.0, 150.0, 175.0]);
    // Items that are quite different ones are not the profile's.
    assert_eq!([item_ns(500.0, 1.0), item_ns(20.0, 3.0)], [500.0, 20.0]);
    // Unless it is one call that may have ended before it saw most of them.
    assert_eq!(item_ns(1.0, 1.0), 801.0 / 9.0);
    assert_eq!(item_ns(500.0, 0.0), 100.0);
}

#[test]
fn a_fork_pays_where_two_items_would_be_shared_by_two_workers() {
    let mut forks = 0;
    for (step, contention, hot) in
        (0..600).flat_map(|step| [(step, 0.0, 0), (step, 0.0, 1), (step, 0.6, 0), (step, 1.2, 1)])
    {
        let item_ns = 10_f64.powf(f64::from(step) / 100.0);
        let branch = LoopFacts { item_ns, contention, ..LoopFacts::default() };
        let decision = decide(2, &branch, &MACHINE, &Limits::cores(2), hot);
        let pays = fork_pays(&branch, &MACHINE, hot);
        assert_eq!(pays, decision.plan != Plan::Serial, "{branch:?}, {hot} hot");
        forks += usize::from(pays);
    }
    assert!((100..2_300).contains(&forks), "{forks}");
    for item_ns in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
        assert!(!fork_pays(&LoopFacts { item_ns, ..LoopFacts::default() }, &MACHINE, HOT));
    }
}
