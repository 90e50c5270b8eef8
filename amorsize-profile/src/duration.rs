//! Times as people write them: `500us`, `2 ms`.

/// Reads a time of at least a nanosecond: a whole number with a unit (`ns`, `us` or `µs`, `ms`, `s`). The result is in
/// nanoseconds; `None` for any other text.
pub fn parse_duration_ns(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit_ns = match text[digits.len()..].trim() {
        "ns" => 1,
        "us" | "µs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit_ns).filter(|ns| *ns > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_whole_number_with_a_unit() {
        let times = ["7ns", "500us", "500 µs", "2ms", "1 s", "1s "];
        let ns = [7, 500_000, 500_000, 2_000_000, 1_000_000_000, 1_000_000_000];
        assert_eq!(times.map(parse_duration_ns), ns.map(Some));
        for other in ["", "5", "us", "0s", "1.5ms", "-1s", "5 parsecs", "99999999999999999999ns"] {
            assert_eq!(parse_duration_ns(other), None, "{other}");
        }
        assert_eq!(parse_duration_ns("18446744074s"), None, "more than a u64 holds");
    }
}
