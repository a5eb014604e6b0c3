//! The trait of a proxy.

use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{
    BackendStats, Guarded, HostContext, Key, Lease, Mutex, Proxied, Result, Storage, Value,
};

/// Stands between a region and its backend, or another proxy, and changes what passes: write `open`, `proxied` and what
/// you change. Every other call goes on to what it wraps.
///
/// Its methods are called where those of a backend are, on the same threads, and may block as they may. By default each
/// does what that of the wrapped one does, errors included.
///
/// Each method stands for itself: whoever changes values in `get` and `set` does so in all methods that carry values,
/// which are `get`, `get_fresh`, `get_multi`, `get_multi_fresh`, `set`, `set_guarded`, `set_guarded_multi` and `set_multi`.
///
/// What it wraps, [`Proxied`], is the host's: an error of kind [`Suspended`](crate::ErrorKind::Suspended) means that no
/// call was made, and is passed on. A proxy that panics is reopened around what it wraps, which stays open; when what it
/// wraps has to be reopened, so is the proxy. It must not keep anything that it cannot lose.
///
/// ```
/// use dogpile_plugin_api::{HostContext, Key, NoArguments, Proxied, Proxy, Result, export_plugin};
///
/// /// Never forgets.
/// struct Keep(Proxied);
///
/// impl Proxy for Keep {
///     type Arguments = NoArguments;
///
///     fn open(_: NoArguments, proxied: Proxied, _: &HostContext) -> Result<Self> {
///         Ok(Self(proxied))
///     }
///
///     fn proxied(&self) -> &Proxied {
///         &self.0
///     }
///
///     fn delete(&self, _: &Key) -> Result<()> {
///         Ok(())
///     }
/// }
///
/// export_plugin! { proxies: { "keep" => Keep } }
/// # fn main() { assert_eq!(plugin().describe().unwrap().proxies[0].name, "keep"); }
/// ```
pub trait Proxy: Send + Sync + Sized + 'static {
    /// What the manifest's `arguments` hold. Unknown keys are refused before `open` is called.
    type Arguments: DeserializeOwned + JsonSchema;

    /// Makes an instance around `proxied`, which is open. Called on a thread of its own, which may block for as long as `[host]
    /// open_timeout`. An error refuses the manifest.
    fn open(arguments: Self::Arguments, proxied: Proxied, host: &HostContext) -> Result<Self>;

    /// What it was opened around: where calls go by default. It does nothing but give that.
    fn proxied(&self) -> &Proxied;

    /// See [`Backend::get`](crate::Backend::get).
    fn get(&self, key: &Key) -> Result<Option<Value>> {
        self.proxied().get(key)
    }

    /// See [`Backend::get_fresh`](crate::Backend::get_fresh).
    fn get_fresh(&self, key: &Key) -> Result<Option<Value>> {
        self.proxied().get_fresh(key)
    }

    /// See [`Backend::get_multi`](crate::Backend::get_multi).
    fn get_multi(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        self.proxied().get_multi(keys)
    }

    /// See [`Backend::get_multi_fresh`](crate::Backend::get_multi_fresh).
    fn get_multi_fresh(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        self.proxied().get_multi_fresh(keys)
    }

    /// See [`Backend::set`](crate::Backend::set).
    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        self.proxied().set(key, value)
    }

    /// See [`Backend::set_guarded`](crate::Backend::set_guarded).
    fn set_guarded(&self, key: &Key, value: &Value, lease: &Lease) -> Result<Guarded> {
        self.proxied().set_guarded(key, value, lease)
    }

    /// See [`Backend::set_guarded_multi`](crate::Backend::set_guarded_multi).
    fn set_guarded_multi(&self, entries: &[(Key, Value, Lease)]) -> Result<Vec<Guarded>> {
        self.proxied().set_guarded_multi(entries)
    }

    /// See [`Backend::set_multi`](crate::Backend::set_multi).
    fn set_multi(&self, entries: &[(Key, Value)]) -> Result<()> {
        self.proxied().set_multi(entries)
    }

    /// See [`Backend::delete`](crate::Backend::delete).
    fn delete(&self, key: &Key) -> Result<()> {
        self.proxied().delete(key)
    }

    /// See [`Backend::delete_multi`](crate::Backend::delete_multi).
    fn delete_multi(&self, keys: &[Key]) -> Result<()> {
        self.proxied().delete_multi(keys)
    }

    /// See [`Backend::clear`](crate::Backend::clear).
    fn clear(&self) -> Result<()> {
        self.proxied().clear()
    }

    /// See [`Backend::ping`](crate::Backend::ping).
    fn ping(&self) -> Result<()> {
        self.proxied().ping()
    }

    /// See [`Backend::stats`](crate::Backend::stats).
    fn stats(&self) -> Result<BackendStats> {
        self.proxied().stats()
    }

    /// See [`Backend::mutex`](crate::Backend::mutex).
    fn mutex(&self, key: &Key) -> Result<Option<Box<dyn Mutex>>> {
        self.proxied().mutex(key)
    }

    /// See [`Backend::storage`](crate::Backend::storage). A proxy that wants bytes makes the region one of bytes,
    /// whatever it wraps.
    fn storage(&self) -> Storage {
        self.proxied().storage()
    }

    /// See [`Backend::blocking`](crate::Backend::blocking).
    fn blocking(&self) -> bool {
        self.proxied().blocking()
    }

    /// See [`Backend::shared`](crate::Backend::shared).
    fn shared(&self) -> bool {
        self.proxied().shared()
    }

    /// See [`Backend::longest_call`](crate::Backend::longest_call): the time of what it wraps, and its own.
    fn longest_call(&self) -> Option<Duration> {
        self.proxied().longest_call()
    }

    /// See [`Backend::key_mangler`](crate::Backend::key_mangler).
    fn key_mangler(&self) -> Option<&str> {
        self.proxied().key_mangler()
    }

    /// Called once, after the last call of any other method and before the drop, on a thread of the host's that may
    /// block. What it wraps is still open, and is closed by the host, or kept. An error is logged. Default: nothing.
    fn close(&self) -> Result<()> {
        Ok(())
    }
}
