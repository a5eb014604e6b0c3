//! What each kind of change does to a region, its contents and its handles.

use std::time::Duration;

use dogpile::{ChangeKind, Clock, ErrorKind, MissReason, RegionConfig, Source};

use crate::probe::Log;
use crate::support::{Site, change, contains, refusal, until, whole};

const USERS: &str = "[regions.users]\nbackend = \"memory\"\nexpiration_time = 100\n";

#[test]
fn a_region_that_did_not_change_keeps_its_entries_and_counts() {
    let site = Site::new(USERS);
    let host = site.open();
    let users = host.region("users").unwrap();
    users.get_or_create("a", || 1).unwrap();
    users.get_or_create("a", || 2).unwrap();
    site.save(&format!("{USERS}[regions.pages]\nbackend = \"memory\"\n"));
    site.applied(&host);
    assert_eq!(*users.get_or_create("a", || 3).unwrap(), 1);
    let stats = users.stats();
    assert_eq!((stats.hits, stats.creations), (2, 1));
    let reload = host.reload().unwrap();
    assert_eq!(change(&reload, "users"), (ChangeKind::Kept, vec![]));
}

#[test]
fn another_expiration_time_keeps_the_entries_and_judges_them_anew() {
    let site = Site::new(USERS);
    let (clock, time) = Clock::manual(1_700_000_000_000_000_000);
    let host = site.builder().clock(clock).watch(false).build().unwrap();
    let users = host.region("users").unwrap();
    let expiration = |seconds: u64| {
        site.save(&USERS.replace("100", &seconds.to_string()));
        let reload = host.reload().unwrap();
        let (kind, because) = change(&reload, "users");
        assert_eq!(kind, ChangeKind::Changed);
        assert!(because.contains(&"expiration_time".to_owned()));
    };
    users.set("a", 1).unwrap();
    time.advance(Duration::from_secs(50));
    assert!(users.get::<i32>("a").unwrap().is_some());
    expiration(40);
    assert!(users.get::<i32>("a").unwrap().is_none());
    expiration(60);
    assert!(users.get::<i32>("a").unwrap().is_some());
    expiration(40);
    let created = users.get_or_create("a", || 2).unwrap();
    assert_eq!((*created, created.source()), (2, Source::Created));
}

#[test]
fn another_serializer_keeps_the_instance_and_misses_what_the_old_one_wrote() {
    let bytes = format!("{USERS}arguments.storage = \"bytes\"\n");
    let site = Site::new(&bytes);
    let host = site.open_unwatched();
    let users = host.region("users").unwrap();
    users.set("old", 7).unwrap();
    users.set("back", 8).unwrap();
    let serializer = |name: &str| {
        site.save(&bytes.replace(
            "expiration",
            &format!("serializer = \"{name}\"\nexpiration"),
        ));
        let reload = host.reload().unwrap();
        assert_eq!(
            change(&reload, "users"),
            (ChangeKind::Changed, vec!["serializer".to_owned()])
        );
    };
    serializer("messagepack");
    assert!(users.get::<i32>("old").unwrap().is_none());
    let created = users.get_or_create("old", || 9).unwrap();
    assert_eq!((*created, created.source()), (9, Source::Created));
    assert_eq!(users.stats().misses[&MissReason::Damaged], 2);
    serializer("json");
    assert!(users.get::<i32>("old").unwrap().is_none());
    assert_eq!(users.get::<i32>("back").unwrap().as_deref(), Some(&8));
}

