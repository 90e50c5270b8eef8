#[amorsize::tune]
fn total(xs: &[u32]) -> u32 {
    xs.iter().sum()
}

fn main() {
    total(&[]);
}
