//! The lines of a record file: one append-only file per recording process.

use std::fmt::{self, Write as _};

use crate::MachineFacts;

/// How one recorded call was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Setting {
    /// On the caller alone, in blocks.
    Serial,
    /// By stock rayon.
    Rayon,
    /// By the executor with these parameters.
    Parallel {
        /// Workers, the caller included.
        workers: u32,
        /// Chunk size in items.
        chunk: u64,
    },
    /// By the plan that the profile under verification chose.
    Tuned {
        /// Workers, the caller included; 1 means serial.
        workers: u32,
        /// Chunk size in items.
        chunk: u64,
        /// The time that the model predicted, in nanoseconds.
        predicted_ns: u64,
    },
}

/// One observed call of a loop.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The loop's name.
    pub name: String,
    /// The name of the items' type: a loop of a generic function is one per type. Empty where the calls
    /// of a loop do not tell.
    pub item_type: String,
    /// Number of items.
    pub items: u64,
    /// Work units per item; 1 where nothing else is said.
    pub cost: f64,
    /// How it was run.
    pub setting: Setting,
    /// How many helpers were hot when it began.
    pub hot: u32,
    /// Wall time of the whole call, in nanoseconds.
    pub wall_ns: u64,
    /// For a serial call that was run in timed blocks: estimated standard deviation of one item's
    /// time in nanoseconds.
    pub item_sd_ns: Option<f64>,
    /// For a call by the executor: mean time of reducing the results of two workers, in nanoseconds.
    pub reduce_ns: Option<f64>,
    /// For a call by the executor: what its workers were busy for with the items and the pieces, all together and without
    /// reductions, in nanoseconds.
    pub busy_ns: Option<f64>,
    /// For a serial call whose thread was watched: what it computed, and what it waited for something other
    /// than a processor.
    pub usage: Option<Usage>,
}

/// How a thread spent the time of a call. Time in which it was ready to run and had no processor is neither.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Processor time in nanoseconds.
    pub cpu_ns: f64,
    /// Time in which it waited for files, the network, locks or other threads, in nanoseconds.
    pub blocked_ns: f64,
}

impl Usage {
    /// The share of the processor time; `None` where there was neither.
    #[must_use]
    pub fn cpu_share(self) -> Option<f64> {
        let share = self.cpu_ns / (self.cpu_ns + self.blocked_ns);
        Some(share.clamp(0.0, 1.0)).filter(|share| share.is_finite())
    }
}

/// What was seen of the memory that a loop's items take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The loop's name.
    pub name: String,
    /// The name of the items' type, as in [`Call`].
    pub item_type: String,
    /// What was seen.
    pub evidence: MemoryEvidence,
    /// How many bytes.
    pub bytes: u64,
}

/// What a number of bytes says about the memory of a loop's items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryEvidence {
    /// By the tracking allocator: the most that one item has taken so far at its peak.
    Task,
    /// How far the resident memory of the process grew at its peak in the first serial call.
    Growth,
    /// How far it grew at its peak since the first of some calls with so many workers.
    Peak {
        /// Workers, the caller included.
        workers: u32,
    },
}

/// One line of a record file.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// The machine that recorded: always the first line of a file.
    Machine {
        /// Machine class.
        class: String,
        /// Workers that loops could use whose items compute.
        workers: u32,
        /// Logical processors that loops could use.
        processors: u32,
        /// Threads of the pool, or as many of them as all loops may use.
        pool_threads: u32,
        /// Measured costs.
        facts: MachineFacts,
    },
    /// An observed call.
    Call(Call),
    /// Memory of a loop's items.
    Memory(Memory),
    /// A loop that was reached and cannot be tuned, because what it iterates over cannot be indexed.
    Untuned {
        /// The loop's name.
        name: String,
    },
}

/// What separates the fields of a line.
const SEPARATOR: char = '\t';

/// What stands for a number that was not measured.
const NOT_MEASURED: &str = "-";

