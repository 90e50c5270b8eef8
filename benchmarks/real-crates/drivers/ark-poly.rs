//! Fourier transforms over the scalar field of BLS12-381, forward and back, in place.

mod serve;

use ark_bls12_381::Fr;
use ark_ff::PrimeField;
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use serve::{Case, Random, digest, drive};

struct Input {
    domain: Radix2EvaluationDomain<Fr>,
    values: Vec<Fr>,
}

fn input(log_size: u32) -> Input {
    let mut random = Random(u64::from(log_size));
    let values = (0..1_u64 << log_size).map(|_| Fr::from(random.next()) * Fr::from(random.next()));
    let domain = Radix2EvaluationDomain::new(1 << log_size).expect("a small power of two");
    Input { domain, values: values.collect() }
}

fn digest_of_values(_: &(), input: &Input) -> u64 {
    digest(input.values.iter().flat_map(|value| value.into_bigint().0))
}

fn main() {
    let mut cases = Vec::new();
    for log_size in (6..=20).step_by(2) {
        cases.push(Case::new(
            format!("fft 2^{log_size}"),
            move || input(log_size),
            |input| input.domain.fft_in_place(&mut input.values),
            digest_of_values,
        ));
        cases.push(Case::new(
            format!("ifft 2^{log_size}"),
            move || input(log_size),
            |input| input.domain.ifft_in_place(&mut input.values),
            digest_of_values,
        ));
    }
    drive(cases);
}
