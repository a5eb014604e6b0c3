use std::time::Duration;

use dogpile::{MaxStale, Region, RegionConfig};

use super::{Cached, Peer};
use crate::plugins;
use crate::workload::TTL;

/// A region as an application has it: `region.get_or_create`, for serde types, on the backend `memory`, which keeps
/// them as objects by default. Everything is on: statistics, the panic barrier, the live snapshot.
pub(crate) struct Dogpile(Region);

/// What differs between regions.
pub(crate) struct Settings {
    pub(crate) capacity: usize,
    pub(crate) expiration_time: Duration,
    pub(crate) max_stale: Duration,
    pub(crate) background_refresh: bool,
}

impl Settings {
    /// For so many entries, which do not expire.
    pub(crate) fn of(capacity: usize) -> Self {
        Self {
            capacity,
            expiration_time: TTL,
            max_stale: TTL,
            background_refresh: false,
        }
    }
}

/// A region of its own, which keeps its host.
pub(crate) fn open(settings: &Settings) -> Region {
    let mut region = RegionConfig::on("bench", "memory")
        .expiration_time(settings.expiration_time)
        .max_stale(MaxStale::For(settings.max_stale))
        .argument("max_entries", settings.capacity);
    region.background_refresh = settings.background_refresh;
    let host = plugins::host("memory", dogpile_plugin_memory::plugin);
    host.configure(region).expect("memory is opened")
}

impl<V: Cached> Peer<V> for Dogpile {
    type Held = dogpile::Cached<V>;

    fn new(capacity: usize) -> Self {
        Self(open(&Settings::of(capacity)))
    }

    #[inline]
    fn get_or_create(&self, key: &str, create: impl FnOnce() -> V) -> Self::Held {
        self.0
            .get_or_create(key, create)
            .expect("memory does not fail")
    }

    fn set(&self, key: &str, value: V) {
        self.0.set(key, value).expect("memory does not fail");
    }

    fn entries(&self) -> u64 {
        let stats = self.0.backend_stats().expect("memory does not fail");
        stats.entries.expect("memory knows its entries")
    }
}
