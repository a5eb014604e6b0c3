use std::collections::HashSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// So many are told apart; what is said after that is said at debug level.
const MOST: usize = 1000;

/// What was said already: each thing is a warning once, and then goes to the debug level, since it may be said on every
/// request.
#[derive(Default)]
pub(super) struct Warnings {
    said: Mutex<HashSet<String>>,
}

impl Warnings {
    pub(super) fn say(&self, message: &fmt::Arguments<'_>) {
        let message = message.to_string();
        let is_new = {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            said.len() < MOST && said.insert(message.clone())
        };
        if is_new {
            tracing::warn!(target: "dogpile.templates", "{message}; said once, then at debug level");
        } else {
            tracing::debug!(target: "dogpile.templates", "{message}");
        }
    }
}
