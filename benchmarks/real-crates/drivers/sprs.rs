//! Squares of sparse matrices whose first rows are much longer than the others.

mod serve;

use serve::{Case, Random, digest, drive};
use sprs::CsMat;

/// Entries of a row on average.
const PER_ROW: usize = 8;

/// A square matrix whose row `r` has entries in proportion to `1 / √(r + 1)`, in random columns.
fn skewed(n: usize) -> CsMat<f64> {
    let mut random = Random(n as u64);
    let (mut starts, mut columns, mut values) = (vec![0], Vec::new(), Vec::new());
    for row in 0..n {
        let share = 0.5 * (n as f64 / (row + 1) as f64).sqrt();
        let wanted = ((PER_ROW as f64 * share) as usize).clamp(1, n / 4);
        let mut row: Vec<usize> = (0..wanted).map(|_| random.next() as usize % n).collect();
        row.sort_unstable();
        row.dedup();
        values.extend(row.iter().map(|_| random.between(-1.0, 1.0)));
        columns.extend(row);
        starts.push(columns.len());
    }
    CsMat::new((n, n), starts, columns, values)
}

fn main() {
    let sizes = [30, 100, 300, 1_000, 3_000, 10_000, 30_000];
    let case = |n: usize| {
        Case::new(
            format!("square {n}"),
            move || skewed(n),
            |matrix| sprs::smmp::mul_csr_csr::<f64, _, _, _, _>(matrix.view(), matrix.view()),
            |product, _| {
                let starts = product.indptr();
                let starts = starts.raw_storage().iter().map(|&start| start as u64);
                let columns = product.indices().iter().map(|&column| column as u64);
                let values = product.data().iter().map(|value| value.to_bits());
                digest(starts.chain(columns).chain(values).collect::<Vec<_>>())
            },
        )
    };
    drive(sizes.into_iter().map(case).collect());
}
