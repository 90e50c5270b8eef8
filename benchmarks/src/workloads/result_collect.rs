use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::workload::Workload;

/// Strings parsed into a `Result` of a vector: every executor has to watch for a failure that never
/// comes.
pub(crate) struct ResultCollect;

type Parsed = Result<Vec<u32>, String>;

impl Workload for ResultCollect {
    const NAME: &'static str = "result_collect";
    const ORIGIN: &'static str = "Rust by Example, \"Fail the entire operation with collect()\"";
    const SIZES: &'static [usize] = &[1_024, 100_000];

    /// Decimal numbers.
    type Input = Vec<String>;
    type Output = Parsed;

    fn prepare(n: usize) -> Vec<String> {
        let mut random = fastrand::Rng::with_seed(8);
        (0..n).map(|_| random.u32(..).to_string()).collect()
    }

    fn run(texts: &mut Vec<String>, executor: Executor) -> Parsed {
        let parse = |text: &String| parse(text);
        match executor {
            Executor::Serial => texts.iter().map(parse).collect(),
            Executor::Rayon => texts.par_iter().map(parse).collect(),
            Executor::RayonMinLen(min) => texts.par_iter().with_min_len(min).map(parse).collect(),
            // Under the attribute, what `collect` becomes.
            Executor::Amorsize(target) => {
                texts.par_iter().tuned(target).map(parse).try_collect_vec()
            }
            Executor::Orx => others::orx(texts),
            Executor::Paralight => others::paralight(texts),
            Executor::Forked(forked) => {
                let mut numbers = vec![0; texts.len()];
                let parse_all = |(numbers, texts): (&mut [u32], &[String])| {
                    let mut both = numbers.iter_mut().zip(texts);
                    both.try_for_each(|(number, text)| parse_into(number, text))
                };
                forked.run((&mut numbers[..], &texts[..]), parse_all, Result::and)?;
                Ok(numbers)
            }
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use super::{Parsed, parse, parse_into};
    use crate::forked::with_paralight;

    pub(super) fn orx(texts: &[String]) -> Parsed {
        use orx_parallel::*;
        texts.par().map(|text| parse(text)).into_fallible().collect()
    }

    pub(super) fn paralight(texts: &[String]) -> Parsed {
        use paralight::prelude::*;
        let mut numbers = vec![0; texts.len()];
        with_paralight(|pool| {
            let both = (numbers.par_iter_mut(), texts.par_iter()).zip_eq();
            both.with_thread_pool(pool).try_for_each(|(number, text)| parse_into(number, text))
        })?;
        Ok(numbers)
    }
}

fn parse(text: &str) -> Result<u32, String> {
    text.parse().map_err(|error| format!("{text}: {error}"))
}

fn parse_into(number: &mut u32, text: &str) -> Result<(), String> {
    *number = parse(text)?;
    Ok(())
}
