//! Reads attributes: `#[tune]` under any path or rename, its options, `#[cfg]` and `#[path]`.

use amorsize_profile::{parse_duration_ns, parse_size, permille};
use proc_macro2::{TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

/// The options of an annotation that the command line needs. Mistakes in them are the macro's to
/// report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `name = "…"`
    pub(crate) name: Option<String>,
    /// `max_workers = N`
    pub(crate) max_workers: Option<usize>,
    /// `chunk = N`
    pub(crate) chunk: Option<usize>,
    /// `chunk_time = "…"`
    pub(crate) chunk_ns: Option<u64>,
    /// `deterministic`
    pub(crate) deterministic: bool,
    /// `io`
    pub(crate) io: bool,
    /// `memory = "…"`
    pub(crate) memory_bytes: Option<u64>,
    /// `memory_fraction = F`
    pub(crate) memory_permille: Option<u16>,
    /// `respect_load`
    pub(crate) respect_load: bool,
}

/// The options of the first `#[tune]` among the attributes, `cfg_attr` included.
pub(crate) fn find(attributes: &[Attribute]) -> Option<Options> {
    all(attributes).into_iter().find(|meta| is_tune(meta.path())).map(|meta| match meta {
        Meta::List(list) => options(list.tokens),
        _ => Options::default(),
    })
}

/// Whether a path names the attribute. The first segments are the user's: the dependency may be
/// renamed or reached through another package.
pub(crate) fn is_tune(path: &syn::Path) -> bool {
    path.segments.last().is_some_and(|segment| segment.ident == "tune")
}

/// Whether a `#[cfg]` other than `#[cfg(test)]` decides if the item exists.
pub(crate) fn is_conditional(attributes: &[Attribute]) -> bool {
    all(attributes).iter().any(|meta| meta.path().is_ident("cfg") && !is_cfg_test(meta))
}

/// Whether the item exists only in test builds.
pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    all(attributes).iter().any(|meta| is_cfg_test(meta) || meta.path().is_ident("test"))
}

fn is_cfg_test(meta: &Meta) -> bool {
    matches!(meta, Meta::List(list)
        if list.path.is_ident("cfg") && list.tokens.to_string() == "test")
}

/// The values of `#[path = "…"]`.
pub(crate) fn paths(attributes: &[Attribute]) -> Vec<String> {
    all(attributes)
        .into_iter()
        .filter_map(|meta| match meta {
            Meta::NameValue(pair) if pair.path.is_ident("path") => string(&pair.value),
            _ => None,
        })
        .collect()
}

/// The attributes, with those inside `cfg_attr` taken out of it.
fn all(attributes: &[Attribute]) -> Vec<Meta> {
    let mut found = Vec::new();
    let mut open: Vec<Meta> = attributes.iter().rev().map(|a| a.meta.clone()).collect();
    while let Some(meta) = open.pop() {
        match meta {
            Meta::List(list) if list.path.is_ident("cfg_attr") => {
                let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
                // The first part is the condition.
                open.extend(
                    parts.into_iter().flatten().skip(1).collect::<Vec<_>>().into_iter().rev(),
                );
            }
            other => found.push(other),
        }
    }
    found
}

fn string(value: &syn::Expr) -> Option<String> {
    match value {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    }
}

/// Reads `key = literal` pairs and keys without a value, and passes over everything else.
pub(crate) fn options(stream: TokenStream) -> Options {
    let mut options = Options::default();
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    for part in tokens.split(|token| matches!(token, TokenTree::Punct(p) if p.as_char() == ',')) {
        if let [TokenTree::Ident(key)] = part {
            options.deterministic |= key == "deterministic";
            options.io |= key == "io";
            options.respect_load |= key == "respect_load";
        }
    }
    for window in tokens.windows(3) {
        let [TokenTree::Ident(key), TokenTree::Punct(equals), TokenTree::Literal(value)] = window
        else {
            continue;
        };
        if equals.as_char() != '=' {
            continue;
        }
        let value = syn::Lit::new(value.clone());
        let number = || match &value {
            syn::Lit::Int(number) => number.base10_parse().ok(),
            _ => None,
        };
        let fraction = || match &value {
            syn::Lit::Float(number) => number.base10_parse().ok(),
            syn::Lit::Int(number) => number.base10_parse().ok(),
            _ => None,
        };
        match key.to_string().as_str() {
            "memory" => {
                if let syn::Lit::Str(text) = &value {
                    options.memory_bytes = parse_size(&text.value()).ok();
                }
            }
            "chunk_time" => {
                if let syn::Lit::Str(text) = &value {
                    options.chunk_ns = parse_duration_ns(&text.value());
                }
            }
            "memory_fraction" => options.memory_permille = fraction().and_then(permille),
            "name" => {
                if let syn::Lit::Str(text) = &value {
                    options.name = Some(text.value());
                }
            }
            "max_workers" => options.max_workers = number(),
            "chunk" => options.chunk = number(),
            _ => {}
        }
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str) -> Option<Options> {
        let function: syn::ItemFn = syn::parse_str(source).expect("a function");
        find(&function.attrs)
    }

    #[test]
    fn the_attribute_is_found_under_every_path() {
        for attribute in ["tune", "amorsize::tune", "::amorsize::tune", "fast::tune", "tune()"] {
            assert_eq!(of(&format!("#[{attribute}] fn f() {{}}")), Some(Options::default()));
        }
        assert_eq!(
            of("#[cfg_attr(feature = \"a\", inline, amorsize::tune)] fn f() {}"),
            Some(Options::default())
        );
        assert_eq!(of("#[tuned] fn f() {}"), None);
        assert_eq!(of("#[cfg_attr(tune, inline)] fn f() {}"), None);
    }

    #[test]
    fn options_are_read_and_expressions_passed_over() {
        let options = of(
            "#[tune(cost = f(a, 3), name = \"x\", max_workers = 1_000, io, chunk = 64usize)] fn f() {}",
        );
        let expected = Options {
            name: Some("x".into()),
            max_workers: Some(1_000),
            chunk: Some(64),
            io: true,
            ..Options::default()
        };
        assert_eq!(options, Some(expected));
        let options = of(
            "#[tune(memory = \"2GiB\", memory_fraction = 0.5, respect_load, chunk_time = \"500us\")] fn f() {}",
        );
        let expected = Options {
            memory_bytes: Some(2 << 30),
            memory_permille: Some(500),
            respect_load: true,
            chunk_ns: Some(500_000),
            ..Options::default()
        };
        assert_eq!(options, Some(expected));
    }
}
