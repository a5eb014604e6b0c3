//! Where pages are kept.

use std::time::Duration;

use dogpile::{Host, HostBuilder, RegionConfig, SerializerKind, TemplatesConfig};
use dogpile_templates::ViewCache;
use tempfile::TempDir;

use crate::redis;
use crate::server::Server;

const HOUR: Duration = Duration::from_hours(1);

/// A host with a region for each backend, by its name.
pub(super) struct Stores {
    pub(super) cache: ViewCache,
    pub(super) regions: Vec<&'static str>,
    _host: Host,
    _server: Option<Server>,
    _folder: TempDir,
}

fn region(backend: &str) -> RegionConfig {
    RegionConfig::on(backend, backend).expiration_time(HOUR)
}

impl Stores {
    /// Of `memory` alone.
    pub(super) fn in_memory() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let builder = Host::builder().plugin(dogpile_plugin_memory::plugin());
        Self::of(builder, vec!["memory"], None, folder)
    }

    pub(super) fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // Of texts, the serializer that leaves them as they are.
        let dbm = region("dbm")
            .argument(
                "filename",
                folder.path().join("pages").display().to_string(),
            )
            .serializer(SerializerKind::Raw);
        let mut builder = Host::builder()
            .plugin(dogpile_plugin_memory::plugin())
            .plugin(dogpile_plugin_dbm::plugin())
            .plugin(dogpile_plugin_redis::plugin())
            .region(dbm);
        let mut regions = vec!["memory", "dbm"];
        let server = match redis::start() {
            Ok(server) => {
                let redis = region("redis")
                    .argument("host", "127.0.0.1")
                    .argument("port", server.port)
                    .serializer(SerializerKind::Raw);
                builder = builder.region(redis);
                regions.push("redis");
                Some(server)
            }
            Err(missing) => {
                println!("redis is left out: {missing}\n");
                None
            }
        };
        Self::of(builder, regions, server, folder)
    }

    fn of(
        builder: HostBuilder,
        regions: Vec<&'static str>,
        server: Option<Server>,
        folder: TempDir,
    ) -> Self {
        let host = builder
            .plugin(dogpile_plugin_template_cache::plugin())
            .templates(TemplatesConfig::new("template-cache"))
            .region(region("memory"))
            .build()
            .expect("a host");
        Self {
            cache: ViewCache::new(&host),
            regions,
            _host: host,
            _server: server,
            _folder: folder,
        }
    }
}
