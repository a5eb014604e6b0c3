//! What `docs/dogpile_shared.py` adds to dogpile.cache: invalidations that both languages see, and JSON beside pickles.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dogpile::{ErrorKind, Invalidation, MissReason, Region, Source};
use dogpile_tests::process::Process;
use dogpile_tests::redis_server::RedisServer;
use redis::{Commands, Connection};
use serde_json::{Value as Json, json};
use tracing_subscriber::util::SubscriberInitExt;

use crate::peer::{get, python_on, python_with, rust, rust_with};
use crate::support::{client, until};

/// Python's region reads the record at each call.
const AT_ONCE: f64 = 0.0;

/// Python's region reads the record once.
const NEVER_AGAIN: f64 = 3600.0;

/// Where the record lies.
const RECORD: &str = "_dogpile_inv:users";

fn record(client: &mut Connection) -> Json {
    let record: String = client.get(RECORD).unwrap();
    serde_json::from_str(&record).unwrap()
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs_f64()
}

fn foreign(region: &Region) -> u64 {
    let misses = region.stats().misses;
    misses.get(&MissReason::Foreign).copied().unwrap_or(0)
}

#[test]
fn python_sees_how_rust_invalidates() {
    let server = RedisServer::start(&[]);
    let (mut python, rust) = (python_with(&server, AT_ONCE), rust(&server));
    rust.set("a", 1_u32).unwrap();
    python.ask("get a", "1");
    python.ask("judge a", "fresh, last never");
    rust.invalidate(Invalidation::Soft).unwrap();
    python.ask("judge a", "soft, last soft");
    python.ask("get a", "none");
    // The old value is served while a new one is created.
    python.ask("hold a 2", "creating a");
    python.ask("call 2 a 9", "created 0 got [1]");
    python.ask("go", "got 2");
    python.ask("judge a", "fresh, last soft");
    assert_eq!(get(&rust, "a"), Some(2));
    rust.invalidate(Invalidation::Hard).unwrap();
    python.ask("judge a", "hard, last hard");
    python.ask("get a", "none");
    python.ask("call 2 a 3", "created 1 got [3]");
    python.ask("judge a", "fresh, last hard");
    assert_eq!(get(&rust, "a"), Some(3));
    // A process that starts later knows of it too.
    rust.invalidate(Invalidation::Soft).unwrap();
    python_on(&server).ask("judge a", "soft, last soft");
}

#[test]
fn rust_sees_how_python_invalidates() {
    let server = RedisServer::start(&[]);
    let mut python = python_on(&server);
    let rust = rust_with(&server, |config| {
        config.lock_wait(Duration::from_millis(50))
    });
    let invalidate = |python: &mut Process, how: &str, value: u32| {
        python.ask(&format!("set a {value}"), "done");
        assert_eq!(get(&rust, "a"), Some(value));
        python.ask(&format!("invalidate {how}"), "done");
        python.ask("judge a", &format!("{how}, last {how}"));
        until("Rust sees it", || get(&rust, "a").is_none());
        python.ask(&format!("hold a {}", value + 1), "creating a");
    };
    invalidate(&mut python, "soft", 1);
    let stale = rust.get_or_create("a", || 9_u32).unwrap();
    assert_eq!((*stale, stale.source()), (1, Source::Stale));
    python.ask("go", "got 2");
    invalidate(&mut python, "hard", 3);
    let error = rust.get_or_create("a", || 9_u32).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockWait);
    python.ask("go", "got 4");
    assert_eq!(get(&rust, "a"), Some(4));
}

#[test]
fn python_reads_the_record_once_in_an_interval() {
    let server = RedisServer::start(&[]);
    let rust = rust(&server);
    let mut rare = python_with(&server, NEVER_AGAIN);
    let mut default = python_on(&server);
    rust.set("a", 1_u32).unwrap();
    for python in [&mut rare, &mut default] {
        python.ask("get a", "1");
    }
    rust.invalidate(Invalidation::Hard).unwrap();
    until("the interval has passed", || {
        default.answer("get a") == "none"
    });
    rare.ask("get a", "1");
    // Its own it knows at once, and with them those of others.
    rust.set("b", 2_u32).unwrap();
    rare.ask("invalidate soft", "done");
    rare.ask("judge a", "hard, last soft");
    rare.ask("judge b", "soft, last soft");
}

