//! The first-party proxies as loaded libraries, around a loaded backend.

#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;

use dogpile::{Host, Region};
use dogpile_tests::plugin_file;

const LONG: usize = 10_000;

fn manifest(folder: &Path, proxies: &str) {
    let plugins = plugin_file("memory");
    let plugins = plugins.parent().expect("it lies in a folder").display();
    let text = format!(
        "version = 1\n[host]\nplugin_dir = \"{plugins}\"\n[plugins.memory]\n[plugins.proxies]\n\
         [regions.pages]\nbackend = \"memory\"\nexpiration_time = \"1h\"\n{proxies}\n"
    );
    fs::write(folder.join("dogpile.toml"), text).unwrap();
}

/// How much the region's backend holds, in bytes.
fn held(pages: &Region) -> u64 {
    let stats = pages.backend_stats().unwrap();
    stats.bytes.expect("memory knows")
}

#[test]
fn values_are_compressed_in_another_library_and_outlive_the_proxy() {
    plugin_file("proxies");
    let folder = tempfile::tempdir().unwrap();
    manifest(folder.path(), "proxies = [\"log\"]");
    let host = Host::builder()
        .manifest(folder.path().join("dogpile.toml"))
        .watch(false)
        .build()
        .unwrap();
    let pages = host.region("pages").unwrap();
    let long = "a page ".repeat(LONG);
    // An object, through a proxy of another image than its host's and its backend's.
    pages.set("object", long.clone()).unwrap();
    assert_eq!(
        pages.get::<String>("object").unwrap().as_deref(),
        Some(&long)
    );
    pages.delete("object").unwrap();

    manifest(folder.path(), "arguments = { storage = \"bytes\" }");
    host.reload().unwrap();
    pages.set("plain", long.clone()).unwrap();
    let plain = held(&pages);
    assert!(plain > LONG as u64 * 7, "{plain}");

    manifest(
        folder.path(),
        "proxies = [\"log\", \"zstd\"]\narguments = { storage = \"bytes\" }",
    );
    host.reload().unwrap();
    assert_eq!(
        pages.get::<String>("plain").unwrap().as_deref(),
        Some(&long)
    );
    pages.set("packed", long.clone()).unwrap();
    assert!(held(&pages) - plain < LONG as u64, "{}", held(&pages));
    assert_eq!(
        pages.get::<String>("packed").unwrap().as_deref(),
        Some(&long)
    );
    let keys = ["plain", "packed", "missing"];
    let many = pages.get_multi::<String, _>(&keys).unwrap();
    let found: Vec<_> = many.iter().map(Option::is_some).collect();
    assert_eq!(found, [true, true, false]);

    // Without the proxy, what it compressed is a miss, and is replaced.
    manifest(folder.path(), "arguments = { storage = \"bytes\" }");
    host.reload().unwrap();
    assert_eq!(
        pages.get::<String>("plain").unwrap().as_deref(),
        Some(&long)
    );
    assert!(pages.get::<String>("packed").unwrap().is_none());
    let damaged = pages.stats().misses[&dogpile::MissReason::Damaged];
    assert_eq!(damaged, 1);
    pages.get_or_create("packed", || "anew".to_owned()).unwrap();
    let anew = pages.get::<String>("packed").unwrap();
    assert_eq!(anew.as_deref().map(String::as_str), Some("anew"));
}
