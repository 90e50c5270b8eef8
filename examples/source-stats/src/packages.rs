//! Packages, and how many lines they share.

use std::cmp::{Ordering, Reverse};

use rayon::prelude::*;

use crate::lines::{comparable_in, fingerprint};
use crate::sources::Source;

/// One package and its different lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package<'a> {
    /// Name and version.
    pub name: &'a str,
    /// How many files it has.
    pub files: usize,
    /// Fingerprints of its lines, sorted, each once.
    pub fingerprints: Vec<u64>,
}

/// Two packages with lines in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair<'a> {
    /// The first package, by the order of the packages.
    pub first: &'a str,
    /// The other one.
    pub second: &'a str,
    /// How many different lines occur in both.
    pub shared_lines: usize,
}

/// The packages of `sources`, where the files of a package follow each other.
#[must_use]
#[amorsize::tune]
pub fn group(sources: &[Source]) -> Vec<Package<'_>> {
    sources
        .par_chunk_by(|a, b| a.package == b.package)
        .map(|files| {
            let lines = files.iter().flat_map(|file| comparable_in(&file.text));
            let mut fingerprints: Vec<u64> = lines.map(fingerprint).collect();
            fingerprints.sort_unstable();
            fingerprints.dedup();
            Package { name: &files[0].package, files: files.len(), fingerprints }
        })
        .collect()
}

/// All pairs of packages that share lines; those that share most first, then by their order.
#[must_use]
#[amorsize::tune]
pub fn pairs<'a>(packages: &[Package<'a>]) -> Vec<Pair<'a>> {
    let rows: Vec<Vec<Pair<'a>>> = (0..packages.len())
        .into_par_iter()
        .map(|at| {
            let first = &packages[at];
            let pair = |second: &Package<'a>| Pair {
                first: first.name,
                second: second.name,
                shared_lines: common(&first.fingerprints, &second.fingerprints),
            };
            packages[at + 1..].iter().map(pair).filter(|pair| pair.shared_lines > 0).collect()
        })
        .collect();
    let mut pairs = rows.concat();
    pairs.sort_by_key(|pair| Reverse(pair.shared_lines));
    pairs
}

/// How many values two sorted slices without repetitions have in common.
fn common(mut a: &[u64], mut b: &[u64]) -> usize {
    let mut common = 0;
    while let ([first_a, rest_a @ ..], [first_b, rest_b @ ..]) = (a, b) {
        match first_a.cmp(first_b) {
            Ordering::Less => a = rest_a,
            Ordering::Greater => b = rest_b,
            Ordering::Equal => {
                common += 1;
                (a, b) = (rest_a, rest_b);
            }
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_gather_the_different_lines_of_their_files() {
        let source = |package: &str, text: &str| Source {
            package: package.to_owned(),
            path: "src/lib.rs".to_owned(),
            text: text.to_owned(),
        };
        let sources = [
            source("a-1.0.0", "use std::collections::HashMap;\n"),
            source("a-1.0.0", "use std::collections::HashMap;\n    use std::path::PathBuf;\n"),
            source("b-1.0.0", "use std::path::PathBuf;\n"),
            source("c-1.0.0", ""),
        ];
        let packages = group(&sources);
        let sizes: Vec<_> = packages
            .iter()
            .map(|package| (package.name, package.files, package.fingerprints.len()))
            .collect();
        assert_eq!(sizes, [("a-1.0.0", 2, 2), ("b-1.0.0", 1, 1), ("c-1.0.0", 1, 0)]);
        let shared = Pair { first: "a-1.0.0", second: "b-1.0.0", shared_lines: 1 };
        assert_eq!(pairs(&packages), [shared]);
    }

    #[test]
    fn pairs_that_share_equally_keep_the_order_of_the_packages() {
        let package = |name, fingerprints: &[u64]| Package {
            name,
            files: 1,
            fingerprints: fingerprints.to_vec(),
        };
        let packages = [package("a", &[1]), package("b", &[1, 2]), package("c", &[1, 2])];
        let found = pairs(&packages);
        let names: Vec<_> =
            found.iter().map(|pair| (pair.first, pair.second, pair.shared_lines)).collect();
        assert_eq!(names, [("b", "c", 2), ("a", "b", 1), ("a", "c", 1)]);
    }
}