impl Record {
    /// The record as one line of a record file, without the line break that ends it.
    ///
    /// Fields are separated by tabs, the name comes last, and a line break, tab or backslash in a name
    /// is escaped:
    ///
    /// ```text
    /// machine  workers  processors  pool_threads  NUMBERS  class
    /// call  setting  items  cost  hot  wall_ns  item_sd_ns  reduce_ns  busy_ns  cpu_ns  blocked_ns  item_type  name
    /// memory  evidence  bytes  item_type  name
    /// untuned  name
    /// ```
    ///
    /// The numbers of a machine are those of [`MachineFacts::NAMES`]. The setting is `serial`, `rayon`, `parallel:WORKERS:CHUNK` or
    /// `tuned:WORKERS:CHUNK:PREDICTED_NS`; `-` stands for what was not
    /// measured. The evidence is `task`, `growth` or `peak:WORKERS`.
    #[must_use]
    pub fn to_line(&self) -> String {
        let name = match self {
            Record::Machine { class, .. } => class,
            Record::Call(Call { name, .. })
            | Record::Memory(Memory { name, .. })
            | Record::Untuned { name } => name,
        };
        // Room for what the other fields usually take, so that the line rarely moves.
        let mut line = String::with_capacity(name.len() + 96);
        self.write_fields(&mut line).expect("a String takes all that is written to it");
        escape_into(&mut line, name);
        line
    }

    /// Reads what [`Record::to_line`] wrote; `None` for anything else, and for a line with a number
    /// that is not finite, which no measurement yields.
    #[must_use]
    pub fn from_line(line: &str) -> Option<Record> {
        let (kind, fields) = line.split_once(SEPARATOR)?;
        match kind {
            "machine" => machine_from(fields),
            "call" => Call::from_fields(fields).map(Record::Call),
            "memory" => Memory::from_fields(fields).map(Record::Memory),
            "untuned" => unescape(fields).map(|name| Record::Untuned { name }),
            _ => None,
        }
    }

    /// Everything up to the name.
    fn write_fields(&self, line: &mut String) -> fmt::Result {
        match self {
            Record::Machine { workers, processors, pool_threads, facts, .. } => {
                write!(line, "machine\t{workers}\t{processors}\t{pool_threads}\t")?;
                // `Debug` of a float uses an exponent where plain digits would be many.
                facts.to_array().iter().try_for_each(|number| write!(line, "{number:?}\t"))
            }
            Record::Call(call) => {
                let Call { items, cost, setting, hot, wall_ns, .. } = call;
                write!(line, "call\t{setting}\t{items}\t{cost:?}\t{hot}\t{wall_ns}\t")?;
                let cpu_ns = call.usage.map(|usage| usage.cpu_ns);
                let blocked_ns = call.usage.map(|usage| usage.blocked_ns);
                let Call { item_sd_ns, reduce_ns, busy_ns, .. } = *call;
                for measured in [item_sd_ns, reduce_ns, busy_ns, cpu_ns, blocked_ns] {
                    match measured {
                        Some(number) => write!(line, "{number:?}\t")?,
                        None => write!(line, "{NOT_MEASURED}\t")?,
                    }
                }
                escape_into(line, &call.item_type);
                line.write_char(SEPARATOR)
            }
            Record::Memory(Memory { evidence, bytes, item_type, .. }) => {
                write!(line, "memory\t{evidence}\t{bytes}\t")?;
                escape_into(line, item_type);
                line.write_char(SEPARATOR)
            }
            Record::Untuned { .. } => line.write_str("untuned\t"),
        }
    }
}

/// Reads the text of a record file: the records, and the number of complete lines that are none.
///
/// A last line without a line break is skipped and not counted: the process was stopped while it
/// wrote.
#[must_use]
pub fn read_records(text: &str) -> (Vec<Record>, usize) {
    let mut records = Vec::new();
    let mut unreadable = 0;
    for line in text.split_inclusive('\n') {
        if let Some(line) = line.strip_suffix('\n') {
            match Record::from_line(line) {
                Some(record) => records.push(record),
                None => unreadable += 1,
            }
        }
    }
    (records, unreadable)
}

fn machine_from(fields: &str) -> Option<Record> {
    let mut fields = fields.splitn(4 + MachineFacts::NAMES.len(), SEPARATOR);
    let mut count = || fields.next()?.parse().ok();
    let (workers, processors, pool_threads) = (count()?, count()?, count()?);
    let mut facts = [0.0; MachineFacts::NAMES.len()];
    for number in &mut facts {
        *number = finite(fields.next()?)?;
    }
    let class = unescape(fields.next()?)?;
    let facts = MachineFacts::from_array(facts);
    Some(Record::Machine { class, workers, processors, pool_threads, facts })
}

