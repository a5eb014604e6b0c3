//! What is refused changes nothing: the last good manifest stays in force, and the next good one is applied.

use std::fs;
use std::process::Command;

use dogpile::{ErrorKind, Host};

use crate::probe::Log;
use crate::support::{Site, contains, library, plugins, refusal, until, whole};

const USERS: &str = "[regions.users]\nbackend = \"memory\"\nexpiration_time = 100\n";

/// Saves each, and asserts that it is refused with all of its parts, and that what follows is applied.
fn each_is_refused(cases: &[(&str, &[&str])]) {
    let site = Site::new(USERS);
    let host = site.open_unwatched();
    let users = host.region("users").unwrap();
    users.set("a", 1).unwrap();
    for (number, (rest, parts)) in cases.iter().enumerate() {
        let before = host.status().generation;
        site.save(rest);
        contains(&refusal(&host), parts);
        assert_eq!(users.get::<i32>("a").unwrap().as_deref(), Some(&1));
        site.save(&USERS.replace("100", &(101 + number).to_string()));
        assert_eq!(host.reload().unwrap().generation, before + 1);
        assert_eq!(host.status().last_error, None);
        assert_eq!(users.get::<i32>("a").unwrap().as_deref(), Some(&1));
    }
}

#[test]
fn a_broken_manifest_keeps_the_last_good_one_until_the_next() {
    let site = Site::new(USERS);
    let host = site.open();
    let users = host.region("users").unwrap();
    users.set("a", 1).unwrap();
    let before = host.status();
    for (turn, broken) in [
        "",
        "version = 1\n[regions.users]\nbackend = ",
        "[regions.users",
        "version = 2\n",
        "\u{0}",
        "\u{feff}garbage",
    ]
    .into_iter()
    .enumerate()
    {
        site.replace("dogpile.toml", broken);
        let error = Site::refused(&host, "dogpile.toml");
        let status = host.status();
        assert_eq!(
            status.generation,
            before.generation + turn as u64,
            "{error}"
        );
        assert_eq!(*users.get_or_create("a", || 2).unwrap(), 1);
        site.save(&USERS.replace("100", &format!("{}", 101 + turn)));
        assert_eq!(site.applied(&host).last_error, None);
    }
}

#[test]
fn the_error_goes_when_the_last_good_manifest_comes_back() {
    let site = Site::new(USERS);
    let host = site.open();
    let before = host.status();
    site.save("[regions.users]\nbackend = \"nosuch\"\n");
    Site::refused(&host, "`nosuch`");
    site.save(USERS);
    until("the error is gone", || host.status().last_error.is_none());
    let after = host.status();
    assert_eq!(after.manifest_hash, before.manifest_hash);
    assert_eq!(after.generation, before.generation, "nothing has changed");
}

#[test]
fn an_unknown_backend_or_mangler_is_refused_with_those_that_there_are() {
    each_is_refused(&[
        (
            "[regions.users]\nbackend = \"memroy\"\n",
            &[
                "dogpile.toml:7:11: error: no plugin offers the backend `memroy`",
                "7 | backend = \"memroy\"\n  |           ^^^^^^^^",
                "`memory`",
            ],
        ),
        (
            "[regions.users]\nbackend = \"null/memory\"\n",
            &[
                "dogpile.toml:7:11",
                "plugin `null` offers no backend `memory`",
                "it offers `null`; there is `memory/memory`",
            ],
        ),
        (
            "[regions.users]\nbackend = \"memory\"\nkey_mangler = [\"sha1\"]\n",
            &[
                "dogpile.toml:8:16",
                "no plugin offers the key mangler `sha1`",
            ],
        ),
    ]);
}

