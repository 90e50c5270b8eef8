//! The attribute `#[tune]` of Amorsize. Programs use it through the facade `amorsize`, whose
//! documentation explains it.
//!
//! A function's signature is parsed, its body stays tokens: entry calls of rayon are found by name,
//! and the calls that make a loop tuned are inserted behind them.

mod annotated;
mod embed;
mod entry;
mod expand;
mod options;

use proc_macro::TokenStream;

/// Tunes the parallel loops of a function.
///
/// See the documentation of the crate `amorsize`.
#[proc_macro_attribute]
pub fn tune(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(options.into(), item.into()).into()
}
