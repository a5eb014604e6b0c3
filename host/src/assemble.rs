//! From configurations to open regions.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dogpile_lock::WaitGraph;
use dogpile_plugin_api::{ErrorKind as PluginErrorKind, ManglerInstance, Storage};
use serde_json::{Map, Value};

use crate::arguments::typed;
use crate::instance::Instance;
use crate::loader::{self, OpenError};
use crate::manifest::{KeyManglers, ManglerConfig, RegionConfig, Unresolved, without_secrets};
use crate::plugins::{PluginEntry, PluginSet};
use crate::registry::{Configured, Origin, Snapshot};
use crate::slot::Slot;
use crate::{Error, ErrorKind};

/// Opens what regions need, for one generation.
pub(crate) struct Assembly<'a> {
    pub(crate) plugins: &'a PluginSet,
    /// Instances of regions that keep their backend and arguments are taken from here.
    pub(crate) current: &'a Snapshot,
    pub(crate) graph: &'a WaitGraph,
    pub(crate) open_timeout: Duration,
    pub(crate) origin: Origin,
    /// Instances of regions that share their keys, at first the current ones.
    pub(crate) shared: RefCell<Vec<Arc<Instance>>>,
}

/// One thing that is wrong with a region, with the place in its configuration.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) kind: ErrorKind,
    pub(crate) place: Vec<String>,
    /// Whether the key is wrong, not its value.
    pub(crate) about_key: bool,
    pub(crate) message: String,
    pub(crate) remedy: String,
}

/// Why a region could not be opened: everything that is wrong with it, without secrets. Never empty.
#[derive(Debug)]
pub(crate) struct Refusals(pub(crate) Vec<Refused>);

impl Refusals {
    /// As an error of a region that was configured in code.
    pub(crate) fn into_error(self, region: &str) -> Error {
        let told: Vec<String> = self
            .0
            .iter()
            .map(|one| format!("{}: {}; {}", one.place.join("."), one.message, one.remedy))
            .collect();
        Error::new(
            self.0[0].kind,
            format!("region `{region}`: {}", told.join("; ")),
        )
    }
}

impl From<Refused> for Refusals {
    fn from(refused: Refused) -> Self {
        Self(vec![refused])
    }
}

impl Refused {
    fn new(kind: ErrorKind, place: &[&str], message: String, remedy: String) -> Self {
        Self {
            kind,
            place: place.iter().map(|&part| part.to_owned()).collect(),
            about_key: false,
            message,
            remedy,
        }
    }

    fn unresolved(place: &[&str], unresolved: Unresolved) -> Self {
        let Unresolved { message, remedy } = unresolved;
        Self::new(ErrorKind::PluginNotFound, place, message, remedy)
    }
}

impl Configured {
    /// The error of a region that is to share its invalidations through a storage which nobody else sees.
    fn refuse_sharing(&self) -> Option<Refused> {
        let refused = self.shares_invalidations() && !self.instance.properties.shared;
        refused.then(|| Refused {
            kind: ErrorKind::Configuration,
            place: vec!["invalidation".to_owned()],
            about_key: false,
            message: format!(
                "invalidations cannot be shared through `{}`, which other processes do not see",
                self.config.backend
            ),
            remedy: "write \"local\", or remove `invalidation`".to_owned(),
        })
    }

    /// The error of a region whose backend cannot hold the objects that the program keeps in it.
    pub(crate) fn refuse_objects(&self) -> Option<Refused> {
        let refused = self.instance.properties.storage == Storage::Bytes
            && self.slot.objects.load(Ordering::SeqCst);
        refused.then(|| Refused {
            kind: ErrorKind::NotObjects,
            place: vec!["backend".to_owned()],
            about_key: false,
            message: format!(
                "the program keeps objects that are not serialisable in this region, and `{}` holds bytes",
                self.config.backend
            ),
            remedy: "use a backend that holds objects, such as `memory`".to_owned(),
        })
    }
}

/// The names in a region that no plugin offers, or several do.
pub(crate) fn unresolved(config: &RegionConfig, plugins: &PluginSet) -> Vec<Refused> {
    let backend = plugins.backend(&config.backend).err();
    let backend = backend.map(|error| Refused::unresolved(&["backend"], error));
    let named: &[ManglerConfig] = match &config.key_mangler {
        KeyManglers::Named(named) => named,
        KeyManglers::Backend | KeyManglers::Off => &[],
    };
    let manglers = named.iter().enumerate().filter_map(|(index, mangler)| {
        let error = plugins.mangler(&mangler.name).err()?;
        Some(Refused::unresolved(
            &["key_mangler", &index.to_string()],
            error,
        ))
    });
    backend.into_iter().chain(manglers).collect()
}

