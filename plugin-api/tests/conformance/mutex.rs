use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, ThreadId};
use std::time::Duration;

use dogpile_plugin_api::{self as api, Guarded, HostContext, Lease, Result};

use crate::bugs::Bug;

/// Who holds which key, in this instance.
pub(crate) struct Held {
    table: Mutex<Table>,
    changed: Condvar,
    bug: Option<Bug>,
    host: HostContext,
}

#[derive(Default)]
struct Table {
    leases: HashMap<String, (Lease, ThreadId)>,
    /// The tokens of leases under which a key was deleted, by the key.
    deleted: HashMap<String, [u8; 16]>,
    last: u64,
}

impl Held {
    pub(crate) fn new(bug: Option<Bug>, host: HostContext) -> Arc<Self> {
        Arc::new(Self {
            table: Mutex::default(),
            changed: Condvar::new(),
            bug,
            host,
        })
    }

    pub(crate) fn forget(&self, key: &str) {
        self.table.lock().unwrap().leases.remove(key);
    }

    /// A key is about to be deleted.
    pub(crate) fn delete(&self, key: &str) {
        let mut table = self.table.lock().unwrap();
        if let Some((lease, _)) = table.leases.get(key) {
            let token = lease.token;
            table.deleted.insert(key.to_owned(), token);
        }
    }

    pub(crate) fn delete_all(&self) {
        let mut table = self.table.lock().unwrap();
        let Table {
            leases, deleted, ..
        } = &mut *table;
        deleted.extend(
            leases
                .iter()
                .map(|(key, (lease, _))| (key.clone(), lease.token)),
        );
    }
}

/// The mutex of a key.
pub(crate) struct KeyMutex {
    held: Arc<Held>,
    key: String,
}

impl KeyMutex {
    pub(crate) fn new(held: &Arc<Held>, key: &str) -> Self {
        Self {
            held: Arc::clone(held),
            key: key.to_owned(),
        }
    }

    fn has(&self, bug: Bug) -> bool {
        self.held.bug == Some(bug)
    }

    /// The table, without what has passed.
    fn table(&self) -> MutexGuard<'_, Table> {
        let mut table = self.held.table.lock().unwrap();
        let now = self.held.host.now();
        if !self.has(Bug::NeverPasses) {
            table.leases.retain(|_, (lease, _)| lease.expires > now);
        }
        table
    }

    /// What is to become of a guarded store.
    pub(crate) fn guards(&self, lease: &Lease) -> Guarded {
        let table = self.table();
        let deleted = table.deleted.get(&self.key);
        let concerned = match self.held.bug {
            Some(Bug::StoresDeleted) => false,
            Some(Bug::RefusesForEver) => deleted.is_some(),
            _ => deleted == Some(&lease.token),
        };
        if !self.is_held_by(&table, lease) {
            Guarded::LeaseLost
        } else if concerned {
            Guarded::Deleted
        } else {
            Guarded::Stored
        }
    }

    fn is_held_by(&self, table: &Table, lease: &Lease) -> bool {
        table
            .leases
            .get(&self.key)
            .is_some_and(|(held, _)| held.token == lease.token)
    }

    fn end(&self, length: Duration) -> u64 {
        self.held.host.now() + u64::try_from(length.as_nanos()).unwrap()
    }
}

impl api::Mutex for KeyMutex {
    fn try_acquire(&self, length: Duration) -> Result<Option<Lease>> {
        let mut table = self.table();
        let holder = table.leases.get(&self.key).map(|(_, holder)| *holder);
        let free = match holder {
            None => true,
            Some(holder) => {
                self.has(Bug::NoExclusion)
                    || (self.has(Bug::Reentrant) && holder == thread::current().id())
            }
        };
        if !free {
            return Ok(None);
        }
        table.last += u64::from(!self.has(Bug::SameToken));
        let length = if self.has(Bug::PassesAtOnce) {
            length / 8
        } else {
            length
        };
        let token = u128::from(table.last).to_le_bytes();
        // The length of the lease, to renew it by.
        let tag = u64::try_from(length.as_nanos()).unwrap();
        let lease = Lease::new(token, self.end(length)).tagged(tag);
        table
            .leases
            .insert(self.key.clone(), (lease, thread::current().id()));
        Ok(Some(lease))
    }

    fn wait(&self, timeout: Duration) -> Result<()> {
        if self.has(Bug::SleepsOn) {
            thread::sleep(timeout);
            return Ok(());
        }
        let table = self.table();
        let Some((lease, _)) = table.leases.get(&self.key) else {
            return Ok(());
        };
        let left = Duration::from_nanos(lease.expires.saturating_sub(self.held.host.now()));
        drop(
            self.held
                .changed
                .wait_timeout(table, timeout.min(left))
                .unwrap(),
        );
        Ok(())
    }

    fn renew(&self, lease: &mut Lease) -> Result<bool> {
        if self.has(Bug::AbortsInRenew) {
            std::process::abort();
        }
        let mut table = self.table();
        if !self.is_held_by(&table, lease) {
            return Ok(self.has(Bug::RenewsLost));
        }
        lease.expires = self.end(Duration::from_nanos(lease.tag));
        if self.has(Bug::ForgetsDeletions) {
            table.deleted.clear();
        }
        if !self.has(Bug::RenewsNothing) {
            table
                .leases
                .insert(self.key.clone(), (*lease, thread::current().id()));
        }
        Ok(true)
    }

    fn release(&self, lease: Lease) -> Result<()> {
        let mut table = self.table();
        let stranger = !self.is_held_by(&table, &lease);
        let other_thread = table
            .leases
            .get(&self.key)
            .is_some_and(|(_, holder)| *holder != thread::current().id());
        let ignored = (stranger && !self.has(Bug::ReleasesStrangers))
            || self.has(Bug::KeepsHeld)
            || (self.has(Bug::BoundToThread) && other_thread);
        if !ignored {
            table.leases.remove(&self.key);
            self.held.changed.notify_all();
        }
        Ok(())
    }

    fn is_locked(&self) -> Result<bool> {
        Ok(!self.has(Bug::SaysFree) && self.table().leases.contains_key(&self.key))
    }
}