#[test]
fn an_argument_that_the_backend_refuses_is_marked() {
    each_is_refused(&[
        (
            "[regions.users]\nbackend = \"memory\"\n[regions.users.arguments]\nmax_entries = 0\n",
            &[
                "dogpile.toml:9:15: error[plugin-arguments]: `memory` refuses its arguments",
                "9 | max_entries = 0\n  |               ^",
            ],
        ),
        (
            "[regions.users]\nbackend = \"memory\"\narguments = { max_entires = 5 }\n",
            &[
                "dogpile.toml:8:15",
                "max_entires = * }\n  |               ^^^^^^^^^^^\n",
                "`max_entries`",
            ],
        ),
        (
            "[regions.users]\nbackend = \"memory\"\narguments = { max_bytes = 0, max_entires = 5, max_entries = 0 }\n",
            &[
                "dogpile.toml:8:27",
                "dogpile.toml:8:30",
                "dogpile.toml:8:61",
                "3 errors",
            ],
        ),
        (
            "[regions.users]\nbackend = \"probe\"\n[regions.users.arguments]\nlog = \"refused\"\ntls.cert = \"a\"\n",
            &[
                "dogpile.toml:10:5",
                "no such argument",
                "tls.cert = \"*\"\n   |     ^^^^\n",
            ],
        ),
        (
            "[regions.users]\nbackend = \"probe\"\n[regions.users.arguments]\nlog = \"refused\"\ntls.ca = 5\n",
            &["dogpile.toml:10:10", "tls.ca = 5\n   |          ^\n"],
        ),
        (
            "[regions.users]\nbackend = \"probe\"\narguments.tag = \"a\"\n",
            &["dogpile.toml:8:", "log"],
        ),
    ]);
}

#[test]
fn an_argument_that_is_refused_shows_no_secret() {
    let site = Site::new(USERS);
    fs::write(site.path("secret"), "canary").unwrap();
    let host = site.open_unwatched();
    site.save("[regions.users]\nbackend = \"memory\"\narguments.max_bytes = \"${file:secret}\"\n");
    let error = refusal(&host);
    contains(&error, &["dogpile.toml:8:23", "max_bytes"]);
    assert!(!error.contains("canary"), "{error}");
}

#[test]
fn no_error_shows_a_secret_whatever_it_is_given_to() {
    let site = Site::new(USERS);
    fs::write(site.path("pin"), "73\n").unwrap();
    let host = site.open_unwatched();
    let manglers = "[plugins.manglers]\n";
    for (wrong, line) in [
        ("max_entries = \"redis://:canary@h/0\"", 8),
        ("max_entries = \"redis://:can ary\\\"canary@h/0\"", 8),
        ("max_entries = \"${file:pin}x\"", 8),
        ("max_bytes = \"${file:pin}\"\nstorage = \"${file:pin}\"", 9),
        ("storage = \"${DOGPILE_NOT_SET:-canary}\"", 8),
        ("storage = { password = \"canary\" }", 8),
        ("password = \"canary\"", 8),
        ("token = 735573", 8),
        ("\"redis://:canary@h/0\" = 1", 8),
    ] {
        site.save(&format!(
            "[regions.users]\nbackend = \"memory\"\narguments.{}\n",
            wrong.replace('\n', "\narguments.")
        ));
        let error = refusal(&host);
        contains(&error, &[&format!("dogpile.toml:{line}:")]);
        for secret in ["canary", "can ary", "73"] {
            assert!(!error.contains(secret), "{secret}: {error}");
        }
    }
    for wrong in [
        "backend = \"redis://:canary@h/0\"",
        "backend = \"memory\"\nkey_mangler = \"redis://:canary@h/0\"",
        "backend = \"memory\"\nkey_mangler = { mangler = \"length\", arguments = { max = \"${DOGPILE_NOT_SET:-canary}\" } }",
        "backend = \"memory\"\nkey_mangler = { mangler = \"length\", arguments = { max = \"redis://:canary@h/0\" } }",
        "backend = \"memory\"\n[regions.\"redis://:canary@h/0\"]\nbackend = \"null\"",
    ] {
        site.save(&format!("{manglers}[regions.users]\n{wrong}\n"));
        let error = refusal(&host);
        assert!(!error.contains("canary"), "{error}");
    }
}

