//! Measures calls of a kernel, in recording builds only.

/// One call of a kernel, from here to the end of the scope.
#[derive(Debug)]
pub struct Sample {
    #[cfg(feature = "record")]
    started: Option<(&'static str, crate::record::Sampled)>,
}

impl Sample {
    /// Starts to measure for the loop of this name, if this process records.
    #[inline]
    #[must_use]
    pub fn start(name: &'static str) -> Self {
        #[cfg(not(feature = "record"))]
        let _ = name;
        Sample {
            #[cfg(feature = "record")]
            started: crate::record::recorder()
                .and_then(|recorder| Some((name, recorder.start_sample(name)?))),
        }
    }
}

#[cfg(feature = "record")]
impl Drop for Sample {
    fn drop(&mut self) {
        let started = self.started.take();
        if let (Some((name, sampled)), Some(recorder)) = (started, crate::record::recorder()) {
            recorder.end_sample(name, sampled);
        }
    }
}
