//! The host: what owns regions, plugins and their threads.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use dogpile_lock::{Clock, ManualClock};
use dogpile_plugin_api::{Backend, Plugin, Proxy, TemplateCache};

use crate::admin::{self, AdminSocket};
use crate::decorator;
use crate::engine::Spawner;
use crate::inner::Inner;
use crate::listener::{Listener, Listeners};
use crate::loader;
use crate::manifest::{RegionConfig, TemplatesConfig};
use crate::mend;
use crate::metrics;
use crate::plugins::{PluginEntry, PluginSet};
use crate::region::Region;
use crate::reload::{Follower, OnlyRegion, Reload, Trigger};
use crate::status::{HostStatus, PluginDescription};
use crate::templates::Templates;
use crate::trust::Trust;
use crate::{Error, ErrorKind, Result};

/// Regions, the plugins that serve them, and the manifest they follow.
///
/// Two hosts in a process are independent. Handles to regions keep what they need alive, and so does a creator in the
/// background that is queued or runs. Dropping the host ends its
/// admin socket; when the last handle is gone too, its threads end (first that which watches the manifest, then those
/// that reopen and ping backends), and then its backends are closed, on the thread that drops them. No thread is waited
/// for: one that is in the middle of opening a backend closes what it opened.
pub struct Host {
    inner: Arc<Inner>,
    /// Answers the `dogpile` command for as long as this is kept.
    _admin: Option<admin::Server>,
}

/// Puts a [`Host`] together.
#[must_use = "a builder does nothing until `build`"]
pub struct HostBuilder {
    plugins: Vec<Plugin>,
    regions: Vec<RegionConfig>,
    templates: Option<TemplatesConfig>,
    manifest: Option<PathBuf>,
    only: Option<OnlyRegion>,
    watch: bool,
    admin_socket: AdminSocket,
    clock: Clock,
    spawner: Option<Spawner>,
    trust: Option<Trust>,
    listeners: Listeners,
}

impl Host {
    /// An empty builder.
    pub fn builder() -> HostBuilder {
        HostBuilder {
            plugins: Vec::new(),
            regions: Vec::new(),
            templates: None,
            manifest: None,
            only: None,
            watch: true,
            admin_socket: AdminSocket::Off,
            clock: Clock::system(),
            spawner: None,
            trust: None,
            listeners: Listeners::default(),
        }
    }

    /// A builder for a test, and the clock of its host, which begins at the time of this call and stands still until the
    /// test moves it. All else is as with [`Host::builder`]; linked in, the backend `memory` needs neither file nor
    /// manifest.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use dogpile::{Host, RegionConfig};
    ///
    /// let (builder, clock) = Host::for_tests();
    /// let host = builder
    ///     .plugin(dogpile_plugin_memory::plugin())
    ///     .region(RegionConfig::on("users", "memory").expiration_time(Duration::from_secs(300)))
    ///     .build()?;
    /// let users = host.region("users")?;
    /// users.set("user:42", "Ada".to_owned())?;
    ///
    /// clock.advance(Duration::from_secs(301));
    /// assert_eq!(users.get::<String>("user:42")?, None);
    /// # Ok::<(), dogpile::Error>(())
    /// ```
    ///
    /// By this clock are decided expiry and staleness, early refreshes, what an invalidation outdates,
    /// `retry_after` and `bypass_hold`, [`Cached::age`](crate::Cached::age), and a backend's own times in this process, such
    /// as `time_to_idle`. What somebody waits for takes its real time: `lock_wait`, `lock_timeout`, `call_timeout`,
    /// `hang_after`, `invalidation_interval`, and the pauses before a backend is pinged or reopened.
    pub fn for_tests() -> (HostBuilder, ManualClock) {
        let (clock, hand) = Clock::manual(Clock::system().exact());
        (Self::builder().clock(clock), hand)
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
        self.inner.declare(name)
    }

    /// Configures a region in code.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RegionAlreadyConfigured`]; [`ErrorKind::PluginNotFound`]; [`ErrorKind::Plugin`] if the backend
    /// refuses its arguments or does not open; [`ErrorKind::Configuration`] if another region, of code or of the
    /// manifest, has the same keys of the same storage, and not both say [`RegionConfig::shares_keys`].
    pub fn configure(&self, config: RegionConfig) -> Result<Region> {
        self.inner.configure(config)
    }

