use rayon::prelude::*;

#[amorsize::tune]
const fn constant(x: u32) -> u32 {
    x
}

#[amorsize::tune]
async fn asynchronous(xs: &[u32]) -> u32 {
    xs.par_iter().sum()
}

#[amorsize::tune]
struct Structure;

trait Total {
    #[amorsize::tune]
    fn total(&self) -> u32;
}

fn main() {
    constant(1);
    drop(asynchronous(&[]));
    let _ = Structure;
}
