//! Finds the calls that enter rayon and makes each a tuned loop.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};

use crate::collects;
use crate::tokens::{commas, is_punct, split_inner_attributes, without_turbofish};

/// Methods that start a parallel iterator: rayon's, and those of image, indexmap and nalgebra. A method of this name that
/// does something else is left as it is.
const ENTRY_CALLS: &[&str] = &[
    "into_par_iter",
    "par_array_windows",
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
    "par_column_iter",
    "par_column_iter_mut",
    "par_drain",
    "par_encode_utf16",
    "par_enumerate_pixels",
    "par_enumerate_pixels_mut",
    "par_iter",
    "par_iter_mut",
    "par_keys",
    "par_lines",
    "par_match_indices",
    "par_matches",
    "par_pixels",
    "par_pixels_mut",
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
    "par_values",
    "par_values_mut",
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

/// Those of them that any parallel iterator may have and whose argument may be anything that becomes one.
const OPERAND_CALLS: &[&str] = &["chain", "interleave", "interleave_shortest", "zip", "zip_eq"];

/// Methods that end a parallel iterator: what follows one is no iterator any more, or a serial one.
const ENDING_CALLS: &[&str] = &[
    "all",
    "any",
    "cmp",
    "collect",
    "collect_into_vec",
    "collect_vec_list",
    "count",
    "eq",
    "find",
    "find_any",
    "find_first",
    "find_last",
    "find_map_any",
    "find_map_first",
    "find_map_last",
    "for_each",
    "for_each_init",
    "for_each_with",
    "ge",
    "gt",
    "le",
    "lt",
    "max",
    "max_by",
    "max_by_key",
    "min",
    "min_by",
    "min_by_key",
    "ne",
    "partial_cmp",
    "partition",
    "partition_map",
    "position",
    "position_any",
    "position_first",
    "position_last",
    "product",
    "reduce",
    "reduce_with",
    "sum",
    "try_for_each",
    "try_for_each_init",
    "try_for_each_with",
    "try_reduce",
    "try_reduce_with",
    "unzip",
    "unzip_into_vecs",
];

/// The macro by which a user marks an entry call that is not seen: `tuned!(expression)`.
const MARK: &str = "tuned";

/// The function that forks: `amorsize::join(…)`.
const JOIN: &str = "join";

/// The function that makes pieces of data: `amorsize::pieces(…)`, an entry call.
const PIECES: &str = "pieces";

/// A body with its loops tuned.
pub(crate) struct Body {
    pub(crate) tokens: TokenStream,
    /// How many loops were found.
    pub(crate) found: usize,
    /// How many of them are calls of `join`.
    pub(crate) joins: usize,
    /// Those that are tuned, counted from 0: their statics [`loop_static`] are referred to.
    pub(crate) loops: Vec<usize>,
}

/// The name of the static that carries the loop of this index.
pub(crate) fn loop_static(index: usize) -> Ident {
    format_ident!("__AMORSIZE_LOOP_{index}", span = Span::mixed_site())
}

/// What the user said about the loops of a body.
pub(crate) struct Given<'g> {
    /// Loops to leave alone, counted from 1.
    pub(crate) skip: &'g [usize],
    /// The variable that holds the units of work in one item, if there is one.
    pub(crate) cost: Option<&'g Ident>,
    /// The name of the facade where the function is.
    pub(crate) facade: &'g Ident,
    /// The path of what expansions may use.
    pub(crate) expansion: &'g TokenStream,
    /// What the function returns.
    pub(crate) returned: &'g [TokenTree],
    /// Keeps the imports in use that can be seen from where it stands.
    pub(crate) imports: &'g TokenStream,
}

/// Inserts the tuning calls behind every entry call, and gives every `join` its static.
pub(crate) fn tune(body: TokenStream, given: &Given<'_>) -> Body {
    let mut loops = Loops { given, cost: given.cost, found: 0, joins: 0, tuned: Vec::new() };
    let tokens = tune_tokens(body, Place::Returned, &mut loops);
    Body { tokens, found: loops.found, joins: loops.joins, loops: loops.tuned }
}

/// The loops found so far.
struct Loops<'g> {
    given: &'g Given<'g>,
    /// The function's cost where its variable can be seen: in no function within it.
    cost: Option<&'g Ident>,
    found: usize,
    joins: usize,
    tuned: Vec<usize>,
}

