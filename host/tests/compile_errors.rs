//! What is wrong with a cached function is said where it is wrong; each case stands beside one that is right.

#![forbid(unsafe_code)]

use std::path::Path;

#[test]
fn mistakes_are_pointed_at_and_what_is_right_compiles() {
    for case in Path::new("tests/compile/fail").read_dir().unwrap() {
        let case = case.unwrap().path();
        let twin = Path::new("tests/compile/pass").join(case.file_name().unwrap());
        let is_source = case.extension().is_some_and(|extension| extension == "rs");
        assert!(
            !is_source || twin.is_file(),
            "{} has no twin",
            case.display()
        );
    }
    let cases = trybuild::TestCases::new();
    cases.pass("tests/compile/pass/*.rs");
    cases.compile_fail("tests/compile/fail/*.rs");
}
