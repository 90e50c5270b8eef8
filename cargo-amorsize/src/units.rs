//! Numbers with their units, short enough for a table.

/// A time with three significant digits: `4.20 ns`, `12.3 µs`, `456 ms`.
pub(crate) fn time(ns: f64) -> String {
    if !ns.is_finite() {
        return "?".to_owned();
    }
    // Rounded first, so that 999.9 ns becomes 1.00 µs.
    let (value, unit) = [(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s")]
        .into_iter()
        .map(|(scale, unit)| (ns / scale, unit))
        .find(|(value, _)| value.abs() < 999.5)
        .unwrap_or((ns / 1e9, "s"));
    format!("{} {unit}", significant(value))
}

/// Three significant digits, no exponent.
pub(crate) fn significant(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// A count with its thousands apart: `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size with three significant digits, in powers of 1024: `512 B`, `13.2 GiB`.
pub(crate) fn bytes(number: u64) -> String {
    // Rounded first, as times are.
    let (value, unit) =
        [(1.0, "B"), (1024.0, "KiB"), (1_048_576.0, "MiB"), (1_073_741_824.0, "GiB")]
            .into_iter()
            .map(|(scale, unit)| (number as f64 / scale, unit))
            .find(|(value, _)| *value < 1023.5)
            .unwrap_or((number as f64 / 1_099_511_627_776.0, "TiB"));
    match unit {
        "B" => format!("{number} B"),
        _ => format!("{} {unit}", significant(value)),
    }
}

/// A plan: `serial`, or workers and chunk size as `2 × 128`.
pub(crate) fn plan(workers: u32, chunk: u64) -> String {
    if workers <= 1 { "serial".to_owned() } else { format!("{workers} × {}", count(chunk)) }
}

/// A factor: `1.85×`.
pub(crate) fn factor(value: f64) -> String {
    if value.is_finite() { format!("{value:.2}×") } else { "?".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_a_unit() {
        for (ns, text) in [
            (0.0, "0 ns"),
            (0.5, "0.50 ns"),
            (12.34, "12.3 ns"),
            (999.9, "1.00 µs"),
            (123_456.0, "123 µs"),
            (2.5e9, "2.50 s"),
            (5e12, "5000 s"),
            (f64::NAN, "?"),
        ] {
            assert_eq!(time(ns), text);
        }
    }

    #[test]
    fn sizes_have_three_digits_and_a_binary_unit() {
        for (number, text) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.00 KiB"),
            (49_152, "48.0 KiB"),
            (1_073_217_536, "1.00 GiB"),
            (14_000_000_000, "13.0 GiB"),
            (1 << 50, "1024 TiB"),
        ] {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn counts_have_their_thousands_apart() {
        assert_eq!(count(7), "7");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(123_456), "123,456");
    }

    #[test]
    fn a_plan_is_serial_or_workers_times_chunk() {
        assert_eq!(plan(1, 500), "serial");
        assert_eq!(plan(4, 1_024), "4 × 1,024");
    }
}
