//! Tests that need a process of their own, whichever runner runs them.

use std::process::Command;

const INNER: &str = "DOGPILE_TEST_INNER";

/// Runs the test of that name again with [`INNER`] set; nothing may be printed but what the harness says of one test that
/// passes. False in that other run.
pub(crate) fn is_outer(test: &str) -> bool {
    let Some(out) = said(test) else {
        return false;
    };
    // The harness says so of a test on a slow machine.
    let lines = out.split_inclusive('\n');
    let out: String = lines
        .filter(|line| !line.contains(" has been running for over "))
        .collect();
    let said = format!("\nrunning 1 test\ntest {test} ... ok\n\ntest result: ok. 1 passed; ");
    let rest = out.strip_prefix(&said).unwrap_or_else(|| panic!("{out}"));
    assert_eq!(rest.trim_end().lines().count(), 1, "{out}");
    true
}

/// As [`is_outer`], for a test that prints what it measured.
pub(crate) fn is_outer_of_figures(test: &str) -> bool {
    let Some(out) = said(test) else {
        return false;
    };
    assert!(out.contains("1 passed"), "{out}");
    print!("{out}");
    true
}

/// What the other run printed; none in it.
fn said(test: &str) -> Option<String> {
    if std::env::var_os(INNER).is_some() {
        return None;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(INNER, "1")
        .output()
        .unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{out}\n{err}");
    assert_eq!(err, "");
    Some(out)
}
