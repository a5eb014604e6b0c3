//! The dogpile backend `acme`.
//!
//! So far it keeps values in the memory of its process. Put your storage in the place of [`Store`]'s map; where each
//! method's promise is written is [`Backend`].

#![forbid(unsafe_code)]

mod arguments;
mod locks;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dogpile_plugin_api::{
    self as api, Backend, BackendStats, Error, ErrorKind, Guarded, HostContext, Key, Lease, Result,
    Value, export_plugin,
};

pub use self::arguments::Arguments;
use self::locks::{KeyLock, Locks};

/// An open backend. Its methods are called from many threads at once.
pub struct Store {
    entries: Mutex<HashMap<Box<str>, Entry>>,
    locks: Arc<Locks>,
    max_entries: usize,
    host: HostContext,
}

struct Entry {
    bytes: Vec<u8>,
    /// From when on nobody may want it, in nanoseconds since 1970; 0: never.
    keep_until: u64,
}

impl Store {
    fn entries(&self) -> MutexGuard<'_, HashMap<Box<str>, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for Store {
    type Arguments = Arguments;

    /// Connect here. What is wrong is best told by `Error::unavailable`, or by `Error::argument` with the argument's name.
    fn open(arguments: Arguments, host: &HostContext) -> Result<Self> {
        Ok(Self {
            entries: Mutex::default(),
            locks: Arc::new(Locks::new(*host)),
            max_entries: arguments.max_entries.get(),
            host: *host,
        })
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        let mut entries = self.entries();
        let Some(entry) = entries.get(key.as_str()) else {
            return Ok(None);
        };
        if (1..=self.host.now()).contains(&entry.keep_until) {
            entries.remove(key.as_str());
            return Ok(None);
        }
        Ok(Some(entry.bytes.clone().into()))
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        // The host gives bytes to a backend whose `storage` does not ask for objects.
        let bytes = value
            .as_bytes()
            .ok_or_else(|| Error::new(ErrorKind::Refused, "only bytes can be stored"))?;
        let entry = Entry {
            bytes: bytes.to_vec(),
            keep_until: value.keep_until(),
        };
        let mut entries = self.entries();
        if entries.len() >= self.max_entries && !entries.contains_key(key.as_str()) {
            // Any of them: a better choice is yours.
            let other = entries.keys().next().cloned();
            other.map(|other| entries.remove(&other));
        }
        entries.insert(key.as_str().into(), entry);
        Ok(())
    }

    fn delete(&self, key: &Key) -> Result<()> {
        self.entries().remove(key.as_str());
        Ok(())
    }

    fn clear(&self) -> Result<()> {
        self.entries().clear();
        Ok(())
    }

    fn stats(&self) -> Result<BackendStats> {
        let mut stats = BackendStats::default();
        stats.entries = u64::try_from(self.entries().len()).ok();
        Ok(stats)
    }

    /// Whether other processes see the same entries. Once they do, leave this out, and note deletions beside the lease that
    /// is held, as [`Backend::delete`] says.
    fn shared(&self) -> bool {
        false
    }

    fn mutex(&self, key: &Key) -> Result<Option<Box<dyn api::Mutex>>> {
        Ok(Some(Box::new(KeyLock::new(&self.locks, key))))
    }

    fn set_guarded(&self, key: &Key, value: &Value, lease: &Lease) -> Result<Guarded> {
        // In one step: nobody takes the lock over between the look and the store.
        let stored = self.locks.while_held(key, lease, || self.set(key, value));
        match stored {
            Some(stored) => stored.map(|()| Guarded::Stored),
            None => Ok(Guarded::LeaseLost),
        }
    }
}

export_plugin! { backends: { "acme" => Store } }
