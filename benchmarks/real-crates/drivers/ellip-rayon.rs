//! Elliptic integrals of vectors: cheap ones and dear ones, with one to four arguments.

mod serve;

use ellip_rayon as ellip;
use serve::{Case, Random, digest, drive};

const SIZES: [usize; 9] = [100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000];

/// Vectors of arguments, each evenly distributed between two bounds.
fn vectors(n: usize, bounds: &[(f64, f64)]) -> Vec<Vec<f64>> {
    let mut random = Random(n as u64);
    let vector = |&(low, high): &(f64, f64)| (0..n).map(|_| random.between(low, high)).collect();
    bounds.iter().map(vector).collect()
}

fn cases(
    name: &str,
    bounds: &'static [(f64, f64)],
    call: impl Fn(&[Vec<f64>]) -> Result<Vec<f64>, &'static str> + Copy + 'static,
) -> impl Iterator<Item = Case> {
    SIZES.into_iter().map(move |n| {
        Case::new(
            format!("{name} {n}"),
            move || vectors(n, bounds),
            move |input| call(input),
            |result, _| digest(result.iter().flatten().map(|value| value.to_bits())),
        )
    })
}

fn main() {
    let mut all = Vec::new();
    all.extend(cases("ellipk", &[(0.0, 0.99)], |x| ellip::ellipk(&x[0])));
    all.extend(cases("ellipf", &[(0.0, 1.5), (0.0, 0.99)], |x| ellip::ellipf(&x[0], &x[1])));
    all.extend(cases("elliprg", &[(0.1, 9.0), (0.1, 9.0), (0.1, 9.0)], |x| {
        ellip::elliprg(&x[0], &x[1], &x[2])
    }));
    all.extend(cases("elliprj", &[(0.1, 9.0), (0.1, 9.0), (0.1, 9.0), (0.1, 9.0)], |x| {
        ellip::elliprj(&x[0], &x[1], &x[2], &x[3])
    }));
    drive(all);
}
