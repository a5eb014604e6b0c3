//! What dogpile.cache's tests of its lock and its region show, where neither `region_suite` nor a test that is named for
//! the matter shows it.

#![forbid(unsafe_code)]

mod region_support;

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use dogpile::{Invalidation, MaxStale, Region, RegionConfig, Source, cached};
use dogpile_plugin_api::{HostContext, Key, Metadata, NoArguments, Proxied, Proxy, Result, Value};

use region_support::{Board, SECOND, START, TICK, builder, memory, region};

#[test]
fn an_expired_value_is_read_once_more_by_who_creates() {
    let board = Board::new("expired");
    let (users, hand) = region(board.objects().expiration_time(SECOND));
    users.set("1", 1).unwrap();
    hand.advance(2 * SECOND);
    board.calls();
    assert_eq!(*users.get_or_create("1", || 2).unwrap(), 2);
    assert_eq!(board.calls(), ["get 1", "get_fresh 1", "set 1"]);
}

/// A manifest with a region on a board, behind a proxy that is watched there, or not.
fn manifest(board: &Board, proxied: bool, region: &str, arguments: &str) -> String {
    let name = board.name();
    let proxies = if proxied {
        format!(
            "proxies = [{{ proxy = \"noted\", arguments = {{ board = \"{name}\", name = \"outer\" }} }}]\n"
        )
    } else {
        String::new()
    };
    format!(
        "version = 1\n[regions.users]\nbackend = \"spy\"\n{region}{proxies}[regions.users.arguments]\nboard = \"{name}\"\n\
         {arguments}"
    )
}

#[test]
fn a_manifest_gives_a_region_its_backend_with_its_arguments_and_its_times() {
    for proxied in [false, true] {
        for (time, seconds) in [("600", 600), ("\"10m\"", 600), ("\"1d 8h\"", 32 * 60 * 60)] {
            let name = time.replace('"', "") + if proxied { " behind a proxy" } else { "" };
            let board = Board::new(&name);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("dogpile.toml");
            let time = format!("expiration_time = {time}\n");
            let arguments = "bytes = true\nalone = false\n";
            fs::write(&path, manifest(&board, proxied, &time, arguments)).unwrap();
            let (builder, hand) = builder();
            let host = builder.manifest(&path).watch(false).build().unwrap();
            let users = host.region("users").unwrap();
            assert_eq!(users.actual_backend().unwrap(), "spy");
            let opened: &[&str] = if proxied {
                &["open", "outer.open"]
            } else {
                &["open"]
            };
            assert_eq!(board.calls(), opened);
            users.set("1", 1).unwrap();
            assert!(board.text("1").ends_with("|1"));
            // It has the mutex that it was not told to do without.
            board.lock_key("1");
            assert!(users.key_is_locked("1").unwrap());
            hand.advance(seconds * SECOND);
            assert!(users.get::<i32>("1").unwrap().is_some(), "{time}");
            hand.advance(TICK);
            assert!(users.get::<i32>("1").unwrap().is_none(), "{time}");
        }
    }
}

#[test]
fn another_backend_brings_its_own_mangler_and_leaves_those_of_the_region() {
    for (name, manglers, deleted) in [
        ("none", "", ["delete [abc]", "delete abc"]),
        (
            "named",
            "key_mangler = [\"backwards\"]\n",
            ["delete cba", "delete cba"],
        ),
    ] {
        for proxied in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("dogpile.toml");
            let boards = ["old", "new"]
                .map(|age| Board::new(&format!("{age} mangler, {name}, proxied: {proxied}")));
            let configure = |board: &Board, own: &str| {
                fs::write(&path, manifest(board, proxied, manglers, own)).unwrap();
            };
            configure(&boards[0], "mangler = \"brackets\"\n");
            let host = builder().0.manifest(&path).watch(false).build().unwrap();
            let users = host.region("users").unwrap();
            users.delete("abc").unwrap();
            configure(&boards[1], "");
            host.reload().unwrap();
            assert!(users.is_configured());
            users.delete("abc").unwrap();
            for (board, deleted) in boards.iter().zip(deleted) {
                let calls = board.calls();
                assert!(
                    calls.iter().any(|call| call == deleted),
                    "{name}: {calls:?}"
                );
            }
        }
    }
}

#[test]
fn a_creation_longer_than_the_expiration_time_gives_a_value_as_fresh_as_any() {
    let config = RegionConfig::on("users", "memory").expiration_time(2 * SECOND);
    let (users, hand) = region(config.max_stale(MaxStale::Forever));
    users.set("1", 1).unwrap();
    for value in 2..5 {
        hand.advance(2 * SECOND + TICK);
        let made = users.get_or_create("1", || {
            for _ in 0..5 {
                hand.advance(SECOND / 2);
                let other = thread::scope(|scope| {
                    let other =
                        scope.spawn(|| users.get_or_create("1", || -> i32 { unreachable!() }));
                    other.join().unwrap().unwrap()
                });
                assert_eq!((*other, other.source()), (value - 1, Source::Stale));
            }
            value
        });
        assert_eq!(*made.unwrap(), value);
        // Its time counts from the end of its creation.
        hand.advance(2 * SECOND);
        let found = users.get_or_create("1", || -> i32 { unreachable!() });
        assert_eq!(*found.unwrap(), value);
    }
}

