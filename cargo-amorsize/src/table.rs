//! A table of named rows that fits the line. Where whole names leave no room for the numbers, names
//! of one module stand under it; where that is not enough, cells lose their spaces, and a name that
//! is still too long gets a line to itself.

use std::borrow::Cow;

use amorsize_profile::without_type;

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

    /// Adds a row, and lines that say more about it. Rows of one name belong one after the other:
    /// the name stands at the first.
    pub(crate) fn row(&mut self, name: &str, cells: Vec<String>, notes: Vec<String>) {
        self.rows.push(Row { name: name.to_owned(), cells, notes });
    }

    /// Writes the table to stdout, if it has rows.
    pub(crate) fn print(&self) {
        if self.rows.is_empty() {
            return;
        }
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
        let (whole, short) = (self.whole_names(), self.names_by_module());
        let (wide, narrow) = (Cells::wide(self), Cells::narrow(self));
        let fits = |names: &[Name], cells: &Cells| {
            names.iter().all(|name| name.width() + cells.width() <= columns)
        };
        let (names, cells) = if fits(&whole, &wide) {
            (whole, wide)
        } else if fits(&short, &wide) {
            (short, wide)
        } else {
            (short, narrow)
        };
        let room = columns.saturating_sub(cells.width());
        let beside = |name: &Name| name.width() <= room;
        let indent = names.iter().filter(|name| beside(name)).map(Name::width);
        let indent = indent.max().unwrap_or(0).max(width(self.title));

        let mut lines = vec![(Kind::Heading, cells.line(self.title, indent, &self.headings))];
        for (name, row) in names.iter().zip(&self.rows) {
            lines.extend(name.module.iter().map(|module| (Kind::Row, module.clone())));
            let mut first = name.text.as_str();
            if !beside(name) {
                lines.push((Kind::Row, first.to_owned()));
                first = "";
            }
            lines.push((Kind::Row, cells.line(first, indent, &row.cells)));
            let margin = if name.indented { "    " } else { "  " };
            lines.extend(row.notes.iter().map(|note| (Kind::Note, format!("{margin}{note}"))));
        }
        lines
    }

    /// Each name as it is.
    fn whole_names(&self) -> Vec<Name> {
        let name = |row: &Row| Name { module: None, text: row.name.clone(), indented: false };
        self.first_of_its_name(self.rows.iter().map(name).collect())
    }

    /// The last segments under their module, except for modules with one name only.
    fn names_by_module(&self) -> Vec<Name> {
        let module =
            |row: &Row| without_type(&row.name).rfind("::").map(|at| row.name[..at + 2].to_owned());
        let mut names = Vec::new();
        for rows in self.rows.chunk_by(|a, b| module(a) == module(b)) {
            let several = rows.iter().any(|row| row.name != rows[0].name);
            let shared = module(&rows[0]).filter(|_| several);
            names.extend(rows.iter().enumerate().map(|(index, row)| match &shared {
                None => Name { module: None, text: row.name.clone(), indented: false },
                Some(module) => Name {
                    module: (index == 0).then(|| module.clone()),
                    text: format!("  {}", &row.name[module.len()..]),
                    indented: true,
                },
            }));
        }
        self.first_of_its_name(names)
    }

    fn first_of_its_name(&self, mut names: Vec<Name>) -> Vec<Name> {
        for (name, rows) in names.iter_mut().skip(1).zip(self.rows.windows(2)) {
            if rows[0].name == rows[1].name {
                name.text.clear();
            }
        }
        names
    }
}

/// What stands before the cells of a row.
struct Name {
    /// A line above it.
    module: Option<String>,
    text: String,
    indented: bool,
}

impl Name {
    fn width(&self) -> usize {
        width(&self.text)
    }
}

/// How cells are written.
struct Cells {
    widths: Vec<usize>,
    gap: &'static str,
    /// `2 × 128` becomes `2×128`
    squeezed: bool,
}