#[test]
fn an_interpolated_text_is_the_number_that_the_argument_is() {
    let site = Site::empty();
    fs::write(site.path("limit"), "5\n").unwrap();
    site.save(
        "[regions.users]\nbackend = \"memory\"\n\
         arguments = { max_entries = \"${file:limit}\", max_bytes = \"${DOGPILE_NOT_SET:-2000}\" }\n\
         expiration_time = \"${file:limit}\"\nshares_keys = \"${DOGPILE_NOT_SET:-true}\"\n\
         value_version = \"${file:limit}\"\n",
    );
    let host = site.open_unwatched();
    let users = host.region("users").unwrap();
    for key in 0..100 {
        users.set(key.to_string(), key).unwrap();
    }
    assert!(users.backend_stats().unwrap().entries.unwrap() <= 5);
    fs::write(site.path("limit"), "five").unwrap();
    contains(
        &refusal(&host),
        &[
            "dogpile.toml:9:19: error: `expiration_time`: \"${file:limit}\" stands for no duration",
            "dogpile.toml:11:17: error: `value_version`: \"${file:limit}\" stands for no whole number",
        ],
    );
}

#[test]
fn a_missing_variable_or_file_is_refused_where_it_is_named() {
    each_is_refused(&[
        (
            "[regions.users]\nbackend = \"memory\"\narguments.max_bytes = \"${DOGPILE_NOT_SET}\"\n",
            &["dogpile.toml:8:", "DOGPILE_NOT_SET", "^"],
        ),
        (
            "[regions.users]\nbackend = \"memory\"\narguments.max_bytes = \"${file:not-there}\"\n",
            &["dogpile.toml:8:", "not-there", "^"],
        ),
    ]);
}

#[test]
fn what_is_given_twice_is_refused() {
    each_is_refused(&[
        (
            "[regions.users]\nbackend = \"memory\"\nbackend = \"null\"\n",
            &["dogpile.toml:8:1", "backend"],
        ),
        (
            "[regions.users]\nbackend = \"memory\"\n[regions.users]\nbackend = \"null\"\n",
            &["dogpile.toml:8:", "users"],
        ),
        (
            "[plugins.dogpile]\n[regions.users]\nbackend = \"memory\"\n",
            &["dogpile.toml:6:10", "`dogpile`", "linked into the program"],
        ),
        (
            "[plugins.second]\nfile = \"libdogpile_plugin_memory.so\"\n[regions.users]\nbackend = \"memory\"\n",
            &["dogpile.toml:9:11", "`memory/memory`", "`second/memory`"],
        ),
    ]);
}

#[test]
fn a_file_that_is_no_plugin_is_refused_with_its_name_and_the_others_go_on() {
    let site = Site::empty();
    let folder = site.path("plugins");
    fs::create_dir(&folder).unwrap();
    fs::copy(
        plugins().join(library("memory")),
        folder.join(library("memory")),
    )
    .unwrap();
    let listed = |names: &str| {
        let tables = names.split_whitespace();
        let tables: Vec<_> = tables.map(|name| format!("[plugins.{name}]\n")).collect();
        let text = format!("version = 1\n[plugins.memory]\n{}{USERS}", tables.concat());
        site.replace("dogpile.toml", text);
    };
    listed("");
    let host = Host::open(site.manifest()).unwrap();
    let users = host.region("users").unwrap();
    users.set("a", 1).unwrap();

    fs::write(folder.join(library("text")), "#!/bin/sh\necho no plugin\n").unwrap();
    fs::write(folder.join(library("empty")), "").unwrap();
    fs::create_dir(folder.join(library("folder"))).unwrap();
    let memory = fs::read(plugins().join(library("memory"))).unwrap();
    fs::write(folder.join(library("cut")), &memory[..memory.len() / 2]).unwrap();
    let source = site.path("other.c");
    fs::write(&source, "int nothing(void) { return 0; }\n").unwrap();
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&folder.join(library("other")), &source])
        .status();
    assert!(compiled.unwrap().success());
    listed("missing text empty folder cut other");
    let error = Site::refused(&host, "6 errors");
    for (line, name) in [
        (3, "missing"),
        (4, "text"),
        (5, "empty"),
        (6, "folder"),
        (7, "cut"),
        (8, "other"),
    ] {
        contains(&error, &[&format!("dogpile.toml:{line}:"), &library(name)]);
    }
    assert_eq!(*users.get_or_create("a", || 2).unwrap(), 1);

    // The repair of the files alone is enough.
    for name in ["missing", "text", "empty", "cut", "other"] {
        let null = plugins().join(library("null"));
        site.replace(
            &format!("plugins/{}", library(name)),
            fs::read(null).unwrap(),
        );
    }
    fs::remove_dir(folder.join(library("folder"))).unwrap();
    Site::refused(&host, "1 error");
    fs::copy(
        plugins().join(library("manglers")),
        folder.join(library("folder")),
    )
    .unwrap();
    assert_eq!(site.applied(&host).plugins.len(), 7);
    assert_eq!(*users.get_or_create("a", || 2).unwrap(), 1);
}

