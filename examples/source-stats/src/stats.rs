//! What is counted in each file, and the totals over all of them.

use std::ops::AddAssign;

use rayon::prelude::*;

use crate::lexer::{Kind, tokens};
use crate::sources::Source;

/// Lines of a file by what they hold. A line with code and a comment is a line of code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Lines with at least one token that is not a comment.
    pub code: u64,
    /// Lines with comments alone, blank lines inside a comment included.
    pub comment: u64,
    /// Lines with nothing but white space.
    pub blank: u64,
}

/// Counts of one file, or of many together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// The lines.
    pub lines: Lines,
    /// Tokens of each kind, in the order of [`Kind::ALL`].
    pub tokens: [u64; Kind::ALL.len()],
    /// Lines from the `fn` to the closing brace of the longest function.
    pub longest_function: u64,
}

impl AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.lines.code += other.lines.code;
        self.lines.comment += other.lines.comment;
        self.lines.blank += other.lines.blank;
        for (sum, count) in self.tokens.iter_mut().zip(other.tokens) {
            *sum += count;
        }
        self.longest_function = self.longest_function.max(other.longest_function);
    }
}

/// The statistics of every file, in the order of `sources`.
#[must_use]
#[amorsize::tune]
pub fn analyse(sources: &[Source]) -> Vec<Stats> {
    sources.par_iter().map(|source| Stats::of(&source.text)).collect()
}

/// How many lines the files have together, without looking at their tokens.
#[must_use]
#[amorsize::tune]
pub fn line_count(sources: &[Source]) -> usize {
    sources.par_iter().map(|source| source.text.lines().count()).sum()
}

/// How many tokens the files have together.
#[must_use]
#[amorsize::tune]
pub fn token_count(stats: &[Stats]) -> u64 {
    stats.par_iter().map(|file| file.tokens.iter().sum::<u64>()).sum()
}

/// How many files hold a function longer than `lines`.
#[must_use]
#[amorsize::tune]
pub fn files_with_long_functions(stats: &[Stats], lines: u64) -> usize {
    stats.par_iter().filter(|file| file.longest_function > lines).count()
}

/// Bytes of source per token of each file; 0 for a file without tokens.
#[must_use]
#[amorsize::tune]
pub fn bytes_per_token(sources: &[Source], stats: &[Stats]) -> Vec<f64> {
    sources
        .par_iter()
        .zip(stats)
        .map(|(source, file)| match file.tokens.iter().sum::<u64>() {
            0 => 0.0,
            tokens => source.text.len() as f64 / tokens as f64,
        })
        .collect()
}

impl Stats {
    /// Counts `text`.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut stats = Self::default();
        let mut functions = OpenFunctions::default();
        let mut covered = Cover::default();
        let mut code = Cover::default();
        let mut line = 0;
        let mut end = 0;
        for token in tokens(text) {
            let start = token.text.as_ptr() as usize - text.as_ptr() as usize;
            let first = line + line_feeds(&text[end..start]);
            line = first + line_feeds(token.text);
            end = start + token.text.len();
            stats.tokens[token.kind as usize] += 1;
            covered.add(first, line);
            if token.kind != Kind::Comment {
                code.add(first, line);
                let closed = functions.token(token.kind, token.text, line);
                stats.longest_function = stats.longest_function.max(closed.unwrap_or(0));
            }
        }
        let all = text.lines().count() as u64;
        stats.lines.code = code.lines;
        stats.lines.comment = covered.lines - code.lines;
        stats.lines.blank = all.saturating_sub(covered.lines);
        stats
    }
}

/// Counts the lines that tokens cover; a line with several tokens counts once.
#[derive(Default)]
struct Cover {
    lines: u64,
    /// The first line that no token has reached yet.
    next: u64,
}

impl Cover {
    fn add(&mut self, first: u64, last: u64) {
        self.lines += (last + 1).saturating_sub(first.max(self.next));
        self.next = last + 1;
    }
}

fn line_feeds(text: &str) -> u64 {
    text.bytes().filter(|&byte| byte == b'\n').count() as u64
}

