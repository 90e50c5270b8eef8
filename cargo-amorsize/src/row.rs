//! Rows of names, values and sources below headings, for what explains itself: a machine, a decision.

use amorsize_runtime::survey::Fact;

use crate::term;

/// Columns of names and values; what is longer pushes its source aside.
const WIDEST_NAME: usize = 24;
pub(crate) const WIDEST_VALUE: usize = 16;

/// A source that has fewer columns left goes to the next line.
const NARROWEST_SOURCE: usize = 24;

/// Parts with their headings, an empty line before each, in lines of at most so many columns. Parts without rows
/// are left out.
pub(crate) fn parts_lines(parts: &[(&str, Vec<Row>)], columns: usize) -> Vec<String> {
    let rows = || parts.iter().flat_map(|(_, rows)| rows);
    let longest = |part: fn(&Row) -> &str| rows().map(|row| width(part(row))).max().unwrap_or(0);
    let widths =
        (longest(|row| &row.name).min(WIDEST_NAME), longest(|row| &row.value).min(WIDEST_VALUE));
    let mut lines = Vec::new();
    for (heading, rows) in parts.iter().filter(|(_, rows)| !rows.is_empty()) {
        lines.push(String::new());
        lines.push(term::heading(heading));
        lines.extend(rows.iter().flat_map(|row| row.lines(widths, columns)));
    }
    lines
}

/// A name, its value, and where that is from or what it means.
pub(crate) struct Row {
    name: String,
    value: String,
    source: String,
}

impl Row {
    pub(crate) fn new(name: &str, value: impl ToString, source: &str) -> Self {
        Row { name: name.to_owned(), value: value.to_string(), source: source.to_owned() }
    }

    /// A row for a fact; none where it is not known.
    pub(crate) fn of<T>(
        name: &str,
        fact: Option<&Fact<T>>,
        show: impl Fn(&T) -> String,
    ) -> Option<Self> {
        fact.map(|fact| Row::new(name, show(&fact.value), &fact.source))
    }

    /// The source has as many lines as it needs.
    fn lines(&self, (name, value): (usize, usize), columns: usize) -> Vec<String> {
        let pad = |text: &str, to: usize| " ".repeat(to.saturating_sub(width(text)));
        let (name_pad, value_pad) = (pad(&self.name, name), pad(&self.value, value));
        let mut line = format!("  {}{name_pad}  {}{value_pad}  ", self.name, self.value);
        let mut indent = width(&line);
        let mut lines = Vec::new();
        if indent + NARROWEST_SOURCE > columns {
            indent = 6;
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
        }
        for piece in pieces(&self.source, columns.saturating_sub(indent).max(1)) {
            if width(&line) > indent && width(&line) + width(&piece) > columns {
                lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            }
            line += &piece;
        }
        lines.push(line);
        let lines = lines.iter().map(|line| line.trim_end().to_owned());
        lines.filter(|line| !line.is_empty()).collect()
    }
}

/// Cuts a text behind every `/` and space, and where a piece would still be longer than `most`.
fn pieces(text: &str, most: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    for part in text.split_inclusive(['/', ' ']) {
        let characters: Vec<char> = part.chars().collect();
        pieces.extend(characters.chunks(most).map(String::from_iter));
    }
    pieces
}

/// Columns that a text fills.
pub(crate) fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/sys/fs/cgroup/kubepods.slice/pod_4f2a/memory.max";

    fn row(name: &str, source: &str, columns: usize) -> Vec<String> {
        Row::new(name, "4.00 GiB", source).lines((12, 8), columns)
    }

    #[test]
    fn a_source_is_broken_where_its_folders_end() {
        assert_eq!(
            row("memory limit", "AMORSIZE_MEMORY", 60),
            ["  memory limit  4.00 GiB  AMORSIZE_MEMORY"]
        );
        assert_eq!(
            row("memory limit", PATH, 60),
            [
                "  memory limit  4.00 GiB  /sys/fs/cgroup/kubepods.slice/",
                "                          pod_4f2a/memory.max"
            ]
        );
    }

    #[test]
    fn a_source_without_room_beside_the_number_stands_below_it() {
        assert_eq!(
            row("memory limit", PATH, 40),
            [
                "  memory limit  4.00 GiB",
                "      /sys/fs/cgroup/kubepods.slice/",
                "      pod_4f2a/memory.max"
            ]
        );
        let id = "0123456789abcdef".repeat(5);
        let long = row("a-package-with-a-name-that-is-long", &format!("/a/{id}/b"), 50);
        assert!(long.iter().all(|line| width(line) <= 50), "{long:?}");
        assert_eq!(row("available", "", 80), ["  available     4.00 GiB"]);
    }
}
