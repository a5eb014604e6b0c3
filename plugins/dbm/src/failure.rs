use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;

use dogpile_plugin_api::{Error, ErrorKind};

use crate::file::{TooLarge, explained};

/// Why the file could not be used.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What is in it makes no sense.
    Damaged(String),
    /// It belongs to another program.
    Foreign(String),
    /// It would be larger than it may be.
    Overgrown(String),
    /// It could not be read or written, and must be opened again before the next try.
    Broken(io::Error),
    /// This value is more than it can hold.
    Refused(String),
    /// Anything else; the text says what would be right.
    Other(String),
}

impl Failure {
    pub(crate) fn other(text: impl fmt::Display) -> Self {
        Self::Other(text.to_string())
    }

    /// The same, with the name of the file that could not be used, and what to do about it.
    pub(crate) fn at(self, path: &Path) -> Self {
        match self {
            Self::Broken(error) => explained(path, &error),
            other => other,
        }
    }

    /// What went wrong with a file of that name.
    pub(crate) fn io(what: impl fmt::Display, error: &io::Error) -> Self {
        Self::Broken(io::Error::new(error.kind(), format!("{what}: {error}")))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(text) => write!(f, "the file is damaged: {text}"),
            Self::Broken(error) => error.fmt(f),
            Self::Foreign(text)
            | Self::Refused(text)
            | Self::Overgrown(text)
            | Self::Other(text) => text.fmt(f),
        }
    }
}

/// All that redb can say.
impl From<redb::Error> for Failure {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData
                ) =>
            {
                Self::Damaged(error.to_string())
            }
            redb::Error::Io(error)
                if error
                    .get_ref()
                    .is_some_and(<dyn StdError + Send + Sync>::is::<TooLarge>) =>
            {
                Self::Overgrown(error.to_string())
            }
            redb::Error::Io(error) => Self::Broken(error),
            redb::Error::ValueTooLarge(size) => {
                Self::Refused(format!("a value of {size} bytes: the most is 3 GiB"))
            }
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => Self::other(
                format_args!("another program has it open in its own way: {error}"),
            ),
            // What a caught panic or a failed write leaves behind.
            redb::Error::PreviousIo
            | redb::Error::LockPoisoned(_)
            | redb::Error::DatabaseClosed => Self::Broken(io::Error::other(error.to_string())),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let kind = match &failure {
            Failure::Refused(_) => ErrorKind::Refused,
            _ => ErrorKind::Unavailable,
        };
        Self::new(kind, failure)
    }
}
