use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use amorsize::Tune;

use crate::executor::Executor;
use crate::workload::Workload;

/// Files read and summed: most of an item passes in the system, which has the files in its cache.
pub(crate) struct Files;

/// Of one file.
const BYTES: usize = 64 << 10;

impl Workload for Files {
    const NAME: &'static str = "files";
    const ORIGIN: &'static str = "the Unix program `sum`, called with many files";
    const SIZES: &'static [usize] = &[4, 64];

    type Input = Vec<PathBuf>;
    /// The sum of all bytes.
    type Output = u64;

    /// The files stay, so that later calls and runs find them.
    fn prepare(n: usize) -> Vec<PathBuf> {
        let mut random = fastrand::Rng::with_seed(11);
        let program = std::env::current_exe().expect("the program knows its path");
        let folder = program.with_file_name("benchmark-files");
        fs::create_dir_all(&folder).expect("a folder can be made beside the program");
        let mut bytes = vec![0; BYTES];
        (0..n)
            .map(|_| {
                random.fill(&mut bytes);
                file_with(&bytes, &folder).expect("a file can be written beside the program")
            })
            .collect()
    }

    fn run(paths: &mut Vec<PathBuf>, executor: Executor) -> u64 {
        let sum = |path: &PathBuf| sum(path);
        match executor {
            Executor::Serial => paths.iter().map(sum).sum(),
            Executor::Rayon => paths.par_iter().map(sum).sum(),
            Executor::RayonMinLen(min) => paths.par_iter().with_min_len(min).map(sum).sum(),
            Executor::Amorsize(target) => paths.par_iter().tuned(target).map(sum).sum(),
            Executor::Orx => others::orx(paths),
            Executor::Paralight => others::paralight(paths),
            Executor::Forked(forked) => {
                forked.run(&paths[..], |part| part.iter().map(sum).sum(), |a, b| a + b)
            }
        }
    }
}

/// Apart from rayon, as methods have the same names.
mod others {
    use std::path::PathBuf;

    use super::sum;
    use crate::forked::with_paralight;

    pub(super) fn orx(paths: &[PathBuf]) -> u64 {
        use orx_parallel::*;
        paths.par().map(|path| sum(path)).sum()
    }

    pub(super) fn paralight(paths: &[PathBuf]) -> u64 {
        use paralight::prelude::*;
        with_paralight(|pool| paths.par_iter().with_thread_pool(pool).map(|path| sum(path)).sum())
    }
}

/// The file of this content, written unless it is there; never half of it is.
fn file_with(bytes: &[u8], folder: &Path) -> std::io::Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    let path = folder.join(format!("{:016x}", hasher.finish()));
    if !path.exists() {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.persist(&path)?;
    }
    Ok(path)
}

fn sum(path: &Path) -> u64 {
    let bytes = fs::read(path).expect("the file is still there");
    bytes.iter().map(|&byte| u64::from(byte)).sum()
}
