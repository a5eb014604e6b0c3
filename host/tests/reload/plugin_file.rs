//! A plugin's file that is replaced is new code for the regions that use it, and for nobody else.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use dogpile::{Host, HostStatus};

use crate::support::{Site, for_a_while, library, plugins, until};

const REGIONS: &str = "version = 1\n[plugins.memory]\n[plugins.null]\n\
    [regions.users]\nbackend = \"memory\"\n[regions.nothing]\nbackend = \"null\"\n";

/// With copies of the plugins that may be changed.
fn site() -> (Site, PathBuf) {
    let site = Site::empty();
    fs::create_dir(site.path("plugins")).unwrap();
    for name in ["memory", "null"] {
        let copy = site.path("plugins").join(library(name));
        fs::copy(plugins().join(library(name)), copy).unwrap();
    }
    site.replace("dogpile.toml", REGIONS);
    let memory = site.path("plugins").join(library("memory"));
    (site, memory)
}

/// The memory plugin in other bytes: what follows the ELF file means nothing.
fn other(mark: &str) -> Vec<u8> {
    let memory = fs::read(plugins().join(library("memory"))).unwrap();
    [&memory[..], mark.as_bytes()].concat()
}

fn image(status: &HostStatus, name: &str) -> u64 {
    let plugin = status.plugins.iter().find(|plugin| plugin.name == name);
    plugin.unwrap().generation
}

#[test]
fn a_plugin_renamed_over_the_old_one_is_loaded() {
    let (site, _) = site();
    let host = Host::open(site.manifest()).unwrap();
    let users = host.region("users").unwrap();
    for turn in 0..3 {
        users.set("a", turn).unwrap();
        let before = host.status();
        let name = format!("plugins/{}", library("memory"));
        site.replace(&name, other(&format!("renamed over {turn}")));
        until("the new code is loaded", || {
            image(&host.status(), "memory") > image(&before, "memory")
        });
        let after = host.status();
        assert_eq!(after.generation, before.generation + 1);
        assert_eq!(image(&after, "null"), image(&before, "null"));
        assert!(users.get::<i32>("a").unwrap().is_none());
    }
}

#[test]
fn a_plugin_that_is_copied_slowly_is_loaded_when_it_is_whole() {
    let (site, memory) = site();
    let host = Host::open(site.manifest()).unwrap();
    let before = host.status();
    let bytes = other("copied slowly");
    let mut file = fs::File::create(&memory).unwrap();
    for piece in bytes.chunks(bytes.len().div_ceil(10)) {
        file.write_all(piece).unwrap();
        thread::sleep(Duration::from_millis(30));
    }
    drop(file);
    until("the new code is loaded", || {
        image(&host.status(), "memory") > image(&before, "memory")
    });
    assert_eq!(host.status().last_error, None);
}

#[test]
fn a_plugin_that_goes_leaves_what_is_loaded_at_work() {
    let (site, memory) = site();
    let host = Host::open(site.manifest()).unwrap();
    let users = host.region("users").unwrap();
    users.set("a", 1).unwrap();
    let before = host.status();
    fs::remove_file(&memory).unwrap();
    Site::refused(&host, &library("memory"));
    assert_eq!(users.get::<i32>("a").unwrap().as_deref(), Some(&1));
    // The same bytes again are the same code.
    fs::copy(plugins().join(library("memory")), &memory).unwrap();
    until("the error is gone", || host.status().last_error.is_none());
    let after = host.status();
    assert_eq!(after.generation, before.generation);
    assert_eq!(image(&after, "memory"), image(&before, "memory"));
    assert_eq!(users.get::<i32>("a").unwrap().as_deref(), Some(&1));
}

#[test]
fn a_plugin_that_is_not_listed_is_not_loaded() {
    let (site, _) = site();
    let host = Host::open(site.manifest()).unwrap();
    let before = host.status();
    let manglers = library("manglers");
    fs::copy(
        plugins().join(&manglers),
        site.path("plugins").join(&manglers),
    )
    .unwrap();
    for_a_while("dropping it in does nothing", || {
        let now = host.status();
        now.generation == before.generation && now.plugins.len() == 2
    });
}

#[test]
fn a_plugin_that_is_listed_under_another_name_keeps_its_instances() {
    let (site, _) = site();
    let host = Host::open(site.manifest()).unwrap();
    let users = host.region("users").unwrap();
    users.set("a", 1).unwrap();
    let file = library("memory");
    site.replace(
        "dogpile.toml",
        REGIONS.replace(
            "[plugins.memory]",
            &format!("[plugins.ram]\nfile = \"{file}\""),
        ),
    );
    let status = site.applied(&host);
    assert!(status.plugins.iter().any(|plugin| plugin.name == "ram"));
    assert_eq!(users.get::<i32>("a").unwrap().as_deref(), Some(&1));
}
