//! The report: everything that is computed, and how it is printed in at most 80 columns.

use std::cmp::Reverse;
use std::io::{self, Write};

use rayon::prelude::*;

use crate::identifiers::{self, Identifier, Use};
use crate::lexer::Kind;
use crate::lines;
use crate::packages::{self, Pair};
use crate::sources::Source;
use crate::stats::{self, Stats};

/// A function of more lines is called long.
const LONG_FUNCTION_LINES: u64 = 100;

/// Everything that the report tells about some sources.
#[derive(Debug)]
pub struct Report<'a> {
    sources: &'a [Source],
    lines: usize,
    stats: Vec<Stats>,
    tokens: u64,
    bytes_per_token: f64,
    long: usize,
    packages: usize,
    pairs: Vec<Pair<'a>>,
    comparable_lines: usize,
    repeated_lines: usize,
    identifiers: Vec<Identifier<'a>>,
    camel_case: usize,
    usual_length: usize,
    /// The uses of identifiers by their scores, highest first.
    characteristic: Vec<(Use<'a>, f64)>,
}

impl<'a> Report<'a> {
    /// Computes everything.
    #[must_use]
    pub fn new(sources: &'a [Source]) -> Self {
        let stats = stats::analyse(sources);
        let packages = packages::group(sources);

        let comparable = lines::comparable(sources);
        let mut fingerprints = lines::fingerprints(&comparable);
        fingerprints.par_sort_unstable();

        let frequencies = identifiers::frequencies(sources);
        let identifiers = identifiers::ranked(&frequencies);
        let uses = identifiers::uses(sources, &frequencies);
        let scores = identifiers::scores(&uses, sources.len());
        let mut characteristic: Vec<_> = uses.into_iter().zip(scores).collect();
        // Stable, so that equal scores stay in the order of files and names.
        characteristic.sort_by(|(_, a), (_, b)| b.total_cmp(a));

        Self {
            sources,
            lines: stats::line_count(sources),
            tokens: stats::token_count(&stats),
            bytes_per_token: median(stats::bytes_per_token(sources, &stats)),
            long: stats::files_with_long_functions(&stats, LONG_FUNCTION_LINES),
            stats,
            packages: packages.len(),
            pairs: packages::pairs(&packages),
            comparable_lines: comparable.len(),
            repeated_lines: lines::repeated(&fingerprints),
            camel_case: identifiers::camel_case_count(&identifiers),
            usual_length: most_frequent(&identifiers::lengths(&identifiers)),
            identifiers,
            characteristic,
        }
    }

    /// Prints the report, with `top` rows in each list.
    ///
    /// # Errors
    ///
    /// Fails when `out` does.
    pub fn write(&self, out: &mut impl Write, top: usize) -> io::Result<()> {
        let bytes: usize = self.sources.iter().map(|source| source.text.len()).sum();
        writeln!(out, "{:>10} packages", self.packages)?;
        writeln!(
            out,
            "{:>10} files, {} with a function longer than {LONG_FUNCTION_LINES} lines",
            self.sources.len(),
            self.long
        )?;
        writeln!(out, "{:>10} bytes", bytes)?;
        writeln!(out, "{:>10} lines", self.lines)?;
        writeln!(
            out,
            "{:>10} tokens, {:.1} bytes each in the median file",
            self.tokens, self.bytes_per_token
        )?;
        self.write_files(out, top)?;
        self.write_tokens(out)?;
        self.write_identifiers(out, top)?;
        self.write_repetition(out, top)
    }

    fn write_files(&self, out: &mut impl Write, top: usize) -> io::Result<()> {
        let mut files: Vec<_> = self.sources.iter().zip(&self.stats).collect();
        files.sort_by_key(|(_, stats)| Reverse(stats.lines.code));
        let mut total = Stats::default();
        self.stats.iter().for_each(|stats| total += *stats);

        heading(out, "Largest files")?;
        writeln!(out, "{:>8} {:>8} {:>8} {:>8}  file", "code", "comment", "blank", "longest")?;
        let row = |out: &mut dyn Write, stats: &Stats, name: &str| {
            let lines = stats.lines;
            let (code, comment, blank) = (lines.code, lines.comment, lines.blank);
            writeln!(out, "{code:>8} {comment:>8} {blank:>8} {:>8}  {name}", stats.longest_function)
        };
        for (source, stats) in files.into_iter().take(top) {
            row(out, stats, &shortened(&source.to_string(), 43))?;
        }
        row(out, &total, "all files")
    }

