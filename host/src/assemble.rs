//! From configurations to open regions.

use std::sync::Arc;
use std::time::Duration;

use dogpile_lock::WaitGraph;
use dogpile_plugin_api::{ErrorKind as PluginErrorKind, ManglerInstance, Storage};
use serde_json::{Map, Value};

use crate::instance::Instance;
use crate::loader_stub as loader;
use crate::manifest::{KeyManglers, ManglerConfig, RegionConfig};
use crate::plugins::{PluginSet, Unresolved};
use crate::region::Slot;
use crate::registry::{Configured, Snapshot};
use crate::{Error, ErrorKind};

/// Opens what regions need, for one generation.
pub(crate) struct Assembly<'a> {
    pub(crate) plugins: &'a PluginSet,
    /// Instances of regions that keep their backend and arguments are taken from here.
    pub(crate) current: &'a Snapshot,
    pub(crate) graph: &'a WaitGraph,
    pub(crate) open_timeout: Option<Duration>,
}

/// Why a region could not be opened, with the place in its configuration.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) kind: ErrorKind,
    pub(crate) place: Vec<String>,
    pub(crate) message: String,
    pub(crate) remedy: String,
}

impl Refused {
    /// As an error of a region that was configured in code.
    pub(crate) fn into_error(self, region: &str) -> Error {
        let place = self.place.join(".");
        Error::new(
            self.kind,
            format!(
                "region `{region}`: {place}: {}; {}",
                self.message, self.remedy
            ),
        )
    }

    fn unresolved(place: &str, unresolved: Unresolved) -> Self {
        Self {
            kind: ErrorKind::PluginNotFound,
            place: vec![place.to_owned()],
            message: unresolved.message,
            remedy: unresolved.remedy,
        }
    }
}

impl Assembly<'_> {
    /// The region, with its current instance if that is still the one it asks for.
    pub(crate) fn region(
        &self,
        config: &Arc<RegionConfig>,
        slot: &Arc<Slot>,
    ) -> Result<Configured, Refused> {
        let instance = self.instance(config, slot)?;
        if instance.properties.storage == Storage::Bytes
            && slot.objects.load(std::sync::atomic::Ordering::SeqCst)
        {
            return Err(Refused {
                kind: ErrorKind::NotObjects,
                place: vec!["backend".to_owned()],
                message: format!(
                    "the program keeps objects that are not serialisable in this region, and `{}` holds bytes",
                    config.backend
                ),
                remedy: "use a backend that holds objects, such as `memory`".to_owned(),
            });
        }
        let manglers = self.manglers(config, &instance)?;
        Ok(Configured::new(
            Arc::clone(config),
            Arc::clone(slot),
            instance,
            manglers,
        ))
    }

    fn instance(&self, config: &RegionConfig, slot: &Slot) -> Result<Arc<Instance>, Refused> {
        let plugin = self
            .plugins
            .backend(&config.backend)
            .map_err(|error| Refused::unresolved("backend", error))?;
        let name = &config.backend.name;
        if let Some(current) = self.current.region(slot.number)
            && current.instance.serves(plugin, name, &config.arguments)
        {
            return Ok(Arc::clone(&current.instance));
        }
        let json = Value::Object(config.arguments.clone()).to_string();
        let opened =
            loader::open_backend(&plugin.plugin, name, &json, plugin.host, self.open_timeout);
        let backend =
            opened.map_err(|error| refused_by_plugin("arguments", &plugin.name, name, &error))?;
        Ok(Arc::new(Instance::new(
            Arc::clone(plugin),
            name,
            config.arguments.clone(),
            backend,
            self.graph,
        )))
    }

    fn manglers(
        &self,
        config: &RegionConfig,
        instance: &Instance,
    ) -> Result<Arc<[Arc<ManglerInstance>]>, Refused> {
        let named: Vec<ManglerConfig> = match &config.key_mangler {
            KeyManglers::Off => Vec::new(),
            KeyManglers::Named(manglers) => manglers.clone(),
            KeyManglers::Backend => {
                let own = instance.backend.key_mangler();
                let own = own.map_err(|error| {
                    refused_by_plugin("backend", &instance.plugin.name, &instance.name, &error)
                })?;
                let empty = || Value::Object(Map::new());
                own.into_iter()
                    .map(|name| ManglerConfig {
                        name,
                        arguments: empty(),
                    })
                    .collect()
            }
        };
        named.iter().map(|mangler| self.mangler(mangler)).collect()
    }

    fn mangler(&self, config: &ManglerConfig) -> Result<Arc<ManglerInstance>, Refused> {
        let found = self.plugins.mangler(&config.name);
        let (plugin, name) = found.map_err(|error| Refused::unresolved("key_mangler", error))?;
        let opened = plugin
            .plugin
            .open_mangler(name, &config.arguments.to_string(), &plugin.host);
        opened
            .map(Arc::new)
            .map_err(|error| refused_by_plugin("key_mangler", &plugin.name, name, &error))
    }
}

fn refused_by_plugin(
    place: &str,
    plugin: &str,
    name: &str,
    error: &dogpile_plugin_api::Error,
) -> Refused {
    let mut path = vec![place.to_owned()];
    let (message, remedy) = match error.kind() {
        PluginErrorKind::Arguments => {
            path.extend(
                error
                    .place()
                    .iter()
                    .flat_map(|place| place.split('.'))
                    .map(str::to_owned),
            );
            (
                format!("`{name}` refuses its arguments: {error}"),
                format!("`dogpile plugins` lists the arguments of `{plugin}`"),
            )
        }
        _ => (
            format!("`{name}` of plugin `{plugin}` did not open: {error}"),
            "mend what it says".to_owned(),
        ),
    };
    Refused {
        kind: ErrorKind::Plugin,
        place: path,
        message,
        remedy,
    }
}
