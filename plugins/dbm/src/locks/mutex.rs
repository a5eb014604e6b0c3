use std::sync::Arc;
use std::time::Duration;

use dogpile_plugin_api::{Lease, Mutex, Result};

use super::creation_locks::CreationLocks;
use super::offset::offset_of;

/// The creation mutex of a key. Its leases pass only with the process: the kernel frees what a dead one had.
pub(crate) struct KeyMutex {
    locks: Arc<CreationLocks>,
    offset: u64,
}

impl KeyMutex {
    pub(crate) fn new(locks: Arc<CreationLocks>, key: &str) -> Self {
        let offset = offset_of(key);
        Self { locks, offset }
    }

    /// Whether that lease holds the key: a child of the process that took it does not.
    pub(crate) fn is_held(&self, lease: &Lease) -> Result<bool> {
        self.locks.is_held(self.offset, &lease.token)
    }
}

impl Mutex for KeyMutex {
    fn try_acquire(&self, _: Duration) -> Result<Option<Lease>> {
        let token = self.locks.try_acquire(self.offset)?;
        Ok(token.map(|token| Lease::new(token, 0)))
    }

    fn wait(&self, timeout: Duration) -> Result<()> {
        self.locks.wait(self.offset, timeout)
    }

    fn renew(&self, lease: &mut Lease) -> Result<bool> {
        self.is_held(lease)
    }

    fn release(&self, lease: Lease) -> Result<()> {
        self.locks.release(self.offset, &lease.token)
    }

    fn is_locked(&self) -> Result<bool> {
        self.locks.is_locked(self.offset)
    }
}
