//! The host's side of an open backend: safe calls over its table.

use std::time::Duration;

use abi_stable::std_types::{ROption, RSlice};

use super::failed_drop::FailedDrop;
use super::mutex::MutexClient;
use crate::abi::{Raw, RawBackend, RawValue, breach, property};
use crate::{BackendStats, Error, Guarded, Key, Lease, Mutex, Result, Storage, Value};

/// An open backend of a plugin: every method of [`crate::Backend`], as the host and the conformance suite call it.
///
/// A panic in the plugin is an error of kind [`ErrorKind::Panic`](crate::ErrorKind::Panic). Dropping it frees the instance; call
/// [`BackendInstance::close`] before, on a thread that may block.
pub struct BackendInstance {
    raw: RawBackend,
    properties: Properties,
    key_mangler: Option<String>,
    failed_drop: FailedDrop,
}

/// What a backend said of itself when it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Properties {
    /// See [`crate::Backend::storage`].
    pub storage: Storage,
    /// See [`crate::Backend::blocking`].
    pub blocking: bool,
    /// See [`crate::Backend::exclusive`].
    pub exclusive: bool,
    /// See [`crate::Backend::shared`].
    pub shared: bool,
    /// See [`crate::Backend::longest_call`].
    pub longest_call: Option<Duration>,
}

// SAFETY: what stands behind it is a `Backend`, which is `Send` and `Sync`.
unsafe impl Send for BackendInstance {}
// SAFETY: as above.
unsafe impl Sync for BackendInstance {}

impl BackendInstance {
    /// # Safety
    ///
    /// `raw` was given by a plugin and is used nowhere else.
    pub(super) unsafe fn new(raw: RawBackend) -> Result<Self> {
        let mut instance = Self {
            raw,
            properties: Properties {
                storage: Storage::Bytes,
                blocking: true,
                exclusive: false,
                shared: true,
                longest_call: None,
            },
            key_mangler: None,
            failed_drop: FailedDrop::default(),
        };
        match instance.ask() {
            Ok(()) => Ok(instance),
            Err(error) => {
                if let Err(second) = instance.close() {
                    let code = second.kind().code();
                    tracing::warn!(target: "dogpile", code, "a backend that cannot be used failed to close");
                }
                Err(error)
            }
        }
    }

    /// What it says of itself, once.
    fn ask(&mut self) -> Result<()> {
        let (mut bits, mut longest) = (0, 0);
        // SAFETY: the state is the plugin's own and not yet destroyed; so in all methods.
        unsafe {
            (self.raw.table.properties())(self.raw.state, &mut bits).take_nothing("properties")?;
        }
        // SAFETY: as above.
        unsafe {
            (self.raw.table.longest_call())(self.raw.state, &mut longest)
                .take_nothing("longest_call")?;
        }
        self.properties = Properties {
            storage: if bits & property::OBJECTS == 0 {
                Storage::Bytes
            } else {
                Storage::Objects
            },
            blocking: bits & property::BLOCKING != 0,
            exclusive: bits & property::EXCLUSIVE != 0,
            shared: bits & property::SHARED != 0,
            longest_call: (longest != 0).then(|| Duration::from_nanos(longest)),
        };
        // SAFETY: as above.
        let name = unsafe { (self.raw.table.key_mangler())(self.raw.state) };
        // SAFETY: the plugin gave it to this call alone.
        self.key_mangler = unsafe { name.take_text("key_mangler")? };
        Ok(())
    }

    /// Tells of an error, such as a panic, with which it or a mutex of it is dropped. Without it, the log is told.
    pub fn on_failed_drop(&mut self, tell: impl Fn(Error) + Send + Sync + 'static) {
        self.failed_drop = FailedDrop::new(tell);
    }

    /// See [`crate::Backend::key_mangler`]. What it said when it was opened.
    pub fn key_mangler(&self) -> Option<&str> {
        self.key_mangler.as_deref()
    }

    /// What it said of itself when it was opened.
    #[inline]
    pub fn properties(&self) -> Properties {
        self.properties
    }

