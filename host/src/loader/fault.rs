//! What is wrong with a file, before it is said of which.

use super::LoadErrorKind;

/// A [`super::LoadError`] without its path.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) kind: LoadErrorKind,
    pub(super) message: String,
    pub(super) remedy: String,
}

impl Fault {
    pub(super) fn new(
        kind: LoadErrorKind,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            message: message.into(),
            remedy: remedy.into(),
        }
    }
}
