//! Backends and proxies as one: what both sides of the boundary do with either.

use std::time::Duration;

use crate::{
    Backend, BackendInstance, BackendStats, Guarded, Key, Lease, Mutex, Properties, Proxy, Result,
    Storage, Value, arguments,
};

/// Every call of an open backend, without types of its own. Hosts implement it for what they hand to proxies; plugins
/// implement [`Backend`] or [`Proxy`].
pub trait AnyBackend: Send + Sync + 'static {
    /// See [`Backend::get`].
    fn get(&self, key: &Key<'_>) -> Result<Option<Value>>;

    /// See [`Backend::get_fresh`].
    fn get_fresh(&self, key: &Key<'_>) -> Result<Option<Value>>;

    /// See [`Backend::get_multi`].
    fn get_multi(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Value>>>;

    /// See [`Backend::get_multi_fresh`].
    fn get_multi_fresh(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Value>>>;

    /// See [`Backend::set`].
    fn set(&self, key: &Key<'_>, value: &Value) -> Result<()>;

    /// See [`Backend::set_guarded`].
    fn set_guarded(&self, key: &Key<'_>, value: &Value, lease: &Lease) -> Result<Guarded>;

    /// See [`Backend::set_guarded_multi`].
    fn set_guarded_multi(&self, entries: &[(Key<'_>, Value, Lease)]) -> Result<Vec<Guarded>>;

    /// See [`Backend::set_multi`].
    fn set_multi(&self, entries: &[(Key<'_>, Value)]) -> Result<()>;

    /// See [`Backend::delete`].
    fn delete(&self, key: &Key<'_>) -> Result<()>;

    /// See [`Backend::delete_multi`].
    fn delete_multi(&self, keys: &[Key<'_>]) -> Result<()>;

    /// See [`Backend::clear`].
    fn clear(&self) -> Result<()>;

    /// See [`Backend::ping`].
    fn ping(&self) -> Result<()>;

    /// See [`Backend::stats`].
    fn stats(&self) -> Result<BackendStats>;

    /// See [`Backend::close`].
    fn close(&self) -> Result<()>;

    /// See [`Backend::mutex`].
    fn mutex(&self, key: &Key<'_>) -> Result<Option<Box<dyn Mutex>>>;

    /// See [`Backend::key_mangler`].
    fn key_mangler(&self) -> Result<Option<String>>;

    /// What it says of itself.
    fn properties(&self) -> Properties;

    /// See [`Backend::reconfigure`]; `arguments` are JSON.
    fn reconfigure(&self, arguments: &str) -> Result<bool>;
}

/// The methods that both traits and an open instance name alike.
macro_rules! delegate {
    ($self:ident => $target:expr) => {
        #[inline]
        fn get(&$self, key: &Key<'_>) -> Result<Option<Value>> {
            $target.get(key)
        }

        fn get_fresh(&$self, key: &Key<'_>) -> Result<Option<Value>> {
            $target.get_fresh(key)
        }

        fn get_multi(&$self, keys: &[Key<'_>]) -> Result<Vec<Option<Value>>> {
            $target.get_multi(keys)
        }

        fn get_multi_fresh(&$self, keys: &[Key<'_>]) -> Result<Vec<Option<Value>>> {
            $target.get_multi_fresh(keys)
        }

        fn set(&$self, key: &Key<'_>, value: &Value) -> Result<()> {
            $target.set(key, value)
        }

        fn set_guarded(&$self, key: &Key<'_>, value: &Value, lease: &Lease) -> Result<Guarded> {
            $target.set_guarded(key, value, lease)
        }

        fn set_guarded_multi(&$self, entries: &[(Key<'_>, Value, Lease)]) -> Result<Vec<Guarded>> {
            $target.set_guarded_multi(entries)
        }

        fn set_multi(&$self, entries: &[(Key<'_>, Value)]) -> Result<()> {
            $target.set_multi(entries)
        }

        fn delete(&$self, key: &Key<'_>) -> Result<()> {
            $target.delete(key)
        }

        fn delete_multi(&$self, keys: &[Key<'_>]) -> Result<()> {
            $target.delete_multi(keys)
        }

        fn clear(&$self) -> Result<()> {
            $target.clear()
        }

        fn ping(&$self) -> Result<()> {
            $target.ping()
        }

        fn stats(&$self) -> Result<BackendStats> {
            $target.stats()
        }

        fn close(&$self) -> Result<()> {
            $target.close()
        }
    };
}

/// Its own methods, as those of any other.
impl AnyBackend for BackendInstance {
    delegate!(self => self);

    fn mutex(&self, key: &Key<'_>) -> Result<Option<Box<dyn Mutex>>> {
        self.mutex(key)
    }

    fn key_mangler(&self) -> Result<Option<String>> {
        Ok(self.key_mangler().map(str::to_owned))
    }

    fn properties(&self) -> Properties {
        self.properties()
    }

    fn reconfigure(&self, json: &str) -> Result<bool> {
        self.reconfigure(json)
    }
}

/// A plugin's backend.
pub(super) struct OfBackend<B>(pub(super) B);

impl<B: Backend> AnyBackend for OfBackend<B> {
    delegate!(self => self.0);

    fn mutex(&self, key: &Key<'_>) -> Result<Option<Box<dyn Mutex>>> {
        self.0.mutex(key)
    }

    fn key_mangler(&self) -> Result<Option<String>> {
        Ok(self.0.key_mangler().map(str::to_owned))
    }

    fn properties(&self) -> Properties {
        Properties {
            storage: self.0.storage(),
            blocking: self.0.blocking(),
            exclusive: self.0.exclusive(),
            shared: self.0.shared(),
            longest_call: self.0.longest_call(),
        }
    }

    fn reconfigure(&self, json: &str) -> Result<bool> {
        self.0.reconfigure(&arguments::parse(json)?)
    }
}

/// A plugin's proxy.
pub(super) struct OfProxy<P>(pub(super) P);

impl<P: Proxy> AnyBackend for OfProxy<P> {
    delegate!(self => self.0);

    fn mutex(&self, key: &Key<'_>) -> Result<Option<Box<dyn Mutex>>> {
        self.0.mutex(key)
    }

    fn key_mangler(&self) -> Result<Option<String>> {
        Ok(self.0.key_mangler().map(str::to_owned))
    }

    /// Any number of proxies may be open around one backend.
    fn properties(&self) -> Properties {
        Properties {
            storage: self.0.storage(),
            blocking: self.0.blocking(),
            exclusive: false,
            shared: self.0.shared(),
            longest_call: self.0.longest_call(),
        }
    }

    fn reconfigure(&self, _: &str) -> Result<bool> {
        Ok(false)
    }
}

/// What a proxy wraps: the host's, whatever stands behind it. From [`Proxy::open`].
pub struct Proxied {
    instance: BackendInstance,
    key_mangler: Option<String>,
}

impl Proxied {
    pub(super) fn new(instance: BackendInstance) -> Self {
        Self {
            key_mangler: instance.key_mangler().map(str::to_owned),
            instance,
        }
    }

    /// See [`Backend::get`].
    pub fn get(&self, key: &Key) -> Result<Option<Value>> {
        self.instance.get(key)
    }

    /// See [`Backend::get_fresh`].
    pub fn get_fresh(&self, key: &Key) -> Result<Option<Value>> {
        self.instance.get_fresh(key)
    }

    /// See [`Backend::get_multi`].
    pub fn get_multi(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        self.instance.get_multi(keys)
    }

    /// See [`Backend::get_multi_fresh`].
    pub fn get_multi_fresh(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        self.instance.get_multi_fresh(keys)
    }

    /// See [`Backend::set`].
    pub fn set(&self, key: &Key, value: &Value) -> Result<()> {
        self.instance.set(key, value)
    }

    /// See [`Backend::set_guarded`].
    pub fn set_guarded(&self, key: &Key, value: &Value, lease: &Lease) -> Result<Guarded> {
        self.instance.set_guarded(key, value, lease)
    }

    /// See [`Backend::set_guarded_multi`].
    pub fn set_guarded_multi(&self, entries: &[(Key, Value, Lease)]) -> Result<Vec<Guarded>> {
        self.instance.set_guarded_multi(entries)
    }

    /// See [`Backend::set_multi`].
    pub fn set_multi(&self, entries: &[(Key, Value)]) -> Result<()> {
        self.instance.set_multi(entries)
    }

    /// See [`Backend::delete`].
    pub fn delete(&self, key: &Key) -> Result<()> {
        self.instance.delete(key)
    }

    /// See [`Backend::delete_multi`].
    pub fn delete_multi(&self, keys: &[Key]) -> Result<()> {
        self.instance.delete_multi(keys)
    }

    /// See [`Backend::clear`].
    pub fn clear(&self) -> Result<()> {
        self.instance.clear()
    }

    /// See [`Backend::ping`].
    pub fn ping(&self) -> Result<()> {
        self.instance.ping()
    }

    /// See [`Backend::stats`].
    pub fn stats(&self) -> Result<BackendStats> {
        self.instance.stats()
    }

    /// See [`Backend::mutex`].
    pub fn mutex(&self, key: &Key) -> Result<Option<Box<dyn Mutex>>> {
        self.instance.mutex(key)
    }

    /// See [`Backend::storage`].
    pub fn storage(&self) -> Storage {
        self.instance.properties().storage
    }

    /// See [`Backend::blocking`].
    pub fn blocking(&self) -> bool {
        self.instance.properties().blocking
    }

    /// See [`Backend::shared`].
    pub fn shared(&self) -> bool {
        self.instance.properties().shared
    }

    /// See [`Backend::longest_call`].
    pub fn longest_call(&self) -> Option<Duration> {
        self.instance.properties().longest_call
    }

    /// See [`Backend::key_mangler`].
    pub fn key_mangler(&self) -> Option<&str> {
        self.key_mangler.as_deref()
    }
}

/// An open backend in the hands of a proxy and without a host, as in tests: it is closed when the proxy drops it.
pub(crate) struct Unhosted(pub(crate) BackendInstance);

impl AnyBackend for Unhosted {
    delegate!(self => self.0);

    fn mutex(&self, key: &Key<'_>) -> Result<Option<Box<dyn Mutex>>> {
        self.0.mutex(key)
    }

    fn key_mangler(&self) -> Result<Option<String>> {
        Ok(self.0.key_mangler().map(str::to_owned))
    }

    fn properties(&self) -> Properties {
        self.0.properties()
    }

    fn reconfigure(&self, json: &str) -> Result<bool> {
        self.0.reconfigure(json)
    }
}

impl Drop for Unhosted {
    fn drop(&mut self) {
        if let Err(error) = self.0.close() {
            tracing::error!(target: "dogpile", %error, "a backend failed to close");
        }
    }
}
