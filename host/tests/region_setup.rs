//! How regions are declared, configured and found, what their keys become, and how they end.

#![forbid(unsafe_code)]

mod region_support;

use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use dogpile::manifest::KeyManglers;
use dogpile::{ErrorKind, Host, Invalidation, RegionConfig, Result};

use region_support::{Board, builder, memory, region};

fn empty() -> Host {
    builder().0.build().unwrap()
}

fn told<T>(result: Result<T>, kind: ErrorKind, parts: &[&str]) {
    let error = result.err().expect("it is refused");
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    for part in parts {
        assert!(text.contains(part), "{text}: {part}");
    }
}

#[test]
fn a_region_can_be_held_before_it_is_configured() {
    let host = empty();
    let users = host.declare("users");
    let also = host.region("users").unwrap();
    assert!(!users.is_configured());
    let configured = host.configure(RegionConfig::on("users", "memory")).unwrap();
    for region in [&users, &also, &configured] {
        assert!(region.is_configured());
        assert_eq!(region.name(), "users");
        assert_eq!(*region.get_or_create("1", || 1).unwrap(), 1);
    }
    assert_eq!((users.stats().hits, also.stats().creations), (2, 1));
}

#[test]
fn a_region_that_is_not_configured_says_so_in_every_call() {
    let host = empty();
    let users = host.declare("users");
    let unreachable = || -> i32 { unreachable!() };
    let errors = [
        users.get::<i32>("1").err(),
        users.set("1", 1).err(),
        users.delete("1").err(),
        users.clear().err(),
        users.get_or_create("1", unreachable).err(),
        users
            .try_get_or_create("1", || Ok::<_, std::fmt::Error>(unreachable()))
            .err(),
        users.entry("1").get_or_create(unreachable).err(),
        users.key_is_locked("1").err(),
        users.get_value_metadata("1").err(),
        users.backend_stats().err(),
        users.invalidate(Invalidation::Hard).err(),
        users.invalidate_tags(["tag"], Invalidation::Hard).err(),
        users.objects().err(),
    ];
    for error in errors {
        let parts = ["`users`", "configure it"];
        told(
            Err::<(), _>(error.unwrap()),
            ErrorKind::RegionNotConfigured,
            &parts,
        );
    }
    users.set_weigher(|_: &i32| 1);
    assert_eq!(users.stats().hits, 0);
}

#[test]
fn a_region_is_configured_once() {
    let users = || RegionConfig::on("users", "memory");
    let host = builder().0.region(users()).build().unwrap();
    let parts = ["`users`", "configured already"];
    told(
        host.configure(users()),
        ErrorKind::RegionAlreadyConfigured,
        &parts,
    );
    let twice = builder().0.region(users()).region(users()).build();
    told(twice, ErrorKind::RegionAlreadyConfigured, &parts);
}

#[test]
fn a_region_declared_while_it_is_being_configured_is_that_region() {
    let board = Board::new("declared meanwhile");
    let host = empty();
    let (opening, is_opening) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let (opening, may_go_on) = (Mutex::new(opening), Mutex::new(may_go_on));
    board.hook(move |call| {
        if call == "open" {
            opening.lock().unwrap().send(()).unwrap();
            may_go_on.lock().unwrap().recv().unwrap();
        }
    });
    let declared = thread::scope(|scope| {
        let configuring = scope.spawn(|| host.configure(board.objects()));
        is_opening.recv().unwrap();
        let declared = host.declare("users");
        go_on.send(()).unwrap();
        configuring.join().unwrap().unwrap();
        declared
    });
    assert!(declared.is_configured());
    declared.set("1", 1).unwrap();
    assert!(
        host.region("users")
            .unwrap()
            .get::<i32>("1")
            .unwrap()
            .is_some()
    );
}

#[test]
fn what_does_not_exist_is_refused_with_what_there_is() {
    let host = empty();
    let users = || RegionConfig::on("users", "memory");
    told(
        host.region("users"),
        ErrorKind::NoSuchRegion,
        &["`users`", "none"],
    );
    host.configure(RegionConfig::on("orders", "memory"))
        .unwrap();
    told(
        host.region("users"),
        ErrorKind::NoSuchRegion,
        &["`users`", "`orders`"],
    );
    let wrong = RegionConfig::on("users", "memry");
    let parts = [
        "`users`", "backend", "`memry`", "`memory`", "`null`", "`spy`",
    ];
    told(host.configure(wrong), ErrorKind::PluginNotFound, &parts);
    let wrong = RegionConfig::on("users", "redis/memory");
    told(
        host.configure(wrong),
        ErrorKind::PluginNotFound,
        &["`memory`"],
    );
    let wrong = users().key_mangler("sha");
    let parts = ["key_mangler", "`sha`", "`brackets`", "`backwards`"];
    told(host.configure(wrong), ErrorKind::PluginNotFound, &parts);
    host.configure(RegionConfig::on("users", "memory/memory"))
        .unwrap();
}

