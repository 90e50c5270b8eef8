//! An allocator that counts, for each thread, the bytes in use: what tells a recording how much memory items take.
//!
//! Has `unsafe` code, because [`GlobalAlloc`] is an unsafe trait. All of it hands its arguments on to the allocator
//! inside. Counting must not allocate, nor panic, nor need anything that a thread that ends has lost already.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};

/// An allocator around the one of your choice. In recording builds it counts what each thread allocates, so that
/// `cargo amorsize tune` knows the memory per task exactly; in all others it is the allocator inside and nothing
/// more.
///
/// It is the global allocator of a bench, or of the whole program: only what is recorded needs it.
///
/// Counted are the sizes that are asked for, without what the allocator inside adds. Memory counts for the thread
/// that allocates it and, when it is given back, against the one that does so. Memory that is not allocated through
/// Rust's global allocator (by C libraries, by `mmap`) is not seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct TrackingAllocator<A = System> {
    inner: A,
}

impl TrackingAllocator<System> {
    /// Around the system's allocator, which Rust uses by default.
    #[must_use]
    pub const fn system() -> Self {
        TrackingAllocator::new(System)
    }
}

impl<A> TrackingAllocator<A> {
    /// Around any other allocator.
    #[must_use]
    pub const fn new(inner: A) -> Self {
        TrackingAllocator { inner }
    }
}

// SAFETY: every call goes to the allocator inside with the same arguments, and its answer is returned as it is. Counting
// neither allocates nor unwinds.
unsafe impl<A: GlobalAlloc> GlobalAlloc for TrackingAllocator<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps to what `GlobalAlloc::alloc` asks for.
        let block = unsafe { self.inner.alloc(layout) };
        count_new(block, layout.size());
        block
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps to what `GlobalAlloc::alloc_zeroed` asks for.
        let block = unsafe { self.inner.alloc_zeroed(layout) };
        count_new(block, layout.size());
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps to what `GlobalAlloc::dealloc` asks for, and blocks of this allocator are
        // blocks of the one inside.
        unsafe { self.inner.dealloc(block, layout) };
        count(0, layout.size());
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller keeps to what `GlobalAlloc::realloc` asks for, and blocks of this allocator are
        // blocks of the one inside.
        let moved = unsafe { self.inner.realloc(block, layout, size) };
        // Where it fails the old block stays as it was.
        if !moved.is_null() {
            count(size, layout.size());
        }
        moved
    }
}

#[inline]
fn count_new(block: *mut u8, size: usize) {
    if !block.is_null() {
        count(size, 0);
    }
}

#[cfg(not(feature = "record"))]
#[inline]
fn count(_more: usize, _less: usize) {}

#[cfg(feature = "record")]
use counts::count;
#[cfg(feature = "record")]
pub(crate) use counts::{Window, is_installed, live};

#[cfg(feature = "record")]
mod counts {
    use std::cell::Cell;
    use std::marker::PhantomData;
    use std::sync::OnceLock;

    /// Of one thread.
    struct Counts {
        /// Bytes that it has allocated less those that it has given back: negative where it gives back what others
        /// have allocated.
        live: Cell<i64>,
        /// The most that `live` has been since the innermost window was opened.
        peak: Cell<i64>,
    }

    thread_local! {
        // Made without allocating and never dropped, so that it is there until the thread's very end.
        static COUNTS: Counts = const { Counts { live: Cell::new(0), peak: Cell::new(0) } };
    }

    #[inline]
    pub(super) fn count(more: usize, less: usize) {
        // No block is larger than an `isize` can tell.
        let change = more as i64 - less as i64;
        let _ = COUNTS.try_with(|counts| {
            let live = counts.live.get().wrapping_add(change);
            counts.live.set(live);
            if live > counts.peak.get() {
                counts.peak.set(live);
            }
        });
    }

    /// Bytes that this thread has allocated less those that it has given back.
    pub(crate) fn live() -> i64 {
        COUNTS.try_with(|counts| counts.live.get()).unwrap_or(0)
    }

    /// From here on, how much more this thread has in use than now. Windows of a thread lie within each other: the last
    /// one opened is the first one dropped.
    #[derive(Debug)]
    pub(crate) struct Window {
        start: i64,
        peak_outside: i64,
        /// It is about the thread that opened it.
        here: PhantomData<*const ()>,
    }

