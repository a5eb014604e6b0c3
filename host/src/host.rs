//! The host: what owns regions, plugins and their threads.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use dogpile_lock::{Clock, WaitGraph};
use dogpile_plugin_api::Plugin;
use parking_lot::Mutex;

use crate::admin::{self, AdminSocket};
use crate::assemble::Assembly;
use crate::loader;
use crate::manifest::RegionConfig;
use crate::plugins::{PluginEntry, PluginSet};
use crate::region::{Region, Slot};
use crate::registry::{Origin, Registry, Slots, Snapshot};
use crate::reload::{self, Follower};
use crate::status::{HostStatus, PluginDescription, Reload};
use crate::{Error, ErrorKind, Result};

/// How long a backend that was configured in code may take to open.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Regions, the plugins that serve them, and the manifest they follow.
///
/// Two hosts in a process are independent. Handles to regions keep what they need alive; dropping the host and the
/// last handle stops its threads and closes its backends, on the thread that drops them.
pub struct Host {
    inner: Arc<Inner>,
    /// Answers the `dogpile` command for as long as this is kept.
    _admin: Option<admin::Server>,
}

/// What handles keep alive.
pub(crate) struct Inner {
    pub(crate) registry: Registry,
    pub(crate) clock: &'static Clock,
    pub(crate) graph: WaitGraph,
    /// Linked into the program: they stay through every reload.
    pub(crate) linked: PluginSet,
    /// Held while regions are opened and replaced: one change at a time.
    pub(crate) change: Mutex<()>,
    pub(crate) follower: Option<Follower>,
    /// Ends the thread that follows the manifest.
    watch: OnceLock<reload::Stop>,
}

/// Puts a [`Host`] together.
#[must_use = "a builder does nothing until `build`"]
pub struct HostBuilder {
    plugins: Vec<Plugin>,
    regions: Vec<RegionConfig>,
    manifest: Option<PathBuf>,
    watch: bool,
    admin_socket: AdminSocket,
    clock: Clock,
}

impl Host {
    /// An empty builder.
    pub fn builder() -> HostBuilder {
        HostBuilder {
            plugins: Vec::new(),
            regions: Vec::new(),
            manifest: None,
            watch: true,
            admin_socket: AdminSocket::Off,
            clock: Clock::system(),
        }
    }

    /// Loads the plugins and opens the regions of a manifest, and follows it: whenever it is saved, and is right, the
    /// regions change.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`], whose text is every error of the manifest with its place.
    pub fn open(manifest: impl Into<PathBuf>) -> Result<Self> {
        Self::builder().manifest(manifest).build()
    }

    /// A handle to a region that is configured or declared.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSuchRegion`], with the names that there are.
    pub fn region(&self, name: &str) -> Result<Region> {
        self.inner.region(name)
    }

    /// A handle to a region that may be configured later: until then its calls fail with
    /// [`ErrorKind::RegionNotConfigured`].
    pub fn declare(&self, name: &str) -> Region {
        let mut slots = self.inner.registry.slots();
        let slot = slots.get_or_reserve(name);
        slot.declared.store(true, Ordering::SeqCst);
        slots.add(&slot);
        Region::new(slot, Arc::clone(&self.inner))
    }

    /// Configures a region in code.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RegionAlreadyConfigured`]; [`ErrorKind::PluginNotFound`]; [`ErrorKind::Plugin`] if the backend
    /// refuses its arguments or does not open.
    pub fn configure(&self, config: RegionConfig) -> Result<Region> {
        self.inner
            .configure(config)
            .map(|slot| Region::new(slot, Arc::clone(&self.inner)))
    }

    /// Reads the manifest again, as if it had just been saved, and waits for the outcome.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`], whose text is every error of the manifest with its place: then nothing has
    /// changed. Also if the host follows no manifest.
    pub fn reload(&self) -> Result<Reload> {
        self.inner.reload()
    }

    /// What [`Host::reload`] would change, without changing or loading anything.
    ///
    /// # Errors
    ///
    /// Those that can be known without loading and opening.
    pub fn plan(&self) -> Result<Reload> {
        self.inner.plan()
    }

    /// The state of everything, and what was counted.
    pub fn status(&self) -> HostStatus {
        self.inner.status()
    }

