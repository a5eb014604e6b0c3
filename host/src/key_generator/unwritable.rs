//! Why an argument cannot be part of a key.

use std::error::Error;
use std::fmt;

/// What `Serialize` gave that has no text, or its own error.
#[derive(Debug)]
pub struct Unwritable(String);

impl Unwritable {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Unwritable {}

impl serde::ser::Error for Unwritable {
    fn custom<T: fmt::Display>(why: T) -> Self {
        Self(why.to_string())
    }
}