    /// Reads the manifest again, as if it had just been saved, and waits for the outcome.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`], whose text is every error of the manifest with its place: then nothing has
    /// changed, or has been put back. What could not be put back is told after the errors: a backend that neither took
    /// on its new arguments nor its old ones again, or did not open again. Also if the host follows no manifest.
    pub fn reload(&self) -> Result<Reload> {
        self.reload_on(Trigger::Program)
    }

    /// As [`Host::reload`], for a reason of which status, log and [`Listener`] tell: a program that
    /// reloads at SIGHUP says [`Trigger::Signal`].
    ///
    /// # Errors
    ///
    /// Those of [`Host::reload`].
    pub fn reload_on(&self, trigger: Trigger) -> Result<Reload> {
        self.inner.follower()?.reload(trigger)
    }

    /// What [`Host::reload`] would change, without changing anything: new plugins are loaded, and new backends are
    /// opened aside as for a reload, and closed again. So what a backend refuses when it is opened is told, and what
    /// opening does outside (a connection, a file) is done; a plugin's file that was loaded stays mapped, and is not
    /// loaded again by the reload. An open backend is not asked whether it takes on other arguments, but a copy of it, opened
    /// with those that it has; one of which only one can be open is told as swapped. Not tried is what comes at or after the swap: that the old instances close, and that
    /// calls succeed on the new ones. Blocks for as long as opening takes, and waits for a reload that is under way.
    ///
    /// # Errors
    ///
    /// Those of [`Host::reload`]. They are not kept for the status.
    pub fn plan(&self) -> Result<Reload> {
        self.inner.follower()?.plan(None)
    }

    /// What [`Host::plan`] would say if the manifest at `candidate` were saved in the place of the host's. Relative paths in
    /// it begin at its own folder, so that it should lie beside.
    ///
    /// # Errors
    ///
    /// Those of [`Host::plan`].
    pub fn plan_of(&self, candidate: impl AsRef<Path>) -> Result<Reload> {
        self.inner.follower()?.plan(Some(candidate.as_ref()))
    }

    /// Makes this the host of the process, in which functions with `#[cached(region = "…")]` find their regions, until
    /// it is dropped. No error if it is that already.
    ///
    /// The regions that cached functions have used count as held: a reload cannot remove them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::HostAlreadyInstalled`] while another host is.
    pub fn install(&self) -> Result<()> {
        decorator::install(&self.inner)
    }

    /// What the adapters of template engines ask: the template cache that `[templates]` names, or
    /// [`HostBuilder::templates`].
    pub fn templates(&self) -> Templates {
        Templates::new(Arc::clone(&self.inner))
    }

    /// The state of everything, and what was counted.
    pub fn status(&self) -> HostStatus {
        self.inner.status()
    }

    /// What was counted and how everything is, for Prometheus: text of version 0.0.4, whose type is
    /// [`METRICS_CONTENT_TYPE`](crate::METRICS_CONTENT_TYPE). `docs/metrics.md` has all metrics. Regions that are not
    /// configured are not in it.
    ///
    /// Blocks while backends say how much they hold, all at once and for a second at most: of those that have not
    /// answered by then, the entries and bytes are left out. None is asked again before it has answered.
    pub fn metrics_text(&self) -> String {
        metrics::text(&self.inner)
    }

    /// Has an OpenTelemetry meter observe what [`Host::metrics_text`] tells, which blocks as that does whenever the meter
    /// is read, until the last handle of the host is gone. The names are without the unit and `_total`, with a dot after
    /// `dogpile`: `dogpile_hits_total` is `dogpile.hits`. Of a histogram there are the sum and the number:
    /// `dogpile_creation_seconds` is `dogpile.creation.sum` and `dogpile.creation.count`.
    #[cfg(feature = "opentelemetry")]
    pub fn observe_with(&self, meter: &opentelemetry::metrics::Meter) {
        metrics::observe(&self.inner, meter);
    }

    /// What the plugins say of themselves.
    pub fn plugins(&self) -> Vec<PluginDescription> {
        self.inner.plugins()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        decorator::uninstall(&self.inner);
    }
}

