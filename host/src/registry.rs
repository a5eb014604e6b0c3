//! What all regions are at a moment: one immutable snapshot, replaced as a whole.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use dogpile_lock::Expiry;
use dogpile_plugin_api::ManglerInstance;
use parking_lot::{Mutex, MutexGuard};

use crate::instance::Instance;
use crate::manifest::{MaxStale, RegionConfig};
use crate::region::Slot;
use crate::{Error, ErrorKind, Result};

/// All regions, by the number of their slot. A reader takes one and finishes on it.
#[derive(Clone, Default)]
pub(crate) struct Snapshot {
    pub(crate) generation: u64,
    regions: Vec<Option<Configured>>,
}

/// A region as configured.
#[derive(Clone)]
pub(crate) struct Configured {
    pub(crate) instance: Arc<Instance>,
    pub(crate) slot: Arc<Slot>,
    pub(crate) expiry: Expiry,
    pub(crate) config: Arc<RegionConfig>,
    pub(crate) manglers: Arc<[Arc<ManglerInstance>]>,
    /// Neither manglers nor a prefix: keys go to the backend as they are.
    pub(crate) plain_keys: bool,
}

impl Configured {
    pub(crate) fn new(
        config: Arc<RegionConfig>,
        slot: Arc<Slot>,
        instance: Arc<Instance>,
        manglers: Arc<[Arc<ManglerInstance>]>,
    ) -> Self {
        let nanoseconds =
            |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Self {
            expiry: Expiry {
                expiration_time: config.expiration_time.map_or(u64::MAX, nanoseconds),
                max_stale: match config.max_stale {
                    MaxStale::For(limit) => nanoseconds(limit),
                    MaxStale::Forever => u64::MAX,
                },
            },
            plain_keys: manglers.is_empty() && config.key_prefix.is_empty(),
            instance,
            slot,
            config,
            manglers,
        }
    }
}

impl Snapshot {
    #[inline]
    pub(crate) fn region(&self, slot: usize) -> Option<&Configured> {
        self.regions.get(slot)?.as_ref()
    }

    pub(crate) fn regions(&self) -> impl Iterator<Item = &Configured> {
        self.regions.iter().flatten()
    }

    pub(crate) fn put(&mut self, region: Configured) {
        let slot = region.slot.number;
        if self.regions.len() <= slot {
            self.regions.resize_with(slot + 1, || None);
        }
        self.regions[slot] = Some(region);
    }

    pub(crate) fn remove(&mut self, slot: usize) {
        if let Some(region) = self.regions.get_mut(slot) {
            *region = None;
        }
    }
}

/// The current snapshot, and a slot for every region name ever used.
pub(crate) struct Registry {
    current: ArcSwap<Snapshot>,
    slots: Mutex<Slots>,
}

/// A slot's number never changes, so a handle finds its region by number in whatever snapshot is current.
#[derive(Default)]
pub(crate) struct Slots {
    by_name: HashMap<String, Arc<Slot>>,
}

impl Slots {
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Slot>> {
        self.by_name.get(name).cloned()
    }

    pub(crate) fn get_or_add(&mut self, name: &str) -> Arc<Slot> {
        let number = self.by_name.len();
        let add = || Arc::new(Slot::new(number, name));
        Arc::clone(self.by_name.entry(name.to_owned()).or_insert_with(add))
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self {
            current: ArcSwap::from_pointee(Snapshot::default()),
            slots: Mutex::default(),
        }
    }

    /// The current snapshot, for the length of one backend call.
    #[inline]
    pub(crate) fn load(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// The slots, for who adds handles or changes regions: one at a time.
    pub(crate) fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock()
    }

    /// Replaces the snapshot; the slots' lock shows that nobody else does so meanwhile. Gives the old one.
    pub(crate) fn replace(&self, _: &MutexGuard<'_, Slots>, mut next: Snapshot) -> Arc<Snapshot> {
        next.generation = self.current.load().generation + 1;
        self.current.swap(Arc::new(next))
    }
}

/// The error of a region that is not configured.
#[cold]
pub(crate) fn not_configured(name: &str) -> Error {
    Error::new(
        ErrorKind::RegionNotConfigured,
        format!(
            "region `{name}` is not configured yet; configure it in code or list it in the manifest"
        ),
    )
}

/// The region, or [`not_configured`].
#[inline]
pub(crate) fn configured<'a>(snapshot: &'a Snapshot, slot: &Slot) -> Result<&'a Configured> {
    snapshot
        .region(slot.number)
        .ok_or_else(|| not_configured(&slot.name))
}