/// The functions that the tokens so far have entered and not yet left.
#[derive(Default)]
struct OpenFunctions {
    /// Open braces, brackets and parentheses.
    depth: usize,
    /// Line and depth of a `fn` and its name whose body has not begun.
    declared: Option<(u64, usize)>,
    /// First line of each open function, and the depth outside its body.
    open: Vec<(u64, usize)>,
    /// Line of a `fn` that was the token before this one.
    keyword: Option<u64>,
}

impl OpenFunctions {
    /// Takes the next token that is not a comment. Returns the length in lines of the function that it closes.
    fn token(&mut self, kind: Kind, text: &str, line: u64) -> Option<u64> {
        // `fn` without a name is a function pointer type.
        let keyword = self.keyword.take();
        if kind == Kind::Identifier {
            self.declared = keyword.map(|start| (start, self.depth)).or(self.declared);
        }
        match text {
            "fn" => self.keyword = Some(line),
            "(" | "[" => self.depth += 1,
            "{" => {
                // Braces in a signature lie in its parentheses or brackets; a body opens where `fn` stood.
                self.open.extend(self.declared.take_if(|(_, depth)| *depth == self.depth));
                self.depth += 1;
            }
            ")" | "]" | "}" => {
                self.depth = self.depth.saturating_sub(1);
                let closed = self.open.last().is_some_and(|(_, depth)| *depth == self.depth);
                if closed {
                    return self.open.pop().map(|(start, _)| line - start + 1);
                }
            }
            // The end of a declaration without a body; the `;` of an array type lies deeper.
            ";" if self.declared.is_some_and(|(_, depth)| depth == self.depth) => {
                self.declared = None
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> (u64, u64, u64) {
        let lines = Stats::of(text).lines;
        (lines.code, lines.comment, lines.blank)
    }

    fn source(text: &str) -> Source {
        let (package, path) = ("p-1.0.0".to_owned(), "src/lib.rs".to_owned());
        Source { package, path, text: text.to_owned() }
    }

    #[test]
    fn a_line_with_code_and_comment_is_code() {
        assert_eq!(lines("let a = 1; // one\n/* two */ let b = 2;\n"), (2, 0, 0));
    }

    #[test]
    fn a_blank_line_inside_a_comment_or_string_belongs_to_it() {
        assert_eq!(lines("/*\n\n*/\n\nf(\"\n\n\");"), (3, 3, 1));
    }

    #[test]
    fn the_kinds_of_lines_add_up_to_all_lines() {
        for text in
            ["", "\n", "\n\n  \n", "x", "x\n", "x\n\n", "\n// c\n\nx \n ", include_str!("stats.rs")]
        {
            let (code, comment, blank) = lines(text);
            assert_eq!(code + comment + blank, text.lines().count() as u64, "{text:?}");
        }
    }

    #[test]
    fn the_longest_function_reaches_from_fn_to_its_closing_brace() {
        let longest = |text: &str| Stats::of(text).longest_function;
        assert_eq!(longest("fn a() {}\n\nfn b(x: [u8; 2])\n-> u8\n{\n    if x { 1 }\n}\n"), 5);
        assert_eq!(longest("trait T {\n    fn a();\n    const C: fn() = { x };\n}\n"), 0);
        assert_eq!(longest("fn outer() {\n    fn inner() {\n    }\n}\n"), 4);
        assert_eq!(longest("fn unfinished() {\n\n"), 0);
    }

    #[test]
    fn totals_are_sums_of_the_files() {
        let sources = [source("fn f() { 1 + 2 }\n"), source(""), source("// note\nx")];
        let stats = analyse(&sources);
        assert_eq!(line_count(&sources), 3);
        assert_eq!(token_count(&stats), 9 + 2);
        assert_eq!(files_with_long_functions(&stats, 0), 1);
        assert_eq!(bytes_per_token(&sources, &stats), [17.0 / 9.0, 0.0, 4.5]);
        let mut total = Stats::default();
        stats.iter().for_each(|file| total += *file);
        assert_eq!(total.lines, Lines { code: 2, comment: 1, blank: 0 });
        assert_eq!(total.tokens.iter().sum::<u64>(), token_count(&stats));
    }
}
