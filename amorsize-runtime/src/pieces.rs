//! How the items of a piece get into a folder: all at once, or in steps.
//!
//! A folder behind a stage that lets nothing pass never sees an item, so that it cannot find out that the
//! search is over. Pieces of staged loops are folded in steps, between which the folder is asked. All other
//! loops are spared the code.

use std::time::Duration;

use rayon::iter::plumbing::{Folder, Producer};

use crate::clock::Instant;

/// Items before the first look whether a folder is full. There are twice as many before each further one: a piece that goes on
/// although the search is over does so for about as long as it took until then, …
const FIRST_STEP: usize = 512;
/// … from so many items on only while it is less than this between two looks.
const TIMED_FROM: usize = 4_096;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// A producer that leads a folder through its items.
pub(crate) trait Pieces: Producer {
    /// A piece is a single item, however many elements it has, and may cost something of its own.
    const IS_WHOLE: bool = false;

    /// Folds all items.
    fn fold_piece<F: Folder<Self::Item>>(self, folder: F) -> F;

    /// The same for so few items that nobody has to look.
    #[inline]
    fn fold_few<F: Folder<Self::Item>>(self, folder: F) -> F {
        fold_all(self, folder)
    }
}

/// Folds all items, as the standard iterator over them. Never inlined: this is the only copy of a loop's body
/// in a program, so that the compiler has every reason to inline the user's closures into it.
#[inline(never)]
pub(crate) fn fold_all<P: Producer, F: Folder<P::Item>>(producer: P, folder: F) -> F {
    producer.fold_with(folder)
}

/// Items that are folded all at once.
pub(crate) struct AtOnce<P>(pub(crate) P);

impl<P: Producer> Pieces for AtOnce<P> {
    #[inline]
    fn fold_piece<F: Folder<P::Item>>(self, folder: F) -> F {
        fold_all(self.0, folder)
    }
}

impl<P: Producer> Producer for AtOnce<P> {
    type Item = P::Item;
    type IntoIter = P::IntoIter;

    #[inline]
    fn into_iter(self) -> P::IntoIter {
        self.0.into_iter()
    }

    fn min_len(&self) -> usize {
        self.0.min_len()
    }

    fn max_len(&self) -> usize {
        self.0.max_len()
    }

    #[inline]
    fn split_at(self, index: usize) -> (Self, Self) {
        let (left, right) = self.0.split_at(index);
        (AtOnce(left), AtOnce(right))
    }

    /// For rayon.
    fn fold_with<F: Folder<P::Item>>(self, folder: F) -> F {
        self.fold_piece(folder)
    }
}

/// Items that are folded in steps.
pub(crate) struct Stepwise<P> {
    pub(crate) producer: P,
    /// How many items it has, which producers do not tell.
    pub(crate) len: usize,
}

impl<P: Producer> Pieces for Stepwise<P> {
    fn fold_piece<F: Folder<P::Item>>(self, mut folder: F) -> F {
        let mut step = self.min_len().max(FIRST_STEP);
        let mut rest = Some(self);
        while let Some(pieces) = rest.take().filter(|_| !folder.full()) {
            let (now, later) = if pieces.len > step {
                let (now, later) = pieces.split_at(step);
                (now, Some(later))
            } else {
                (pieces, None)
            };
            let start = (later.is_some() && step >= TIMED_FROM).then(Instant::now);
            folder = fold_all(now.producer, folder);
            if start.is_none_or(|start| start.elapsed() < BETWEEN_LOOKS) {
                step = step.saturating_mul(2);
            }
            rest = later;
        }
        folder
    }

    #[inline]
    fn fold_few<F: Folder<P::Item>>(self, folder: F) -> F {
        fold_all(self.producer, folder)
    }
}

impl<P: Producer> Producer for Stepwise<P> {
    type Item = P::Item;
    type IntoIter = P::IntoIter;

    #[inline]
    fn into_iter(self) -> P::IntoIter {
        self.producer.into_iter()
    }

    fn min_len(&self) -> usize {
        self.producer.min_len()
    }

    fn max_len(&self) -> usize {
        self.producer.max_len()
    }

    fn split_at(self, index: usize) -> (Self, Self) {
        let (left, right) = self.producer.split_at(index);
        (
            Stepwise { producer: left, len: index },
            Stepwise { producer: right, len: self.len - index },
        )
    }

    /// For rayon.
    fn fold_with<F: Folder<P::Item>>(self, folder: F) -> F {
        self.fold_piece(folder)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use rayon::iter::plumbing::ProducerCallback;
    use rayon::prelude::*;

    use super::*;

    /// Wants no item any more once it was led past so many. None reaches what comes after a stage that rejects them all.
    struct Until<'c> {
        seen: &'c Cell<usize>,
        full_at: usize,
    }

    impl<T> Folder<T> for Until<'_> {
        type Result = ();

        fn consume(self, _: T) -> Self {
            self.seen.set(self.seen.get() + 1);
            self
        }

        /// As a stage that rejects all items: it does not ask.
        fn consume_iter<I: IntoIterator<Item = T>>(self, items: I) -> Self {
            items.into_iter().fold(self, Self::consume)
        }

        fn complete(self) {}

        fn full(&self) -> bool {
            self.seen.get() >= self.full_at
        }
    }

    struct Seen<'c>(&'c Cell<usize>, usize);

    impl<T> ProducerCallback<T> for Seen<'_> {
        type Output = ();

        fn callback<P: Producer<Item = T>>(self, producer: P) {
            let Seen(seen, full_at) = self;
            Stepwise { producer, len: LEN }.fold_piece(Until { seen, full_at });
        }
    }

    const LEN: usize = 1_000_000;

    #[test]
    fn a_piece_goes_on_for_no_longer_than_it_took_until_the_search_was_over() {
        for full_at in [1, 512, 513, 3_000, 100_000, LEN] {
            let seen = Cell::new(0);
            (0..LEN).into_par_iter().with_producer(Seen(&seen, full_at));
            let most = (2 * full_at + FIRST_STEP).min(LEN);
            assert!((full_at..=most).contains(&seen.get()), "{full_at}: {}", seen.get());
        }
    }
}