#[test]
fn wrong_arguments_are_refused_by_name() {
    let host = empty();
    let users = || RegionConfig::on("users", "memory");
    let wrong = users().argument("max_entires", 10);
    let parts = ["`users`", "arguments.max_entires", "`max_entries`"];
    told(host.configure(wrong), ErrorKind::Plugin, &parts);
    let wrong = users().argument("max_entries", "many");
    told(
        host.configure(wrong),
        ErrorKind::Plugin,
        &["arguments.max_entries", "many"],
    );
    let wrong = RegionConfig::on("users", "spy");
    told(
        host.configure(wrong),
        ErrorKind::Plugin,
        &["`users`", "board"],
    );
    host.configure(users().argument("max_entries", 10)).unwrap();
}

#[test]
fn a_backend_sees_manglers_first_and_then_the_prefix() {
    let board = Board::new("keys");
    let (users, _) = region(
        board
            .objects()
            .key_mangler("backwards")
            .key_mangler("brackets")
            .key_prefix("app:"),
    );
    users.get_or_create("abc", || 1).unwrap();
    users.delete("é|1").unwrap();
    assert_eq!(
        board.calls(),
        [
            "open",
            "get app:[cba]",
            "get_fresh app:[cba]",
            "set app:[cba]",
            "delete app:[1|é]"
        ]
    );
    assert_eq!(board.stored("app:[cba]").unwrap().key(), "app:[cba]");
}

#[test]
fn a_backends_own_mangler_is_used_unless_others_are_named_or_none_is_wanted() {
    let board = Board::new("own mangler");
    let own = board.objects().argument("mangler", "brackets");
    let mut none = own.clone();
    none.key_mangler = KeyManglers::Off;
    let named = own.clone().key_mangler("backwards");
    let keys = [own, named, none].map(|config| {
        let (users, _) = region(config);
        board.calls();
        users.delete("abc").unwrap();
        board.calls().remove(0)
    });
    assert_eq!(keys, ["delete [abc]", "delete cba", "delete abc"]);
    let wrong = board.objects().argument("mangler", "nobody's");
    told(
        empty().configure(wrong),
        ErrorKind::PluginNotFound,
        &["`nobody's`"],
    );
}

#[test]
fn a_mangler_that_fails_or_panics_is_an_error_that_names_it_and_its_plugin() {
    let board = Board::new("mangler fails");
    let (users, _) = region(board.objects().key_mangler("backwards"));
    let made = users.get_or_create("palindrome", || -> i32 { unreachable!() });
    told(
        made,
        ErrorKind::Plugin,
        &[
            "`users`",
            "key mangler `backwards` of plugin `dogpile`",
            "it would be the same",
        ],
    );
    told(
        users.delete("drow"),
        ErrorKind::Plugin,
        &[
            "key mangler `backwards` of plugin `dogpile`",
            "what is a drow?",
            "replace it, or give the region another key mangler",
        ],
    );
    assert_eq!(*users.get_or_create("other", || 1).unwrap(), 1);
}

