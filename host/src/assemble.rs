//! From configurations to open regions.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dogpile_plugin_api::{ErrorKind as PluginErrorKind, Storage};
use serde_json::{Map, Value};

use crate::engine::Engine;
use crate::instance::{Instance, Recipe};
use crate::loader::{self, OpenError};
use crate::mangler::Mangler;
use crate::manifest::{KeyManglers, ManglerConfig, RegionConfig};
use crate::plugins::{PluginSet, Unresolved};
use crate::registry::{Configured, Origin, Snapshot};
use crate::slot::Slot;
use crate::{Error, ErrorKind};

/// Opens what regions need, for one generation.
pub(crate) struct Assembly<'a> {
    pub(crate) plugins: &'a PluginSet,
    /// Instances of regions that keep their backend and arguments are taken from here.
    pub(crate) current: &'a Snapshot,
    pub(crate) engine: &'a Engine,
    pub(crate) open_timeout: Duration,
    pub(crate) origin: Origin,
    /// Whether the regions replace others, so that by default they must answer first.
    pub(crate) is_reload: bool,
    /// Instances of regions that share their keys, at first the current ones.
    pub(crate) shared: RefCell<Vec<Arc<Instance>>>,
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
            place: path(place),
            message: unresolved.message,
            remedy: unresolved.remedy,
        }
    }
}

impl Snapshot {
    /// The errors of regions that would use the same keys unnoticed, with both regions of each.
    pub(crate) fn refuse_same_keys(&self) -> impl Iterator<Item = ([&Configured; 2], Refused)> {
        let pairs = self.on_the_same_keys().into_iter();
        pairs.map(|(one, other)| {
            let shown = |region: &Configured| {
                let place = match region.origin {
                    Origin::Code => " (configured in code)",
                    Origin::Manifest => "",
                };
                format!("`{}`{place}", region.config.name)
            };
            let refused = Refused {
                kind: ErrorKind::Configuration,
                place: vec!["key_prefix".to_owned()],
                message: format!(
                    "regions {} and {} would use the same keys of the same storage",
                    shown(one),
                    shown(other)
                ),
                remedy: "give one of them a `key_prefix`, or say `shares_keys` in both".to_owned(),
            };
            ([one, other], refused)
        })
    }
}

impl Configured {
    /// The error of a region that is to share its invalidations through a storage which nobody else sees.
    fn refuse_sharing(&self) -> Option<Refused> {
        let refused = self.shares_invalidations() && !self.instance.properties.shared;
        refused.then(|| Refused {
            kind: ErrorKind::Configuration,
            place: vec!["invalidation".to_owned()],
            message: format!(
                "invalidations cannot be shared through `{}`, which other processes do not see",
                self.config.backend
            ),
            remedy: "write \"local\", or remove `invalidation`".to_owned(),
        })
    }

    /// The error of a region whose backend cannot hold the objects that the program keeps in it; `old` is the region
    /// as it was.
    pub(crate) fn refuse_objects(&self, old: Option<&Self>) -> Option<Refused> {
        let refused = self.instance.properties.storage == Storage::Bytes
            && self.slot.objects.load(Ordering::SeqCst);
        if !refused {
            return None;
        }
        let (own, backend) = (&self.instance, &self.config.backend);
        let same_backend = old.filter(|old| {
            let old = &old.instance;
            own.plugin.same_code(&old.plugin) && own.name == old.name
        });
        let differing = same_backend.map(|old| old.config.differing_arguments(&self.config));
        let names: Vec<&str> = differing.into_iter().flatten().collect();
        let (place, why, remedy) = match names[..] {
            [] => (
                vec!["backend"],
                format!("`{backend}` holds bytes"),
                "use a backend that holds objects, such as `memory`".to_owned(),
            ),
            [name] => (
                vec!["arguments", name],
                format!("with this `{backend}` holds bytes"),
                format!("leave `{name}` as it was"),
            ),
            _ => (
                vec!["arguments"],
                format!("with these `{backend}` holds bytes"),
                format!("leave one of these as it was: `{}`", names.join("`, `")),
            ),
        };
        Some(Refused {
            kind: ErrorKind::NotObjects,
            place: place.into_iter().map(str::to_owned).collect(),
            message: format!(
                "the program keeps objects that are not serialisable in this region, and {why}"
            ),
            remedy,
        })
    }
}

