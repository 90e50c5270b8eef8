//! What becomes of calls, written as source.

use super::*;

fn tuned_but(skip: &[usize], source: &str) -> Body {
    tuned_in_function("()", skip, source)
}

pub(crate) fn tuned_in_function(returned: &str, skip: &[usize], source: &str) -> Body {
    let facade = Ident::new("amorsize", Span::call_site());
    let expansion = quote::quote!(::amorsize::expansion);
    let returned: TokenStream = returned.parse().expect("test type is tokens");
    let returned: Vec<TokenTree> = returned.into_iter().collect();
    let (cost, imports) = (Ident::new("units", Span::call_site()), quote!(imports!();));
    let given = Given {
        skip,
        cost: source.contains("units").then_some(&cost),
        facade: &facade,
        expansion: &expansion,
        returned: &returned,
        imports: &imports,
    };
    tune(source.parse().expect("test source is tokens"), &given)
}

fn tuned(source: &str) -> (String, usize) {
    let body = tuned_but(&[], source);
    (body.tokens.to_string().replace(' ', ""), body.found)
}

#[test]
fn an_entry_call_is_followed_by_the_tuning_calls() {
    let (tokens, loops) = tuned("xs.par_iter().map(f)");
    assert_eq!(tokens, "xs.par_iter().__slot().__kind().__tune(&__AMORSIZE_LOOP_0).map(f)");
    assert_eq!(loops, 1);
}

#[test]
fn loops_are_numbered_from_the_inside_out_and_left_to_right() {
    let (tokens, loops) = tuned("a.par_chunks(2).map(|c| c.par_iter().sum()); b.into_par_iter()");
    assert!(tokens.starts_with("a.par_chunks(2).__slot().__kind().__tune(&__AMORSIZE_LOOP_0)"));
    assert!(tokens.contains("c.par_iter().__slot().__kind().__tune(&__AMORSIZE_LOOP_1)"));
    assert!(tokens.ends_with("b.into_par_iter().__slot().__kind().__tune(&__AMORSIZE_LOOP_2)"));
    assert_eq!(loops, 3);
}

#[test]
fn what_is_zipped_or_chained_belongs_to_the_loop_that_does_it() {
    let (tokens, loops) = tuned("a.par_iter().zip(b.par_iter()).chain(c.par_iter(),)");
    assert_eq!(loops, 1, "{tokens}");
    for argument in ["zip((b.par_iter())", "chain((c.par_iter())"] {
        let expected = format!("{argument}.__slot().__range().__kind().__operand().__given())");
        assert!(tokens.contains(&expected), "{tokens}");
    }
    let (tokens, loops) = tuned("a.par_iter().zip(b.par_iter().map(|r| r.par_iter().sum()))");
    assert_eq!(loops, 2, "{tokens}");
    assert_eq!(tuned("let c = a.iter().zip(b.par_iter().collect::<Vec<_>>());").1, 1);
    // A loop that ends within the argument is one of its own.
    assert_eq!(tuned("a.par_iter().zip(b.par_iter().map(f).collect::<Vec<A, B>>())").1, 2);
    assert_eq!(tuned("a.par_iter().zip(b.par_iter().map(f).collect::<Vec<_>>().par_iter())").1, 2);
    // Commas between type arguments do not hide what the method is called on.
    for call in ["map::<_, A>(f)", "map::<_, fn(A) -> B>(f)"] {
        let (tokens, loops) = tuned(&format!("a.par_iter().{call}.zip(b.par_iter())"));
        assert_eq!((loops, tokens.contains("__operand")), (1, true), "{tokens}");
    }
    for source in ["a.par_iter().max().cmp(&b)", "a.par_iter().chain()", "a.par_iter().zip(b, c)"] {
        assert!(!tuned(source).0.contains("__operand"), "{source}");
    }
    assert_eq!(tuned("f(a.par_iter().sum(), once(1).chain(b.par_iter()))").1, 2);
    // No iterators are compared here.
    assert_eq!(tuned("a.par_iter().max().cmp(&b.par_iter().max())").1, 2);
    assert_eq!(tuned("a.par_iter().position_any(f).eq(&b.par_iter().find_map_any(g))").1, 2);
    assert_eq!(tuned("a.par_iter().min().into_par_iter().eq(b.par_iter())").1, 2);
}

