use amorsize::tune;

#[tune(max_workers = 2, chunk = 16)]
fn largest(xs: &[u32]) -> Option<u32> {
    if xs.len() < 2 {
        return xs.first().copied();
    }
    let (low, high) = xs.split_at(xs.len() / 2);
    let (a, b) = amorsize::join(low.len(), || largest(low), high.len(), || largest(high));
    a.max(b)
}

fn main() {
    largest(&[]);
}
