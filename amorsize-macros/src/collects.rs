//! Finds what is collected into a vector, or into a `Result` or an `Option`.
//!
//! Types are not known to the attribute: it goes by what the source says that a `collect` makes.

use proc_macro2::{Delimiter, Ident, Span, TokenTree};
use quote::quote_spanned;

use crate::tokens::{is_punct, without_turbofish};

/// Inserts a mark in front of the `.collect` that ends the tokens, if it says that it makes a type for which a tuned iterator has a
/// way of its own, or if `expected` does.
pub(crate) fn mark(tokens: &mut Vec<TokenTree>, expected: &[TokenTree]) {
    let call = without_turbofish(tokens).len();
    let made = match &tokens[call..] {
        [_, _, _, arguments @ .., _] => arguments,
        _ => expected,
    };
    if let Some(mark) = mark_for(made) {
        let at = tokens[call - 1].span();
        let span = Span::mixed_site().located_at(at);
        let mark = Ident::new(mark, span);
        tokens.splice(call - 2..call - 2, quote_spanned!(span=> .__slot().#mark()));
    }
}

/// The method that marks a `collect` into this type.
fn mark_for(made: &[TokenTree]) -> Option<&'static str> {
    let (name, arguments) = name_of(made)?;
    if name == "Vec" {
        return Some("__vec");
    }
    if name != "Option" && name != "Result" {
        return None;
    }
    match name_of(&arguments) {
        Some((name, _)) if name == "Vec" => Some("__vec_of_successes"),
        _ => Some("__successes"),
    }
}

/// The type `Type` if the group at this position ends a statement `let pattern: Type = …;`, or nothing.
pub(crate) fn declared(tokens: &[TokenTree], position: usize) -> &[TokenTree] {
    if !tokens.get(position + 1).is_some_and(|next| is_punct(next, ';')) {
        return &[];
    }
    let start =
        tokens[..position].iter().rposition(|token| is_punct(token, ';')).map_or(0, |end| end + 1);
    let is_let = |token: &TokenTree| matches!(token, TokenTree::Ident(name) if name == "let");
    let Some(keyword) = tokens[start..position].iter().rposition(is_let) else { return &[] };
    let statement = &tokens[start + keyword..position];
    let equals = statement.iter().position(|token| is_punct(token, '='));
    let colon = statement.iter().position(|token| is_punct(token, ':'));
    match (colon, equals) {
        (Some(colon), Some(equals)) if colon < equals => &statement[colon + 1..equals],
        _ => &[],
    }
}

/// The last name of the path that a type starts with, and what follows the first `<`.
fn name_of(tokens: &[TokenTree]) -> Option<(Ident, Vec<TokenTree>)> {
    let mut name = None;
    for (position, token) in tokens.iter().enumerate() {
        match token {
            // What a macro was given as a type.
            TokenTree::Group(given) if given.delimiter() == Delimiter::None => {
                let given: Vec<TokenTree> = given.stream().into_iter().collect();
                return name_of(&given);
            }
            TokenTree::Ident(ident) => name = Some(ident.clone()),
            TokenTree::Punct(punct) if punct.as_char() == ':' => {}
            TokenTree::Punct(punct) if punct.as_char() == '<' => {
                return name.map(|name| (name, tokens[position + 1..].to_vec()));
            }
            _ => return None,
        }
    }
    name.map(|name| (name, Vec::new()))
}
