//! `cargo amorsize`: see the library beside this file.

fn main() -> std::process::ExitCode {
    cargo_amorsize::main()
}
