//! A lease that is renewed while it is held.

use super::RemoteMutex;
use super::keeper::Away;
use parking_lot::{Mutex, MutexGuard};
use std::fmt::{self, Debug, Formatter};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A mutex in hand. It is renewed until it is released; dropped instead, it is released by another thread soon.
pub struct Held<M: RemoteMutex> {
    pub(super) state: Arc<State<M>>,
    pub(super) post: Away<M>,
    /// It was given back by its holder.
    pub(super) returned: bool,
}

pub(super) struct State<M: RemoteMutex> {
    pub(super) mutex: Arc<M>,
    /// None once it is on its way back. Locked while the lease is used, so that no two calls have it at once.
    pub(super) lease: Mutex<Option<M::Lease>>,
    pub(super) length: Duration,
    lost: AtomicBool,
}

/// A lease to be used, not to be given back. From [`Held::lend`].
pub struct Lent<M: RemoteMutex>(Arc<State<M>>);

impl<M: RemoteMutex> Lent<M> {
    /// Uses the lease, which is not renewed meanwhile. `None` if it is known to be lost, or given back already.
    pub fn with<T>(&self, use_lease: impl FnOnce(&M::Lease) -> T) -> Option<T> {
        self.hold().map(|lease| use_lease(&lease))
    }

    /// As [`Lent::with`], for as long as the outcome is kept: for the leases of several keys that are used together.
    pub fn hold(&self) -> Option<impl Deref<Target = M::Lease>> {
        let lease = self.0.lease.lock();
        let held = MutexGuard::try_map(lease, Option::as_mut).ok();
        held.filter(|_| !self.0.is_lost())
    }
}

impl<M: RemoteMutex> Debug for Lent<M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").finish_non_exhaustive()
    }
}

impl<M: RemoteMutex> State<M> {
    pub(super) fn new(mutex: Arc<M>, lease: M::Lease, length: Duration) -> Self {
        Self {
            mutex,
            lease: Mutex::new(Some(lease)),
            length,
            lost: AtomicBool::new(false),
        }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    pub(super) fn lose(&self) {
        self.lost.store(true, Ordering::Release);
    }
}

impl<M: RemoteMutex> Held<M> {
    /// Whether it is known that the lease has passed, and another process may have the mutex.
    pub fn is_lost(&self) -> bool {
        self.state.is_lost()
    }

    /// The lease for use elsewhere, such as on another thread, for as long as this is held.
    pub fn lend(&self) -> Lent<M> {
        Lent(Arc::clone(&self.state))
    }

    /// Gives the mutex back. Blocks as it does; nothing is done if the lease is known to be lost.
    ///
    /// # Errors
    /// The mutex's own; it is free when the lease has passed.
    pub fn release(mut self) -> Result<(), M::Error> {
        self.returned = true;
        let lease = self.state.lease.lock().take();
        match lease {
            Some(lease) if !self.is_lost() => self.state.mutex.release(lease),
            _ => Ok(()),
        }
    }
}

impl<M: RemoteMutex> Drop for Held<M> {
    fn drop(&mut self) {
        // Not under the lease's lock: a store or a renewal may have it for long.
        if !self.returned && !self.is_lost() {
            self.post.0.send_back(Arc::clone(&self.state));
        }
    }
}

impl<M: RemoteMutex> Debug for Held<M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("lost", &self.is_lost())
            .finish_non_exhaustive()
    }
}
