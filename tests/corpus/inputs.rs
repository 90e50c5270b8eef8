//! What programs run on. All of it follows from the number of items.

use crate::counted::Counted;

/// `n` numbers in no order, with repetitions.
pub(crate) fn numbers(n: usize) -> Vec<u32> {
    (0..n as u32).map(|i| i * 7_919 % 509).collect()
}

/// Other numbers.
pub(crate) fn others(n: usize) -> Vec<u32> {
    (0..n as u32).map(|i| i * 104_729 % 61).collect()
}

/// `n` numbers in ascending order, with repetitions.
pub(crate) fn ascending(n: usize) -> Vec<u32> {
    (0..n as u32).map(|i| i / 3).collect()
}

/// `n` words of a letter and up to three digits.
pub(crate) fn words(n: usize) -> Vec<String> {
    numbers(n).iter().map(|x| format!("w{x}")).collect()
}

/// `n` words, most of them followed by blanks and some by the end of a line.
pub(crate) fn text(n: usize) -> String {
    let gaps = [" ", "  ", "\n", ", ", "\r\n", " é ", "\t"];
    numbers(n).iter().zip(gaps.iter().cycle()).map(|(x, gap)| format!("w{x}{gap}")).collect()
}

/// `n` rows of up to four numbers.
pub(crate) fn rows(n: usize) -> Vec<Vec<u32>> {
    (0..n).map(|i| numbers(i % 5)).collect()
}

/// `n` items that are counted, 0 first.
pub(crate) fn counted(n: usize) -> Vec<Counted> {
    (0..n as u32).map(Counted::new).collect()
}

/// Takes microseconds, so that loops pay.
pub(crate) fn spin(x: u32) -> u32 {
    (0..300).fold(x, |x, _| std::hint::black_box(x.wrapping_mul(0x9e37_79b9) ^ 1))
}
