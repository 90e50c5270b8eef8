//! The attribute on the loops that users write: same results as without it, whatever the plan.

use rayon::prelude::*;

#[amorsize::tune]
fn squares(xs: &[u64]) -> Vec<u64> {
    xs.par_iter().enumerate().map(|(i, x)| x * x + i as u64).collect()
}

#[amorsize::tune]
fn total(n: u64) -> u64 {
    (0..n).into_par_iter().filter(|x| x % 3 == 0).map(|x| x * 2).sum()
}

#[amorsize::tune]
fn literal_range() -> usize {
    (0..1000).into_par_iter().map(|i| i * 2).sum()
}

#[test]
fn results_are_those_of_the_plain_iterator() {
    let xs: Vec<u64> = (0..10_000).collect();
    let expected: Vec<u64> = xs.iter().enumerate().map(|(i, x)| x * x + i as u64).collect();
    assert_eq!(squares(&xs), expected);
    assert_eq!(total(1_000), (0..1000).filter(|x| x % 3 == 0).map(|x| x * 2).sum::<u64>());
    assert_eq!(literal_range(), 999_000);
    println!("{:?}", amorsize::loops());
}
