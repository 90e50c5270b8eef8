//! The messages of the attribute.

use std::process::Command;

mod skip;

/// The compiler whose messages the expected ones are.
const COMPILER: &str = "rustc 1.95.";

#[test]
fn messages_name_the_mistake_and_what_is_valid() {
    let version = Command::new("rustc").arg("--version").output().expect("cargo runs `rustc`");
    let version = String::from_utf8_lossy(&version.stdout);
    if !version.starts_with(COMPILER) {
        return skip::skip(&format!("the messages are those of {COMPILER}*, this is {version}"));
    }
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

/// All but the place in our code, instead of rayon's, where the bound stands.
#[test]
fn the_message_for_a_closure_that_is_not_send_is_that_of_stock_rayon() {
    let text = |name: &str| {
        let path = format!("{}/tests/ui/{name}.stderr", env!("CARGO_MANIFEST_DIR"));
        let text =
            std::fs::read_to_string(path).expect("an expected message").replace(name, "user");
        let end = text.find("note: required by a bound in").expect("where the bound stands");
        text[..end].to_owned()
    };
    assert_eq!(text("not_send"), text("not_send_stock"));
}
