//! Finds what is collected into a `Result` or an `Option`.
//!
//! Types are not known to the attribute: it goes by what the source says that a `collect` makes.

use proc_macro2::{Delimiter, Ident, Span, TokenTree};
use quote::quote_spanned;

use crate::tokens::{is_punct, without_turbofish};

/// Types of which it matters that they are collected into: rayon's way of doing that is slow.
const FALLIBLE: &[&str] = &["Option", "Result"];

/// Inserts what makes a tuned iterator collect successes in front of the `.collect` that ends the tokens, if it says that it
/// makes a type of [`FALLIBLE`], or if `expected` does.
pub(crate) fn mark_if_fallible(tokens: &mut Vec<TokenTree>, expected: &[TokenTree]) {
    let call = without_turbofish(tokens).len();
    let made = match &tokens[call..] {
        [_, _, _, arguments @ .., _] => arguments,
        _ => expected,
    };
    if type_name(made).is_some_and(|name| FALLIBLE.iter().any(|known| name == known)) {
        let at = tokens[call - 1].span();
        let span = Span::mixed_site().located_at(at);
        tokens.splice(call - 2..call - 2, quote_spanned!(span=> .__slot().__fallible()));
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

/// The last name of the path that a type is.
fn type_name(tokens: &[TokenTree]) -> Option<Ident> {
    let mut name = None;
    for token in tokens {
        match token {
            // What a macro was given as a type.
            TokenTree::Group(given) if given.delimiter() == Delimiter::None => {
                let given: Vec<TokenTree> = given.stream().into_iter().collect();
                return type_name(&given);
            }
            TokenTree::Ident(ident) => name = Some(ident.clone()),
            TokenTree::Punct(punct) if punct.as_char() == ':' => {}
            TokenTree::Punct(punct) if punct.as_char() == '<' => break,
            _ => return None,
        }
    }
    name
}