#[test]
fn regions_on_the_same_keys_of_one_storage_are_refused_unless_both_say_so() {
    let board = Board::new("same keys");
    let seen_by_others = || board.objects().argument("shared", true);
    let host = empty();
    let named = |name: &str, mut config: RegionConfig| {
        config.name = name.to_owned();
        config
    };
    let own_mangler = || seen_by_others().argument("mangler", "brackets");
    host.configure(seen_by_others()).unwrap();
    host.configure(named("mangled", own_mangler())).unwrap();
    let shares = named("shares", seen_by_others().key_prefix("s:")).shares_keys();
    host.configure(shares).unwrap();
    board.calls();
    for (other, same) in [
        ("`users`", seen_by_others()),
        (
            "`users`",
            RegionConfig::on("", "dogpile/spy")
                .argument("board", "same keys")
                .argument("shared", true),
        ),
        ("`users`", seen_by_others().shares_keys()),
        ("`shares`", seen_by_others().key_prefix("s:")),
        ("`mangled`", own_mangler().key_mangler("brackets")),
    ] {
        told(
            host.configure(named("new", same)),
            ErrorKind::Configuration,
            &[
                "region `new`: key_prefix",
                "`new` (configured in code)",
                other,
                "shares_keys",
            ],
        );
        let calls = board.calls();
        let times = |call: &str| calls.iter().filter(|one| *one == call).count();
        assert_eq!(times("open"), times("close"), "{calls:?}");
    }
    let mut unmangled = own_mangler();
    unmangled.key_mangler = KeyManglers::Off;
    for (name, apart) in [
        ("prefixed", seen_by_others().key_prefix("p:")),
        ("on others", seen_by_others().argument("bytes", true)),
        ("unmangled", unmangled),
        ("backwards", own_mangler().key_mangler("backwards")),
        (
            "shares too",
            seen_by_others().key_prefix("s:").shares_keys(),
        ),
    ] {
        host.configure(named(name, apart)).unwrap();
    }
}

#[test]
fn regions_that_share_nothing_by_their_backend_need_no_prefix() {
    let host = empty();
    for name in ["a", "b"] {
        host.configure(RegionConfig::on(name, "memory")).unwrap();
    }
    for name in ["c", "d"] {
        host.configure(RegionConfig::on(name, "null")).unwrap();
    }
}

#[test]
fn strange_keys_are_keys() {
    let (users, _) = memory();
    let long = "k".repeat(100_000);
    let keys = ["", " ", "|", "\0", "\u{1F600}", "a\nb", &long];
    for (at, key) in keys.iter().enumerate() {
        assert_eq!(*users.get_or_create(key, || at).unwrap(), at);
    }
    for (at, key) in keys.iter().enumerate() {
        assert_eq!(users.get::<usize>(key).unwrap().as_deref(), Some(&at));
    }
}

#[test]
fn handles_keep_regions_working_and_the_last_one_closes_the_backend_once() {
    let board = Board::new("close");
    let (builder, _) = builder();
    let host = builder.region(board.objects()).build().unwrap();
    let users = host.region("users").unwrap();
    drop(host);
    let clone = users.clone();
    drop(users);
    assert_eq!(*clone.get_or_create("1", || 1).unwrap(), 1);
    clone.invalidate(Invalidation::Hard).unwrap();
    assert_eq!(*clone.get_or_create("1", || 2).unwrap(), 2);
    let held = clone.get::<i32>("1").unwrap().unwrap();
    board.calls();
    drop(clone);
    assert_eq!(board.calls(), ["close", "drop"]);
    assert_eq!(*held, 2);
}

#[test]
fn a_host_without_handles_closes_its_backends_as_it_is_dropped() {
    let board = Board::new("close at once");
    let (builder, _) = builder();
    drop(builder.region(board.objects()).build().unwrap());
    assert_eq!(board.calls(), ["open", "close", "drop"]);
}

#[test]
fn hosts_are_independent() {
    let [one, other] = [0; 2].map(|_| {
        let host = Arc::new(empty());
        host.configure(RegionConfig::on("users", "memory")).unwrap()
    });
    one.set("1", 1).unwrap();
    assert!(other.get::<i32>("1").unwrap().is_none());
    other.set("1", 2).unwrap();
    one.invalidate(Invalidation::Hard).unwrap();
    assert!(other.get::<i32>("1").unwrap().is_some());
    assert_eq!((one.stats().hits, other.stats().hits), (0, 1));
}

#[test]
fn a_region_on_null_creates_at_every_call() {
    let (users, _) = region(RegionConfig::on("users", "null"));
    for round in 1..=3 {
        assert_eq!(*users.get_or_create("1", || round).unwrap(), round);
    }
    assert_eq!(users.backend_stats().unwrap().entries, Some(0));
}

#[test]
fn a_region_tells_how_much_its_backend_holds_and_can_be_cleared() {
    let (users, _) = memory();
    for key in 0..10 {
        users.set(key.to_string(), key).unwrap();
    }
    assert_eq!(users.backend_stats().unwrap().entries, Some(10));
    users.clear().unwrap();
    assert_eq!(users.backend_stats().unwrap().entries, Some(0));
    assert!(users.get::<i32>("1").unwrap().is_none());
    assert!(format!("{users:?}").contains("users"));
}
