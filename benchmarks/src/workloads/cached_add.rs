use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::workload::Workload;

/// `c ← a + b` over vectors that fit a core's caches: call after call shows whether chunks come back to the
/// cores whose caches hold them.
pub(crate) struct CachedAdd;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Vectors {
    a: Vec<u32>,
    b: Vec<u32>,
    c: Vec<u32>,
}

impl Workload for CachedAdd {
    const NAME: &'static str = "cached_add";
    const ORIGIN: &'static str = "after affinity in loop scheduling (Markatos, LeBlanc 1994)";
    const SIZES: &'static [usize] = &[4_096, 32_768];

    type Input = Vectors;
    type Output = ();

    fn prepare(n: usize) -> Vectors {
        let mut random = fastrand::Rng::with_seed(9);
        let mut vector = || (0..n).map(|_| random.u32(..)).collect();
        Vectors { a: vector(), b: vector(), c: vec![0; n] }
    }

    fn run(Vectors { a, b, c }: &mut Vectors, executor: Executor) {
        let add = |((c, a), b): ((&mut u32, &u32), &u32)| *c = a.wrapping_add(*b);
        match executor {
            Executor::Serial => c.iter_mut().zip(&*a).zip(&*b).for_each(add),
            Executor::Rayon => c.par_iter_mut().zip(&*a).zip(&*b).for_each(add),
            Executor::RayonMinLen(min) => {
                c.par_iter_mut().zip(&*a).zip(&*b).with_min_len(min).for_each(add);
            }
            Executor::Amorsize(target) => {
                c.par_iter_mut().tuned(target).zip(&*a).zip(&*b).for_each(add);
            }
            Executor::Orx => others::orx(a, b, c),
            Executor::Paralight => others::paralight(a, b, c),
            Executor::Forked(forked) => forked.run(
                ((&mut c[..], &a[..]), &b[..]),
                |((c, a), b)| c.iter_mut().zip(a).zip(b).for_each(add),
                |(), ()| (),
            ),
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use crate::forked::with_paralight;

    pub(super) fn orx(a: &[u32], b: &[u32], c: &mut [u32]) {
        use orx_parallel::*;
        c.into_par().enumerate().for_each(|(i, c)| *c = a[i].wrapping_add(b[i]));
    }

    pub(super) fn paralight(a: &[u32], b: &[u32], c: &mut [u32]) {
        use paralight::prelude::*;
        with_paralight(|pool| {
            let all = (c.par_iter_mut(), a.par_iter(), b.par_iter()).zip_eq();
            all.with_thread_pool(pool).for_each(|(c, a, b)| *c = a.wrapping_add(*b));
        });
    }
}
