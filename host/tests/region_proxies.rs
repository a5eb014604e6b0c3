//! Proxies between a region and its backend.

#![forbid(unsafe_code)]

mod region_support;

use std::sync::atomic::{AtomicU32, Ordering};

use dogpile::{ErrorKind, Host, MissReason, OnBackendError, RegionConfig, Source};
use dogpile_plugin_api::{HostContext, Key, NoArguments, Proxied, Proxy, Result, Storage, Value};

use region_support::{Board, Fault, builder, misses, region, until};

fn users() -> RegionConfig {
    RegionConfig::on("users", "memory")
}

fn host(config: RegionConfig) -> Host {
    builder().0.region(config).build().unwrap()
}

/// Until the host has given all regions what they are to have.
fn until_open(host: &Host) {
    until(|| host.status().regions[0].state == "open");
    // The status may be ahead of callers, until the change is over and another can be made.
    let _configured_before = host.configure(RegionConfig::on("zero", "null"));
}

/// Waits until `last` is called, and gives what was called until then.
fn calls_until(board: &Board, last: &str) -> Vec<String> {
    let mut calls = Vec::new();
    until(|| {
        calls.extend(board.calls());
        calls.iter().any(|call| call == last)
    });
    calls
}

#[test]
fn the_first_proxy_is_outermost_and_all_see_each_call() {
    let board = Board::new("order");
    let config = board.around(board.around(board.objects(), "outer"), "inner");
    let (users, _) = region(config);
    assert_eq!(board.calls(), ["open", "inner.open", "outer.open"]);
    users.set("1", 1).unwrap();
    assert_eq!(board.calls(), ["outer.set 1", "inner.set 1", "set 1"]);
    assert_eq!(users.get::<i32>("1").unwrap().as_deref(), Some(&1));
    assert_eq!(board.calls(), ["outer.get 1", "inner.get 1", "get 1"]);
    users.ping().unwrap();
    assert_eq!(board.calls(), ["outer.ping", "inner.ping", "ping"]);
    // What a proxy does not change goes past it.
    users.delete("1").unwrap();
    assert_eq!(board.calls(), ["delete 1"]);
    drop(users);
    let closed = [
        "outer.close",
        "outer.drop",
        "inner.close",
        "inner.drop",
        "close",
        "drop",
    ];
    assert_eq!(board.calls(), closed);
}

#[test]
fn a_region_names_the_backend_under_its_proxies() {
    let board = Board::new("actual");
    let host = host(board.around(board.around(users(), "outer"), "inner"));
    let users = host.region("users").unwrap();
    assert_eq!(users.actual_backend().unwrap(), "memory");
    let status = &host.status().regions[0];
    assert_eq!((&*status.backend, &*status.plugin), ("memory", "memory"));
    assert_eq!(status.proxies, ["noted", "noted"]);
    let declared = host.declare("later");
    assert_eq!(
        declared.actual_backend().unwrap_err().kind(),
        ErrorKind::RegionNotConfigured
    );
}

/// Counts reads.
struct Counts(Proxied);

static READS: AtomicU32 = AtomicU32::new(0);

impl Proxy for Counts {
    type Arguments = NoArguments;

    fn open(_: NoArguments, proxied: Proxied, _: &HostContext) -> Result<Self> {
        Ok(Self(proxied))
    }

    fn proxied(&self) -> &Proxied {
        &self.0
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        READS.fetch_add(1, Ordering::SeqCst);
        self.0.get(key)
    }
}

/// Stores nothing under some keys.
struct NeverSets(Proxied);

impl Proxy for NeverSets {
    type Arguments = NoArguments;

    fn open(_: NoArguments, proxied: Proxied, _: &HostContext) -> Result<Self> {
        Ok(Self(proxied))
    }

    fn proxied(&self) -> &Proxied {
        &self.0
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        match key.as_str() {
            "never" => Ok(()),
            _ => self.0.set(key, value),
        }
    }
}

/// Changes what is stored.
struct Shouts(Proxied);

impl Proxy for Shouts {
    type Arguments = NoArguments;

    fn open(_: NoArguments, proxied: Proxied, _: &HostContext) -> Result<Self> {
        Ok(Self(proxied))
    }

    fn proxied(&self) -> &Proxied {
        &self.0
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        let bytes = value.as_bytes().expect("it wants bytes");
        let text = String::from_utf8_lossy(bytes).replace("quiet", "LOUD!");
        let changed = Value::with(&value.metadata(), *key, text.into_bytes());
        self.0.set(key, &changed)
    }

    fn storage(&self) -> Storage {
        Storage::Bytes
    }
}

