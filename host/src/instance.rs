//! An open backend, and what belongs to it alone.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dogpile_lock::{Flights, Held, Remote, RemoteMutex, WaitGraph};
use dogpile_plugin_api::{
    BackendInstance, Error as PluginError, Key, Lease, Mutex, Properties, Value,
};
use serde_json::Map;

use crate::Error;
use crate::manifest::without_secrets;
use crate::plugins::PluginEntry;
use crate::spare::Spare;

/// The keys that are being created on one instance.
pub(crate) type Creations = Flights<Value, Failure, Held<KeyMutex>>;

/// Why a creation gave no value to those who wait for it.
#[derive(Clone)]
pub(crate) enum Failure {
    Error(Error),
    /// The region was given another instance meanwhile: begin again there.
    Replaced,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Replaced => f.write_str("the region was given another backend"),
        }
    }
}

/// An open backend. Its creations are kept apart, so that who creates does not hold the backend open.
pub(crate) struct Instance {
    pub(crate) backend: BackendInstance,
    pub(crate) properties: Properties,
    pub(crate) creations: Creations,
    /// The mutexes of keys that other processes respect, where the backend has them.
    pub(crate) remote: Remote<KeyMutex>,
    /// What was created while the backend failed.
    pub(crate) spare: Spare,
    pub(crate) plugin: Arc<PluginEntry>,
    pub(crate) name: String,
    pub(crate) arguments: Map<String, serde_json::Value>,
}

impl Instance {
    pub(crate) fn new(
        plugin: Arc<PluginEntry>,
        name: &str,
        arguments: Map<String, serde_json::Value>,
        backend: BackendInstance,
        graph: &WaitGraph,
    ) -> Self {
        Self {
            properties: backend.properties(),
            backend,
            creations: Flights::new(graph.clone()),
            remote: Remote::new(),
            spare: Spare::default(),
            plugin,
            name: name.to_owned(),
            arguments,
        }
    }

    /// The backend's mutex of a key. It keeps the instance open.
    pub(crate) fn mutex(
        self: &Arc<Self>,
        key: &Key<'_>,
    ) -> dogpile_plugin_api::Result<Option<Arc<KeyMutex>>> {
        let mutex = self.backend.mutex(key)?;
        Ok(mutex.map(|mutex| {
            Arc::new(KeyMutex {
                mutex,
                _instance: Arc::clone(self),
            })
        }))
    }

    /// Whether an instance of that backend with those arguments would be the same.
    pub(crate) fn serves(
        &self,
        plugin: &PluginEntry,
        name: &str,
        arguments: &Map<String, serde_json::Value>,
    ) -> bool {
        self.plugin.same_code(plugin) && self.name == name && self.arguments == *arguments
    }

    /// An error of the backend, as it may be shown.
    pub(crate) fn without_secrets(&self, error: PluginError) -> PluginError {
        error.map_messages(|text| without_secrets(text, &self.arguments))
    }
}

/// The mutex of one key in a backend.
pub(crate) struct KeyMutex {
    mutex: Box<dyn Mutex>,
    /// Open until the mutex was called for the last time.
    _instance: Arc<Instance>,
}

impl RemoteMutex for KeyMutex {
    type Lease = Lease;
    type Error = dogpile_plugin_api::Error;

    fn try_acquire(&self, lease: Duration) -> dogpile_plugin_api::Result<Option<Lease>> {
        self.mutex.try_acquire(lease)
    }

    fn wait(&self, timeout: Duration) -> dogpile_plugin_api::Result<()> {
        self.mutex.wait(timeout)
    }

    fn renew(&self, lease: &mut Lease) -> dogpile_plugin_api::Result<bool> {
        self.mutex.renew(lease)
    }

    fn release(&self, lease: Lease) -> dogpile_plugin_api::Result<()> {
        self.mutex.release(lease)
    }

    fn is_locked(&self) -> dogpile_plugin_api::Result<bool> {
        self.mutex.is_locked()
    }
}

/// The last one to hold an instance closes it: the reaper after a reload, or who drops the host.
impl Drop for Instance {
    fn drop(&mut self) {
        if let Err(error) = self.backend.close() {
            let (backend, plugin) = (&self.name, &self.plugin.name);
            let error = self.without_secrets(error);
            tracing::warn!(target: "dogpile.reload", backend, plugin, %error, "a backend failed to close");
        }
    }
}
