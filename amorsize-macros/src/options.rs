//! The options in `#[tune(…)]`.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Ident, LitInt, LitStr, Path, Result, Token};

const VALID: &str =
    "valid options are `max_workers = 4`, `chunk = 64`, `name = \"…\"` and `crate = path`";

/// What the user fixed by hand.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) max_workers: Option<usize>,
    pub(crate) chunk: Option<usize>,
    pub(crate) name: Option<LitStr>,
    pub(crate) facade: Option<Path>,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Options::default();
        while !input.is_empty() {
            let key = input.call(Ident::parse_any)?;
            let repeated = match key.to_string().as_str() {
                "max_workers" => set(&mut options.max_workers, &key, input, at_least_one)?,
                "chunk" => set(&mut options.chunk, &key, input, at_least_one)?,
                "name" => set(&mut options.name, &key, input, loop_name)?,
                "crate" => set(&mut options.facade, &key, input, Path::parse_mod_style)?,
                other => {
                    return Err(Error::new(
                        key.span(),
                        format!("unknown option `{other}`: {VALID}"),
                    ));
                }
            };
            if repeated {
                return Err(Error::new(key.span(), format!("option `{key}` is given twice")));
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

/// Reads `= value` into `slot`; true if there was a value already.
fn set<T>(
    slot: &mut Option<T>,
    key: &Ident,
    input: ParseStream<'_>,
    value: impl FnOnce(ParseStream<'_>) -> Result<T>,
) -> Result<bool> {
    if !input.peek(Token![=]) {
        return Err(Error::new(key.span(), format!("option `{key}` needs a value: {VALID}")));
    }
    input.parse::<Token![=]>()?;
    Ok(slot.replace(value(input)?).is_some())
}

fn at_least_one(input: ParseStream<'_>) -> Result<usize> {
    let number: LitInt = input.parse()?;
    match number.base10_parse()? {
        0 => Err(Error::new(number.span(), "expected a number of at least 1")),
        n => Ok(n),
    }
}

fn loop_name(input: ParseStream<'_>) -> Result<LitStr> {
    let name: LitStr = input.parse()?;
    if name.value().trim().is_empty() {
        return Err(Error::new(name.span(), "a loop's name must not be empty"));
    }
    Ok(name)
}

/// Reads the options; on an error, gives none, so that the function can still be emitted.
pub(crate) fn parse(tokens: proc_macro2::TokenStream) -> (Options, Option<Error>) {
    match syn::parse2(tokens) {
        Ok(options) => (options, None),
        Err(mut error) => {
            if error.to_string().contains("unexpected end of input") {
                error =
                    Error::new(Span::call_site(), format!("an option's value is missing: {VALID}"));
            }
            (Options::default(), Some(error))
        }
    }
}
