//! A plan says what a reload would do, and does nothing.

use std::fs;

use dogpile::ChangeKind;

use crate::probe::Log;
use crate::support::{Site, change, contains, library, plugins, until, whole};

const LOG: &str =
    "[regions.probed]\nbackend = \"probe\"\narguments = { log = \"planned\", tag = \"a\" }\n";
const USERS: &str = "[regions.users]\nbackend = \"memory\"\nexpiration_time = 100\n";

#[test]
fn a_plan_says_what_a_reload_does_and_changes_nothing() {
    let pages = "[regions.pages]\nbackend = \"memory\"\n";
    let site = Site::new(&[LOG, USERS, pages].concat());
    let host = site.open_unwatched();
    let before = serde_json::to_value(host.status()).unwrap();
    site.save(
        &[
            &LOG.replace("\"a\"", "\"b\""),
            &USERS.replace("100", "200"),
            "[regions.more]\nbackend = \"null\"\n",
        ]
        .concat(),
    );
    let planned = host.plan().unwrap();
    assert!(planned.changed);
    assert_eq!(change(&planned, "probed").0, ChangeKind::Swapped);
    assert_eq!(change(&planned, "users").0, ChangeKind::Changed);
    assert_eq!(change(&planned, "more").0, ChangeKind::Added);
    assert_eq!(change(&planned, "pages").0, ChangeKind::Removed);
    assert_eq!(serde_json::to_value(host.status()).unwrap(), before);
    let log = Log::named("planned");
    // A copy that was asked to take its arguments on, and a new one.
    until("what was opened aside is closed", || {
        log.closes() == [0, 1, 1]
    });
    contains(
        &planned.to_string(),
        &[
            &format!("would become generation {}\n", planned.generation + 1),
            "\nwould swap region `probed` (arguments.tag), what its old instance holds in this process would be lost\n",
            "\nwould change region `users` (",
            "\nwould add region `more`\n",
            "\nwould remove region `pages`, ",
            "\nnothing was changed",
        ],
    );

    let applied = host.reload().unwrap();
    assert_eq!(applied.changes, planned.changes);
    assert_eq!(applied.generation, planned.generation + 1);
}

#[test]
fn a_plan_of_what_is_in_force_is_empty() {
    let site = Site::new(&[&LOG.replace("planned", "in force"), USERS].concat());
    let host = site.open_unwatched();
    let planned = host.plan().unwrap();
    assert!(!planned.changed, "{planned}");
    contains(&planned.to_string(), &["nothing to change"]);
}

#[test]
fn other_timeouts_of_the_host_are_a_change() {
    let site = Site::new(USERS);
    let host = site.open_unwatched();
    let mut host_table = String::from("[host]");
    for line in ["open_timeout = \"20s\"", "drain_timeout = \"20s\""] {
        host_table.extend(["\n", line]);
        site.replace("dogpile.toml", whole(USERS).replace("[host]", &host_table));
        assert!(host.plan().unwrap().changed, "{line}");
        let applied = host.reload().unwrap();
        assert!(applied.changed, "{line}");
        assert!(!host.reload().unwrap().changed, "{line}");
    }
}

#[test]
fn a_plan_sees_that_a_plugin_was_replaced() {
    let site = Site::empty();
    fs::create_dir(site.path("plugins")).unwrap();
    let memory = fs::read(plugins().join(library("memory"))).unwrap();
    fs::write(site.path("plugins").join(library("memory")), &memory).unwrap();
    site.replace(
        "dogpile.toml",
        format!("version = 1\n[plugins.memory]\n{USERS}"),
    );
    let host = site.open_unwatched();
    assert!(!host.plan().unwrap().changed);
    let other = [&memory[..], b"planned"].concat();
    site.replace(&format!("plugins/{}", library("memory")), other);
    let swapped = (ChangeKind::Swapped, vec!["plugin".to_owned()]);
    assert_eq!(change(&host.plan().unwrap(), "users"), swapped);
    assert_eq!(change(&host.reload().unwrap(), "users"), swapped);
}

#[test]
fn a_plan_is_refused_as_the_reload_would_be() {
    let site = Site::new(USERS);
    let host = site.open_unwatched();
    let _held = host.region("users").unwrap();
    site.save("");
    contains(
        &host.plan().unwrap_err().to_string(),
        &["`users`", "handles"],
    );
    site.save("[regions.users]\nbackend = 5\n");
    contains(
        &host.plan().unwrap_err().to_string(),
        &["dogpile.toml:7:11"],
    );
    site.save(&format!("[plugins.missing]\n{USERS}"));
    contains(&host.plan().unwrap_err().to_string(), &["dogpile.toml:6:"]);
    for (wrong, parts) in [
        ("backend = \"memroy\"\n", ["dogpile.toml:7:11", "`memroy`"]),
        (
            "backend = \"memory\"\nkey_mangler = \"sha\"\n",
            ["dogpile.toml:8:15", "`sha`"],
        ),
        (
            "backend = \"memory\"\narguments.max_entries = 0\n",
            ["dogpile.toml:8:25", "refuses its arguments"],
        ),
    ] {
        site.save(&format!("[regions.users]\n{wrong}"));
        let planned = host.plan().unwrap_err().to_string();
        contains(&planned, &parts);
        assert_eq!(
            host.reload().unwrap_err().to_string(),
            planned,
            "as a reload says"
        );
        site.save(USERS);
        host.reload().unwrap();
    }
    assert_eq!(
        host.status().last_error,
        None,
        "only a reload is remembered"
    );
}