impl Call {
    fn from_fields(fields: &str) -> Option<Self> {
        let measured = |field| match field {
            NOT_MEASURED => Some(None),
            number => finite(number).map(Some),
        };
        let mut fields = fields.splitn(12, SEPARATOR);
        Some(Self {
            setting: Setting::from_field(fields.next()?)?,
            items: fields.next()?.parse().ok()?,
            cost: finite(fields.next()?)?,
            hot: fields.next()?.parse().ok()?,
            wall_ns: fields.next()?.parse().ok()?,
            item_sd_ns: measured(fields.next()?)?,
            reduce_ns: measured(fields.next()?)?,
            busy_ns: measured(fields.next()?)?,
            usage: match (measured(fields.next()?)?, measured(fields.next()?)?) {
                (Some(cpu_ns), Some(blocked_ns)) => Some(Usage { cpu_ns, blocked_ns }),
                (None, None) => None,
                _ => return None,
            },
            item_type: unescape(fields.next()?)?,
            name: unescape(fields.next()?)?,
        })
    }
}

impl Memory {
    fn from_fields(fields: &str) -> Option<Self> {
        let mut fields = fields.splitn(4, SEPARATOR);
        Some(Self {
            evidence: MemoryEvidence::from_field(fields.next()?)?,
            bytes: fields.next()?.parse().ok()?,
            item_type: unescape(fields.next()?)?,
            name: unescape(fields.next()?)?,
        })
    }
}

/// As in a line of a record file.
impl fmt::Display for MemoryEvidence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemoryEvidence::Task => formatter.write_str("task"),
            MemoryEvidence::Growth => formatter.write_str("growth"),
            MemoryEvidence::Peak { workers } => write!(formatter, "peak:{workers}"),
        }
    }
}

impl MemoryEvidence {
    fn from_field(field: &str) -> Option<Self> {
        match field.split_once(':') {
            None if field == "task" => Some(MemoryEvidence::Task),
            None if field == "growth" => Some(MemoryEvidence::Growth),
            Some(("peak", workers)) => {
                Some(MemoryEvidence::Peak { workers: workers.parse().ok()? })
            }
            _ => None,
        }
    }
}

/// As in a line of a record file.
impl fmt::Display for Setting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Setting::Serial => formatter.write_str("serial"),
            Setting::Rayon => formatter.write_str("rayon"),
            Setting::Parallel { workers, chunk } => write!(formatter, "parallel:{workers}:{chunk}"),
            Setting::Tuned { workers, chunk, predicted_ns } => {
                write!(formatter, "tuned:{workers}:{chunk}:{predicted_ns}")
            }
        }
    }
}

impl Setting {
    fn from_field(field: &str) -> Option<Self> {
        let mut parts = field.split(':');
        let setting = match parts.next()? {
            "serial" => Setting::Serial,
            "rayon" => Setting::Rayon,
            "parallel" => Setting::Parallel {
                workers: parts.next()?.parse().ok()?,
                chunk: parts.next()?.parse().ok()?,
            },
            "tuned" => Setting::Tuned {
                workers: parts.next()?.parse().ok()?,
                chunk: parts.next()?.parse().ok()?,
                predicted_ns: parts.next()?.parse().ok()?,
            },
            _ => return None,
        };
        parts.next().is_none().then_some(setting)
    }
}

fn finite(field: &str) -> Option<f64> {
    field.parse().ok().filter(|number: &f64| number.is_finite())
}

