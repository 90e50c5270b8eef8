//! Neighbours and densities of particles, most of which are in a few clusters.

mod serve;

use serve::{Case, Random, digest, drive};
use splashsurf_lib::Aabb3d;
use splashsurf_lib::density_map::parallel_compute_particle_densities;
use splashsurf_lib::nalgebra::Vector3;
use splashsurf_lib::neighborhood_search::{
    neighborhood_search_spatial_hashing, neighborhood_search_spatial_hashing_parallel,
};

/// Clusters of the particles that are in one; every fourth particle is in none.
const CLUSTERS: u64 = 8;

struct Input {
    domain: Aabb3d<f64>,
    particles: Vec<Vector3<f64>>,
    /// How far neighbours are apart at most: a sphere of this radius holds some 8 of evenly spread particles.
    radius: f64,
    neighbors: Vec<Vec<usize>>,
    densities: Vec<f64>,
}

fn particles(n: usize) -> Input {
    let mut random = Random(n as u64);
    let centers: Vec<Vector3<f64>> =
        (0..CLUSTERS).map(|_| Vector3::from_fn(|_, _| random.between(0.2, 0.8))).collect();
    let particles: Vec<Vector3<f64>> = (0..n)
        .map(|_| {
            if random.next() % 4 == 0 {
                return Vector3::from_fn(|_, _| random.between(0.0, 1.0));
            }
            let center = centers[(random.next() % CLUSTERS) as usize];
            // Sums of three numbers are denser in the middle.
            let mut offset = || (0..3).map(|_| random.between(-0.06, 0.06)).sum::<f64>();
            center + Vector3::from_fn(|_, _| offset())
        })
        .collect();
    let radius = (2.0 / n as f64).cbrt();
    let mut domain = Aabb3d::from_points(&particles);
    domain.grow_uniformly(radius);
    Input { domain, particles, radius, neighbors: Vec::new(), densities: Vec::new() }
}

/// The same with all neighbours known, in the same order every time.
fn with_neighbors(n: usize) -> Input {
    let mut input = particles(n);
    let Input { domain, particles, radius, neighbors, .. } = &mut input;
    neighborhood_search_spatial_hashing::<i64, f64>(domain, particles, *radius, neighbors);
    neighbors.iter_mut().for_each(|list| list.sort_unstable());
    input
}

fn main() {
    let mut cases = Vec::new();
    for n in [100, 300, 1_000, 3_000, 10_000, 30_000, 100_000] {
        cases.push(Case::new(
            format!("neighbours {n}"),
            move || particles(n),
            |input| {
                let Input { domain, particles, radius, neighbors, .. } = input;
                neighborhood_search_spatial_hashing_parallel::<i64, f64>(
                    domain, particles, *radius, neighbors,
                );
            },
            |(), input| {
                // Their order is not promised.
                digest(input.neighbors.iter().flat_map(|list| {
                    let mut list: Vec<u64> = list.iter().map(|&index| index as u64).collect();
                    list.sort_unstable();
                    list.push(u64::MAX);
                    list
                }))
            },
        ));
        cases.push(Case::new(
            format!("densities {n}"),
            move || with_neighbors(n),
            |input| {
                let Input { particles, radius, neighbors, densities, .. } = input;
                parallel_compute_particle_densities::<i64, f64>(
                    particles, neighbors, *radius, 1.0, densities,
                );
            },
            |(), input| digest(input.densities.iter().map(|density| density.to_bits())),
        ));
    }
    drive(cases);
}
