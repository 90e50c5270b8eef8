use rayon::prelude::*;

#[amorsize::tune(worker = 4)]
fn total(xs: &[u32]) -> u32 {
    xs.par_iter().sum()
}

fn main() {
    total(&[]);
}
