use dogpile_plugin_api::{
    self as api, Backend, BackendStats, Guarded, HostContext, Key, Lease, Result, Value,
};

use crate::map::{Arguments, Map};

/// A right backend that has no more than it must, and a mutex with its guarded store.
pub(crate) struct Least(Map);

impl Backend for Least {
    type Arguments = Arguments;

    fn open(arguments: Arguments, host: &HostContext) -> Result<Self> {
        Map::open(arguments, host).map(Self)
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        self.0.get(key)
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        self.0.set(key, value)
    }

    fn delete(&self, key: &Key) -> Result<()> {
        self.0.delete(key)
    }

    fn stats(&self) -> Result<BackendStats> {
        self.0.stats()
    }

    fn shared(&self) -> bool {
        false
    }

    fn mutex(&self, key: &Key) -> Result<Option<Box<dyn api::Mutex>>> {
        self.0.mutex(key)
    }

    fn set_guarded(&self, key: &Key, value: &Value, lease: &Lease) -> Result<Guarded> {
        self.0.set_guarded(key, value, lease)
    }
}
