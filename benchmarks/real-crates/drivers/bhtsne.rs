//! Embeddings of points in clusters: twenty epochs each, from known affinities.

mod serve;

use bhtsne::{Neighbor, SparseAffinities, tSNE};
use serve::{Case, Random, drive};

const DIMENSIONS: usize = 16;
const CLUSTERS: usize = 10;
const NEIGHBORS: usize = 30;
const EPOCHS: usize = 20;

struct Input {
    points: Vec<Vec<f32>>,
    affinities: SparseAffinities<f32>,
    start: Vec<f32>,
}

fn input(n: usize) -> Input {
    let mut random = Random(n as u64);
    let mut spread = |width: f64| random.between(-width, width) as f32;
    let centers: Vec<Vec<f32>> =
        (0..CLUSTERS).map(|_| (0..DIMENSIONS).map(|_| spread(10.0)).collect()).collect();
    let points: Vec<Vec<f32>> = (0..n)
        .map(|i| centers[i % CLUSTERS].iter().map(|center| center + spread(1.0)).collect())
        .collect();
    let start = (0..2 * n).map(|_| spread(1e-2)).collect();
    // Neighbours within the cluster are enough, and quick to find.
    let neighbors: Vec<Vec<Neighbor<f32>>> = (0..n)
        .map(|i| {
            let mut row: Vec<Neighbor<f32>> = (0..NEIGHBORS)
                .map(|k| (i + (k + 1) * CLUSTERS) % (n / CLUSTERS * CLUSTERS))
                .map(|index| Neighbor { index, distance: distance(&points[i], &points[index]) })
                .collect();
            row.sort_by(|a, b| a.distance.total_cmp(&b.distance));
            row
        })
        .collect();
    let mut known: tSNE<'_, f32, Vec<f32>> = tSNE::new(&points);
    known.perplexity(10.0).epochs(0).barnes_hut_with_neighbors(0.5, &neighbors);
    let affinities = known.affinities().expect("a fit has run");
    Input { points, affinities, start }
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt()
}

fn fit(input: &Input, run: impl Fn(&mut tSNE<'_, f32, Vec<f32>>)) -> Vec<f32> {
    let mut tsne: tSNE<'_, f32, Vec<f32>> = tSNE::new(&input.points);
    tsne.perplexity(10.0).epochs(EPOCHS).initial_embedding(input.start.clone());
    tsne.with_affinities(input.affinities.clone());
    run(&mut tsne);
    tsne.embedding()
}

/// Sums of floating-point numbers differ in their last bits with the order of adding, in the crate as it is
/// published too; the mean distance from the centre does not show that.
fn rounded_spread(embedding: &[f32]) -> u64 {
    let sum: f64 = embedding.iter().map(|value| f64::from(value.abs())).sum();
    assert!(sum.is_finite());
    let mean = sum / embedding.len() as f64;
    format!("{mean:.2e}").bytes().fold(0, |digest, byte| digest << 8 | u64::from(byte))
}

fn main() {
    let mut cases = Vec::new();
    for n in [310, 1_000, 3_000, 10_000, 30_000] {
        cases.push(Case::new(
            format!("tree {n}"),
            move || input(n),
            |input| fit(input, |tsne| drop(tsne.barnes_hut(0.5, |a, b| distance(a, b)))),
            |embedding, _| rounded_spread(embedding),
        ));
        cases.push(Case::new(
            format!("grid {n}"),
            move || input(n),
            |input| fit(input, |tsne| drop(tsne.fit_sne(|a, b| distance(a, b)))),
            |embedding, _| rounded_spread(embedding),
        ));
    }
    drive(cases);
}
