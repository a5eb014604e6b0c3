//! What a proxy gets to wrap.

use std::sync::Arc;

use dogpile_plugin_api::{
    AnyBackend, BackendInstance, BackendStats, Guarded, Key, Lease, Mutex, Properties, Result,
    Value,
};

use crate::instance::Instance;

/// An instance in the hands of a proxy, so that it is not called once it is retired. It holds the instance open.
pub(crate) struct Wrapped(Arc<Instance>);

impl Wrapped {
    pub(crate) fn new(instance: Arc<Instance>) -> Self {
        Self(instance)
    }

    fn call<T>(&self, call: impl FnOnce(&BackendInstance) -> Result<T>) -> Result<T> {
        self.0.backend.inside(call)
    }
}

impl AnyBackend for Wrapped {
    fn get(&self, key: &Key<'_>) -> Result<Option<Value>> {
        self.call(|inner| inner.get(key))
    }

    fn get_fresh(&self, key: &Key<'_>) -> Result<Option<Value>> {
        self.call(|inner| inner.get_fresh(key))
    }

    fn get_multi(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Value>>> {
        self.call(|inner| inner.get_multi(keys))
    }

    fn get_multi_fresh(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Value>>> {
        self.call(|inner| inner.get_multi_fresh(keys))
    }

    fn set(&self, key: &Key<'_>, value: &Value) -> Result<()> {
        self.call(|inner| inner.set(key, value))
    }

    fn set_guarded(&self, key: &Key<'_>, value: &Value, lease: &Lease) -> Result<Guarded> {
        self.call(|inner| inner.set_guarded(key, value, lease))
    }

    fn set_guarded_multi(&self, entries: &[(Key<'_>, Value, Lease)]) -> Result<Vec<Guarded>> {
        self.call(|inner| inner.set_guarded_multi(entries))
    }

    fn set_multi(&self, entries: &[(Key<'_>, Value)]) -> Result<()> {
        self.call(|inner| inner.set_multi(entries))
    }

    fn delete(&self, key: &Key<'_>) -> Result<()> {
        self.call(|inner| inner.delete(key))
    }

    fn delete_multi(&self, keys: &[Key<'_>]) -> Result<()> {
        self.call(|inner| inner.delete_multi(keys))
    }

    fn clear(&self) -> Result<()> {
        self.call(BackendInstance::clear)
    }

    fn ping(&self) -> Result<()> {
        self.call(BackendInstance::ping)
    }

    fn stats(&self) -> Result<BackendStats> {
        self.call(BackendInstance::stats)
    }

    /// The host closes it, or keeps it.
    fn close(&self) -> Result<()> {
        Ok(())
    }

    fn mutex(&self, key: &Key<'_>) -> Result<Option<Box<dyn Mutex>>> {
        self.0.backend.mutex_inside(key)
    }

    fn key_mangler(&self) -> Result<Option<String>> {
        Ok(self.0.key_mangler.clone())
    }

    fn properties(&self) -> Properties {
        self.0.properties
    }

    fn reconfigure(&self, _: &str) -> Result<bool> {
        Ok(false)
    }
}