impl Assembly<'_> {
    /// The region, with its current instance if that is still the one it asks for.
    pub(crate) fn region(
        &self,
        config: &Arc<RegionConfig>,
        slot: &Arc<Slot>,
    ) -> Result<Configured, Refused> {
        let base = self.base(config, slot)?;
        let instance = self.wrapped(config, &base)?;
        self.healthy(config, &instance)?;
        let manglers = self.manglers(config, &instance)?;
        let region = Configured::new(
            Arc::clone(config),
            Arc::clone(slot),
            instance,
            manglers,
            self.origin,
        );
        let objects = region.refuse_objects(self.current.region(slot.number));
        match objects.or_else(|| region.refuse_sharing()) {
            Some(refused) => Err(refused),
            None => Ok(region),
        }
    }

    /// The region's current backend if it is still the one asked for, or a new one. Regions that share their keys
    /// share one, so that they share their locks.
    fn base(&self, config: &RegionConfig, slot: &Slot) -> Result<Arc<Instance>, Refused> {
        let found = self.plugins.backend(&config.backend);
        let recipe = Recipe {
            plugin: found.map_err(|error| Refused::unresolved("backend", error))?,
            name: &config.backend.name,
            arguments: &config.arguments,
        };
        let mut shared = self.shared.borrow_mut();
        if config.shares_keys
            && let Some(instance) = shared.iter().find(|shared| shared.serves(&recipe))
        {
            return Ok(Arc::clone(instance));
        }
        let is_kept = |current: &&Configured| {
            current.config.shares_keys == config.shares_keys
                && current.instance.base().serves(&recipe)
        };
        // A region that joins others takes the instance that they have, rather than give them a new one.
        let others = config.shares_keys.then(|| self.current.regions());
        let own = self.current.region(slot.number);
        let mut candidates = own.into_iter().chain(others.into_iter().flatten());
        let instance = match candidates.find(is_kept) {
            Some(current) => Arc::clone(current.instance.base()),
            None => self.open(&recipe)?,
        };
        if config.shares_keys {
            shared.push(Arc::clone(&instance));
        }
        Ok(instance)
    }

    fn open(&self, recipe: &Recipe<'_>) -> Result<Arc<Instance>, Refused> {
        let Engine { graph, mender, .. } = self.engine;
        let opened = recipe.open(self.open_timeout, graph, mender);
        opened.map_err(|error| not_opened("arguments", &recipe.plugin.name, recipe.name, error))
    }

    /// The region's proxies around its backend, the first outermost. Those that are open around the same are kept.
    fn wrapped(
        &self,
        config: &RegionConfig,
        base: &Arc<Instance>,
    ) -> Result<Arc<Instance>, Refused> {
        let mut instance = Arc::clone(base);
        for (index, proxy) in config.proxies.iter().enumerate().rev() {
            let place = format!("proxies.{index}");
            let found = self.plugins.proxy(&proxy.name);
            let (plugin, name) = found.map_err(|error| Refused::unresolved(&place, error))?;
            let recipe = Recipe {
                plugin,
                name,
                arguments: &proxy.arguments,
            };
            let is_around = |link: &Instance| {
                let inner = link.inner.as_ref();
                inner.is_some_and(|inner| Arc::ptr_eq(inner, &instance))
            };
            let kept = |link: &&Arc<Instance>| is_around(link) && link.serves(&recipe);
            instance = if let Some(link) = self.current.instances().find(kept) {
                Arc::clone(link)
            } else {
                let opened = recipe.wrap(self.open_timeout, &instance);
                let place = format!("{place}.arguments");
                opened.map_err(|error| not_opened(&place, &plugin.name, name, error))?
            };
        }
        Ok(instance)
    }

    /// Whether a new instance answers, if the region wants to know.
    fn healthy(&self, config: &RegionConfig, instance: &Arc<Instance>) -> Result<(), Refused> {
        if !config.require_healthy.unwrap_or(self.is_reload) || self.current.uses(instance) {
            return Ok(());
        }
        let pinged = Arc::clone(instance);
        let ping = move || pinged.backend.ping();
        let answer = loader::within(self.open_timeout, &instance.name, ping, drop);
        let place = match config.require_healthy {
            Some(_) => "require_healthy",
            None => "backend",
        };
        answer.map_err(|error| Refused {
            kind: ErrorKind::Plugin,
            place: vec![place.to_owned()],
            message: match error {
                OpenError::Failed(error) => format!("{} does not answer: {error}", instance.title()),
                OpenError::TimedOut { timeout, .. } => {
                    format!("{} has not answered a ping within {timeout:?}", instance.title())
                }
                OpenError::NoThread(error) => format!("there is no thread to ping it on: {error}"),
            },
            remedy: "see that what it connects to is up, or write `require_healthy = false` to use it all the same"
                .to_owned(),
        })
    }

    fn manglers(
        &self,
        config: &RegionConfig,
        instance: &Instance,
    ) -> Result<Arc<[Mangler]>, Refused> {
        let named: Vec<ManglerConfig> = match &config.key_mangler {
            KeyManglers::Off => Vec::new(),
            KeyManglers::Named(manglers) => manglers.clone(),
            KeyManglers::Backend => {
                let own = instance.key_mangler.clone();
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

    fn mangler(&self, config: &ManglerConfig) -> Result<Mangler, Refused> {
        let found = self.plugins.mangler(&config.name);
        let (plugin, name) = found.map_err(|error| Refused::unresolved("key_mangler", error))?;
        let json = config.arguments.to_string();
        let opened =
            loader::open_mangler(&plugin.plugin, name, &json, plugin.host, self.open_timeout);
        let instance =
            opened.map_err(|error| not_opened("key_mangler", &plugin.name, name, error))?;
        Ok(Mangler {
            instance,
            plugin: Arc::clone(plugin),
            name: name.to_owned(),
            arguments: config.arguments.clone(),
        })
    }
}

/// Keys and numbers, joined by dots.
fn path(place: &str) -> Vec<String> {
    place.split('.').map(str::to_owned).collect()
}

fn not_opened(place: &str, plugin: &str, name: &str, error: OpenError) -> Refused {
    match error {
        OpenError::Failed(error) => refused_by_plugin(place, plugin, name, &error),
        other => Refused {
            kind: ErrorKind::Plugin,
            place: path(place),
            message: format!("`{name}` of plugin `{plugin}` did not open"),
            remedy: other.to_string(),
        },
    }
}

fn refused_by_plugin(
    place: &str,
    plugin: &str,
    name: &str,
    error: &dogpile_plugin_api::Error,
) -> Refused {
    let mut path = path(place);
    let (message, remedy) = match error.kind() {
        PluginErrorKind::Arguments => {
            path.extend(
                error
                    .place()
                    .iter()
                    // Elements of arrays are `a[0]`; what is optional may have a step of its own, `?`.
                    .flat_map(|place| place.split(['.', '[', ']']))
                    .filter(|part| !part.is_empty() && *part != "?")
                    .map(str::to_owned),
            );
            (
                format!("`{name}` refuses its arguments: {}", error.message()),
                format!("`dogpile plugins` lists the arguments of `{plugin}`"),
            )
        }
        _ => (
            format!("`{name}` of plugin `{plugin}` did not open: {error}"),
            "mend what it says, or use another backend".to_owned(),
        ),
    };
    Refused {
        kind: ErrorKind::Plugin,
        place: path,
        message,
        remedy,
    }
}
