//! Reading `amorsize.toml`. Nothing is taken from a file that is not whole: numbers that somebody
//! cut, merged or edited by hand would tune loops wrongly, and nobody would notice.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::render::{END, FORMAT, NEVER, quoted, section_checksum};
use crate::{
    LoopEntry, LoopFacts, MachineFacts, MemorySource, Profile, ReadError, ReviewedPlan, Section,
    TaskMemory,
};

impl Profile {
    /// Reads the profile at `path`; `None` when there is no such file.
    ///
    /// # Errors
    ///
    /// As [`Profile::parse`], and when the file exists but cannot be read or is no UTF-8.
    pub fn load(path: &Path) -> Result<Option<Profile>, ReadError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ReadError::io(error).at(path)),
        };
        let profile = match std::str::from_utf8(&bytes) {
            Ok(text) => Profile::parse(text),
            Err(error) => Err(ReadError::damaged(
                Some(line_of(&bytes, error.valid_up_to())),
                "the file is not UTF-8",
            )),
        };
        profile.map(Some).map_err(|error| error.at(path))
    }

    /// Reads a profile from the text of an `amorsize.toml`.
    ///
    /// Comments, white space and the order of tables may differ from what [`Profile::render`]
    /// writes, and lines may end in `\r\n`; the values may not differ from what it wrote.
    ///
    /// ```
    /// use amorsize_profile::Profile;
    ///
    /// let text = Profile::default().render("cargo amorsize init");
    /// assert_eq!(Profile::parse(&text)?, Profile::default());
    ///
    /// let cut_short = &text[..text.len() - 1];
    /// assert!(Profile::parse(cut_short).is_err());
    /// # Ok::<(), amorsize_profile::ReadError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the text holds merge conflicts, was cut short (the last line is missing), is no correct
    /// TOML, is of an unknown format, has a key that is missing, unknown or of the wrong type, a
    /// number that is negative or not finite, or a section that does not match its checksum.
    pub fn parse(text: &str) -> Result<Profile, ReadError> {
        refuse_conflicts(text)?;
        refuse_missing_end(text)?;
        let document = DeTable::parse(text).map_err(|error| {
            let line = error.span().map(|span| line_of(text.as_bytes(), span.start));
            ReadError::damaged(line, error.message())
        })?;
        let root = Table { text, title: None, line: None, entries: document.get_ref() };
        // First, because another format may have other keys.
        root.require_known_format()?;
        root.only(&["format", "machine"])?;
        let machines = root
            .children("machine", "section")?
            .into_iter()
            .map(|(name, table)| Ok((name.to_owned(), table.section(name)?)))
            .collect::<Result<_, ReadError>>()?;
        Ok(Profile { machines })
    }
}

/// Names the line of a conflict, which the TOML parser would report as a strange key.
fn refuse_conflicts(text: &str) -> Result<(), ReadError> {
    let marker = text.lines().position(|line| {
        ["<<<<<<<", "|||||||", "=======", ">>>>>>>"].iter().any(|marker| line.starts_with(marker))
    });
    match marker {
        None => Ok(()),
        Some(index) => Err(ReadError::conflict(index + 1)),
    }
}

fn refuse_missing_end(text: &str) -> Result<(), ReadError> {
    let last = text.split_inclusive('\n').next_back().unwrap_or_default();
    if last.trim_end_matches(['\r', '\n']) == END && last.ends_with('\n') {
        Ok(())
    } else {
        Err(ReadError::damaged(
            Some(text.lines().count().max(1)),
            format!("the file does not end with the line `{END}`: it was edited or cut short"),
        ))
    }
}

/// The line, counted from 1, of the byte at `offset`.
fn line_of(text: &[u8], offset: usize) -> usize {
    let before = &text[..offset.min(text.len())];
    1 + before.iter().filter(|&&byte| byte == b'\n').count()
}

/// One table of the document, able to say where and what it is when something in it is wrong.
struct Table<'t> {
    text: &'t str,
    /// What messages call it, such as `section "x86_64-linux-amd-19h"`; `None` for the document.
    title: Option<String>,
    /// The line of its header; `None` for the document.
    line: Option<usize>,
    entries: &'t DeTable<'t>,
}

impl<'t> Table<'t> {
    fn require_known_format(&self) -> Result<(), ReadError> {
        let format: u64 = self.whole_number("format")?;
        if format == FORMAT {
            return Ok(());
        }
        Err(ReadError::unknown_format(
            self.line_of(self.require("format")?.span()),
            format!(
                "unknown format {format}: amorsize {} reads format {FORMAT}",
                env!("CARGO_PKG_VERSION"),
            ),
        ))
    }

