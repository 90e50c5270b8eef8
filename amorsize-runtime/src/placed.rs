//! Successes of items that may be failures, each written straight to its place in a vector.
//!
//! Rayon has a consumer for vectors that insists on every item; after a failure there are some that nobody makes. What workers
//! gather in vectors of their own has to be copied together, and most of the time goes into pages of memory that are used for
//! the first time: written to its place, an item needs one.
//!
//! # Why this is sound
//!
//! A vector of length 0 has room for `len` items, and nobody uses it while there is a [`Room`] that borrows it.
//!
//! - **P1, one writer.** The places of a [`Placing`] are part of `0..len`, and no other one has any of them: there is one with all
//!   at first, it is no `Clone`, and a split gives each place to one half. Its folder writes to them in their order, each at
//!   most once.
//! - **P2, one owner.** The places of a [`Filled`] hold items, and no other one has any of them. It drops these items unless it
//!   hands them to the one before it or, if it has all places, to the vector.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::mem::{self, MaybeUninit};
use std::ops::Range;
use std::ptr;

use rayon::iter::IndexedParallelIterator;
use rayon::iter::plumbing::{Consumer, Folder, Reducer};

use crate::fallible::{Fallible, FirstFailure, InFront};

/// All successes, in the order of the items, or nothing after a failure. Gives the items back if they cannot be counted or
/// there is no room for all of them: a failure may come long before the last one.
///
/// # Panics
///
/// If there are fewer items than the iterator says, or more.
pub(crate) fn collect<I, T>(
    items: I,
    failure: &FirstFailure<<I::Item as Fallible>::Failure>,
) -> Result<Vec<T>, I>
where
    I: IndexedParallelIterator<Item: Fallible<Success = T>>,
    T: Send,
{
    let mut vec = Vec::new();
    let Some(len) = items.opt_len().filter(|&len| vec.try_reserve_exact(len).is_ok()) else {
        return Err(items);
    };
    let filled = items.drive(Placing { room: Room::of(&mut vec), places: 0..len, failure });
    if failure.happened() {
        return Ok(Vec::new());
    }
    assert_eq!(filled.places, 0..len, "there are fewer items than the iterator says");
    filled.release();
    // SAFETY: by P2 there were items in all places, and now they are the vector's.
    unsafe { vec.set_len(len) };
    Ok(vec)
}

/// The room of a vector beyond its length.
struct Room<'v, T> {
    first: *mut MaybeUninit<T>,
    vec: PhantomData<&'v mut Vec<T>>,
}

impl<'v, T> Room<'v, T> {
    fn of(vec: &'v mut Vec<T>) -> Self {
        Room { first: vec.spare_capacity_mut().as_mut_ptr(), vec: PhantomData }
    }
}

impl<T> Clone for Room<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Room<'_, T> {}

// SAFETY: by P1 and P2, each place is used by one thread at a time.
unsafe impl<T: Send> Send for Room<'_, T> {}

/// Writes successes to these places.
struct Placing<'v, 'f, T, E> {
    room: Room<'v, T>,
    places: Range<usize>,
    failure: &'f FirstFailure<E>,
}

impl<'v, 'f, T, E, I> Consumer<I> for Placing<'v, 'f, T, E>
where
    I: Fallible<Success = T, Failure = E>,
    T: Send,
    E: Send,
{
    type Folder = PlacingFolder<'v, 'f, T, E>;
    type Reducer = Adjacent;
    type Result = Filled<'v, T>;

    fn split_at(self, index: usize) -> (Self, Self, Adjacent) {
        let Placing { room, places: Range { start, end }, failure } = self;
        assert!(index <= end - start, "a producer was split beyond its end");
        let placing = |places| Placing { room, places, failure };
        (placing(start..start + index), placing(start + index..end), Adjacent)
    }

    #[inline]
    fn into_folder(self) -> Self::Folder {
        let Placing { room, places: Range { start, end }, failure } = self;
        PlacingFolder { filled: Filled { room, places: start..start }, end, failure }
    }

    fn full(&self) -> bool {
        self.failure.happened()
    }
}

struct PlacingFolder<'v, 'f, T, E> {
    filled: Filled<'v, T>,
    /// Of the places that there are.
    end: usize,
    failure: &'f FirstFailure<E>,
}

impl<'v, T, E, I> Folder<I> for PlacingFolder<'v, '_, T, E>
where
    I: Fallible<Success = T, Failure = E>,
    E: Send,
{
    type Result = Filled<'v, T>;

    fn consume(self, item: I) -> Self {
        self.consume_iter([item])
    }

    #[inline]
    fn consume_iter<It: IntoIterator<Item = I>>(mut self, items: It) -> Self {
        let Filled { room, places } = &mut self.filled;
        for success in InFront::of(items.into_iter(), self.failure) {
            assert!(places.end < self.end, "there are more items than the iterator says");
            // SAFETY: by P1, as this place is one of the folder's and was not written to.
            unsafe { (*room.first.add(places.end)).write(success) };
            places.end += 1;
        }
        self
    }

    #[inline]
    fn complete(self) -> Filled<'v, T> {
        self.filled
    }

    fn full(&self) -> bool {
        self.failure.happened()
    }
}

