//! `AMORSIZE=…`: one plan for the whole process, whatever the loops' measurements say.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A plan that is imposed on every tuned loop of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// Every loop runs on its caller.
    Serial,
    /// Every loop runs as stock rayon would run it.
    Rayon,
    /// Every loop runs on so many workers.
    Workers {
        /// Threads, the caller included; at least 1.
        workers: usize,
        /// Items per chunk; the model's choice when `None`.
        chunk: Option<usize>,
    },
}

/// The reason why a value of `AMORSIZE` is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidForce {
    value: String,
}

impl std::fmt::Display for InvalidForce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "AMORSIZE={:?} is ignored: expected `serial`, `rayon` or `workers=N[,chunk=M]` with N and \
             M at least 1",
            self.value
        )
    }
}

impl std::error::Error for InvalidForce {}

impl std::str::FromStr for Force {
    type Err = InvalidForce;

    fn from_str(value: &str) -> Result<Self, InvalidForce> {
        parse(value).ok_or_else(|| InvalidForce { value: value.to_owned() })
    }
}

fn parse(value: &str) -> Option<Force> {
    match value.trim() {
        "serial" => return Some(Force::Serial),
        "rayon" => return Some(Force::Rayon),
        _ => {}
    }
    let (mut workers, mut chunk) = (None, None);
    for part in value.split(',') {
        let (key, number) = part.split_once('=')?;
        let slot = match key.trim() {
            "workers" => &mut workers,
            "chunk" => &mut chunk,
            _ => return None,
        };
        let number = number.trim().parse::<usize>().ok().filter(|&n| n > 0)?;
        if slot.replace(number).is_some() {
            return None;
        }
    }
    Some(Force::Workers { workers: workers?, chunk })
}

// Two words instead of a lock: a loop reads them on every call above its fast path. 0 workers encode
// "not forced", the two largest values `serial` and `rayon`; chunk 0 is "the model's choice".
static WORKERS: AtomicUsize = AtomicUsize::new(0);
static CHUNK: AtomicUsize = AtomicUsize::new(0);
const SERIAL: usize = usize::MAX;
const RAYON: usize = usize::MAX - 1;

/// The plan in force, if any.
pub(crate) fn current() -> Option<Force> {
    match WORKERS.load(Ordering::Relaxed) {
        0 => None,
        SERIAL => Some(Force::Serial),
        RAYON => Some(Force::Rayon),
        workers => {
            let chunk = CHUNK.load(Ordering::Relaxed);
            Some(Force::Workers { workers, chunk: (chunk > 0).then_some(chunk) })
        }
    }
}

/// Puts a plan in force, or ends that.
pub(crate) fn set(force: Option<Force>) {
    let (workers, chunk) = match force {
        None => (0, 0),
        Some(Force::Serial) => (SERIAL, 0),
        Some(Force::Rayon) => (RAYON, 0),
        Some(Force::Workers { workers, chunk }) => {
            (workers.clamp(1, RAYON - 1), chunk.unwrap_or(0))
        }
    };
    CHUNK.store(chunk, Ordering::Relaxed);
    WORKERS.store(workers, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_values_are_read() {
        let workers = |workers, chunk| Ok(Force::Workers { workers, chunk });
        assert_eq!("serial".parse(), Ok(Force::Serial));
        assert_eq!("rayon".parse(), Ok(Force::Rayon));
        assert_eq!("workers=2,chunk=1".parse(), workers(2, Some(1)));
        assert_eq!(" chunk = 64 , workers = 8 ".parse(), workers(8, Some(64)));
        assert_eq!("workers=8".parse(), workers(8, None));
    }

    #[test]
    fn anything_else_is_refused_with_the_valid_forms() {
        for value in
            ["", "parallel", "workers", "workers=0", "workers=2,workers=3", "chunk=4", "workers=-1"]
        {
            let error = value.parse::<Force>().expect_err(value).to_string();
            assert!(error.contains("`rayon`") && error.contains(value), "{error}");
        }
    }
}