#[test]
fn without_an_expiration_time_python_takes_a_soft_invalidation_for_a_hard_one() {
    let server = RedisServer::start(&[]);
    let (mut python, rust) = (python_with(&server, AT_ONCE), rust(&server));
    python.ask("endless", "done");
    rust.set("a", 1_u32).unwrap();
    python.ask("get a", "1");
    rust.invalidate(Invalidation::Soft).unwrap();
    python.ask("judge a", "hard, last hard");
    python.ask("call 2 a 2", "created 1 got [2]");
    python.ask("call 2 a 3", "created 0 got [2]");
}

#[test]
fn of_two_records_the_later_times_hold_and_tags_stay() {
    let server = RedisServer::start(&[]);
    let mut python = python_with(&server, AT_ONCE);
    let mut client = client(&server);
    let by_rust = rust(&server);
    by_rust
        .invalidate_tags(["team:1"], Invalidation::Hard)
        .unwrap();
    drop(by_rust);
    let tags = record(&mut client)["tags"].clone();
    assert!(tags["team:1"]["hard"].as_f64().unwrap() > 0.0, "{tags}");
    python.ask("set a 1", "done");
    python.ask("invalidate hard", "done");
    let first = record(&mut client);
    assert_eq!(first["tags"], tags);
    let hard = first["hard"].as_f64().unwrap();
    assert!(hard > now() - 60.0 && hard <= now(), "{first}");
    assert_eq!(first["soft"], 0.0);
    // Who writes an earlier time, or loses the record, finds it again.
    let earlier = json!({ "hard": 1.5, "soft": hard - 30.0, "x": "y" });
    let () = client.set(RECORD, earlier.to_string()).unwrap();
    python.ask("judge a", "hard, last hard");
    let later = json!({ "hard": hard, "soft": hard - 30.0, "x": "y" });
    assert_eq!(record(&mut client), later);
    let () = client.del(RECORD).unwrap();
    python.ask("judge a", "hard, last hard");
    assert_eq!(record(&mut client), later);
    for no_record in ["[1, 2]", "{", r#"{"hard": "x"}"#, r#"{"soft": Infinity}"#] {
        let () = client.set(RECORD, no_record).unwrap();
        python.ask("judge a", "hard, last hard");
        assert_eq!(record(&mut client), later, "{no_record}");
    }
}

#[test]
fn a_time_far_ahead_outdates_what_is_there_and_nothing_after_it() {
    let server = RedisServer::start(&[]);
    let mut python = python_with(&server, AT_ONCE);
    let mut client = client(&server);
    python.ask("set a 1", "done");
    let ahead = now() + 86400.0;
    let () = client
        .set(RECORD, json!({ "hard": ahead }).to_string())
        .unwrap();
    python.ask("judge a", "hard, last hard");
    python.ask("set a 2", "done");
    python.ask("judge a", "fresh, last hard");
    // One's own is later than that, so that others see it.
    python.ask("invalidate hard", "done");
    python.ask("judge a", "hard, last hard");
    assert!(record(&mut client)["hard"].as_f64().unwrap() > ahead);
    python.ask("set a 3", "done");
    python.ask("judge a", "fresh, last hard");
}

