//! Where facts about the machine are read from: the files below a root, variables, and calls where there are no
//! such files. Nothing is written, and what cannot be read is not known.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::fact::Fact;

/// Whether anything was read about the machine.
static READ: AtomicBool = AtomicBool::new(false);

/// Whether this process has read anything about its machine yet. A program whose loops all stay below
/// break-even never does.
pub fn was_read() -> bool {
    READ.load(Ordering::Relaxed)
}

/// What a system tells when it is asked, for systems that have no files which tell it.
#[derive(Clone, Copy)]
pub(crate) struct Calls {
    /// The threads that can run at once as the standard library sees it.
    pub(crate) parallelism: fn() -> Option<usize>,
    pub(crate) physical_cores: fn() -> Option<Fact<usize>>,
    pub(crate) installed_bytes: fn() -> Option<Fact<u64>>,
    pub(crate) available_bytes: fn() -> Option<Fact<u64>>,
    /// Threads that ran or were ready to, on the average of the last minute.
    pub(crate) load_average: fn() -> Option<Fact<f64>>,
    /// The processor time that this process has taken.
    pub(crate) own_cpu_time: fn() -> Option<Duration>,
}

impl Calls {
    /// Nothing is told.
    #[cfg(any(test, target_os = "linux", target_os = "android", target_family = "wasm"))]
    pub(crate) const NONE: Calls = Calls {
        parallelism: || None,
        physical_cores: || None,
        installed_bytes: || None,
        available_bytes: || None,
        load_average: || None,
        own_cpu_time: || None,
    };

    /// What is asked of the system that this process runs on, beside its parallelism.
    #[cfg(any(target_os = "linux", target_os = "android", target_family = "wasm"))]
    const THIS: Calls = Calls::NONE;
    #[cfg(not(any(target_os = "linux", target_os = "android", target_family = "wasm")))]
    const THIS: Calls = super::elsewhere::CALLS;
}

/// A system as its files, the variables of this process and its calls show it.
pub(crate) struct Host<'v> {
    root: &'v Path,
    variable: &'v dyn Fn(&str) -> Option<String>,
    calls: Calls,
}

impl Host<'static> {
    /// The system that this process runs on.
    pub(crate) fn this() -> Self {
        Host {
            root: Path::new("/"),
            variable: &|name| Some(std::env::var_os(name)?.to_string_lossy().into_owned()),
            calls: Calls {
                parallelism: || std::thread::available_parallelism().ok().map(usize::from),
                ..Calls::THIS
            },
        }
    }
}

impl Host<'_> {
    /// The text of a file, by its absolute path; bytes that are no text are replaced.
    pub(crate) fn read(&self, path: &str) -> Option<String> {
        READ.store(true, Ordering::Relaxed);
        let bytes = std::fs::read(self.at(path)).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The number that is all of a file's text.
    pub(crate) fn number<T: std::str::FromStr>(&self, path: &str) -> Option<T> {
        self.read(path)?.trim().parse().ok()
    }

    /// The numbers N of a folder's entries `prefixN`, in order.
    pub(crate) fn numbered(&self, folder: &str, prefix: &str) -> Vec<u32> {
        READ.store(true, Ordering::Relaxed);
        let Ok(entries) = std::fs::read_dir(self.at(folder)) else { return Vec::new() };
        let number = |entry: std::fs::DirEntry| {
            entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()
        };
        let mut numbers: Vec<u32> = entries.flatten().filter_map(number).collect();
        numbers.sort_unstable();
        numbers
    }

    pub(crate) fn is_folder(&self, path: &str) -> bool {
        self.at(path).is_dir()
    }

    /// The value of a variable; `None` where it is not set or says nothing.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        READ.store(true, Ordering::Relaxed);
        (self.variable)(name).filter(|value| !value.trim().is_empty())
    }

    /// The number above zero that a variable holds.
    pub(crate) fn count(&self, name: &str) -> Option<usize> {
        self.variable(name)?.trim().parse().ok().filter(|&count| count > 0)
    }

    /// What can be asked of the system where it has no such files.
    pub(crate) fn calls(&self) -> &Calls {
        READ.store(true, Ordering::Relaxed);
        &self.calls
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}

/// Trees of files that tests read.
#[cfg(test)]
pub(crate) mod tree {
    use super::{Calls, Host};

    /// A folder that stands for the root of a machine, variables, and calls.
    pub(crate) struct Tree {
        folder: tempfile::TempDir,
        variables: Vec<(String, String)>,
        calls: Calls,
    }

    impl Tree {
        pub(crate) fn new() -> Self {
            let folder = tempfile::tempdir().expect("a temporary folder");
            Tree { folder, variables: Vec::new(), calls: Calls::NONE }
        }

        /// Adds a file, by its absolute path.
        pub(crate) fn file(self, path: &str, text: &str) -> Self {
            let path = self.folder.path().join(path.trim_start_matches('/'));
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("a file");
            self
        }

        pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
            self.variables.push((name.to_owned(), value.to_owned()));
            self
        }

        pub(crate) fn calls(self, calls: Calls) -> Self {
            Tree { calls, ..self }
        }

        /// Adds the processors `cpus`, each a thread of the core with the siblings that `siblings` tells.
        pub(crate) fn cpus(
            self,
            cpus: std::ops::Range<u32>,
            socket: impl Fn(u32) -> u32,
            siblings: impl Fn(u32) -> String,
        ) -> Self {
            cpus.fold(self, |tree, cpu| {
                let folder = format!("/sys/devices/system/cpu/cpu{cpu}/topology");
                tree.file(&format!("{folder}/core_cpus_list"), &(siblings(cpu) + "\n"))
                    .file(&format!("{folder}/physical_package_id"), &format!("{}\n", socket(cpu)))
            })
        }

        /// What both the calling thread and the process may run on.
        pub(crate) fn allowed(self, list: &str) -> Self {
            let status = format!("Name:\tdemo\nCpus_allowed_list:\t{list}\n");
            self.file("/proc/self/status", &status).file("/proc/thread-self/status", &status)
        }

        /// Calls `look` with the machine that the tree shows.
        pub(crate) fn look<R>(&self, look: impl FnOnce(&Host<'_>) -> R) -> R {
            let find = |name: &str| {
                let found = self.variables.iter().find(|(known, _)| known == name)?;
                Some(found.1.clone())
            };
            let root = self.folder.path();
            look(&Host { root, variable: &find, calls: self.calls })
        }
    }
}
