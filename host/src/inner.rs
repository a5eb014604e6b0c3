//! What a host is to its handles and to the admin socket: all but the socket itself.

use std::any::Any;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::assemble::{Assembly, Outgoing, Refusals, Succession};
use crate::engine::Engine;
use crate::manifest::{RegionConfig, TemplatesConfig};
use crate::records::{Poller, first_read};
use crate::region::Region;
use crate::registry::{Origin, Slots, Snapshot};
use crate::reload::Follower;
use crate::slot::Slot;
use crate::storages::Storages;
use crate::watchdog::Watchdog;
use crate::{Error, ErrorKind, Result};

/// What handles keep alive.
pub(crate) struct Inner {
    pub(crate) engine: Arc<Engine>,
    pub(crate) follower: Option<Arc<Follower>>,
    pub(crate) storages: Storages,
}

impl Inner {
    pub(crate) fn new(engine: Arc<Engine>, follower: Option<Arc<Follower>>) -> Self {
        Self {
            engine,
            follower,
            storages: Storages::default(),
        }
    }

    pub(crate) fn follower(&self) -> Result<&Follower> {
        self.follower.as_deref().ok_or_else(|| {
            Error::new(
                ErrorKind::Configuration,
                "this host follows no manifest: it was configured in code alone",
            )
        })
    }

    pub(crate) fn region(self: &Arc<Self>, name: &str) -> Result<Region> {
        let slots = self.engine.registry.slots();
        let current = self.engine.registry.load();
        match slots.get(name).filter(|slot| is_usable(&current, slot)) {
            Some(slot) => Ok(self.handle(slot)),
            None => Err(no_such_region(name, &slots, &current)),
        }
    }

    pub(crate) fn declare(self: &Arc<Self>, name: &str) -> Region {
        let mut slots = self.engine.registry.slots();
        let slot = slots.get_or_reserve(name);
        slot.declared.store(true, Ordering::SeqCst);
        slots.add(&slot);
        self.handle(slot)
    }

    pub(crate) fn configure(self: &Arc<Self>, config: RegionConfig) -> Result<Region> {
        let registry = &self.engine.registry;
        let _change = self.engine.change.lock();
        let name = config.name.clone();
        let slot = registry.slots().get_or_reserve(&name);
        let current = registry.load_full();
        if current.region(slot.number).is_some() {
            return Err(Error::new(
                ErrorKind::RegionAlreadyConfigured,
                format!(
                    "region `{name}` is configured already; configure it once, in code or in the manifest"
                ),
            ));
        }
        let assembly = self.assembly(&current);
        let region = assembly
            .region(&Arc::new(config), &slot)
            .map_err(|refused| refused.into_error(&format!("region `{name}`")))?;
        let mut next = (*current).clone();
        next.put(region);
        if let Some((_, refused)) = next.refuse_same_keys().next() {
            return Err(Refusals::from(refused).into_error(&format!("region `{name}`")));
        }
        let first = first_read(&current, &next, next.timeouts.open);
        let mut slots = registry.slots();
        first.take_in(self.engine.clock);
        registry.replace(&mut slots, next);
        drop(slots);
        Poller::follow(&self.engine);
        Watchdog::follow(&self.engine);
        Ok(self.handle(slot))
    }

    /// Configures the templates in code, before there is a manifest.
    pub(crate) fn configure_templates(&self, config: TemplatesConfig) -> Result<()> {
        let registry = &self.engine.registry;
        let _change = self.engine.change.lock();
        let current = registry.load_full();
        let templates = self.assembly(&current).templates(&Arc::new(config));
        let templates = templates.map_err(|refused| refused.into_error("the templates"))?;
        let mut next = (*current).clone();
        next.templates = Some(templates);
        registry.replace(&mut registry.slots(), next);
        Watchdog::follow(&self.engine);
        Ok(())
    }

    /// What is configured in code is opened so.
    fn assembly<'a>(&'a self, current: &'a Snapshot) -> Assembly<'a> {
        Assembly {
            plugins: &current.plugins,
            current,
            engine: &self.engine,
            open_timeout: current.timeouts.open,
            origin: Origin::Code,
            is_reload: false,
            shared: RefCell::new(current.shared_instances()),
            succession: Succession::Beside,
            outgoing: Outgoing::default(),
        }
    }

    fn handle(self: &Arc<Self>, slot: Arc<Slot>) -> Region {
        let host: Arc<dyn Any + Send + Sync> = Arc::clone(self) as _;
        Region::new(slot, Arc::clone(&self.engine), host)
    }
}

/// The threads that poll and watch end first: they may hold a backend, which who drops the host closes.
impl Drop for Inner {
    fn drop(&mut self) {
        self.engine.poller.stop();
        self.engine.watchdog.stop();
    }
}

fn is_usable(current: &Snapshot, slot: &Slot) -> bool {
    slot.declared.load(Ordering::SeqCst) || current.region(slot.number).is_some()
}

fn no_such_region(name: &str, slots: &Slots, current: &Snapshot) -> Error {
    let usable = slots.iter().filter(|slot| is_usable(current, slot));
    let mut names: Vec<_> = usable.map(|slot| format!("`{}`", slot.name)).collect();
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
