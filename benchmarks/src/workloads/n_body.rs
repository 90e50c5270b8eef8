use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::forked::collected;
use crate::workload::Workload;

/// Accelerations of bodies that attract each other: equal items whose cost grows with their number,
/// so that no one item time holds for all calls of the loop.
pub(crate) struct NBody;

/// Bounds the attraction of bodies that are near, and makes that of a body to itself 0.
const SOFTENING: f64 = 0.01;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Body {
    position: [f64; 3],
    mass: f64,
}

type Acceleration = [f64; 3];

impl Workload for NBody {
    const NAME: &'static str = "n_body";
    const ORIGIN: &'static str =
        "direct summation with softened gravity (Aarseth 1963), as in rayon's demo `nbody`";
    const SIZES: &'static [usize] = &[64, 512, 2_048];

    /// They do not move.
    type Input = Vec<Body>;
    /// In the order of the bodies.
    type Output = Vec<Acceleration>;

    fn prepare(n: usize) -> Vec<Body> {
        let mut random = fastrand::Rng::with_seed(9);
        let mut body = || Body { position: [(); 3].map(|()| random.f64()), mass: random.f64() };
        (0..n).map(|_| body()).collect()
    }

    fn run(bodies: &mut Vec<Body>, executor: Executor) -> Vec<Acceleration> {
        let accelerate = |body: &Body| acceleration(body, bodies);
        match executor {
            Executor::Serial => bodies.iter().map(accelerate).collect(),
            Executor::Rayon => bodies.par_iter().map(accelerate).collect(),
            Executor::RayonMinLen(min) => {
                bodies.par_iter().with_min_len(min).map(accelerate).collect()
            }
            Executor::Amorsize(target) => bodies.par_iter().tuned(target).map(accelerate).collect(),
            Executor::Orx => others::orx(bodies),
            Executor::Paralight => others::paralight(bodies),
            Executor::Forked(forked) => collected(bodies.len(), |results| {
                forked.run(
                    (results, &bodies[..]),
                    |(results, part)| {
                        results.iter_mut().zip(part).for_each(|(r, b)| *r = Some(accelerate(b)));
                    },
                    |(), ()| (),
                );
            }),
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use super::{Acceleration, Body, acceleration};
    use crate::forked::with_paralight;

    pub(super) fn orx(bodies: &[Body]) -> Vec<Acceleration> {
        use orx_parallel::*;
        bodies.par().map(|body| acceleration(body, bodies)).collect()
    }

    pub(super) fn paralight(bodies: &[Body]) -> Vec<Acceleration> {
        use paralight::prelude::*;
        let mut results = vec![[0.0; 3]; bodies.len()];
        with_paralight(|pool| {
            let both = (results.par_iter_mut(), bodies.par_iter()).zip_eq();
            both.with_thread_pool(pool).for_each(|(r, body)| *r = acceleration(body, bodies));
        });
        results
    }
}

/// What all `bodies` do to `body`, the constant of gravity being 1.
fn acceleration(body: &Body, bodies: &[Body]) -> Acceleration {
    let [x, y, z] = body.position;
    let mut sum = [0.0; 3];
    for other in bodies {
        let [dx, dy, dz] = [other.position[0] - x, other.position[1] - y, other.position[2] - z];
        let squared = dx * dx + dy * dy + dz * dz + SOFTENING * SOFTENING;
        let pull = other.mass / (squared * squared.sqrt());
        sum[0] += pull * dx;
        sum[1] += pull * dy;
        sum[2] += pull * dz;
    }
    sum
}
