//! Proxies in the manifest, backends that must answer, and reloads while a backend is reopened.

use dogpile::{ChangeKind, ErrorKind};

use crate::probe::Log;
use crate::support::{Site, change, contains, refusal, until};

const USERS: &str = "[regions.users]\nbackend = \"memory\"\nexpiration_time = 100\n";

fn probed(log: &str, rest: &str) -> String {
    format!(
        "[regions.probed]\nbackend = \"probe\"\nexpiration_time = 100\narguments = {{ log = \"{log}\", {rest} }}\n"
    )
}

#[test]
fn other_proxies_go_around_the_same_backend() {
    let site = Site::new(USERS);
    let host = site.open_unwatched();
    let users = host.region("users").unwrap();
    users.set("a", 1).unwrap();
    let proxies = [
        "proxies = [\"through\"]",
        "proxies = [\"through\", { proxy = \"dogpile/through\", arguments = { tag = 2 } }]",
        "wrap = [{ proxy = \"through\", arguments = { tag = 3 } }]",
        "wrap = \"through\"",
        "proxies = []",
    ];
    for (number, proxies) in proxies.iter().enumerate() {
        site.save(&format!("{USERS}{proxies}\n"));
        let planned = host.plan().unwrap();
        let reload = host.reload().unwrap();
        assert_eq!(planned.changes, reload.changes, "{proxies}");
        let because = vec!["proxies".to_owned()];
        assert_eq!(change(&reload, "users"), (ChangeKind::Changed, because));
        assert_eq!(users.get::<i32>("a").unwrap().as_deref(), Some(&1));
        let status = &host.status().regions[0];
        assert_eq!(status.proxies.len(), [1, 2, 1, 1, 0][number]);
        assert!(!host.reload().unwrap().changed, "{proxies}");
    }
}

#[test]
fn a_proxy_stays_open_around_what_did_not_change() {
    let proxied = format!(
        "{}proxies = [\"through\"]\n",
        probed("proxy stays", "tag = \"a\"")
    );
    let site = Site::new(&proxied);
    let host = site.open_unwatched();
    let probed = host.region("probed").unwrap();
    probed.set("a", 1).unwrap();
    site.save(&proxied.replace("100", "200"));
    host.reload().unwrap();
    assert_eq!(probed.get::<i32>("a").unwrap().as_deref(), Some(&1));
    let log = Log::named("proxy stays");
    assert_eq!((log.opened(), log.closes()), (1, vec![0]));
    // Another backend is closed after the proxy around it.
    site.save(&proxied.replace("\"a\"", "\"b\""));
    let swapped = change(&host.reload().unwrap(), "probed");
    assert_eq!(swapped, (ChangeKind::Swapped, vec!["arguments.tag".into()]));
    until("the old one is closed", || log.closes() == [1, 0]);
    assert_eq!(log.seen(0).closed_by, "dogpile-reaper");
    assert_eq!(log.faults(), Vec::<String>::new());
}

#[test]
fn entries_live_through_a_change_between_objects_and_bytes() {
    let site = Site::new(USERS);
    let host = site.open_unwatched();
    let users = host.region("users").unwrap();
    users.set("object", 1).unwrap();
    site.save(&format!("{USERS}proxies = [\"bytes\"]\n"));
    host.reload().unwrap();
    assert_eq!(users.get::<i32>("object").unwrap().as_deref(), Some(&1));
    users.set("bytes", 2).unwrap();
    site.save(USERS);
    host.reload().unwrap();
    assert_eq!(users.get::<i32>("object").unwrap().as_deref(), Some(&1));
    assert_eq!(users.get::<i32>("bytes").unwrap().as_deref(), Some(&2));
    users.objects().unwrap();
    site.save(&format!("{USERS}proxies = [\"bytes\"]\n"));
    contains(&refusal(&host), &["dogpile.toml:7:11", "keeps objects"]);
}

#[test]
fn a_proxy_that_is_not_there_or_refuses_its_arguments_is_marked() {
    let site = Site::new(USERS);
    let host = site.open_unwatched();
    for (proxies, parts) in [
        (
            "proxies = [\"through\", \"thruogh\"]",
            &[
                "dogpile.toml:9:23",
                "no plugin offers the proxy `thruogh`",
                "`through`",
            ][..],
        ),
        (
            "wrap = { proxy = \"through\", arguments = { tag = \"x\" } }",
            &["dogpile.toml:9:49", "`through` refuses its arguments"],
        ),
        (
            "proxies = [{ proxy = \"through\", arguments = { tga = 1 } }]",
            &["dogpile.toml:9:47", "no such argument"],
        ),
    ] {
        site.save(&format!("{USERS}{proxies}\n"));
        contains(&refusal(&host), parts);
    }
}

