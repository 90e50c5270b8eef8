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

#[cfg(test)]
mod tests {
    use crate::entry::tests::tuned_in_function;

    /// How the one `collect` of this source is marked.
    fn mark(returned: &str, source: &str) -> Option<&'static str> {
        let tokens = tuned_in_function(returned, &[], source).tokens.to_string();
        let tokens =
            tokens.replace(' ', "").replace(".__slot().__kind().__tune(&__AMORSIZE_LOOP_0)", "");
        let source = source.replace(' ', "");
        if tokens == source {
            return None;
        }
        let marks = ["vec", "successes", "vec_of_successes"];
        let is_in = |mark: &&str| {
            tokens.replace(&format!(".__slot().__{mark}().collect"), ".collect") == source
        };
        Some(marks.into_iter().find(is_in).expect("a mark and nothing else"))
    }

    #[test]
    fn what_is_collected_is_told_by_type_arguments_and_by_let() {
        for (source, expected) in [
            ("let a = xs.par_iter().map(f).collect::<Vec<_>>();", "vec"),
            ("f(xs.par_iter().collect::<std::vec::Vec<Option<A>>>())", "vec"),
            ("let a: Vec<Option<A>> = xs.par_iter().collect();", "vec"),
            ("f(xs.par_iter().collect::<Option<(A, Vec<B>)>>())", "successes"),
            ("f(x); let a: Option<B> = xs.par_iter().collect();", "successes"),
            ("if a == b { let c: Option<B> = xs.par_iter().collect(); }", "successes"),
            ("let a = xs.par_iter().map(f).collect::<Result<Vec<_>, _>>()?;", "vec_of_successes"),
            ("xs.par_iter().collect::<std::io::Result<Vec<_>>>();", "vec_of_successes"),
            (
                "let a: Result<Vec<fn(A) -> B>, _> = xs.par_iter().map(|x| { f(x); 1 }).collect();",
                "vec_of_successes",
            ),
        ] {
            assert_eq!(mark("()", source), Some(expected), "{source}");
        }
    }

    #[test]
    fn what_is_collected_at_the_end_is_told_by_what_the_function_returns() {
        for source in [
            "xs.par_iter().map(f).collect()",
            "let a = 1; if let Some(b) = c { d } else { xs.par_iter().map(f).collect() }",
        ] {
            for (returned, expected) in [
                ("Vec<A>", Some("vec")),
                ("Result<Vec<A>, B>", Some("vec_of_successes")),
                ("Result<A, Vec<B>>", Some("successes")),
                ("std::io::Result<A>", Some("successes")),
                ("Box<[A]>", None),
                ("", None),
                ("&Option<A>", None),
                ("impl Fn() -> Vec<A>", None),
                ("<A as B>::C", None),
            ] {
                assert_eq!(mark(returned, source), expected, "{source} in {returned}");
            }
        }
    }

    #[test]
    fn other_types_in_sight_say_nothing_of_a_collection() {
        for source in [
            "let a: Option<A> = b; let c = xs.par_iter().collect();",
            "let a: Vec<A> = xs.par_iter().collect().map(f);",
            "let a = { let b: Option<A> = None; xs.par_iter().collect() };",
            "Ok(xs.par_iter().collect())",
            "let a = || { xs.par_iter().collect() };",
            "let a = xs.par_iter(); b.iter().collect::<Result<Vec<_>, _>>()",
            "xs.par_iter().collect::<HashMap<A, Vec<B>>>()",
        ] {
            assert_eq!(mark("Result<A, B>", source), None, "{source}");
        }
    }
}
