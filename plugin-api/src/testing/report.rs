use std::fmt;

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
    /// What must hold, as the name of a function.
    pub name: &'static str,
    /// Whether it does.
    pub outcome: Outcome,
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
        let (mut passed, mut failed, mut unsupported) = (0, 0, 0);
        for CaseReport { name, outcome } in &self.cases {
            match outcome {
                Outcome::Passed => {
                    passed += 1;
                    writeln!(f, "passed         {name}")?;
                }
                Outcome::Failed(found) => {
                    failed += 1;
                    writeln!(f, "FAILED         {name}: {found}")?;
                }
                Outcome::NotSupported(what) => {
                    unsupported += 1;
                    writeln!(f, "not supported  {name}: {what}")?;
                }
            }
        }
        write!(
            f,
            "backend {}: {passed} passed, {failed} failed, {unsupported} not supported",
            self.backend
        )
    }
}
