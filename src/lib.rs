//! Parallel loops that run serial or parallel, on the right number of workers, with the right chunk
//! size, because that was measured.
//!
//! Put one attribute on a function with [rayon] loops:
//!
//! ```
//! use rayon::prelude::*;
//!
//! #[amorsize::tune]
//! fn brightness(pixels: &[[u8; 3]]) -> Vec<f32> {
//!     pixels.par_iter().map(|[r, g, b]| 0.3 * *r as f32 + 0.6 * *g as f32 + 0.1 * *b as f32).collect()
//! }
//! # assert_eq!(brightness(&[[0, 0, 0]]), [0.0]);
//! ```
//!
//! and let `cargo amorsize tune` run the package's benches. It measures every loop and writes
//! `amorsize.toml` beside `Cargo.toml`: a small, readable file to review and check in. From then on
//! the constants are compiled in, and each call decides from its number of items and the machine it
//! is on. Without a profile a loop starts serially and goes parallel as soon as its own measured rate
//! says that this pays.
//!
//! The [guide] says how a call is decided, what the file holds, how to write a bench that feeds `tune`, and what continuous
//! integration does with it. `docs/adopting.md`, beside the sources of this crate, is about code that already uses rayon.
//!
//! # What becomes a loop
//!
//! Every entry call of rayon's that is written in the function's body: `par_iter`, `par_iter_mut`,
//! `into_par_iter`, `par_chunks` and its relatives, `par_windows`, `par_drain` and so on, on whatever
//! can be indexed: slices, vectors, arrays, ranges of all integer types. The argument of `zip`, `chain`
//! and `interleave` belongs to the loop that calls them. What rayon cannot index (hash maps, `par_bridge`,
//! `par_chunk_by`, strings, more items than a `usize` can count) runs as rayon runs it, untuned.
//!
//! A generic function has a loop for each type of items that it is called with: `demo::norm<&f32>` and
//! `demo::norm<&f64>` in the profile, or plain `demo::norm` while there is one type only.
//!
//! [`pieces`], called by a path that begins with the crate's name, is an entry call, too.
//!
//! Where the source says that a loop collects into a `Vec`, a `Result` or an `Option` (`collect::<Vec<_>>()`, `let all: Option<…> = …collect();`, or a function
//! that returns one and ends with `collect()`), the loop does so in its own way, faster than rayon's after `filter` and its like, and where items may be
//! failures. By hand: `collect_vec` after such an adaptor, [`Tuned::try_collect`] and [`Tuned::try_collect_vec`].
//!
//! A function where no entry call is found is an error, and so is a `const fn`, an `async fn`, and a method without a body. Entry calls that another macro produces, or
//! that a trait of your own hides, are not seen: [`tuned!`] marks them, and says what an item of such
//! a loop costs, if that differs from other loops of the function: `tuned!(rows_of(x), cost = columns)`
//! (see the option `cost` below; here it is evaluated whenever the loop is reached).
//!
//! # Loops elsewhere
//!
//! A *kernel* is a function of one item. Beside it, the attribute puts a constant with the function's
//! name in capitals: its loop.
//!
//! ```
//! use amorsize::Tune;
//! use rayon::prelude::*;
//!
//! #[amorsize::tune(kernel)]
//! fn collatz(n: u32) -> u32 {
//!     let next = |n: &u32| (*n != 1).then(|| if n % 2 == 0 { n / 2 } else { 3 * n + 1 });
//!     std::iter::successors(Some(n), next).count() as u32
//! }
//!
//! let longest = (1..1_000_u32).into_par_iter().tuned(COLLATZ).map(collatz).max();
//! assert_eq!(longest, Some(179));
//!
//! // For any other executor: how many workers, how many items at a time, and what keeps the plan from more workers.
//! let plan = COLLATZ.plan(1_000);
//! assert!(plan.workers() >= 1 && plan.chunk_size() >= 1);
//! if let Some(bound) = plan.limited_by() {
//!     println!("{} workers, limited by: {bound}", plan.workers());
//! }
//! ```
//!
//! Calls of the kernel that do not come from such a loop are sampled while recording, so that its
//! plan is known even where another executor runs it. Without any attribute,
//! `static LOOP: amorsize::Loop = amorsize::tuned_loop!("name");` makes a loop for `.tuned(&LOOP)`. After the name, it takes
//! the options `max_workers`, `chunk`, `chunk_time`, `memory`, `memory_fraction`, `respect_load`, `deterministic`, `on_pool`, `io`
//! and `crate` (below).
//!
//! # Divide and conquer
//!
//! [`join`] runs two branches that say how many units of work they are, in any unit: here, numbers of items.
//!
//! ```
//! #[amorsize::tune]
//! fn sum(numbers: &[u64]) -> u64 {
//!     if numbers.len() < 2 {
//!         return numbers.iter().sum();
//!     }
//!     let (low, high) = numbers.split_at(numbers.len() / 2);
//!     let (a, b) = amorsize::join(low.len(), || sum(low), high.len(), || sum(high));
//!     a + b
//! }
//! assert_eq!(sum(&[1, 2, 3, 4, 5]), 15);
//! ```
//!
//! The recursion needs no threshold. What a unit takes is measured from the first call on; a branch that is
//! not worth a fork is called like any function, after one comparison. There is nothing to record: the profile
//! has no entry for it. `max_workers`, `respect_load`, `on_pool`, `skip` and `name` apply; the attribute looks for
//! the path `amorsize::join`, with the crate's other name if it is renamed.
//!
//! # Pieces
//!
//! Some work costs something once, however many elements follow: an inversion, a seek, a workspace. [`pieces`] hands the
//! closure what a worker takes at a time, as a whole. What a piece costs is measured, and the plan has as few of them as
//! keep the workers busy; a serial run has one.
//!
//! ```
//! use rayon::prelude::*;
//!
//! /// The powers of a number, modulo another one.
//! #[amorsize::tune]
//! fn powers_modulo(base: u64, modulus: u64, powers: &mut [u64]) {
//!     let n = powers.len();
//!     amorsize::pieces((0..n, powers)).for_each(|(exponents, powers)| {
//!         // By repeated squaring, once per piece; then each power from the one before it.
//!         let mut power = 1;
//!         for bit in (0..usize::BITS).rev() {
//!             power = power * power % modulus;
//!             if exponents.start >> bit & 1 == 1 {
//!                 power = power * base % modulus;
//!             }
//!         }
//!         for place in powers {
//!             *place = power;
//!             power = power * base % modulus;
//!         }
//!     });
//! }
//!
//! let mut powers = [0; 100];
//! powers_modulo(3, 1_000, &mut powers);
//! assert_eq!(powers[..8], [1, 3, 9, 27, 81, 243, 729, 187]);
//! ```
//!
//! # Options
//!
//! | option | meaning |
//! |---|---|
//! | `max_workers = 4` | at most so many threads work on one call, the caller included |
//! | `chunk = 64` | the number of items a worker takes at a time, instead of the measured choice; excludes `chunk_time` and `deterministic` |
//! | `chunk_time = "500us"` | the time of one chunk, from which its size follows; excludes `deterministic` |
//! | `cost = xs[0].len()` | how many units of work one item of this call is: any expression of the function's arguments with a number as its value, evaluated once, when the function is called. What is measured is then the time of a unit, so that calls with cheap and with dear items are decided from one entry. A value that is not positive counts as 1 |
//! | `memory = "500MB"` | the memory that one item takes at its peak while it is processed: a parallel call has no more workers than such items fit into 80 % of what is available when it starts, and at least one. It wins over what `tune` has measured, see [`TrackingAllocator`] |
//! | `memory_fraction = 0.5` | the share of the available memory for that, instead of 80 % |
//! | `respect_load` | fewer workers while the machine is busy with other work: from 70 % pressure on the processors or 75 % on the memory on, in proportion to what is left, and at least the caller |
//! | `deterministic` | where pieces begin and end, and so the order of reductions, depends on the number of items alone, in serial runs too: floating-point sums are equal bit by bit on every machine and under every plan but `AMORSIZE=rayon`. A call is cut into 64 pieces |
//! | `on_pool` | items run on threads of the pool only, as with stock rayon; a call from outside the pool then costs what entering it costs, even if it is short |
//! | `io` | items wait (for files, for the network) more than they compute: they run on a pool of their own with 8 threads for each core, at least 32; excludes `on_pool` |
//! | `kernel` | the function is one item of a loop elsewhere, see above; excludes `skip` and `cost` |
//! | `skip = 2`, `skip = [1, 3]` | leaves these loops of the function alone, counted from 1 in the order of the source |
//! | `name = "…"` | the loop's name; by default `crate::module::function`, with `#2`, `#3` … for the second and third loop of a function |
//! | `crate = path` | where this crate is, if it was renamed: `#[amorsize_renamed::tune(crate = ::amorsize_renamed)]` |
//!
//! `with_min_len` and `with_max_len` in the body are constraints that no plan overrides.
//!
//! # Memory per task
//!
//! A loop of which it is known what one item takes at its peak has no more workers than such items fit into the available
//! memory. The option `memory` declares it. Otherwise `cargo amorsize tune` measures it, exactly where the bench allocates
//! through [`TrackingAllocator`]:
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: amorsize::TrackingAllocator = amorsize::TrackingAllocator::system();
//! # assert_eq!(std::hint::black_box(vec![1_u8; 100]).len(), 100);
//! ```
//!
//! That counts in recording builds only. Without it, on Linux, `tune` looks at how much more memory the bench takes with
//! more workers, which tells tasks of several MiB.
//!
//! # What is different from rayon
//!
//! Results, their order, panics and drops are the same, as far as reductions are associative. Floating-point sums are not: they
//! depend on where pieces begin and end, and may change from call to call, as a loop goes parallel. The option `deterministic` makes
//! them repeat. Some things differ:
//!
//! - A serial plan runs on the caller and never enters a pool.
//! - In a parallel plan the caller works too. Items that run on a caller from outside the pool see
//!   `rayon::current_thread_index() == None`.
//! - `fold` and `map_init` start as many folds as the plan has pieces, which may be one; `map_init` before a stage such as `filter`
//!   starts more.
//! - Once a search after such a stage is over, other workers go on for about as long as they have searched, for up to 512 items
//!   in any case, and to the end of what one item of `flat_map_iter` yields. Rayon's stop at their next item.
//! - `assert!` and `dbg!` around a loop print it with the calls that the attribute has added.
//!
//! Three things do not compile under the attribute: a place that names rayon's iterator type (`let it: rayon::slice::Iter<_> = …`),
//! `a.chain(b)` where `a` is a variable that holds a tuned iterator and rayon cannot index `b`, and a method of your own iterator type that takes it by value, right
//! behind the entry call. The option `skip` leaves such a loop alone.
//!
//! # Variables
//!
//! | variable | meaning |
//! |---|---|
//! | `AMORSIZE=serial` | every tuned loop runs on its caller |
//! | `AMORSIZE=rayon` | every tuned loop runs as stock rayon would run it |
//! | `AMORSIZE=workers=N,chunk=M` | every tuned loop runs on `N` workers with chunks of `M` items, and a [`join`] forks where both branches have `M` units of work; `chunk` may be left out |
//! | `AMORSIZE_MAX_WORKERS=N` | an upper limit for all loops; `AMORSIZE=rayon` and `AMORSIZE=workers=…` say more |
//! | `AMORSIZE_MEMORY=8GiB` | the available memory for loops whose memory per task is declared or measured, instead of what the system tells |
//! | `RAYON_NUM_THREADS=N` | as in rayon; counts as the number of usable cores |
//! | `AMORSIZE_RECORD=DIR` | record into this folder, which has to exist: otherwise nothing is recorded, and nothing says so; only in builds with the feature `record` |
//!
//! An invalid value of `AMORSIZE` is ignored; [`invalid_force`] tells, as the library itself prints
//! nothing.
//!
//! [rayon]: https://docs.rs/rayon

pub use amorsize_macros::{tune, tuned, tuned_loop};
pub use amorsize_runtime::model::Bound;
pub use amorsize_runtime::{
    Divide, Fallible, Force, FromFallible, InvalidForce, Loop, LoopStatus, ParPieces, Plan,
    TrackingAllocator, Tune, Tuned, TunedPieces, force, invalid_force, join, loops, pieces,
    warm_up,
};

#[doc(hidden)]
pub use amorsize_runtime::expansion;

// Exists in the documentation alone.
#[cfg(doc)]
#[doc = include_str!("../docs/guide.md")]
pub mod guide {}
