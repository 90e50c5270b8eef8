//! What the user sees: status lines in cargo's look on stderr, results on stdout.
//!
//! Nothing else in this package writes to either. Failing to write (a closed pipe) is no error.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal only.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

const GOOD: Style = AnsiColor::Green.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const ERROR: Style = AnsiColor::Red.on_default().bold();
const NOTE: Style = AnsiColor::Cyan.on_default().bold();

/// Columns of a line where the width is not known.
const DEFAULT_COLUMNS: usize = 80;

struct Choice {
    stdout: bool,
    stderr: bool,
    quiet: bool,
}

static CHOICE: OnceLock<Choice> = OnceLock::new();

/// Settles colours for the rest of the process: the flag first, then `NO_COLOR`, then
/// `CARGO_TERM_COLOR`, then whether the stream is a terminal.
pub(crate) fn set_up(flag: Option<Color>, quiet: bool) {
    let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let choice = flag.unwrap_or_else(|| {
        if environment("NO_COLOR").is_some() {
            return Color::Never;
        }
        match environment("CARGO_TERM_COLOR").as_deref() {
            Some("always") => Color::Always,
            Some("never") => Color::Never,
            _ => Color::Auto,
        }
    });
    let colored = |terminal: bool| match choice {
        Color::Auto => terminal && environment("TERM").as_deref() != Some("dumb"),
        Color::Always => true,
        Color::Never => false,
    };
    let _ = CHOICE.set(Choice {
        stdout: colored(io::stdout().is_terminal()),
        stderr: colored(io::stderr().is_terminal()),
        quiet,
    });
}

fn choice() -> &'static Choice {
    CHOICE.get_or_init(|| Choice { stdout: false, stderr: false, quiet: false })
}

/// Whether only results, warnings and errors are shown.
pub(crate) fn is_quiet() -> bool {
    choice().quiet
}

/// Whether status lines are coloured: children that write to the same stderr should follow.
pub(crate) fn stderr_is_colored() -> bool {
    choice().stderr
}

/// Whether a progress bar can be drawn.
pub(crate) fn can_draw_progress() -> bool {
    io::stderr().is_terminal() && !choice().quiet
}

fn paint(text: &str, style: Style, colored: bool) -> String {
    if colored { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// A status line: `   Recording source-stats (bench stats)`.
pub(crate) fn status(word: &str, message: &str) {
    if !choice().quiet {
        let word = paint(&format!("{word:>12}"), GOOD, choice().stderr);
        let _ = writeln!(io::stderr(), "{word} {message}");
    }
}

/// A line that belongs to the status line above it.
pub(crate) fn detail(message: &str) {
    if !choice().quiet {
        let _ = writeln!(io::stderr(), "{:>12} {message}", "");
    }
}

/// `warning: …`
pub(crate) fn warning(message: &str) {
    let _ = writeln!(io::stderr(), "{}: {message}", paint("warning", WARNING, choice().stderr));
}

/// `error: …`, and the next command below it.
pub(crate) fn error(message: &str, hint: &str) {
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "{}: {message}", paint("error", ERROR, choice().stderr));
    let _ = writeln!(stderr, " {}: {hint}", paint("hint", NOTE, choice().stderr));
}

/// `hint: …` below a warning.
pub(crate) fn note(hint: &str) {
    let _ = writeln!(io::stderr(), "   {}: {hint}", paint("hint", NOTE, choice().stderr));
}

/// Text of others, as it is.
pub(crate) fn foreign(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
    if !text.ends_with('\n') {
        let _ = writeln!(stderr);
    }
}

/// A line of results.
pub(crate) fn result(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Emphasises a word of a result that asks for attention.
pub(crate) fn bad(text: &str) -> String {
    paint(text, WARNING, choice().stdout)
}

/// Emphasises a heading of a result.
pub(crate) fn heading(text: &str) -> String {
    paint(text, Style::new().bold(), choice().stdout)
}

/// Columns that a line of results can fill.
pub(crate) fn columns() -> usize {
    let terminal = console::Term::stdout();
    terminal.size_checked().map_or(DEFAULT_COLUMNS, |(_, columns)| usize::from(columns).max(40))
}
