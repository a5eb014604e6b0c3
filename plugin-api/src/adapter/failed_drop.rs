//! Who is told that something of a plugin failed as it was dropped.

use std::sync::Arc;

use crate::{Error, Result};

/// What hosts do about it; by default it is logged, by whoever does not know whose it was.
#[derive(Clone, Default)]
pub(super) struct FailedDrop(Option<Arc<dyn Fn(Error) + Send + Sync>>);

impl FailedDrop {
    pub(super) fn new(tell: impl Fn(Error) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    /// What came of dropping a plugin's `what`.
    pub(super) fn look(&self, what: &str, dropped: Result<()>) {
        match (dropped, &self.0) {
            (Ok(()), _) => {}
            (Err(error), Some(tell)) => tell(error),
            (Err(error), None) => {
                // The panic hook has told the message, where it is cleared of secrets.
                let code = error.kind().code();
                tracing::error!(target: "dogpile", code, "a plugin's {what} failed as it was dropped");
            }
        }
    }
}
