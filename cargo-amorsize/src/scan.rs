//! Finds the annotated functions of a package by reading its sources, without building it.
//!
//! What a scan cannot see: which `#[cfg]` holds, what macros expand to, and files that are generated or that
//! it cannot read. Functions under a `#[cfg]` are found and marked; macros that mention the attribute, and such files, are
//! noted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use amorsize_profile::without_type;
use cargo_metadata::{Package, Target, TargetKind};
use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::annotation::{self, Options};
use crate::error::{Error, Result};
use crate::{project, tokens};

/// An annotated function in the sources.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    /// The name of its first loop; the others have `#2`, `#3` … appended.
    pub(crate) name: String,
    /// The source file, relative to the package where it lies inside.
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    /// Hash of its tokens.
    pub(crate) tokens: String,
    /// It, or a module around it, is under a `#[cfg]`.
    pub(crate) conditional: bool,
    /// It belongs to a bench, a test, an example or a `#[cfg(test)]` module: measured when reached, never missed.
    pub(crate) auxiliary: bool,
    /// The options of the attribute that bear on plans.
    pub(crate) options: Options,
}

impl Function {
    /// `src/lib.rs:12`
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.line)
    }
}

/// What a scan found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// By the name of the first loop. Several functions have one name only as `#[cfg]` alternatives.
    pub(crate) functions: BTreeMap<String, Vec<Function>>,
    /// Places where a macro mentions the attribute.
    pub(crate) unseen: Vec<String>,
    /// Files that could not be read, and why.
    pub(crate) unread: Vec<String>,
}

impl Scan {
    /// Scans all targets of a package.
    pub(crate) fn of(package: &Package) -> Result<Self> {
        let root = project::folder_of(package);
        let mut scan = Scan::default();
        for target in &package.targets {
            if !target.kind.contains(&TargetKind::CustomBuild) {
                scan.target(root, target)?;
            }
        }
        for noted in [&mut scan.unseen, &mut scan.unread] {
            noted.sort();
            noted.dedup();
        }
        Ok(scan)
    }

    fn target(&mut self, root: &Path, target: &Target) -> Result<()> {
        let is_auxiliary =
            |kind| matches!(kind, &TargetKind::Bench | &TargetKind::Test | &TargetKind::Example);
        let auxiliary = target.kind.iter().any(is_auxiliary);
        let source = target.src_path.as_std_path();
        let mut walker = Walker {
            scan: self,
            root,
            file: source.to_owned(),
            children: parent(source),
            inline: false,
            modules: vec![target.name.replace('-', "_")],
            conditional: false,
            auxiliary,
            failed: None,
        };
        walker.source_file();
        match walker.failed {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// The function that a loop of the profile belongs to.
    pub(crate) fn function_of(&self, loop_name: &str) -> Option<&[Function]> {
        self.functions.get(base_name(loop_name)).map(Vec::as_slice)
    }

    /// What it could not see, as warnings.
    pub(crate) fn doubts(&self) -> impl Iterator<Item = String> {
        let unseen = self.unseen.iter().map(|place| {
            format!("a macro at {place} mentions `tune`; what it expands to is not checked")
        });
        let unread = self.unread.iter().map(|file| format!("not looked at: {file}"));
        unseen.chain(unread)
    }

    /// Whether nothing is annotated anywhere, as far as all of it could be looked at.
    pub(crate) fn has_nothing(&self) -> bool {
        self.functions.is_empty() && self.unseen.is_empty() && self.unread.is_empty()
    }

    /// Whether there is nothing annotated in what is shipped, nor any macro that might annotate something.
    pub(crate) fn is_empty(&self) -> bool {
        self.unseen.is_empty()
            && self.functions.values().flatten().all(|function| function.auxiliary)
    }

    /// Whether the package has the function that a loop of its profile belongs to, by these tokens, or may have it: what macros
    /// expand to is not seen.
    pub(crate) fn has(&self, loop_name: &str, tokens: &str) -> bool {
        let may_have = tokens == tokens::of_unseen() || !self.unread.is_empty();
        may_have || self.function_of(loop_name).is_some()
    }

    fn add(&mut self, function: Function) -> Result<()> {
        let same_name = self.functions.entry(function.name.clone()).or_default();
        for other in same_name.iter() {
            if other.place() == function.place() {
                return Ok(());
            }
            if !other.conditional && !function.conditional {
                return Err(Error::NameCollision {
                    name: function.name.clone(),
                    first: other.place(),
                    second: function.place(),
                });
            }
        }
        same_name.push(function);
        Ok(())
    }
}

/// A loop's name without the type of its items, and without `#2`, `#3` …
pub(crate) fn base_name(loop_name: &str) -> &str {
    let loop_name = without_type(loop_name);
    match loop_name.rsplit_once('#') {
        Some((base, number)) if number.parse::<u32>().is_ok() => base,
        _ => loop_name,
    }
}

struct Walker<'a> {
    scan: &'a mut Scan,
    /// Folder of the package.
    root: &'a Path,
    /// The file being read.
    file: PathBuf,
    /// Where the files of modules declared here lie.
    children: PathBuf,
    /// Inside a `mod name { … }`.
    inline: bool,
    /// Crate and modules, outermost first.
    modules: Vec<String>,
    conditional: bool,
    auxiliary: bool,
    failed: Option<Error>,
}

impl Walker<'_> {
    fn source_file(&mut self) {
        let parsed = std::fs::read_to_string(&self.file)
            .map_err(|error| error.to_string())
            .and_then(|text| {
                // As the compiler reads it: a literal over several lines has one hash on all systems.
                syn::parse_file(&text.replace("\r\n", "\n")).map_err(|error| {
                    let start = error.span().start();
                    format!("line {}, column {}: {error}", start.line, start.column + 1)
                })
            });
        match parsed {
            Ok(file) => self.under(&file.attrs, |walker| walker.visit_file(&file)),
            Err(message) => {
                self.scan.unread.push(format!("{}: {message}", self.shown().display()));
            }
        }
    }

