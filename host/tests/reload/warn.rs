//! What is applied, but probably not meant, is told with the outcome.

use std::time::{SystemTime, UNIX_EPOCH};

use dogpile::admin::{AdminSocket, Client};

use crate::support::{Site, contains, until, whole};

const USERS: &str = "[regions.users]\nbackend = \"memory\"\nexpiration_time = 100\n";

#[test]
fn an_admin_socket_that_moves_is_told_to_be_for_the_next_start() {
    let site = Site::empty();
    let save = |socket: &str, rest: &str| {
        let host = format!("[host]\nadmin_socket = \"{socket}\"");
        site.replace("dogpile.toml", whole(rest).replace("[host]", &host));
    };
    save("a.sock", USERS);
    let listening = |socket| site.builder().watch(false).admin_socket(socket);
    let host = listening(AdminSocket::Auto).build().unwrap();
    assert_eq!(host.reload().unwrap().warnings, [""; 0]);

    save("b.sock", USERS);
    for reload in [host.plan().unwrap(), host.reload().unwrap()] {
        contains(
            &reload.warnings.concat(),
            &["dogpile.toml:3:16: warning: ", "\"b.sock\"", "starts again"],
        );
    }
    assert!(Client::connect_to(site.path("a.sock")).unwrap().is_some());
    save("a.sock", USERS);
    assert_eq!(host.reload().unwrap().warnings, [""; 0]);
    drop(host);

    // Where the program says where it listens, the manifest does not matter.
    let host = listening(AdminSocket::At(site.path("c.sock")))
        .build()
        .unwrap();
    save("b.sock", USERS);
    assert_eq!(host.reload().unwrap().warnings, [""; 0]);
}

#[test]
fn the_warnings_of_a_manifest_are_in_the_outcome() {
    let site = Site::new("[regions.users]\nbackend = \"memory\"\n");
    let host = site.open_unwatched();
    let warnings = host.reload().unwrap().warnings;
    contains(
        &warnings.concat(),
        &["dogpile.toml:6:1: warning: ", "no `expiration_time`"],
    );
}

#[test]
fn a_hang_after_that_has_no_effect_is_told_where_it_stands() {
    let probe = |more: &str, hang_after: &str| {
        format!(
            "[regions.a]\nbackend = \"probe\"\nexpiration_time = 1\n{hang_after}arguments = {{ log = \"hang after\", {more} }}\n"
        )
    };
    let slow = "longest_call = 3000";
    let site = Site::new(&probe(slow, ""));
    let host = site.open_unwatched();
    // The default is nobody's wish.
    assert_eq!(host.reload().unwrap().warnings, [""; 0]);
    site.save(&probe(slow, "hang_after = \"3s\"\n"));
    for reload in [host.plan().unwrap(), host.reload().unwrap()] {
        assert_eq!(reload.warnings.len(), 1);
        contains(
            &reload.warnings[0],
            &[
                "dogpile.toml:9:14: warning: `hang_after` has no effect below 4s: backend `probe`",
                "write \"4s\" or more",
            ],
        );
    }
    site.save(&probe(slow, "hang_after = \"4s\"\n"));
    assert_eq!(host.reload().unwrap().warnings, [""; 0]);
    site.save(&probe("tag = \"b\"", "hang_after = \"1s\"\n"));
    assert_eq!(host.reload().unwrap().warnings, [""; 0]);
}

#[test]
fn a_reload_that_changes_nothing_is_no_new_load() {
    let site = Site::new(USERS);
    let host = site.open_unwatched();
    let loaded_at = host.status().loaded_at;
    let second = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs()
    };
    let began = second();
    until("the time has another second", || second() > began);
    assert!(!host.reload().unwrap().changed);
    assert_eq!(host.status().loaded_at, loaded_at);
    site.save(&USERS.replace("100", "200"));
    assert!(host.reload().unwrap().changed);
    assert_ne!(host.status().loaded_at, loaded_at);
}
