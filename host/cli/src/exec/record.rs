//! What is kept of a run.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use serde::{Deserialize, Serialize};

use super::bytes::Bytes;
use super::line::Line;

/// More than that of output is not kept.
pub(super) const LIMIT: usize = 32 << 20;

/// Raised when a record means something else than before: older ones are misses then.
pub(super) const VERSION: u32 = 1;

/// What a run printed, in the order in which it was seen, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// For people.
    pub(super) command: Vec<String>,
    /// For people.
    pub(super) folder: String,
    pub(super) chunks: Vec<Chunk>,
    pub(super) end: End,
}

/// Bytes that were read from one stream with none of the other between them, as far as that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chunk {
    pub(super) stream: Stream,
    pub(super) bytes: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stream {
    Out,
    Err,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum End {
    /// With that exit status.
    Exited(i32),
    /// By that signal.
    Signalled(i32),
}

impl Record {
    pub(super) fn new(line: &Line, chunks: Vec<Chunk>, end: End) -> Self {
        Self {
            command: line
                .words()
                .iter()
                .map(|word| word.display().to_string())
                .collect(),
            folder: line
                .folder()
                .map_or_else(String::new, |folder| folder.display().to_string()),
            chunks,
            end,
        }
    }

    /// How much was printed.
    pub(super) fn bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.bytes.0.len()).sum()
    }
}

impl End {
    pub(super) fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, signal) => Self::Signalled(signal.unwrap_or(0)),
        }
    }

    pub(super) fn is_success(self) -> bool {
        self == Self::Exited(0)
    }
}

/// `exit status 3`, `signal 15`.
impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit status {code}"),
            Self::Signalled(signal) => write!(f, "signal {signal}"),
        }
    }
}
