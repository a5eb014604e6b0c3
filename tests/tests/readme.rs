//! What the README shows is what runs, and the plugin of the guide for plugin authors and of the plugin interface's own README.
//! The README's Rust is run as a documentation test of this crate.

#![forbid(unsafe_code)]

use std::fs;

use dogpile::Host;
use dogpile_tests::plugin_file;

const README: &str = include_str!("../../README.md");
const GUIDE: &str = include_str!("../../docs/for-plugin-authors.md");
const OF_INTERFACE: &str = include_str!("../../plugin-api/README.md");
const PLUGIN: &str = include_str!("../fixtures/readme_plugin/src/lib.rs");

/// The fenced blocks of that language.
fn blocks(page: &'static str, language: &str) -> Vec<&'static str> {
    let start = format!("```{language}\n");
    let mut blocks = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find(&start) {
        let block = &rest[at + start.len()..];
        let end = block.find("```").expect("a block has an end");
        blocks.push(&block[..end]);
        rest = &block[end..];
    }
    blocks
}

#[test]
fn the_plugin_is_the_one_that_the_tests_build() {
    for page in [GUIDE, OF_INTERFACE] {
        assert_eq!(blocks(page, "rust,ignore"), [PLUGIN]);
    }
    let lines = PLUGIN.lines().filter(|line| !line.is_empty()).count();
    assert!(lines <= 25, "{lines} lines");
}

#[test]
fn the_manifest_opens() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("plugins")).unwrap();
    for plugin in ["memory", "manglers", "proxies"] {
        let file = plugin_file(plugin);
        let beside = folder
            .path()
            .join("plugins")
            .join(file.file_name().unwrap());
        fs::copy(&file, beside).unwrap();
    }
    let manifest = folder.path().join("dogpile.toml");
    fs::write(&manifest, blocks(README, "toml")[0]).unwrap();
    let host = Host::open(&manifest).unwrap();
    let users = host.region("users").unwrap();
    assert_eq!(*users.get_or_create("user:42", || 42).unwrap(), 42);
    assert_eq!(users.get::<i32>("user:42").unwrap().as_deref(), Some(&42));
}
