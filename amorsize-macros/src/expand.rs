//! From the annotated function to the tuned one.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::Error;

use crate::annotated::Annotated;
use crate::embed::Embedded;
use crate::entry;
use crate::options::{self, Options};

/// Expands `#[tune(options)] item`. Whatever is wrong, the item itself is emitted, so that one error
/// does not become many.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let (options, option_error) = options::parse(options);
    match syn::parse2::<Annotated>(item.clone()) {
        Ok(function) => tune(&function, &options, option_error),
        Err(error) => {
            let error = error.to_compile_error();
            let option_error = option_error.map(|error| error.to_compile_error());
            quote!(#option_error #error #item)
        }
    }
}

fn tune(function: &Annotated, options: &Options, mut error: Option<Error>) -> TokenStream {
    let body = entry::tune(function.body.stream());
    let (embedded, profile_error) = Embedded::read();
    let nothing_found = (body.loops == 0).then(|| {
        Error::new(
            function.name.span(),
            "`#[tune]` found no parallel loop in this function: expected a call such as `.par_iter()`, \
             `.into_par_iter()` or `.par_chunks(k)` written in its body",
        )
    });
    for other in [profile_error, nothing_found].into_iter().flatten() {
        match &mut error {
            None => error = Some(other),
            Some(first) => first.combine(other),
        }
    }
    let statics = (0..body.loops).map(|index| loop_static(function, options, &embedded, index));
    let expansion = expansion(options);
    let (inner_attributes, statements) = split_inner_attributes(body.tokens);
    let imports = (body.loops > 0).then(|| {
        quote! {
            #[allow(unused_imports)]
            use #expansion::{AnyKind as _, IntoSlot as _, Untuned as _};
        }
    });
    let tuned = function.with_body(quote! {
        #inner_attributes
        #imports
        #(#statics)*
        #statements
    });
    let error = error.map(|error| error.to_compile_error());
    quote!(#error #tuned)
}

/// Splits a body into its leading `#![…]`, which must stay first, and the rest.
fn split_inner_attributes(body: TokenStream) -> (TokenStream, TokenStream) {
    let tokens: Vec<TokenTree> = body.into_iter().collect();
    let is = |token: &TokenTree, c| matches!(token, TokenTree::Punct(p) if p.as_char() == c);
    let attributes = tokens
        .chunks_exact(3)
        .take_while(|three| {
            is(&three[0], '#') && is(&three[1], '!') && matches!(three[2], TokenTree::Group(_))
        })
        .count();
    let (attributes, statements) = tokens.split_at(3 * attributes);
    (attributes.iter().cloned().collect(), statements.iter().cloned().collect())
}

/// The path of what expansions may use.
fn expansion(options: &Options) -> TokenStream {
    match &options.facade {
        Some(path) => quote!(#path::expansion),
        None => quote!(::amorsize::expansion),
    }
}

/// The static that carries one loop of the function, its constants selected by its full name.
fn loop_static(
    function: &Annotated,
    options: &Options,
    embedded: &Embedded,
    index: usize,
) -> TokenStream {
    let expansion = expansion(options);
    let suffix = if index == 0 { String::new() } else { format!("#{}", index + 1) };
    let (name, entries) = match &options.name {
        Some(given) => {
            let name = given.value() + &suffix;
            let entries = embedded.entries(&expansion, |entry| entry == name);
            (quote!(#name), entries)
        }
        None => {
            // A macro does not know its module: all functions of this name are candidates.
            let tail = format!("::{}{suffix}", syn::ext::IdentExt::unraw(&function.name));
            let entries = embedded.entries(&expansion, |entry| entry.ends_with(&tail));
            (quote!(::core::concat!(::core::module_path!(), #tail)), entries)
        }
    };
    let number = |n: Option<usize>| match n {
        Some(n) => quote!(::core::option::Option::Some(#n)),
        None => quote!(::core::option::Option::None),
    };
    // One loop is enough to make the profile an input of the build. Within a static's initialiser the
    // bytes are read and dropped, and the user's statements stay the first ones of the body.
    let tracking = (index == 0).then_some(&embedded.tracking);
    let (max_workers, chunk) = (number(options.max_workers), number(options.chunk));
    let loop_static = entry::loop_static(index);
    quote! {
        static #loop_static: #expansion::Loop = {
            #tracking
            const NAME: &::core::primitive::str = #name;
            // Item times are facts of optimised builds.
            const PROFILED: &[#expansion::Profiled] =
                if ::core::cfg!(debug_assertions) { &[] } else { #entries };
            #expansion::Loop::new(
                NAME,
                #expansion::Options { max_workers: #max_workers, chunk: #chunk },
                #expansion::select(PROFILED, NAME),
            )
        };
    }
}