impl Assembly<'_> {
    /// The region, with its current instance if that is still the one it asks for.
    pub(crate) fn region(
        &self,
        config: &Arc<RegionConfig>,
        slot: &Arc<Slot>,
    ) -> Result<Configured, Refusals> {
        let instance = self.instance(config, slot);
        let manglers = match &config.key_mangler {
            KeyManglers::Off => Ok(Vec::new()),
            KeyManglers::Named(named) => self.manglers(config, named),
            KeyManglers::Backend => match &instance {
                Ok(instance) => self.own_manglers(config, instance),
                Err(_) => Ok(Vec::new()),
            },
        };
        let (instance, manglers) = match (instance, manglers) {
            (Ok(instance), Ok(manglers)) => (instance, manglers),
            (instance, manglers) => {
                let both = [instance.err(), manglers.err()].into_iter().flatten();
                return Err(Refusals(both.flat_map(|refusals| refusals.0).collect()));
            }
        };
        let region = Configured::new(
            Arc::clone(config),
            Arc::clone(slot),
            instance,
            manglers.into(),
            self.origin,
        );
        match region.refuse_objects().or_else(|| region.refuse_sharing()) {
            Some(refused) => Err(refused.into()),
            None => Ok(region),
        }
    }

    /// The region's current instance if it is still the one asked for, or a new one. Regions that share their keys
    /// share one instance, so that they share their locks.
    fn instance(&self, config: &RegionConfig, slot: &Slot) -> Result<Arc<Instance>, Refusals> {
        let found = self.plugins.backend(&config.backend);
        let plugin = found.map_err(|error| Refused::unresolved(&["backend"], error))?;
        let name = &config.backend.name;
        let info = plugin.info.backends.iter().find(|info| info.name == *name);
        let schema = info.map(|info| &info.arguments);
        let arguments = &typed(&config.arguments, schema, |path| {
            config.is_interpolated("arguments", path)
        });
        let mut shared = self.shared.borrow_mut();
        if config.shares_keys
            && let Some(instance) = shared
                .iter()
                .find(|shared| shared.serves(plugin, name, arguments))
        {
            return Ok(Arc::clone(instance));
        }
        let is_kept = |current: &&Configured| {
            current.config.shares_keys == config.shares_keys
                && current.instance.serves(plugin, name, arguments)
        };
        // A region that joins others takes the instance that they have, rather than give them a new one.
        let others = config.shares_keys.then(|| self.current.regions());
        let own = self.current.region(slot.number);
        let mut candidates = own.into_iter().chain(others.into_iter().flatten());
        let instance = match candidates.find(is_kept) {
            Some(current) => Arc::clone(&current.instance),
            None => Arc::new(self.open(plugin, name, arguments)?),
        };
        if config.shares_keys {
            shared.push(Arc::clone(&instance));
        }
        Ok(instance)
    }

    fn open(
        &self,
        plugin: &Arc<PluginEntry>,
        name: &str,
        arguments: &Map<String, Value>,
    ) -> Result<Instance, Refusals> {
        let json = Value::Object(arguments.clone()).to_string();
        let opened =
            loader::open_backend(&plugin.plugin, name, &json, plugin.host, self.open_timeout);
        let opening = Opening {
            named: &["backend"],
            given: &["arguments"],
            plugin,
            name,
            arguments,
        };
        let backend = opened.map_err(|error| opening.refused(error))?;
        Ok(Instance::new(
            Arc::clone(plugin),
            name,
            arguments.clone(),
            backend,
            self.graph,
        ))
    }

    /// Those that the backend asks for.
    fn own_manglers(
        &self,
        config: &RegionConfig,
        instance: &Instance,
    ) -> Result<Vec<Arc<ManglerInstance>>, Refusals> {
        let own = instance.backend.key_mangler();
        let own = own.map_err(|error| {
            let opening = Opening {
                named: &["backend"],
                given: &["arguments"],
                plugin: &instance.plugin,
                name: &instance.name,
                arguments: &instance.arguments,
            };
            opening.refused_by_plugin(error)
        })?;
        let named: Vec<ManglerConfig> = own
            .into_iter()
            .map(|name| ManglerConfig {
                name,
                arguments: Value::Object(Map::new()),
            })
            .collect();
        self.manglers(config, &named)
    }

    fn manglers(
        &self,
        config: &RegionConfig,
        named: &[ManglerConfig],
    ) -> Result<Vec<Arc<ManglerInstance>>, Refusals> {
        let (mut opened, mut refusals) = (Vec::new(), Vec::new());
        for (index, mangler) in named.iter().enumerate() {
            match self.mangler(config, index, mangler) {
                Ok(mangler) => opened.push(mangler),
                Err(refused) => refusals.extend(refused.0),
            }
        }
        if refusals.is_empty() {
            Ok(opened)
        } else {
            Err(Refusals(refusals))
        }
    }

    fn mangler(
        &self,
        region: &RegionConfig,
        index: usize,
        config: &ManglerConfig,
    ) -> Result<Arc<ManglerInstance>, Refusals> {
        let index = &index.to_string();
        let found = self.plugins.mangler(&config.name);
        let (plugin, name) =
            found.map_err(|error| Refused::unresolved(&["key_mangler", index], error))?;
        let info = plugin.info.manglers.iter().find(|info| info.name == name);
        let schema = info.map(|info| &info.arguments);
        let empty = Map::new();
        let given = config.arguments.as_object().unwrap_or(&empty);
        let arguments = &typed(given, schema, |path| {
            let path = [&[index.clone(), "arguments".to_owned()], path].concat();
            region.is_interpolated("key_mangler", &path)
        });
        let json = Value::Object(arguments.clone()).to_string();
        let opened =
            loader::open_mangler(&plugin.plugin, name, &json, plugin.host, self.open_timeout);
        let opening = Opening {
            named: &["key_mangler", index],
            given: &["key_mangler", index, "arguments"],
            plugin,
            name,
            arguments,
        };
        opened.map(Arc::new).map_err(|error| opening.refused(error))
    }
}

