use rayon::prelude::*;

#[amorsize::tune(chunk = 0)]
fn zero(xs: &[u32]) -> u32 {
    xs.par_iter().sum()
}

#[amorsize::tune(chunk = 4, chunk = 8)]
fn repeated(xs: &[u32]) -> u32 {
    xs.par_iter().sum()
}

#[amorsize::tune(max_workers)]
fn without_value(xs: &[u32]) -> u32 {
    xs.par_iter().sum()
}

#[amorsize::tune(max_workers = "two")]
fn wrong_type(xs: &[u32]) -> u32 {
    xs.par_iter().sum()
}

#[amorsize::tune(name = "")]
fn empty_name(xs: &[u32]) -> u32 {
    xs.par_iter().sum()
}

fn main() {
    zero(&[]);
    repeated(&[]);
    without_value(&[]);
    wrong_type(&[]);
    empty_name(&[]);
}
