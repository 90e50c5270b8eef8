//! Child processes that do not outlive this one, unless it is killed: each in a process group of its own, which is ended
//! as a whole at a time limit, on Ctrl-C, and when there is enough to know.

use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::error::{Error, Result};

/// How often a running child is looked at.
const POLL: Duration = Duration::from_millis(20);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From here on Ctrl-C and termination signals are noticed instead of ending the process.
pub(crate) fn catch_interrupts() {
    // It fails only where a handler exists already, and then that one does its work.
    let _ = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed));
}

/// An error once the user has pressed Ctrl-C.
pub(crate) fn check_interrupted() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
}

/// A running child with everything it has started.
pub(crate) struct Group {
    pub(crate) child: Child,
}

/// How a child came to its end.
pub(crate) enum End {
    /// By itself.
    Exited(ExitStatus),
    /// Because it was told to stop.
    Stopped,
}

impl Group {
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let child = command
            .spawn()
            .map_err(|source| Error::Start { program: command.get_program().into(), source })?;
        Ok(Group { child })
    }

    /// Waits for the end. Calls `look` all the while and stops the group once that returns `true`
    /// or an error, or the user interrupts.
    pub(crate) fn wait(&mut self, mut look: impl FnMut() -> Result<bool>) -> Result<End> {
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Ok(End::Exited(status)),
                Ok(None) => {}
                Err(source) => {
                    return Err(Error::Start { program: "a child process".into(), source });
                }
            }
            check_interrupted()?;
            if look()? {
                self.stop();
                return Ok(End::Stopped);
            }
            std::thread::sleep(POLL);
        }
    }

    /// Ends the child and what it has started, at once: records are complete up to the last line,
    /// and nothing else that a bench does is needed any more.
    fn stop(&mut self) {
        #[cfg(unix)]
        if let Ok(id) = i32::try_from(self.child.id()) {
            // No such group: everything in it has ended.
            let _ = nix::sys::signal::killpg(
                nix::unistd::Pid::from_raw(id),
                nix::sys::signal::Signal::SIGKILL,
            );
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Group {
    /// Also after an exit of its own: what the child has started and left behind goes with it.
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn stopping_ends_grandchildren_too() {
        // The grandchild holds the write end of the pipe; reading ends when it is gone.
        let mut command = Command::new("sh");
        command.arg("-c").arg("sleep 600 & sleep 600").stdout(std::process::Stdio::piped());
        let mut group = Group::spawn(&mut command).expect("a shell");
        let mut output = group.child.stdout.take().expect("a pipe");
        let end = group.wait(|| Ok(true)).expect("no interrupt");
        assert!(matches!(end, End::Stopped));
        let started = Instant::now();
        std::io::Read::read_to_end(&mut output, &mut Vec::new()).expect("the end of the pipe");
        assert!(started.elapsed() < Duration::from_secs(300));
    }

    #[test]
    fn an_exit_is_reported_with_its_status() {
        let mut group = Group::spawn(Command::new("sh").arg("-c").arg("exit 3")).expect("a shell");
        let end = group.wait(|| Ok(false)).expect("no interrupt");
        assert!(matches!(end, End::Exited(status) if status.code() == Some(3)));
    }
}
