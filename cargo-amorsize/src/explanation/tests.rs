use super::advice::Advice;
use super::*;

const MACHINE: MachineFacts = MachineFacts {
    spawn_ns: 300.0,
    wake_ns: 4_000.0,
    cold_spawn_ns: 3_000.0,
    cold_wake_ns: 20_000.0,
    hot_for_ns: 50_000.0,
    claim_ns: 60.0,
    reference_ns: 1_000.0,
};

const GB: u64 = 1_000_000_000;

/// A loop that could not be better.
const EVEN: LoopFacts = LoopFacts {
    item_ns: 1e6,
    item_growth: 0.0,
    item_cv: 0.1,
    piece_ns: 0.0,
    reduce_ns: 20.0,
    reduce_growth: 0.0,
    contention: 0.0,
    coherency: 0.0,
    imbalance: 0.0,
    cpu_share: None,
};

fn fact<T>(value: T) -> Fact<T> {
    Fact { value, source: "a flag".to_owned() }
}

fn system(cores: usize) -> System {
    System {
        class: fact("x86_64-linux-test".to_owned()),
        costs: MACHINE,
        cores: fact(cores),
        processors: fact(2 * cores),
        pool_threads: fact(cores),
        most_workers: None,
        available_bytes: Some(fact(700 * GB)),
        memory_permille: fact(model::MEMORY_PERMILLE),
        cpu_load: None,
        memory_load: None,
    }
}

fn call(len: usize, options: &Options) -> Call<'_> {
    Call { len, cost: 1.0, task_bytes: None, hot: usize::MAX, options }
}

/// The explanation of a call without options.
fn explanation(facts: LoopFacts, cores: usize, len: usize) -> Explanation<'static> {
    static OPTIONS: std::sync::LazyLock<Options> = std::sync::LazyLock::new(Options::default);
    Explanation::new("demo::f", &facts, system(cores), call(len, &OPTIONS))
}

/// The explanation of a dear call on a machine with 700 GB available.
fn with_task(gigabytes: u64, cores: usize) -> Explanation<'static> {
    let plain = explanation(EVEN, cores, 100_000);
    let call = Call { task_bytes: Some(fact(gigabytes * GB)), ..plain.call };
    Explanation::new("demo::f", &EVEN, system(cores), call)
}

fn text(explanation: &Explanation<'_>) -> String {
    explanation.lines(80).join("\n")
}

