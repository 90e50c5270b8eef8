//! Other processes that keep the machine busy. They run the test that is at the end of this file.

use std::process::{Child, Command, Stdio};
use std::thread;

/// Processes that compute until the value is dropped.
pub(crate) struct Others(Vec<Child>);

const KEEP_BUSY: &str = "others::keeps_a_processor_busy_when_asked";
const UNTIL_END_OF_INPUT: &str = "AMORSIZE_TEST_KEEP_BUSY";

impl Others {
    /// Starts so many of them.
    pub(crate) fn start(count: usize) -> Self {
        let start = |_| {
            Command::new(std::env::current_exe().expect("a test has a path"))
                .args(["--exact", KEEP_BUSY])
                .env(UNTIL_END_OF_INPUT, "1")
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .expect("a test can be run")
        };
        Others((0..count).map(start).collect())
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Ends with its input, so that it does not outlive a test that was killed.
#[test]
fn keeps_a_processor_busy_when_asked() {
    if std::env::var_os(UNTIL_END_OF_INPUT).is_none() {
        return;
    }
    let input = thread::spawn(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    while !input.is_finished() {
        for step in 0..1_000_u64 {
            std::hint::black_box(step);
        }
    }
}
