//! Items that rayon cuts no finer than it is told: the stock rayon with which loops are compared has to keep to
//! the memory, too.

use rayon::iter::plumbing::{Folder, Producer};

use crate::pieces::Pieces;

/// Items in pieces of at least this length.
pub(super) struct Coarse<P> {
    pub(super) producer: P,
    pub(super) piece: usize,
}

impl<P: Pieces> Pieces for Coarse<P> {
    fn fold_piece<F: Folder<P::Item>>(self, folder: F) -> F {
        self.producer.fold_piece(folder)
    }
}

impl<P: Producer> Producer for Coarse<P> {
    type Item = P::Item;
    type IntoIter = P::IntoIter;

    fn into_iter(self) -> P::IntoIter {
        self.producer.into_iter()
    }

    fn min_len(&self) -> usize {
        self.producer.min_len().max(self.piece)
    }

    fn max_len(&self) -> usize {
        self.producer.max_len()
    }

    fn split_at(self, index: usize) -> (Self, Self) {
        let Coarse { producer, piece } = self;
        let (left, right) = producer.split_at(index);
        (Coarse { producer: left, piece }, Coarse { producer: right, piece })
    }

    fn fold_with<F: Folder<P::Item>>(self, folder: F) -> F {
        self.producer.fold_with(folder)
    }
}
