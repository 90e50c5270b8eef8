//! Cuts Rust source text into tokens.
//!
//! This is a lexer for counting, not for compiling: it never fails, takes an unterminated string or comment
//! up to the end of the text, and keeps every character of multi-character operators apart. The tokens are
//! slices of the source in their order; only white space lies between them.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A line or block comment, documentation included.
    Comment,
    /// A keyword of any edition that cannot be an ordinary name.
    Keyword,
    /// A name; raw identifiers keep their `r#`.
    Identifier,
    /// A lifetime or a loop label, with its quote.
    Lifetime,
    /// A string, byte string, C string or character, with prefix and quotes.
    Text,
    /// An integer or a float, with its suffix.
    Number,
    /// One character of an operator or delimiter.
    Punctuation,
}

impl Kind {
    /// All kinds, in the order of their discriminants.
    pub const ALL: [Self; 7] = [
        Self::Comment,
        Self::Keyword,
        Self::Identifier,
        Self::Lifetime,
        Self::Text,
        Self::Number,
        Self::Punctuation,
    ];
}

/// One token: its kind, and the part of the source that it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// What the token is.
    pub kind: Kind,
    /// The source text of the token.
    pub text: &'a str,
}

/// The tokens of `source`, first to last.
#[must_use]
pub fn tokens(source: &str) -> Tokens<'_> {
    // A shebang line is not Rust; `#![` opens an inner attribute, which is.
    let shebang = source.starts_with("#!") && !source[2..].trim_start().starts_with('[');
    let rest = if shebang { source.find('\n').map_or("", |end| &source[end..]) } else { source };
    Tokens { rest }
}

/// Iterator over the tokens of a source; made by [`tokens`].
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = self.rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        let first = rest.chars().next()?;
        let (kind, length) = match first {
            '/' if rest.starts_with("//") => (Kind::Comment, rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => (Kind::Comment, block_comment(rest)),
            '"' => (Kind::Text, quoted(rest, 0, b'"')),
            '\'' => quote(rest),
            '0'..='9' => (Kind::Number, number(rest)),
            _ if starts_name(first) => word(rest),
            _ => (Kind::Punctuation, first.len_utf8()),
        };
        let (text, after) = rest.split_at(length);
        self.rest = after;
        Some(Token { kind, text })
    }
}

/// Length of the block comment that `rest` opens with; block comments nest.
fn block_comment(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut depth = 0_usize;
    let mut at = 0;
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

/// Length up to and including the closing `quote` of the literal whose opening quote is at `open`.
fn quoted(rest: &str, open: usize, quote: u8) -> usize {
    let bytes = rest.as_bytes();
    let mut at = open + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Length of the raw string whose hashes start at `hashes_at`, or `None` where none starts there.
fn raw_string(rest: &str, hashes_at: usize) -> Option<usize> {
    let bytes = rest.as_bytes();
    let hashes = bytes[hashes_at..].iter().take_while(|&&byte| byte == b'#').count();
    let open = hashes_at + hashes;
    if bytes.get(open) != Some(&b'"') {
        return None;
    }
    let mut at = open + 1;
    while let Some(found) = rest[at..].find('"') {
        at += found + 1;
        let after = &bytes[at..];
        if after.len() >= hashes && after[..hashes].iter().all(|&byte| byte == b'#') {
            return Some(at + hashes);
        }
    }
    Some(bytes.len())
}

/// A quote opens a character (`'a'`, `'\n'`) or a lifetime (`'a`, `'static`).
fn quote(rest: &str) -> (Kind, usize) {
    let mut following = rest[1..].chars();
    match following.next() {
        Some('\\') => (Kind::Text, quoted(rest, 0, b'\'')),
        Some(only) if following.next() == Some('\'') => (Kind::Text, 2 + only.len_utf8()),
        Some(first) if starts_name(first) => (Kind::Lifetime, 1 + name(&rest[1..])),
        _ => (Kind::Punctuation, 1),
    }
}

/// A word is a prefix of a string or character, a raw identifier, a keyword or a name.
fn word(rest: &str) -> (Kind, usize) {
    let length = name(rest);
    let word = &rest[..length];
    let next = rest.as_bytes().get(length).copied();
    match (word, next) {
        ("r" | "br" | "cr", Some(b'"' | b'#')) => match raw_string(rest, length) {
            Some(end) => (Kind::Text, end),
            None if word == "r" => (Kind::Identifier, length + 1 + name(&rest[length + 1..])),
            None => (Kind::Identifier, length),
        },
        ("b" | "c", Some(b'"')) => (Kind::Text, quoted(rest, length, b'"')),
        ("b", Some(b'\'')) => (Kind::Text, quoted(rest, length, b'\'')),
        _ if is_keyword(word) => (Kind::Keyword, length),
        _ => (Kind::Identifier, length),
    }
}

/// Length of the name that `rest` starts with.
fn name(rest: &str) -> usize {
    rest.find(|c: char| !continues_name(c)).unwrap_or(rest.len())
}

/// Length of a number: `1_000`, `0xff_u8`, `1.5e-3f64`; the dots of `1..2` and `1.max(2)` are not part of it.
fn number(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut end = name(rest);
    let radix = rest.starts_with("0x") || rest.starts_with("0o") || rest.starts_with("0b");
    if radix {
        return end;
    }
    if bytes.get(end) == Some(&b'.') {
        match rest[end + 1..].chars().next() {
            Some(digit) if digit.is_ascii_digit() => end += 1 + name(&rest[end + 1..]),
            Some(other) if other == '.' || starts_name(other) => {}
            _ => end += 1,
        }
    }
    // `1e` or `2.5e` was read like a name; the sign and digits of its exponent follow. `1usize-1` has none.
    let digits = bytes[..end - 1].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'_' | b'.'));
    let exponent = digits
        && matches!(bytes[end - 1], b'e' | b'E')
        && matches!(bytes.get(end), Some(b'+' | b'-'));
    if exponent && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end += 1 + name(&rest[end + 1..]);
    }
    end
}

