//! Items that are counted.

use std::sync::atomic::{AtomicIsize, Ordering};

static ALIVE: AtomicIsize = AtomicIsize::new(0);

/// How many items were made and not dropped yet.
pub(crate) fn alive() -> isize {
    ALIVE.load(Ordering::SeqCst)
}

/// A number whose copies are counted. It owns memory, so that a second drop does not go unnoticed.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Counted(Box<u32>);

impl Counted {
    pub(crate) fn new(value: u32) -> Self {
        ALIVE.fetch_add(1, Ordering::SeqCst);
        Counted(Box::new(value))
    }

    pub(crate) fn value(&self) -> u32 {
        *self.0
    }

    pub(crate) fn set(&mut self, value: u32) {
        *self.0 = value;
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        Counted::new(*self.0)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::SeqCst);
    }
}