impl HostBuilder {
    /// Links a plugin in: `dogpile_plugin_memory::plugin()`.
    pub fn plugin(mut self, plugin: Plugin) -> Self {
        self.plugins.push(plugin);
        self
    }

    /// Registers a backend of the program's own under a name, without a crate that exports it.
    pub fn backend<B: Backend>(self, name: &'static str) -> Self {
        self.plugin(Plugin::of_backend::<B>(name))
    }

    /// Registers a proxy of the program's own under a name, without a crate that exports it.
    pub fn proxy<P: Proxy>(self, name: &'static str) -> Self {
        self.plugin(Plugin::of_proxy::<P>(name))
    }

    /// Registers a template cache of the program's own under a name, without a crate that exports it.
    /// [`templates`](Self::templates) says that it is to be used.
    pub fn template_cache<T: TemplateCache>(self, name: &'static str) -> Self {
        self.plugin(Plugin::of_template_cache::<T>(name))
    }

    /// Has a template cache decide of the program's templates, in place of a manifest's `[templates]`.
    pub fn templates(mut self, config: TemplatesConfig) -> Self {
        self.templates = Some(config);
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

    /// Opens this region alone of those in the manifest, as `change` leaves its configuration at each reading: for a
    /// program that wants one region for a purpose of its own, such as `dogpile exec`. A change is not checked as the
    /// manifest is. A manifest without such a region is refused with [`ErrorKind::NoSuchRegion`], before anything is
    /// loaded or opened.
    pub fn only_region(
        mut self,
        name: impl Into<String>,
        change: impl Fn(&mut RegionConfig) + Send + Sync + 'static,
    ) -> Self {
        self.only = Some(OnlyRegion {
            name: name.into(),
            change: Box::new(change),
        });
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

    /// Another clock than the system's, as [`Host::for_tests`] gives it. It is kept for the life of the process.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Starts tasks on the program's runtime, for asynchronous creators in the background
    /// ([`Entry::background_async`](crate::Entry::background_async)): `|task| drop(tokio::spawn(task))`. Without it
    /// these are run by the callers themselves.
    pub fn spawner(
        mut self,
        spawner: impl Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync + 'static,
    ) -> Self {
        self.spawner = Some(Arc::new(spawner));
        self
    }

    /// Whose manifest and plugins are trusted, whatever the variable `DOGPILE_TRUST` says (default: as it says, and
    /// without it [strictly](Trust::Strict)).
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// Has the program told of what happens: of values that are created, evicted or invalidated, and of reloads. Several
    /// are told one after the other.
    pub fn listener(mut self, listener: impl Listener) -> Self {
        self.listeners.add(listener);
        self
    }

    /// Opens everything.
    ///
    /// # Errors
    ///
    /// Those of [`Host::configure`] and [`Host::open`], and of [`only_region`](Self::only_region).
    pub fn build(self) -> Result<Host> {
        // Plugins keep it, and they are never unloaded.
        let clock: &'static Clock = Box::leak(Box::new(self.clock));
        let mut linked = PluginSet::default();
        for plugin in self.plugins {
            linked.add(Arc::new(link(plugin, clock)?));
        }
        let listeners = Arc::new(self.listeners);
        let events = Arc::clone(&listeners) as _;
        let engine = mend::engine(linked, clock, self.spawner, self.trust, events);
        // The process may change its folder; its manifest stays the same.
        let manifest = self.manifest.map(std::path::absolute).transpose();
        let manifest = manifest.map_err(|error| {
            Error::with_source(
                ErrorKind::Configuration,
                format!("the manifest's path: {error}"),
                error,
            )
        })?;
        let only = self.only;
        let follower = manifest
            .map(|path| Arc::new(Follower::new(Arc::clone(&engine), path, only, listeners)));
        let inner = Arc::new(Inner::new(engine, follower.clone()));
        for config in self.regions {
            inner.configure(config)?;
        }
        if let Some(config) = self.templates {
            inner.configure_templates(config)?;
        }
        if let Some(follower) = follower {
            follower.start()?;
            if self.watch {
                follower.watch()?;
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