/// What was to be opened, to say why it was not.
struct Opening<'a> {
    /// Where it is named, and where its arguments are.
    named: &'a [&'a str],
    given: &'a [&'a str],
    plugin: &'a PluginEntry,
    name: &'a str,
    arguments: &'a Map<String, Value>,
}

impl Opening<'_> {
    fn refused(&self, error: OpenError) -> Refusals {
        match error {
            OpenError::Failed(error) => self.refused_by_plugin(error),
            other => {
                let message = format!("{} did not open", self.whose());
                Refused::new(ErrorKind::Plugin, self.given, message, other.to_string()).into()
            }
        }
    }

    fn refused_by_plugin(&self, error: dogpile_plugin_api::Error) -> Refusals {
        let error = error.map_messages(|text| without_secrets(text, self.arguments));
        let refused = |place, message, remedy: &str| {
            Refused::new(ErrorKind::Plugin, place, message, remedy.to_owned())
        };
        match error.kind() {
            PluginErrorKind::Arguments => {
                let each = error.all().map(|error| self.refused_argument(&error));
                Refusals(each.collect())
            }
            PluginErrorKind::Panic => refused(
                self.named,
                format!("{} did not open: it {}", self.whose(), error.message()),
                "the fault is the plugin's: replace its file, or use another",
            )
            .into(),
            _ => refused(
                self.given,
                format!("{} did not open: {error}", self.whose()),
                "mend what it says, or use another backend",
            )
            .into(),
        }
    }

    fn refused_argument(&self, error: &dogpile_plugin_api::Error) -> Refused {
        let message = format!("`{}` refuses its arguments: {}", self.name, error.message());
        let remedy = format!(
            "`dogpile plugins` lists the arguments of `{}`",
            self.plugin.name
        );
        let mut refused = Refused::new(ErrorKind::Plugin, self.given, message, remedy);
        refused.place.extend(
            error
                .place()
                .iter()
                // Elements of arrays are `a[0]`; what is optional may have a step of its own, `?`.
                .flat_map(|place| place.split(['.', '[', ']']))
                .filter(|part| !part.is_empty() && *part != "?")
                .map(str::to_owned),
        );
        refused.about_key = error.is_unknown_argument();
        refused
    }

    fn whose(&self) -> String {
        let file = self.plugin.file.as_ref();
        let file = file.map(|file| format!(" ({})", file.path.display()));
        format!(
            "`{}` of plugin `{}`{}",
            self.name,
            self.plugin.name,
            file.unwrap_or_default()
        )
    }
}
