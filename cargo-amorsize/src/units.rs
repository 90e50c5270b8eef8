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

/// Three significant digits; an exponent only where nobody would count the digits.
pub(crate) fn significant(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 99.95 => format!("{value:.1}"),
        size if size < 1e15 => format!("{value:.0}"),
        _ => format!("{value:.2e}"),
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

/// So many of something: `1 worker`, `1,024 workers`.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number as u64))
}

/// A size: with three significant digits in powers of 1024, as machines have them (`13.2 GiB`); exactly in powers of
/// 1000 if it is a multiple of 1000 with at most four digits, as people write them (`560 GB`).
pub(crate) fn bytes(number: u64) -> String {
    if let Some(text) = decimal_bytes(number) {
        return text;
    }
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

/// A size as a person has written it, if one did.
fn decimal_bytes(number: u64) -> Option<String> {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")];
    if !number.is_multiple_of(1_000) {
        return None;
    }
    let (scale, unit) = UNITS.into_iter().find(|(scale, _)| number >= *scale)?;
    let mut digits = number;
    while digits.is_multiple_of(10) {
        digits /= 10;
    }
    // With so few digits the shortest text of the quotient is exact.
    (digits < 10_000).then(|| format!("{} {unit}", number as f64 / scale as f64))
}

/// A share of a whole: `12.3 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A plan: `serial`, or workers and chunk size as `2 × 128`.
pub(crate) fn plan(workers: u32, chunk: u64) -> String {
    if workers <= 1 { "serial".to_owned() } else { format!("{workers} × {}", count(chunk)) }
}

/// A factor: `1.85×`.
pub(crate) fn factor(value: f64) -> String {
    match value {
        _ if !value.is_finite() => "?".to_owned(),
        _ if value.abs() < 1e6 => format!("{value:.2}×"),
        _ => format!("{}×", significant(value)),
    }
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
            (5e30, "5.00e21 s"),
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
            (14_000_000_001, "13.0 GiB"),
            (1 << 50, "1024 TiB"),
            (u64::MAX, "16777216 TiB"),
        ] {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn sizes_as_people_write_them_read_back_as_written() {
        for text in [
            "560 GB", "12 GB", "5.83 GB", "233.1 GB", "3.2 GB", "500 MB", "64 KB", "18 TB",
            "1.50 GiB", "4.00 KiB", "512 MiB", "999 B",
        ] {
            assert_eq!(amorsize_profile::parse_size(text).map(bytes).as_deref(), Ok(text));
        }
    }

    #[test]
    fn counts_have_their_thousands_apart() {
        assert_eq!(count(7), "7");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(123_456), "123,456");
        assert_eq!([counted(1, "worker"), counted(1_024, "worker")], ["1 worker", "1,024 workers"]);
    }

    #[test]
    fn a_plan_is_serial_or_workers_times_chunk() {
        assert_eq!(plan(1, 500), "serial");
        assert_eq!(plan(4, 1_024), "4 × 1,024");
    }
}