impl Loops<'_> {
    /// The static of the loop found next; `None` if it is skipped.
    fn next_static(&mut self) -> Option<Ident> {
        let index = self.found;
        self.found += 1;
        if self.given.skip.contains(&self.found) {
            return None;
        }
        self.tuned.push(index);
        Some(loop_static(index))
    }

    /// The calls that tune the loop found next, which are blamed on `at`; `None` if it is skipped. A cost of its
    /// own goes before that of the function.
    fn next(&mut self, at: Span, own_cost: Option<TokenStream>) -> Option<TokenStream> {
        let target = self.next_static()?;
        let span = Span::mixed_site().located_at(at);
        let cost = match (own_cost, self.cost) {
            (Some(own), _) => as_number(&own),
            (None, Some(cost)) => cost.to_token_stream(),
            (None, None) => {
                return Some(quote_spanned!(span=> .__slot().__kind().__tune(&#target)));
            }
        };
        Some(quote_spanned!(span=> .__slot().__kind().__tune_at_cost(&#target, #cost)))
    }

    /// What `amorsize::join(arguments)` becomes, blamed on `at`; `None` if it is skipped.
    fn next_join(&mut self, at: Span, arguments: &TokenStream) -> Option<TokenStream> {
        self.joins += 1;
        let target = self.next_static()?;
        let place = |mut token: TokenTree| {
            token.set_span(token.span().located_at(at));
            token
        };
        let expansion: TokenStream = self.given.expansion.clone().into_iter().map(place).collect();
        let span = Span::mixed_site().located_at(at);
        Some(quote_spanned!(span=> #expansion::Loop::join(&#target, #arguments)))
    }
}

/// Where a sequence of tokens stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Anywhere,
    /// What ends it, the function returns.
    Returned,
    /// The argument of one of [`COMBINING_CALLS`].
    Combined,
}

fn tune_tokens(tokens: TokenStream, place: Place, loops: &mut Loops<'_>) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut out = Vec::with_capacity(tokens.len());
    for (position, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else {
            out.push(token.clone());
            continue;
        };
        let is_block = group.delimiter() == Delimiter::Brace;
        let inner = if is_block { function_begun(&tokens[..position]) } else { None };
        if is_module(&tokens[..position]) || inner.is_some_and(is_tuned) {
            // Loops in there cannot see the statics out here, or have their own; their functions can be annotated.
            out.push(token.clone());
            continue;
        }
        if inner.is_some() {
            let cost = loops.cost.take();
            let body = tune_block(group.stream(), Place::Anywhere, loops);
            loops.cost = cost;
            out.push(in_place_of(group, group.delimiter(), body));
            continue;
        }
        if let Some(mark) = mark(&tokens[..position]) {
            drop_mark(&mut out);
            let (marked, cost) = split_cost(group.stream());
            let inside = tune_tokens(marked, Place::Anywhere, loops);
            out.push(in_place_of(group, Delimiter::Parenthesis, inside));
            out.extend(loops.next(mark, cost).into_iter().flatten());
            continue;
        }
        let called = |name| facade_called(name, &tokens[..position], group, loops.given.facade);
        if let Some(pieces) = called(PIECES) {
            let inside = tune_tokens(group.stream(), Place::Anywhere, loops);
            out.push(in_place_of(group, group.delimiter(), inside));
            out.extend(loops.next(pieces, None).into_iter().flatten());
            continue;
        }
        if let Some(join) = called(JOIN) {
            let inside = tune_tokens(group.stream(), Place::Anywhere, loops);
            match loops.next_join(join, &inside) {
                Some(tuned) => {
                    drop_path(&mut out);
                    out.extend(tuned);
                }
                None => out.push(in_place_of(group, group.delimiter(), inside)),
            }
            continue;
        }
        let method = method_called(&tokens[..position], group);
        let is =
            |names: &[&str]| method.is_some_and(|name| names.iter().any(|known| name == known));
        let combines = is(COMBINING_CALLS) && is_parallel(&tokens[..position]);
        let ends = place == Place::Returned && position + 1 == tokens.len();
        let inside = match group.delimiter() {
            _ if combines => Place::Combined,
            Delimiter::Brace if ends => Place::Returned,
            _ => Place::Anywhere,
        };
        if is(&["collect"]) && is_parallel(without_turbofish(&tokens[..position])) {
            let expected =
                if ends { loops.given.returned } else { collects::declared(&tokens, position) };
            collects::mark(&mut out, expected);
        }
        let entry = is(ENTRY_CALLS).then_some(method).flatten();
        let mut arguments = match group.delimiter() {
            Delimiter::Brace => tune_block(group.stream(), inside, loops),
            _ => tune_tokens(group.stream(), inside, loops),
        };
        if let Some(call) = method.filter(|_| combines && is(OPERAND_CALLS)) {
            arguments = operand(arguments, call.span());
        }
        out.push(in_place_of(group, group.delimiter(), arguments));
        let is_operand = place == Place::Combined && !is_ended(&tokens[position + 1..]);
        if let Some(entry) = entry.filter(|_| !is_operand) {
            out.extend(loops.next(entry.span(), None).into_iter().flatten());
        }
    }
    out.into_iter().collect()
}

/// The same of what is in braces. Of a block with imports of its own, these stay in use.
fn tune_block(tokens: TokenStream, place: Place, loops: &mut Loops<'_>) -> TokenStream {
    let found = loops.found;
    let imports = has_imports(tokens.clone()).then_some(loops.given.imports);
    let tuned = tune_tokens(tokens, place, loops);
    let imports = imports.filter(|_| loops.found > found);
    let (inner_attributes, statements) = split_inner_attributes(tuned);
    quote!(#inner_attributes #imports #statements)
}

/// Whether one of these statements is a `use`.
fn has_imports(statements: TokenStream) -> bool {
    let tokens: Vec<TokenTree> = statements.into_iter().collect();
    let is_use = |position: usize| {
        let begins = match tokens[..position].last() {
            None => true,
            Some(TokenTree::Group(group)) => group.delimiter() != Delimiter::Parenthesis,
            Some(before) => is_punct(before, ';'),
        };
        begins && matches!(&tokens[position], TokenTree::Ident(word) if word == "use")
    };
    (0..tokens.len()).any(is_use)
}

/// The head of a function, attributes included, if what follows these tokens is its body.
fn function_begun(before: &[TokenTree]) -> Option<&[TokenTree]> {
    let start = (0..before.len()).rev().find(|&position| ends_a_statement(before, position));
    let head = &before[start.map_or(0, |end| end + 1)..];
    let is_name = |two: &[TokenTree]| match two {
        [TokenTree::Ident(keyword), TokenTree::Ident(_)] => keyword == "fn",
        _ => false,
    };
    head.windows(2).any(is_name).then_some(head)
}

/// Whether a statement or an item ends with this token: braces do not where they are the argument of a type, as in `A<{ N }>`.
fn ends_a_statement(tokens: &[TokenTree], position: usize) -> bool {
    let is = |position: usize, c| tokens.get(position).is_some_and(|token| is_punct(token, c));
    let follows = |c| position > 0 && is(position - 1, c);
    match &tokens[position] {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
            let is_argument =
                is(position + 1, '>') || follows('<') || (follows(',') && is(position + 1, ','));
            !is_argument
        }
        token => is_punct(token, ';'),
    }
}

/// Whether a function with this head has an attribute whose path ends in `tune`.
fn is_tuned(head: &[TokenTree]) -> bool {
    head.windows(2).any(|two| match two {
        [hash, TokenTree::Group(group)] if is_punct(hash, '#') => {
            let path = |token: &TokenTree| !matches!(token, TokenTree::Group(_));
            let last = group.stream().into_iter().take_while(path).last();
            matches!(last, Some(TokenTree::Ident(name)) if name == "tune")
        }
        _ => false,
    })
}

/// A single argument, made what the loop can use of it. More of them, or none, are for a method of the
/// user's own.
fn operand(arguments: TokenStream, at: Span) -> TokenStream {
    let mut argument: Vec<TokenTree> = arguments.clone().into_iter().collect();
    if argument.last().is_some_and(|last| is_punct(last, ',')) {
        argument.pop();
    }
    if argument.is_empty() || commas(&argument).next().is_some() {
        return arguments;
    }
    let argument = Group::new(Delimiter::Parenthesis, argument.into_iter().collect());
    let span = Span::mixed_site().located_at(at);
    quote_spanned!(span=> #argument.__slot().__range().__kind().__operand().__given())
}

/// Whether what the method at the end of these tokens is called on contains an entry call, and nothing that ends the iterator.
/// Of what does not, such as `xs.iter().zip`, nobody knows.
fn is_parallel(before: &[TokenTree]) -> bool {
    let is = |token: &TokenTree, names: &[&str]| match token {
        TokenTree::Ident(name) => names.iter().any(|known| name == known),
        _ => false,
    };
    backwards(before)
        .skip(1)
        .take_while(|token| match token {
            TokenTree::Punct(punct) => !matches!(punct.as_char(), ';' | ',' | '='),
            TokenTree::Group(group) => group.delimiter() != Delimiter::Brace,
            _ => true,
        })
        .find(|token| is(token, ENTRY_CALLS) || is(token, &[MARK]) || is(token, ENDING_CALLS))
        .is_some_and(|token| !is(token, ENDING_CALLS))
}

/// Whether one of [`ENDING_CALLS`] follows in these tokens.
fn is_ended(after: &[TokenTree]) -> bool {
    after.windows(2).any(|two| match two {
        [dot, TokenTree::Ident(name)] if is_punct(dot, '.') => {
            ENDING_CALLS.iter().any(|known| name == known)
        }
        _ => false,
    })
}

/// The tokens from the last to the first, without what is in `::<…>`.
fn backwards(tokens: &[TokenTree]) -> impl Iterator<Item = &TokenTree> {
    let mut rest = tokens;
    std::iter::from_fn(move || {
        let (last, before) = without_turbofish(rest).split_last()?;
        rest = before;
        Some(last)
    })
}

/// Whether the tokens end with `mod name`.
fn is_module(before: &[TokenTree]) -> bool {
    matches!(before, [.., TokenTree::Ident(keyword), TokenTree::Ident(_)] if keyword == "mod")
}

/// Where [`MARK`] stands, if the tokens end with `tuned!`.
fn mark(before: &[TokenTree]) -> Option<Span> {
    match before {
        [.., TokenTree::Ident(name), TokenTree::Punct(bang)]
            if bang.as_char() == '!' && name == MARK =>
        {
            Some(name.span())
        }
        _ => None,
    }
}

/// What `tuned!(expression, cost = units)` marks, and the units of work in one of its items, if they are given.
fn split_cost(inside: TokenStream) -> (TokenStream, Option<TokenStream>) {
    let mut tokens: Vec<TokenTree> = inside.into_iter().collect();
    let at = tokens.windows(4).position(|four| {
        is_punct(&four[0], ',')
            && matches!(&four[1], TokenTree::Ident(name) if name == "cost")
            && is_punct(&four[2], '=')
            && !is_punct(&four[3], '=')
    });
    let Some(at) = at else { return (tokens.into_iter().collect(), None) };
    let mut cost = tokens.split_off(at).split_off(3);
    if cost.last().is_some_and(|last| is_punct(last, ',')) {
        cost.pop();
    }
    (tokens.into_iter().collect(), Some(cost.into_iter().collect()))
}

/// An expression of any numeric type as an `f64`.
fn as_number(expression: &TokenStream) -> TokenStream {
    quote! {
        {
            let number = #expression;
            #[allow(clippy::cast_lossless, clippy::cast_precision_loss, clippy::unnecessary_cast)]
            let number = number as ::core::primitive::f64;
            number
        }
    }
}

/// Drops a trailing `tuned!`, with the path in front of it.
fn drop_mark(tokens: &mut Vec<TokenTree>) {
    tokens.pop();
    drop_path(tokens);
}

/// Drops a trailing path.
fn drop_path(tokens: &mut Vec<TokenTree>) {
    tokens.pop();
    while ends_with_colons(tokens) {
        tokens.truncate(tokens.len() - 2);
        if matches!(tokens.last(), Some(TokenTree::Ident(_))) {
            tokens.pop();
        }
    }
}

fn ends_with_colons(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [.., a, b] if is_punct(a, ':') && is_punct(b, ':'))
}

/// Where `function` stands, if `arguments` are passed to the facade's function of that name.
fn facade_called(
    function: &str,
    before: &[TokenTree],
    arguments: &Group,
    facade: &Ident,
) -> Option<Span> {
    let [path @ .., TokenTree::Ident(name)] = before else { return None };
    let is_call = arguments.delimiter() == Delimiter::Parenthesis && name == function;
    if !is_call || !ends_with_colons(path) {
        return None;
    }
    match &path[..path.len() - 2] {
        [.., TokenTree::Ident(first)] if first == facade => Some(name.span()),
        _ => None,
    }
}

/// A group with the span of another one.
fn in_place_of(group: &Group, delimiter: Delimiter, inside: TokenStream) -> TokenTree {
    let mut new = Group::new(delimiter, inside);
    new.set_span(group.span());
    TokenTree::Group(new)
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

#[cfg(test)]
#[path = "entry_tests.rs"]
pub(crate) mod tests;
