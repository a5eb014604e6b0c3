//! An open backend, and what belongs to it alone.

use std::fmt;
use std::sync::Arc;

use dogpile_lock::{Flights, WaitGraph};
use dogpile_plugin_api::{BackendInstance, Properties, Value};
use serde_json::Map;

use crate::Error;
use crate::plugins::PluginEntry;

/// The keys that are being created on one instance.
pub(crate) type Creations = Flights<Value, Failure>;

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
    pub(crate) creations: Arc<Creations>,
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
            creations: Arc::new(Flights::new(graph.clone())),
            plugin,
            name: name.to_owned(),
            arguments,
        }
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
}

/// The last one to hold an instance closes it: the reaper after a reload, or who drops the host.
impl Drop for Instance {
    fn drop(&mut self) {
        if let Err(error) = self.backend.close() {
            let (backend, plugin) = (&self.name, &self.plugin.name);
            tracing::warn!(target: "dogpile.reload", backend, plugin, %error, "a backend failed to close");
        }
    }
}