#[test]
fn a_new_backend_must_answer_on_a_reload_and_not_at_the_start() {
    let log = "proxies: must answer";
    let site = Site::new(&probed(log, "ping = \"fail\""));
    let host = site.open_unwatched();
    let probe = host.region("probed").unwrap();
    probe.set("a", 1).unwrap();
    site.save(&probed(log, "ping = \"fail\", tag = \"2\""));
    let error = refusal(&host);
    contains(
        &error,
        &[
            "dogpile.toml:7:11: error[storage-unavailable]: backend `probe` of plugin `dogpile` does not answer: the line is dead",
            "7 | backend = \"probe\"",
            "write `require_healthy = false` to use it all the same",
        ],
    );
    let watched = Log::named(log);
    until("what was opened is closed", || watched.closes() == [0, 1]);
    site.save(&probed(log, "ping = \"panic\", tag = \"3\""));
    contains(&refusal(&host), &["panicked in ping: the line is on fire"]);
    assert_eq!(probe.get::<i32>("a").unwrap().as_deref(), Some(&1));
    // A backend that stays is not asked.
    site.save(&probed(log, "ping = \"fail\"").replace("100", "200"));
    host.reload().unwrap();
    site.save(&format!(
        "{}require_healthy = false\n",
        probed(log, "ping = \"fail\", tag = \"4\"")
    ));
    assert_eq!(
        change(&host.reload().unwrap(), "probed").0,
        ChangeKind::Swapped
    );
    site.save(&probed(log, "tag = \"5\""));
    host.reload().unwrap();
}

#[test]
fn a_backend_can_be_made_to_answer_at_the_start_too() {
    let log = "proxies: at the start";
    let healthy = |ping: &str| {
        let region = probed(log, &format!("ping = \"{ping}\""));
        Site::new(&format!("{region}require_healthy = true\n"))
    };
    let site = healthy("fail");
    let error = site.builder().build().err().expect("it is refused");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    contains(
        &error.to_string(),
        &[
            "dogpile.toml:10:19: error[storage-unavailable]: backend `probe`",
            "10 | require_healthy = true",
        ],
    );
    healthy("").open_unwatched();
}

#[test]
fn a_ping_that_hangs_does_not_hold_a_reload_up() {
    let log = "proxies: hangs";
    let site = Site::new(&probed(log, ""));
    let host = site.open_unwatched();
    let watched = Log::named(log);
    watched.hold("ping", "stuck");
    let hangs = probed(log, "ping = \"hang\", tag = \"stuck\"");
    let manifest = crate::support::whole(&hangs).replace("[host]", "[host]\nopen_timeout = 0.5");
    site.replace("dogpile.toml", manifest);
    contains(&refusal(&host), &["has not answered a ping within 500ms"]);
    watched.until_held(1);
    assert_eq!(watched.closes(), [0, 0]);
    watched.let_go();
    until("it is closed when it answers", || {
        watched.closes() == [0, 1]
    });
    assert_eq!(watched.faults(), Vec::<String>::new());
}

#[test]
fn a_reload_replaces_a_backend_that_is_being_reopened() {
    let log = "proxies: replaced";
    let site = Site::new(&probed(log, "tag = \"a\""));
    let host = site.open_unwatched();
    let probe = host.region("probed").unwrap();
    let watched = Log::named(log);
    watched.hold("open", "a");
    assert!(probe.get::<i32>("panic").unwrap().is_none());
    watched.until_held(1);
    assert_eq!(host.status().regions[0].state, "retired");
    site.save(&probed(log, "tag = \"b\""));
    host.reload().unwrap();
    assert_eq!(host.status().regions[0].state, "open");
    probe.set("b", 1).unwrap();
    until("the old one is closed", || watched.closes() == [1, 0]);
    // What it was reopened as comes too late.
    watched.let_go();
    until("that is closed, too", || watched.closes() == [1, 0, 1]);
    assert_eq!(probe.get::<i32>("b").unwrap().as_deref(), Some(&1));
    assert_eq!(watched.faults(), Vec::<String>::new());
}

#[test]
fn a_reload_keeps_a_backend_that_is_being_reopened() {
    let log = "proxies: kept";
    let site = Site::new(&probed(log, "tag = \"a\""));
    let host = site.open_unwatched();
    let probe = host.region("probed").unwrap();
    let watched = Log::named(log);
    watched.hold("open", "a");
    assert!(probe.get::<i32>("panic").unwrap().is_none());
    watched.until_held(1);
    site.save(&probed(log, "tag = \"a\"").replace("100", "200"));
    let reload = host.reload().unwrap();
    assert_eq!(change(&reload, "probed").0, ChangeKind::Changed);
    watched.let_go();
    until("it is reopened", || {
        host.status().regions[0].state == "open"
    });
    until("the old one is closed", || watched.closes() == [1, 0]);
    assert_eq!(watched.faults(), Vec::<String>::new());
}
