//! Tests of the scan, on sources written to a folder with a space in its name.

use super::*;

struct Sources(tempfile::TempDir);

impl Sources {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("a b").tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        Sources(folder)
    }

    fn scan(&self) -> Result<Scan> {
        let mut scan = Scan::default();
        let mut walker = Walker {
            scan: &mut scan,
            root: self.0.path(),
            file: self.0.path().join("src/lib.rs"),
            children: self.0.path().join("src"),
            inline: false,
            modules: vec!["demo".into()],
            conditional: false,
            auxiliary: false,
            failed: None,
        };
        walker.source_file();
        match walker.failed {
            Some(error) => Err(error),
            None => Ok(scan),
        }
    }

    fn names(&self) -> Vec<String> {
        self.scan().expect("sources that can be scanned").functions.into_keys().collect()
    }
}

#[test]
fn kernels_and_loops_with_names_of_their_own_are_found() {
    let sources = Sources::new(&[(
        "src/lib.rs",
        "#[amorsize::tune(kernel)] fn item(x: u32) -> u32 { x }
         static LOOP: Loop = amorsize::tuned_loop!(\"by hand\", io, max_workers = 3);
         fn f() { static INNER: Loop = tuned_loop!(\"inner\"); }",
    )]);
    assert_eq!(sources.names(), ["by hand", "demo::item", "inner"]);
    let scan = sources.scan().expect("a scan");
    let options = &scan.functions["by hand"][0].options;
    assert!(options.io && options.max_workers == Some(3));
}

#[test]
fn modules_that_a_macro_declares_and_files_that_are_included_are_looked_at() {
    let sources = Sources::new(&[
        (
            "src/lib.rs",
            "cfg_if! { if #[cfg(feature = \"fast\")] { mod par; } else { mod gone; } }
             include!(\"shared.rs\"); fn f() -> u32 { include!(\"number.rs\") }",
        ),
        ("src/par.rs", "#[amorsize::tune] fn f() {}"),
        ("src/shared.rs", "#[amorsize::tune] fn g() {}"),
        ("src/number.rs", "1 + 2"),
    ]);
    assert_eq!(sources.names(), ["demo::g", "demo::par::f"]);
    let scan = sources.scan().expect("a scan");
    assert!(scan.functions["demo::par::f"][0].conditional);
    assert!(scan.unread.is_empty(), "{:?}", scan.unread);
}

#[test]
fn line_ends_of_another_system_change_no_hash() {
    let text = "#[amorsize::tune]\nfn f() { \"a\n b\"; }\n";
    let hash = |text: &str| {
        let scan = Sources::new(&[("src/lib.rs", text)]).scan().expect("a scan");
        scan.functions["demo::f"][0].tokens.clone()
    };
    assert_eq!(hash(text), hash(&text.replace('\n', "\r\n")));
}

#[test]
fn functions_methods_and_nested_functions_are_found() {
    let sources = Sources::new(&[(
        "src/lib.rs",
        "#[tune] fn a() { #[tune] fn inner() {} }
         struct S; impl S { #[amorsize::tune] fn b(&self) {} fn plain(&self) {} }
         trait T { #[tune] fn c(&self) {} #[tune(name = \"named\")] fn d(&self) {} }",
    )]);
    assert_eq!(sources.names(), ["demo::a", "demo::b", "demo::c", "demo::inner", "named"]);
}

#[test]
fn module_files_are_followed_as_rustc_does() {
    let sources = Sources::new(&[
        (
            "src/lib.rs",
            "mod plain; mod old; mod r#type; #[path = \"else/where.rs\"] mod moved;
             mod inline { mod below; #[path = \"odd.rs\"] mod odd; }",
        ),
        ("src/plain.rs", "mod child; #[tune] fn f() {}"),
        ("src/plain/child.rs", "#[tune] fn f() {}"),
        ("src/old/mod.rs", "mod child;"),
        ("src/old/child.rs", "#[tune] fn f() {}"),
        ("src/type.rs", "#[tune] fn f() {}"),
        ("src/else/where.rs", "mod near; #[tune] fn f() {}"),
        ("src/else/near.rs", "#[tune] fn f() {}"),
        ("src/inline/below.rs", "#[tune] fn f() {}"),
        ("src/inline/odd.rs", "#[tune] fn f() {}"),
    ]);
    assert_eq!(
        sources.names(),
        [
            "demo::inline::below::f",
            "demo::inline::odd::f",
            "demo::moved::f",
            "demo::moved::near::f",
            "demo::old::child::f",
            "demo::plain::child::f",
            "demo::plain::f",
            "demo::r#type::f",
        ]
    );
}

#[test]
fn conditions_and_macros_are_noted() {
    let sources = Sources::new(&[(
        "src/lib.rs",
        "#[cfg(unix)] #[tune] fn f() {}
         #[cfg(not(unix))] #[tune] fn f() {}
         #[cfg(test)] mod tests { #[tune] fn g() {} }
         #[cfg(nowhere)] mod missing;
         make! { #[amorsize::tune] fn h() {} }
         harmless! { tune [tune] #[tuned] }
         macro_rules! make { () => { #[$crate::tune] fn h() {} } }
         make! { #[cfg_attr(unix, doc = \"\", amorsize::tune)] fn h() {} }",
    )]);
    let scan = sources.scan().expect("sources that can be scanned");
    assert_eq!(scan.functions["demo::f"].len(), 2);
    assert!(scan.functions["demo::f"].iter().all(|f| f.conditional && !f.auxiliary));
    assert!(scan.functions["demo::tests::g"].iter().all(|f| !f.conditional && f.auxiliary));
    assert_eq!(scan.unseen, ["src/lib.rs:5", "src/lib.rs:7", "src/lib.rs:8"]);
}

#[test]
fn conditions_of_a_file_hold_for_all_of_it() {
    let sources = Sources::new(&[
        ("src/lib.rs", "mod windows; mod helpers;"),
        ("src/windows.rs", "#![cfg(windows)] #[tune] fn f() {}"),
        ("src/helpers.rs", "#![cfg(test)] #[tune] fn f() {}"),
    ]);
    let functions = sources.scan().expect("sources that can be scanned").functions;
    assert!(functions["demo::windows::f"][0].conditional);
    assert!(functions["demo::helpers::f"][0].auxiliary);
}

#[test]
fn raw_identifiers_are_named_as_at_run_time() {
    let sources = Sources::new(&[("src/lib.rs", "#[tune] fn r#match() {}")]);
    assert_eq!(sources.names(), ["demo::match"]);
}

#[test]
fn what_only_macros_annotate_counts_and_stays() {
    let scan = Sources::new(&[("src/lib.rs", "make! { #[tune] fn f() {} }")]).scan();
    let scan = scan.expect("sources that can be scanned");
    assert!(!scan.is_empty() && scan.has("demo::f", &tokens::of_unseen()));
    assert!(!scan.has("demo::f", "another"));
}

#[test]
fn two_functions_with_one_loop_name_are_an_error_that_shows_both() {
    let sources = Sources::new(&[(
        "src/lib.rs",
        "impl A { #[tune] fn run(&self) {} }\nimpl B { #[tune] fn run(&self) {} }",
    )]);
    let message = sources.scan().expect_err("a collision").to_string();
    assert!(message.contains("src/lib.rs:1") && message.contains("src/lib.rs:2"), "{message}");
}

#[test]
fn a_source_that_cannot_be_read_is_named_and_the_others_are_scanned() {
    let sources = Sources::new(&[
        ("src/lib.rs", "mod broken; mod generated; #[tune] fn f() {}"),
        ("src/broken.rs", "fn f() {\n  let\n}"),
    ]);
    let scan = sources.scan().expect("a scan");
    assert_eq!(scan.functions.keys().collect::<Vec<_>>(), ["demo::f"]);
    let doubts: Vec<String> = scan.doubts().collect();
    assert_eq!(doubts.len(), 2, "{doubts:?}");
    assert!(doubts[0].contains("src/broken.rs: line 3"), "{doubts:?}");
    assert!(doubts[1].contains("`generated`, declared in src/lib.rs"), "{doubts:?}");
    // Its functions may be in there.
    assert!(scan.has("demo::broken::g", "tokens"));
}

#[test]
fn numbers_of_further_loops_are_not_part_of_the_base_name() {
    assert_eq!(base_name("a::f#2"), "a::f");
    assert_eq!(base_name("a::f#2<(usize, &[u8])>"), "a::f");
    assert_eq!(base_name("a::r#type"), "a::r#type");
}
