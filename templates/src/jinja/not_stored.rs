use std::fmt;
use std::sync::Arc;

use minijinja::{Environment, Error, Value};

/// Why a text that was to be stored is not; all who wait for it get the same.
#[derive(Clone, Debug)]
pub(super) enum NotStored {
    /// The template's own error, in a value, since it cannot be cloned otherwise.
    Failed(Value),
    /// The text is right, but it cannot be known by its key.
    Unsure(Arc<str>),
}

/// The error that is in a value, with its template and line: whoever renders with such a value ends with it.
pub(super) fn error_in(value: Value) -> Error {
    let ended = Environment::empty().render_str("", value);
    ended.expect_err("it is made from an error")
}

impl From<Error> for NotStored {
    fn from(error: Error) -> Self {
        Self::Failed(Value::from(error))
    }
}

impl fmt::Display for NotStored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Unsure(_) => f.write_str("the text cannot be known by its key"),
        }
    }
}

impl std::error::Error for NotStored {}
