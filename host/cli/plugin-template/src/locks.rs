//! Who creates: one lease a key. Locks that processes share belong into the storage instead.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dogpile_plugin_api::{self as api, HostContext, Lease, Result};

/// The locks of all keys.
pub(crate) struct Locks {
    table: Mutex<Table>,
    released: Condvar,
    host: HostContext,
}

#[derive(Default)]
struct Table {
    leases: HashMap<Box<str>, Lease>,
    /// How many leases there were, which tells each from every other.
    count: u128,
}

impl Locks {
    pub(crate) fn new(host: HostContext) -> Self {
        Self {
            table: Mutex::default(),
            released: Condvar::new(),
            host,
        }
    }

    /// Does it if `lease` holds the key's lock, which stays with it meanwhile.
    pub(crate) fn while_held<T>(
        &self,
        key: &str,
        lease: &Lease,
        work: impl FnOnce() -> T,
    ) -> Option<T> {
        let table = self.table();
        table.is_held(key, lease).then(work)
    }

    /// The table, without leases that have passed.
    fn table(&self) -> MutexGuard<'_, Table> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.host.now();
        table.leases.retain(|_, lease| lease.expires > now);
        table
    }

    fn end(&self, length: Duration) -> u64 {
        let length = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        self.host.now().saturating_add(length)
    }
}

impl Table {
    fn is_held(&self, key: &str, lease: &Lease) -> bool {
        let held = self.leases.get(key);
        held.is_some_and(|held| held.token == lease.token)
    }
}

/// The lock of one key.
pub(crate) struct KeyLock {
    locks: Arc<Locks>,
    key: Box<str>,
}

impl KeyLock {
    pub(crate) fn new(locks: &Arc<Locks>, key: &str) -> Self {
        Self {
            locks: Arc::clone(locks),
            key: key.into(),
        }
    }
}

impl api::Mutex for KeyLock {
    fn try_acquire(&self, length: Duration) -> Result<Option<Lease>> {
        let mut table = self.locks.table();
        if table.leases.contains_key(&self.key) {
            return Ok(None);
        }
        table.count += 1;
        // The tag is ours: the length, by which the lease is renewed.
        let tag = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        let lease = Lease::new(table.count.to_le_bytes(), self.locks.end(length)).tagged(tag);
        table.leases.insert(self.key.clone(), lease);
        Ok(Some(lease))
    }

    fn wait(&self, timeout: Duration) -> Result<()> {
        let table = self.locks.table();
        let Some(lease) = table.leases.get(&self.key) else {
            return Ok(());
        };
        let left = lease.expires.saturating_sub(self.locks.host.now());
        let limit = timeout.min(Duration::from_nanos(left));
        drop(self.locks.released.wait_timeout(table, limit));
        Ok(())
    }

    fn renew(&self, lease: &mut Lease) -> Result<bool> {
        let mut table = self.locks.table();
        if !table.is_held(&self.key, lease) {
            return Ok(false);
        }
        lease.expires = self.locks.end(Duration::from_nanos(lease.tag));
        table.leases.insert(self.key.clone(), *lease);
        Ok(true)
    }

    fn release(&self, lease: Lease) -> Result<()> {
        let mut table = self.locks.table();
        if table.is_held(&self.key, &lease) {
            table.leases.remove(&self.key);
            self.locks.released.notify_all();
        }
        Ok(())
    }

    fn is_locked(&self) -> Result<bool> {
        Ok(self.locks.table().leases.contains_key(&self.key))
    }
}