    fn section(&self, machine: &str) -> Result<Section, ReadError> {
        self.only(&[&["checksum", "loop", "untuned"], &MachineFacts::NAMES[..]].concat())?;
        let loops = self
            .children("loop", "loop")?
            .into_iter()
            .map(|(name, table)| Ok((name.to_owned(), table.loop_entry()?)))
            .collect::<Result<_, ReadError>>()?;
        let mut facts = [0.0; MachineFacts::NAMES.len()];
        for (name, number) in MachineFacts::NAMES.iter().zip(&mut facts) {
            *number = self.measure(name)?;
        }
        let section = Section {
            facts: MachineFacts::from_array(facts),
            loops,
            untuned: self.untuned("untuned")?,
        };
        if self.string("checksum")? != section_checksum(machine, &section) {
            return Err(ReadError::damaged(
                self.line,
                format!(
                    "section {} does not match its checksum: it was edited, cut short or badly \
                     merged",
                    quoted(machine)
                ),
            ));
        }
        Ok(section)
    }

    /// The names and hashes in the table at `key`, which may be absent.
    fn untuned(&self, key: &str) -> Result<BTreeMap<String, String>, ReadError> {
        let Some(value) = self.entries.get(key) else {
            return Ok(BTreeMap::new());
        };
        let table = self.child(value, format!("`{key}`"))?;
        let names = table.entries.keys().map(|name| name.get_ref());
        names.map(|name| Ok((name.to_string(), table.token_hash(name)?))).collect()
    }

    fn loop_entry(&self) -> Result<LoopEntry, ReadError> {
        self.only(&[
            "tokens",
            "parallel_from",
            "plan",
            "item_ns",
            "item_growth",
            "item_cv",
            "piece_ns",
            "reduce_ns",
            "reduce_growth",
            "contention",
            "coherency",
            "imbalance",
            "cpu_share",
            "memory",
        ])?;
        Ok(LoopEntry {
            tokens: self.token_hash("tokens")?,
            facts: LoopFacts {
                item_ns: self.measure("item_ns")?,
                item_growth: self.up_to(LoopFacts::MOST_ITEM_GROWTH, "item_growth")?.unwrap_or(0.0),
                item_cv: self.measure("item_cv")?,
                piece_ns: self.measure("piece_ns")?,
                reduce_ns: self.measure("reduce_ns")?,
                reduce_growth: self.up_to(1.0, "reduce_growth")?.unwrap_or(0.0),
                contention: self.measure("contention")?,
                coherency: self.measure_or_zero("coherency")?,
                imbalance: self.measure_or_zero("imbalance")?,
                cpu_share: self.up_to(1.0, "cpu_share")?,
            },
            parallel_from: match self.require("parallel_from")?.get_ref() {
                DeValue::String(word) if word == NEVER => None,
                _ => Some(self.whole_number("parallel_from")?),
            },
            memory: self.entries.get("memory").map(|value| self.memory(value)).transpose()?,
            plan: self.plan("plan")?,
        })
    }

    /// Measured memory of a task.
    fn memory(&self, value: &'t Spanned<DeValue<'t>>) -> Result<TaskMemory, ReadError> {
        let memory = self.child(value, self.titled("`memory`"))?;
        memory.only(&["task_bytes", "by"])?;
        let by = memory.string("by")?;
        let source = MemorySource::ALL.into_iter().find(|source| source.name() == by);
        let source = source.ok_or_else(|| {
            let known = MemorySource::ALL.map(|source| quoted(source.name())).join(" nor ");
            self.damaged(value.span(), &format!("`by` of `memory` is neither {known}"))
        })?;
        Ok(TaskMemory { bytes: memory.whole_number("task_bytes")?, source })
    }

    fn plan(&self, key: &str) -> Result<ReviewedPlan, ReadError> {
        let title = match &self.title {
            Some(title) => format!("{title}: `{key}`"),
            None => format!("`{key}`"),
        };
        let plan = self.child(self.require(key)?, title)?;
        plan.only(&["items", "cost", "workers", "chunk", "speedup"])?;
        let cost = plan.entries.contains_key("cost").then(|| plan.measure("cost")).transpose()?;
        Ok(ReviewedPlan {
            items: plan.whole_number("items")?,
            cost: cost.unwrap_or(1.0),
            workers: plan.whole_number("workers")?,
            chunk: plan.whole_number("chunk")?,
            speedup: plan.measure("speedup")?,
        })
    }

