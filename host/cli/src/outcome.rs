//! How a command ended.

use std::process::ExitCode;

/// How a command ended that has said everything itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Failed,
    NoSuchValue,
}

impl From<Outcome> for ExitCode {
    /// 2 is for a command line that is not understood, and comes to no outcome.
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Done => 0,
            Outcome::Failed => 1,
            Outcome::NoSuchValue => 3,
        })
    }
}