#[test]
fn arrows_in_front_of_parentheses_are_no_generic_arguments() {
    for source in [
        "let f: &dyn Fn(f64) -> (f64, f64) = &g; xs.par_iter()",
        "let c = a < b; let g = |x: u32| -> (u32, u32) { (x, x) }; xs.par_iter()",
        "let c = 1 << k; let g = || -> (u32, u32) { (1, 2) }; xs.par_iter()",
        "fn f<F: Fn(u8) -> (u8, u8)>(f: F) {} xs.par_iter().collect::<Vec<fn() -> (u8,)>>()",
        "a > (b) ; xs.par_iter()",
    ] {
        assert_eq!(tuned(source).1, 1, "{source}");
    }
}

#[test]
fn entry_calls_inside_macros_and_closures_are_found() {
    assert_eq!(tuned("assert_eq!(xs.par_iter().sum::<u32>(), 3)").1, 1);
    assert_eq!(tuned("let f = || vec![1].into_par_iter();").1, 1);
}

#[test]
fn names_that_are_not_method_calls_are_left_alone() {
    for source in
        ["par_iter(xs)", "self.par_iter", "rayon::par_iter(x)", "x.par_sort()", "a.par_iter[0]"]
    {
        assert_eq!(tuned(source), (source.replace(' ', ""), 0));
    }
}

#[test]
fn a_marked_loop_may_have_a_cost_of_its_own() {
    for source in
        ["tuned!(f::<A, B>(x), cost = a.len() + 1)", "tuned!(f::<A, B>(x), cost = a.len() + 1,)"]
    {
        let (tokens, loops) = tuned(source);
        assert!(tokens.starts_with("(f::<A,B>(x)).__slot().__kind().__tune_at_cost("), "{tokens}");
        assert!(tokens.contains("letnumber=a.len()+1;"), "{tokens}");
        assert_eq!(loops, 1);
    }
    // A comparison is no cost.
    let (tokens, _) = tuned("tuned!(f(x), cost == 1)");
    assert_eq!(tokens, "(f(x),cost==1).__slot().__kind().__tune(&__AMORSIZE_LOOP_0)");
}

#[test]
fn what_is_marked_is_tuned_whatever_it_is() {
    for source in ["tuned!(all(xs))", "amorsize::tuned!(all(xs))", "::amorsize::tuned![all(xs)]"] {
        let (tokens, loops) = tuned(&format!("let a = {source}.map(f);"));
        let expected = "leta=(all(xs)).__slot().__kind().__tune(&__AMORSIZE_LOOP_0).map(f);";
        assert_eq!((tokens.as_str(), loops), (expected, 1));
    }
    assert_eq!(tuned("f(a::b, tuned!(x.par_iter().map(g)))").1, 2);
}

#[test]
fn skipped_loops_count_but_are_left_alone() {
    let body = tuned_but(&[2], "a.par_iter(); b.par_iter(); c.par_iter();");
    assert_eq!((body.found, body.loops), (3, vec![0, 2]));
    let tokens = body.tokens.to_string().replace(' ', "");
    assert!(tokens.contains("b.par_iter();c.par_iter().__slot()"), "{tokens}");
}

#[test]
fn pieces_of_ours_are_entry_calls() {
    for path in ["amorsize::pieces", "::amorsize::pieces"] {
        let (tokens, loops) = tuned(&format!("{path}(&mut xs[..]).for_each(f)"));
        let expected =
            format!("{path}(&mutxs[..]).__slot().__kind().__tune(&__AMORSIZE_LOOP_0).for_each(f)");
        assert_eq!((tokens, loops), (expected, 1));
    }
    for source in ["pieces(xs)", "other::pieces(xs)", "amorsize::pieces", "xs.pieces()"] {
        assert_eq!(tuned(source), (source.to_owned(), 0));
    }
    let body = tuned_but(&[1], "amorsize::pieces(xs)");
    assert_eq!(body.tokens.to_string().replace(' ', ""), "amorsize::pieces(xs)");
    assert_eq!((body.found, body.joins, body.loops), (1, 0, vec![]));
}