fn escape_into(line: &mut String, name: &str) {
    for character in name.chars() {
        match character {
            '\\' => line.push_str("\\\\"),
            '\t' => line.push_str("\\t"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            plain => line.push(plain),
        }
    }
}

fn unescape(field: &str) -> Option<String> {
    let mut name = String::with_capacity(field.len());
    let mut characters = field.chars();
    while let Some(character) = characters.next() {
        name.push(match character {
            '\\' => match characters.next()? {
                '\\' => '\\',
                't' => '\t',
                'n' => '\n',
                'r' => '\r',
                _ => return None,
            },
            '\t' | '\n' | '\r' => return None,
            plain => plain,
        });
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str) -> Record {
        Record::Call(Call {
            name: name.to_owned(),
            item_type: "&f32".to_owned(),
            items: 1000,
            cost: 1.0,
            setting: Setting::Serial,
            hot: 3,
            wall_ns: 123_456,
            item_sd_ns: Some(12.5),
            reduce_ns: None,
            busy_ns: Some(1e5),
            usage: Some(Usage { cpu_ns: 1e5, blocked_ns: 456.5 }),
        })
    }

    fn machine(class: &str) -> Record {
        Record::Machine {
            class: class.to_owned(),
            workers: 16,
            processors: 32,
            pool_threads: 31,
            facts: MachineFacts::from_array([210.0, 640.0, 2e3, 3200.25, 5e4, 41.0, 950.0]),
        }
    }

    fn assert_round_trip(record: &Record) {
        let line = record.to_line();
        assert!(!line.contains(['\n', '\r']), "{line:?}");
        assert_eq!(Record::from_line(&line).as_ref(), Some(record), "{line:?}");
        // A line that lost its end is read as no record or, cut inside the name, as one of another
        // loop: that is why an incomplete last line has to be skipped.
        for length in (0..line.len()).filter(|&length| line.is_char_boundary(length)) {
            assert_ne!(Record::from_line(&line[..length]).as_ref(), Some(record));
        }
    }

    #[test]
    fn a_line_can_be_read_by_people() {
        assert_eq!(
            call("stats::count").to_line(),
            "call\tserial\t1000\t1.0\t3\t123456\t12.5\t-\t100000.0\t100000.0\t456.5\t&f32\tstats::count"
        );
        assert_eq!(
            machine("x86_64-linux-amd-19h").to_line(),
            "machine\t16\t32\t31\t210.0\t640.0\t2000.0\t3200.25\t50000.0\t41.0\t950.0\tx86_64-linux-amd-19h"
        );
    }

    #[test]
    fn any_name_comes_back_as_it_was() {
        for name in [
            "",
            " ",
            "a b",
            "\t",
            "\n",
            "\r",
            "\r\n",
            "\\",
            "\\\\n",
            "\\t",
            "tab\tinside",
            "循环",
            "🦀",
            "\0",
            "\u{2028}",
            "-",
            "call\tserial",
        ] {
            assert_round_trip(&call(name));
            assert_round_trip(&machine(name));
        }
    }

    #[test]
    fn any_setting_and_any_number_comes_back_as_it_was() {
        // xorshift64: repeatable, and all that is needed here.
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut any = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            match state % 8 {
                0 => 0,
                1 => u64::MAX,
                _ => state,
            }
        };
        for _ in 0..2_000 {
            let (workers, chunk, predicted_ns) = (any() as u32, any(), any());
            let setting = match any() % 4 {
                0 => Setting::Serial,
                1 => Setting::Rayon,
                2 => Setting::Parallel { workers, chunk },
                _ => Setting::Tuned { workers, chunk, predicted_ns },
            };
            let mut float = || Some(f64::from_bits(any())).filter(|number| number.is_finite());
            let (item_sd_ns, reduce_ns, cost) = (float(), float(), float().unwrap_or(0.1));
            let (busy_ns, cpu_ns, blocked_ns) = (float(), float(), float());
            let facts = [f64::MAX, f64::MIN_POSITIVE, 5e-324, -0.0, 1e15, 1e16, 0.1];
            let facts = MachineFacts::from_array(facts.map(|other| float().unwrap_or(other)));
            assert_round_trip(&Record::Call(Call {
                name: "a".to_owned(),
                item_type: ["", "(u8, &str)", "a\tb"][any() as usize % 3].to_owned(),
                items: any(),
                cost,
                setting,
                hot: any() as u32,
                wall_ns: any(),
                item_sd_ns,
                reduce_ns,
                busy_ns,
                usage: cpu_ns
                    .zip(blocked_ns)
                    .map(|(cpu_ns, blocked_ns)| Usage { cpu_ns, blocked_ns }),
            }));
            let peak = MemoryEvidence::Peak { workers };
            for evidence in [MemoryEvidence::Task, MemoryEvidence::Growth, peak] {
                let (name, item_type) = ("d\t".to_owned(), "(u8, &str)".to_owned());
                let bytes = any();
                assert_round_trip(&Record::Memory(Memory { name, item_type, evidence, bytes }));
            }
            let (class, processors, pool_threads) = ("b".to_owned(), any() as u32, any() as u32);
            assert_round_trip(&Record::Machine { class, workers, processors, pool_threads, facts });
            assert_round_trip(&Record::Untuned { name: "c".to_owned() });
        }
    }

    #[test]
    fn a_line_that_is_no_record_is_none() {
        for line in [
            "",
            "call",
            "note\tserial\t1\t1.0\t0\t2\t-\t-\t-\t-\t-\tu8\tname",
            "call\tserial\t1\t1.0\t0\t2\t-\t-\t-\t-\t-",
            "call\tserial\t1\t1.0\t2\t-\t-\t-\t-\t-\tu8\tname",
            "call\tserial\t-1\t1.0\t0\t2\t-\t-\t-\t-\t-\tu8\tname",
            "call\tserial\t1\t1.0\t-1\t2\t-\t-\t-\t-\t-\tu8\tname",
            "call\tserial:1\t1\t1.0\t0\t2\t-\t-\t-\t-\t-\tu8\tname",
            "call\tparallel:2\t1\t1.0\t0\t2\t-\t-\t-\t-\t-\tu8\tname",
            "call\tparallel:2:3:4\t1\t1.0\t0\t2\t-\t-\t-\t-\t-\tu8\tname",
            "call\ttuned:2:3\t1\t1.0\t0\t2\t-\t-\t-\t-\t-\tu8\tname",
            "call\tserial\t1\tinf\t0\t2\t-\t-\t-\t-\t-\tu8\tname",
            "call\tserial\t1\t1.0\t0\t2\tNaN\t-\t-\t-\t-\tu8\tname",
            "call\tserial\t1\t1.0\t0\t2\tinf\t-\t-\t-\t-\tu8\tname",
            "call\tserial\t1\t1.0\t0\t2\t-\tNaN\t-\t-\t-\tu8\tname",
            "call\tserial\t1\t1.0\t0\t2\t-\t-\tNaN\t-\t-\tu8\tname",
            "call\tserial\t1\t1.0\t0\t2\t-\t-\t-\t-\t-\tu8\tname\twith a tab",
            "call\tserial\t1\t1.0\t0\t2\t-\t-\t-\t-\t-\tu8\tunknown \\escape",
            "call\tserial\t1\t1.0\t0\t2\t-\t-\t-\t-\t-\tu8\tunfinished \\",
            "call\tserial\t1\t1.0\t0\t2\t-\t-\t-\t1.0\t-\tu8\tname",
            "call\tserial\t1\t1.0\t0\t2\t-\t-\t-\tNaN\t1.0\tu8\tname",
            "memory\tgrowth\t-1\tu8\tname",
            "memory\tpeak\t1\tu8\tname",
            "memory\tpeak:x\t1\tu8\tname",
            "memory\ttask:1\t1\tu8\tname",
            "memory\ttask\t1\tname",
            "machine\t4294967296\t4\t4\t1.0\t1.0\t1.0\t1.0\t1.0\t1.0\t1.0\tclass",
            "machine\t4\t4\t4\t1.0\t1.0\tNaN\t1.0\t1.0\t1.0\t1.0\tclass",
            "machine\t4\t4\t4\t1.0\t1.0\t1.0\t1.0\tclass",
        ] {
            assert_eq!(Record::from_line(line), None, "{line:?}");
        }
    }

    #[test]
    fn an_incomplete_last_line_is_skipped_and_other_bad_lines_are_counted() {
        let text = format!(
            "{}\n{}\nbroken\n\n{}\ncall\tserial\t1000",
            machine("m").to_line(),
            call("a").to_line(),
            call("b").to_line(),
        );
        assert_eq!(read_records(&text), (vec![machine("m"), call("a"), call("b")], 2));
        // Complete as it looks, its name may have been longer.
        assert_eq!(read_records(&call("a").to_line()), (Vec::new(), 0));
        assert_eq!(read_records(""), (Vec::new(), 0));
    }
}