#[test]
fn another_value_version_keeps_the_instance_and_misses_what_has_the_old_one() {
    for storage in ["objects", "bytes"] {
        let site = Site::new(&format!("{USERS}arguments.storage = \"{storage}\"\n"));
        let host = site.open_unwatched();
        let users = host.region("users").unwrap();
        users.set("old", 1).unwrap();
        users.set("kept", 1).unwrap();
        let version = |version: u32| {
            let users = USERS.replace(
                "expiration",
                &format!("value_version = {version}\nexpiration"),
            );
            site.save(&format!("{users}arguments.storage = \"{storage}\"\n"));
            let reload = host.reload().unwrap();
            assert_eq!(
                change(&reload, "users"),
                (ChangeKind::Changed, vec!["value_version".to_owned()])
            );
        };
        version(1);
        assert!(users.get::<i32>("old").unwrap().is_none(), "{storage}");
        assert_eq!(*users.get_or_create("old", || 2).unwrap(), 2);
        assert_eq!(users.stats().misses[&MissReason::Version], 2);
        let hit = users.get_or_create("old", || 3).unwrap();
        assert_eq!((*hit, hit.source()), (2, Source::Fresh));
        let told = users.get_value_metadata("old").unwrap().unwrap();
        assert_eq!(told.value_version, 1);
        version(0);
        assert!(users.get::<i32>("old").unwrap().is_none());
        assert_eq!(users.get::<i32>("kept").unwrap().as_deref(), Some(&1));
    }
}

#[test]
fn other_arguments_that_the_backend_does_not_take_on_are_another_instance_and_the_contents_go() {
    let site = Site::new(USERS);
    let host = site.open_unwatched();
    let users = host.region("users").unwrap();
    users.set("a", 1).unwrap();
    site.save(&format!("{USERS}arguments.storage = \"bytes\"\n"));
    let reload = host.reload().unwrap();
    assert!(reload.changed);
    let swapped = (ChangeKind::Swapped, vec!["arguments.storage".to_owned()]);
    assert_eq!(change(&reload, "users"), swapped);
    contains(
        &reload.to_string(),
        &["swapped region `users` (arguments.storage), 1 entry is lost"],
    );
    assert!(users.get::<i32>("a").unwrap().is_none());
    users.set("a", 2).unwrap();
    assert_eq!(users.get::<i32>("a").unwrap().as_deref(), Some(&2));
}

#[test]
fn a_region_moves_between_backends_under_its_handles() {
    let site = Site::new(USERS);
    let host = site.open();
    let users = host.region("users").unwrap();
    for turn in 0..3 {
        users.set("a", turn).unwrap();
        assert_eq!(users.get::<i32>("a").unwrap().as_deref(), Some(&turn));
        site.save("[regions.users]\nbackend = \"null\"\n");
        assert_eq!(site.applied(&host).regions[0].backend, "null");
        users.set("a", turn).unwrap();
        assert!(users.get::<i32>("a").unwrap().is_none());
        site.save(USERS);
        assert_eq!(site.applied(&host).regions[0].plugin, "memory");
        assert!(users.get::<i32>("a").unwrap().is_none());
    }
}

#[test]
fn another_prefix_keeps_the_instance_and_its_entries() {
    let site = Site::new(&format!("{USERS}key_prefix = \"a:\"\n"));
    let host = site.open_unwatched();
    let users = host.region("users").unwrap();
    users.set("k", 1).unwrap();
    site.save(&format!("{USERS}key_prefix = \"b:\"\n"));
    let reload = host.reload().unwrap();
    let changed = (ChangeKind::Changed, vec!["key_prefix".to_owned()]);
    assert_eq!(change(&reload, "users"), changed);
    assert!(users.get::<i32>("k").unwrap().is_none());
    site.save(&format!("{USERS}key_prefix = \"a:\"\n"));
    host.reload().unwrap();
    assert_eq!(users.get::<i32>("k").unwrap().as_deref(), Some(&1));
}

