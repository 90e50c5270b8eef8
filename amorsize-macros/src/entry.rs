//! Finds the calls that enter rayon and makes each a tuned loop.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{format_ident, quote_spanned};

/// Methods of rayon's that start a parallel iterator.
const ENTRY_CALLS: &[&str] = &[
    "into_par_iter",
    "par_bridge",
    "par_bytes",
    "par_char_indices",
    "par_chars",
    "par_chunk_by",
    "par_chunk_by_mut",
    "par_chunks",
    "par_chunks_exact",
    "par_chunks_exact_mut",
    "par_chunks_mut",
    "par_drain",
    "par_encode_utf16",
    "par_iter",
    "par_iter_mut",
    "par_lines",
    "par_match_indices",
    "par_matches",
    "par_rchunks",
    "par_rchunks_exact",
    "par_rchunks_exact_mut",
    "par_rchunks_mut",
    "par_split",
    "par_split_ascii_whitespace",
    "par_split_inclusive",
    "par_split_inclusive_mut",
    "par_split_mut",
    "par_split_terminator",
    "par_split_whitespace",
    "par_windows",
];

/// Methods whose argument is a second parallel iterator: it is driven by the loop that calls them
/// and is no loop of its own.
const COMBINING_CALLS: &[&str] = &[
    "chain",
    "cmp",
    "eq",
    "ge",
    "gt",
    "interleave",
    "interleave_shortest",
    "le",
    "lt",
    "ne",
    "partial_cmp",
    "zip",
    "zip_eq",
];

/// A body with its loops tuned.
pub(crate) struct Body {
    pub(crate) tokens: TokenStream,
    /// How many loops were found; the statics [`loop_static`] of 0 up to that are referred to.
    pub(crate) loops: usize,
}

/// The name of the static that carries the loop of this index.
pub(crate) fn loop_static(index: usize) -> Ident {
    format_ident!("__AMORSIZE_LOOP_{index}", span = Span::mixed_site())
}

/// Inserts the tuning calls behind every entry call.
pub(crate) fn tune(body: TokenStream) -> Body {
    let mut loops = 0;
    let tokens = tune_tokens(body, Place::Anywhere, &mut loops);
    Body { tokens, loops }
}

/// Where a sequence of tokens stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Anywhere,
    /// The argument of one of [`COMBINING_CALLS`].
    Combined,
}

fn tune_tokens(tokens: TokenStream, place: Place, loops: &mut usize) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut out = Vec::with_capacity(tokens.len());
    for (position, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else {
            out.push(token.clone());
            continue;
        };
        let method = method_called(&tokens[..position], group);
        let is =
            |names: &[&str]| method.is_some_and(|name| names.iter().any(|known| name == known));
        let inside = if is(COMBINING_CALLS) { Place::Combined } else { Place::Anywhere };
        let entry = is(ENTRY_CALLS).then_some(method).flatten();
        let mut tuned = Group::new(group.delimiter(), tune_tokens(group.stream(), inside, loops));
        tuned.set_span(group.span());
        out.push(TokenTree::Group(tuned));
        if let Some(entry) = entry.filter(|_| place == Place::Anywhere) {
            let target = loop_static(*loops);
            let span = Span::mixed_site().located_at(entry.span());
            out.extend(quote_spanned!(span=> .__slot().__kind().__tune(&#target)));
            *loops += 1;
        }
    }
    out.into_iter().collect()
}

/// The name of the method that `arguments` are passed to: `. name arguments`, with type arguments
/// between the two if need be.
fn method_called<'t>(before: &'t [TokenTree], arguments: &Group) -> Option<&'t Ident> {
    if arguments.delimiter() != Delimiter::Parenthesis {
        return None;
    }
    let before = without_turbofish(before);
    match before {
        [.., TokenTree::Punct(dot), TokenTree::Ident(name)] if dot.as_char() == '.' => Some(name),
        _ => None,
    }
}

/// Drops a trailing `::<…>`.
fn without_turbofish(tokens: &[TokenTree]) -> &[TokenTree] {
    let is = |token: &TokenTree, c| matches!(token, TokenTree::Punct(p) if p.as_char() == c);
    if !tokens.last().is_some_and(|token| is(token, '>')) {
        return tokens;
    }
    let mut depth = 0_usize;
    for (position, token) in tokens.iter().enumerate().rev() {
        if is(token, '>') && !(position > 0 && is(&tokens[position - 1], '-')) {
            depth += 1;
        } else if is(token, '<') {
            depth -= 1;
            if depth == 0 {
                return match &tokens[..position] {
                    [head @ .., a, b] if is(a, ':') && is(b, ':') => head,
                    _ => tokens,
                };
            }
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuned(source: &str) -> (String, usize) {
        let body = tune(source.parse().expect("test source is tokens"));
        (body.tokens.to_string().replace(' ', ""), body.loops)
    }

    #[test]
    fn an_entry_call_is_followed_by_the_tuning_calls() {
        let (tokens, loops) = tuned("xs.par_iter().map(f)");
        assert_eq!(tokens, "xs.par_iter().__slot().__kind().__tune(&__AMORSIZE_LOOP_0).map(f)");
        assert_eq!(loops, 1);
    }

    #[test]
    fn loops_are_numbered_from_the_inside_out_and_left_to_right() {
        let (tokens, loops) =
            tuned("a.par_chunks(2).map(|c| c.par_iter().sum()); b.into_par_iter()");
        assert!(tokens.starts_with("a.par_chunks(2).__slot().__kind().__tune(&__AMORSIZE_LOOP_0)"));
        assert!(tokens.contains("c.par_iter().__slot().__kind().__tune(&__AMORSIZE_LOOP_1)"));
        assert!(tokens.ends_with("b.into_par_iter().__slot().__kind().__tune(&__AMORSIZE_LOOP_2)"));
        assert_eq!(loops, 3);
    }

    #[test]
    fn what_is_zipped_or_chained_belongs_to_the_loop_that_does_it() {
        let (tokens, loops) = tuned("a.par_iter().zip(b.par_iter()).chain(c.par_iter())");
        assert_eq!(loops, 1, "{tokens}");
        let (tokens, loops) = tuned("a.par_iter().zip(b.par_iter().map(|r| r.par_iter().sum()))");
        assert_eq!(loops, 2, "{tokens}");
    }

    #[test]
    fn entry_calls_inside_macros_and_closures_are_found() {
        assert_eq!(tuned("assert_eq!(xs.par_iter().sum::<u32>(), 3)").1, 1);
        assert_eq!(tuned("let f = || vec![1].into_par_iter();").1, 1);
    }

    #[test]
    fn names_that_are_not_method_calls_are_left_alone() {
        for source in
            ["par_iter(xs)", "self.par_iter", "rayon::par_iter(x)", "x.par_sort()", "a.par_iter[0]"]
        {
            assert_eq!(tuned(source), (source.replace(' ', ""), 0));
        }
    }

    #[test]
    fn type_arguments_do_not_hide_an_entry_call() {
        assert_eq!(tuned("xs.par_bridge::<Vec<fn(u8) -> u8>>()").1, 1);
    }
}
