//! What several modules ask of tokens.

use proc_macro2::{TokenStream, TokenTree};

/// Whether a token is this punctuation character.
pub(crate) fn is_punct(token: &TokenTree, c: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == c)
}

/// Where commas stand that are in no `::<…>`.
pub(crate) fn commas(tokens: &[TokenTree]) -> impl Iterator<Item = usize> + '_ {
    let mut depth = 0_usize;
    tokens.iter().enumerate().filter_map(move |(position, token)| {
        let follows = |c| position > 0 && is_punct(&tokens[position - 1], c);
        match depth {
            0 if is_punct(token, ',') => return Some(position),
            0 if is_punct(token, '<') && follows(':') => depth = 1,
            0 => {}
            _ if is_punct(token, '<') => depth += 1,
            _ if is_punct(token, '>') && !follows('-') => depth -= 1,
            _ => {}
        }
        None
    })
}

/// Drops a trailing `::<…>`.
pub(crate) fn without_turbofish(tokens: &[TokenTree]) -> &[TokenTree] {
    let is_bracket = |position: usize| {
        is_punct(&tokens[position], '>') && !(position > 0 && is_punct(&tokens[position - 1], '-'))
    };
    if tokens.is_empty() || !is_bracket(tokens.len() - 1) {
        return tokens;
    }
    let mut depth = 0_usize;
    for (position, token) in tokens.iter().enumerate().rev() {
        if is_bracket(position) {
            depth += 1;
        } else if is_punct(token, '<') {
            depth -= 1;
            if depth == 0 {
                return match &tokens[..position] {
                    [head @ .., a, b] if is_punct(a, ':') && is_punct(b, ':') => head,
                    _ => tokens,
                };
            }
        }
    }
    tokens
}

/// Splits a body into its leading `#![…]`, which must stay first, and the rest.
pub(crate) fn split_inner_attributes(body: TokenStream) -> (TokenStream, TokenStream) {
    let tokens: Vec<TokenTree> = body.into_iter().collect();
    let attributes = tokens
        .chunks_exact(3)
        .take_while(|three| {
            is_punct(&three[0], '#')
                && is_punct(&three[1], '!')
                && matches!(three[2], TokenTree::Group(_))
        })
        .count();
    let (attributes, statements) = tokens.split_at(3 * attributes);
    (attributes.iter().cloned().collect(), statements.iter().cloned().collect())
}
