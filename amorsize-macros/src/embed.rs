//! What is compiled in of the profile.

use std::path::PathBuf;

use amorsize_profile::{FILE_NAME, LoopEntry, MachineFacts, Profile, ReadError, without_type};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

/// The package's profile as far as one function needs it.
pub(crate) struct Embedded {
    /// The statement that makes cargo rebuild when the profile changes; it may stand where constants are
    /// evaluated.
    pub(crate) tracking: TokenStream,
    profile: Profile,
}

impl Embedded {
    /// Reads the profile beside the `Cargo.toml` of the package that is being built.
    pub(crate) fn read() -> (Self, Option<syn::Error>) {
        // Set by cargo; whoever calls rustc by hand builds without a profile.
        let Some(package) = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from) else {
            return (Embedded { tracking: quote!(), profile: Profile::default() }, None);
        };
        match Profile::load(&package.join(FILE_NAME)) {
            Ok(Some(profile)) => (Embedded { tracking: track(FILE_NAME), profile }, None),
            // A file that is not there cannot be tracked. Whoever adds a profile also adds a table
            // to `Cargo.toml`, which can.
            Ok(None) => {
                (Embedded { tracking: track("Cargo.toml"), profile: Profile::default() }, None)
            }
            Err(error) => {
                let embedded = Embedded { tracking: track(FILE_NAME), profile: Profile::default() };
                (embedded, Some(compile_error(&error)))
            }
        }
    }

    /// The entries of all loops whose names `concerns` accepts, as literals. Those of one loop, for items
    /// of any type, stand together.
    pub(crate) fn entries(
        &self,
        expansion: &TokenStream,
        concerns: impl Fn(&str) -> bool,
    ) -> TokenStream {
        let mut entries: Vec<_> = self
            .profile
            .machines
            .iter()
            .flat_map(|(class, section)| {
                section.loops.iter().map(move |(name, entry)| (name, class, section.facts, entry))
            })
            .filter(|(name, ..)| concerns(without_type(name)))
            .collect();
        entries.sort_by_key(|&(name, class, ..)| (without_type(name), name, class));
        let entries = entries
            .iter()
            .map(|(name, class, machine, entry)| literal(expansion, name, class, machine, entry));
        quote!(&[#(#entries),*])
    }
}

fn literal(
    expansion: &TokenStream,
    name: &str,
    class: &str,
    machine: &MachineFacts,
    entry: &LoopEntry,
) -> TokenStream {
    let machine_names = MachineFacts::NAMES.map(|name| Ident::new(name, Span::call_site()));
    let machine_numbers = machine.to_array();
    let facts = entry.facts;
    let amorsize_profile::LoopFacts { item_ns, item_growth, item_cv, piece_ns, .. } = facts;
    let amorsize_profile::LoopFacts { reduce_ns, reduce_growth, contention, .. } = facts;
    let amorsize_profile::LoopFacts { coherency, imbalance, cpu_share, .. } = facts;
    let cpu_share = match cpu_share {
        Some(cpu_share) => quote!(::core::option::Option::Some(#cpu_share)),
        None => quote!(::core::option::Option::None),
    };
    let parallel_from = match entry.parallel_from {
        // A length beyond what this target can address is never reached.
        Some(n) => {
            // Calls are compared by units of work.
            let n = (n as f64 * entry.plan.cost) as u64;
            let n = u32::try_from(n).map_or(quote!(usize::MAX), |n| quote!(#n as usize));
            quote!(#n)
        }
        None => quote!(usize::MAX),
    };
    let task_bytes = match entry.memory {
        Some(memory) => {
            let bytes = memory.bytes;
            quote!(::core::option::Option::Some(#bytes))
        }
        None => quote!(::core::option::Option::None),
    };
    quote! {
        #expansion::Profiled {
            name: #name,
            class: #class,
            machine: #expansion::MachineFacts {
                #(#machine_names: #machine_numbers,)*
            },
            item: #expansion::LoopFacts {
                item_ns: #item_ns,
                item_growth: #item_growth,
                item_cv: #item_cv,
                piece_ns: #piece_ns,
                reduce_ns: #reduce_ns,
                reduce_growth: #reduce_growth,
                contention: #contention,
                coherency: #coherency,
                imbalance: #imbalance,
                cpu_share: #cpu_share,
            },
            parallel_from: #parallel_from,
            task_bytes: #task_bytes,
        }
    }
}

/// Names a file of the package as an input of the build. The bytes themselves are not kept.
fn track(file: &str) -> TokenStream {
    let file = format!("/{file}");
    quote! {
        let _ = ::core::include_bytes!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), #file));
    }
}

fn compile_error(error: &ReadError) -> syn::Error {
    syn::Error::new(Span::call_site(), format!("{error}\nhint: {}", error.hint()))
}
