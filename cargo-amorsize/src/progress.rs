//! How far a recording is: a bar on a terminal, otherwise nothing but the status lines.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::observations::Observations;
use crate::{term, units};

/// The progress of one run through all programs of a package.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
}

impl Progress {
    pub(crate) fn start(word: &str, limit: Duration) -> Self {
        let bar = term::can_draw_progress().then(|| {
            let bar = ProgressBar::with_draw_target(
                Some(limit.as_millis() as u64),
                ProgressDrawTarget::stderr_with_hz(10),
            );
            let template = if term::stderr_is_colored() {
                "{prefix:>12.bold.cyan} [{bar:24}] {msg}"
            } else {
                "{prefix:>12} [{bar:24}] {msg}"
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_prefix(word.to_owned());
            bar
        });
        Progress { bar, started: Instant::now() }
    }

    pub(crate) fn update(&self, seen: &Observations) {
        if let Some(bar) = &self.bar {
            bar.set_position(self.started.elapsed().as_millis() as u64);
            let loops = seen.loops.len();
            bar.set_message(format!("{}, {} calls", counted(loops, "loop"), seen.calls()));
        }
    }
}

impl Progress {
    /// Writes lines without mixing them with the bar.
    pub(crate) fn suspend(&self, write: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// `1 loop`, `2 loops`
pub(crate) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", units::count(count as u64))
}