    fn fail(&mut self, error: Error) {
        self.failed.get_or_insert(error);
    }

    fn shown(&self) -> PathBuf {
        self.file.strip_prefix(self.root).unwrap_or(&self.file).to_owned()
    }

    fn function(&mut self, attributes: &[syn::Attribute], name: &syn::Ident, item: TokenStream) {
        let Some(options) = annotation::find(attributes) else {
            return;
        };
        let path = || format!("{}::{}", self.modules.join("::"), name.unraw());
        let function = Function {
            name: options.name.clone().unwrap_or_else(path),
            file: self.shown(),
            line: name.span().start().line,
            tokens: tokens::hash(item),
            conditional: self.conditional || annotation::is_conditional(attributes),
            auxiliary: self.auxiliary || annotation::is_for_tests(attributes),
            options,
        };
        if let Err(error) = self.scan.add(function) {
            self.fail(error);
        }
    }

    /// A `tuned_loop!("name", options)`.
    fn tuned_loop(&mut self, mac: &syn::Macro) {
        let first = mac.tokens.clone().into_iter().next();
        let Some(Ok(name)) = first.map(|name| syn::parse2::<syn::LitStr>(name.into())) else {
            return;
        };
        let function = Function {
            name: name.value(),
            file: self.shown(),
            line: name.span().start().line,
            tokens: tokens::hash(mac.tokens.clone()),
            conditional: self.conditional,
            auxiliary: self.auxiliary,
            options: annotation::options(mac.tokens.clone()),
        };
        if let Err(error) = self.scan.add(function) {
            self.fail(error);
        }
    }

    /// Visits what `visit` visits with the conditions of `attributes` in force.
    fn under(&mut self, attributes: &[syn::Attribute], visit: impl FnOnce(&mut Self)) {
        let outside = (self.conditional, self.auxiliary);
        self.conditional |= annotation::is_conditional(attributes);
        self.auxiliary |= annotation::is_for_tests(attributes);
        visit(self);
        (self.conditional, self.auxiliary) = outside;
    }

    fn module(&mut self, module: &syn::ItemMod) {
        let name = module.ident.unraw().to_string();
        let given: Vec<String> = annotation::paths(&module.attrs);
        if module.content.is_some() {
            let folder = match given.first() {
                Some(path) => self.base_of_paths().join(path),
                None => self.children.join(&name),
            };
            let children = std::mem::replace(&mut self.children, folder);
            let inline = std::mem::replace(&mut self.inline, true);
            visit::visit_item_mod(self, module);
            self.children = children;
            self.inline = inline;
            return;
        }
        // Under `#[cfg_attr(…, path = …)]` any of the files may be the one.
        let mut files: Vec<(PathBuf, bool)> =
            given.iter().map(|path| (self.base_of_paths().join(path), true)).collect();
        files.push((self.children.join(format!("{name}.rs")), false));
        files.push((self.children.join(&name).join("mod.rs"), true));
        let Some((file, like_mod_rs)) = files.into_iter().find(|(file, _)| file.is_file()) else {
            if !self.conditional {
                self.scan.unread.push(format!(
                    "no file for the module `{name}`, declared in {}",
                    self.shown().display()
                ));
            }
            return;
        };
        let children = if like_mod_rs { parent(&file) } else { self.children.join(&name) };
        let outside = (
            std::mem::replace(&mut self.file, file),
            std::mem::replace(&mut self.children, children),
            std::mem::replace(&mut self.inline, false),
        );
        self.source_file();
        (self.file, self.children, self.inline) = outside;
    }

