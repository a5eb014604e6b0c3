//! From configurations to open regions, and to the open cache of templates.

mod place;
mod refused;
mod succession;
mod templates;

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dogpile_plugin_api::Storage;
use serde_json::{Map, Value};

use crate::ErrorKind;
use crate::engine::Engine;
use crate::instance::{Instance, Recipe};
use crate::loader::{self, OpenError};
use crate::mangler::Mangler;
use crate::manifest::{KeyManglers, ManglerConfig, RegionConfig, TemplatesConfig};
use crate::plugins::PluginSet;
use crate::registry::{Configured, Origin, Snapshot};
use crate::slot::Slot;

use self::place::Place;
pub(crate) use self::refused::{Refusals, Refused};
pub(crate) use self::succession::{Change, Outgoing, Succession};

const BACKEND: Place<'_> = Place {
    named: &["backend"],
    given: &["arguments"],
};

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
    /// What is done with the instances in use that nobody asks for as they are.
    pub(crate) succession: Succession<'a>,
    pub(crate) outgoing: Outgoing,
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
            let refused = Refused::new(
                ErrorKind::Configuration,
                &["key_prefix"],
                format!(
                    "regions {} and {} would use the same keys of the same storage",
                    shown(one),
                    shown(other)
                ),
                "give one of them a `key_prefix`, or say `shares_keys` in both".to_owned(),
            );
            ([one, other], refused)
        })
    }
}

impl Configured {
    /// The error of a region that is to share its invalidations through a storage which nobody else sees.
    fn refuse_sharing(&self) -> Option<Refused> {
        let refused = self.shares_invalidations() && !self.instance.properties.shared;
        refused.then(|| {
            Refused::new(
                ErrorKind::Configuration,
                &["invalidation"],
                format!(
                    "invalidations cannot be shared through `{}`, which other processes do not see",
                    self.config.backend
                ),
                "write \"local\", or remove `invalidation`".to_owned(),
            )
        })
    }

    /// The error of a share that is none: code can say it, a manifest is checked when it is read.
    fn refuse_shares(&self) -> Option<Refused> {
        let config = &self.config;
        let shares = [
            ("early_refresh", config.early_refresh),
            ("jitter", Some(config.jitter)),
        ];
        let wrong = shares
            .into_iter()
            .find(|(_, share)| share.is_some_and(|share| !(0.0..=1.0).contains(&share)));
        wrong.map(|(name, share)| {
            Refused::new(
                ErrorKind::Configuration,
                &[name],
                format!("`{name}` cannot be {}", share.unwrap_or_default()),
                "give a share from 0 to 1".to_owned(),
            )
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
        Some(Refused::new(
            ErrorKind::NotObjects,
            &place,
            format!(
                "the program keeps objects that are not serialisable in this region, and {why}"
            ),
            remedy,
        ))
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
        let place = ["key_mangler", &index.to_string()];
        Some(Refused::unresolved(&place, error))
    });
    let proxies = config.proxies.iter().enumerate();
    let proxies = proxies.filter_map(|(index, proxy)| {
        let error = plugins.proxy(&proxy.name).err()?;
        Some(Refused::unresolved(&["proxies", &index.to_string()], error))
    });
    backend.into_iter().chain(manglers).chain(proxies).collect()
}

/// Why no plugin offers what the templates name, or several do.
pub(crate) fn unresolved_templates(
    config: &TemplatesConfig,
    plugins: &PluginSet,
) -> Option<Refused> {
    let error = plugins.template_cache(&config.plugin).err()?;
    Some(Refused::unresolved(&["plugin"], error))
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
                Ok(instance) => self.manglers(config, &own_manglers(instance)),
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
        let objects = region.refuse_objects(self.current.region(slot.number));
        let refused = objects.or_else(|| region.refuse_sharing());
        match refused.or_else(|| region.refuse_shares()) {
            Some(refused) => Err(refused.into()),
            None => Ok(region),
        }
    }

