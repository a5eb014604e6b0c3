use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dogpile_plugin_api::{
    Backend, BackendStats, Error, ErrorKind, Guarded, HostContext, Key, Lease, Metadata, Mutex,
    Result, Value,
};

use crate::arguments::DbmArguments;
use crate::file::{Disk, Live, Opening, Places};
use crate::locks::{CreationLocks, KeyMutex};
use crate::store::{Change, Entry, RedbStore, Removed, Store};

/// The backend `dbm`. Its methods block for the disk and, where they write, for other writers.
pub struct Dbm {
    live: Live,
    locks: Option<Arc<CreationLocks>>,
    host: HostContext,
    evictions: AtomicU64,
    expirations: AtomicU64,
}

impl Backend for Dbm {
    type Arguments = DbmArguments;

    fn open(arguments: DbmArguments, host: &HostContext) -> Result<Self> {
        arguments.check()?;
        let places = Places::new(&arguments.filename);
        let opening = Opening::new(places, &arguments, Arc::new(Disk))?;
        Self::with(&arguments, opening, *host)
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        let mut value = None;
        self.read(&[key.as_bytes()], |_, bytes| {
            value = Some(Value::copied(&Metadata::default(), *key, bytes));
        })?;
        Ok(value)
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        self.write(&Change::Set(&[entry(key, value)?]))
    }

    fn delete(&self, key: &Key) -> Result<()> {
        self.write(&Change::Delete(&[key.as_bytes()]))
    }

    fn get_multi(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        let asked: Vec<&[u8]> = keys.iter().map(|key| key.as_bytes()).collect();
        let mut values = vec![None; keys.len()];
        self.read(&asked, |at, bytes| {
            values[at] = Some(Value::copied(&Metadata::default(), keys[at], bytes));
        })?;
        Ok(values)
    }

    /// There is one file: what it says is fresh.
    fn get_multi_fresh(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        self.get_multi(keys)
    }

    fn set_multi(&self, entries: &[(Key, Value)]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let entries: Result<Vec<_>> = entries
            .iter()
            .map(|(key, value)| entry(key, value))
            .collect();
        self.write(&Change::Set(&entries?))
    }

    fn delete_multi(&self, keys: &[Key]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let keys: Vec<&[u8]> = keys.iter().map(|key| key.as_bytes()).collect();
        self.write(&Change::Delete(&keys))
    }

    fn clear(&self) -> Result<()> {
        self.write(&Change::Clear)
    }

    fn ping(&self) -> Result<()> {
        Ok(self.live.read(RedbStore::totals).map(drop)?)
    }

    fn stats(&self) -> Result<BackendStats> {
        let totals = self.live.read(RedbStore::totals)?;
        let mut stats = BackendStats::default();
        stats.entries = Some(totals.entries);
        stats.bytes = Some(totals.bytes);
        stats.evictions = Some(self.evictions.load(Ordering::Relaxed));
        stats.expirations = Some(self.expirations.load(Ordering::Relaxed));
        Ok(stats)
    }

    fn close(&self) -> Result<()> {
        self.live.close();
        if let Some(locks) = &self.locks {
            locks.close();
        }
        Ok(())
    }

    fn mutex(&self, key: &Key) -> Result<Option<Box<dyn Mutex>>> {
        let mutex = self.key_mutex(key);
        Ok(mutex.map(|mutex| Box::new(mutex) as _))
    }

    fn set_guarded(&self, key: &Key, value: &Value, lease: &Lease) -> Result<Guarded> {
        if let Some(mutex) = self.key_mutex(key)
            && !mutex.is_held(lease)?
        {
            return Ok(Guarded::LeaseLost);
        }
        self.set(key, value).map(|()| Guarded::Stored)
    }

    /// One transaction for all whose lease is held.
    fn set_guarded_multi(&self, entries: &[(Key, Value, Lease)]) -> Result<Vec<Guarded>> {
        let (mut outcomes, mut held) = (Vec::with_capacity(entries.len()), Vec::new());
        for (key, value, lease) in entries {
            let is_held = match self.key_mutex(key) {
                Some(mutex) => mutex.is_held(lease)?,
                None => true,
            };
            outcomes.push(if is_held {
                held.push(entry(key, value)?);
                Guarded::Stored
            } else {
                Guarded::LeaseLost
            });
        }
        if !held.is_empty() {
            self.write(&Change::Set(&held))?;
        }
        Ok(outcomes)
    }
}

impl Dbm {
    pub(crate) fn with(
        arguments: &DbmArguments,
        opening: Opening,
        host: HostContext,
    ) -> Result<Self> {
        let read_write = arguments.rw_lockfile.path(&arguments.filename, "rw.lock");
        let creation = arguments
            .dogpile_lockfile
            .path(&arguments.filename, "dogpile.lock");
        let live = Live::new(opening, read_write)?;
        let locks = creation
            .map(|path| CreationLocks::open(path, arguments.dogpile_lock_scope))
            .transpose()?;
        Ok(Self {
            live,
            locks,
            host,
            evictions: AtomicU64::new(0),
            expirations: AtomicU64::new(0),
        })
    }

    #[cfg(test)]
    pub(crate) fn waiting_threads(&self) -> usize {
        self.locks
            .as_ref()
            .map_or(0, |locks| locks.waiting_threads())
    }

    #[cfg(test)]
    pub(crate) fn waiting_callers(&self) -> usize {
        self.locks
            .as_ref()
            .map_or(0, |locks| locks.waiting_callers())
    }

    /// The files by which it has locks of the kernel's, as a child has them after a fork.
    #[cfg(test)]
    pub(crate) fn granted(&self) -> Vec<std::fs::File> {
        self.locks
            .as_ref()
            .map_or(Vec::new(), |locks| locks.granted())
    }

    /// As if this was another process than the one that opened it.
    #[cfg(test)]
    pub(crate) fn become_a_child(&self) {
        self.live.become_a_child();
        if let Some(locks) = &self.locks {
            locks.become_a_child();
        }
    }

    /// As if that was the state file that it opened.
    #[cfg(test)]
    pub(crate) fn exchange_state(&self, state: std::fs::File) {
        self.live.exchange_state(state);
    }

    fn key_mutex(&self, key: &Key<'_>) -> Option<KeyMutex> {
        let locks = Arc::clone(self.locks.as_ref()?);
        Some(KeyMutex::new(locks, key))
    }

    fn read(&self, keys: &[&[u8]], mut found: impl FnMut(usize, &[u8])) -> Result<()> {
        let now = self.host.now();
        Ok(self.live.read(|store| store.read(keys, now, &mut found))?)
    }

    fn write(&self, change: &Change<'_>) -> Result<()> {
        let now = self.host.now();
        let Removed { evicted, expired } = self.live.write(|store| store.write(change, now))?;
        self.evictions.fetch_add(evicted, Ordering::Relaxed);
        self.expirations.fetch_add(expired, Ordering::Relaxed);
        Ok(())
    }
}

fn entry<'a>(key: &'a Key<'_>, value: &'a Value) -> Result<Entry<'a>> {
    let bytes = value.as_bytes().ok_or_else(|| {
        Error::new(
            ErrorKind::Refused,
            "an object of the program cannot be stored in a file",
        )
    })?;
    Ok(Entry {
        key: key.as_str().as_bytes(),
        bytes,
        keep_until: value.keep_until(),
    })
}
