use dogpile::{Host, Region, RegionConfig};

use super::{Cached, Peer};
use crate::workload::TTL;

/// A region as an application has it: `region.get_or_create`, for serde types, on the backend `memory`, which keeps
/// them as objects by default. Everything is on: statistics, the panic barrier, the live snapshot.
pub(crate) struct Dogpile {
    region: Region,
    _host: Host,
}

/// The backend goes through the same table of `extern "C"` functions whether the plugin is linked in or loaded.
fn host(capacity: usize) -> dogpile::Result<Host> {
    Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .region(
            RegionConfig::on("bench", "memory")
                .expiration_time(TTL)
                .argument("max_entries", capacity),
        )
        .build()
}

impl<V: Cached> Peer<V> for Dogpile {
    type Held = dogpile::Cached<V>;

    fn new(capacity: usize) -> Self {
        let host = host(capacity).expect("the host starts");
        Self {
            region: host.region("bench").expect("the region is configured"),
            _host: host,
        }
    }

    #[inline]
    fn get_or_create(&self, key: &str, create: impl FnOnce() -> V) -> Self::Held {
        self.region
            .get_or_create(key, create)
            .expect("memory does not fail")
    }

    fn set(&self, key: &str, value: V) {
        self.region.set(key, value).expect("memory does not fail");
    }

    fn entries(&self) -> u64 {
        let stats = self.region.backend_stats().expect("memory does not fail");
        stats.entries.expect("memory knows its entries")
    }
}
