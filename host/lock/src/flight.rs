//! One key being created.

use crate::sync::{Arc, OnceLock};

/// What a creation came to, for everyone who waited for it.
pub(crate) type Ending<V, E> = Result<V, E>;

/// The part of a flight that its waiters hold on to, beyond its removal from the table.
pub(crate) struct Flight<V, E> {
    hash: u64,
    key: Arc<str>,
    ending: OnceLock<Ending<V, E>>,
}

impl<V, E> Flight<V, E> {
    pub(crate) fn new(hash: u64, key: &str) -> Self {
        Self {
            hash,
            key: Arc::from(key),
            ending: OnceLock::new(),
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// Before the flight leaves the table, so that a waiter which finds itself off the list sees it. Only who has the
    /// turn may, and once.
    pub(crate) fn publish(&self, ending: Ending<V, E>) {
        let first = self.ending.set(ending).is_ok();
        debug_assert!(first, "a flight ends once");
    }

    pub(crate) fn ending(&self) -> Option<&Ending<V, E>> {
        self.ending.get()
    }
}
