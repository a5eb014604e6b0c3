//! What is stored in the server, as others see it.

use std::time::Duration;

use dogpile_plugin_api::testing::TestHost;
use dogpile_plugin_api::{Guarded, Key, Metadata, Value};
use dogpile_tests::redis_server::RedisServer;
use serde_json::{Value as Json, json};

use crate::support::{at, client, get, key, open, set, try_open_on};

const SECOND: u64 = 1_000_000_000;
const NOW: u64 = 1_000 * SECOND;

fn value(key: Key<'_>, seconds: u64) -> Value {
    let keep_until = if seconds == 0 {
        0
    } else {
        NOW + seconds * SECOND
    };
    Value::copied(
        &Metadata {
            keep_until,
            ..Metadata::default()
        },
        key,
        b"value",
    )
}

/// How long the server keeps what is stored with these arguments, and may be wanted for 100 seconds, for ever, or no
/// longer: in seconds, rounded up; -1: for ever; -2: there is nothing.
fn kept(server: &RedisServer, more: &Json, how: &str) -> [i64; 3] {
    let mut arguments = at(server);
    arguments
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let host = TestHost::at(NOW);
    let backend = try_open_on(&host, &arguments).unwrap();
    let keys = ["some time", "for ever", "passed"].map(key);
    let mut wanted = [100, 0, 1].into_iter();
    let entries = keys.each_ref().map(|key| {
        let key = key.as_key();
        (key, value(key, wanted.next().unwrap()))
    });
    if how == "passed" {
        host.advance(Duration::from_secs(5));
    }
    match how {
        "set_multi" => backend.set_multi(&entries).unwrap(),
        "set_guarded" => {
            for (key, value) in &entries {
                let mutex = backend.mutex(key).unwrap().unwrap();
                let lease = mutex.try_acquire(Duration::from_mins(1)).unwrap().unwrap();
                assert_eq!(
                    backend.set_guarded(key, value, &lease).unwrap(),
                    Guarded::Stored
                );
                mutex.release(lease).unwrap();
            }
        }
        _ => entries
            .iter()
            .for_each(|(key, value)| backend.set(key, value).unwrap()),
    }
    let mut client = client(server);
    let left = keys.map(|key| {
        let left: i64 = redis::cmd("PTTL")
            .arg(key.as_key().as_str())
            .query(&mut client)
            .unwrap();
        if left > 0 { (left + 999) / 1000 } else { left }
    });
    redis::cmd("FLUSHALL").exec(&mut client).unwrap();
    left
}

#[test]
fn the_server_keeps_a_value_for_as_long_as_anybody_may_want_it() {
    let server = RedisServer::start(&[]);
    for how in ["set", "set_multi", "set_guarded"] {
        assert_eq!(kept(&server, &json!({}), how), [100, -1, 1], "{how}");
        let fixed = json!({ "redis_expiration_time": 7 });
        assert_eq!(kept(&server, &fixed, how), [7, 7, 7], "{how}");
        let never = json!({ "redis_expiration_time": 0 });
        assert_eq!(kept(&server, &never, how), [-1, -1, -1], "{how}");
    }
}

#[test]
fn what_nobody_wants_any_more_is_gone_at_once() {
    let server = RedisServer::start(&[]);
    let [some, ever, passed] = kept(&server, &json!({}), "passed");
    assert!(
        some == 95 && ever == -1 && passed < 2,
        "{some} {ever} {passed}"
    );
}

#[test]
fn values_are_stored_as_they_are_under_the_key_itself() {
    let server = RedisServer::start(&[]);
    let backend = open(&at(&server));
    let bytes = b"{\"ct\": 1700000000.25, \"v\": 2}|\"x\"";
    set(&backend, "module:fn|42", bytes).unwrap();
    let mut client = client(&server);
    let found: Vec<u8> = redis::cmd("GET")
        .arg("module:fn|42")
        .query(&mut client)
        .unwrap();
    assert_eq!(found, bytes);
    let all: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut client).unwrap();
    assert_eq!(all, ["module:fn|42"]);
}

#[test]
fn a_key_under_which_another_program_has_a_list_is_missing_and_can_be_stored() {
    let server = RedisServer::start(&[]);
    let backend = open(&at(&server));
    redis::cmd("RPUSH")
        .arg("key")
        .arg("element")
        .exec(&mut client(&server))
        .unwrap();
    assert_eq!(get(&backend, "key").unwrap(), None);
    let found = backend.get_multi(&[key("key").as_key()]).unwrap();
    assert!(found == [None] || found[0].is_none());
    set(&backend, "key", b"value").unwrap();
    assert_eq!(get(&backend, "key").unwrap().unwrap(), b"value");
}

#[test]
fn clear_keeps_no_key_but_locks_and_is_refused_unless_all_may_go() {
    let server = RedisServer::start(&[]);
    let mut arguments = at(&server);
    let error = open(&arguments).clear().unwrap_err();
    assert!(error.to_string().contains("clear_empties_db"), "{error}");
    arguments["clear_empties_db"] = json!(true);
    let backend = open(&arguments);
    // Values whose names are like those of locks, and of notes of deletions.
    for number in 0..3000 {
        set(&backend, &format!("key {number}"), b"value").unwrap();
    }
    set(&backend, "_locksmiths", b"value").unwrap();
    set(&backend, "_dogpile_delta", b"value").unwrap();
    let mutex = backend.mutex(&key("held").as_key()).unwrap().unwrap();
    let _lease = mutex.try_acquire(Duration::from_mins(1)).unwrap().unwrap();
    let mut client = client(&server);
    redis::cmd("SET")
        .arg(&b"_lock\xff"[..])
        .arg("no text")
        .exec(&mut client)
        .unwrap();
    redis::cmd("RPUSH")
        .arg("_locklist")
        .arg("element")
        .exec(&mut client)
        .unwrap();
    backend.clear().unwrap();
    let mut left: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut client).unwrap();
    left.sort();
    assert_eq!(left, ["_dogpile_delheld", "_lockheld"]);
}
