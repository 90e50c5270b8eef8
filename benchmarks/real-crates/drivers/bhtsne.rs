//! A few epochs of an embedding that is already spread out, its repulsion from a tree or from a grid. Epochs of a
//! fit are many, one like the other.

mod serve;

use bhtsne::{SparseAffinities, tSNE};
use serve::{Case, Random, digest, drive};

const EPOCHS: usize = 10;
const THETA: f64 = 0.5;
/// Every point has 90 neighbours.
const PERPLEXITY: f64 = 30.0;
const CLUSTERS: u64 = 8;

type Point = [f64; 8];

struct Input {
    /// What is embedded; of no account once affinities are known.
    points: &'static [Point],
    affinities: SparseAffinities<f64>,
    start: Vec<f64>,
}

fn distance(a: &Point, b: &Point) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// Points in a few clusters, placed by their first two coordinates.
fn input(n: usize) -> Input {
    let mut random = Random(n as u64);
    let centers: Vec<Point> =
        (0..CLUSTERS).map(|_| [(); 8].map(|()| random.between(-10.0, 10.0))).collect();
    let points: Vec<Point> = (0..n)
        .map(|_| {
            let center = centers[(random.next() % CLUSTERS) as usize];
            center.map(|at| at + random.between(-2.0, 2.0))
        })
        .collect();
    let points = points.leak();
    let start = points.iter().flat_map(|point| [2.0 * point[0], 2.0 * point[1]]).collect();
    let mut fit = tSNE::<f64, Point>::new(points);
    fit.perplexity(PERPLEXITY).epochs(0).barnes_hut(THETA, distance);
    Input { points, affinities: fit.affinities().expect("fitted"), start }
}

/// A fit from the start of the input on.
fn fit(input: &Input, run: impl FnOnce(&mut tSNE<'_, f64, Point>)) -> Vec<f64> {
    let mut fit = tSNE::new(input.points);
    let affinities = input.affinities.clone();
    fit.with_affinities(affinities).initial_embedding(&*input.start).epochs(EPOCHS);
    run(&mut fit);
    fit.embedding()
}

/// To six decimals: sums depend on the order of their terms in the last bits, and that differs from call to call.
fn digest_of_places(places: &[f64]) -> u64 {
    digest(places.iter().map(|place| (place * 1e6).round() as i64 as u64))
}

fn main() {
    let mut cases = Vec::new();
    for n in [100, 300, 1_000, 3_000, 10_000] {
        cases.push(Case::new(
            format!("tree {n}"),
            move || input(n),
            |input| fit(input, |fit| _ = fit.barnes_hut(THETA, distance)),
            |places, _| digest_of_places(places),
        ));
        cases.push(Case::new(
            format!("grid {n}"),
            move || input(n),
            |input| fit(input, |fit| _ = fit.fit_sne(distance)),
            |places, _| digest_of_places(places),
        ));
    }
    drive(cases);
}
