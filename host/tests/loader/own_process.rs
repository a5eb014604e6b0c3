//! Tests that need a process of their own, whichever runner runs them.

use std::process::Command;

const INNER: &str = "DOGPILE_TEST_INNER";

/// Runs the test of that name again with [`INNER`] set; nothing may come on standard error. False in that other run.
pub(crate) fn is_outer(test: &str) -> bool {
    if std::env::var_os(INNER).is_some() {
        return false;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(INNER, "1")
        .output()
        .unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{out}\n{err}");
    assert!(out.contains("1 passed"), "{out}");
    assert_eq!(err, "");
    true
}
