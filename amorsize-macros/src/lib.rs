//! The attribute `#[tune]` of Amorsize. Programs use it through the facade `amorsize`, whose
//! documentation explains it.
//!
//! A function's signature is parsed, its body stays tokens: entry calls of rayon are found by name,
//! and the calls that make a loop tuned are inserted behind them.

mod annotated;
mod collects;
mod embed;
mod entry;
mod expand;
mod given;
mod options;
mod tokens;

use proc_macro::TokenStream;

/// Makes a loop for `.tuned(&LOOP)`, where there is no annotated function.
///
/// See the documentation of the crate `amorsize`.
#[proc_macro]
pub fn tuned_loop(input: TokenStream) -> TokenStream {
    expand::tuned_loop(input.into()).into()
}

/// Marks an entry call that `#[tune]` does not see. Only the attribute gives it a meaning.
///
/// See the documentation of the crate `amorsize`.
#[proc_macro]
pub fn tuned(_: TokenStream) -> TokenStream {
    let message = "`tuned!` marks a parallel loop inside a function under `#[tune]`; elsewhere, call \
                   `.tuned(&LOOP)` with a `static LOOP` from `tuned_loop!`";
    syn::Error::new(proc_macro2::Span::call_site(), message).to_compile_error().into()
}

/// Tunes the parallel loops of a function.
///
/// See the documentation of the crate `amorsize`.
#[proc_macro_attribute]
pub fn tune(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(options.into(), item.into()).into()
}