    /// What happened in a window, in bytes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Growth {
        /// The most in use at any moment, beyond what was in use at the start; never negative.
        pub(crate) peak: i64,
        /// In use at the end, beyond what was in use at the start: negative if more was given back than taken.
        pub(crate) end: i64,
    }

    impl Window {
        pub(crate) fn open() -> Self {
            let open = |counts: &Counts| {
                let live = counts.live.get();
                Window { start: live, peak_outside: counts.peak.replace(live), here: PhantomData }
            };
            // A thread that is ending has nothing to count. Made only there: a window that is dropped here would
            // close the one that was just opened.
            let ending = |_| Window { start: 0, peak_outside: 0, here: PhantomData };
            COUNTS.try_with(open).unwrap_or_else(ending)
        }

        /// What has happened so far.
        pub(crate) fn growth(&self) -> Growth {
            let growth = |counts: &Counts| Growth {
                peak: counts.peak.get().wrapping_sub(self.start),
                end: counts.live.get().wrapping_sub(self.start),
            };
            COUNTS.try_with(growth).unwrap_or(Growth { peak: 0, end: 0 })
        }
    }

    impl Drop for Window {
        fn drop(&mut self) {
            // What was most in here was most out there too, if it was more.
            let close = |counts: &Counts| counts.peak.set(counts.peak.get().max(self.peak_outside));
            let _ = COUNTS.try_with(close);
        }
    }

    /// Whether this process allocates through a [`TrackingAllocator`](super::TrackingAllocator).
    pub(crate) fn is_installed() -> bool {
        static INSTALLED: OnceLock<bool> = OnceLock::new();
        *INSTALLED.get_or_init(|| {
            let window = Window::open();
            let probe = std::hint::black_box(Box::new([0_u8; 64]));
            let growth = window.growth();
            drop(probe);
            growth.peak >= 64
        })
    }
}

#[cfg(all(test, feature = "record", not(loom)))]
mod tests {
    use super::*;
    use counts::Growth;

    /// The tests of this crate allocate through it.
    #[global_allocator]
    static ALLOCATOR: TrackingAllocator = TrackingAllocator::system();

    fn grown(f: impl FnOnce()) -> Growth {
        let window = Window::open();
        f();
        window.growth()
    }

    fn bytes(size: usize) -> Vec<u8> {
        std::hint::black_box(Vec::with_capacity(size))
    }

    #[test]
    fn what_is_taken_and_given_back_is_counted_to_the_byte() {
        assert!(is_installed());
        assert_eq!(grown(|| drop(bytes(1_000))), Growth { peak: 1_000, end: 0 });
        assert_eq!(grown(|| drop((bytes(1_000), bytes(500)))), Growth { peak: 1_500, end: 0 });
        let mut kept = Vec::new();
        assert_eq!(grown(|| kept = bytes(700)), Growth { peak: 700, end: 700 });
        assert_eq!(grown(|| drop(kept)), Growth { peak: 0, end: -700 });
        let zeroed = || drop(std::hint::black_box(vec![0_u8; 300]));
        assert_eq!(grown(zeroed), Growth { peak: 300, end: 0 });
    }

    #[test]
    fn a_block_that_grows_or_shrinks_counts_once() {
        let growing = || {
            let mut block = bytes(1_000);
            block.push(1);
            block.reserve_exact(9_999);
            block.shrink_to(2_000);
            std::hint::black_box(&block);
        };
        assert_eq!(grown(growing), Growth { peak: 10_000, end: 0 });
    }

    #[test]
    fn what_another_thread_gives_back_counts_there() {
        // A thread and its first output take something, too.
        const LITTLE: i64 = 1 << 16;
        let block = bytes(1 << 20);
        let there = std::thread::spawn(move || grown(|| drop(block)));
        let there = there.join().expect("no panic");
        assert!(there.peak < LITTLE && there.end < LITTLE - (1 << 20), "{there:?}");
        let window = Window::open();
        let block = std::thread::spawn(|| bytes(1 << 20)).join().expect("no panic");
        assert!(window.growth().peak < LITTLE, "{:?}", window.growth());
        drop(block);
        assert!(window.growth().end < LITTLE - (1 << 20), "{:?}", window.growth());
    }

    #[test]
    fn a_thread_that_gives_back_what_others_took_counts_from_there() {
        let block = bytes(1 << 20);
        let there = std::thread::spawn(move || {
            drop(block);
            (grown(|| drop(bytes(1_000))), grown(|| {}))
        });
        let there = there.join().expect("no panic");
        assert_eq!(there, (Growth { peak: 1_000, end: 0 }, Growth { peak: 0, end: 0 }));
    }

    #[test]
    fn windows_lie_within_each_other() {
        let outer = Window::open();
        let kept = bytes(100);
        assert_eq!(grown(|| drop(bytes(1_000))), Growth { peak: 1_000, end: 0 });
        assert_eq!(grown(|| drop(bytes(10))), Growth { peak: 10, end: 0 });
        assert_eq!(outer.growth(), Growth { peak: 1_100, end: 100 });
        drop(kept);
        assert_eq!(outer.growth(), Growth { peak: 1_100, end: 0 });
        drop(outer);
        // The next one starts anew.
        assert_eq!(grown(|| drop(bytes(10))), Growth { peak: 10, end: 0 });
    }

    #[test]
    fn a_thread_may_allocate_while_it_ends() {
        struct Last;
        impl Drop for Last {
            fn drop(&mut self) {
                drop(bytes(1_000));
                let _ = grown(|| drop(bytes(1_000)));
            }
        }
        thread_local!(static LAST: Last = const { Last });
        let thread = std::thread::spawn(|| LAST.with(|_| drop(bytes(100))));
        thread.join().expect("no panic");
    }
}
