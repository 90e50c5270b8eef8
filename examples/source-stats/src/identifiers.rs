//! Which identifiers the sources use, how often, and which of them say most about a program.

use std::cmp::Reverse;
use std::collections::HashMap;

use rayon::prelude::*;

use crate::lexer::{Kind, tokens};
use crate::sources::Source;

/// One identifier and its use in all files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identifier<'a> {
    /// The name, without `r#`.
    pub name: &'a str,
    /// How often it occurs.
    pub occurrences: u64,
    /// In how many files.
    pub files: u64,
}

/// The use of one identifier in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use<'a> {
    /// The name, without `r#`.
    pub name: &'a str,
    /// Index of the file.
    pub file: usize,
    /// How often the name occurs in this file.
    pub occurrences: u64,
    /// How many files have the name.
    pub files: u64,
}

/// For each name how often it occurs, and in how many files.
pub type Frequencies<'a> = HashMap<&'a str, (u64, u64)>;

/// Names of more bytes share the last class of [`lengths`].
pub const LONGEST: usize = 40;

/// Counts the identifiers of all files.
#[must_use]
#[amorsize::tune]
pub fn frequencies(sources: &[Source]) -> Frequencies<'_> {
    sources
        .par_iter()
        .fold(HashMap::new, |merged, source| merge(merged, in_file(&source.text)))
        .reduce(HashMap::new, merge)
}

/// The counted identifiers; the most frequent first, equally frequent ones by name.
#[must_use]
pub fn ranked<'a>(frequencies: &Frequencies<'a>) -> Vec<Identifier<'a>> {
    let mut identifiers: Vec<_> = frequencies
        .iter()
        .map(|(&name, &(occurrences, files))| Identifier { name, occurrences, files })
        .collect();
    identifiers
        .par_sort_unstable_by_key(|identifier| (Reverse(identifier.occurrences), identifier.name));
    identifiers
}

/// The identifiers of each file, ordered by file and name. `frequencies` must be those of the same sources.
#[must_use]
#[amorsize::tune]
pub fn uses<'a>(sources: &'a [Source], frequencies: &Frequencies<'_>) -> Vec<Use<'a>> {
    sources
        .par_iter()
        .enumerate()
        .flat_map_iter(|(file, source)| {
            let mut uses: Vec<_> = in_file(&source.text)
                .into_iter()
                .map(|(name, (occurrences, _))| Use {
                    name,
                    file,
                    occurrences,
                    files: frequencies[name].1,
                })
                .collect();
            uses.sort_unstable_by_key(|usage| usage.name);
            uses
        })
        .collect()
}

