//! Inverses of many elements of the scalar field of BLS12-381 at once, in place: every second call undoes the one before.

mod serve;

use ark_bls12_381::Fr;
use ark_ff::{PrimeField, batch_inversion_and_mul};
use serve::{Case, Random, digest, drive};

struct Input {
    values: Vec<Fr>,
    factor: Fr,
}

fn input(log_size: u32) -> Input {
    let mut random = Random(u64::from(log_size));
    let mut value = || Fr::from(random.next()) * Fr::from(random.next());
    Input { values: (0..1_u64 << log_size).map(|_| value()).collect(), factor: value() }
}

fn main() {
    let case = |log_size| {
        Case::new(
            format!("inverses 2^{log_size}"),
            move || input(log_size),
            |input| batch_inversion_and_mul(&mut input.values, &input.factor),
            |(), input| digest(input.values.iter().flat_map(|value| value.into_bigint().0)),
        )
    };
    drive((6..=20).step_by(2).map(case).collect());
}
