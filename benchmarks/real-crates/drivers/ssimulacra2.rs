//! Blurs of single images, scores of pairs of images, and scores of many pairs at once.

mod serve;

use rayon::prelude::*;
use serve::{Case, Random, digest, drive};
use ssimulacra2::{Blur, LinearRgb, compute_frame_ssimulacra2};

const SIZES: [(usize, usize); 6] =
    [(16, 16), (64, 48), (160, 120), (320, 240), (640, 480), (1_280, 720)];

/// Pairs that are scored at once.
const PAIRS: usize = 8;

/// An image of gradients, and the same with noise.
fn pair(width: usize, height: usize) -> (LinearRgb, LinearRgb) {
    let mut random = Random((width * height) as u64);
    let pixel = |at: usize| {
        let (x, y) = (at % width, at / width);
        [x as f32 / width as f32, y as f32 / height as f32, (x ^ y) as f32 / 2_048.0]
    };
    let clean: Vec<[f32; 3]> = (0..width * height).map(pixel).collect();
    let noisy = clean.iter().map(|pixel| pixel.map(|v| v + random.between(0.0, 0.05) as f32));
    let noisy = noisy.collect();
    let image = |pixels| LinearRgb::new(pixels, width, height).expect("as many pixels as needed");
    (image(clean), image(noisy))
}

fn score((clean, noisy): &(LinearRgb, LinearRgb)) -> f64 {
    compute_frame_ssimulacra2(clean.clone(), noisy.clone()).expect("two images of one size")
}

fn main() {
    let mut cases = Vec::new();
    for (width, height) in SIZES {
        cases.push(Case::new(
            format!("blur {width}×{height}"),
            move || {
                let mut random = Random(width as u64);
                let plane = |random: &mut Random| -> Vec<f32> {
                    (0..width * height).map(|_| random.between(0.0, 1.0) as f32).collect()
                };
                (Blur::new(width, height), [0; 3].map(|_| plane(&mut random)))
            },
            |(blur, planes)| blur.blur(planes),
            |planes, _| digest(planes.iter().flatten().map(|value| u64::from(value.to_bits()))),
        ));
        cases.push(Case::new(
            format!("score {width}×{height}"),
            move || pair(width, height),
            |pair| score(pair),
            |score, _| score.to_bits(),
        ));
        cases.push(Case::new(
            format!("{PAIRS} scores {width}×{height}"),
            move || vec![pair(width, height); PAIRS],
            |pairs| pairs.par_iter().map(score).collect::<Vec<f64>>(),
            |scores, _| digest(scores.iter().map(|score| score.to_bits())),
        ));
    }
    drive(cases);
}
