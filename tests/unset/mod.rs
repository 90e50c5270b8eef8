//! Processes that tests start, whatever the environment of the tests says.

use std::process::Command;

/// Takes the variables away that loops of this process would look at: those of users, of rayon and of batch systems.
pub(crate) fn unset_variables(command: &mut Command) -> &mut Command {
    const STARTS: [&str; 5] = ["AMORSIZE", "RAYON", "SLURM", "PBS", "LSB"];
    for (name, _) in std::env::vars_os() {
        if STARTS.iter().any(|start| name.to_string_lossy().starts_with(start)) {
            command.env_remove(name);
        }
    }
    command
}