#[test]
fn proxies_of_the_programs_own_count_drop_and_change_what_passes() {
    let config = users().proxy("counts").proxy("never_sets").proxy("shouts");
    let host = builder()
        .0
        .proxy::<Counts>("counts")
        .proxy::<NeverSets>("never_sets")
        .proxy::<Shouts>("shouts")
        .region(config)
        .build()
        .unwrap();
    let users = host.region("users").unwrap();
    let quiet = || String::from("quiet");
    // A created value is its creator's; what is read is what was stored.
    assert_eq!(*users.get_or_create("1", quiet).unwrap(), "quiet");
    assert_eq!(*users.get_or_create("1", quiet).unwrap(), "LOUD!");
    assert_eq!(READS.load(Ordering::SeqCst), 2);
    for _ in 0..2 {
        let never = users.get_or_create("never", quiet).unwrap();
        assert_eq!(never.source(), Source::Created);
    }
    assert_eq!(READS.load(Ordering::SeqCst), 4);
    assert_eq!(users.stats().creations, 3);
}

#[test]
fn a_proxy_that_wants_bytes_makes_the_region_one_of_bytes() {
    let board = Board::new("wants bytes");
    let arguments = board.noted("bytes").into_iter();
    let arguments = arguments.chain([("bytes".to_owned(), true.into())]);
    let (users, _) = region(board.objects().proxy_with("noted", arguments));
    users.set("1", 7).unwrap();
    assert!(board.text("1").ends_with("|7"), "{}", board.text("1"));
    assert_eq!(users.get::<i32>("1").unwrap().as_deref(), Some(&7));
    let error = users.objects().err().expect("its values are bytes");
    assert_eq!(error.kind(), ErrorKind::NotObjects);
}

#[test]
fn a_mutex_is_asked_for_through_the_proxies() {
    let board = Board::new("mutex through");
    let (users, _) = region(board.around(board.objects(), "outer"));
    board.calls();
    assert!(!users.key_is_locked("1").unwrap());
    board.lock_key("1");
    assert!(users.key_is_locked("1").unwrap());
    assert_eq!(
        board.calls(),
        [
            "outer.mutex 1",
            "is_locked 1",
            "outer.mutex 1",
            "is_locked 1"
        ]
    );
}

#[test]
fn what_cannot_be_opened_around_a_backend_is_refused_with_its_place() {
    let board = Board::new("refused proxies");
    let host = builder().0.build().unwrap();
    let error = host.configure(users().proxy("counts").proxy("nosuch"));
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PluginNotFound);
    for part in [
        "`users`",
        "proxies.1",
        "no plugin offers the proxy `nosuch`",
        "`noted`",
    ] {
        assert!(error.to_string().contains(part), "{error}: {part}");
    }
    let error = host.configure(users().proxy("noted")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Plugin);
    assert!(error.to_string().contains("proxies.0.arguments"), "{error}");
    board.fault("outer.open", Some(Fault::Panic));
    let error = host.configure(board.around(board.objects(), "outer"));
    let text = error.unwrap_err().to_string();
    assert!(text.contains("outer.open fell over"), "{text}");
    // What was opened for it is closed.
    assert_eq!(
        calls_until(&board, "drop"),
        ["open", "outer.open", "close", "drop"]
    );
}

#[test]
fn a_proxy_that_panics_is_reopened_and_its_backend_stays() {
    let board = Board::new("proxy panics");
    let host = host(board.around(board.around(users(), "outer"), "inner"));
    let users = host.region("users").unwrap();
    users.set("1", 1).unwrap();
    board.calls();
    board.fault("inner.open", Some(Fault::Fail));
    board.fault("inner.get", Some(Fault::Panic));
    assert_eq!(*users.get_or_create("1", || 2).unwrap(), 2);
    assert_eq!(host.status().regions[0].state, "retired");
    let error = users.backend_stats().err();
    let text = error.expect("it passes the inner proxy").to_string();
    for part in ["`noted`", "panicked in get", "reopened"] {
        assert!(text.contains(part), "{text}: {part}");
    }
    board.fault("inner.get", None);
    board.fault("inner.open", None);
    until_open(&host);
    // It is as it was: what was created meanwhile was not stored.
    users.get::<i32>("1").unwrap().expect("it is stored");
    let calls = calls_until(&board, "inner.drop");
    let of = |word: &str| calls.iter().filter(|call| call.contains(word)).count();
    assert_eq!((of("outer.open"), of("outer.drop")), (1, 1), "{calls:?}");
    assert_eq!(of("inner.drop"), 1, "{calls:?}");
}

