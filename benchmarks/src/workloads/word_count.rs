use std::collections::HashMap;

use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::workload::Workload;

/// Word frequencies of a text's lines, folded into hash maps that are merged: every piece that an
/// executor makes has to be paid for in the reduction.
pub(crate) struct WordCount;

/// Distinct words.
const VOCABULARY: usize = 4_000;

type Counts = HashMap<String, u32>;

impl Workload for WordCount {
    const NAME: &'static str = "word_count";
    const ORIGIN: &'static str =
        "MapReduce (Dean, Ghemawat 2004); words as frequent as Zipf's law says";
    const SIZES: &'static [usize] = &[100, 1_000, 10_000];

    /// Lines of text.
    type Input = Vec<String>;
    type Output = Counts;

    fn prepare(lines: usize) -> Vec<String> {
        let mut random = fastrand::Rng::with_seed(4);
        let vocabulary: Vec<String> = (0..VOCABULARY).map(|_| word(&mut random)).collect();
        (0..lines)
            .map(|_| {
                let words: Vec<&str> = (0..random.usize(3..15))
                    .map(|_| &*vocabulary[zipf_rank(&mut random)])
                    .collect();
                words.join(" ")
            })
            .collect()
    }

    fn run(lines: &mut Vec<String>, executor: Executor) -> Counts {
        let count = |counts, line: &String| count_words(counts, line);
        match executor {
            Executor::Serial => lines.iter().fold(Counts::new(), count),
            Executor::Rayon => lines.par_iter().fold(Counts::new, count).reduce(Counts::new, merge),
            Executor::RayonMinLen(min) => lines
                .par_iter()
                .with_min_len(min)
                .fold(Counts::new, count)
                .reduce(Counts::new, merge),
            Executor::Amorsize(target) => {
                lines.par_iter().tuned(target).fold(Counts::new, count).reduce(Counts::new, merge)
            }
            Executor::Orx => others::orx(lines),
            Executor::Paralight => others::paralight(lines),
            Executor::Forked(forked) => {
                forked.fold(&lines[..], |part| part.iter().fold(Counts::new(), count), merge)
            }
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use super::{Counts, count_words, merge};
    use crate::forked::with_paralight;

    pub(super) fn orx(lines: &[String]) -> Counts {
        use orx_parallel::*;
        let add = |counts: &mut Counts, line: &String| {
            *counts = count_words(std::mem::take(counts), line);
        };
        lines.par().fold(Counts::new, add).into_iter().reduce(merge).unwrap_or_default()
    }

    pub(super) fn paralight(lines: &[String]) -> Counts {
        use paralight::prelude::*;
        with_paralight(|pool| {
            let lines = lines.par_iter().with_thread_pool(pool);
            lines.fold_per_thread(
                Counts::new,
                |counts, line| count_words(counts, line),
                |_threads| Counts::new(),
                merge,
            )
        })
    }
}

fn count_words(mut counts: Counts, line: &str) -> Counts {
    for word in line.split_whitespace() {
        match counts.get_mut(word) {
            Some(count) => *count += 1,
            None => _ = counts.insert(word.to_owned(), 1),
        }
    }
    counts
}

/// Adds the smaller map to the larger one.
fn merge(left: Counts, right: Counts) -> Counts {
    let (mut large, small) = if left.len() < right.len() { (right, left) } else { (left, right) };
    for (word, count) in small {
        *large.entry(word).or_insert(0) += count;
    }
    large
}

/// One to four syllables.
fn word(random: &mut fastrand::Rng) -> String {
    (0..random.usize(1..=4))
        .flat_map(|_| {
            let consonant = b"bcdfghklmnprstvw"[random.usize(..16)];
            let vowel = b"aeiou"[random.usize(..5)];
            [char::from(consonant), char::from(vowel)]
        })
        .collect()
}

/// A rank below [`VOCABULARY`], rank `r` with a probability in proportion to about `1/(r + 1)`: the
/// logarithm of such a rank is uniform.
fn zipf_rank(random: &mut fastrand::Rng) -> usize {
    let rank = (random.f64() * (VOCABULARY as f64).ln()).exp() - 1.0;
    (rank as usize).min(VOCABULARY - 1)
}
