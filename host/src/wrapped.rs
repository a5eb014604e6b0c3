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

    fn call<T>(
        &self,
        method: &'static str,
        call: impl FnOnce(&BackendInstance) -> Result<T>,
    ) -> Result<T> {
        self.0.backend.inside(method, call)
    }
}

impl AnyBackend for Wrapped {
    fn get(&self, key: &Key<'_>) -> Result<Option<Value>> {
        self.call("get", |inner| inner.get(key))
    }

    fn get_fresh(&self, key: &Key<'_>) -> Result<Option<Value>> {
        self.call("get_fresh", |inner| inner.get_fresh(key))
    }

    fn get_multi(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Value>>> {
        self.call("get_multi", |inner| inner.get_multi(keys))
    }

    fn get_multi_fresh(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Value>>> {
        self.call("get_multi_fresh", |inner| inner.get_multi_fresh(keys))
    }

    fn set(&self, key: &Key<'_>, value: &Value) -> Result<()> {
        self.call("set", |inner| inner.set(key, value))
    }

    fn set_guarded(&self, key: &Key<'_>, value: &Value, lease: &Lease) -> Result<Guarded> {
        self.call("set_guarded", |inner| inner.set_guarded(key, value, lease))
    }

    fn set_guarded_multi(&self, entries: &[(Key<'_>, Value, Lease)]) -> Result<Vec<Guarded>> {
        self.call("set_guarded_multi", |inner| {
            inner.set_guarded_multi(entries)
        })
    }

    fn set_multi(&self, entries: &[(Key<'_>, Value)]) -> Result<()> {
        self.call("set_multi", |inner| inner.set_multi(entries))
    }

    fn delete(&self, key: &Key<'_>) -> Result<()> {
        self.call("delete", |inner| inner.delete(key))
    }

    fn delete_multi(&self, keys: &[Key<'_>]) -> Result<()> {
        self.call("delete_multi", |inner| inner.delete_multi(keys))
    }

    fn clear(&self) -> Result<()> {
        self.call("clear", BackendInstance::clear)
    }

    fn ping(&self) -> Result<()> {
        self.call("ping", BackendInstance::ping)
    }

    fn stats(&self) -> Result<BackendStats> {
        self.call("stats", BackendInstance::stats)
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
