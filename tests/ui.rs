//! The messages of the attribute.

#[test]
fn messages_name_the_mistake_and_what_is_valid() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