    /// An `include!("file.rs")` of items, which belong to the module around it.
    fn included(&mut self, mac: &syn::Macro) {
        let Ok(name) = mac.parse_body::<syn::LitStr>() else { return };
        let file = parent(&self.file).join(name.value());
        // Of what holds an expression, nobody expects to be told.
        let is_of_items =
            std::fs::read_to_string(&file).is_ok_and(|text| syn::parse_file(&text).is_ok());
        if !is_of_items || file == self.file {
            return;
        }
        let file = std::mem::replace(&mut self.file, file);
        self.source_file();
        self.file = file;
    }

    /// What `#[path]` is relative to: the file's folder, or inside inline modules theirs.
    fn base_of_paths(&self) -> PathBuf {
        if self.inline { self.children.clone() } else { parent(&self.file) }
    }
}

impl<'ast> Visit<'ast> for Walker<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.under(&module.attrs, |walker| {
            walker.modules.push(module.ident.to_string());
            walker.module(module);
            walker.modules.pop();
        });
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.attrs, &item.sig.ident, item.to_token_stream());
        self.under(&item.attrs, |walker| visit::visit_item_fn(walker, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.attrs, &item.sig.ident, item.to_token_stream());
        self.under(&item.attrs, |walker| visit::visit_impl_item_fn(walker, item));
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.function(&item.attrs, &item.sig.ident, item.to_token_stream());
        self.under(&item.attrs, |walker| visit::visit_trait_item_fn(walker, item));
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        self.under(&item.attrs, |walker| visit::visit_item_impl(walker, item));
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.under(&item.attrs, |walker| visit::visit_item_trait(walker, item));
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        if mac.path.segments.last().is_some_and(|segment| segment.ident == "tuned_loop") {
            self.tuned_loop(mac);
        }
        if mac.path.is_ident("include") {
            self.included(mac);
        }
        for name in declared_modules(mac.tokens.clone()) {
            // Whether the macro keeps it is not known.
            let declared: syn::ItemMod = syn::parse_quote!(#[cfg(any())] mod #name;);
            self.visit_item_mod(&declared);
        }
        if mentions_attribute(mac.tokens.clone()) {
            let line = mac.path.span().start().line;
            self.scan.unseen.push(format!("{}:{line}", self.shown().display()));
        }
    }
}

/// The names in all `mod name;` of these tokens, as in `cfg_if! { … }`.
fn declared_modules(stream: TokenStream) -> Vec<syn::Ident> {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut names = Vec::new();
    for three in tokens.windows(3) {
        if let [TokenTree::Ident(keyword), TokenTree::Ident(name), TokenTree::Punct(end)] = three
            && keyword == "mod"
            && end.as_char() == ';'
        {
            names.push(name.clone());
        }
    }
    for token in tokens {
        if let TokenTree::Group(group) = token {
            names.extend(declared_modules(group.stream()));
        }
    }
    names
}

/// Whether tokens hold an attribute whose path ends in `tune`, `#[$crate::tune]` and what is inside `cfg_attr` included.
fn mentions_attribute(stream: TokenStream) -> bool {
    let mut after_hash = false;
    stream.into_iter().any(|token| {
        let was_after_hash = after_hash;
        after_hash = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '#');
        let TokenTree::Group(group) = token else {
            return false;
        };
        if was_after_hash {
            names_attribute(group.stream())
        } else {
            mentions_attribute(group.stream())
        }
    })
}

/// Whether what is inside an attribute's brackets is `tune` or `cfg_attr(…, tune)`.
fn names_attribute(inside: TokenStream) -> bool {
    // Of `$crate`, the parser knows nothing.
    let inside: TokenStream = inside
        .into_iter()
        .filter(|token| !matches!(token, TokenTree::Punct(punct) if punct.as_char() == '$'))
        .collect();
    let attributes = syn::Attribute::parse_outer.parse2(quote!(#[#inside]));
    attributes.is_ok_and(|attributes| annotation::find(&attributes).is_some())
}

fn parent(file: &Path) -> PathBuf {
    file.parent().map_or_else(PathBuf::new, Path::to_owned)
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
