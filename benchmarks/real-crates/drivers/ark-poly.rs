//! Fourier transforms over the scalar field of BLS12-381, in place: forward and back, on cosets, and of sizes with a factor of three.

mod serve;

use ark_bls12_381::Fr;
use ark_ff::{FftField, PrimeField};
use ark_poly::{EvaluationDomain, MixedRadixEvaluationDomain, Radix2EvaluationDomain};
use serve::{Case, Random, digest, drive};

fn values(n: usize) -> Vec<Fr> {
    let mut random = Random(n.ilog2().into());
    (0..n).map(|_| Fr::from(random.next()) * Fr::from(random.next())).collect()
}

fn case<D: EvaluationDomain<Fr> + 'static>(
    name: String,
    domain: D,
    transform: fn(&D, &mut Vec<Fr>),
) -> Case {
    Case::new(
        name,
        move || values(domain.size()),
        move |values| transform(&domain, values),
        |(), values| digest(values.iter().flat_map(|value| value.into_bigint().0)),
    )
}

fn main() {
    let mut cases = Vec::new();
    let radix2 = |log_size: u32| {
        Radix2EvaluationDomain::<Fr>::new(1 << log_size).expect("a small power of two")
    };
    for log_size in (6..=22).step_by(2) {
        let domain = radix2(log_size);
        cases.push(case(format!("fft 2^{log_size}"), domain, |domain, values| {
            domain.fft_in_place(values);
        }));
        cases.push(case(format!("ifft 2^{log_size}"), domain, |domain, values| {
            domain.ifft_in_place(values);
        }));
    }
    for log_size in (6..=18).step_by(4) {
        let coset = radix2(log_size).get_coset(Fr::GENERATOR).expect("not zero");
        cases.push(case(format!("coset fft 2^{log_size}"), coset, |domain, values| {
            domain.fft_in_place(values);
        }));
        let mixed =
            MixedRadixEvaluationDomain::<Fr>::new(3 << log_size).expect("it has the factor");
        cases.push(case(format!("fft 3·2^{log_size}"), mixed, |domain, values| {
            domain.fft_in_place(values);
        }));
    }
    drive(cases);
}
