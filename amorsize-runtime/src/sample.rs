//! Times calls of a kernel, in recording builds only.

/// The time of one call of a kernel, from here to the end of the scope.
#[derive(Debug)]
pub struct Sample {
    #[cfg(feature = "record")]
    started: Option<(&'static str, std::time::Instant)>,
}

impl Sample {
    /// Starts the clock for the loop of this name, if this process records.
    #[inline]
    #[must_use]
    pub fn start(name: &'static str) -> Self {
        #[cfg(not(feature = "record"))]
        let _ = name;
        Sample {
            #[cfg(feature = "record")]
            started: crate::record::recorder()
                .is_some_and(|recorder| recorder.wants_sample(name))
                .then(|| (name, std::time::Instant::now())),
        }
    }
}

#[cfg(feature = "record")]
impl Drop for Sample {
    fn drop(&mut self) {
        if let (Some((name, start)), Some(recorder)) = (self.started, crate::record::recorder()) {
            recorder.add_sample(name, start.elapsed());
        }
    }
}
