//! Regions of a manifest, whose plugin is a file.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use dogpile::{Host, Region};
use dogpile_tests::memcached_server::MemcachedServer;
use dogpile_tests::plugin_file;
use tempfile::TempDir;

use crate::raw::Raw;

/// A manifest with a region of each backend.
fn manifest(server: &MemcachedServer) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let plugins = plugin_file("memcached");
    let (plugins, url) = (plugins.parent().unwrap().display(), server.url());
    let mut text =
        format!("version = 1\n[host]\nplugin_dir = \"{plugins}\"\n[plugins.memcached]\n");
    for backend in ["memcached", "memcached_ketama", "memcached_binary"] {
        let region = format!(
            "[regions.{backend}]\nbackend = \"{backend}\"\nexpiration_time = \"5m\"\nkey_prefix = \"{backend}:\"\n\
             [regions.{backend}.arguments]\nurl = [\"{url}\"]\nlock_timeout = 5\n"
        );
        text.push_str(&region);
    }
    fs::write(folder.path().join("dogpile.toml"), text).unwrap();
    folder
}

#[test]
fn hosts_that_load_the_plugin_share_values_and_create_each_once() {
    let server = MemcachedServer::start(&[]);
    let folder = manifest(&server);
    let hosts = [(); 2].map(|()| Host::open(folder.path().join("dogpile.toml")).unwrap());
    for backend in ["memcached", "memcached_ketama", "memcached_binary"] {
        let regions: [Region; 2] = hosts.each_ref().map(|host| host.region(backend).unwrap());
        let created = AtomicU32::new(0);
        thread::scope(|scope| {
            for region in &regions {
                for _ in 0..8 {
                    scope.spawn(|| {
                        let got =
                            region.get_or_create("key", || created.fetch_add(1, Ordering::SeqCst));
                        assert_eq!(*got.unwrap(), 0);
                    });
                }
            }
        });
        assert_eq!(created.into_inner(), 1, "{backend}");
        let stored = Raw::to(&server).text(&format!("{backend}:key")).unwrap();
        assert!(
            stored.starts_with("{\"ct\":") && stored.ends_with("|0"),
            "{stored}"
        );
        let [one, other] = &regions;
        let keys = ["key", "a", "b", "c"];
        let all = one.get_or_create_multi(&keys, |missing| {
            missing.iter().map(|key| (*key, 7_u32)).collect::<Vec<_>>()
        });
        let all: Vec<u32> = all
            .unwrap()
            .into_iter()
            .map(|value| *value.unwrap())
            .collect();
        assert_eq!(all, [0, 7, 7, 7], "{backend}");
        other.delete_multi(&keys).unwrap();
        assert!(
            one.get_multi::<u32, _>(&keys)
                .unwrap()
                .iter()
                .all(Option::is_none)
        );
        // What memcached cannot hold is an error of the backend's, which this region goes on without.
        assert_eq!(*one.get_or_create("a b", || 1_u32).unwrap(), 1);
    }
}
