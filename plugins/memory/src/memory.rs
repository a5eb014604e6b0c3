use dogpile_plugin_api::{
    Backend, BackendStats, Error, ErrorKind, HostContext, Key, Result, Storage, Value,
};

use crate::arguments::{Kept, MemoryArguments};
use crate::store::Store;

/// The backend `memory`. No method blocks, but for a shard's lock, which is held for a look-up or a change of it.
pub struct Memory {
    store: Store,
    kept: Kept,
}

impl Backend for Memory {
    type Arguments = MemoryArguments;

    fn open(arguments: MemoryArguments, host: &HostContext) -> Result<Self> {
        Ok(Self {
            store: Store::new(&arguments, host),
            kept: arguments.storage,
        })
    }

    #[inline]
    fn get(&self, key: &Key) -> Result<Option<Value>> {
        Ok(self.store.get(key))
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        self.store.set(key, self.own(key, value)?);
        Ok(())
    }

    fn delete(&self, key: &Key) -> Result<()> {
        self.store.delete(key);
        Ok(())
    }

    fn clear(&self) -> Result<()> {
        self.store.clear();
        Ok(())
    }

    fn stats(&self) -> Result<BackendStats> {
        Ok(self.store.stats())
    }

    /// All but `storage` changes in place. Who asks meanwhile waits, for as long as it takes to evict what is too much, and
    /// to look at each entry where `time_to_idle` is new.
    fn reconfigure(&self, arguments: &MemoryArguments) -> Result<bool> {
        if arguments.storage != self.kept {
            return Ok(false);
        }
        self.store.limit_to(arguments);
        Ok(true)
    }

    fn storage(&self) -> Storage {
        self.kept.into()
    }

    fn blocking(&self) -> bool {
        false
    }

    fn shared(&self) -> bool {
        false
    }
}

impl Memory {
    /// The value as it is kept: this very one, or a copy if it was made for another key, since a slot finds its key
    /// in the value.
    fn own(&self, key: &Key<'_>, value: &Value) -> Result<Value> {
        match value.as_bytes() {
            None if self.kept == Kept::Bytes => Err(Error::new(
                ErrorKind::Refused,
                "an object cannot be stored with storage = \"bytes\"; store bytes, or set storage = \"objects\"",
            )),
            _ if value.key_hash() == key.hash() && value.key() == key.as_str() => Ok(value.clone()),
            Some(bytes) => Ok(Value::copied(&value.metadata(), *key, bytes)),
            None => Err(Error::new(
                ErrorKind::Refused,
                format!(
                    "an object made for the key {:?} cannot be stored under {key:?}; make it for that key",
                    value.key()
                ),
            )),
        }
    }
}
