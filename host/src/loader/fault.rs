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
            message: in_one_line(message.into()),
            remedy: in_one_line(remedy.into()),
        }
    }
}

/// What a file says of itself may hold anything, and goes to terminals and logs.
fn in_one_line(text: String) -> String {
    if text.contains(char::is_control) {
        text.replace(char::is_control, "?")
    } else {
        text
    }
}
