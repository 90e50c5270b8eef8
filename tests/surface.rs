//! That nothing of rayon's is forgotten: every method of its two traits is accounted for here, and every
//! method that starts a parallel iterator is known to the attribute. A release of rayon with a new one
//! fails these tests.

use std::any::type_name_of_val;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use amorsize::{Loop, Tune};
use rayon::prelude::*;
use syn::visit::Visit;

static LOOP: Loop = amorsize::tuned_loop!("surface");

/// The type of an adaptor's result, by the adaptor's name.
macro_rules! types {
    ($base:expr; $($name:ident($($argument:expr),*)),* $(,)?) => {
        [$((stringify!($name), type_name_of_val(&$base.$name($($argument),*)))),*]
    };
}

/// Adaptors after which a tuned iterator is still tuned, items for items.
fn rewrapped() -> Vec<(&'static str, &'static str)> {
    let xs = [1_u32, 2, 3];
    let ys = || [4_u32, 5, 6].into_par_iter();
    let by_value = types![xs.into_par_iter().tuned(&LOOP);
        map(|x| x), map_with(0, |_, x| x), map_init(|| 0, |_, x| x), inspect(|_| ()), update(|_| ()),
        enumerate(), rev(), skip(1), take(1), step_by(1), chunks(1), with_min_len(1), with_max_len(1),
        panic_fuse(), zip(ys()), zip_eq(ys()), chain(ys()), interleave(ys()),
        interleave_shortest(ys()), fold_chunks(1, || 0, |a, b| a + b),
        fold_chunks_with(1, 0, |a, b| a + b),
    ];
    let by_reference = types![xs.par_iter().tuned(&LOOP); cloned(), copied()];
    by_value.into_iter().chain(by_reference).collect()
}

/// Adaptors that become stages on the standard iterator of each chunk.
fn staged() -> Vec<(&'static str, &'static str)> {
    let xs = [1_u32, 2, 3];
    let first = types![xs.into_par_iter().tuned(&LOOP);
        filter(|_| true), filter_map(Some), flat_map_iter(|x| [x, x]),
    ];
    let nested = types![[[1], [2]].into_par_iter().tuned(&LOOP); flatten_iter()];
    // Those that stay items for items become stages after another stage.
    let further = types![xs.into_par_iter().tuned(&LOOP).filter(|_| true);
        map(|x| x), inspect(|_| ()), update(|_| ()),
    ];
    let references = types![xs.par_iter().tuned(&LOOP).filter(|_| true); cloned(), copied()];
    for (name, made) in further.into_iter().chain(references) {
        assert!(made.starts_with("amorsize_runtime::stage::Staged<"), "{name}: {made}");
    }
    first.into_iter().chain(nested).collect()
}

/// What hands its consumer, wrapped, to the iterator it is called on: that iterator's plan holds.
const CONSUMER_STYLE: &[&str] = &[
    "flat_map",
    "flatten",
    "fold",
    "fold_with",
    "intersperse",
    "positions",
    "skip_any",
    "skip_any_while",
    "take_any",
    "take_any_while",
    "try_fold",
    "try_fold_with",
    "while_some",
];

/// What consumes the iterator it is called on.
const CONSUMERS: &[&str] = &[
    "all",
    "any",
    "collect",
    "collect_into_vec",
    "collect_vec_list",
    "count",
    "find",
    "find_any",
    "find_first",
    "find_last",
    "find_map_any",
    "find_map_first",
    "find_map_last",
    "for_each",
    "for_each_init",
    "for_each_with",
    "max",
    "max_by",
    "max_by_key",
    "min",
    "min_by",
    "min_by_key",
    "partition",
    "partition_map",
    "product",
    "reduce",
    "reduce_with",
    "sum",
    "try_for_each",
    "try_for_each_init",
    "try_for_each_with",
    "try_reduce",
    "try_reduce_with",
    "unzip",
    "unzip_into_vecs",
];

/// Consumers that rayon puts together from adaptors: `Tuned` does so itself, so that it stays outermost,
/// or they follow from those where it does.
const COMPOSED: &[&str] = &[
    "cmp",
    "eq",
    "ge",
    "gt",
    "le",
    "lt",
    "ne",
    "partial_cmp",
    "position",
    "position_any",
    "position_first",
    "position_last",
];

/// Rayon cuts these into blocks of its own, one after the other; it runs them.
const LEFT_TO_RAYON: &[&str] = &["by_exponential_blocks", "by_uniform_blocks"];

const PLUMBING: &[&str] = &["drive", "drive_unindexed", "len", "opt_len", "with_producer"];