#[test]
fn an_outer_proxy_that_panics_leaves_the_inner_one_alone() {
    let board = Board::new("outer panics");
    let host = host(board.around(board.around(users(), "outer"), "inner"));
    let users = host.region("users").unwrap();
    users.set("1", 1).unwrap();
    board.calls();
    board.fault("outer.get", Some(Fault::Panic));
    assert!(users.get::<i32>("1").unwrap().is_none());
    board.fault("outer.get", None);
    let calls = calls_until(&board, "outer.drop");
    let others = calls.iter().filter(|call| !call.starts_with("outer"));
    assert_eq!(others.count(), 0, "{calls:?}");
    until_open(&host);
    assert_eq!(users.get::<i32>("1").unwrap().as_deref(), Some(&1));
}

#[test]
fn a_backend_that_panics_under_proxies_is_reopened_with_them() {
    let board = Board::new("panics below");
    let config = board.around(board.objects(), "outer");
    let host = host(config.on_backend_error(OnBackendError::Fail));
    let users = host.region("users").unwrap();
    board.calls();
    board.fault("open", Some(Fault::Fail));
    board.fault("get", Some(Fault::Panic));
    let text = users.get::<i32>("1").unwrap_err().to_string();
    for part in [
        "proxy `noted`",
        "backend `spy`",
        "panicked in get: get fell over",
    ] {
        assert!(text.contains(part), "{text}: {part}");
    }
    assert_eq!(host.status().regions[0].state, "retired");
    board.fault("get", None);
    // The proxy is called, what it wraps is not.
    let text = users.get::<i32>("1").unwrap_err().to_string();
    assert!(
        text.contains("backend `spy`") && text.contains("reopened"),
        "{text}"
    );
    let calls = board.calls();
    assert!(
        !calls.iter().skip(2).any(|call| call == "get 1"),
        "{calls:?}"
    );
    board.fault("open", None);
    let calls = calls_until(&board, "drop");
    let opened = calls.iter().filter(|call| *call == "outer.open").count();
    assert_eq!(opened, 1, "{calls:?}");
    until_open(&host);
    users.set("1", 1).unwrap();
    assert_eq!(users.get::<i32>("1").unwrap().as_deref(), Some(&1));
}

#[test]
fn a_panic_in_a_mutex_is_the_backends_through_a_proxy_too() {
    let board = Board::new("mutex panics");
    let host = host(board.around(board.objects(), "outer"));
    let users = host.region("users").unwrap();
    board.calls();
    board.fault("is_locked", Some(Fault::Panic));
    users.key_is_locked("1").unwrap_err();
    board.fault("is_locked", None);
    // Both are opened anew.
    let calls = calls_until(&board, "drop");
    assert!(calls.contains(&String::from("outer.drop")), "{calls:?}");
    until_open(&host);
    assert!(!users.key_is_locked("1").unwrap());
}

#[test]
fn the_breaker_of_a_region_with_proxies_stops_calls_before_them() {
    let board = Board::new("breaker outside");
    let host = host(board.around(board.objects(), "outer"));
    let users = host.region("users").unwrap();
    board.fault("ping", Some(Fault::Fail));
    board.fault("get", Some(Fault::Fail));
    for _ in 0..5 {
        assert!(users.get::<i32>("1").unwrap().is_none());
    }
    assert_eq!(host.status().regions[0].state, "breaker open");
    board.calls();
    assert!(users.get::<i32>("1").unwrap().is_none());
    assert_eq!(misses(&users, MissReason::Bypass), 1);
    let calls = board.calls();
    assert!(calls.iter().all(|call| call.ends_with("ping")), "{calls:?}");
    board.fault("get", None);
    board.fault("ping", None);
    until_open(&host);
    users.set("1", 1).unwrap();
    assert_eq!(users.get::<i32>("1").unwrap().as_deref(), Some(&1));
}

#[test]
fn regions_that_share_keys_create_once_whatever_their_proxies_are() {
    let board = Board::new("shared base");
    // Without a mutex of the backend's, which would tell too.
    let mut users = board.objects().argument("alone", true);
    users.shares_keys = true;
    let mut plain = users.clone();
    plain.name = "plain".into();
    let host = builder()
        .0
        .region(board.around(users, "outer"))
        .region(plain)
        .build()
        .unwrap();
    assert_eq!(board.calls(), ["open", "outer.open"]);
    let (users, plain) = (host.region("users").unwrap(), host.region("plain").unwrap());
    let made = users.get_or_create("1", || {
        assert!(plain.key_is_locked("1").unwrap());
        1
    });
    assert_eq!(*made.unwrap(), 1);
    assert_eq!(plain.get::<i32>("1").unwrap().as_deref(), Some(&1));
}