/// Items in these places.
struct Filled<'v, T> {
    room: Room<'v, T>,
    places: Range<usize>,
}

impl<T> Filled<'_, T> {
    /// Leaves the items to somebody else.
    fn release(self) {
        mem::forget(self);
    }
}

impl<T> Drop for Filled<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let Range { start, end } = self.places;
        // SAFETY: by P2, there are items in these places, and they are dropped once.
        unsafe {
            let first = self.room.first.add(start).cast::<T>();
            ptr::slice_from_raw_parts_mut(first, end - start).drop_in_place();
        }
    }
}

/// Puts items together that are in places one after the other. What does not follow comes after a failure, and is dropped.
struct Adjacent;

impl<'v, T> Reducer<Filled<'v, T>> for Adjacent {
    fn reduce(self, mut left: Filled<'v, T>, right: Filled<'v, T>) -> Filled<'v, T> {
        if left.places.end == right.places.start {
            left.places.end = right.places.end;
            right.release();
        }
        left
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::sync::Arc;
    use std::thread;

    use rayon::iter::plumbing::{ProducerCallback, UnindexedConsumer};
    use rayon::iter::{IntoParallelIterator, ParallelIterator};

    use super::*;

    const N: usize = 8;

    /// What a function makes of `0..N`, the first half on a thread of its own: rayon's pool is beyond what Miri sees through.
    struct OnTwoThreads<F>(F);

    impl<T: Send, F: Fn(usize) -> T + Sync + Send> ParallelIterator for OnTwoThreads<F> {
        type Item = T;

        fn drive_unindexed<C: UnindexedConsumer<T>>(self, consumer: C) -> C::Result {
            self.drive(consumer)
        }

        fn opt_len(&self) -> Option<usize> {
            Some(N)
        }
    }

    impl<T: Send, F: Fn(usize) -> T + Sync + Send> IndexedParallelIterator for OnTwoThreads<F> {
        fn len(&self) -> usize {
            N
        }

        fn drive<C: Consumer<T>>(self, consumer: C) -> C::Result {
            let (left, right, reducer) = consumer.split_at(N / 2);
            let fold = |consumer: C, items: Range<usize>| {
                consumer.into_folder().consume_iter(items.map(&self.0)).complete()
            };
            thread::scope(|scope| {
                let left = scope.spawn(|| fold(left, 0..N / 2));
                let right = fold(right, N / 2..N);
                reducer.reduce(left.join().unwrap_or_else(|payload| resume_unwind(payload)), right)
            })
        }

        fn with_producer<CB: ProducerCallback<T>>(self, _: CB) -> CB::Output {
            unreachable!("it drives itself")
        }
    }

    type Collected<T> = (Result<Vec<T>, ()>, bool);

    fn quiet_panic() -> ! {
        resume_unwind(Box::new("on purpose"))
    }

    /// What becomes of `N` items, and whether one has failed.
    fn collected<T: Send>(item: impl Fn(usize) -> Result<T, usize> + Sync + Send) -> Collected<T> {
        let failure = FirstFailure::none();
        let all = collect(OnTwoThreads(item), &failure);
        (all.map_err(drop), failure.happened())
    }

    #[test]
    fn successes_are_in_their_places() {
        assert_eq!(collected(Ok), (Ok((0..N).collect()), false));
        assert_eq!(collected(|_| Ok(())), (Ok(vec![(); N]), false));
    }

    #[test]
    fn after_a_failure_all_successes_are_dropped() {
        for bad in 0..N {
            let alive = Arc::new(());
            let item = |i| if i == bad { Err(i) } else { Ok(alive.clone()) };
            assert_eq!(collected(item), (Ok(Vec::new()), true));
            assert_eq!(Arc::strong_count(&alive), 1, "{bad}");
        }
    }

    #[test]
    fn after_a_panic_all_successes_are_dropped() {
        for bad in 0..N {
            let alive = Arc::new(());
            let item = |i| if i == bad { quiet_panic() } else { Ok(alive.clone()) };
            catch_unwind(AssertUnwindSafe(|| collected(item))).expect_err("an item panics");
            assert_eq!(Arc::strong_count(&alive), 1, "{bad}");
        }
    }

    #[test]
    fn a_drop_that_panics_keeps_no_other_item_from_being_dropped() {
        struct Bad(Option<Arc<()>>);
        impl Drop for Bad {
            fn drop(&mut self) {
                if self.0.is_none() {
                    quiet_panic()
                }
            }
        }
        let alive = Arc::new(());
        let item = |i| match i {
            0 => Ok(Bad(None)),
            6 => Err(i),
            _ => Ok(Bad(Some(alive.clone()))),
        };
        let _ = catch_unwind(AssertUnwindSafe(|| collected(item)));
        assert_eq!(Arc::strong_count(&alive), 1);
    }

    #[test]
    fn items_that_memory_has_no_room_for_are_given_back() {
        let failure = FirstFailure::none();
        let items = (0..usize::MAX).into_par_iter().map(|i| if i < 5 { Ok(i) } else { Err(i) });
        assert!(collect(items, &failure).is_err() && !failure.happened());
    }
}