#[test]
fn an_invalidation_that_cannot_be_written_holds_in_python_and_is_written_later() {
    let mut server = RedisServer::start(&[]);
    let mut python = python_with(&server, AT_ONCE);
    server.kill();
    python.ask("invalidate soft", "ConnectionError");
    server.restart();
    let mut client = client(&server);
    let stored = format!(r#"{{"ct": {}, "v": 2}}|1"#, now() - 30.0);
    let () = client.set("a", stored).unwrap();
    python.ask("judge a", "soft, last soft");
    assert!(record(&mut client)["soft"].as_f64().unwrap() > now() - 30.0);
}

#[test]
fn after_a_read_that_fails_python_tries_again_at_once() {
    let mut server = RedisServer::start(&[]);
    let mut python = python_with(&server, AT_ONCE);
    python.ask("last", "never");
    python.ask("interval 3600", "done");
    server.kill();
    python.ask("last", "ConnectionError");
    python.ask("last", "ConnectionError");
    server.restart();
    rust(&server).invalidate(Invalidation::Soft).unwrap();
    python.ask("last", "soft");
}

#[test]
fn what_python_writes_is_json_or_an_error() {
    let server = RedisServer::start(&[]);
    let (mut python, rust) = (python_on(&server), rust(&server));
    python.ask(r#"set_python a ("é",{1:"|"},None)"#, "done");
    let found = rust.get::<(String, BTreeMap<u32, String>, Option<u32>)>("a");
    let expected = ("é".to_owned(), BTreeMap::from([(1, "|".to_owned())]), None);
    assert_eq!(*found.unwrap().unwrap(), expected);
    python.ask("set_python a {1}", "TypeError");
    python.ask(r#"set_python a float("nan")"#, "ValueError");
}

#[test]
fn no_pickle_of_python_at_its_defaults_is_lost() {
    let server = RedisServer::start(&[]);
    let (mut python, rust) = (python_on(&server), rust(&server));
    let mut client = client(&server);
    let log = tempfile::NamedTempFile::new().unwrap();
    let subscriber = tracing_subscriber::fmt().with_writer(Arc::new(File::create(&log).unwrap()));
    let logging = subscriber.finish().set_default();
    for key in ["a", "b"] {
        python.ask(&format!("set_default {key} 1"), "done");
    }
    let stored: Vec<Vec<u8>> = client.mget(&["a", "b"]).unwrap();
    assert_eq!(get(&rust, "a"), None);
    for key in ["a", "b"] {
        for number in [2, 3] {
            let made = rust.get_or_create(key, || number).unwrap();
            assert_eq!((*made, made.source()), (number, Source::Created));
        }
    }
    let made = rust.get_or_create_multi(&["a", "b"], |_| [("a", 4_u32), ("b", 4)]);
    assert!(made.unwrap().iter().flatten().all(|made| **made == 4));
    assert!(foreign(&rust) >= 6, "{:?}", rust.stats().misses);
    drop(logging);
    let log = fs::read_to_string(&log).unwrap();
    assert_eq!(log.matches("replace_foreign").count(), 1, "{log}");
    assert_eq!(client.mget::<_, Vec<Vec<u8>>>(&["a", "b"]).unwrap(), stored);
    python.ask("get_default a", "1");
    python.ask("get a b", "1 1");
}

#[test]
fn with_the_file_python_reads_json_and_pickles_and_at_its_defaults_it_raises() {
    let server = RedisServer::start(&[]);
    let mut python = python_on(&server);
    let rust = rust_with(&server, |config| config.replace_foreign(true));
    python.ask("set_default a 1", "done");
    python.ask("get a", "1");
    assert_eq!(*rust.get_or_create("a", || 2_u32).unwrap(), 2);
    python.ask("get a", "2");
    python.ask("get_default a", "UnpicklingError");
    // What nobody can read is created anew.
    let mut client = client(&server);
    for payload in [
        &b"\x80\x04c"[..],
        b"\x80\x04\x8c\x04lost\x8c\x01X\x93.",
        b"{",
    ] {
        let stored = [
            format!(r#"{{"ct": {}, "v": 2}}|"#, now()).as_bytes(),
            payload,
        ]
        .concat();
        let () = client.set("b", stored).unwrap();
        python.ask("get b", "none");
        python.ask("call 2 b 5", "created 1 got [5]");
        assert_eq!(get(&rust, "b"), Some(5));
    }
}

#[test]
fn what_has_expired_has_expired_for_both() {
    let server = RedisServer::start(&[]);
    let (mut python, rust) = (python_on(&server), rust(&server));
    let mut client = client(&server);
    // Both regions expire after a minute.
    for (key, age) in [("fresh", 30.0), ("old", 90.0)] {
        let stored = format!(r#"{{"ct": {}, "v": 2}}|7"#, now() - age);
        let () = client.set(key, stored).unwrap();
    }
    python.ask("get fresh old", "7 none");
    assert_eq!((get(&rust, "fresh"), get(&rust, "old")), (Some(7), None));
    // The old one is served by both while one of them creates.
    python.ask("hold old 8", "creating old");
    python.ask("call 2 old 9", "created 0 got [7]");
    let stale = rust.get_or_create("old", || 9_u32).unwrap();
    assert_eq!((*stale, stale.source()), (7, Source::Stale));
    python.ask("go", "got 8");
    assert_eq!(get(&rust, "old"), Some(8));
    // The server drops Rust's values after `max_stale`, and Python's never.
    rust.set("by Rust", 1_u32).unwrap();
    let left: i64 = client.ttl("by Rust").unwrap();
    assert!((100..=120).contains(&left), "{left}");
    assert_eq!(client.ttl::<_, i64>("old").unwrap(), -1);
}
