//! A manifest that somebody else can write is not believed, nor what it includes, nor a plugin.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use dogpile::{ErrorKind, Host, Trust};

use crate::support::{Site, contains, library, plugins, refusal, until, whole};

pub(crate) fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn strict(site: &Site) -> dogpile::HostBuilder {
    site.builder().trust(Trust::Strict)
}

#[test]
fn a_manifest_that_others_can_write_opens_nothing() {
    let site = Site::new("[regions.users]\nbackend = \"memory\"\n");
    mode(&site.manifest(), 0o666);
    let error = strict(&site).build().err().expect("it is refused");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let file = site.manifest();
    let remedy = format!("chmod go-w {}", file.display());
    contains(
        &error.to_string(),
        &[
            "the manifest is not trusted",
            "its group and everybody (mode 0666)",
            &remedy,
        ],
    );
    mode(&file, 0o664);
    contains(
        &strict(&site).build().err().unwrap().to_string(),
        &["can be written by its group", "DOGPILE_TRUST=owner"],
    );
    site.builder().trust(Trust::Owner).build().unwrap();
    mode(&file, 0o666);
    site.builder().trust(Trust::Off).build().unwrap();
    mode(&file, 0o600);
    strict(&site).build().unwrap();
}

#[test]
fn an_included_file_that_others_can_write_is_refused_where_it_is_named() {
    let site = Site::empty();
    fs::write(
        site.path("more.toml"),
        "[regions.more]\nbackend = \"null\"\n",
    )
    .unwrap();
    mode(&site.path("more.toml"), 0o646);
    let manifest = whole("").replace("[host]", "include = [\"more.toml\"]\n[host]");
    site.replace("dogpile.toml", manifest);
    let text = strict(&site).build().err().unwrap().to_string();
    contains(
        &text,
        &["dogpile.toml:2:", "more.toml` is not trusted", "chmod o-w"],
    );
    mode(&site.path("more.toml"), 0o644);
    strict(&site).build().unwrap().region("more").unwrap();
}

#[test]
fn a_live_host_goes_on_with_what_it_has_until_the_mode_is_right_again() {
    let site = Site::new("[regions.users]\nbackend = \"memory\"\n");
    let host = strict(&site).build().unwrap();
    let users = host.region("users").unwrap();
    users.set("a", 1).unwrap();
    let generation = host.status().generation;
    mode(&site.manifest(), 0o666);
    Site::refused(&host, "is not trusted");
    refusal(&host);
    assert_eq!(users.get::<i32>("a").unwrap().as_deref(), Some(&1));
    mode(&site.manifest(), 0o644);
    until("it is right again", || host.status().last_error.is_none());
    assert_eq!(host.status().generation, generation);
    assert_eq!(users.get::<i32>("a").unwrap().as_deref(), Some(&1));
}

/// A site with copies of its plugins.
fn with_copies(rest: &str) -> Site {
    let site = Site::empty();
    fs::create_dir(site.path("plugins")).unwrap();
    mode(&site.path("plugins"), 0o755);
    for name in ["memory", "null"] {
        let copy = site.path("plugins").join(library(name));
        fs::copy(plugins().join(library(name)), &copy).unwrap();
        mode(&copy, 0o755);
    }
    let regions = "[regions.users]\nbackend = \"memory\"\n[regions.no]\nbackend = \"null\"\n";
    let manifest = format!("version = 1\n[plugins.null]\n[plugins.memory]\n{rest}{regions}");
    site.replace("dogpile.toml", manifest);
    site
}

#[test]
fn a_plugin_that_others_can_write_is_refused_at_its_name_and_all_of_them_are_told() {
    let site = with_copies("");
    let host = strict(&site).build().unwrap();
    let users = host.region("users").unwrap();
    users.set("a", 1).unwrap();
    for name in ["memory", "null"] {
        mode(&site.path("plugins").join(library(name)), 0o777);
    }
    let text = refusal(&host);
    contains(
        &text,
        &["dogpile.toml:2:", "dogpile.toml:3:", "(mode 0777)", "--pin"],
    );
    assert_eq!(users.get::<i32>("a").unwrap().as_deref(), Some(&1));
    for name in ["memory", "null"] {
        mode(&site.path("plugins").join(library(name)), 0o755);
    }
    until("it is right again", || host.status().last_error.is_none());
    assert_eq!(users.get::<i32>("a").unwrap().as_deref(), Some(&1));
}

#[test]
fn a_pinned_plugin_may_be_anybodys_and_no_other_file_takes_its_place() {
    let unpinned = with_copies("");
    let digest = |host: &Host| {
        let plugins = host.plugins();
        let memory = plugins.iter().find(|plugin| plugin.name == "memory");
        memory.unwrap().sha256.clone().unwrap()
    };
    let sha256 = digest(&strict(&unpinned).build().unwrap());
    let site = with_copies(&format!("sha256 = \"{sha256}\"\n"));
    let memory = site.path("plugins").join(library("memory"));
    mode(&memory, 0o777);
    let host = strict(&site).build().unwrap();
    assert_eq!(digest(&host), sha256);
    // Even where everything is trusted.
    let mut other = fs::read(&memory).unwrap();
    other.push(0);
    site.replace(&format!("plugins/{}", library("memory")), other);
    let text = refusal(&host);
    contains(&text, &["dogpile.toml:3:", &sha256, "is expected"]);
    let error = site.builder().trust(Trust::Off).build().err().unwrap();
    contains(&error.to_string(), &[&sha256]);
}