/// dogpile's cache that "expires" before the lock does.
#[test]
fn what_the_storage_forgets_is_created_once_each_time() {
    const THREADS: usize = 10;
    let board = Board::new("forgetful");
    let config = board.objects().argument("alone", true);
    let (users, _) = region(config.expiration_time(60 * SECOND));
    let created = AtomicU32::new(0);
    let together = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for round in 1..=200 {
                    if together.wait().is_leader() {
                        board.remove("1");
                    }
                    together.wait();
                    let create = || created.fetch_add(1, Ordering::SeqCst) + 1;
                    assert_eq!(*users.get_or_create("1", create).unwrap(), round);
                }
            });
        }
    });
    let stats = users.stats();
    assert_eq!((stats.creations, stats.stale, stats.errors), (200, 0, 0));
}

#[test]
fn a_runner_creates_what_was_invalidated_softly() {
    let (users, hand) = memory();
    let ran = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&ran);
    users.set_creation_runner(move |creation| {
        note.lock().unwrap().push(creation.key().to_owned());
        creation.run();
    });
    let call = |value: i32| {
        let entry = users.entry("1").background(move || value);
        let got = entry.get_or_create().unwrap();
        (*got, got.source())
    };
    assert_eq!(call(1), (1, Source::Created));
    assert_eq!(call(2), (1, Source::Fresh));
    assert!(ran.lock().unwrap().is_empty());
    hand.advance(SECOND);
    users.invalidate(Invalidation::Soft).unwrap();
    assert_eq!(call(2), (1, Source::Stale));
    assert_eq!(call(3), (2, Source::Fresh));
    assert_eq!(*ran.lock().unwrap(), ["1"]);
}

type Calls = Arc<Mutex<Vec<(i32, i32)>>>;

#[cached(region = users.clone(), skip(users, calls), namespace = "sums", background)]
fn sum(users: Region, calls: Calls, x: i32, y: i32) -> i32 {
    calls.lock().unwrap().push((x, y));
    x + y
}

#[test]
fn a_runner_is_given_the_function_whose_value_was_invalidated_softly() {
    let (users, hand) = memory();
    let ran: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
    let note = Arc::clone(&ran);
    users.set_creation_runner(move |creation| {
        let named = (creation.region().to_owned(), creation.key().to_owned());
        note.lock().unwrap().push(named);
        creation.run();
    });
    let calls = Calls::default();
    let go = |x: i32, y: i32| *sum(users.clone(), Arc::clone(&calls), x, y);
    assert_eq!((go(1, 2), go(1, 2)), (3, 3));
    assert_eq!(*calls.lock().unwrap(), [(1, 2)]);
    assert_eq!(go(3, 4), 7);
    hand.advance(SECOND);
    users.invalidate(Invalidation::Soft).unwrap();
    assert_eq!(go(1, 2), 3);
    assert_eq!(*calls.lock().unwrap(), [(1, 2), (3, 4), (1, 2)]);
    let key = sum::key(users.clone(), Arc::clone(&calls), 1, 2).unwrap();
    assert_eq!(*ran.lock().unwrap(), [("users".to_owned(), key)]);
}

/// Looks at what passes: every value has its times, whichever way it goes.
struct Looks(Proxied);

static LOOKED: Mutex<Vec<(&str, Metadata)>> = Mutex::new(Vec::new());

impl Proxy for Looks {
    type Arguments = NoArguments;

    fn open(_: NoArguments, proxied: Proxied, _: &HostContext) -> Result<Self> {
        Ok(Self(proxied))
    }

    fn proxied(&self) -> &Proxied {
        &self.0
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        let value = self.0.get(key)?;
        let metadata = value.as_ref().map(Value::metadata);
        LOOKED
            .lock()
            .unwrap()
            .extend(metadata.map(|found| ("get", found)));
        Ok(value)
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        LOOKED.lock().unwrap().push(("set", value.metadata()));
        self.0.set(key, value)
    }
}

#[test]
fn a_proxy_sees_when_a_value_was_created() {
    for (number, storage) in ["objects", "bytes"].into_iter().enumerate() {
        let name = format!("looked at {number}");
        let config = RegionConfig::on(&name, "memory").argument("storage", storage);
        let (builder, hand) = builder();
        let host = builder
            .proxy::<Looks>("looks")
            .region(config.proxy("looks"));
        let host = host.build().unwrap();
        let users = host.region(&name).unwrap();
        users.get_or_create("1", || hand.advance(SECOND)).unwrap();
        assert!(users.get::<()>("1").unwrap().is_some());
        let looked = std::mem::take(&mut *LOOKED.lock().unwrap());
        let ways: Vec<_> = looked.iter().map(|(way, _)| *way).collect();
        assert_eq!(ways, ["set", "get"]);
        for (_, metadata) in looked {
            assert_eq!(metadata.started, START * 1_000_000_000);
            assert_eq!(metadata.created, (START + 1) * 1_000_000_000);
        }
    }
}

#[test]
fn each_region_has_proxies_of_its_own() {
    let board = Board::new("two regions");
    let around = |name: &str| board.around(RegionConfig::on(name, "memory"), name);
    let (builder, _) = builder();
    let host = builder
        .region(around("numbers"))
        .region(around("letters"))
        .region(RegionConfig::on("plain", "memory"))
        .build()
        .unwrap();
    let [numbers, letters] = ["numbers", "letters"].map(|name| host.region(name).unwrap());
    let plain = host.region("plain").unwrap();
    for region in [&numbers, &plain] {
        assert_eq!(region.actual_backend().unwrap(), "memory");
    }
    board.calls();
    plain.set("1", true).unwrap();
    numbers.set("1", true).unwrap();
    letters.set("a", true).unwrap();
    numbers.set("2", true).unwrap();
    assert_eq!(
        board.calls(),
        ["numbers.set 1", "letters.set a", "numbers.set 2"]
    );
    assert!(letters.get::<bool>("1").unwrap().is_none());
}