    /// See [`crate::Backend::get`].
    #[inline]
    pub fn get(&self, key: &Key<'_>) -> Result<Option<Value>> {
        // SAFETY: as in `new`.
        value(unsafe { (self.raw.table.get())(self.raw.state, key).take() })
    }

    /// See [`crate::Backend::get_fresh`].
    pub fn get_fresh(&self, key: &Key<'_>) -> Result<Option<Value>> {
        // SAFETY: as in `new`.
        value(unsafe { (self.raw.table.get_fresh())(self.raw.state, key).take() })
    }

    /// See [`crate::Backend::set`].
    pub fn set(&self, key: &Key<'_>, value: &Value) -> Result<()> {
        // SAFETY: as in `new`; the value is lent for the call.
        unsafe {
            (self.raw.table.set())(self.raw.state, key, &RawValue::lend(value)).take_nothing("set")
        }
    }

    /// See [`crate::Backend::delete`].
    pub fn delete(&self, key: &Key<'_>) -> Result<()> {
        // SAFETY: as in `new`.
        unsafe { (self.raw.table.delete())(self.raw.state, key).take_nothing("delete") }
    }

    /// See [`crate::Backend::get_multi`].
    pub fn get_multi(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Value>>> {
        let mut values: Vec<RawValue> = keys.iter().map(|_| RawValue::NULL).collect();
        let keys = RSlice::from_slice(keys);
        // SAFETY: as in `new`; there is room for as many values as keys.
        let answer = unsafe {
            (self.raw.table.get_multi())(self.raw.state, keys, values.as_mut_ptr())
                .take_nothing("get_multi")
        };
        // SAFETY: each was given by the plugin, or is null.
        let values = unsafe { taken(values) };
        answer.and(values)
    }

    /// See [`crate::Backend::get_multi_fresh`].
    pub fn get_multi_fresh(&self, keys: &[Key<'_>]) -> Result<Vec<Option<Value>>> {
        let mut values: Vec<RawValue> = keys.iter().map(|_| RawValue::NULL).collect();
        let keys = RSlice::from_slice(keys);
        // SAFETY: as in `new`; there is room for as many values as keys.
        let answer = unsafe {
            (self.raw.table.get_multi_fresh())(self.raw.state, keys, values.as_mut_ptr())
                .take_nothing("get_multi_fresh")
        };
        // SAFETY: each was given by the plugin, or is null.
        let values = unsafe { taken(values) };
        answer.and(values)
    }

    /// See [`crate::Backend::set_multi`].
    pub fn set_multi(&self, entries: &[(Key<'_>, Value)]) -> Result<()> {
        let keys: Vec<Key<'_>> = entries.iter().map(|(key, _)| *key).collect();
        let values: Vec<RawValue> = entries
            .iter()
            .map(|(_, value)| RawValue::lend(value))
            .collect();
        let (keys, values) = (RSlice::from_slice(&keys), RSlice::from_slice(&values));
        // SAFETY: as in `new`; the values are lent for the call.
        unsafe {
            (self.raw.table.set_multi())(self.raw.state, keys, values).take_nothing("set_multi")
        }
    }

    /// See [`crate::Backend::delete_multi`].
    pub fn delete_multi(&self, keys: &[Key<'_>]) -> Result<()> {
        // SAFETY: as in `new`.
        unsafe {
            (self.raw.table.delete_multi())(self.raw.state, RSlice::from_slice(keys))
                .take_nothing("delete_multi")
        }
    }

    /// See [`crate::Backend::clear`].
    pub fn clear(&self) -> Result<()> {
        // SAFETY: as in `new`.
        unsafe { (self.raw.table.clear())(self.raw.state).take_nothing("clear") }
    }

    /// See [`crate::Backend::ping`].
    pub fn ping(&self) -> Result<()> {
        // SAFETY: as in `new`.
        unsafe { (self.raw.table.ping())(self.raw.state).take_nothing("ping") }
    }

    /// See [`crate::Backend::stats`].
    pub fn stats(&self) -> Result<BackendStats> {
        // SAFETY: as in `new`.
        let json = unsafe { (self.raw.table.stats())(self.raw.state).take_text("stats")? };
        serde_json::from_str(json.as_deref().unwrap_or("{}"))
            .map_err(|error| breach("stats", &format!("with what is no statistics: {error}")))
    }

    /// See [`crate::Backend::close`]. The caller calls it once, after the last other call.
    pub fn close(&self) -> Result<()> {
        // SAFETY: as in `new`.
        unsafe { (self.raw.table.close())(self.raw.state).take_nothing("close") }
    }

    /// See [`crate::Backend::mutex`].
    pub fn mutex(&self, key: &Key<'_>) -> Result<Option<Box<dyn Mutex>>> {
        let mut given = ROption::RNone;
        // SAFETY: as in `new`.
        let answer = unsafe {
            (self.raw.table.mutex())(self.raw.state, key, &mut given).take_nothing("mutex")
        };
        let mutex: Option<Box<dyn Mutex>> = match given {
            ROption::RSome(raw) => {
                // SAFETY: the plugin gave it to this call alone.
                Some(Box::new(unsafe {
                    MutexClient::new(raw, self.failed_drop.clone())
                }))
            }
            ROption::RNone => None,
        };
        answer.map(|()| mutex)
    }

    /// See [`crate::Backend::set_guarded`].
    pub fn set_guarded(&self, key: &Key<'_>, value: &Value, lease: &Lease) -> Result<Guarded> {
        let mut outcome = Guarded::LeaseLost.number();
        let lent = RawValue::lend(value);
        // SAFETY: as in `new`; the value is lent for the call.
        unsafe {
            (self.raw.table.set_guarded())(self.raw.state, key, &lent, lease, &mut outcome)
                .take_nothing("set_guarded")?;
        }
        Guarded::from_number(outcome)
    }

    /// See [`crate::Backend::set_guarded_multi`].
    pub fn set_guarded_multi(&self, entries: &[(Key<'_>, Value, Lease)]) -> Result<Vec<Guarded>> {
        let keys: Vec<Key<'_>> = entries.iter().map(|(key, ..)| *key).collect();
        let values = entries.iter().map(|(_, value, _)| RawValue::lend(value));
        let values: Vec<RawValue> = values.collect();
        let leases: Vec<Lease> = entries.iter().map(|(.., lease)| *lease).collect();
        let mut outcomes = vec![Guarded::LeaseLost.number(); entries.len()];
        // SAFETY: as in `new`; the values are lent for the call, and there is room for as many outcomes as keys.
        unsafe {
            (self.raw.table.set_guarded_multi())(
                self.raw.state,
                RSlice::from_slice(&keys),
                RSlice::from_slice(&values),
                RSlice::from_slice(&leases),
                outcomes.as_mut_ptr(),
            )
            .take_nothing("set_guarded_multi")?;
        }
        outcomes.into_iter().map(Guarded::from_number).collect()
    }

    /// See [`crate::Backend::reconfigure`]; `arguments` are JSON.
    pub fn reconfigure(&self, arguments: &str) -> Result<bool> {
        let mut done = false;
        // SAFETY: as in `new`.
        unsafe {
            (self.raw.table.reconfigure())(self.raw.state, arguments.into(), &mut done)
                .take_nothing("reconfigure")?;
        }
        Ok(done)
    }
}

impl Drop for BackendInstance {
    fn drop(&mut self) {
        // SAFETY: as in `new`; nothing is called afterwards.
        let dropped = unsafe { (self.raw.table.destroy())(self.raw.state).take_nothing("destroy") };
        self.failed_drop.look("backend", dropped);
    }
}

/// What a plugin filled in. All are taken before the first error is returned.
///
/// # Safety
///
/// As for [`RawValue::take`], of each.
unsafe fn taken(values: Vec<RawValue>) -> Result<Vec<Option<Value>>> {
    // SAFETY: by this function's contract.
    let values = values.into_iter().map(|raw| value(unsafe { raw.take() }));
    let values: Vec<_> = values.collect();
    values.into_iter().collect()
}

#[inline]
fn value(answer: Result<Raw>) -> Result<Option<Value>> {
    match answer {
        Ok(Raw::Value(value)) => Ok(Some(value)),
        Ok(Raw::Null) => Ok(None),
        Err(error) => Err(error),
    }
}