    /// The region's backend behind its proxies, which answers if the region wants that.
    fn instance(&self, config: &RegionConfig, slot: &Slot) -> Result<Arc<Instance>, Refusals> {
        let base = self.base(config, slot)?;
        let instance = self.wrapped(config, &base)?;
        let is_new = self.outgoing.is_reconfigured(&base) || !self.current.uses(&instance);
        if is_new {
            self.healthy(config, &instance)?;
        }
        Ok(instance)
    }

    /// What the region's backend is opened from.
    fn recipe(&self, config: &RegionConfig) -> Result<Recipe<'_>, Refusals> {
        let found = self.plugins.backend(&config.backend);
        let plugin = found.map_err(|error| Refused::unresolved(&["backend"], error))?;
        let offered = &plugin.info.backends;
        let info = offered.iter().find(|info| info.name == config.backend.name);
        let arguments = BACKEND.typed(
            |path| config.is_interpolated(path),
            &config.arguments,
            info.map(|info| &info.arguments),
        );
        Ok(Recipe {
            plugin,
            // The plugin offers it, or it would not have been found.
            name: info.map_or("", |info| &info.name),
            arguments: Arc::new(arguments),
        })
    }

    /// The region's current backend if it is still the one asked for or can become it, or a new one. Regions that share
    /// their keys share one, so that they share their locks.
    fn base(&self, config: &RegionConfig, slot: &Slot) -> Result<Arc<Instance>, Refusals> {
        let recipe = self.recipe(config)?;
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
        let instance = if let Some(current) = candidates.find(is_kept) {
            Arc::clone(current.instance.base())
        } else {
            let own = own.map(|current| current.instance.base());
            let adapted = self.adapted(own, config.shares_keys, &recipe)?;
            adapted.map_or_else(|| self.opened(&recipe), Ok)?
        };
        if config.shares_keys {
            shared.push(Arc::clone(&instance));
        }
        Ok(instance)
    }

    /// An instance in use that has taken on what a region asks for, or its copy.
    fn adapted(
        &self,
        own: Option<&Arc<Instance>>,
        shares_keys: bool,
        recipe: &Recipe<'_>,
    ) -> Result<Option<Arc<Instance>>, Refusals> {
        let Some(instance) = self.outgoing.adaptable(own, shares_keys, recipe) else {
            return Ok(None);
        };
        let (asked, adapted) = match &self.succession {
            Succession::Beside => return Ok(None),
            Succession::Tried => {
                // What it has now was right once: if it cannot be opened with that, the region may need a new one.
                let Ok(copy) = self.open(&instance.recipe()) else {
                    return Ok(None);
                };
                self.outgoing.copies.borrow_mut().push(Arc::clone(&copy));
                let adapted = copy.reconfigure(&recipe.arguments, self.open_timeout);
                (copy, adapted)
            }
            Succession::Done(change) => {
                (Arc::clone(&instance), change.reconfigure(&instance, recipe))
            }
        };
        let adapted = adapted.map_err(|error| BACKEND.not_taken_on(recipe, error))?;
        if adapted {
            self.outgoing.note_reconfigured(&instance, &asked);
        }
        Ok(adapted.then_some(asked))
    }

    /// A new backend, opened after those were closed that cannot be open beside it.
    fn opened(&self, recipe: &Recipe<'_>) -> Result<Arc<Instance>, Refusals> {
        let in_the_way = match self.succession {
            Succession::Done(_) => self.outgoing.in_the_way(recipe),
            Succession::Beside | Succession::Tried => Vec::new(),
        };
        if let Succession::Done(change) = self.succession {
            for instance in &in_the_way {
                change.close(instance)?;
            }
        }
        let opened = self.open(recipe);
        let opened = opened.map_err(|error| BACKEND.not_opened(recipe, error))?;
        if let (Succession::Done(change), false) = (&self.succession, in_the_way.is_empty()) {
            change.opened(&opened);
        }
        Ok(opened)
    }

    /// Whether an instance in use may have to be closed before the region's opens.
    pub(crate) fn must_close_first(&self, config: &RegionConfig) -> bool {
        let recipe = self.recipe(config);
        recipe.is_ok_and(|recipe| !self.outgoing.in_the_way(&recipe).is_empty())
    }

    fn open(&self, recipe: &Recipe<'_>) -> Result<Arc<Instance>, OpenError> {
        let Engine { graph, mender, .. } = self.engine;
        recipe.open(self.open_timeout, graph, mender)
    }

    /// The region's proxies around its backend, the first outermost. Those that are open around the same are kept.
    fn wrapped(
        &self,
        config: &RegionConfig,
        base: &Arc<Instance>,
    ) -> Result<Arc<Instance>, Refusals> {
        let mut instance = Arc::clone(base);
        for (index, proxy) in config.proxies.iter().enumerate().rev() {
            let index = &index.to_string();
            let place = Place {
                named: &["proxies", index],
                given: &["proxies", index, "arguments"],
            };
            let found = self.plugins.proxy(&proxy.name);
            let (plugin, name) = found.map_err(|error| place.unresolved(error))?;
            let info = plugin.info.proxies.iter().find(|info| info.name == name);
            let recipe = Recipe {
                plugin,
                name,
                arguments: Arc::new(place.typed(
                    |path| config.is_interpolated(path),
                    &proxy.arguments,
                    info.map(|info| &info.arguments),
                )),
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
                opened.map_err(|error| place.not_opened(&recipe, error))?
            };
        }
        Ok(instance)
    }

    /// Whether an instance that is new, or has taken on other arguments, answers, if the region wants to know.
    fn healthy(&self, config: &RegionConfig, instance: &Arc<Instance>) -> Result<(), Refusals> {
        if !config.require_healthy.unwrap_or(self.is_reload) {
            return Ok(());
        }
        let pinged = Arc::clone(instance);
        let ping = move || pinged.backend.ping();
        let answer = loader::within(self.open_timeout, &instance.name, ping, drop);
        let place = match config.require_healthy {
            Some(_) => "require_healthy",
            None => "backend",
        };
        answer.map_err(|error| {
            let (code, may_pass) = (error.code(), error.may_pass());
            let message = match error {
                OpenError::Failed(error) => {
                    let error = instance.without_secrets(error);
                    format!("{} does not answer: {error}", instance.title())
                }
                OpenError::TimedOut { timeout, .. } => {
                    format!("{} has not answered a ping within {timeout:?}", instance.title())
                }
                OpenError::NoThread(error) => format!("there is no thread to ping it on: {error}"),
            };
            let remedy = "see to what it says, and that what it connects to is up, and try again, or write \
                          `require_healthy = false` to use it all the same";
            let refused = Refused::new(ErrorKind::Plugin, &[place], message, remedy.to_owned());
            refused.with_code(code).of_outside(may_pass).into()
        })
    }

    fn manglers(
        &self,
        config: &RegionConfig,
        named: &[ManglerConfig],
    ) -> Result<Vec<Mangler>, Refusals> {
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
    ) -> Result<Mangler, Refusals> {
        let index = &index.to_string();
        let place = Place {
            named: &["key_mangler", index],
            given: &["key_mangler", index, "arguments"],
        };
        let found = self.plugins.mangler(&config.name);
        let (plugin, name) = found.map_err(|error| place.unresolved(error))?;
        let info = plugin.info.manglers.iter().find(|info| info.name == name);
        let empty = Map::new();
        let given = config.arguments.as_object().unwrap_or(&empty);
        let arguments = place.typed(
            |path| region.is_interpolated(path),
            given,
            info.map(|info| &info.arguments),
        );
        let json = Value::Object(arguments.clone()).to_string();
        let opened =
            loader::open_mangler(&plugin.plugin, name, &json, plugin.host, self.open_timeout);
        let recipe = Recipe {
            plugin,
            name,
            arguments: Arc::new(arguments.clone()),
        };
        let instance = opened.map_err(|error| place.not_opened(&recipe, error))?;
        Ok(Mangler::new(instance, &recipe))
    }
}

/// Those that the backend asks for.
fn own_manglers(instance: &Instance) -> Vec<ManglerConfig> {
    let own = instance.key_mangler.clone().into_iter();
    own.map(|name| ManglerConfig {
        name,
        arguments: Value::Object(Map::new()),
    })
    .collect()
}