fn advice(explanation: &Explanation<'_>) -> Vec<&'static str> {
    explanation.advice().iter().map(Advice::name).collect()
}

#[test]
fn every_term_is_shown_and_lines_fit_eighty_columns() {
    let mut facts = EVEN;
    for (item_ns, cores, len) in [
        (100.0, 2, 1_000),
        (1.0, 8, 50),
        (1e6, 64, 1 << 40),
        (5.0, 4, 0),
        (1e-9, 1, 1),
        (1e6, 100_000, usize::MAX),
        (1e300, 1_024, usize::MAX),
        (1e300, 1, 1 << 62),
    ] {
        for item_cv in [0.0, 0.5, 9.0] {
            (facts.item_ns, facts.item_cv) = (item_ns, item_cv);
            let text = text(&explanation(facts, cores, len));
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
            assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
            for part in ["workload", "system", "decision", "prediction", "break-even", "speed-up"] {
                assert!(text.contains(part), "{part} in {text}");
            }
        }
    }
    let text = text(&explanation(EVEN, 2, 1_000));
    for term in TERMS.iter().chain(&["in all", "overhead", "rejected", "serial"]) {
        assert!(
            text.contains(&format!("\n  {term} ")) || text.contains(&format!("{term} ")),
            "{term}"
        );
    }
    assert!(!text.contains("advice") && !text.contains("coherency"), "{text}");
    let facts = LoopFacts { coherency: 0.000_1, ..EVEN };
    assert!(self::text(&explanation(facts, 2, 1_000)).contains("0.0100 %"));
    assert!(!text.contains("imbalance"), "{text}");
    let facts = LoopFacts { imbalance: 0.25, ..EVEN };
    assert!(self::text(&explanation(facts, 2, 1_000)).contains("imbalance"));
}

#[test]
fn memory_leaves_as_many_workers_as_tasks_fit_into_what_is_usable() {
    for (task, workers) in [(6, 93), (12, 46), (24, 23), (48, 11)] {
        let explanation = with_task(task, 96);
        assert_eq!((explanation.limits.workers, explanation.workers()), (workers, workers));
        let text = text(&explanation);
        assert!(text.contains("usable memory     560 GB"), "{text}");
        assert!(text.contains(&format!("{task} GB per task, 560 GB usable")), "{text}");
        assert!(text.contains("does not fit memory"), "{text}");
        assert_eq!(advice(&explanation), ["memory"]);
    }
    let roomy = with_task(5, 96);
    assert_eq!((roomy.workers(), roomy.decision.limited_by), (96, Some(Bound::Cores)));
    assert!(!text(&roomy).contains("does not fit"), "{}", text(&roomy));
}

#[test]
fn a_task_that_does_not_fit_at_all_runs_alone_and_the_explanation_says_so() {
    let explanation = with_task(800, 96);
    assert_eq!((explanation.limits.workers, explanation.workers()), (1, 1));
    assert_eq!(advice(&explanation), ["task-too-large"]);
    let text = text(&explanation);
    assert!(text.contains("800 GB per task, 560 GB usable"), "{text}");
    assert!(text.contains("one task takes 800 GB of 560 GB usable"), "{text}");
}

#[test]
fn the_strictest_limit_is_named_with_its_number() {
    let options = Options { max_workers: Some(3), ..Options::default() };
    let by_attribute = Explanation::new("f", &EVEN, system(8), call(10_000, &options));
    assert_eq!(by_attribute.decision.limited_by, Some(Bound::MaxWorkers));
    let most_workers = Some(Fact { value: 2, source: "--workers".to_owned() });
    let asked = System { most_workers, ..system(8) };
    let by_flag = Explanation::new("f", &EVEN, asked, call(10_000, &options));
    assert_eq!((by_flag.workers(), by_flag.limits.bound), (2, Bound::Environment));
    assert!(text(&by_flag).contains("--workers does not allow it"), "{}", text(&by_flag));
    let small_pool = System { pool_threads: fact(2), ..system(8) };
    let by_pool = Explanation::new("f", &EVEN, small_pool, call(10_000, &options));
    assert!(text(&by_pool).contains("2 threads"), "{}", text(&by_pool));
}

#[test]
fn the_chunks_are_those_that_the_options_fix() {
    let facts = LoopFacts { item_ns: 1_000.0, ..EVEN };
    let chunk = |options: Options, cost| {
        let call = Call { cost, ..call(100_000, &options) };
        match Explanation::new("f", &facts, system(4), call).decision.plan {
            Plan::Parallel { chunk, .. } => chunk,
            Plan::Serial => 0,
        }
    };
    let timed = || Options { chunk_ns: Some(50_000), ..Options::default() };
    assert_eq!((chunk(timed(), 1.0), chunk(timed(), 10.0)), (50, 5));
    assert_eq!(chunk(Options { chunk: Some(7), ..Options::default() }, 10.0), 7);
    let in_order = Options { deterministic: true, ..Options::default() };
    assert_eq!(chunk(in_order, 1.0), 1_563, "64 pieces");
    let options = Options { chunk_ns: Some(1), ..Options::default() };
    let tiny = LoopFacts { item_ns: 200.0, ..EVEN };
    let of_one = Explanation::new("f", &tiny, system(2), call(1 << 20, &options));
    assert!(text(&of_one).contains("raise `chunk_time`"), "{}", text(&of_one));
}

#[test]
fn other_work_on_the_machine_leaves_fewer_workers_to_loops_that_respect_it() {
    let of = |respect_load| {
        let options = Options { respect_load, ..Options::default() };
        let busy = System { cpu_load: Some(fact(85.0)), ..system(8) };
        let explanation = Explanation::new("f", &EVEN, busy, call(10_000, &options));
        (explanation.workers(), explanation.decision.limited_by, text(&explanation))
    };
    let (workers, bound, respecting) = of(true);
    assert_eq!((workers, bound), (4, Some(Bound::Load)));
    assert!(respecting.contains("other work leaves room for 4"), "{respecting}");
    assert!(respecting.contains("processor load"), "{respecting}");
    assert!(respecting.contains("the load does not allow it"), "{respecting}");
    let (workers, bound, heedless) = of(false);
    assert_eq!((workers, bound), (8, Some(Bound::Cores)));
    assert!(!heedless.contains("processor load"), "{heedless}");
}

#[test]
fn rejected_plans_are_never_the_chosen_one_and_respect_the_limits() {
    let options = Options { max_workers: Some(3), ..Options::default() };
    let facts = LoopFacts { item_ns: 1_000.0, item_cv: 0.9, contention: 0.02, ..EVEN };
    let explanation = Explanation::new("f", &facts, system(8), call(10_000, &options));
    let rejected = explanation.rejected();
    assert!(rejected.iter().any(|rejected| rejected.plan == Plan::Serial));
    assert!(rejected.iter().all(|rejected| rejected.plan != explanation.decision.plan));
    assert!(rejected.is_sorted_by(|a, b| a.predicted_ns <= b.predicted_ns));
    for Rejected { plan, why, predicted_ns } in rejected {
        let workers = if let Plan::Parallel { workers, .. } = plan { workers } else { 1 };
        assert_eq!(workers > 3, matches!(why, Why::Forbidden(Bound::MaxWorkers)));
        let is_slower = predicted_ns > explanation.predicted_ns();
        assert!(workers > 3 || is_slower == matches!(why, Why::Slower { .. }), "{plan:?} {why:?}");
    }
}

#[test]
fn advice_is_given_exactly_when_its_rule_holds() {
    let facts = |change: fn(&mut LoopFacts)| {
        let mut facts = LoopFacts { item_ns: 1_000.0, ..EVEN };
        change(&mut facts);
        facts
    };
    let cases = [
        (facts(|_| {}), 4, 1 << 20),
        (facts(|_| {}), 4, 24),
        (facts(|facts| facts.item_cv = 0.71), 4, 1 << 20),
        (facts(|facts| facts.item_cv = 0.7), 4, 1 << 20),
        (facts(|facts| facts.item_cv = 5.0), 8, 64),
        (facts(|facts| facts.contention = 0.3), 8, 1 << 20),
        (facts(|facts| facts.contention = 0.05), 8, 1 << 20),
        (facts(|facts| facts.coherency = 0.003), 16, 1 << 20),
        (facts(|facts| facts.reduce_ns = 40_000.0), 4, 1_000),
        (facts(|facts| facts.piece_ns = 200_000.0), 2, 1_000),
        (facts(|facts| facts.item_ns = 1.0), 8, 1 << 20),
        (facts(|_| {}), 1, 1 << 20),
    ];
    let mut seen = Vec::new();
    for (facts, cores, len) in cases {
        let explanation = explanation(facts, cores, len);
        let given = advice(&explanation);
        let terms = &explanation.decision.terms;
        let above = |ns: f64, share: f64| ns > share * terms.total();
        let is_parallel = explanation.decision.plan != Plan::Serial;
        let speedup = explanation.decision.serial_ns / terms.total();
        for (name, holds) in [
            ("low-speedup", is_parallel && speedup < 0.5 * cores as f64),
            ("starting-helpers", is_parallel && above(terms.spawn + terms.wake, 0.2)),
            ("taking-chunks", is_parallel && above(terms.claim, 0.1)),
            ("starting-chunks", is_parallel && above(terms.pieces, 0.15)),
            ("reducing", is_parallel && above(terms.reduce, 0.15)),
            ("slowdown", above(terms.slowdown, 0.2) && !above(terms.slowdown, 0.5)),
            ("shared-data", above(terms.slowdown, 0.5)),
            ("tail", is_parallel && above(terms.tail, 0.1)),
            ("uneven-items", facts.item_cv > 0.7),
        ] {
            assert_eq!(given.contains(&name), holds, "{name}: {}", text(&explanation));
            seen.extend(holds.then_some(name));
        }
        assert_eq!(text(&explanation).contains("\nadvice\n"), !given.is_empty());
    }
    let options = Options { chunk: Some(1), ..Options::default() };
    let tiny = LoopFacts { item_ns: 200.0, ..EVEN };
    let fixed = Explanation::new("f", &tiny, system(2), call(1 << 20, &options));
    assert!(text(&fixed).contains("raise `chunk`"), "{}", text(&fixed));
    for name in ["low-speedup", "starting-helpers", "starting-chunks", "reducing", "slowdown"] {
        assert!(seen.contains(&name), "{name} was never given: {seen:?}");
    }
    for name in ["tail", "uneven-items", "shared-data"] {
        assert!(seen.contains(&name), "{name} was never given: {seen:?}");
    }
}

#[test]
fn a_low_speedup_is_one_below_half_of_the_cores_and_its_reason_is_named() {
    let given = |options: &Options, len| {
        Explanation::new("f", &EVEN, system(8), call(len, options)).advice()
    };
    let message = |options: &Options, len| given(options, len).first().map(Advice::to_string);
    let most = |workers| Options { max_workers: Some(workers), ..Options::default() };
    assert_eq!(given(&most(5), 10_000), []);
    let limited = message(&most(3), 9_999).expect("advice");
    assert!(limited.ends_with("on 8 cores: the workers are limited by max_workers"), "{limited}");
    let few_items = message(&Options::default(), 2).expect("advice");
    assert!(few_items.ends_with("on 8 cores: the workers are limited by items"), "{few_items}");
    // The reductions of three workers take as long as the items of one.
    let dear = LoopFacts { reduce_ns: 7e8, ..EVEN };
    let options = most(3);
    let eaten = Explanation::new("f", &dear, system(8), call(3_000, &options)).advice();
    assert!(eaten[0].to_string().ends_with("cut the largest overhead first"), "{eaten:?}");
}

#[test]
fn what_workers_share_bounds_the_speedup_whatever_their_number() {
    let bounded = |contention, coherency| {
        let facts = LoopFacts { contention, coherency, ..EVEN };
        let advice = explanation(facts, 16, 100_000).advice();
        let most = advice.iter().find_map(|advice| match advice {
            Advice::Shared { most_speedup, .. } => Some(*most_speedup),
            _ => None,
        });
        most.expect("sharing takes more than half")
    };
    assert_eq!(bounded(0.25, 0.0), 4.0);
    // Five workers are the best: 5 / (1 + 0.5 · 4 + 0.02 · 5 · 4).
    assert!((bounded(0.5, 0.02) - 5.0 / 3.4).abs() < 1e-12);
}

#[test]
fn the_words_for_variation_have_the_documented_limits() {
    let words = [0.0, 0.29, 0.3, 0.7, 0.71].map(|cv| Variation::of(cv).name());
    assert_eq!(words, ["even", "even", "moderate", "moderate", "uneven"]);
}

#[test]
fn items_that_wait_have_more_workers_than_cores_and_advice() {
    // 8 cores of two threads each, and a pool of 64.
    let of = |cpu_share: Option<f64>, io: bool| {
        let options = Options { io, ..Options::default() };
        let system = System { pool_threads: fact(64), ..system(8) };
        let facts = LoopFacts { cpu_share, ..EVEN };
        let explanation = Explanation::new("f", &facts, system, call(10_000, &options));
        (
            explanation.limits.workers,
            explanation.limits.bound,
            advice(&explanation),
            text(&explanation),
        )
    };
    let (workers, bound, advice, plain) = of(None, false);
    assert_eq!((workers, bound, advice), (8, Bound::Cores, vec![]));
    assert!(!plain.contains("CPU share"), "{plain}");

    let (workers, bound, advice, computing) = of(Some(0.95), false);
    assert_eq!((workers, bound, advice), (8, Bound::Cores, vec![]));
    assert!(computing.contains("CPU-bound: CPU-bound > 80"), "{computing}");

    let (workers, bound, advice, mixed) = of(Some(0.64), false);
    assert_eq!((workers, bound), (25, Bound::Cores));
    assert_eq!(advice, ["waiting-and-computing-items"]);
    assert!(mixed.contains("25 keep 16 processors busy") && mixed.contains("mixed:"), "{mixed}");

    let (workers, bound, advice, waiting) = of(Some(0.05), false);
    assert_eq!((workers, bound, advice), (64, Bound::Pool, vec!["waiting-items"]));
    for lines in [waiting, mixed, computing] {
        assert!(lines.lines().all(|line| line.chars().count() <= 80), "{lines}");
    }
    assert_eq!(of(Some(0.05), true).2, [""; 0]);
    assert_eq!(of(Some(0.95), true).2, ["computing-items"]);
}
