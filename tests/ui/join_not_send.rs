use std::rc::Rc;

#[amorsize::tune]
fn count(shared: Rc<u32>, n: usize) -> (u32, u32) {
    let of = |n: usize| *shared + n as u32;
    amorsize::join(n, || of(n), n, || of(n))
}

fn main() {
    count(Rc::new(0), 1);
}
