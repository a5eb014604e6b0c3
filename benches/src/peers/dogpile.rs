use dogpile::{Host, Region, RegionConfig};

use super::{Cached, Peer};
use crate::workload::TTL;

const REGION: &str = "bench";

/// A region as an application has it: `region.get_or_create`, for serde types, on the backend `memory`, which keeps
/// them as objects by default. Everything is on: statistics, the panic barrier, the live snapshot.
pub(crate) struct Dogpile {
    region: Region,
    _host: Host,
}

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

fn host(capacity: usize) -> dogpile::Result<Host> {
    let Some(plugins) = std::env::var_os(PLUGINS) else {
        return linked(capacity);
    };
    let manifest = std::env::temp_dir().join(format!("dogpile-bench-{}.toml", std::process::id()));
    let text = format!(
        r#"
version = 1
[host]
plugin_dir = "{}"
[plugins.memory]
[regions.{REGION}]
backend = "memory"
expiration_time = {}
[regions.{REGION}.arguments]
max_entries = {capacity}
"#,
        plugins.display(),
        TTL.as_secs(),
    );
    std::fs::write(&manifest, text).expect("the temporary folder can be written");
    let host = Host::builder().manifest(&manifest).watch(false).build();
    std::fs::remove_file(&manifest).expect("it was just written");
    host
}

fn linked(capacity: usize) -> dogpile::Result<Host> {
    Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .region(
            RegionConfig::on(REGION, "memory")
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
            region: host.region(REGION).expect("the region is configured"),
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
