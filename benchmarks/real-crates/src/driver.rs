//! A running driver: a program that waits for the word, calls one function for a while, and says how
//! long a call took. See `drivers/serve.rs` for its side.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::Result;
use crate::cargo::Drivers;

/// How the loops of a driver run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Tuned loops on their caller, and everything else on a pool of this one thread.
    Serial,
    /// As the authors wrote it, on a pool of one thread: serial without any code of ours.
    StockAlone,
    /// As the authors wrote it.
    Stock,
    /// With the attribute, no profile, and what the process has learned so far.
    Unseen,
    /// With the attribute and the profile.
    Tuned,
}

impl Way {
    pub(crate) const ALL: [Way; 5] =
        [Way::Serial, Way::StockAlone, Way::Stock, Way::Unseen, Way::Tuned];
}

/// A driver that waits for the word.
#[derive(Debug)]
pub(crate) struct Driver {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Driver {
    pub(crate) fn start(drivers: &Drivers, way: Way) -> Result<Self> {
        let program: &Path = match way {
            Way::StockAlone | Way::Stock => &drivers.stock,
            Way::Unseen => &drivers.unseen,
            Way::Serial | Way::Tuned => &drivers.tuned,
        };
        let mut command = Command::new(program);
        command.env_remove("AMORSIZE").env_remove("AMORSIZE_RECORD").arg("--serve");
        if way == Way::Serial {
            command.env("AMORSIZE", "serial");
        }
        if matches!(way, Way::Serial | Way::StockAlone) {
            command.arg("--one-thread");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take().ok_or("a driver without input")?;
        let stdout = BufReader::new(child.stdout.take().ok_or("a driver without output")?);
        Ok(Driver { child, stdin, stdout })
    }

    fn ask(&mut self, question: &str) -> Result<String> {
        writeln!(self.stdin, "{question}")?;
        self.stdin.flush()?;
        let mut answer = String::new();
        if self.stdout.read_line(&mut answer)? == 0 {
            let status = self.child.wait()?;
            return Err(format!("a driver ended when asked `{question}`: {status}").into());
        }
        Ok(answer.trim_end().to_owned())
    }

    /// The names of its cases.
    pub(crate) fn cases(&mut self) -> Result<Vec<String>> {
        Ok(self.ask("cases")?.split('\t').map(str::to_owned).collect())
    }

    /// Nanoseconds per call of a case that is called for about so long.
    pub(crate) fn time(&mut self, case: usize, duration: Duration) -> Result<f64> {
        Ok(self.ask(&format!("time {case} {}", duration.as_nanos()))?.parse()?)
    }

    /// A number that says what the case's function returned.
    pub(crate) fn digest(&mut self, case: usize) -> Result<String> {
        self.ask(&format!("digest {case}"))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It ends when nobody asks any more; one that hangs must not outlive the run.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
