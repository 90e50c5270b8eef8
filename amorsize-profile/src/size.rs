//! Sizes of memory as people write them: `560GB`, `1.5 GiB`, `4096`.

use std::fmt;

/// The units, in bytes. Decimal prefixes mean powers of 1000, binary ones powers of 1024.
const UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Digits behind the point that count for something: of a TB, the twelfth is a byte.
const MOST_DECIMALS: usize = 12;

/// Why a text is no size.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidSize {
    /// It does not begin with a number, or the number cannot be read.
    Number(String),
    /// What follows the number is no unit.
    Unit(String),
    /// It is less than one byte, which nothing has.
    Nothing,
    /// It is more than 2^64 bytes.
    TooLarge,
}

impl fmt::Display for InvalidSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const EXPECTED: &str =
            "expected a number of bytes, or one with a unit such as `500MB` or `1.5GiB`";
        match self {
            InvalidSize::Number(text) => write!(formatter, "`{text}` is no number: {EXPECTED}"),
            InvalidSize::Unit(text) => write!(
                formatter,
                "`{text}` is no unit: expected B, KB, MB, GB, TB or KiB, MiB, GiB, TiB"
            ),
            InvalidSize::Nothing => write!(formatter, "it is less than one byte: {EXPECTED}"),
            InvalidSize::TooLarge => formatter.write_str("it is more than 2^64 bytes"),
        }
    }
}

impl std::error::Error for InvalidSize {}

/// Reads a size: a number of bytes, or a number with a unit (`B`, `KB`, `MB`, `GB`, `TB` for powers of 1000,
/// `KiB`, `MiB`, `GiB`, `TiB` for powers of 1024, in upper or lower case). A part of a byte is dropped.
///
/// # Errors
///
/// If the text is anything else, or less than one byte, or more than a `u64` holds.
pub fn parse_size(text: &str) -> Result<u64, InvalidSize> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..end], text[end..].trim());
    let invalid = || InvalidSize::Number(text.to_owned());
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !are_digits(whole) || !are_digits(decimals) {
        return Err(invalid());
    }
    let found = UNITS.iter().find(|(name, _)| unit.is_empty() || name.eq_ignore_ascii_case(unit));
    let (_, unit) = found.ok_or_else(|| InvalidSize::Unit(unit.to_owned()))?;
    let decimals = &decimals[..decimals.len().min(MOST_DECIMALS)];
    let part = decimals.parse::<u128>().map_err(|_| invalid())? * u128::from(*unit)
        / 10_u128.pow(decimals.len() as u32);
    let whole: u64 = whole.parse().map_err(|_| InvalidSize::TooLarge)?;
    let bytes = u128::from(whole) * u128::from(*unit) + part;
    match u64::try_from(bytes) {
        Ok(0) => Err(InvalidSize::Nothing),
        Ok(bytes) => Ok(bytes),
        Err(_) => Err(InvalidSize::TooLarge),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_units_are_powers_of_1000_and_binary_ones_of_1024() {
        for (text, bytes) in [
            ("4096", 4_096),
            ("1B", 1),
            ("3kb", 3_000),
            ("3KiB", 3_072),
            ("500MB", 500_000_000),
            ("500 MiB", 524_288_000),
            ("560GB", 560_000_000_000),
            (" 2 gib ", 1 << 31),
            ("1TB", 1_000_000_000_000),
            ("1TiB", 1 << 40),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn parts_of_a_unit_are_exact_to_the_byte() {
        for (text, bytes) in [
            ("1.5GiB", 3 << 29),
            ("5.83GB", 5_830_000_000),
            ("0.000000000001TB", 1),
            ("1.9999999999999999999999999999999999999999TB", 1_999_999_999_999),
            ("2.0", 2),
            ("1.9", 1),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_part_that_is_wrong() {
        let number = |text: &str| Err(InvalidSize::Number(text.to_owned()));
        for text in ["", "GB", "-1GB", "lots", ".5GB", "1.GB", "1.2.3GB", "+4"] {
            assert_eq!(parse_size(text), number(text), "{text}");
        }
        assert_eq!(parse_size("4 GBs"), Err(InvalidSize::Unit("GBs".to_owned())));
        assert_eq!(parse_size("4G"), Err(InvalidSize::Unit("G".to_owned())));
        assert_eq!(parse_size("1e9"), Err(InvalidSize::Unit("e9".to_owned())));
        assert_eq!(parse_size("0"), Err(InvalidSize::Nothing));
        assert_eq!(parse_size("0.0001KB"), Err(InvalidSize::Nothing));
        assert_eq!(parse_size("18446744073709551616"), Err(InvalidSize::TooLarge));
        assert_eq!(parse_size("99999999999999999999999999"), Err(InvalidSize::TooLarge));
        assert_eq!(parse_size("18446745TB"), Err(InvalidSize::TooLarge));
        assert!(InvalidSize::Unit("G".to_owned()).to_string().contains("GiB"));
    }
}
