use std::rc::Rc;

use rayon::prelude::*;

// Without the attribute, for comparison.
fn shifted(xs: &[u32]) -> Vec<u32> {
    let offset = Rc::new(1);
    xs.par_iter()
        .map(|x| x + *offset)
        .collect()
}

fn main() {
    shifted(&[]);
}