#[test]
fn all_errors_are_told_at_once() {
    let site = Site::new(USERS);
    let host = site.open_unwatched();
    site.save(
        "[plugins.missing]\n\
         [regions.a]\nbackend = \"missing\"\n\
         [regions.b]\nbackend = \"memory\"\narguments.max_entries = 0\n\
         [regions.c]\nbackend = \"memory\"\narguments.max_bytes = 0\n\
         [regions.d]\nbackend = \"probe\"\narguments = { log = \"all errors\" }\n",
    );
    // Region `a` may well be right when its plugin is there.
    contains(
        &refusal(&host),
        &[
            "dogpile.toml:6:",
            "dogpile.toml:11:",
            "dogpile.toml:14:",
            "3 errors",
        ],
    );
    let log = Log::named("all errors");
    until("what was opened is closed", || log.closes() == [1]);

    site.save(
        "[regions.a]\nbackend = \"nosuch\"\n\
         [regions.b]\nbackend = \"memory\"\narguments.max_entries = 0\n\
         [regions.c]\nbackend = \"memory\"\nkey_mangler = [\"nosuch\"]\n",
    );
    contains(
        &refusal(&host),
        &[
            "dogpile.toml:7:",
            "dogpile.toml:10:",
            "dogpile.toml:13:",
            "3 errors",
        ],
    );

    site.save(
        "[regions.a]\nbakend = \"memory\"\n[regions.b]\nbackend = \"memory\"\nexpiration_time = \"soon\"\n\
         [regions.c]\nbackend = \"nosuch\"\n",
    );
    contains(
        &refusal(&host),
        &[
            "dogpile.toml:7:1",
            "dogpile.toml:10:19",
            "dogpile.toml:12:11: error: no plugin offers the backend `nosuch`",
        ],
    );

    // Whether the third is right shows when its plugin is there.
    site.save(
        "[plugins.missing]\n[regions.a]\nbackend = \"memory\"\nexpiration_time = \"soon\"\n\
         [regions.c]\nbackend = \"nosuch\"\n",
    );
    let error = refusal(&host);
    contains(
        &error,
        &["dogpile.toml:6:", "dogpile.toml:9:19", "2 errors"],
    );
}

#[test]
fn a_backend_and_its_key_mangler_are_both_told() {
    each_is_refused(&[(
        "[regions.users]\nbackend = \"memory\"\narguments.max_entries = 0\nkey_mangler = [\"a\", \"b\"]\n",
        &[
            "dogpile.toml:8:25",
            "dogpile.toml:9:16",
            "dogpile.toml:9:21",
            "3 errors",
        ],
    )]);
}

#[test]
fn an_open_that_takes_too_long_is_refused() {
    let log = Log::named("too long");
    let site = Site::new(USERS);
    let host = site.open_unwatched();
    log.hold("open", "slow");
    site.replace(
        "dogpile.toml",
        whole("[regions.users]\nbackend = \"probe\"\narguments = { log = \"too long\", tag = \"slow\" }\n")
            .replace("[host]", "[host]\nopen_timeout = \"50ms\""),
    );
    contains(
        &refusal(&host),
        &["dogpile.toml:9:", "`probe`", "open_timeout"],
    );
    log.let_go();
    until("what came too late is closed", || log.closes() == [1]);
}

#[test]
fn a_host_does_not_start_with_a_manifest_that_is_wrong() {
    let site = Site::new("[regions.users]\nbackend = \"nosuch\"\n");
    let error = Host::open(site.manifest()).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    contains(&error.to_string(), &["dogpile.toml:7:11", "`nosuch`"]);
    let error = Host::open(site.path("nowhere.toml")).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    contains(&error.to_string(), &["nowhere.toml"]);
}

#[test]
fn a_host_without_a_manifest_has_nothing_to_reload() {
    let host = Host::builder().build().unwrap();
    for error in [host.reload().unwrap_err(), host.plan().unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
}
