//! `source-stats [--top N] [--manifest-path PATH]`: prints the report.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use source_stats::report::Report;
use source_stats::sources;

const USAGE: &str = "\
Statistics about the Rust sources of a package and of everything it depends on

Usage: source-stats [--top N] [--manifest-path PATH]

Options:
  --top N               rows in each list [default: 10]
  --manifest-path PATH  Cargo.toml of the package [default: that of source-stats]
  -h, --help            print this help
";

struct Options {
    top: usize,
    manifest: PathBuf,
    help: bool,
}

fn main() -> ExitCode {
    let result = options(std::env::args().skip(1)).and_then(|options| run(&options));
    let Err(message) = result else {
        return ExitCode::SUCCESS;
    };
    // Where even stderr is closed nothing is left to tell it to.
    let _ = writeln!(io::stderr(), "error: {message}");
    ExitCode::FAILURE
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let mut options = Options { top: 10, manifest, help: false };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--top" => {
                let top = value()?;
                options.top =
                    top.parse().map_err(|_| format!("--top needs a number, not `{top}`"))?;
            }
            "--manifest-path" => options.manifest = value()?.into(),
            "-h" | "--help" => options.help = true,
            _ => return Err(format!("unexpected argument `{argument}`\n\n{USAGE}")),
        }
    }
    Ok(options)
}

fn run(options: &Options) -> Result<(), String> {
    let mut text = Vec::new();
    if options.help {
        text.extend_from_slice(USAGE.as_bytes());
    } else {
        let sources = sources::load(&options.manifest).map_err(|error| error.to_string())?;
        let report = Report::new(&sources).write(&mut text, options.top);
        report.map_err(|error| error.to_string())?;
    }
    match io::stdout().write_all(&text) {
        // The reader, such as `head`, has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(|error| format!("failed to print the report: {error}")),
    }
}
