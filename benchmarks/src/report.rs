//! Results as documents: HTML for a browser, Markdown with a plot for the repository.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use crate::case::Comparison;
use crate::plot;
use crate::suite::Results;
use crate::table::time;

/// A loss is worth a line of its own from here on.
const NOTABLE: f64 = 1.1;

/// Calls of a crew that take this share of the serial time have gained nothing.
const UNHELPED: f64 = 0.85;

/// Writes one HTML file that needs no other.
pub(crate) fn html(file: &Path, results: &Results) -> io::Result<()> {
    let text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Amorsize and its \
         peers</title>\n<style>body {{ max-width: 960px; margin: 2em auto; font: 15px/1.5 \
         system-ui, sans-serif; color: #1f2933 }} pre {{ overflow-x: auto; font-size: 12px; \
         line-height: 1.35 }} svg {{ max-width: 100%; height: auto }}</style>\n<h1>Amorsize and its \
         peers</h1>\n<p>{}</p>\n{}\n<h2>All times</h2>\n<pre>{}</pre>\n</html>\n",
        escaped(HOW_TO_READ),
        plot::svg(results.cases()),
        escaped(&results.to_string()),
    );
    std::fs::write(file, text)
}

/// Where the plot of a Markdown file goes.
pub(crate) fn plot_beside(file: &Path) -> PathBuf {
    file.with_extension("svg")
}

/// Writes a Markdown file, and its plot beside it.
pub(crate) fn markdown(file: &Path, results: &Results) -> io::Result<()> {
    let plot = plot_beside(file);
    std::fs::write(&plot, plot::svg(results.cases()))?;
    let name = plot.file_name().unwrap_or_default().to_string_lossy();
    let text = format!(
        "# Results\n\n{HOW_TO_READ}\n\n![One line for each workload and size: the times of all \
         executors as multiples of the fastest]({name})\n\n## Where we lose\n\n{}\n## All \
         times\n\n```text\n{results}```\n",
        losses(results.cases()),
    );
    std::fs::write(file, text)
}

const HOW_TO_READ: &str = "Made by `cargo run --release -p benchmarks -- --markdown \
    benchmarks/RESULTS.md`; the `README.md` of the benchmarks says what is compared and how. Times are medians over \
    interleaved rounds in one process, and hold for the machine named below alone.";

/// The cases that are notably slower than the best of all peers and plans, worst first.
fn losses(cases: &[Comparison]) -> String {
    let mut lost: Vec<&Comparison> = cases.iter().filter(|case| case.regret > NOTABLE).collect();
    lost.sort_by(|a, b| b.regret.total_cmp(&a.regret));
    if lost.is_empty() {
        return format!("Nowhere by more than a factor of {NOTABLE}.\n");
    }
    let mut text = format!(
        "Cases that take more than {NOTABLE} times what the fastest of all peers, and of all plans of a sweep of our own, takes. \
         Some others lose to rayon alone: see `vs_rayon` below.\n\n"
    );
    text += "| case | ours | plan | the best | its time | factor | because |\n|---|---|---|---|---|---|---|\n";
    for case in lost {
        writeln!(
            text,
            "| {}/{} | {} | {} | {} | {} | {:.2} | {} |",
            case.workload,
            case.n,
            time(case.amorsize.median),
            case.plan,
            case.best,
            time(case.best_ns),
            case.regret,
            because(case),
        )
        .expect("a String takes all that is written to it");
    }
    text + CAUSES
}

/// Which of [`CAUSES`] the numbers of a case point to.
fn because(case: &Comparison) -> &'static str {
    let unhelped = case.amorsize.median > UNHELPED * case.serial.median;
    match case.plan.as_str() {
        "serial" | "alone" if case.best == "serial" => "overhead",
        "serial" => "serial plan",
        "alone" => "no help",
        _ if unhelped => "no gain",
        _ if case.best.contains('×') => "other plan",
        _ => "executor",
    }
}

const CAUSES: &str = "
What the numbers point to: *overhead*: a call costs some nanoseconds beyond the plain iterator. *Serial plan*: \
    the model sees too little gain, with helpers as hot as they are. *No help*: the plan is parallel, and calls kept \
    hardly more than one processor busy: the loop has learned that its crews are slower than their callers, or its helper \
    started late, or on the caller's own core (`-- pauses` shows how often that is). *No gain*: more processors were busy, \
    and the call took about as long as a serial one: workers kept each other waiting, or looked for work that came late. \
    *Other plan*: a plan of our own sweep is faster. *Executor*: a peer does the same in less time.
";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
