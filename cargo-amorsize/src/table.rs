//! A table of named rows that fits the line: names in the first column, or where that is too wide
//! each on a line above its numbers.

use crate::term;

/// Rows of right-aligned cells.
pub(crate) struct Table {
    title: &'static str,
    headings: Vec<&'static str>,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    cells: Vec<String>,
    notes: Vec<String>,
}

impl Table {
    pub(crate) fn new(title: &'static str, headings: &[&'static str]) -> Self {
        Table { title, headings: headings.to_vec(), rows: Vec::new() }
    }

    /// Adds a row, and lines that say more about it.
    pub(crate) fn row(&mut self, name: &str, cells: Vec<String>, notes: Vec<String>) {
        self.rows.push(Row { name: name.to_owned(), cells, notes });
    }

    /// Writes the table to stdout.
    pub(crate) fn print(&self) {
        for (kind, line) in self.lines(term::columns()) {
            let line = match kind {
                Kind::Heading => term::heading(&line),
                Kind::Note => term::bad(&line),
                Kind::Row => line,
            };
            term::result(&line);
        }
    }

    fn lines(&self, columns: usize) -> Vec<(Kind, String)> {
        let widths: Vec<usize> = (0..self.headings.len())
            .map(|index| {
                let cells = self.rows.iter().filter_map(|row| row.cells.get(index));
                cells.map(|cell| width(cell)).max().unwrap_or(0).max(width(self.headings[index]))
            })
            .collect();
        let numbers: usize = widths.iter().map(|width| width + 2).sum();
        let names = self.rows.iter().map(|row| width(&row.name)).max().unwrap_or(0);
        let names = names.max(width(self.title));
        let beside = names + numbers <= columns;
        let indent =
            if beside { names } else { width(self.title).min(columns.saturating_sub(numbers)) };

        let mut lines = vec![(Kind::Heading, line(self.title, indent, &self.headings, &widths))];
        for row in &self.rows {
            if beside {
                lines.push((Kind::Row, line(&row.name, indent, &row.cells, &widths)));
            } else {
                lines.push((Kind::Row, row.name.clone()));
                if !row.cells.is_empty() {
                    lines.push((Kind::Row, line("", indent, &row.cells, &widths)));
                }
            }
            lines.extend(row.notes.iter().map(|note| (Kind::Note, format!("  {note}"))));
        }
        lines
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Heading,
    Row,
    Note,
}

fn line(name: &str, indent: usize, cells: &[impl AsRef<str>], widths: &[usize]) -> String {
    let mut text = padded(name, indent, false);
    for (cell, width) in cells.iter().zip(widths) {
        text.push_str("  ");
        text.push_str(&padded(cell.as_ref(), *width, true));
    }
    text.trim_end().to_owned()
}

fn padded(text: &str, to: usize, right: bool) -> String {
    let space = " ".repeat(to.saturating_sub(width(text)));
    if right { space + text } else { text.to_owned() + &space }
}

fn width(text: &str) -> usize {
    console::measure_text_width(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new("loop", &["items", "time"]);
        table.row("demo::short", vec!["10".into(), "1.00 µs".into()], vec![]);
        table.row("demo::module::long", vec!["1,000".into(), "2 ns".into()], vec!["slow".into()]);
        table
    }

    fn text(columns: usize) -> String {
        table().lines(columns).into_iter().map(|(_, line)| line + "\n").collect()
    }

    #[test]
    fn names_stand_beside_their_numbers_where_they_fit() {
        assert_eq!(
            text(80),
            "loop                items     time\n\
             demo::short            10  1.00 µs\n\
             demo::module::long  1,000     2 ns\n  slow\n"
        );
    }

    #[test]
    fn names_stand_above_their_numbers_where_the_line_is_short() {
        let text = text(30);
        assert!(text.contains("demo::module::long\n"), "{text}");
        assert!(text.lines().all(|line| width(line) <= 30), "{text}");
    }
}
