//! The annotated function: a parsed head, and a body of tokens.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt};
use syn::parse::{Parse, ParseStream};
use syn::{Abi, Attribute, Error, Ident, Result, Token, Visibility};

use crate::tokens::is_punct;

/// A function with a body.
pub(crate) struct Annotated {
    /// `#[cfg]` attributes: what stands beside the function is under them too.
    pub(crate) conditions: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    /// Everything in front of the body.
    head: TokenStream,
    pub(crate) name: Ident,
    /// The type that it returns; nothing if it returns none.
    pub(crate) returned: Vec<TokenTree>,
    pub(crate) body: Group,
}

impl Parse for Annotated {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut head = TokenStream::new();
        let mut conditions = input.call(Attribute::parse_outer)?;
        head.append_all(&conditions);
        conditions.retain(|attribute| attribute.path().is_ident("cfg"));
        let visibility: Visibility = input.parse()?;
        visibility.to_tokens(&mut head);
        if input.peek(Token![const]) {
            return Err(input.error(
                "`#[tune]` does not work on a `const fn`: a parallel loop cannot run at compile time",
            ));
        }
        if input.peek(Token![async]) {
            return Err(input.error(
                "`#[tune]` does not work on an `async fn`: put the parallel loop into a plain function \
                 and annotate that",
            ));
        }
        input.parse::<Option<Token![unsafe]>>()?.to_tokens(&mut head);
        input.parse::<Option<Abi>>()?.to_tokens(&mut head);
        if !input.peek(Token![fn]) {
            return Err(input.error("`#[tune]` expects a function or a method"));
        }
        input.parse::<Token![fn]>()?.to_tokens(&mut head);
        let name: Ident = input.parse()?;
        name.to_tokens(&mut head);
        // The body is the last pair of braces: others belong to constant generic arguments.
        let rest: TokenStream = input.parse()?;
        let mut rest: Vec<TokenTree> = rest.into_iter().collect();
        match rest.pop().map(unwrapped) {
            Some(TokenTree::Group(body)) if body.delimiter() == Delimiter::Brace => {
                head.append_all(&rest);
                let returned = returned(&rest).to_vec();
                Ok(Annotated { conditions, visibility, head, name, returned, body })
            }
            _ => Err(Error::new(
                name.span(),
                "`#[tune]` needs a function with a body: annotate the implementation of the method",
            )),
        }
    }
}

/// A block that a macro was given, `$body:block`, comes in a group without delimiters.
fn unwrapped(token: TokenTree) -> TokenTree {
    match &token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            let mut inside = group.stream().into_iter();
            match (inside.next(), inside.next()) {
                (Some(only), None) => unwrapped(only),
                _ => token,
            }
        }
        _ => token,
    }
}

/// What follows the arrow behind the arguments of a function, in what follows its name.
fn returned(rest: &[TokenTree]) -> &[TokenTree] {
    let is_dash = |token: &TokenTree| is_punct(token, '-');
    let is_where = |token: &TokenTree| matches!(token, TokenTree::Ident(word) if word == "where");
    let mut depth = 0;
    for (position, token) in rest.iter().enumerate() {
        match token {
            TokenTree::Group(arguments)
                if depth == 0 && arguments.delimiter() == Delimiter::Parenthesis =>
            {
                return match &rest[position + 1..] {
                    [dash, arrow, returned @ ..] if is_punct(dash, '-') && is_punct(arrow, '>') => {
                        let end = returned.iter().position(is_where);
                        &returned[..end.unwrap_or(returned.len())]
                    }
                    _ => &[],
                };
            }
            token if is_punct(token, '<') => depth += 1,
            token if is_punct(token, '>') && !rest[..position].last().is_some_and(is_dash) => {
                depth -= 1
            }
            _ => {}
        }
    }
    &[]
}

impl Annotated {
    /// The function with another body.
    pub(crate) fn with_body(&self, body: TokenStream) -> TokenStream {
        let mut tokens = self.head.clone();
        let mut braces = Group::new(Delimiter::Brace, body);
        braces.set_span(self.body.span());
        braces.to_tokens(&mut tokens);
        tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_returned_is_what_follows_the_arrow_behind_the_arguments() {
        let returned = |source: &str| {
            let function: Annotated = syn::parse_str(source).expect("a function");
            let returned: TokenStream = function.returned.into_iter().collect();
            returned.to_string().replace(' ', "")
        };
        assert_eq!(returned("fn f() -> Result<A, B> {}"), "Result<A,B>");
        assert_eq!(returned("fn f<F: Fn(A) -> B, const N: usize>(f: F) -> C {}"), "C");
        assert_eq!(returned("fn f<F>(f: F) -> C where F: Fn(A) -> B {}"), "C");
        assert_eq!(returned("fn f<C>() -> C where Vec<A>: Clone {}"), "C");
        assert_eq!(returned("fn f<F>(f: fn() -> A) where F: Fn(A) -> B {}"), "");
        assert_eq!(returned("fn f(a: A) {}"), "");
        // Left to the compiler, whose message says what is wrong.
        assert_eq!(returned("fn f> (a: A) -> B {}"), "");
    }

    #[test]
    fn a_body_may_be_a_block_that_a_macro_was_given() {
        let block: TokenStream = "{ 1 }".parse().expect("tokens");
        let given = Group::new(Delimiter::None, block);
        let function: Annotated =
            syn::parse2(quote::quote!(fn f() -> u32 #given)).expect("a function");
        assert_eq!(function.body.stream().to_string(), "1");
        let expression: TokenStream = "{ 1 } + 1".parse().expect("tokens");
        let given = Group::new(Delimiter::None, expression);
        assert!(syn::parse2::<Annotated>(quote::quote!(fn f() -> u32 #given)).is_err());
    }
}
