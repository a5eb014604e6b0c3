use std::fmt;
use std::time::Duration;

use super::Suite;

/// What came of a suite.
#[derive(Clone, Debug)]
#[must_use = "a report that nobody reads fails nobody"]
#[non_exhaustive]
pub struct Report {
    /// The backend's name.
    pub backend: String,
    /// The cases, in the order in which they ran.
    pub cases: Vec<CaseReport>,
}

/// What came of a case.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CaseReport {
    /// What it belongs to.
    pub suite: Suite,
    /// What must hold, as the name of a function.
    pub name: &'static str,
    /// Whether it does.
    pub outcome: Outcome,
    /// How long it took to find that out.
    pub took: Duration,
}

/// How a case can end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not; the text says what was found and what would be right.
    Failed(String),
    /// The backend does not offer what the case is about, which it may.
    NotSupported(String),
    /// It was not tried, or came to no result; the text says why.
    Skipped(String),
}

impl Outcome {
    /// `passed`, `failed`, `not supported` or `skipped`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::NotSupported(_) => "not supported",
            Self::Skipped(_) => "skipped",
        }
    }

    /// What was found, or why it was not.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Passed => None,
            Self::Failed(text) | Self::NotSupported(text) | Self::Skipped(text) => Some(text),
        }
    }
}

impl Report {
    /// The cases that failed, with what was found.
    pub fn failures(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.cases.iter().filter_map(|case| match &case.outcome {
            Outcome::Failed(found) => Some((case.name, found.as_str())),
            _ => None,
        })
    }

    /// Whether no case failed.
    pub fn passed(&self) -> bool {
        self.failures().next().is_none()
    }

    /// Ends the test with the report if a case failed.
    ///
    /// # Panics
    ///
    /// If a case failed.
    #[track_caller]
    pub fn assert_passed(&self) {
        assert!(self.passed(), "{self}");
    }
}

/// A line for each case, and a count at the end.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for CaseReport { name, outcome, .. } in &self.cases {
            let ended = match outcome {
                Outcome::Failed(_) => "FAILED",
                other => other.name(),
            };
            match outcome.detail() {
                Some(detail) => writeln!(f, "{ended:<14} {name}: {detail}")?,
                None => writeln!(f, "{ended:<14} {name}")?,
            }
        }
        let count = |name| {
            let cases = self.cases.iter();
            cases.filter(|case| case.outcome.name() == name).count()
        };
        write!(
            f,
            "backend {}: {} passed, {} failed, {} not supported, {} skipped",
            self.backend,
            count("passed"),
            count("failed"),
            count("not supported"),
            count("skipped"),
        )
    }
}
