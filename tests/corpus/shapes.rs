//! Functions of every shape: what the attribute may stand on, and what may surround a loop in a body.

use crate::harness::shapes;

shapes! {
    inherent_method {
        use rayon::prelude::*;

        struct Matrix(Vec<Vec<u32>>);

        impl Matrix {
            tune! {
                fn sums(&self) -> Vec<u32> {
                    self.0.par_iter().map(|row| row.iter().sum()).collect()
                }
            }
        }

        pub(crate) fn run(n: usize) -> Vec<u32> {
            Matrix(crate::inputs::rows(n)).sums()
        }
    }

    mutable_method {
        use rayon::prelude::*;

        struct Signal {
            samples: Vec<u32>,
            scale: u32,
        }

        impl Signal {
            tune! {
                fn scale(&mut self) -> &mut Self {
                    let Self { samples, scale } = self;
                    samples.par_iter_mut().for_each(|x| *x *= *scale);
                    self
                }
            }
        }

        pub(crate) fn run(n: usize) -> Vec<u32> {
            let mut signal = Signal { samples: crate::inputs::numbers(n), scale: 3 };
            signal.scale().samples.clone()
        }
    }

    consuming_method_with_a_builder {
        use rayon::prelude::*;

        #[derive(Default)]
        struct Words(Vec<String>);

        impl Words {
            tune! {
                #[must_use]
                pub(crate) fn upper(self) -> Self {
                    Words(self.0.into_par_iter().map(|word| word.to_uppercase()).collect())
                }
            }
        }

        pub(crate) fn run(n: usize) -> Vec<String> {
            Words(crate::inputs::words(n)).upper().upper().0
        }
    }

    method_on_a_shared_self {
        use rayon::prelude::*;
        use std::sync::Arc;

        struct Table(Vec<u32>);

        impl Table {
            tune! {
                fn total(self: Arc<Self>, extra: &u32) -> u32 {
                    self.0.par_iter().sum::<u32>() + *extra
                }
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            Arc::new(Table(crate::inputs::numbers(n))).total(&1)
        }
    }

    associated_function {
        use rayon::prelude::*;

        struct Squares(Vec<usize>);

        impl Squares {
            const FIRST: usize = 3;

            tune! {
                fn up_to(n: usize) -> Self {
                    Self((Self::FIRST..n).into_par_iter().map(|x| x * x).collect())
                }
            }
        }

        pub(crate) fn run(n: usize) -> Vec<usize> {
            Squares::up_to(n).0
        }
    }

    trait_method {
        use rayon::prelude::*;

        trait Norm {
            fn norm(&self) -> u32;
        }

        impl Norm for Vec<u32> {
            tune! {
                fn norm(&self) -> u32 {
                    self.par_iter().map(|x| x * x).sum()
                }
            }
        }

        impl<T: Norm + Sync> Norm for Option<T> {
            tune! {
                fn norm(&self) -> u32 {
                    self.par_iter().map(T::norm).sum()
                }
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            Some(crate::inputs::numbers(n)).norm()
        }
    }

    default_method_of_a_trait {
        use rayon::prelude::*;

        trait Source: Sync {
            const OFFSET: u32;

            fn items(&self) -> &[u32];

            tune! {
                fn shifted(&self) -> Vec<u32> {
                    self.items().par_iter().map(|x| x + Self::OFFSET).collect()
                }
            }
        }

        impl Source for Vec<u32> {
            const OFFSET: u32 = 4;

            fn items(&self) -> &[u32] {
                self
            }
        }

        pub(crate) fn run(n: usize) -> Vec<u32> {
            crate::inputs::numbers(n).shifted()
        }
    }

    method_of_a_trait_object {
        use rayon::prelude::*;

        trait Sum: Sync {
            fn sum(&self) -> u32;
        }

        struct Slice<'s>(&'s [u32]);

        impl Sum for Slice<'_> {
            tune! {
                fn sum(&self) -> u32 {
                    self.0.par_iter().sum()
                }
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            let xs = crate::inputs::numbers(n);
            let sums: [&dyn Sum; 2] = [&Slice(&xs), &Slice(&xs[n / 2..])];
            sums.iter().map(|slice| slice.sum()).sum()
        }
    }

    method_of_a_generic_type {
        use rayon::prelude::*;
        use std::fmt::Debug;
        use std::ops::Add;

        struct Grid<T, const WIDTH: usize> {
            rows: Vec<[T; WIDTH]>,
        }

        impl<T, const WIDTH: usize> Grid<T, WIDTH>
        where
            T: Copy + Add<Output = T> + Default + Debug + Send + Sync,
        {
            tune! {
                fn sums(&self) -> Vec<T> {
                    let sum = |row: &[T; WIDTH]| row.iter().fold(T::default(), |sum, &x| sum + x);
                    self.rows.par_iter().map(sum).collect()
                }
            }
        }

        pub(crate) fn run(n: usize) -> (Vec<u32>, Vec<f64>) {
            let rows = crate::inputs::numbers(n);
            (
                Grid { rows: rows.iter().map(|&x| [x, x + 1]).collect() }.sums(),
                Grid { rows: rows.iter().map(|&x| [f64::from(x); 3]).collect() }.sums(),
            )
        }
    }

    generic_over_what_is_iterated {
        use rayon::prelude::*;

        tune! {
            fn sum<'i, I>(items: I) -> u32
            where
                I: IntoParallelIterator<Item = &'i u32>,
                I::Iter: IndexedParallelIterator,
            {
                items.into_par_iter().copied().rev().sum()
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            sum(&crate::inputs::numbers(n)) + sum(&[1, 2]) + sum(&Some(3))
        }
    }

    generic_over_what_may_not_be_indexed {
        use rayon::prelude::*;
        use std::collections::BTreeSet;

        tune! {
            fn sum<I: IntoParallelIterator<Item = u32>>(items: I, more: &[u32]) -> u32 {
                items.into_par_iter().filter(|x| x % 2 == 0).sum::<u32>()
                    + more.par_iter().sum::<u32>()
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            let items = crate::inputs::numbers(n);
            sum(items.clone(), &items)
                + sum(items.iter().copied().collect::<BTreeSet<_>>(), &[1])
        }
    }

    generic_over_items_and_functions {
        use rayon::prelude::*;

        tune! {
            fn apply<T, R, F>(items: &[T], function: F) -> Vec<R>
            where
                T: Sync,
                R: Send,
                F: Fn(&T) -> R + Sync + Send,
            {
                items.par_iter().map(function).collect()
            }
        }

        pub(crate) fn run(n: usize) -> (Vec<usize>, Vec<u32>) {
            (
                apply(&crate::inputs::words(n), String::len),
                apply(&crate::inputs::numbers(n), |x| x + 1),
            )
        }
    }

    functions_as_arguments {
        use rayon::prelude::*;

        tune! {
            fn apply(
                items: &[u32],
                first: fn(u32) -> u32,
                second: &(dyn Fn(u32) -> u32 + Sync),
            ) -> Vec<u32> {
                items.par_iter().map(|&x| second(first(x))).collect()
            }
        }

        pub(crate) fn run(n: usize) -> Vec<u32> {
            apply(&crate::inputs::numbers(n), u32::swap_bytes, &|x| x ^ n as u32)
        }
    }

    impl_trait_as_an_argument {
        use rayon::prelude::*;

        tune! {
            fn sum(
                items: impl IntoParallelIterator<Item = u32, Iter: IndexedParallelIterator>,
            ) -> u32 {
                items.into_par_iter().skip(1).sum()
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            sum(crate::inputs::numbers(n)) + sum(0..n as u32)
        }
    }

    iterator_that_is_returned {
        use rayon::prelude::*;

        tune! {
            fn squares(n: usize) -> impl ParallelIterator<Item = usize> {
                (0..n).into_par_iter().map(|x| x * x)
            }
        }

        pub(crate) fn run(n: usize) -> Vec<usize> {
            squares(n).filter(|x| x % 2 == 0).collect()
        }
    }

    iterator_that_is_returned_and_borrows {
        use rayon::prelude::*;

        tune! {
            fn large(xs: &[u32], limit: u32) -> impl ParallelIterator<Item = &u32> + '_ {
                xs.par_iter().filter(move |x| **x > limit)
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            large(&crate::inputs::numbers(n), 100).sum()
        }
    }

    iterator_that_is_returned_and_captures_precisely {
        use rayon::prelude::*;

        tune! {
            fn doubled<'x>(
                xs: &'x [u32],
                _: &str,
            ) -> impl IndexedParallelIterator<Item = u32> + use<'x> {
                xs.par_iter().map(|x| x * 2)
            }
        }

        pub(crate) fn run(n: usize) -> Vec<u32> {
            let xs = crate::inputs::numbers(n);
            let doubled = doubled(&xs, &String::from("gone soon"));
            doubled.zip(&xs).map(|(x, y)| x + y).rev().collect()
        }
    }

    iterator_that_is_returned_by_a_method {
        use rayon::prelude::*;

        struct Shelf {
            books: Vec<String>,
        }

        impl Shelf {
            tune! {
                fn titles(&self) -> impl IndexedParallelIterator<Item = &str> + Clone {
                    self.books.par_iter().map(|book| book.as_str())
                }
            }
        }

        pub(crate) fn run(n: usize) -> (usize, String) {
            let shelf = Shelf { books: crate::inputs::words(n) };
            let titles = shelf.titles();
            (titles.clone().count(), titles.take(3).collect())
        }
    }

    iterator_that_is_returned_by_a_trait {
        use rayon::prelude::*;

        trait Numbers {
            fn numbers(&self) -> impl ParallelIterator<Item = u32>;
        }

        impl Numbers for usize {
            tune! {
                fn numbers(&self) -> impl ParallelIterator<Item = u32> {
                    (0..*self as u32).into_par_iter()
                }
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            n.numbers().sum()
        }
    }

    iterator_that_is_passed_on {
        use rayon::prelude::*;

        fn total(xs: impl ParallelIterator<Item = u32>) -> u32 {
            xs.sum()
        }

        fn last<I: IndexedParallelIterator>(xs: I) -> Option<I::Item> {
            xs.rev().take(1).collect::<Vec<_>>().pop()
        }

        tune! {
            fn both(xs: &[u32]) -> (u32, Option<(usize, &u32)>) {
                (total(xs.par_iter().copied()), last(xs.par_iter().enumerate()))
            }
        }

        pub(crate) fn run(n: usize) -> String {
            format!("{:?}", both(&crate::inputs::numbers(n)))
        }
    }

    iterator_of_two_kinds {
        use rayon::iter::Either;
        use rayon::prelude::*;

        tune! {
            fn maybe_reversed(xs: &[u32], reverse: bool) -> Vec<&u32> {
                let all = xs.par_iter();
                let ordered = if reverse { Either::Left(all.rev()) } else { Either::Right(all) };
                ordered.skip(1).collect()
            }
        }

        pub(crate) fn run(n: usize) -> (u32, Vec<u32>) {
            let xs = crate::inputs::numbers(n);
            let sum = maybe_reversed(&xs, true).into_iter().sum();
            (sum, maybe_reversed(&xs, n % 2 == 0).into_iter().copied().collect())
        }
    }

    iterator_of_the_same_kind_in_two_branches {
        use rayon::prelude::*;

        tune! {
            fn longer(xs: &[u32], ys: &[u32]) -> Vec<u32> {
                let mut longer = if xs.len() > ys.len() { xs.par_iter() } else { ys.par_iter() };
                if xs.is_empty() {
                    longer = [7, 8].par_iter();
                }
                longer.map(|x| x + 1).collect()
            }
        }

        pub(crate) fn run(n: usize) -> Vec<u32> {
            longer(&crate::inputs::numbers(n), &crate::inputs::others(10))
        }
    }

    adaptor_of_the_users {
        use rayon::prelude::*;

        trait Doubled: ParallelIterator<Item = u32> {
            fn doubled(self) -> impl ParallelIterator<Item = u32> {
                self.map(|x| x * 2)
            }
        }

        impl<I: ParallelIterator<Item = u32>> Doubled for I {}

        tune! {
            fn doubled(xs: &[u32]) -> (Vec<u32>, u32) {
                (
                    xs.par_iter().copied().doubled().collect(),
                    xs.par_iter().filter_map(|x| x.checked_sub(9)).doubled().sum(),
                )
            }
        }

        pub(crate) fn run(n: usize) -> (Vec<u32>, u32) {
            doubled(&crate::inputs::numbers(n))
        }
    }

    calls_by_path {
        use rayon::iter::{IndexedParallelIterator, ParallelIterator};
        use rayon::prelude::*;

        tune! {
            fn by_path(xs: &[u32]) -> Vec<u32> {
                let mapped = ParallelIterator::map(xs.par_iter(), |x| x + 1);
                let zipped = IndexedParallelIterator::zip(mapped, xs.par_iter());
                ParallelIterator::collect(ParallelIterator::map(zipped, |(x, y)| x * y))
            }
        }

        pub(crate) fn run(n: usize) -> Vec<u32> {
            by_path(&crate::inputs::numbers(n))
        }
    }

    #[allow(unsafe_code)]
    unsafe_function {
        use rayon::prelude::*;

        tune! {
            /// # Safety
            ///
            /// Every number in `indices` is an index of `xs`.
            unsafe fn gather(xs: &[u32], indices: &[usize]) -> u32 {
                // SAFETY: as above.
                indices.par_iter().map(|&i| unsafe { *xs.get_unchecked(i) }).sum()
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            // SAFETY: both are below `n`.
            unsafe {
                gather(&crate::inputs::numbers(n), &if n > 0 { vec![0, n - 1] } else { vec![] })
            }
        }
    }

    function_with_an_abi {
        use rayon::prelude::*;

        tune! {
            extern "C" fn sum(n: u32) -> u32 {
                (0..n).into_par_iter().filter(|x| x % 3 == 0).sum()
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            let pointer: extern "C" fn(u32) -> u32 = sum;
            pointer(n as u32)
        }
    }

    #[allow(clippy::mixed_attributes_style)]
    function_with_attributes {
        use rayon::prelude::*;

        tune! {
            /// Documented.
            #[inline(always)]
            #[must_use = "for a reason"]
            #[track_caller]
            #[allow(clippy::ptr_arg, unused_mut)]
            pub(in crate::shapes) fn sum(mut xs: &Vec<u32>, #[allow(unused)] unused: ()) -> u32 {
                #![allow(unused_variables)]
                let unused = 1;
                #[rustfmt::skip]
                                        let sum = xs . par_iter ( ) . sum ( );
                sum
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            sum(&crate::inputs::numbers(n), ())
        }
    }

    function_under_a_condition {
        use rayon::prelude::*;

        tune! {
            #[cfg(all())]
            fn sum(xs: &[u32]) -> u32 {
                xs.par_iter().map(|x| x + 1).sum()
            }
        }

        tune! {
            #[cfg(not(all()))]
            fn sum(xs: &[u32]) -> u32 {
                xs.par_iter().no_such_method()
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            sum(&crate::inputs::numbers(n))
        }
    }

    statement_under_a_condition {
        use rayon::prelude::*;

        tune! {
            fn sum(xs: &[u32]) -> u32 {
                #[cfg(any())]
                let start = xs.par_iter().no_such_method();
                #[cfg(not(any()))]
                let start = xs.par_iter().copied().max().unwrap_or(0);
                start + if cfg!(any()) { xs.par_iter().count() as u32 } else { xs.par_iter().sum() }
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            sum(&crate::inputs::numbers(n))
        }
    }

    function_with_patterns_as_parameters {
        use rayon::prelude::*;

        tune! {
            fn sums(
                (xs, [first, ..]): (&[u32], [u32; 2]),
                (Ok(extra) | Err(extra)): Result<u32, u32>,
            ) -> u32 {
                xs.par_iter().map(|x| x + first + extra).sum()
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            sums((&crate::inputs::numbers(n), [1, 2]), Ok(3))
        }
    }

    function_with_constants_in_its_signature {
        use rayon::prelude::*;

        tune! {
            fn sums<const N: usize>(
                xs: [u32; N],
            ) -> [u32; {
                const TWO: usize = 2;
                TWO
            }]
            where
                [u32; {
                    const ONE: usize = 1;
                    ONE
                }]: Copy,
            {
                [xs.par_iter().sum(), xs.into_par_iter().rev().take(N / 2).sum()]
            }
        }

        pub(crate) fn run(n: usize) -> [u32; 2] {
            sums([n as u32, 2, 3])
        }
    }

    function_with_a_raw_name {
        use rayon::prelude::*;

        tune! {
            fn r#loop(r#in: &[u32]) -> u32 {
                r#in.par_iter().map(|r#type| r#type + 1).sum()
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            r#loop(&crate::inputs::numbers(n))
        }
    }

    function_with_a_name_beyond_ascii {
        use rayon::prelude::*;

        tune! {
            fn größe(zahlen: &[u32]) -> usize {
                zahlen.par_iter().filter(|zahl| **zahl > 9).count()
            }
        }

        pub(crate) fn run(n: usize) -> usize {
            größe(&crate::inputs::numbers(n))
        }
    }

    functions_of_the_same_name {
        use rayon::prelude::*;

        struct Rows;
        struct Columns;

        impl Rows {
            tune! {
                fn sum(xs: &[u32]) -> u32 {
                    xs.par_iter().sum()
                }
            }
        }

        impl Columns {
            tune! {
                fn sum(xs: &[u32]) -> u32 {
                    xs.par_chunks(3).map(|column| column[0]).sum()
                }
            }
        }

        pub(crate) fn run(n: usize) -> (u32, u32) {
            let xs = crate::inputs::numbers(n);
            (Rows::sum(&xs), Columns::sum(&xs))
        }
    }

    function_that_calls_itself {
        use rayon::prelude::*;

        tune! {
            fn sum(xs: &[u32]) -> u32 {
                if xs.len() < 20 {
                    xs.iter().sum()
                } else {
                    xs.par_chunks(xs.len() / 3).map(sum).sum()
                }
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            sum(&crate::inputs::numbers(n))
        }
    }

    function_that_never_returns_its_type {
        use rayon::prelude::*;

        tune! {
            fn fail(xs: &[u32]) -> ! {
                panic!("{} items", xs.par_iter().count())
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            if n > 30 { fail(&crate::inputs::numbers(n)) } else { 0 }
        }
    }

    functions_in_a_function {
        use rayon::prelude::*;

        tune! {
            fn outer(xs: &[u32]) -> u32 {
                fn inner(xs: &[u32]) -> u32 {
                    xs.par_iter().sum()
                }
                fn generic<T: Sync>(xs: &[T]) -> usize {
                    xs.par_iter().count()
                }
                inner(xs) + generic(xs) as u32 + inner(&xs[xs.len() / 2..])
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            outer(&crate::inputs::numbers(n))
        }
    }

    annotated_function_in_a_function {
        use rayon::prelude::*;

        tune! {
            fn outer(xs: &[u32]) -> u32 {
                tune! {
                    fn inner(xs: &[u32]) -> u32 {
                        xs.par_iter().sum()
                    }
                }

                inner(xs) + xs.par_iter().map(|x| x / 2).sum::<u32>()
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            outer(&crate::inputs::numbers(n))
        }
    }

    types_in_a_function {
        use rayon::prelude::*;

        tune! {
            fn outer(xs: &[u32]) -> u32 {
                struct Local<'x>(&'x [u32]);
                trait Total {
                    fn total(&self) -> u32;
                }
                impl Total for Local<'_> {
                    fn total(&self) -> u32 {
                        self.0.par_iter().sum()
                    }
                }
                const OFFSET: u32 = 5;
                static MORE: [u32; 2] = [1, 2];
                use std::cmp::max;
                max(Local(xs).total(), OFFSET) + MORE.par_iter().sum::<u32>()
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            outer(&crate::inputs::numbers(n))
        }
    }

    module_in_a_function {
        use rayon::prelude::*;

        tune! {
            fn outer(xs: &[u32]) -> u32 {
                mod inside {
                    use rayon::prelude::*;

                    pub(super) fn sum(xs: &[u32]) -> u32 {
                        xs.par_iter().sum()
                    }
                }
                inside::sum(xs) + xs.par_iter().copied().max().unwrap_or(0)
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            outer(&crate::inputs::numbers(n))
        }
    }

    macro_in_a_function {
        use rayon::prelude::*;

        tune! {
            fn outer(xs: &[u32], ys: &[u32]) -> u32 {
                macro_rules! add {
                    ($a:ident, $b:expr) => {
                        $a.par_iter().map(|x| x + $b).sum::<u32>()
                    };
                }
                add!(xs, 1) + add!(ys, xs.par_iter().count() as u32)
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            outer(&crate::inputs::numbers(n), &crate::inputs::others(9))
        }
    }

    #[forbid(unsafe_code)]
    module_that_forbids_unsafe_code {
        use rayon::prelude::*;

        tune! {
            fn sum(xs: &mut [u32]) -> u32 {
                xs.par_iter_mut().for_each(|x| *x += 1);
                xs.par_iter().sum()
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            sum(&mut crate::inputs::numbers(n))
        }
    }

    #[deny(warnings, missing_docs, unreachable_pub, unused, clippy::all)]
    module_that_forbids_warnings {
        use rayon::prelude::*;

        tune! {
            fn sum(xs: &[u32]) -> u32 {
                xs.par_iter().sum()
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            sum(&crate::inputs::numbers(n))
        }
    }

    #[no_implicit_prelude]
    module_without_a_prelude {
        use ::rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
        use ::std::primitive::{u32, usize};

        tune! {
            fn sum(xs: &[u32]) -> u32 {
                xs.par_iter().map(|x| x + 1).sum()
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            sum(&crate::inputs::numbers(n))
        }
    }

    #[allow(dead_code, non_camel_case_types)]
    module_with_names_of_its_own {
        use rayon::prelude::*;

        struct Loop;
        struct Option;
        struct Some;
        struct Tuned;
        struct Force;
        enum str {}
        mod core {}
        mod std {}
        mod amorsize {}
        const NAME: u32 = 1;
        const OPTIONS: u32 = 2;
        const PROFILED: u32 = 3;

        tune! {
            fn sum(xs: &[u32]) -> u32 {
                xs.par_iter().map(|x| x + NAME + OPTIONS + PROFILED).sum()
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            sum(&crate::inputs::numbers(n))
        }
    }

    #[allow(non_snake_case)]
    variables_with_names_of_the_expansion {
        use rayon::prelude::*;

        tune! {
            fn sum<const NAME: u32>(xs: &[u32]) -> u32 {
                let OPTIONS = NAME + 1;
                let target = |__slot: &u32| *__slot + OPTIONS;
                xs.par_iter().map(target).sum()
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            sum::<3>(&crate::inputs::numbers(n))
        }
    }

    methods_of_the_users_with_rayons_names {
        use rayon::prelude::*;

        struct Parser(u32);

        impl Parser {
            fn par_iter(&self) -> std::vec::IntoIter<u32> {
                vec![self.0, 2].into_iter()
            }

            fn par_lines(&mut self, count: u32) -> &mut Self {
                self.0 += count;
                self
            }

            fn par_chunks<T>(self, value: T) -> Option<T> {
                Some(value)
            }
        }

        tune! {
            fn parse(n: u32) -> (u32, Vec<u32>, Option<&'static str>) {
                let mut parser = Parser(n);
                let sum = (0..n).into_par_iter().sum::<u32>();
                let lines = parser.par_lines(1).par_lines(2).par_iter().map(|x| x + 1).collect();
                (sum, lines, Parser(1).par_chunks::<&str>("chunk"))
            }
        }

        pub(crate) fn run(n: usize) -> (u32, Vec<u32>, Option<&'static str>) {
            parse(n as u32)
        }
    }

    body_with_early_returns {
        use rayon::prelude::*;

        type Error = Box<dyn std::error::Error + Send + Sync>;

        tune! {
            fn parse(words: &[String]) -> Result<u32, Error> {
                let Some(first) = words.par_iter().min() else { return Ok(0) };
                if words.par_iter().any(|word| word.len() > 9) {
                    return Err("long".into());
                }
                let parsed = words.par_iter().map(|word| Ok::<_, Error>(word[1..].parse::<u32>()?));
                let numbers = parsed.collect::<Result<Vec<_>, _>>()?;
                Ok(numbers.par_iter().sum::<u32>() + first.len() as u32)
            }
        }

        pub(crate) fn run(n: usize) -> Option<u32> {
            parse(&crate::inputs::words(n)).ok()
        }
    }

    body_with_control_flow {
        use rayon::prelude::*;

        tune! {
            fn walk(xs: &[u32]) -> Vec<u32> {
                let mut rest = xs;
                let mut seen = Vec::new();
                'all: while let Some(max) = rest.par_iter().copied().max() {
                    let from = match rest.par_iter().position_first(|x| *x == max) {
                        Some(at) if at + 1 < rest.len() => at + 1,
                        Some(_) => break 'all,
                        None => unreachable!(),
                    };
                    seen.push(max);
                    for _ in 0..rest.par_windows(2).filter(|pair| pair[0] == max).count() {
                        if seen.len() > 50 {
                            break 'all;
                        }
                    }
                    rest = &rest[from..];
                }
                let sum = 'sum: {
                    if seen.is_empty() {
                        break 'sum 0;
                    }
                    seen.par_iter().sum()
                };
                if let Some(max) = seen.par_iter().max()
                    && *max > 3
                {
                    return vec![sum];
                }
                seen
            }
        }

        pub(crate) fn run(n: usize) -> Vec<u32> {
            walk(&crate::inputs::numbers(n))
        }
    }

    #[allow(clippy::manual_async_fn)]
    body_with_a_future {
        use rayon::prelude::*;
        use std::future::Future;
        use std::pin::pin;
        use std::task::{Context, Poll, Waker};

        tune! {
            fn sum(xs: &[u32]) -> impl Future<Output = u32> + Send + '_ {
                async move {
                    let sum: u32 = xs.par_iter().sum();
                    let shifted = xs.par_iter().map(|x| x + 1);
                    std::future::ready(sum).await + shifted.sum::<u32>()
                }
            }
        }

        pub(crate) fn run(n: usize) -> Option<u32> {
            let xs = crate::inputs::numbers(n);
            match pin!(sum(&xs)).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(sum) => Some(sum),
                Poll::Pending => None,
            }
        }
    }

    body_with_a_generator_of_closures {
        use rayon::prelude::*;

        tune! {
            fn adders(xs: &[u32]) -> impl Fn(u32) -> Vec<u32> + '_ {
                let scale = move |y| move |x: &u32| x * y;
                move |y| xs.par_iter().map(scale(y)).collect()
            }
        }

        pub(crate) fn run(n: usize) -> Vec<u32> {
            adders(&crate::inputs::numbers(n))(3)
        }
    }

    body_with_loops_in_other_expressions {
        use rayon::prelude::*;

        struct Summary {
            sum: u32,
            largest: Option<u32>,
            counts: [usize; 2],
        }

        tune! {
            fn summary(xs: &[u32]) -> Summary {
                Summary {
                    sum: xs.par_iter().sum::<u32>()
                        + xs.par_iter().min().map_or(0, |min| -i64::from(*min) as u32 & 1),
                    largest: (!xs.is_empty()).then(|| xs.par_iter().copied().max()).flatten(),
                    counts: [xs.par_iter().filter(|x| **x > 9).count(), {
                        let ys = &xs[xs.len() / 2..];
                        ys.par_iter().count()
                    }],
                }
            }
        }

        pub(crate) fn run(n: usize) -> (u32, Option<u32>, [usize; 2]) {
            let Summary { sum, largest, counts } = summary(&crate::inputs::numbers(n));
            (sum, largest, counts)
        }
    }

    body_with_temporaries {
        use rayon::prelude::*;
        use std::cell::RefCell;
        use std::sync::{Mutex, RwLock};

        tune! {
            fn drain(
                queue: &Mutex<Vec<u32>>,
                limits: &RwLock<Vec<u32>>,
                seen: &RefCell<Vec<u32>>,
            ) -> u32 {
                let mut sum = 0;
                while let Some(max) = { queue.lock().unwrap().par_iter().copied().max() } {
                    sum += max;
                    seen.borrow_mut().push(max);
                    let half = queue.lock().unwrap().len() / 2;
                    queue.lock().unwrap().truncate(half);
                    if limits.read().unwrap().par_iter().any(|limit| sum > *limit) {
                        limits.write().unwrap().par_iter_mut().for_each(|limit| *limit += 1);
                    }
                }
                sum + seen.borrow().par_iter().sum::<u32>()
                    + limits.read().unwrap().par_iter().sum::<u32>()
            }
        }

        pub(crate) fn run(n: usize) -> u32 {
            drain(
                &Mutex::new(crate::inputs::numbers(n)),
                &RwLock::new(vec![100, 200]),
                &RefCell::default(),
            )
        }
    }

    option_of_most_workers_and_the_chunk {
        use rayon::prelude::*;

        tune! {
            [max_workers = 2, chunk = 3]
            fn squares(xs: &[u32]) -> (Vec<u32>, Vec<u32>) {
                let even = xs
                    .par_iter()
                    .filter(|x| **x % 2 == 0)
                    .map(|x| crate::inputs::spin(*x))
                    .collect();
                let pushed = |mut all: Vec<u32>, x: &u32| {
                    all.push(*x);
                    all
                };
                (
                    even,
                    xs.par_iter()
                        .with_max_len(50)
                        .fold(Vec::new, pushed)
                        .reduce(Vec::new, |a, b| [a, b].concat()),
                )
            }
        }

        pub(crate) fn run(n: usize) -> (Vec<u32>, Vec<u32>) {
            squares(&crate::inputs::numbers(n))
        }
    }

    option_of_the_time_of_a_chunk {
        use rayon::prelude::*;

        tune! {
            [chunk_time = "20us"]
            fn squares(xs: &[u32]) -> (Vec<u32>, Vec<u32>) {
                let even = xs
                    .par_iter()
                    .filter(|x| **x % 2 == 0)
                    .map(|x| crate::inputs::spin(*x))
                    .collect();
                let pushed = |mut all: Vec<u32>, x: &u32| {
                    all.push(*x);
                    all
                };
                (
                    even,
                    xs.par_iter()
                        .with_max_len(50)
                        .fold(Vec::new, pushed)
                        .reduce(Vec::new, |a, b| [a, b].concat()),
                )
            }
        }

        pub(crate) fn run(n: usize) -> (Vec<u32>, Vec<u32>) {
            squares(&crate::inputs::numbers(n))
        }
    }

    option_of_a_fixed_order {
        use rayon::prelude::*;

        tune! {
            [deterministic]
            fn squares(xs: &[u32]) -> (Vec<u32>, Vec<u32>) {
                let even = xs
                    .par_iter()
                    .filter(|x| **x % 2 == 0)
                    .map(|x| crate::inputs::spin(*x))
                    .collect();
                let pushed = |mut all: Vec<u32>, x: &u32| {
                    all.push(*x);
                    all
                };
                (
                    even,
                    xs.par_iter()
                        .with_max_len(50)
                        .fold(Vec::new, pushed)
                        .reduce(Vec::new, |a, b| [a, b].concat()),
                )
            }
        }

        pub(crate) fn run(n: usize) -> (Vec<u32>, Vec<u32>) {
            squares(&crate::inputs::numbers(n))
        }
    }

    option_of_the_pool_alone {
        use rayon::prelude::*;

        tune! {
            [on_pool]
            fn squares(xs: &[u32]) -> (Vec<u32>, Vec<u32>) {
                let even = xs
                    .par_iter()
                    .filter(|x| **x % 2 == 0)
                    .map(|x| crate::inputs::spin(*x))
                    .collect();
                let pushed = |mut all: Vec<u32>, x: &u32| {
                    all.push(*x);
                    all
                };
                (
                    even,
                    xs.par_iter()
                        .with_max_len(50)
                        .fold(Vec::new, pushed)
                        .reduce(Vec::new, |a, b| [a, b].concat()),
                )
            }
        }

        pub(crate) fn run(n: usize) -> (Vec<u32>, Vec<u32>) {
            squares(&crate::inputs::numbers(n))
        }
    }

    option_of_waiting_items {
        use rayon::prelude::*;

        tune! {
            [io]
            fn squares(xs: &[u32]) -> (Vec<u32>, Vec<u32>) {
                let even = xs
                    .par_iter()
                    .filter(|x| **x % 2 == 0)
                    .map(|x| crate::inputs::spin(*x))
                    .collect();
                let pushed = |mut all: Vec<u32>, x: &u32| {
                    all.push(*x);
                    all
                };
                (
                    even,
                    xs.par_iter()
                        .with_max_len(50)
                        .fold(Vec::new, pushed)
                        .reduce(Vec::new, |a, b| [a, b].concat()),
                )
            }
        }

        pub(crate) fn run(n: usize) -> (Vec<u32>, Vec<u32>) {
            squares(&crate::inputs::numbers(n))
        }
    }

    option_to_skip_a_loop {
        use rayon::prelude::*;

        tune! {
            [skip = 1]
            fn sums(xs: &[u32]) -> (u32, u32) {
                (xs.par_iter().sum(), xs.par_iter().map(|x| x % 7).sum())
            }
        }

        pub(crate) fn run(n: usize) -> (u32, u32) {
            sums(&crate::inputs::numbers(n))
        }
    }
}