fn starts_name(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn continues_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn is_keyword(word: &str) -> bool {
    #[rustfmt::skip]
    const KEYWORDS: [&str; 38] = [
        "Self", "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum",
        "extern", "false", "fn", "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut",
        "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true", "type", "unsafe",
        "use", "where", "while",
    ];
    KEYWORDS.binary_search(&word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str, kind: Kind) -> Vec<&str> {
        tokens(source).filter(|token| token.kind == kind).map(|token| token.text).collect()
    }

    #[test]
    fn only_white_space_lies_between_tokens() {
        let source = include_str!("lexer.rs");
        let mut rest = source;
        for token in tokens(source) {
            let (gap, after) = rest.split_once(token.text).expect("tokens are in order");
            assert!(gap.trim().is_empty(), "{gap:?} before {token:?}");
            rest = after;
        }
        assert!(rest.trim().is_empty());
    }

    #[test]
    fn block_comments_nest() {
        assert_eq!(texts("a /* 1 /* 2 */ 3 */ b", Kind::Comment), ["/* 1 /* 2 */ 3 */"]);
        assert_eq!(texts("/*/ still open", Kind::Comment), ["/*/ still open"]);
        assert_eq!(texts("/**/ x", Kind::Identifier), ["x"]);
    }

    #[test]
    fn comments_inside_strings_are_text() {
        assert_eq!(texts(r#"f("// no", "/* no */")"#, Kind::Text), [r#""// no""#, r#""/* no */""#]);
        assert!(texts(r#"f("// no")"#, Kind::Comment).is_empty());
    }

    #[test]
    fn strings_end_at_an_unescaped_quote() {
        assert_eq!(texts(r#""a\"b" c"#, Kind::Text), [r#""a\"b""#]);
        assert_eq!(texts(r#"b"\\" c"C" b'\'' "#, Kind::Text), [r#"b"\\""#, r#"c"C""#, r"b'\''"]);
    }

    #[test]
    fn raw_strings_end_at_as_many_hashes_as_they_open_with() {
        let source = r####"x(r#"a "quoted" b"#, br##"a"# b"##, r"\", cr"c")"####;
        let expected = [r##"r#"a "quoted" b"#"##, r###"br##"a"# b"##"###, r#"r"\""#, r#"cr"c""#];
        assert_eq!(texts(source, Kind::Text), expected);
    }

    #[test]
    fn a_raw_identifier_is_one_name() {
        assert_eq!(texts("let r#match = r + br;", Kind::Identifier), ["r#match", "r", "br"]);
    }

    #[test]
    fn characters_are_told_from_lifetimes() {
        let source =
            "fn f<'a>(x: &'a str, y: &'static u8) { 'outer: loop { '\\''; 'x'; 'é'; b'a' } }";
        assert_eq!(texts(source, Kind::Lifetime), ["'a", "'a", "'static", "'outer"]);
        assert_eq!(texts(source, Kind::Text), ["'\\''", "'x'", "'é'", "b'a'"]);
    }

    #[test]
    fn numbers_leave_ranges_fields_and_methods_alone() {
        let source = "1_000u32 0xE-1 1..2 1.max(2) 1. 1.5e-3f64 2e+7 1usize-1 t.0.1";
        let expected = [
            "1_000u32",
            "0xE",
            "1",
            "1",
            "2",
            "1",
            "2",
            "1.",
            "1.5e-3f64",
            "2e+7",
            "1usize",
            "1",
            "0.1",
        ];
        assert_eq!(texts(source, Kind::Number), expected);
    }

    #[test]
    fn keywords_are_not_identifiers() {
        assert_eq!(
            texts("pub fn union(self) -> Self { auto }", Kind::Keyword),
            ["pub", "fn", "self", "Self"]
        );
        assert_eq!(
            texts("pub fn union(self) -> Self { auto }", Kind::Identifier),
            ["union", "auto"]
        );
    }

    #[test]
    fn a_shebang_line_is_skipped_but_an_inner_attribute_is_not() {
        assert_eq!(tokens("#!/usr/bin/env run\nx").count(), 1);
        assert_eq!(tokens("#![allow(x)]").count(), 8);
    }

    #[test]
    fn unterminated_literals_end_with_the_text() {
        for source in ["\"a\\", "r#\"a\"", "/* a", "'\\", "b'"] {
            assert_eq!(tokens(source).map(|token| token.text).collect::<String>(), source);
        }
    }
}
