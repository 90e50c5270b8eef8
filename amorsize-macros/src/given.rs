//! What a `macro_rules!` macro was given for an expression, kept together.
//!
//! `$e:expr` comes as a group without delimiters. The compiler ignores those in what an attribute emits (documentation of
//! `proc_macro::Delimiter::None`), so that `x * $e` with `1 + 2` would be `x * 1 + 2`.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};

use crate::tokens::is_punct;

/// Words that begin what is no expression, or one that ends a statement and may stand without a semicolon.
const LEFT_ALONE: &[&str] = &[
    "async",
    "const",
    "enum",
    "extern",
    "fn",
    "for",
    "if",
    "impl",
    "let",
    "loop",
    "macro_rules",
    "match",
    "mod",
    "pub",
    "static",
    "struct",
    "trait",
    "type",
    "union",
    "unsafe",
    "use",
    "while",
];

/// The tokens with parentheses around everything given that operators around it could take apart. A type or a pattern may get
/// some too, which changes neither.
pub(crate) fn kept_together(tokens: TokenStream) -> TokenStream {
    let mut after_hash = false;
    let keep = |token: TokenTree| {
        // In an attribute, nothing is computed.
        let is_attribute = after_hash;
        after_hash = is_punct(&token, '#') || (after_hash && is_punct(&token, '!'));
        match token {
            TokenTree::Group(group) if !is_attribute && holds_given(&group) => {
                TokenTree::Group(kept(group))
            }
            token => token,
        }
    };
    tokens.into_iter().map(keep).collect()
}

/// Whether there is anything given in it; otherwise it keeps all its spans.
fn holds_given(group: &Group) -> bool {
    let is_given = |token| matches!(token, TokenTree::Group(inner) if holds_given(&inner));
    group.delimiter() == Delimiter::None || group.stream().into_iter().any(is_given)
}

fn kept(group: Group) -> Group {
    let inside = kept_together(group.stream());
    let is_given = group.delimiter() == Delimiter::None;
    let tokens: Vec<TokenTree> = inside.clone().into_iter().collect();
    if is_given && can_be_taken_apart(&tokens) {
        let mut new = Group::new(Delimiter::Parenthesis, inside);
        // Nobody wrote these, and nobody has to hear that they are unused.
        new.set_span(Span::mixed_site().located_at(group.span()));
        return new;
    }
    let mut new = Group::new(group.delimiter(), inside);
    new.set_span(group.span());
    new
}

/// Whether tokens are an operation: an operator stands among them, a range or a cast.
fn can_be_taken_apart(tokens: &[TokenTree]) -> bool {
    let begins = |token: &TokenTree| match token {
        TokenTree::Ident(word) => LEFT_ALONE.iter().any(|left| word == left),
        token => is_punct(token, '#') || is_punct(token, '\''),
    };
    if tokens.len() < 2 || begins(&tokens[0]) {
        return false;
    }
    let mut angles = 0_i32;
    let is_operator = |(position, token): (usize, &TokenTree)| match token {
        TokenTree::Punct(punct) => match punct.as_char() {
            '<' => {
                angles += 1;
                false
            }
            '>' => {
                angles -= 1;
                false
            }
            '.' => tokens.get(position + 1).is_some_and(|next| is_punct(next, '.')),
            '!' => {
                position == 0 || tokens.get(position + 1).is_some_and(|next| is_punct(next, '='))
            }
            other => "+-*/%&|^=".contains(other),
        },
        TokenTree::Ident(word) => angles == 0 && word == "as",
        _ => false,
    };
    // Angles in pairs are arguments of a type; one alone compares, and two shift.
    tokens.iter().enumerate().any(is_operator) || angles != 0
}

#[cfg(test)]
mod tests {
    use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
    use quote::quote;

    use super::kept_together;

    /// Of `before given after`, with `given` in a group without delimiters, what is kept together.
    fn kept(given: &str) -> bool {
        let given: TokenStream = given.parse().expect("tokens");
        let group = TokenTree::Group(Group::new(Delimiter::None, given.clone()));
        let kept = kept_together(quote!({ x * #group })).to_string();
        let alone = quote!({ x * (#given) }).to_string();
        assert!(kept == alone || kept == quote!({ x * #given }).to_string(), "{kept}");
        kept == alone
    }

    #[test]
    fn operations_are_kept_together() {
        for given in [
            "1 + 2",
            "a.b - 1",
            "-1",
            "!a",
            "&xs[1..]",
            "&mut xs",
            "*x",
            "0..10",
            "..",
            "0..=n",
            "a < b",
            "a > b",
            "a << 2",
            "a >> b",
            "a != b",
            "n as u64",
            "|x| x + 1",
            "a = b",
            "f(x)? + 1",
            "Vec::<u8>::new() < b",
            "'a' | 'b'",
        ] {
            assert!(kept(given), "{given}");
        }
    }

    #[test]
    fn what_is_one_operand_or_no_expression_is_left_alone() {
        for given in [
            "x",
            "1.5",
            "f(a + b)",
            "a.b(1 + 2).c",
            "xs[1..]",
            "(1 + 2)",
            "{ 1 + 2 }",
            "vec![1 + 2]",
            "a::b::<C>(d)",
            "Vec<Option<A>>",
            "std::collections::HashMap<A, B>",
            "let a = 1 + 2",
            "if a == b { c } else { d }",
            "'a: loop { break 1 + 2 }",
            "pub(crate)",
            "#[a] b",
            "f(x)?",
            "<A as B>::C",
        ] {
            assert!(!kept(given), "{given}");
        }
    }

    #[test]
    fn attributes_stay_as_they_are() {
        let given = TokenTree::Group(Group::new(Delimiter::None, quote!(doc = "a")));
        let attributed = quote!(#[#given] fn f() { #![#given] });
        assert_eq!(kept_together(attributed.clone()).to_string(), attributed.to_string());
    }
}
