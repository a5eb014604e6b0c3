//! The locks, as others see them.

use std::time::Duration;

use dogpile_plugin_api::{BackendInstance, Guarded, Metadata, Value};
use dogpile_tests::redis_server::RedisServer;
use serde_json::json;

use crate::support::{at, client, key, open, set};

const LONG: Duration = Duration::from_mins(1);

fn store(backend: &BackendInstance, lease: &dogpile_plugin_api::Lease) -> Guarded {
    let key = key("key");
    let value = Value::copied(&Metadata::default(), key.as_key(), b"value");
    backend.set_guarded(&key.as_key(), &value, lease).unwrap()
}

#[test]
fn a_lock_is_what_redis_py_makes_of_it() {
    let server = RedisServer::start(&[]);
    let mut client = client(&server);
    for (prefix, name) in [(None, "_lockkey"), (Some("l:"), "l:key")] {
        let mut arguments = at(&server);
        if let Some(prefix) = prefix {
            arguments["lock_prefix"] = json!(prefix);
        }
        let backend = open(&arguments);
        let mutex = backend.mutex(&key("key").as_key()).unwrap().unwrap();
        let lease = mutex.try_acquire(LONG).unwrap().unwrap();
        let token: String = redis::cmd("GET").arg(name).query(&mut client).unwrap();
        assert_eq!(token.len(), 32);
        let left: u64 = redis::cmd("PTTL").arg(name).query(&mut client).unwrap();
        assert!((1..=60_000).contains(&left), "{left}");
        mutex.release(lease).unwrap();
        let all: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut client).unwrap();
        assert_eq!(all, [""; 0]);
    }
}

#[test]
fn the_note_of_a_deletion_lasts_as_long_as_the_lock_and_goes_with_it() {
    let server = RedisServer::start(&[]);
    let (owner, other) = (open(&at(&server)), open(&at(&server)));
    let mut client = client(&server);
    let mutex = owner.mutex(&key("key").as_key()).unwrap().unwrap();
    // Of what nobody creates there is no note.
    set(&other, "key", b"value").unwrap();
    other.delete(&key("key").as_key()).unwrap();
    let all: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut client).unwrap();
    assert_eq!(all, [""; 0]);
    let mut lease = mutex.try_acquire(LONG).unwrap().unwrap();
    other.delete(&key("key").as_key()).unwrap();
    let mut left = |name: &str| -> i64 { redis::cmd("PTTL").arg(name).query(&mut client).unwrap() };
    assert!(left("_dogpile_delkey").abs_diff(left("_lockkey")) < 1000);
    let mut other_client = crate::support::client(&server);
    for name in ["_lockkey", "_dogpile_delkey"] {
        let mut command = redis::cmd("PEXPIRE");
        command.arg(name).arg(5000).exec(&mut other_client).unwrap();
    }
    assert!(mutex.renew(&mut lease).unwrap());
    assert!(left("_dogpile_delkey") > 50_000 && left("_lockkey") > 50_000);
    assert_eq!(store(&owner, &lease), Guarded::Deleted);
    mutex.release(lease).unwrap();
    assert_eq!((left("_dogpile_delkey"), left("_lockkey")), (-2, -2));
}

#[test]
fn a_lock_of_python_without_an_end_is_respected_and_gets_no_note() {
    let server = RedisServer::start(&[]);
    let backend = open(&at(&server));
    let mut client = client(&server);
    redis::cmd("SET")
        .arg("_lockkey")
        .arg("python's")
        .exec(&mut client)
        .unwrap();
    let mutex = backend.mutex(&key("key").as_key()).unwrap().unwrap();
    assert!(mutex.is_locked().unwrap());
    assert!(mutex.try_acquire(LONG).unwrap().is_none());
    backend.delete(&key("key").as_key()).unwrap();
    let all: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut client).unwrap();
    assert_eq!(all, ["_lockkey"]);
}

#[test]
fn scripts_are_loaded_again_by_a_server_that_forgot_them() {
    let server = RedisServer::start(&[]);
    let backend = open(&at(&server));
    let mut client = client(&server);
    let mutex = backend.mutex(&key("key").as_key()).unwrap().unwrap();
    let mut forget = || redis::cmd("SCRIPT").arg("FLUSH").exec(&mut client).unwrap();
    for _ in 0..2 {
        let mut lease = mutex.try_acquire(LONG).unwrap().unwrap();
        forget();
        assert!(mutex.renew(&mut lease).unwrap());
        forget();
        assert_eq!(store(&backend, &lease), Guarded::Stored);
        forget();
        let keys = ["key", "another"].map(key);
        backend
            .delete_multi(&keys.each_ref().map(|key| key.as_key()))
            .unwrap();
        assert_eq!(store(&backend, &lease), Guarded::Deleted);
        forget();
        mutex.release(lease).unwrap();
        assert!(!mutex.is_locked().unwrap());
    }
}
