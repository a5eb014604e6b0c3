//! The `dogpile` command, as cargo built it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;

/// The command, to be started.
///
/// # Panics
///
/// If it is not built: the message has the command that builds it.
pub fn dogpile() -> Command {
    let mut command = Command::new(super::built("dogpile", "dogpile-cli"));
    command.env_remove("DOGPILE_MANIFEST");
    command
}

/// What `dogpile conformance` reported.
#[derive(Debug)]
pub struct Conformance {
    /// How it ended.
    pub status: Option<i32>,
    /// What it printed.
    pub report: Json,
}

impl Conformance {
    /// Runs it on that file, with these words behind it, to its end.
    ///
    /// # Panics
    ///
    /// If it prints no report.
    pub fn of(file: &Path, words: &[&str]) -> Self {
        let mut command = dogpile();
        command
            .args(["conformance", "--json"])
            .arg(file)
            .args(words);
        let output = command.output().expect("it can be started");
        let report = serde_json::from_slice(&output.stdout);
        let said = String::from_utf8_lossy(&output.stderr);
        Self {
            status: output.status.code(),
            report: report.unwrap_or_else(|error| panic!("{error}: {said}")),
        }
    }

    /// The cases that ended so.
    pub fn cases(&self, outcome: &str) -> BTreeSet<&str> {
        let cases = self.report["cases"].as_array().into_iter().flatten();
        cases
            .filter(|case| case["outcome"] == outcome)
            .filter_map(|case| case["case"].as_str())
            .collect()
    }

    /// What was seen in that case.
    pub fn detail(&self, name: &str) -> &str {
        let mut cases = self.report["cases"].as_array().into_iter().flatten();
        let case = cases.find(|case| case["case"] == name);
        case.and_then(|case| case["detail"].as_str())
            .unwrap_or_default()
    }

    /// Ends the test unless no case failed, and at least so many passed.
    ///
    /// # Panics
    ///
    /// If one failed, or fewer passed.
    #[track_caller]
    pub fn assert_passed(&self, at_least: usize) {
        let passed = self.cases("passed").len();
        assert!(
            self.status == Some(0) && self.cases("failed").is_empty() && passed >= at_least,
            "{:#}",
            self.report
        );
    }
}
