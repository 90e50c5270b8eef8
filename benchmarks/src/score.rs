//! The comparison in a few numbers.

use std::fmt;

use serde::Serialize;

use crate::case::Comparison;
use crate::estimate::{Estimate, geometric_mean};
use crate::fork_join::ForkJoin;

/// Of what takes less, such as `noop`, a ratio says nothing; `serial_overhead_ns` does.
const SHORTEST_NS: f64 = 100.0;

/// Calls from here on are long enough for executors to differ by what they do with the items, not by how they start.
const LONG_NS: f64 = 1e6;

/// Rayon wins where it is faster by more than this factor.
const RAYON_WINS_BY: f64 = 1.02;

/// Ratios over all cases. `README.md` says what each means.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Score {
    vs_rayon_geomean: f64,
    vs_rayon_worst: f64,
    vs_best_peer_geomean: f64,
    vs_serial_worst: f64,
    regret_geomean: f64,
    regret_p95: f64,
    regret_max: f64,
    noise_p95: f64,
    noise_max: f64,
    never_seen_regret_geomean: f64,
    serial_overhead_ns: f64,
    hot_fork_join_ns: f64,
    cold_fork_join_ns: f64,
    cpu_per_serial_geomean: f64,
    vs_rayon_geomean_from_1ms: f64,
    vs_rayon_best_geomean_from_1ms: f64,
    rows_rayon_wins: usize,
}

impl Score {
    /// `fork_join` and `serial_overhead` are ours.
    pub(crate) fn of(
        cases: &[Comparison],
        fork_join: &ForkJoin,
        serial_overhead: Estimate,
    ) -> Self {
        let cases = || cases.iter().filter(|case| case.serial.median >= SHORTEST_NS);
        let vs_rayon = || cases().map(|case| case.vs_rayon.median);
        let regret = || cases().map(|case| case.regret);
        let noise = || cases().map(|case| case.noise);
        let unseen = cases().map(|case| case.unseen_regret);
        let long = || cases().filter(|case| case.serial.median >= LONG_NS);
        let vs_rayon_best = long()
            .map(|case| case.rayon.median.min(case.rayon_min_len.median) / case.amorsize.median);
        let vs_serial = cases().map(|case| case.amorsize.median / case.serial.median);
        Score {
            vs_rayon_geomean: geometric_mean(vs_rayon()),
            vs_rayon_worst: vs_rayon().fold(f64::NAN, f64::min),
            vs_best_peer_geomean: geometric_mean(cases().map(|case| case.vs_best_peer)),
            vs_serial_worst: vs_serial.fold(f64::NAN, f64::max),
            regret_geomean: geometric_mean(regret()),
            regret_p95: quantile(regret().collect(), 0.95),
            regret_max: regret().fold(f64::NAN, f64::max),
            noise_p95: quantile(noise().collect(), 0.95),
            noise_max: noise().fold(f64::NAN, f64::max),
            never_seen_regret_geomean: geometric_mean(unseen),
            serial_overhead_ns: serial_overhead.median,
            hot_fork_join_ns: fork_join.hot.median,
            cold_fork_join_ns: fork_join.cold.median,
            cpu_per_serial_geomean: geometric_mean(cases().filter_map(|case| case.cpu_per_serial)),
            vs_rayon_geomean_from_1ms: geometric_mean(long().map(|case| case.vs_rayon.median)),
            vs_rayon_best_geomean_from_1ms: geometric_mean(vs_rayon_best),
            rows_rayon_wins: vs_rayon().filter(|ratio| ratio * RAYON_WINS_BY < 1.0).count(),
        }
    }
}

/// Where serial and parallel are so close, either is right.
const CLOSE: f64 = 1.2;

/// Whether running in parallel, or not, was right; `None` where the two are close.
pub(crate) fn gate_right(is_parallel: bool, serial_ns: f64, parallel_ns: f64) -> Option<bool> {
    let gain = serial_ns / parallel_ns;
    let is_close = (1.0 / CLOSE..CLOSE).contains(&gain);
    (!is_close).then_some(is_parallel == (gain > 1.0))
}

/// The percentage of gates that were right.
pub(crate) fn right_percent(gates: impl IntoIterator<Item = Option<bool>>) -> f64 {
    let gates: Vec<bool> = gates.into_iter().flatten().collect();
    100.0 * gates.iter().filter(|right| **right).count() as f64 / gates.len() as f64
}

