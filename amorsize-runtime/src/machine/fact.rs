//! A fact about the machine, and where it is from.

/// A fact, and where it was read: a file and what to look for in it, or a variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact<T> {
    /// What is known.
    pub value: T,
    /// Such as `/proc/meminfo MemTotal` or `RAYON_NUM_THREADS`.
    pub source: String,
}

impl<T> Fact<T> {
    pub(crate) fn new(value: T, source: impl Into<String>) -> Self {
        Fact { value, source: source.into() }
    }
}

/// The fact with the smallest value; the first of several.
pub(crate) fn least<T: Ord + Copy>(
    facts: impl IntoIterator<Item = Option<Fact<T>>>,
) -> Option<Fact<T>> {
    facts.into_iter().flatten().min_by_key(|fact| fact.value)
}
