//! The options in `#[tune(…)]`.

use amorsize_profile::{parse_duration_ns, parse_size, permille};
use proc_macro2::{Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Ident, Lit, LitInt, LitStr, Path, Result, Token, bracketed};

use crate::tokens::commas;

const VALID: &str = "valid options are `kernel`, `max_workers = 4`, `chunk = 64`, \
    `chunk_time = \"500us\"`, `cost = xs.len()`, `memory = \"500MB\"`, `memory_fraction = 0.5`, `respect_load`, \
    `deterministic`, `on_pool`, `io`, `skip = 2`, `name = \"…\"` and `crate = path`";

/// What the user fixed by hand.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) max_workers: Option<usize>,
    pub(crate) chunk: Option<usize>,
    /// In nanoseconds.
    pub(crate) chunk_time: Option<u64>,
    /// An expression for the units of work in one item.
    pub(crate) cost: Option<TokenStream>,
    /// Of one item, in bytes.
    pub(crate) memory: Option<u64>,
    /// In thousandths.
    pub(crate) memory_fraction: Option<u16>,
    pub(crate) respect_load: Option<()>,
    pub(crate) deterministic: Option<()>,
    pub(crate) on_pool: Option<()>,
    pub(crate) io: Option<()>,
    /// The function is one item of a loop elsewhere.
    pub(crate) kernel: Option<Span>,
    /// Loops to leave alone, counted from 1.
    pub(crate) skip: Option<Vec<LitInt>>,
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
                "chunk_time" => set(&mut options.chunk_time, &key, input, duration)?,
                "cost" => set(&mut options.cost, &key, input, expression)?,
                "memory" => set(&mut options.memory, &key, input, size)?,
                "memory_fraction" => set(&mut options.memory_fraction, &key, input, fraction)?,
                "respect_load" => flag(&mut options.respect_load, (), &key, input)?,
                "deterministic" => flag(&mut options.deterministic, (), &key, input)?,
                "on_pool" => flag(&mut options.on_pool, (), &key, input)?,
                "io" => flag(&mut options.io, (), &key, input)?,
                "kernel" => flag(&mut options.kernel, key.span(), &key, input)?,
                "skip" => set(&mut options.skip, &key, input, loop_numbers)?,
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
        options.reject_contradictions()?;
        Ok(options)
    }
}

impl Options {
    /// The first option that says something about items, which a `join` does not have.
    pub(crate) fn about_items(&self) -> Option<&'static str> {
        let given = [
            ("chunk", self.chunk.is_some()),
            ("chunk_time", self.chunk_time.is_some()),
            ("cost", self.cost.is_some()),
            ("memory", self.memory.is_some()),
            ("memory_fraction", self.memory_fraction.is_some()),
            ("deterministic", self.deterministic.is_some()),
            ("io", self.io.is_some()),
        ];
        given.into_iter().find(|(_, is_given)| *is_given).map(|(name, _)| name)
    }

    fn reject_contradictions(&self) -> Result<()> {
        let both = |a: &str, b: &str| {
            Err(Error::new(
                Span::call_site(),
                format!("options `{a}` and `{b}` exclude each other"),
            ))
        };
        if self.chunk.is_some() && self.chunk_time.is_some() {
            return both("chunk", "chunk_time");
        }
        if self.deterministic.is_some() && self.chunk_time.is_some() {
            return both("deterministic", "chunk_time");
        }
        if self.deterministic.is_some() && self.chunk.is_some() {
            return both("deterministic", "chunk");
        }
        if self.io.is_some() && self.on_pool.is_some() {
            return both("io", "on_pool");
        }
        match (&self.kernel, &self.skip, &self.cost) {
            (Some(_), Some(_), _) => both("kernel", "skip"),
            (Some(_), _, Some(_)) => both("kernel", "cost"),
            _ => Ok(()),
        }
    }

    /// The numbers in `skip`.
    pub(crate) fn skipped(&self) -> Vec<usize> {
        let numbers = self.skip.iter().flatten();
        // Checked when they were read.
        numbers.filter_map(|number| number.base10_parse().ok()).collect()
    }
}

/// The arguments of `tuned_loop!`.
pub(crate) struct OfLoop {
    pub(crate) name: LitStr,
    pub(crate) options: Options,
}

impl Parse for OfLoop {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name = loop_name(input)?;
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
        let options: Options = input.parse()?;
        let meaningless = [
            ("name", options.name.is_some()),
            ("skip", options.skip.is_some()),
            ("kernel", options.kernel.is_some()),
            ("cost", options.cost.is_some()),
        ];
        match meaningless.into_iter().find(|(_, given)| *given) {
            None => Ok(OfLoop { name, options }),
            Some((option, _)) => Err(Error::new(
                name.span(),
                format!("option `{option}` has no meaning in `tuned_loop!`"),
            )),
        }
    }
}

