//! Reads record files while they are still written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use amorsize_profile::Record;

use crate::observations::{Observations, quarter_octave};

/// Reads the record files of a folder as they grow.
pub(crate) struct Tail {
    files: BTreeMap<PathBuf, (u64, Vec<u8>)>,
    pub(crate) seen: Observations,
    /// When a loop, or a size of one, was last seen for the first time, or a program was first run since.
    pub(crate) last_news: Instant,
    /// When a call was last added, or a program was started since.
    pub(crate) last_call: Instant,
    /// The longest call so far.
    pub(crate) longest_call: Duration,
    /// A program runs that has not recorded a call in this run.
    pub(crate) awaits_call: bool,
    known: BTreeSet<(String, u32)>,
}

impl Tail {
    pub(crate) fn new(seen: Observations) -> Self {
        Tail {
            files: BTreeMap::new(),
            seen,
            last_news: Instant::now(),
            last_call: Instant::now(),
            longest_call: Duration::ZERO,
            awaits_call: false,
            known: BTreeSet::new(),
        }
    }

    /// A program starts, for the first time or not.
    pub(crate) fn begin_run(&mut self, is_first: bool) {
        self.awaits_call = true;
        self.last_call = Instant::now();
        if is_first {
            self.last_news = self.last_call;
        }
    }

    /// It has ended.
    pub(crate) fn end_run(&mut self) {
        self.awaits_call = false;
    }

    /// Takes up what was written since the last time. An incomplete last line waits for its rest.
    pub(crate) fn read(&mut self, folder: &Path) -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.path().extension().is_none_or(|extension| extension != "records") {
                continue;
            }
            let (offset, rest) = self.files.entry(entry.path()).or_default();
            let mut file = File::open(entry.path())?;
            file.seek(SeekFrom::Start(*offset))?;
            *offset += file.read_to_end(rest)? as u64;
            let Some(end) = rest.iter().rposition(|&byte| byte == b'\n') else {
                continue;
            };
            let complete: Vec<u8> = rest.drain(..=end).collect();
            for line in String::from_utf8_lossy(&complete).lines() {
                match Record::from_line(line) {
                    Some(record) => {
                        self.note_news(&record);
                        self.seen.add(record);
                    }
                    None if line.trim().is_empty() => {}
                    None => self.seen.strange_lines += 1,
                }
            }
        }
        Ok(())
    }

    fn note_news(&mut self, record: &Record) {
        let is_new = match record {
            Record::Machine { .. } | Record::Memory(_) => false,
            Record::Untuned { name } => !self.seen.untuned.contains(name),
            Record::Call(call) => {
                self.last_call = Instant::now();
                self.longest_call = self.longest_call.max(Duration::from_nanos(call.wall_ns));
                self.awaits_call = false;
                let name = call.name.clone() + &call.item_type;
                let size = (name, quarter_octave(call.items));
                call.items > 0 && self.known.insert(size)
            }
        };
        if is_new {
            self.last_news = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use amorsize_profile::{Call, Setting};

    use super::*;

    #[test]
    fn a_file_is_read_as_it_grows_and_an_incomplete_line_waits() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut file = File::create(folder.path().join("1-a.records")).expect("a file");
        let call = Call {
            name: "a::f".into(),
            item_type: "&u8".into(),
            items: 8,
            cost: 1.0,
            setting: Setting::Serial,
            hot: 0,
            wall_ns: 80,
            item_sd_ns: None,
            reduce_ns: None,
            busy_ns: None,
            usage: None,
        };
        let line = Record::Call(call).to_line();
        let line = line.trim_end().to_owned() + "\n";
        let (start, end) = line.split_at(line.len() / 2);
        let mut tail = Tail::new(Observations::default());
        write!(file, "{line}{start}").expect("a write");
        tail.read(folder.path()).expect("a read");
        assert_eq!(tail.seen.calls(), 1);
        write!(file, "{end}no record\n{start}").expect("a write");
        tail.read(folder.path()).expect("a read");
        assert_eq!((tail.seen.calls(), tail.seen.strange_lines), (2, 1));
    }
}
