//! Sets of processors, and the lists that the kernel writes of them.

use std::fmt;

/// No kernel numbers its processors higher; a list that does is not one.
const MOST: u32 = 1 << 16;

/// Logical processors by their numbers, as the bits of words.
///
/// Not a `BTreeSet`, whose code takes long to compile, in every build of a user's program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cpus(Vec<u64>);

impl Cpus {
    /// Reads a list such as `0-3,8`; `None` for what is not a list and for an empty one.
    pub(crate) fn parse(list: &str) -> Option<Self> {
        let mut cpus = Cpus::default();
        for part in list.trim().split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
            if first > last || last >= MOST {
                return None;
            }
            for cpu in first..=last {
                cpus.insert(cpu);
            }
        }
        Some(cpus)
    }

    pub(crate) fn insert(&mut self, cpu: u32) {
        let word = cpu as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (cpu % 64);
    }

    pub(crate) fn contains(&self, cpu: u32) -> bool {
        self.0.get(cpu as usize / 64).is_some_and(|word| word >> (cpu % 64) & 1 == 1)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// From the lowest number upwards.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.0.len() as u32 * 64).filter(|&cpu| self.contains(cpu))
    }

    /// Adds the others.
    pub(crate) fn extend(&mut self, others: &Cpus) {
        for cpu in others.iter() {
            self.insert(cpu);
        }
    }

    /// Those that are among the others too.
    pub(crate) fn within(&self, others: &Cpus) -> Cpus {
        Cpus(self.0.iter().zip(&others.0).map(|(a, b)| a & b).collect())
    }
}

impl FromIterator<u32> for Cpus {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut cpus = Cpus::default();
        for cpu in numbers {
            cpus.insert(cpu);
        }
        cpus
    }
}

/// The kernel's format, such as `0-3,8`.
impl fmt::Display for Cpus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cpus = self.iter().peekable();
        let mut comma = "";
        while let Some(first) = cpus.next() {
            let mut last = first;
            while let Some(next) = cpus.next_if_eq(&(last + 1)) {
                last = next;
            }
            match first == last {
                true => write!(formatter, "{comma}{first}")?,
                false => write!(formatter, "{comma}{first}-{last}")?,
            }
            comma = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_expand() {
        let list = |text| Cpus::parse(text).map(|cpus| Vec::from_iter(cpus.iter()));
        assert_eq!(list("0-3,8\n"), Some(vec![0, 1, 2, 3, 8]));
        assert_eq!(list("5"), Some(vec![5]));
        assert_eq!(list("130,63-64"), Some(vec![63, 64, 130]));
        for garbage in ["", "0-x", "3-1", "0-4294967295", "-1", "0,,1"] {
            assert_eq!(list(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn lists_are_written_as_they_are_read() {
        for text in ["0-3,8", "5", "0,2,4-5", "62-65,127-128"] {
            assert_eq!(Cpus::parse(text).map(|cpus| cpus.to_string()).as_deref(), Some(text));
        }
        assert_eq!(Cpus::default().to_string(), "");
    }

    #[test]
    fn sets_of_different_lengths_are_joined_and_cut() {
        let cpus = |list| Cpus::parse(list).expect("a list");
        let mut joined = cpus("3");
        joined.extend(&cpus("1,200"));
        assert_eq!((joined.to_string(), joined.len()), ("1,3,200".to_owned(), 3));
        for (some, others) in [(&joined, &cpus("1-2")), (&cpus("1-2"), &joined)] {
            assert_eq!(some.within(others).to_string(), "1");
        }
        assert!(cpus("3").within(&cpus("203")).is_empty() && !cpus("203").is_empty());
        assert!(!cpus("3").contains(64 + 3));
    }
}