/// Notes an option without a value in `slot`; true if it was there already.
fn flag<T>(slot: &mut Option<T>, value: T, key: &Ident, input: ParseStream<'_>) -> Result<bool> {
    if input.peek(Token![=]) {
        return Err(Error::new(key.span(), format!("option `{key}` takes no value: {VALID}")));
    }
    Ok(slot.replace(value).is_some())
}

/// A time in nanoseconds, such as `"500us"`.
fn duration(input: ParseStream<'_>) -> Result<u64> {
    let text: LitStr = input.parse()?;
    parse_duration_ns(&text.value()).ok_or_else(|| {
        Error::new(
            text.span(),
            "expected a time of at least 1 ns, as in `\"500us\"`; units are ns, us, ms and s",
        )
    })
}

/// A size in bytes, such as `"500MB"`.
fn size(input: ParseStream<'_>) -> Result<u64> {
    match input.parse()? {
        Lit::Str(text) => {
            parse_size(&text.value()).map_err(|reason| Error::new(text.span(), reason))
        }
        other => Err(Error::new(
            other.span(),
            "expected a size in quotation marks, as in `\"500MB\"` or `\"1.5GiB\"`",
        )),
    }
}

/// A fraction in thousandths, such as `0.5`.
fn fraction(input: ParseStream<'_>) -> Result<u16> {
    let number: Lit = input.parse()?;
    let value = match &number {
        Lit::Float(number) => number.base10_parse().ok(),
        Lit::Int(number) => number.base10_parse().ok(),
        _ => None,
    };
    value.and_then(permille).ok_or_else(|| {
        Error::new(number.span(), "expected a number above 0 and at most 1, as in `0.5`")
    })
}

/// `2`, or `[2, 3]`.
fn loop_numbers(input: ParseStream<'_>) -> Result<Vec<LitInt>> {
    let numbers: Vec<LitInt> = if input.peek(syn::token::Bracket) {
        let inside;
        bracketed!(inside in input);
        inside.parse_terminated(<LitInt as Parse>::parse, Token![,])?.into_iter().collect()
    } else {
        vec![input.parse()?]
    };
    for number in &numbers {
        if number.base10_parse::<usize>()? == 0 {
            return Err(Error::new(number.span(), "loops are counted from 1"));
        }
    }
    Ok(numbers)
}

/// Any tokens up to the next comma that is in no `::<…>`.
fn expression(input: ParseStream<'_>) -> Result<TokenStream> {
    let rest: Vec<TokenTree> = input.fork().parse::<TokenStream>()?.into_iter().collect();
    let end = commas(&rest).next().unwrap_or(rest.len());
    if end == 0 {
        return Err(input.error("expected an expression for the units of work in one item"));
    }
    (0..end).map(|_| input.parse::<TokenTree>()).collect()
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
    let number: Lit = input.parse()?;
    let value = match &number {
        Lit::Int(number) => number.base10_parse()?,
        _ => 0,
    };
    match value {
        0 => Err(Error::new(number.span(), "expected a whole number of at least 1, as in `4`")),
        n => Ok(n),
    }
}

fn loop_name(input: ParseStream<'_>) -> Result<LitStr> {
    let name: LitStr = input.parse()?;
    if name.value().trim().is_empty() {
        return Err(Error::new(name.span(), "a loop's name must not be empty"));
    }
    if name.value().contains('<') {
        let message =
            "a loop's name must not contain `<`: the type of its items may follow it there";
        return Err(Error::new(name.span(), message));
    }
    let value = name.value();
    let numbered = value.trim_end_matches(|c: char| c.is_ascii_digit());
    if numbered.len() < value.len() && numbered.ends_with('#') {
        let message =
            "a loop's name must not end with `#` and a number: the function's second loop is `#2`";
        return Err(Error::new(name.span(), message));
    }
    Ok(name)
}

/// Reads the options; on an error, gives none, so that the function can still be emitted.
pub(crate) fn parse(tokens: TokenStream) -> (Options, Option<Error>) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bytes_and_fractions_are_thousandths() {
        let options = |text: &str| syn::parse_str::<Options>(text).map_err(|e| e.to_string());
        let some =
            options("memory = \"1.5GiB\", memory_fraction = 0.25, respect_load").expect("valid");
        assert_eq!((some.memory, some.memory_fraction), (Some(3 << 29), Some(250)));
        assert!(some.respect_load.is_some());
        assert_eq!(options("memory_fraction = 1").expect("valid").memory_fraction, Some(1_000));
        for wrong in ["0", "0.0", "-0.5", "1.001", "\"half\"", "1e9"] {
            let error = options(&format!("memory_fraction = {wrong}")).err().expect(wrong);
            assert!(error.contains("at most 1, as in `0.5`"), "{wrong}: {error}");
        }
    }
}
