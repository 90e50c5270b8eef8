//! Tables of text, and numbers as people read them.

use std::fmt;

use crate::estimate::Estimate;

/// Rows of cells: the first column to the left, the others to the right.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(header: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Table { rows: vec![header.into_iter().map(Into::into).collect()] }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows[0].len();
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            write!(f, "{:<1$}", row[0], widths[0])?;
            for (cell, &width) in row.iter().zip(&widths).skip(1) {
                write!(f, " {cell:>width$}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// A time with three digits and its unit, as short as can be.
pub(crate) fn time(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 999.5 => (ns, "ns"),
        ns if ns < 999.5e3 => (ns / 1e3, "µs"),
        ns if ns < 999.5e6 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    format!("{}{unit}", three_digits(value))
}

fn three_digits(value: f64) -> String {
    let decimals = match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// A ratio with its uncertainty.
pub(crate) fn ratio(estimate: &Estimate) -> String {
    let percent = format!("±{:.0}%", estimate.uncertainty() * 100.0);
    format!("{} {percent:>4}", three_digits(estimate.median))
}

/// Cores that others used.
pub(crate) fn cores(others: Option<f64>) -> String {
    others.map_or("?".to_owned(), |cores| format!("{cores:.1}"))
}

/// An integer with its thousands apart.
pub(crate) fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits() {
        let times = [0.5, 9.99, 99.96, 1_234.0, 999_600.0, 2.5e9].map(time);
        let expected = ["0.50ns", "9.99ns", "100ns", "1.23µs", "1.00ms", "2.50s"];
        assert_eq!(times, expected);
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([7, 999, 1_000, 1_234_567].map(count), ["7", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn columns_align() {
        let mut table = Table::new(["a", "time"]);
        table.row(["loop".to_owned(), "1 µs".to_owned()]);
        assert_eq!(table.to_string(), "a    time\nloop 1 µs\n");
    }
}