#[test]
fn adaptors_stay_tuned() {
    for (name, made) in rewrapped() {
        assert!(made.starts_with("amorsize_runtime::tuned::Tuned<"), "{name}: {made}");
    }
    for (name, made) in staged() {
        assert!(made.starts_with("amorsize_runtime::stage::Staged<"), "{name}: {made}");
    }
}

#[test]
fn every_method_of_rayon_s_traits_is_accounted_for() {
    let (rewrapped, staged) = (rewrapped(), staged());
    let by_type = rewrapped.iter().chain(&staged).map(|(name, _)| *name);
    let by_list = [CONSUMER_STYLE, CONSUMERS, COMPOSED, LEFT_TO_RAYON, PLUMBING].concat();
    let known: BTreeSet<String> = by_type.chain(by_list).map(str::to_owned).collect();
    let mut methods = Methods::default();
    methods.read(&rayon().join("src/iter/mod.rs"), |name| {
        name == "ParallelIterator" || name == "IndexedParallelIterator"
    });
    assert_eq!(methods.names, known);
}

#[test]
fn every_method_that_starts_a_parallel_iterator_is_an_entry_call() {
    // These do something in place, or end an iterator.
    let others =
        ["par_extend", "par_sort", "par_sort_by", "par_sort_by_key", "par_sort_by_cached_key"];
    let unstable = ["par_sort_unstable", "par_sort_unstable_by", "par_sort_unstable_by_key"];
    let inherent_in_traits = ["as_parallel_slice", "as_parallel_slice_mut", "as_parallel_string"];
    let not_entries: BTreeSet<&str> =
        others.into_iter().chain(unstable).chain(inherent_in_traits).collect();
    let mut methods = Methods::default();
    for file in ["iter/mod.rs", "slice/mod.rs", "str.rs"] {
        methods.read(&rayon().join("src").join(file), |name| {
            name != "ParallelIterator" && name != "IndexedParallelIterator"
        });
    }
    let entry_calls = list_of_the_macro("ENTRY_CALLS");
    let starts = |name: &&String| name.starts_with("par_") || name.starts_with("into_par_");
    let missing: Vec<&String> = methods
        .names
        .iter()
        .filter(starts)
        .filter(|name| !not_entries.contains(name.as_str()))
        .filter(|name| !entry_calls.contains(*name))
        .collect();
    assert!(methods.names.contains("par_chunks") && missing.is_empty(), "{missing:?}");
}

#[test]
fn every_method_that_ends_a_parallel_iterator_is_an_ending_call() {
    let ending: BTreeSet<String> =
        [CONSUMERS, COMPOSED].concat().into_iter().map(str::to_owned).collect();
    assert_eq!(list_of_the_macro("ENDING_CALLS"), ending);
}

/// The names in a constant of the macro's.
fn list_of_the_macro(constant: &str) -> BTreeSet<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("amorsize-macros/src/entry.rs");
    let text = fs::read_to_string(file).expect("the macro's lists");
    let list = text.split(&format!("const {constant}: &[&str] = &[")).nth(1).expect("the list");
    let names = list.split("];").next().expect("its end").split(',').map(str::trim);
    names.filter(|name| !name.is_empty()).map(|name| name.trim_matches('"').to_owned()).collect()
}

/// The sources of the version of rayon that is built here.
fn rayon() -> PathBuf {
    let metadata = cargo_metadata::MetadataCommand::new().exec().expect("cargo metadata");
    let package = metadata.packages.iter().find(|package| package.name == "rayon");
    let manifest = &package.expect("a dependency on rayon").manifest_path;
    manifest.parent().expect("a folder").as_std_path().to_owned()
}

/// Names of the methods of some traits.
#[derive(Default)]
struct Methods {
    names: BTreeSet<String>,
}

impl Methods {
    /// Adds those of the public traits in `file` whose names are `wanted`.
    fn read(&mut self, file: &Path, wanted: impl Fn(&str) -> bool) {
        struct Traits<'a>(&'a mut BTreeSet<String>, &'a dyn Fn(&str) -> bool);
        impl<'ast> Visit<'ast> for Traits<'_> {
            fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
                let public = matches!(item.vis, syn::Visibility::Public(_));
                if !public || !(self.1)(&item.ident.to_string()) {
                    return;
                }
                for item in &item.items {
                    if let syn::TraitItem::Fn(method) = item {
                        self.0.insert(method.sig.ident.to_string());
                    }
                }
            }
        }
        let text = fs::read_to_string(file).expect("rayon's source");
        let parsed = syn::parse_file(&text).expect("Rust");
        Traits(&mut self.names, &wanted).visit_file(&parsed);
    }
}
