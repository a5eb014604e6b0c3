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
    /// Whether nothing may stand at `place`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unknown: bool,
    /// What else is wrong with the arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    others: Vec<Inner>,
}

impl Inner {
    fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            place: None,
            unknown: false,
            others: Vec::new(),
        }
    }
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
    /// The storage cannot be reached or does not answer. The same call may succeed later. After some of these in a row the
    /// host makes no calls, until a ping is answered.
    Unavailable = 2,
    /// This backend cannot do that.
    Unsupported = 3,
    /// The key or value is one that this storage cannot hold (too long, forbidden characters), or not now, while it holds
    /// others: that says nothing of the storage.
    Refused = 4,
    /// The plugin panicked. Its instance may be in any state.
    Panic = 5,
    /// The plugin broke the contract of the boundary, such as by answering with a kind of value that does not exist.
    Contract = 6,
    /// The host makes no calls to the backend for now: it failed too often, or is being reopened after a panic. A proxy
    /// may get this from what it wraps, and passes it on; plugins never make it.
    Suspended = 7,
    /// The call took longer than the region's `call_timeout`. Made by hosts. A proxy may get this from what it wraps, and
    /// passes it on.
    Timeout = 8,
}

impl ErrorKind {
    fn other() -> Self {
        Self::Other
    }

    /// What an operator can search for: hosts show it in messages, logs and JSON. It never changes.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Other => "plugin-failed",
            Self::Arguments => "plugin-arguments",
            Self::Unavailable => "storage-unavailable",
            Self::Unsupported => "unsupported",
            Self::Refused => "entry-refused",
            Self::Panic => "plugin-panicked",
            Self::Contract => "plugin-broke-contract",
            Self::Suspended => "plugin-suspended",
            Self::Timeout => "call-timed-out",
        }
    }

    fn from_number(number: u16) -> Self {
        match number {
            1 => Self::Arguments,
            2 => Self::Unavailable,
            3 => Self::Unsupported,
            4 => Self::Refused,
            5 => Self::Panic,
            6 => Self::Contract,
            7 => Self::Suspended,
            8 => Self::Timeout,
            _ => Self::Other,
        }
    }
}

impl Error {
    /// An error of that kind. The message says what is wrong and, where it can, what would be right.
    pub fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        Self(Box::new(Inner::new(kind, message.to_string())))
    }

    /// An error in the arguments, at `place`: keys joined by dots, such as `tls.ca`.
    pub fn argument(place: impl Into<String>, message: impl fmt::Display) -> Self {
        let mut error = Self::new(ErrorKind::Arguments, message);
        error.0.place = Some(place.into());
        error
    }

    /// The argument at `place` is none that there is.
    pub fn unknown_argument(place: impl Into<String>) -> Self {
        let mut error = Self::argument(place, "no such argument");
        error.0.unknown = true;
        error
    }

    /// One error that tells of all these in the arguments, the first of them foremost; `None` if there are none.
    pub fn of_arguments(errors: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut errors = errors.into_iter();
        let mut first = errors.next()?;
        for other in errors {
            first.0.others.extend(other.all().map(|one| *one.0));
        }
        Some(first)
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
        Self(Box::new(Inner::new(ErrorKind::Suspended, message)))
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

    /// Whether [`Error::place`] is that of an argument that there is none of: the name is wrong, not the value.
    pub fn is_unknown_argument(&self) -> bool {
        self.0.unknown
    }

    /// Each error that this one tells of: itself, and all others in the same arguments.
    pub fn all(&self) -> impl Iterator<Item = Self> {
        let mut own = self.0.clone();
        let others = std::mem::take(&mut own.others);
        let kind = own.kind;
        let others = others
            .into_iter()
            .map(move |other| Box::new(Inner { kind, ..other }));
        std::iter::once(own).chain(others).map(Self)
    }

    /// The same with another text for each of its messages, such as one without secrets.
    #[must_use]
    pub fn map_messages(mut self, text: impl Fn(&str) -> String) -> Self {
        self.0.message = text(&self.0.message).into();
        for other in &mut self.0.others {
            other.message = text(&other.message).into();
        }
        self
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
        let mut inner = serde_json::from_slice::<Inner>(bytes).unwrap_or_else(|_| {
            Inner::new(
                ErrorKind::Other,
                String::from_utf8_lossy(bytes).into_owned(),
            )
        });
        inner.kind = ErrorKind::from_number(value.code());
        Self(Box::new(inner))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("place", &self.0.place)
            .field("others", &self.0.others.len())
            .finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in std::iter::once(&*self.0).chain(&self.0.others).enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            if let Some(place) = &error.place {
                write!(f, "{place}: ")?;
            }
            f.write_str(&error.message)?;
        }
        Ok(())
    }
}

impl StdError for Error {}

/// A failure to reach a file, a socket or a server.
impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::unavailable(error)
    }
}