    /// What the plugins say of themselves.
    pub fn plugins(&self) -> Vec<PluginDescription> {
        self.inner.plugins()
    }
}

impl Inner {
    pub(crate) fn region(self: &Arc<Self>, name: &str) -> Result<Region> {
        let slots = self.registry.slots();
        let current = self.registry.load();
        let usable = |slot: &Arc<_>| is_usable(&current, slot);
        match slots.get(name).filter(usable) {
            Some(slot) => Ok(Region::new(slot, Arc::clone(self))),
            None => Err(no_such_region(name, &slots, &current)),
        }
    }

    fn configure(&self, config: RegionConfig) -> Result<Arc<Slot>> {
        let _change = self.change.lock();
        let name = config.name.clone();
        let slot = self.registry.slots().get_or_reserve(&name);
        let current = self.registry.load_full();
        if current.region(slot.number).is_some() {
            return Err(Error::new(
                ErrorKind::RegionAlreadyConfigured,
                format!(
                    "region `{name}` is configured already; configure it once, in code or in the manifest"
                ),
            ));
        }
        let assembly = Assembly {
            plugins: &current.plugins,
            current: &current,
            graph: &self.graph,
            open_timeout: OPEN_TIMEOUT,
            origin: Origin::Code,
            shared: RefCell::default(),
        };
        let region = assembly
            .region(&Arc::new(config), &slot)
            .map_err(|refused| refused.into_error(&name))?;
        let mut next = (*current).clone();
        next.put(region);
        self.registry.replace(&mut self.registry.slots(), next);
        Ok(slot)
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

    /// Loads the plugins and regions of a manifest, and follows it.
    pub fn manifest(mut self, path: impl Into<PathBuf>) -> Self {
        self.manifest = Some(path.into());
        self
    }

    /// Whether the manifest is read again by itself when it is saved (default: yes), or only by [`Host::reload`].
    pub fn watch(mut self, watch: bool) -> Self {
        self.watch = watch;
        self
    }

    /// Whether and where the host answers the `dogpile` command (default: it does not). It does until it is dropped.
    pub fn admin_socket(mut self, socket: AdminSocket) -> Self {
        self.admin_socket = socket;
        self
    }

    /// Another clock than the system's, for tests. It is kept for the life of the process.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Opens everything.
    ///
    /// # Errors
    ///
    /// Those of [`Host::configure`] and [`Host::open`].
    pub fn build(self) -> Result<Host> {
        // Plugins keep it, and they are never unloaded.
        let clock: &'static Clock = Box::leak(Box::new(self.clock));
        let mut linked = PluginSet::default();
        for plugin in self.plugins {
            linked.add(Arc::new(link(plugin, clock)?));
        }
        let registry = Registry::new(Snapshot::new(linked.clone()));
        let inner = Arc::new(Inner {
            registry,
            clock,
            graph: WaitGraph::new(),
            linked,
            change: Mutex::new(()),
            follower: self.manifest.map(Follower::new),
            watch: OnceLock::new(),
        });
        for config in self.regions {
            inner.configure(config)?;
        }
        if inner.follower.is_some() {
            inner.reload()?;
            if self.watch {
                let stop = reload::start(&inner)?;
                inner.watch.get_or_init(|| stop);
            }
        }
        let admin = admin::Server::start(&inner, self.admin_socket)?;
        Ok(Host {
            inner,
            _admin: admin,
        })
    }
}

/// A plugin that is linked in is known by its package's name, without the customary prefix.
fn link(plugin: Plugin, clock: &'static Clock) -> Result<PluginEntry> {
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
    let host = loader::host_functions(&name, clock);
    plugin.start(&host).map_err(failed)?;
    Ok(PluginEntry {
        name,
        plugin,
        info,
        host,
        file: None,
    })
}

fn is_usable(current: &Snapshot, slot: &Slot) -> bool {
    slot.declared.load(Ordering::SeqCst) || current.region(slot.number).is_some()
}

fn no_such_region(name: &str, slots: &Slots, current: &Snapshot) -> Error {
    let mut names: Vec<_> = slots
        .iter()
        .filter(|slot| is_usable(current, slot))
        .map(|slot| format!("`{}`", slot.name))
        .collect();
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