/// The smallest of the values that this share of them does not exceed; not a number if there are none.
pub(crate) fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in [
            ("vs_rayon_geomean", self.vs_rayon_geomean),
            ("vs_rayon_worst", self.vs_rayon_worst),
            ("vs_best_peer_geomean", self.vs_best_peer_geomean),
            ("vs_serial_worst", self.vs_serial_worst),
            ("regret_geomean", self.regret_geomean),
            ("regret_p95", self.regret_p95),
            ("regret_max", self.regret_max),
            ("noise_p95", self.noise_p95),
            ("noise_max", self.noise_max),
            ("never_seen_regret_geomean", self.never_seen_regret_geomean),
            ("serial_overhead_ns", self.serial_overhead_ns),
            ("hot_fork_join_ns", self.hot_fork_join_ns),
            ("cold_fork_join_ns", self.cold_fork_join_ns),
            ("cpu_per_serial_geomean", self.cpu_per_serial_geomean),
            ("vs_rayon_geomean_from_1ms", self.vs_rayon_geomean_from_1ms),
            ("vs_rayon_best_geomean_from_1ms", self.vs_rayon_best_geomean_from_1ms),
        ] {
            writeln!(f, "{name}: {value:.3}")?;
        }
        writeln!(f, "rows_rayon_wins: {}", self.rows_rayon_wins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exactly(ns: f64) -> Estimate {
        Estimate::of(&[ns])
    }

    fn case(serial: f64, rayon: f64, unseen: f64, amorsize: f64, best_ns: f64) -> Comparison {
        Comparison {
            workload: "none",
            n: 1,
            serial: exactly(serial),
            rayon: exactly(rayon),
            rayon_min_len: exactly(rayon),
            min_len: String::new(),
            amorsize_unseen: exactly(unseen),
            amorsize: exactly(amorsize),
            others: Vec::new(),
            facts: None,
            plan: String::new(),
            best_ns,
            best: String::new(),
            regret: amorsize / best_ns,
            unseen_regret: unseen / best_ns,
            noise: 1.0,
            processors: Some(1.0),
            cpu_per_serial: Some(amorsize / serial),
            other_load: None,
            vs_rayon: exactly(rayon / amorsize),
            vs_best_peer: serial.min(rayon) / amorsize,
        }
    }

    #[test]
    fn long_calls_count_by_themselves_and_so_do_rows_that_rayon_wins() {
        let mut long = case(2e6, 1.2e6, 1e6, 1e6, 1e6);
        long.rayon_min_len = exactly(0.9e6);
        let cases = [
            long,
            case(1_000.0, 9_000.0, 500.0, 1_000.0, 500.0),
            case(1_000.0, 970.0, 500.0, 1_000.0, 500.0),
            case(1_000.0, 990.0, 500.0, 1_000.0, 500.0),
        ];
        let fork_join = ForkJoin { name: "ours".to_owned(), hot: exactly(7.0), cold: exactly(9.0) };
        let text = Score::of(&cases, &fork_join, exactly(3.0)).to_string();
        assert!(text.contains("vs_rayon_geomean_from_1ms: 1.200\n"), "{text}");
        assert!(text.contains("vs_rayon_best_geomean_from_1ms: 0.900\n"), "{text}");
        assert!(text.ends_with("rows_rayon_wins: 1\n"), "{text}");
    }

    #[test]
    fn means_and_worst_cases_point_the_right_way() {
        let cases =
            [case(100.0, 400.0, 200.0, 100.0, 100.0), case(1_000.0, 600.0, 600.0, 600.0, 500.0)];
        let fork_join =
            ForkJoin { name: "ours".to_owned(), hot: exactly(700.0), cold: exactly(9_000.0) };
        let score = Score::of(&cases, &fork_join, exactly(3.0));
        assert!((score.vs_rayon_geomean - 2.0).abs() < 1e-9);
        assert_eq!(score.vs_rayon_worst, 1.0);
        assert_eq!(score.vs_serial_worst, 1.0);
        assert_eq!(score.regret_max, 1.2);
        assert_eq!(quantile((1..=100).map(f64::from).collect(), 0.95), 95.0);
        assert_eq!(quantile(vec![3.0], 0.95), 3.0);
        assert_eq!(score.vs_best_peer_geomean, 1.0);
        assert!((score.never_seen_regret_geomean - 2.4_f64.sqrt()).abs() < 1e-9);
        let text = score.to_string();
        for line in ["serial_overhead_ns: 3.000\n", "hot_fork_join_ns: 700.000\n"] {
            assert!(text.contains(line), "{text}");
        }
    }
}
