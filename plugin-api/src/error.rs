//! What can go wrong in a plugin.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Value;

/// The result of a plugin's methods.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of a plugin: a kind, which the host acts on, and a text, which a person reads. One pointer wide.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone, Serialize, Deserialize)]
struct Inner {
    #[serde(skip, default = "ErrorKind::other")]
    kind: ErrorKind,
    message: Cow<'static, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<String>,
}

/// What sort of failure it is. The numbers cross the boundary and never change.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum ErrorKind {
    /// Anything else.
    Other = 0,
    /// An argument in the manifest is missing, unknown or wrong; [`Error::place`] names it.
    Arguments = 1,
    /// The storage cannot be reached or does not answer. The same call may succeed later.
    Unavailable = 2,
    /// This backend cannot do that.
    Unsupported = 3,
    /// The key or value is one that this storage cannot hold (too long, forbidden characters).
    Refused = 4,
    /// The plugin panicked. Its instance may be in any state.
    Panic = 5,
    /// The plugin broke the contract of the boundary, such as by answering with a kind of value that does not exist.
    Contract = 6,
    /// The host makes no calls to the backend for now: it failed too often, or is being reopened after a panic. A proxy
    /// may get this from what it wraps, and passes it on; plugins never make it.
    Suspended = 7,
}

impl ErrorKind {
    fn other() -> Self {
        Self::Other
    }

    fn from_code(code: u16) -> Self {
        match code {
            1 => Self::Arguments,
            2 => Self::Unavailable,
            3 => Self::Unsupported,
            4 => Self::Refused,
            5 => Self::Panic,
            6 => Self::Contract,
            7 => Self::Suspended,
            _ => Self::Other,
        }
    }
}

impl Error {
    /// An error of that kind. The message says what is wrong and, where it can, what would be right.
    pub fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        Self(Box::new(Inner {
            kind,
            message: Cow::Owned(message.to_string()),
            place: None,
        }))
    }

    /// An error in the arguments, at `place`: keys joined by dots, such as `tls.ca`.
    pub fn argument(place: impl Into<String>, message: impl fmt::Display) -> Self {
        Self(Box::new(Inner {
            kind: ErrorKind::Arguments,
            message: Cow::Owned(message.to_string()),
            place: Some(place.into()),
        }))
    }

    /// The storage cannot be reached.
    pub fn unavailable(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// This backend cannot do that.
    pub fn unsupported(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// The backend is not called for now. Made by hosts, for each call that they do not make: cheaply.
    pub fn suspended(message: &'static str) -> Self {
        Self(Box::new(Inner {
            kind: ErrorKind::Suspended,
            message: Cow::Borrowed(message),
            place: None,
        }))
    }

    /// What sort of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What is wrong, for a person.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Which argument is wrong, of an error in the arguments.
    pub fn place(&self) -> Option<&str> {
        self.0.place.as_deref()
    }

    /// The error as a value, in which form it crosses the boundary.
    pub(crate) fn into_value(self) -> Value {
        let text =
            serde_json::to_string(&*self.0).unwrap_or_else(|_| String::from("{\"message\":\"\"}"));
        Value::error(self.0.kind as u16, &text)
    }

    /// The error that `value` stands for.
    pub(crate) fn from_value(value: &Value) -> Self {
        let bytes = value.as_bytes().unwrap_or_default();
        let mut inner = serde_json::from_slice::<Inner>(bytes).unwrap_or_else(|_| Inner {
            kind: ErrorKind::Other,
            message: Cow::Owned(String::from_utf8_lossy(bytes).into_owned()),
            place: None,
        });
        inner.kind = ErrorKind::from_code(value.code());
        Self(Box::new(inner))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("place", &self.0.place)
            .finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.place {
            Some(place) => write!(f, "{place}: {}", self.0.message),
            None => f.write_str(&self.0.message),
        }
    }
}

impl StdError for Error {}

/// A failure to reach a file, a socket or a server.
impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::unavailable(error)
    }
}