#[test]
fn a_region_that_is_added_can_be_used_and_one_that_is_removed_is_gone() {
    let site = Site::new(USERS);
    let host = site.open_unwatched();
    assert_eq!(
        host.region("pages").unwrap_err().kind(),
        ErrorKind::NoSuchRegion
    );
    site.save(&format!("{USERS}[regions.pages]\nbackend = \"memory\"\n"));
    let reload = host.reload().unwrap();
    assert_eq!(change(&reload, "pages"), (ChangeKind::Added, vec![]));
    let pages = host.region("pages").unwrap();
    pages.set("a", 1).unwrap();
    drop(pages);
    site.save(USERS);
    let reload = host.reload().unwrap();
    assert_eq!(change(&reload, "pages"), (ChangeKind::Removed, vec![]));
    let error = host.region("pages").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSuchRegion);
    contains(&error.to_string(), &["`pages`", "`users`"]);
}

#[test]
fn a_region_that_is_held_cannot_be_removed() {
    let pages = format!("{USERS}[regions.pages]\nbackend = \"memory\"\n");
    let site = Site::new(&pages);
    let host = site.open_unwatched();
    let held = host.region("pages").unwrap();
    let other = held.clone();
    held.set("a", 1).unwrap();
    // What else was in that save is not applied either.
    site.save("[regions.users]\nbackend = \"null\"\n");
    for handle in [held, other] {
        let error = refusal(&host);
        contains(&error, &["`pages`", "[regions.pages]", "handles"]);
        assert_eq!(host.status().regions.len(), 2);
        assert_eq!(handle.get::<i32>("a").unwrap().as_deref(), Some(&1));
    }
    host.reload().unwrap();
    let status = host.status();
    assert_eq!(status.last_error, None);
    assert_eq!(status.regions.len(), 1);
    assert_eq!(status.regions[0].backend, "null");
}

#[test]
fn a_declared_region_begins_to_work_when_the_manifest_lists_it() {
    let site = Site::new("");
    let host = site.open();
    let pages = host.declare("pages");
    assert!(!pages.is_configured());
    assert_eq!(
        pages.get::<i32>("a").unwrap_err().kind(),
        ErrorKind::RegionNotConfigured
    );
    site.save("[regions.pages]\nbackend = \"memory\"\n");
    site.applied(&host);
    assert!(pages.is_configured());
    assert_eq!(*pages.get_or_create("a", || 1).unwrap(), 1);
}

#[test]
fn a_region_that_is_declared_while_the_manifest_adds_it_is_the_same() {
    let log = Log::named("declared meanwhile");
    let site = Site::new("");
    let host = site.open_unwatched();
    site.save(
        "[regions.pages]\nbackend = \"probe\"\narguments = { log = \"declared meanwhile\", tag = \"a\" }\n",
    );
    log.hold("open", "a");
    let pages = std::thread::scope(|scope| {
        let reload = scope.spawn(|| host.reload());
        log.until_held(1);
        let pages = host.declare("pages");
        log.let_go();
        reload.join().unwrap().unwrap();
        pages
    });
    assert!(pages.is_configured());
    pages.set("a", 1).unwrap();
    let again = host.region("pages").unwrap();
    assert_eq!(again.get::<i32>("a").unwrap().as_deref(), Some(&1));
    // And so it is held.
    drop(again);
    site.save("");
    contains(&refusal(&host), &["`pages`"]);
}

#[test]
fn a_region_is_configured_once_in_code_or_in_the_manifest() {
    let site = Site::new(USERS);
    let host = site.open_unwatched();
    let twice = host.configure(RegionConfig::on("users", "memory"));
    assert_eq!(
        twice.unwrap_err().kind(),
        ErrorKind::RegionAlreadyConfigured
    );
    let pages = host.configure(RegionConfig::on("pages", "memory")).unwrap();
    pages.set("a", 1).unwrap();
    site.save(&format!("{USERS}[regions.pages]\nbackend = \"null\"\n"));
    let error = refusal(&host);
    contains(&error, &["dogpile.toml:9:10", "`pages`", "code"]);
    contains(&host.plan().unwrap_err().to_string(), &["`pages`", "code"]);
    assert_eq!(pages.get::<i32>("a").unwrap().as_deref(), Some(&1));
    // What is configured in code stays through every reload, though no manifest lists it.
    site.save("");
    let reload = host.reload().unwrap();
    let regions: Vec<_> = reload.changes.iter().map(|change| &change.region).collect();
    assert_eq!(regions, ["users"], "only the manifest's regions are told");
    assert_eq!(pages.get::<i32>("a").unwrap().as_deref(), Some(&1));
}