    /// The tables in the table at `key`, which may be absent: `noun` is what messages call each.
    fn children(&self, key: &str, noun: &str) -> Result<Vec<(&'t str, Table<'t>)>, ReadError> {
        let Some(parent) = self.entries.get(key) else {
            return Ok(Vec::new());
        };
        let parent = self.child(parent, format!("`{key}`"))?;
        parent
            .entries
            .iter()
            .map(|(name, value)| {
                let name: &str = name.get_ref();
                Ok((name, self.child(value, format!("{noun} {}", quoted(name)))?))
            })
            .collect()
    }

    fn child(
        &self,
        value: &'t Spanned<DeValue<'t>>,
        title: String,
    ) -> Result<Table<'t>, ReadError> {
        let line = self.line_of(value.span());
        match value.get_ref() {
            DeValue::Table(entries) => {
                Ok(Table { text: self.text, title: Some(title), line: Some(line), entries })
            }
            other => Err(ReadError::damaged(
                Some(line),
                format!("{title} is {}, not a table", kind_of(other)),
            )),
        }
    }

    /// Refuses keys other than `known`.
    fn only(&self, known: &[&str]) -> Result<(), ReadError> {
        for key in self.entries.keys() {
            if !known.contains(&key.get_ref().as_ref()) {
                let message = format!("unknown key {}", quoted(key.get_ref()));
                return Err(self.damaged(key.span(), &message));
            }
        }
        Ok(())
    }

    fn require(&self, key: &str) -> Result<&'t Spanned<DeValue<'t>>, ReadError> {
        self.entries.get(key).ok_or_else(|| {
            ReadError::damaged(self.line, self.titled(&format!("key `{key}` is missing")))
        })
    }

    fn string(&self, key: &str) -> Result<&'t str, ReadError> {
        let value = self.require(key)?;
        match value.get_ref() {
            DeValue::String(text) => Ok(text),
            other => {
                Err(self
                    .damaged(value.span(), &format!("`{key}` is {}, not a string", kind_of(other))))
            }
        }
    }

    fn token_hash(&self, key: &str) -> Result<String, ReadError> {
        let hash = self.string(key)?;
        let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if hash.len() == 16 && hash.bytes().all(is_digit) {
            return Ok(hash.to_owned());
        }
        Err(self.damaged(
            self.require(key)?.span(),
            &format!("`{key}` is not 16 lowercase hexadecimal digits"),
        ))
    }

    /// A time or a ratio: finite and not negative.
    fn measure(&self, key: &str) -> Result<f64, ReadError> {
        let value = self.require(key)?;
        let problem = match value.get_ref() {
            DeValue::Float(number) => match number.as_str().parse::<f64>() {
                // The sum is 0.0 for -0.0 and changes nothing else.
                Ok(number) if number.is_finite() && number >= 0.0 => return Ok(number + 0.0),
                Ok(number) if number.is_finite() => "negative".to_owned(),
                _ => "not a finite number".to_owned(),
            },
            other => format!("{}, not a number with a decimal point", kind_of(other)),
        };
        Err(self.damaged(value.span(), &format!("`{key}` is {problem}")))
    }

    /// The same for what is left out where it is zero.
    fn measure_or_zero(&self, key: &str) -> Result<f64, ReadError> {
        if self.entries.contains_key(key) { self.measure(key) } else { Ok(0.0) }
    }

    /// A number up to `most`, which may be left out.
    fn up_to(&self, most: f64, key: &str) -> Result<Option<f64>, ReadError> {
        let Some(value) = self.entries.get(key) else { return Ok(None) };
        match self.measure(key)? {
            number if number > most => {
                Err(self.damaged(value.span(), &format!("`{key}` is more than {most}")))
            }
            number => Ok(Some(number)),
        }
    }

    /// A count that fits the type that is asked for.
    fn whole_number<T: TryFrom<u64>>(&self, key: &str) -> Result<T, ReadError> {
        let value = self.require(key)?;
        let problem = match value.get_ref() {
            DeValue::Integer(number) => {
                let number = u64::from_str_radix(number.as_str(), number.radix()).ok();
                match number.and_then(|number| T::try_from(number).ok()) {
                    Some(number) => return Ok(number),
                    None => "negative or too large".to_owned(),
                }
            }
            other => format!("{}, not a whole number", kind_of(other)),
        };
        Err(self.damaged(value.span(), &format!("`{key}` is {problem}")))
    }

    fn damaged(&self, span: Range<usize>, message: &str) -> ReadError {
        ReadError::damaged(Some(self.line_of(span)), self.titled(message))
    }

    fn titled(&self, message: &str) -> String {
        match &self.title {
            Some(title) => format!("{title}: {message}"),
            None => message.to_owned(),
        }
    }

    fn line_of(&self, span: Range<usize>) -> usize {
        line_of(self.text.as_bytes(), span.start)
    }
}

/// The kind of a value with its article.
fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a decimal point",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests;
