//! The table of a crate.

use std::fmt;

use crate::driver::Way;
use crate::estimate::{Ratio, geometric_mean, median};
use crate::measure::Case;

/// Nothing is parallel.
const SERIAL: [Way; 2] = [Way::Serial, Way::StockAlone];

/// The columns of times, and how wide they are: the first one shows the faster of the serial ways.
const COLUMNS: [(&[Way], usize); 4] =
    [(&SERIAL, 7), (&[Way::Stock], 7), (&[Way::Unseen], 10), (&[Way::Tuned], 7)];

/// What the tuned copy is measured by: the fastest of these.
const RIVALS: [Way; 3] = [Way::Serial, Way::StockAlone, Way::Stock];

/// All cases of a crate, with what they come to.
#[derive(Debug)]
pub(crate) struct Table<'a>(pub(crate) &'a [Case]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.iter().map(|case| case.name.chars().count()).max().unwrap_or(0).max(4);
        writeln!(
            f,
            "{:name$} {:>7} {:>7} {:>10} {:>7}  {:>18}  {:>18}",
            "case", "serial", "stock", "never seen", "tuned", "stock / tuned", "tuned / best"
        )?;
        let mut gains = Vec::new();
        let mut worst: Option<(Ratio, &str)> = None;
        for case in self.0 {
            let gain = Ratio::of(case.of(Way::Stock), case.of(Way::Tuned));
            let loss = Ratio::of(case.of(Way::Tuned), fastest(case, &RIVALS));
            write!(f, "{:name$}", case.name)?;
            for (ways, width) in COLUMNS {
                write!(f, " {:>width$}", time(median(fastest(case, ways))))?;
            }
            write!(f, "  {}  {}", ratio(&gain), ratio(&loss))?;
            writeln!(f, "{}", if case.same { "" } else { "  RESULTS DIFFER" })?;
            gains.push(gain.middle);
            if worst.as_ref().is_none_or(|(other, _)| loss.middle > other.middle) {
                worst = Some((loss, &case.name));
            }
        }
        if let Some((loss, case)) = worst {
            writeln!(
                f,
                "stock / tuned: {:.2} in the geometric mean; tuned / best of serial and stock: \
                 at most {} ({case})",
                geometric_mean(gains),
                ratio(&loss).trim_start()
            )?;
        }
        Ok(())
    }
}

/// The samples of the fastest of these ways.
fn fastest<'c>(case: &'c Case, ways: &[Way]) -> &'c [f64] {
    let samples = ways.iter().map(|&way| case.of(way));
    samples.min_by(|a, b| median(a).total_cmp(&median(b))).expect("there is a way")
}

/// A ratio with its interval.
fn ratio(ratio: &Ratio) -> String {
    format!("{:>5.2} [{:>4.2}, {:>4.2}]", ratio.middle, ratio.low, ratio.high)
}

/// A time with three digits and its unit.
fn time(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 999.5 => (ns, "ns"),
        ns if ns < 999.5e3 => (ns / 1e3, "µs"),
        ns if ns < 999.5e6 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    let decimals = match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(name: &str, ns: [f64; 5], same: bool) -> Case {
        Case { name: name.to_owned(), samples: ns.map(|ns| vec![ns; 5]), same }
    }

    #[test]
    fn the_table_ends_with_the_mean_gain_and_the_worst_loss() {
        let cases = [
            case("small", [100.0, 110.0, 400.0, 120.0, 100.0], true),
            case("large", [2e6, 1.9e6, 1e6, 1.2e6, 1.1e6], false),
            case("alone", [130.0, 100.0, 400.0, 100.0, 105.0], true),
        ];
        let text = Table(&cases).to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains("4.00 [4.00, 4.00]   1.00 [1.00, 1.00]"), "{text}");
        assert!(!lines[1].contains("DIFFER") && lines[2].ends_with("RESULTS DIFFER"), "{text}");
        assert!(lines[4].contains("2.40 in the geometric mean"), "{text}");
        assert!(lines[3].starts_with("alone   100ns   400ns"), "{text}");
        assert!(lines[3].contains("1.05 [1.05, 1.05]"), "{text}");
        assert!(lines[4].ends_with("at most 1.10 [1.10, 1.10] (large)"), "{text}");
    }

    #[test]
    fn times_have_three_digits() {
        let times = [0.5, 99.96, 1_234.0, 999_600.0, 2.5e9].map(time);
        assert_eq!(times, ["0.50ns", "100ns", "1.23µs", "1.00ms", "2.50s"]);
    }
}