#[test]
fn regions_are_configured_in_code_beside_a_manifest() {
    let site = Site::new(USERS);
    let region = RegionConfig::on("pages", "probe").argument("log", "beside");
    let host = site.builder().region(region).build().unwrap();
    site.save(&USERS.replace("100", "200"));
    site.applied(&host);
    let names: Vec<_> = host
        .status()
        .regions
        .into_iter()
        .map(|region| region.name)
        .collect();
    assert_eq!(names, ["pages", "users"]);
    assert_eq!(Log::named("beside").closes(), [0]);
}

#[test]
fn a_region_of_objects_cannot_move_to_bytes() {
    let site = Site::new(USERS);
    let host = site.open_unwatched();
    let users = host.region("users").unwrap();
    let objects = users.objects().unwrap();
    objects.set("a", std::sync::Mutex::new(1)).unwrap();
    for (bytes, place, remedy) in [
        (
            "arguments = { storage = \"bytes\" }",
            "dogpile.toml:8:25",
            "leave `storage` as it was",
        ),
        (
            "arguments = { max_entries = 100, storage = \"bytes\" }",
            "dogpile.toml:8:1",
            "leave one of these as it was: `max_entries`, `storage`",
        ),
    ] {
        site.save(&format!("[regions.users]\nbackend = \"memory\"\n{bytes}\n"));
        let error = refusal(&host);
        contains(&error, &[place, "`memory` holds bytes", remedy]);
    }
    site.save("[regions.users]\nbackend = \"probe\"\narguments.log = \"objects\"\n");
    contains(
        &refusal(&host),
        &[
            "dogpile.toml:7:11",
            "`probe` holds bytes",
            "use a backend that holds objects, such as `memory`",
        ],
    );
    // The probe that was opened aside is closed again.
    let log = Log::named("objects");
    until("it is closed", || log.closes() == [1]);
    assert!(objects.get::<std::sync::Mutex<i32>>("a").unwrap().is_some());
    site.save(
        "[regions.users]\nbackend = \"probe\"\narguments = { log = \"objects\", objects = true }\n",
    );
    host.reload().unwrap();
    objects.set("a", std::sync::Mutex::new(2)).unwrap();
    assert!(objects.get::<std::sync::Mutex<i32>>("a").unwrap().is_some());
}

#[test]
fn a_reload_that_finds_nothing_new_changes_nothing() {
    let site = Site::new(USERS);
    let host = site.open_unwatched();
    let before = host.status();
    for _ in 0..3 {
        let reload = host.reload().unwrap();
        assert!(!reload.changed);
        assert_eq!(reload.generation, before.generation);
        assert_eq!(
            reload.to_string(),
            format!("nothing to change, generation {}", before.generation)
        );
    }
    assert_eq!(host.status().generation, before.generation);
}

#[test]
fn a_plugin_that_is_listed_for_no_region_yet_is_a_change_too() {
    let site = Site::new(USERS);
    let host = site.open_unwatched();
    let before = host.status();
    site.replace(
        "dogpile.toml",
        whole(USERS).replace("[plugins.null]", "[plugins.null]\n[plugins.manglers]"),
    );
    let reload = host.reload().unwrap();
    assert!(reload.changed);
    assert_eq!(reload.generation, before.generation + 1);
    let status = host.status();
    assert!(
        status
            .plugins
            .iter()
            .any(|plugin| plugin.name == "manglers")
    );
    host.configure(RegionConfig::on("pages", "memory")).unwrap();
}
