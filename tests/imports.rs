//! What the user imports for a loop stays in use when the loop is tuned, and nothing more needs to be
//! imported.

#![forbid(unused_imports)]

/// The adaptors of the loop are methods of rayon's trait, which is imported by name.
mod by_name {
    use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};

    #[amorsize::tune]
    pub(crate) fn numbered(xs: &[u32]) -> Vec<usize> {
        xs.par_iter().enumerate().map(|(i, x)| i + *x as usize).collect()
    }
}

/// The imports are in the function.
mod in_the_body {
    #[amorsize::tune]
    pub(crate) fn products(xs: &[u32], ys: &[u32], width: usize) -> u32 {
        use rayon::iter::{IndexedParallelIterator, ParallelIterator};
        use rayon::slice::ParallelSlice;

        let rows = xs.par_chunks_exact(width).zip(ys.par_chunks_exact(width));
        rows.map(|(xs, ys)| xs.iter().zip(ys).map(|(x, y)| x * y).sum::<u32>()).sum()
    }
}

/// The imports are in a block of the function, where alone they are seen.
mod in_a_block {
    #[amorsize::tune]
    pub(crate) fn increment(xs: &mut [u32]) {
        if !xs.is_empty() {
            use rayon::iter::{IntoParallelRefMutIterator, ParallelIterator};

            xs.par_iter_mut().for_each(|x| *x += 1);
        }
    }
}

/// No adaptor of the loop needs the trait.
mod without {
    use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

    #[amorsize::tune]
    pub(crate) fn total<T: Copy + Into<u64> + Sync>(xs: &[T]) -> u64 {
        xs.par_iter().map(|x| (*x).into()).sum()
    }
}

/// Everything is imported at once.
mod prelude {
    use rayon::prelude::*;

    #[amorsize::tune]
    pub(crate) fn backwards(xs: &[u32]) -> Vec<u32> {
        xs.par_iter().rev().copied().collect()
    }
}

#[test]
fn imports_by_name_in_the_body_in_a_block_or_by_prelude_all_stay_in_use() {
    assert_eq!(by_name::numbered(&[5, 5, 5]), [5, 6, 7]);
    assert_eq!(in_the_body::products(&[1, 2, 3, 4], &[1, 1, 2, 2], 2), 17);
    let mut xs = [1, 2];
    in_a_block::increment(&mut xs);
    assert_eq!(xs, [2, 3]);
    assert_eq!(without::total(&[1_u8, 2, 3]), 6);
    assert_eq!(prelude::backwards(&[1, 2, 3]), [3, 2, 1]);
}
