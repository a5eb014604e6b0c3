//! The host: what owns regions, plugins and their threads.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dogpile_lock::{Clock, WaitGraph};
use dogpile_plugin_api::Plugin;

use crate::assemble::Assembly;
use crate::loader_stub as loader;
use crate::manifest::RegionConfig;
use crate::plugins::{PluginEntry, PluginSet};
use crate::region::Region;
use crate::registry::{Registry, Slots};
use crate::{Error, ErrorKind, Result};

/// How long a backend that was configured in code may take to open.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Regions, the plugins that serve them, and the manifest they follow.
///
/// Two hosts in a process are independent. Handles to regions keep what they need alive; dropping the host and the
/// last handle stops its threads and closes its backends, on the thread that drops them.
pub struct Host {
    pub(crate) inner: Arc<Inner>,
}

/// What handles keep alive.
pub(crate) struct Inner {
    pub(crate) registry: Registry,
    pub(crate) clock: Clock,
    pub(crate) graph: WaitGraph,
    /// Linked into the program: they stay through every reload.
    pub(crate) linked: PluginSet,
}

/// Puts a [`Host`] together.
#[must_use = "a builder does nothing until `build`"]
pub struct HostBuilder {
    plugins: Vec<Plugin>,
    regions: Vec<RegionConfig>,
    manifest: Option<PathBuf>,
    clock: Clock,
}

impl Host {
    /// An empty builder.
    pub fn builder() -> HostBuilder {
        HostBuilder {
            plugins: Vec::new(),
            regions: Vec::new(),
            manifest: None,
            clock: Clock::system(),
        }
    }

    /// A handle to a region that is configured or declared.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSuchRegion`], with the names that there are.
    pub fn region(&self, name: &str) -> Result<Region> {
        let slots = self.inner.registry.slots();
        match slots.get(name) {
            Some(slot) => Ok(Region::new(slot, Arc::clone(&self.inner))),
            None => Err(no_such_region(name, &slots)),
        }
    }

    /// A handle to a region that may be configured later: until then its calls fail with
    /// [`ErrorKind::RegionNotConfigured`].
    pub fn declare(&self, name: &str) -> Region {
        Region::new(
            self.inner.registry.slots().get_or_add(name),
            Arc::clone(&self.inner),
        )
    }

    /// Configures a region in code.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RegionAlreadyConfigured`]; [`ErrorKind::PluginNotFound`]; [`ErrorKind::Plugin`] if the backend
    /// refuses its arguments or does not open.
    pub fn configure(&self, config: RegionConfig) -> Result<Region> {
        let name = config.name.clone();
        let registry = &self.inner.registry;
        let mut slots = registry.slots();
        let slot = slots.get_or_add(&name);
        let current = registry.load();
        if current.region(slot.number).is_some() {
            return Err(Error::new(
                ErrorKind::RegionAlreadyConfigured,
                format!(
                    "region `{name}` is configured already; configure it once, in code or in the manifest"
                ),
            ));
        }
        let assembly = Assembly {
            plugins: &self.inner.linked,
            current: &current,
            graph: &self.inner.graph,
            open_timeout: Some(OPEN_TIMEOUT),
        };
        let region = assembly
            .region(&Arc::new(config), &slot)
            .map_err(|refused| refused.into_error(&name))?;
        let mut next = (**current).clone();
        next.put(region);
        registry.replace(&slots, next);
        Ok(Region::new(slot, Arc::clone(&self.inner)))
    }
}

impl HostBuilder {
    /// Links a plugin in: `dogpile_plugin_memory::plugin()`.
    pub fn plugin(mut self, plugin: Plugin) -> Self {
        self.plugins.push(plugin);
        self
    }

    /// Configures a region in code.
    pub fn region(mut self, config: RegionConfig) -> Self {
        self.regions.push(config);
        self
    }

    /// Another clock than the system's. For tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Opens everything.
    ///
    /// # Errors
    ///
    /// Those of [`Host::configure`].
    pub fn build(self) -> Result<Host> {
        let mut linked = PluginSet::default();
        for plugin in self.plugins {
            linked.add(Arc::new(link(plugin, &self.clock)?));
        }
        let inner = Inner {
            registry: Registry::new(),
            clock: self.clock,
            graph: WaitGraph::new(),
            linked,
        };
        let host = Host {
            inner: Arc::new(inner),
        };
        for config in self.regions {
            host.configure(config)?;
        }
        Ok(host)
    }
}

/// A plugin that is linked in is known by its package's name, without the customary prefix.
fn link(plugin: Plugin, clock: &Clock) -> Result<PluginEntry> {
    let failed = |error: dogpile_plugin_api::Error| {
        Error::with_source(
            ErrorKind::Plugin,
            format!("a plugin that is linked in does not start: {error}"),
            error,
        )
    };
    let info = plugin.describe().map_err(failed)?;
    let name = info
        .package
        .strip_prefix("dogpile-plugin-")
        .unwrap_or(&info.package)
        .to_owned();
    let host = loader::raw_host(&name, clock);
    plugin.start(&host).map_err(failed)?;
    Ok(PluginEntry {
        name,
        plugin,
        info,
        host,
        file: None,
    })
}

fn no_such_region(name: &str, slots: &Slots) -> Error {
    let mut names: Vec<_> = slots.names().map(|name| format!("`{name}`")).collect();
    names.sort_unstable();
    let known = if names.is_empty() {
        "none is".to_owned()
    } else {
        format!("there are {}", names.join(", "))
    };
    Error::new(
        ErrorKind::NoSuchRegion,
        format!("no region `{name}` is configured: {known}"),
    )
}
