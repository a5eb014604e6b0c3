use std::ffi::OsStr;
use std::time::Duration;

use dogpile::{Host, MaxStale, Region, RegionConfig};

use super::{Cached, Peer};
use crate::workload::TTL;

const REGION: &str = "bench";

/// A region as an application has it: `region.get_or_create`, for serde types, on the backend `memory`, which keeps
/// them as objects by default. Everything is on: statistics, the panic barrier, the live snapshot.
pub(crate) struct Dogpile(Region);

/// The folder of the built plugins, which `cargo xtask bench` names. Without it the plugin is linked in; its calls go
/// through the same table of `extern "C"` functions.
const PLUGINS: &str = "DOGPILE_BENCH_PLUGINS";

/// How the backend comes into this process.
pub(crate) fn how() -> &'static str {
    match std::env::var_os(PLUGINS) {
        Some(_) => "its backend loaded from a dynamic library",
        None => "its backend linked in",
    }
}

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
    let host = match std::env::var_os(PLUGINS) {
        Some(plugins) => loaded(&plugins, settings),
        None => linked(settings),
    };
    let host = host.expect("the host starts");
    host.region(REGION).expect("the region is configured")
}

fn loaded(plugins: &OsStr, settings: &Settings) -> dogpile::Result<Host> {
    let manifest = std::env::temp_dir().join(format!("dogpile-bench-{}.toml", std::process::id()));
    let text = format!(
        r#"
version = 1
[host]
plugin_dir = "{}"
[plugins.memory]
[regions.{REGION}]
backend = "memory"
expiration_time = "{}ms"
max_stale = "{}ms"
background_refresh = {}
[regions.{REGION}.arguments]
max_entries = {}
"#,
        plugins.display(),
        settings.expiration_time.as_millis(),
        settings.max_stale.as_millis(),
        settings.background_refresh,
        settings.capacity,
    );
    std::fs::write(&manifest, text).expect("the temporary folder can be written");
    let host = Host::builder().manifest(&manifest).watch(false).build();
    std::fs::remove_file(&manifest).expect("it was just written");
    host
}

fn linked(settings: &Settings) -> dogpile::Result<Host> {
    let mut region = RegionConfig::on(REGION, "memory")
        .expiration_time(settings.expiration_time)
        .max_stale(MaxStale::For(settings.max_stale))
        .argument("max_entries", settings.capacity);
    region.background_refresh = settings.background_refresh;
    Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .region(region)
        .build()
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