impl Cells {
    fn wide(table: &Table) -> Self {
        Cells { widths: Vec::new(), gap: "  ", squeezed: false }.measured(table)
    }

    fn narrow(table: &Table) -> Self {
        Cells { widths: Vec::new(), gap: " ", squeezed: true }.measured(table)
    }

    fn measured(mut self, table: &Table) -> Self {
        let of_column = |(index, heading): (usize, &&str)| {
            let cells = table.rows.iter().filter_map(|row| row.cells.get(index));
            cells.map(|cell| width(&self.shown(cell))).fold(width(heading), usize::max)
        };
        self.widths = table.headings.iter().enumerate().map(of_column).collect();
        self
    }

    fn width(&self) -> usize {
        self.widths.iter().map(|width| width + self.gap.len()).sum()
    }

    fn shown<'a>(&self, cell: &'a str) -> Cow<'a, str> {
        // Headings are words, which need their spaces.
        if self.squeezed && cell.contains(|c: char| c.is_ascii_digit()) {
            cell.replace(' ', "").into()
        } else {
            cell.into()
        }
    }

    fn line(&self, name: &str, indent: usize, cells: &[impl AsRef<str>]) -> String {
        let mut text = format!("{name}{}", spaces(indent, name));
        for (cell, to) in cells.iter().zip(&self.widths) {
            let cell = self.shown(cell.as_ref());
            text += &format!("{}{}{cell}", self.gap, spaces(*to, &cell));
        }
        text.trim_end().to_owned()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Heading,
    Row,
    Note,
}

/// What fills `text` up to a width.
fn spaces(to: usize, text: &str) -> String {
    " ".repeat(to.saturating_sub(width(text)))
}

fn width(text: &str) -> usize {
    console::measure_text_width(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(columns: usize) -> String {
        let mut table = Table::new("loop", &["items", "plan", "time"]);
        let mut row = |name: &str, items: &str, notes: &[&str]| {
            let cells = [items, "2 × 16", "1.00 µs"].map(str::to_owned).to_vec();
            table.row(name, cells, notes.iter().map(|note| (*note).to_owned()).collect());
        };
        row("demo::one::short", "10", &[]);
        row("demo::two::longer", "1,000", &["slow"]);
        row("demo::two::longer", "9", &[]);
        row("demo::two::much_longer", "5", &[]);
        table.lines(columns).into_iter().map(|(_, line)| line + "\n").collect()
    }

    #[test]
    fn whole_names_stand_beside_their_numbers_where_they_fit() {
        assert_eq!(
            text(46),
            "loop                    items    plan     time\n\
             demo::one::short           10  2 × 16  1.00 µs\n\
             demo::two::longer       1,000  2 × 16  1.00 µs\n\
             \x20 slow\n\
             \x20                           9  2 × 16  1.00 µs\n\
             demo::two::much_longer      5  2 × 16  1.00 µs\n"
        );
    }

    #[test]
    fn names_stand_under_their_module_where_the_line_is_shorter() {
        assert_eq!(
            text(45),
            "loop              items    plan     time\n\
             demo::one::short     10  2 × 16  1.00 µs\n\
             demo::two::\n\
             \x20 longer          1,000  2 × 16  1.00 µs\n\
             \x20   slow\n\
             \x20                     9  2 × 16  1.00 µs\n\
             \x20 much_longer         5  2 × 16  1.00 µs\n"
        );
    }

    #[test]
    fn names_that_are_still_too_long_have_a_line_to_themselves() {
        assert_eq!(
            text(30),
            "loop     items plan   time\n\
             demo::one::short\n\
             \x20           10 2×16 1.00µs\n\
             demo::two::\n\
             \x20 longer 1,000 2×16 1.00µs\n\
             \x20   slow\n\
             \x20            9 2×16 1.00µs\n\
             \x20 much_longer\n\
             \x20            5 2×16 1.00µs\n"
        );
    }
}