#[test]
fn joins_of_ours_get_a_static() {
    for path in ["amorsize::join", "::amorsize::join"] {
        let (tokens, loops) = tuned(&format!("let (a, b) = {path}(n, || f(a), m, || g(b),);"));
        let expected = "let(a,b)=::amorsize::expansion::Loop::join\
                        (&__AMORSIZE_LOOP_0,n,||f(a),m,||g(b),);";
        assert_eq!((tokens.as_str(), loops), (expected, 1));
    }
    let (tokens, loops) = tuned("amorsize::join(1, || x.par_iter(), 1, || ())");
    assert!(tokens.contains("join(&__AMORSIZE_LOOP_1,1,||x.par_iter().__slot()"), "{tokens}");
    assert_eq!(loops, 2);
    for source in ["rayon::join(a,b)", "join(1,a,1,b)", "amorsize::join", "x.join(a)"] {
        assert_eq!(tuned(source), (source.to_owned(), 0));
    }
    let body = tuned_but(&[1], "amorsize::join(1, a, 1, b)");
    assert_eq!(body.tokens.to_string().replace(' ', ""), "amorsize::join(1,a,1,b)");
    assert_eq!((body.found, body.joins, body.loops), (1, 1, vec![]));
}

#[test]
fn functions_inside_the_body_do_not_see_its_cost_and_may_have_loops_of_their_own() {
    let source = "f(units); fn g() { x.par_iter().sum() } y.par_iter().sum()";
    assert_eq!(
        tuned(source).0,
        "f(units);fng(){x.par_iter().__slot().__kind().__tune(&__AMORSIZE_LOOP_0).sum()}\
         y.par_iter().__slot().__kind().__tune_at_cost(&__AMORSIZE_LOOP_1,units).sum()"
    );
    for attribute in ["#[tune]", "#[amorsize::tune(io)]", "#[inline] #[tune]"] {
        let source = format!("a; {attribute} pub fn g<T>(x: T) {{ x.par_iter() }} y.par_iter()");
        assert_eq!(tuned(&source).1, 1, "{source}");
    }
    assert_eq!(tuned("let f: fn(u8) = g; { x.par_iter() }").1, 1);
    let source = "#[tune] fn g() -> A<{ N }> where [(); { N }]: B { x.par_iter() } y.par_iter()";
    assert_eq!(tuned(source).1, 1);
}

#[test]
fn imports_of_a_block_with_a_loop_stay_in_use() {
    let (tokens, _) =
        tuned("{ use rayon::prelude::*; x.par_iter() } { use a; b } { c.par_iter() }");
    assert_eq!(
        tokens,
        "{imports!();userayon::prelude::*;x.par_iter().__slot().__kind().__tune(&__AMORSIZE_LOOP_0)}\
         {usea;b}{c.par_iter().__slot().__kind().__tune(&__AMORSIZE_LOOP_1)}"
    );
}

#[test]
fn attributes_of_a_block_stay_first() {
    let (tokens, _) = tuned("fn g() { #![allow(x)] use a::*; x.par_iter(); }");
    assert!(tokens.starts_with("fng(){#![allow(x)]imports!();usea::*;"), "{tokens}");
}

#[test]
fn a_comma_between_types_makes_no_second_argument() {
    let (tokens, _) = tuned("x.par_iter().zip(f::<A, fn(B) -> C>(y))");
    assert!(
        tokens.contains("(f::<A,fn(B)->C>(y)).__slot().__range().__kind().__operand()"),
        "{tokens}"
    );
    let (tokens, _) = tuned("x.par_iter().zip(f::<A, B>(y), z)");
    assert!(!tokens.contains("__operand"), "{tokens}");
}

#[test]
fn modules_inside_the_body_are_left_alone() {
    assert_eq!(tuned("mod m { fn f() { x.par_iter(); } } y.par_iter()").1, 1);
}

#[test]
fn type_arguments_do_not_hide_an_entry_call() {
    assert_eq!(tuned("xs.par_bridge::<Vec<fn(u8) -> u8>>()").1, 1);
}
