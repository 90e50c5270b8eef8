//! Lines that occur more than once.

use rayon::prelude::*;

use crate::sources::Source;

/// Shorter lines, such as `}` or `} else {`, repeat without meaning anything.
const SHORTEST_BYTES: usize = 16;

/// The lines worth comparing, without the white space around them.
#[must_use]
#[amorsize::tune]
pub fn comparable(sources: &[Source]) -> Vec<&str> {
    sources.par_iter().flat_map_iter(|source| comparable_in(&source.text)).collect()
}

/// The fingerprint of each line, in their order.
#[must_use]
#[amorsize::tune]
pub fn fingerprints(lines: &[&str]) -> Vec<u64> {
    let mut fingerprints = vec![0; lines.len()];
    fingerprints
        .par_iter_mut()
        .zip(lines.par_iter())
        .for_each(|(slot, line)| *slot = fingerprint(line));
    fingerprints
}

/// How many of the fingerprints, which must be sorted, occurred before.
#[must_use]
#[amorsize::tune]
pub fn repeated(sorted: &[u64]) -> usize {
    sorted.par_windows(2).filter(|pair| pair[0] == pair[1]).count()
}

/// The lines of one file that are worth comparing.
pub(crate) fn comparable_in(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_BYTES)
}

/// FNV-1a, 64 bits: the same on every machine and in every run.
pub(crate) fn fingerprint(line: &str) -> u64 {
    line.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_lines_and_indentation_are_left_out() {
        let text = "    pub fn repeated() {\n    }\n\n\tpub fn repeated() {\n".to_owned();
        let source = Source { package: "p-1.0.0".to_owned(), path: "src/lib.rs".to_owned(), text };
        assert_eq!(comparable(&[source]), ["pub fn repeated() {"; 2]);
    }

    #[test]
    fn fingerprints_are_fnv_1a() {
        assert_eq!(
            fingerprints(&["", "a", "foobar"]),
            [0xcbf2_9ce4_8422_2325, 0xaf63_dc4c_8601_ec8c, 0x8594_4171_f739_67e8,]
        );
    }

    #[test]
    fn a_line_that_occurs_three_times_repeats_twice() {
        assert_eq!(repeated(&[1, 2, 2, 2, 5, 7, 7]), 3);
        assert_eq!(repeated(&[]), 0);
    }
}
