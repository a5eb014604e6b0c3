//! What goes wrong with raw payloads.

use std::fmt::{self, Display};

#[derive(Debug)]
pub(in super::super) struct RawError(String);

impl RawError {
    /// `what` is neither a string nor bytes.
    #[cold]
    pub(super) fn refused(what: &str) -> Self {
        Self(format!(
            "it has {what}, and raw payloads are strings and bytes; give the region serializer = \"json\" or \
             \"messagepack\""
        ))
    }
}

impl Display for RawError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RawError {}

impl serde::ser::Error for RawError {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl serde::de::Error for RawError {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}
