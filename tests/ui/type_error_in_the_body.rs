use rayon::prelude::*;

#[amorsize::tune]
fn total(xs: &[u32]) -> u32 {
    let wrong: String = xs.len();
    xs.par_iter().map(|x| x.missing()).sum()
}

fn main() {
    total(&[]);
}