/// How characteristic each name is of its file, from 0 to 1: names of several words that the file has often score
/// high, names that most of all `files` share score low (term frequency times inverse document frequency).
#[must_use]
#[amorsize::tune]
pub fn scores(uses: &[Use<'_>], files: usize) -> Vec<f64> {
    let mut scores: Vec<f64> = uses
        .par_iter()
        .map(|usage| {
            let frequency = (usage.occurrences as f64).ln_1p();
            let rarity = (files as f64 / usage.files as f64).ln();
            frequency * rarity * (words(usage.name) as f64).sqrt()
        })
        .collect();
    let highest = scores.par_iter().copied().reduce(|| 0.0, f64::max);
    if highest > 0.0 {
        scores.par_iter_mut().for_each(|score| *score /= highest);
    }
    scores
}

/// How many names have each length in bytes, from 0 to [`LONGEST`].
#[must_use]
#[amorsize::tune]
pub fn lengths(identifiers: &[Identifier<'_>]) -> Vec<u64> {
    identifiers
        .par_chunks(256)
        .map(|chunk| {
            let mut counts = vec![0; LONGEST + 1];
            for identifier in chunk {
                counts[identifier.name.len().min(LONGEST)] += 1;
            }
            counts
        })
        .reduce(|| vec![0; LONGEST + 1], |a, b| a.iter().zip(&b).map(|(a, b)| a + b).collect())
}

/// How many names are written in `UpperCamelCase`, as types are.
#[must_use]
#[amorsize::tune]
pub fn camel_case_count(identifiers: &[Identifier<'_>]) -> usize {
    identifiers
        .par_iter()
        .filter(|identifier| {
            identifier.name.starts_with(char::is_uppercase)
                && identifier.name.contains(char::is_lowercase)
                && !identifier.name.contains('_')
        })
        .count()
}

fn in_file(text: &str) -> Frequencies<'_> {
    let mut frequencies = HashMap::new();
    for token in tokens(text).filter(|token| token.kind == Kind::Identifier) {
        let name = token.text.strip_prefix("r#").unwrap_or(token.text);
        frequencies.entry(name).or_insert((0, 1)).0 += 1;
    }
    frequencies
}

fn merge<'a>(mut a: Frequencies<'a>, mut b: Frequencies<'a>) -> Frequencies<'a> {
    if a.len() < b.len() {
        std::mem::swap(&mut a, &mut b);
    }
    for (name, (occurrences, files)) in b {
        let sum = a.entry(name).or_insert((0, 0));
        sum.0 += occurrences;
        sum.1 += files;
    }
    a
}

/// Words of a name: `read_to_string` has three, `HashMap` two, `MAX` one.
fn words(name: &str) -> usize {
    let mut words = 0;
    let mut before = '_';
    for c in name.chars() {
        let starts = before == '_' || (c.is_uppercase() && before.is_lowercase());
        words += usize::from(starts && c != '_');
        before = c;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(texts: &[&str]) -> Vec<Source> {
        let source = |text: &&str| Source {
            package: "p-1.0.0".to_owned(),
            path: "src/lib.rs".to_owned(),
            text: (*text).to_owned(),
        };
        texts.iter().map(source).collect()
    }

    #[test]
    fn frequencies_merge_over_files_and_ignore_comments_strings_and_keywords() {
        let sources = sources(&["let a = b; // a", "r#a(\"a\", a); c", ""]);
        let expected = HashMap::from([("a", (3, 2)), ("b", (1, 1)), ("c", (1, 1))]);
        assert_eq!(frequencies(&sources), expected);
    }

    #[test]
    fn ties_are_ranked_by_name() {
        let sources = sources(&["c b a", "c"]);
        let ranked = ranked(&frequencies(&sources));
        let names: Vec<_> = ranked.iter().map(|identifier| identifier.name).collect();
        assert_eq!(names, ["c", "a", "b"]);
    }

    #[test]
    fn the_order_of_files_does_not_matter() {
        let one = sources(&["a b c c", "c d", "e e e"]);
        let other: Vec<_> = one.iter().rev().cloned().collect();
        assert_eq!(ranked(&frequencies(&one)), ranked(&frequencies(&other)));
    }

    #[test]
    fn uses_are_ordered_by_file_and_name() {
        let sources = sources(&["b a b", "", "b"]);
        let usage = |name, file, occurrences, files| Use { name, file, occurrences, files };
        let expected = [usage("a", 0, 1, 1), usage("b", 0, 2, 2), usage("b", 2, 1, 2)];
        assert_eq!(uses(&sources, &frequencies(&sources)), expected);
    }

    #[test]
    fn a_name_that_every_file_has_scores_nothing_and_the_best_scores_one() {
        let sources = sources(&["common rare_long_name x", "common"]);
        let scores = scores(&uses(&sources, &frequencies(&sources)), sources.len());
        assert_eq!((scores[0], scores[1], scores[3]), (0.0, 1.0, 0.0));
        assert!(0.0 < scores[2] && scores[2] < 1.0);
    }

    #[test]
    fn very_long_names_share_the_last_length() {
        let long = "x".repeat(LONGEST + 5);
        let sources = sources(&["ab abc abd", &long]);
        let counts = lengths(&ranked(&frequencies(&sources)));
        assert_eq!((counts[2], counts[3], counts[LONGEST]), (1, 2, 1));
        assert_eq!(counts.iter().sum::<u64>(), 4);
    }

    #[test]
    fn words_are_told_apart_by_underscores_and_capitals() {
        let counts = ["read_to_string", "HashMap", "MAX", "_", "__x", "u64"].map(words);
        assert_eq!(counts, [3, 2, 1, 0, 1, 1]);
    }

    #[test]
    fn types_are_recognised_by_their_capitals() {
        let sources = sources(&["Vec T MAX Snake_Case HashMap x"]);
        assert_eq!(camel_case_count(&ranked(&frequencies(&sources))), 2);
    }
}
