//! Finds the calls that enter rayon and makes each a tuned loop.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};

use crate::collects;
use crate::tokens::{commas, is_punct, split_inner_attributes, without_turbofish};

/// Methods of rayon's that start a parallel iterator.
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
        if let Some(entry) = entry.filter(|_| place != Place::Combined) {
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
    let is_type_argument = |position: usize| {
        let is = |position: Option<usize>, c| {
            position
                .and_then(|position| before.get(position))
                .is_some_and(|token| is_punct(token, c))
        };
        let (previous, next) = (position.checked_sub(1), Some(position + 1));
        is(next, '>') || is(previous, '<') || (is(previous, ',') && is(next, ','))
    };
    let ends_a_statement = |&position: &usize| match &before[position] {
        TokenTree::Group(group) => {
            group.delimiter() == Delimiter::Brace && !is_type_argument(position)
        }
        token => is_punct(token, ';'),
    };
    let start = (0..before.len()).rev().find(ends_a_statement).map_or(0, |end| end + 1);
    let head = &before[start..];
    let is_name = |two: &[TokenTree]| matches!(two, [TokenTree::Ident(keyword), TokenTree::Ident(_)] if keyword == "fn");
    head.windows(2).any(is_name).then_some(head)
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
    quote_spanned!(span=> #argument.__slot().__kind().__operand().__given())
}

/// Whether what the method at the end of these tokens is called on contains an entry call, and nothing that ends the iterator.
/// Of what does not, such as `xs.iter().zip`, nobody knows.
fn is_parallel(before: &[TokenTree]) -> bool {
    let is = |token: &TokenTree, names: &[&str]| match token {
        TokenTree::Ident(name) => names.iter().any(|known| name == known),
        _ => false,
    };
    before
        .iter()
        .rev()
        .skip(1)
        .take_while(|token| match token {
            TokenTree::Punct(punct) => !matches!(punct.as_char(), ';' | ',' | '='),
            TokenTree::Group(group) => group.delimiter() != Delimiter::Brace,
            _ => true,
        })
        .find(|token| is(token, ENTRY_CALLS) || is(token, &[MARK]) || is(token, ENDING_CALLS))
        .is_some_and(|token| !is(token, ENDING_CALLS))
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
pub(crate) mod tests {
    use super::*;

    fn tuned_but(skip: &[usize], source: &str) -> Body {
        tuned_in_function("()", skip, source)
    }

    pub(crate) fn tuned_in_function(returned: &str, skip: &[usize], source: &str) -> Body {
        let facade = Ident::new("amorsize", Span::call_site());
        let expansion = quote::quote!(::amorsize::expansion);
        let returned: TokenStream = returned.parse().expect("test type is tokens");
        let returned: Vec<TokenTree> = returned.into_iter().collect();
        let (cost, imports) = (Ident::new("units", Span::call_site()), quote!(imports!();));
        let given = Given {
            skip,
            cost: source.contains("units").then_some(&cost),
            facade: &facade,
            expansion: &expansion,
            returned: &returned,
            imports: &imports,
        };
        tune(source.parse().expect("test source is tokens"), &given)
    }

    fn tuned(source: &str) -> (String, usize) {
        let body = tuned_but(&[], source);
        (body.tokens.to_string().replace(' ', ""), body.found)
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
        let (tokens, loops) = tuned("a.par_iter().zip(b.par_iter()).chain(c.par_iter(),)");
        assert_eq!(loops, 1, "{tokens}");
        for argument in ["zip((b.par_iter())", "chain((c.par_iter())"] {
            let expected = format!("{argument}.__slot().__kind().__operand().__given())");
            assert!(tokens.contains(&expected), "{tokens}");
        }
        let (tokens, loops) = tuned("a.par_iter().zip(b.par_iter().map(|r| r.par_iter().sum()))");
        assert_eq!(loops, 2, "{tokens}");
        assert_eq!(tuned("let c = a.iter().zip(b.par_iter().collect::<Vec<_>>());").1, 1);
        for source in
            ["a.par_iter().max().cmp(&b)", "a.par_iter().chain()", "a.par_iter().zip(b, c)"]
        {
            assert!(!tuned(source).0.contains("__operand"), "{source}");
        }
        assert_eq!(tuned("f(a.par_iter().sum(), once(1).chain(b.par_iter()))").1, 2);
        // No iterators are compared here.
        assert_eq!(tuned("a.par_iter().max().cmp(&b.par_iter().max())").1, 2);
        assert_eq!(tuned("a.par_iter().position_any(f).eq(&b.par_iter().find_map_any(g))").1, 2);
        assert_eq!(tuned("a.par_iter().min().into_par_iter().eq(b.par_iter())").1, 2);
    }

    #[test]
    fn arrows_in_front_of_parentheses_are_no_generic_arguments() {
        for source in [
            "let f: &dyn Fn(f64) -> (f64, f64) = &g; xs.par_iter()",
            "let c = a < b; let g = |x: u32| -> (u32, u32) { (x, x) }; xs.par_iter()",
            "let c = 1 << k; let g = || -> (u32, u32) { (1, 2) }; xs.par_iter()",
            "fn f<F: Fn(u8) -> (u8, u8)>(f: F) {} xs.par_iter().collect::<Vec<fn() -> (u8,)>>()",
            "a > (b) ; xs.par_iter()",
        ] {
            assert_eq!(tuned(source).1, 1, "{source}");
        }
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
    fn a_marked_loop_may_have_a_cost_of_its_own() {
        for source in [
            "tuned!(f::<A, B>(x), cost = a.len() + 1)",
            "tuned!(f::<A, B>(x), cost = a.len() + 1,)",
        ] {
            let (tokens, loops) = tuned(source);
            assert!(
                tokens.starts_with("(f::<A,B>(x)).__slot().__kind().__tune_at_cost("),
                "{tokens}"
            );
            assert!(tokens.contains("letnumber=a.len()+1;"), "{tokens}");
            assert_eq!(loops, 1);
        }
        // A comparison is no cost.
        let (tokens, _) = tuned("tuned!(f(x), cost == 1)");
        assert_eq!(tokens, "(f(x),cost==1).__slot().__kind().__tune(&__AMORSIZE_LOOP_0)");
    }

    #[test]
    fn what_is_marked_is_tuned_whatever_it_is() {
        for source in
            ["tuned!(all(xs))", "amorsize::tuned!(all(xs))", "::amorsize::tuned![all(xs)]"]
        {
            let (tokens, loops) = tuned(&format!("let a = {source}.map(f);"));
            let expected = "leta=(all(xs)).__slot().__kind().__tune(&__AMORSIZE_LOOP_0).map(f);";
            assert_eq!((tokens.as_str(), loops), (expected, 1));
        }
        assert_eq!(tuned("f(a::b, tuned!(x.par_iter().map(g)))").1, 2);
    }

    #[test]
    fn skipped_loops_count_but_are_left_alone() {
        let body = tuned_but(&[2], "a.par_iter(); b.par_iter(); c.par_iter();");
        assert_eq!((body.found, body.loops), (3, vec![0, 2]));
        let tokens = body.tokens.to_string().replace(' ', "");
        assert!(tokens.contains("b.par_iter();c.par_iter().__slot()"), "{tokens}");
    }

    #[test]
    fn pieces_of_ours_are_entry_calls() {
        for path in ["amorsize::pieces", "::amorsize::pieces"] {
            let (tokens, loops) = tuned(&format!("{path}(&mut xs[..]).for_each(f)"));
            let expected = format!(
                "{path}(&mutxs[..]).__slot().__kind().__tune(&__AMORSIZE_LOOP_0).for_each(f)"
            );
            assert_eq!((tokens, loops), (expected, 1));
        }
        for source in ["pieces(xs)", "other::pieces(xs)", "amorsize::pieces", "xs.pieces()"] {
            assert_eq!(tuned(source), (source.to_owned(), 0));
        }
        let body = tuned_but(&[1], "amorsize::pieces(xs)");
        assert_eq!(body.tokens.to_string().replace(' ', ""), "amorsize::pieces(xs)");
        assert_eq!((body.found, body.joins, body.loops), (1, 0, vec![]));
    }

    #[test]
    fn joins_of_ours_get_a_static() {
        for path in ["amorsize::join", "::amorsize::join"] {
            let (tokens, loops) = tuned(&format!("let (a, b) = {path}(n, || f(a), m, || g(b),);"));
            let expected = "let(a,b)=::amorsize::expansion::Loop::join\
                            (&__AMORSIZE_LOOP_0,n,||f(a),m,||g(b),);";
            assert_eq!((tokens.as_str(), loops), (expected, 1));
        }
        let (tokens, loops) = tuned("amorsize::join(1, || x.par_iter(), 1, || ())");
        assert!(tokens.contains("join(&__AMORSIZE_LOOP_1,1,||x.par_iter().__slot()"), "{tokens}");
        assert_eq!(loops, 2);
        for source in ["rayon::join(a,b)", "join(1,a,1,b)", "amorsize::join", "x.join(a)"] {
            assert_eq!(tuned(source), (source.to_owned(), 0));
        }
        let body = tuned_but(&[1], "amorsize::join(1, a, 1, b)");
        assert_eq!(body.tokens.to_string().replace(' ', ""), "amorsize::join(1,a,1,b)");
        assert_eq!((body.found, body.joins, body.loops), (1, 1, vec![]));
    }

    #[test]
    fn functions_inside_the_body_do_not_see_its_cost_and_may_have_loops_of_their_own() {
        let source = "f(units); fn g() { x.par_iter().sum() } y.par_iter().sum()";
        assert_eq!(
            tuned(source).0,
            "f(units);fng(){x.par_iter().__slot().__kind().__tune(&__AMORSIZE_LOOP_0).sum()}\
             y.par_iter().__slot().__kind().__tune_at_cost(&__AMORSIZE_LOOP_1,units).sum()"
        );
        for attribute in ["#[tune]", "#[amorsize::tune(io)]", "#[inline] #[tune]"] {
            let source =
                format!("a; {attribute} pub fn g<T>(x: T) {{ x.par_iter() }} y.par_iter()");
            assert_eq!(tuned(&source).1, 1, "{source}");
        }
        assert_eq!(tuned("let f: fn(u8) = g; { x.par_iter() }").1, 1);
        let source =
            "#[tune] fn g() -> A<{ N }> where [(); { N }]: B { x.par_iter() } y.par_iter()";
        assert_eq!(tuned(source).1, 1);
    }

    #[test]
    fn imports_of_a_block_with_a_loop_stay_in_use() {
        let (tokens, _) =
            tuned("{ use rayon::prelude::*; x.par_iter() } { use a; b } { c.par_iter() }");
        assert_eq!(
            tokens,
            "{imports!();userayon::prelude::*;x.par_iter().__slot().__kind().__tune(&__AMORSIZE_LOOP_0)}\
             {usea;b}{c.par_iter().__slot().__kind().__tune(&__AMORSIZE_LOOP_1)}"
        );
    }

    #[test]
    fn attributes_of_a_block_stay_first() {
        let (tokens, _) = tuned("fn g() { #![allow(x)] use a::*; x.par_iter(); }");
        assert!(tokens.starts_with("fng(){#![allow(x)]imports!();usea::*;"), "{tokens}");
    }

    #[test]
    fn a_comma_between_types_makes_no_second_argument() {
        let (tokens, _) = tuned("x.par_iter().zip(f::<A, fn(B) -> C>(y))");
        assert!(tokens.contains("(f::<A,fn(B)->C>(y)).__slot().__kind().__operand()"), "{tokens}");
        let (tokens, _) = tuned("x.par_iter().zip(f::<A, B>(y), z)");
        assert!(!tokens.contains("__operand"), "{tokens}");
    }

    #[test]
    fn modules_inside_the_body_are_left_alone() {
        assert_eq!(tuned("mod m { fn f() { x.par_iter(); } } y.par_iter()").1, 1);
    }

    #[test]
    fn type_arguments_do_not_hide_an_entry_call() {
        assert_eq!(tuned("xs.par_bridge::<Vec<fn(u8) -> u8>>()").1, 1);
    }
}
