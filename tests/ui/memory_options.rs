use rayon::prelude::*;

#[amorsize::tune(memory = "lots")]
fn no_number(xs: &[u32]) -> u32 {
    xs.par_iter().sum()
}

#[amorsize::tune(memory = "500 parsecs")]
fn no_unit(xs: &[u32]) -> u32 {
    xs.par_iter().sum()
}

#[amorsize::tune(memory = "0")]
fn nothing(xs: &[u32]) -> u32 {
    xs.par_iter().sum()
}

#[amorsize::tune(memory = 500)]
fn no_text(xs: &[u32]) -> u32 {
    xs.par_iter().sum()
}

#[amorsize::tune(memory = "1GB", memory_fraction = 1.5)]
fn more_than_there_is(xs: &[u32]) -> u32 {
    xs.par_iter().sum()
}

#[amorsize::tune(memory = "1GB", memory_fraction = "half")]
fn no_fraction(xs: &[u32]) -> u32 {
    xs.par_iter().sum()
}

#[amorsize::tune(respect_load = true)]
fn no_value(xs: &[u32]) -> u32 {
    xs.par_iter().sum()
}

#[amorsize::tune(memory = "1GB", respect_load)]
fn no_items(n: usize) -> usize {
    amorsize::join(n, || n, n, || n).0
}

fn main() {
    let xs = [1];
    no_number(&xs) + no_unit(&xs) + nothing(&xs) + no_text(&xs);
    more_than_there_is(&xs) + no_fraction(&xs) + no_value(&xs);
    no_items(1);
}
