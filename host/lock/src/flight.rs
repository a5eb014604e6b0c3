//! One key being created.

use crate::sync::{Arc, AtomicU64, Mutex, MutexGuard, OnceLock, Ordering};

/// What a creation came to, for everyone who waited for it.
pub(crate) enum Ending<V, E> {
    Made(V),
    Failed(E),
    /// A creator of several keys left this one out; with what it tells of that.
    LeftOut(E),
    /// Its creator is gone, and who waited was busy with something else.
    Abandoned,
}

/// The part of a flight that its waiters hold on to, beyond its removal from the table.
pub(crate) struct Flight<V, E> {
    hash: u64,
    key: Arc<str>,
    /// Deletions of the key since the flight began.
    deletions: AtomicU64,
    /// Held while the value is stored and while a deletion is counted, so that one comes after the other.
    storing: Mutex<()>,
    /// And how many deletions had come before the creation began.
    ending: OnceLock<(Ending<V, E>, u64)>,
}

impl<V, E> Flight<V, E> {
    pub(crate) fn new(hash: u64, key: &str) -> Self {
        Self {
            hash,
            key: Arc::from(key),
            deletions: AtomicU64::new(0),
            storing: Mutex::new(()),
            ending: OnceLock::new(),
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn key(&self) -> &Arc<str> {
        &self.key
    }

    pub(crate) fn deletions(&self) -> u64 {
        self.deletions.load(Ordering::Acquire)
    }

    /// What is being created now is not stored. Waits for a store under way.
    pub(crate) fn delete(&self) {
        let _storing = self.storing.lock();
        self.deletions.fetch_add(1, Ordering::AcqRel);
    }

    /// Keeps deletions away while it is held; `None` if there were more than `deletions`.
    pub(crate) fn hold(&self, deletions: u64) -> Option<MutexGuard<'_, ()>> {
        let storing = self.storing.lock();
        (self.deletions() == deletions).then_some(storing)
    }

    /// Under the lock of the table that it is removed from, so that a waiter which finds itself off the list sees it.
    /// Only who has the turn may, and once.
    pub(crate) fn publish(&self, ending: Ending<V, E>, deletions: u64) {
        let first = self.ending.set((ending, deletions)).is_ok();
        debug_assert!(first, "a flight ends once");
    }

    /// Once it has ended: how, and how many deletions had come before the creation began.
    pub(crate) fn ending(&self) -> Option<&(Ending<V, E>, u64)> {
        self.ending.get()
    }
}
