//! The hash of a function's tokens, by which a stale profile entry is noticed.
//!
//! White space, comments and doc comments do not count, everything else does. The text that is
//! hashed is spelled out here, token by token, so that it does not depend on how a version of
//! `proc-macro2` prints.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The hash of an item, 16 hexadecimal digits.
pub(crate) fn hash(item: TokenStream) -> String {
    let mut text = String::new();
    spell(item, &mut text);
    amorsize_profile::checksum(&text)
}

/// Stands for a function that a scan cannot see, such as one that a macro produces.
pub(crate) fn of_unseen() -> String {
    amorsize_profile::checksum("")
}

fn spell(stream: TokenStream, text: &mut String) {
    let mut tokens = stream.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                // `#[doc]` or `#![doc]`: what doc comments have become.
                let mut ahead = tokens.clone();
                let mut next = ahead.next();
                if matches!(&next, Some(TokenTree::Punct(p)) if p.as_char() == '!') {
                    next = ahead.next();
                }
                if next.is_some_and(is_doc) {
                    tokens = ahead;
                } else {
                    text.push_str("# ");
                }
            }
            TokenTree::Punct(punct) => {
                // Joined punctuation stays joined: `& &` and `&&` are different tokens.
                text.push(punct.as_char());
                if punct.spacing() == proc_macro2::Spacing::Alone {
                    text.push(' ');
                }
            }
            TokenTree::Ident(ident) => {
                text.push_str(&ident.to_string());
                text.push(' ');
            }
            TokenTree::Literal(literal) => {
                text.push_str(&literal.to_string());
                text.push(' ');
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("( ", ") "),
                    Delimiter::Brace => ("{ ", "} "),
                    Delimiter::Bracket => ("[ ", "] "),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                spell(group.stream(), text);
                text.push_str(close);
            }
        }
    }
}

fn is_doc(token: TokenTree) -> bool {
    let TokenTree::Group(group) = token else {
        return false;
    };
    let first = group.stream().into_iter().next();
    group.delimiter() == Delimiter::Bracket
        && matches!(first, Some(TokenTree::Ident(ident)) if ident == "doc")
}

#[cfg(test)]
mod tests {
    use quote::ToTokens;

    use super::*;

    fn of(source: &str) -> String {
        let function: syn::ItemFn = syn::parse_str(source).expect("a function");
        hash(function.to_token_stream())
    }

    #[test]
    fn layout_and_comments_do_not_count() {
        let plain = of("#[tune] fn f(x: &[u8]) -> u8 { x.par_iter().map(|y| y + 1).sum() }");
        let dressed = of("/// Sums.\n#[tune]\nfn f(x: &[u8]) -> u8 {\n    //! Inside.\n    \
                          /* here */ x.par_iter()\n  .map(|y| y + 1) // there\n .sum() }");
        assert_eq!(plain, dressed);
        assert_eq!(plain.len(), 16);
    }

    #[test]
    fn every_other_token_counts() {
        let variants = [
            "#[tune] fn f() { a(1) }",
            "#[tune] fn f() { a(2) }",
            "#[tune] fn f() { a(1); }",
            "#[tune] fn f() { b(1) }",
            "#[tune(max_workers = 2)] fn f() { a(1) }",
            "#[tune] pub fn f() { a(1) }",
            "#[tune] #[inline] fn f() { a(1) }",
            "#[tune] fn f() { a(1 & &2) }",
            "#[tune] fn f() { a(1 && 2) }",
        ];
        let hashes: std::collections::BTreeSet<_> = variants.iter().map(|v| of(v)).collect();
        assert_eq!(hashes.len(), variants.len());
    }
}
