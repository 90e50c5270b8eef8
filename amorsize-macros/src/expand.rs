//! From the annotated function to the tuned one.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::Error;
use syn::ext::IdentExt;

use crate::annotated::Annotated;
use crate::embed::Embedded;
use crate::entry::{self, Given};
use crate::given;
use crate::options::{self, Options};
use crate::tokens::split_inner_attributes;

/// Expands `#[tune(options)] item`. Whatever is wrong, the item itself is emitted, so that one error
/// does not become many.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let item = given::kept_together(item);
    let (options, option_error) = options::parse(options);
    match syn::parse2::<Annotated>(item.clone()) {
        Ok(function) if options.kernel.is_some() => kernel(&function, &options),
        Ok(function) => tune(&function, &options, option_error),
        Err(error) => {
            let error = error.to_compile_error();
            let option_error = option_error.map(|error| error.to_compile_error());
            quote!(#option_error #error #item)
        }
    }
}

/// Expands `tuned_loop!("name", options)` to an expression.
pub(crate) fn tuned_loop(input: TokenStream) -> TokenStream {
    let (name, options) = match syn::parse2::<options::OfLoop>(input) {
        Ok(options::OfLoop { name, options }) => (name, options),
        Err(error) => return error.to_compile_error(),
    };
    let (embedded, error) = Embedded::read();
    let error = error.map(|error| error.to_compile_error());
    let value = name.value();
    let entries = embedded.entries(&expansion(&options), |entry| entry == value);
    let made = new_loop(&options, Some(&embedded.tracking), &quote!(#name), &entries);
    quote!({ #error #made })
}

/// The function as it is, sampled while recording, and beside it the loop of which it is one item.
fn kernel(function: &Annotated, options: &Options) -> TokenStream {
    let (embedded, error) = Embedded::read();
    let error = error.map(|error| error.to_compile_error());
    let expansion = expansion(options);
    let Named { name, entries } = Named::new(function, options, &embedded, 0);
    let made = new_loop(options, Some(&embedded.tracking), &name, &entries);
    let (inner_attributes, statements) = split_inner_attributes(function.body.stream());
    let sample = Ident::new("_sample", Span::mixed_site());
    let tuned = function.with_body(quote! {
        #inner_attributes
        let #sample = #expansion::Sample::start(#name);
        #statements
    });
    let Annotated { conditions, visibility, name: function_name, .. } = function;
    let carrier = function_name.unraw().to_string().to_uppercase();
    if *function_name == carrier {
        let message = "the constant of a kernel has its name in capitals: this function needs a name in small letters";
        let error = Error::new(function_name.span(), message).to_compile_error();
        return quote!(#error #tuned);
    }
    let carrier = Ident::new(&carrier, function_name.span());
    let doc = format!("The loop of which one item is [`{function_name}`].");
    quote! {
        #error
        #tuned

        #(#conditions)*
        #[doc = #doc]
        #[allow(dead_code)]
        #visibility const #carrier: &#expansion::Loop = {
            static LOOP: #expansion::Loop = #made;
            &LOOP
        };
    }
}

fn tune(function: &Annotated, options: &Options, mut error: Option<Error>) -> TokenStream {
    let cost = Ident::new("__amorsize_cost", Span::mixed_site());
    let at_cost = options.cost.is_some().then_some(&cost);
    let expansion = expansion(options);
    let facade = facade(options);
    // The user's imports of rayon's traits stay in use, see `nothing`.
    let imports = quote! {
        const _: () = {
            fn __amorsize_imports() {
                use #expansion::NotImported as _;
                let _ = #expansion::nothing().interleave_shortest(#expansion::nothing());
                let _ = #expansion::nothing().panic_fuse();
            }
        };
    };
    let given = Given {
        skip: &options.skipped(),
        cost: at_cost,
        facade: &facade,
        expansion: &expansion,
        returned: &function.returned,
        imports: &imports,
    };
    let body = entry::tune(function.body.stream(), &given);
    let (embedded, profile_error) = Embedded::read();
    // Options that cannot be read may have said that this is a kernel.
    let nothing_found = (body.loops.is_empty() && error.is_none()).then(|| {
        if body.found > 0 {
            let message = "all parallel loops of this function are skipped: drop the attribute";
            return Error::new(function.name.span(), message);
        }
        Error::new(
            function.name.span(),
            "`#[tune]` found no parallel loop in this function: expected a call such as `.par_iter()`, \
             `.into_par_iter()`, `.par_chunks(k)` or `amorsize::join(…)` written in its body, or \
             `amorsize::tuned!(…)` around anything else that makes a parallel iterator",
        )
    });
    let beyond = options
        .skip
        .iter()
        .flatten()
        .find(|number| number.base10_parse::<usize>().is_ok_and(|number| number > body.found));
    let beyond = beyond.map(|number| {
        let found = body.found;
        Error::new(number.span(), format!("no such loop: the function has {found}"))
    });
    let only_joins = body.found > 0 && body.found == body.joins;
    let without_effect = options.about_items().filter(|_| only_joins).map(|option| {
        Error::new(
            function.name.span(),
            format!(
                "option `{option}` is about the items of loops: this function has none, only `join`"
            ),
        )
    });
    for other in [profile_error, nothing_found, beyond, without_effect].into_iter().flatten() {
        match &mut error {
            None => error = Some(other),
            Some(first) => first.combine(other),
        }
    }
    let statics = body.loops.iter().map(|&index| {
        // One loop is enough to make the profile an input of the build.
        let tracking = (Some(&index) == body.loops.first()).then_some(&embedded.tracking);
        loop_static(function, options, &embedded, index, tracking)
    });
    let (inner_attributes, statements) = split_inner_attributes(body.tokens);
    let imports = (body.found > body.joins).then(|| {
        quote! {
            use #expansion::{
                AnyKind as _, AnyOperand as _, IntoSlot as _, NoOperand as _, NoRange as _, Unmarked as _, Untuned as _,
            };
            #imports
        }
    });
    // Once, before the body can move or shadow what it is computed from.
    let cost = options.cost.as_ref().map(|expression| {
        quote! {
            let #cost = #expression;
            #[allow(clippy::cast_lossless, clippy::cast_precision_loss, clippy::unnecessary_cast)]
            let #cost = #cost as ::core::primitive::f64;
        }
    });
    let tuned = function.with_body(quote! {
        #inner_attributes
        #imports
        #(#statics)*
        #cost
        #statements
    });
    let error = error.map(|error| error.to_compile_error());
    quote!(#error #tuned)
}

/// The path of what expansions may use.
fn expansion(options: &Options) -> TokenStream {
    match &options.facade {
        Some(path) => quote!(#path::expansion),
        None => quote!(::amorsize::expansion),
    }
}

/// The name under which the function calls the facade.
fn facade(options: &Options) -> Ident {
    let last = options.facade.as_ref().and_then(|path| path.segments.last());
    last.map_or_else(|| Ident::new("amorsize", Span::call_site()), |segment| segment.ident.clone())
}

/// A loop's name, and the profile's entries among which it is looked up.
struct Named {
    name: TokenStream,
    entries: TokenStream,
}

impl Named {
    fn new(function: &Annotated, options: &Options, embedded: &Embedded, index: usize) -> Self {
        let expansion = expansion(options);
        let suffix = if index == 0 { String::new() } else { format!("#{}", index + 1) };
        if let Some(given) = &options.name {
            let name = given.value() + &suffix;
            let entries = embedded.entries(&expansion, |entry| entry == name);
            return Named { name: quote!(#name), entries };
        }
        // A macro does not know its module: all functions of this name are candidates.
        let tail = format!("::{}{suffix}", function.name.unraw());
        let entries = embedded.entries(&expansion, |entry| entry.ends_with(&tail));
        Named { name: quote!(::core::concat!(::core::module_path!(), #tail)), entries }
    }
}

/// The static that carries one loop of the function.
fn loop_static(
    function: &Annotated,
    options: &Options,
    embedded: &Embedded,
    index: usize,
    tracking: Option<&TokenStream>,
) -> TokenStream {
    let expansion = expansion(options);
    let Named { name, entries } = Named::new(function, options, embedded, index);
    // Within a static's initialiser the bytes are read and dropped, and the user's statements stay the
    // first ones of the body.
    let made = new_loop(options, tracking, &name, &entries);
    let loop_static = entry::loop_static(index);
    quote!(static #loop_static: #expansion::Loop = #made;)
}

/// A constant expression that makes a loop, its entries selected by its full name.
fn new_loop(
    options: &Options,
    tracking: Option<&TokenStream>,
    name: &TokenStream,
    entries: &TokenStream,
) -> TokenStream {
    let expansion = expansion(options);
    let some = |name: &str, value: Option<TokenStream>| {
        let name = Ident::new(name, Span::call_site());
        value.map(|value| quote!(#name: ::core::option::Option::Some(#value),))
    };
    let yes = |name: &str, given: Option<()>| {
        let name = Ident::new(name, Span::call_site());
        given.map(|()| quote!(#name: true,))
    };
    let max_workers = some("max_workers", options.max_workers.map(|n| quote!(#n)));
    let chunk = some("chunk", options.chunk.map(|n| quote!(#n)));
    let chunk_ns = some("chunk_ns", options.chunk_time.map(|n| quote!(#n)));
    let deterministic = yes("deterministic", options.deterministic);
    let on_pool = yes("on_pool", options.on_pool);
    let io = yes("io", options.io);
    let memory_bytes = some("memory_bytes", options.memory.map(|n| quote!(#n)));
    let memory_permille = some("memory_permille", options.memory_fraction.map(|n| quote!(#n)));
    let respect_load = yes("respect_load", options.respect_load);
    quote! {
        {
            #tracking
            const NAME: &::core::primitive::str = #name;
            // Item times are facts of optimised builds.
            const PROFILED: &[#expansion::Profiled] =
                if ::core::cfg!(debug_assertions) { &[] } else { #entries };
            #[allow(clippy::needless_update)]
            const OPTIONS: #expansion::Options = #expansion::Options {
                #max_workers #chunk #chunk_ns #deterministic #on_pool #io
                #memory_bytes #memory_permille #respect_load
                ..#expansion::Options::NONE
            };
            #expansion::Loop::new(NAME, OPTIONS, #expansion::select(PROFILED, NAME))
        }
    }
}