    fn write_tokens(&self, out: &mut impl Write) -> io::Result<()> {
        heading(out, "Tokens")?;
        for kind in Kind::ALL {
            let count: u64 = self.stats.iter().map(|stats| stats.tokens[kind as usize]).sum();
            let share = 100.0 * count as f64 / self.tokens.max(1) as f64;
            writeln!(out, "{count:>10}  {share:>4.1} %  {}", format!("{kind:?}").to_lowercase())?;
        }
        Ok(())
    }

    fn write_identifiers(&self, out: &mut impl Write, top: usize) -> io::Result<()> {
        heading(out, "Identifiers")?;
        writeln!(
            out,
            "{:>10} different, {} in UpperCamelCase, most of them of {} bytes",
            self.identifiers.len(),
            self.camel_case,
            self.usual_length,
        )?;
        writeln!(out)?;
        writeln!(out, "{:>10}  most frequent", "uses")?;
        for identifier in self.identifiers.iter().take(top) {
            writeln!(out, "{:>10}  {}", identifier.occurrences, shortened(identifier.name, 68))?;
        }
        writeln!(out)?;
        writeln!(out, "{:>10}  most characteristic of a file", "score")?;
        for (usage, score) in self.characteristic.iter().take(top) {
            let file = shortened(&self.sources[usage.file].to_string(), 35);
            writeln!(out, "{score:>10.3}  {:<30}  {file}", shortened(usage.name, 30))?;
        }
        Ok(())
    }

    fn write_repetition(&self, out: &mut impl Write, top: usize) -> io::Result<()> {
        heading(out, "Repeated lines")?;
        let share = 100.0 * self.repeated_lines as f64 / self.comparable_lines.max(1) as f64;
        writeln!(
            out,
            "{:>10} of {} lines that are long enough to compare ({share:.1} %)",
            self.repeated_lines, self.comparable_lines,
        )?;
        writeln!(out)?;
        writeln!(out, "{:>10}  by the packages", "shared")?;
        for pair in self.pairs.iter().take(top) {
            let (first, second) = (shortened(pair.first, 31), shortened(pair.second, 31));
            writeln!(out, "{:>10}  {first} and {second}", pair.shared_lines)?;
        }
        Ok(())
    }
}

fn heading(out: &mut impl Write, title: &str) -> io::Result<()> {
    writeln!(out, "\n{title}\n{}", "-".repeat(title.len()))
}

/// The text in at most `width` characters; of a longer one the end is kept, because paths end in what differs.
fn shortened(text: &str, width: usize) -> String {
    match text.chars().count().checked_sub(width) {
        None | Some(0) => text.to_owned(),
        Some(excess) => "…".chars().chain(text.chars().skip(excess + 1)).collect(),
    }
}

/// The middle value, the upper one of two; 0 for none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Index of the highest count, the first of several.
fn most_frequent(counts: &[u64]) -> usize {
    let highest = counts.iter().enumerate().max_by_key(|&(index, &count)| (count, Reverse(index)));
    highest.map_or(0, |(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_keep_their_end() {
        assert_eq!(shortened("src/lib.rs", 10), "src/lib.rs");
        assert_eq!(shortened("src/lib.rs", 7), "…lib.rs");
    }

    #[test]
    fn a_report_about_nothing_can_be_printed() {
        let mut out = Vec::new();
        Report::new(&[]).write(&mut out, 10).expect("memory can be written to");
        assert!(out.starts_with(b"         0 packages\n"));
    }

    #[test]
    fn the_first_of_equal_counts_wins() {
        assert_eq!(most_frequent(&[0, 3, 1, 3]), 1);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
    }
}
