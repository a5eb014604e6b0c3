//! Keys that would be commands if they were sent, on every method that takes one.

use std::time::Duration;

use dogpile_plugin_api::{BackendInstance, Error, ErrorKind, Lease, Metadata, OwnedKey, Value};
use dogpile_tests::memcached_server::MemcachedServer;

use crate::raw::Raw;
use crate::support::{WAYS, at, get, key, open, set};

fn forbidden() -> Vec<String> {
    let bad = [
        "",
        "a b",
        " a",
        "a\r\nflush_all\r\n",
        "a\r\nmd victim\r\n",
        "a\nflush_all\n",
        "a\0b",
        "a\tb",
        "a\u{7f}b",
        "a\u{1}",
    ];
    let mut bad: Vec<String> = bad.map(String::from).into();
    // Bytes count, not characters.
    bad.extend(["k".repeat(251), "é".repeat(126)]);
    bad
}

/// What each method says of a key.
fn every_method(on: &BackendInstance, key: &OwnedKey) -> Vec<(&'static str, Option<Error>)> {
    let key = key.as_key();
    let value = Value::copied(&Metadata::default(), key, b"value");
    let lease = Lease::new([0; 16], 1).tagged(1000);
    let mutex = on.mutex(&key).unwrap().unwrap();
    let second = Duration::from_secs(1);
    vec![
        ("get", on.get(&key).err()),
        ("get_multi", on.get_multi(&[key]).err()),
        ("get_fresh", on.get_fresh(&key).err()),
        ("get_multi_fresh", on.get_multi_fresh(&[key]).err()),
        ("set", on.set(&key, &value).err()),
        ("set_multi", on.set_multi(&[(key, value.clone())]).err()),
        ("delete", on.delete(&key).err()),
        ("delete_multi", on.delete_multi(&[key]).err()),
        ("set_guarded", on.set_guarded(&key, &value, &lease).err()),
        (
            "set_guarded_multi",
            on.set_guarded_multi(&[(key, value, lease)]).err(),
        ),
        ("try_acquire", mutex.try_acquire(second).err()),
        ("wait", mutex.wait(Duration::from_millis(1)).err()),
        ("renew", mutex.renew(&mut lease.clone()).err()),
        ("release", mutex.release(lease).err()),
        ("is_locked", mutex.is_locked().err()),
    ]
}

#[test]
fn a_key_that_would_be_a_command_is_refused_by_every_method_and_never_sent() {
    for (backend, arguments) in WAYS {
        let servers = [MemcachedServer::start(&[])];
        let mut raw = Raw::to(&servers[0]);
        let on = open(backend, &at(&servers, arguments));
        set(&on, "victim", b"lives").unwrap();
        for bad in forbidden() {
            for (method, error) in every_method(&on, &key(&bad)) {
                let error = error.unwrap_or_else(|| panic!("{backend}: {method} took {bad:?}"));
                assert_eq!(
                    error.kind(),
                    ErrorKind::Refused,
                    "{method}, {bad:?}: {error}"
                );
                assert!(error.message().contains("key_mangler"), "{method}: {error}");
                assert!(
                    !error.message().contains(['\r', '\n', '\0']),
                    "{method}: {error:?}"
                );
            }
            // One bad key keeps the others from being sent too.
            let (victim, bad) = (key("victim"), key(&bad));
            assert!(on.delete_multi(&[victim.as_key(), bad.as_key()]).is_err());
        }
        assert_eq!(get(&on, "victim").unwrap().unwrap(), b"lives", "{backend}");
        assert_eq!(raw.stat("cmd_flush"), 0);
        assert_eq!(raw.stat("cmd_set"), 1, "{backend}");
    }
}

#[test]
fn keys_in_any_script_and_of_the_greatest_length_work_with_every_method() {
    let keys = [
        "ключ:1",
        "é",
        "鍵",
        "a|b%'\"\\",
        &"k".repeat(245),
        &"é".repeat(122),
    ];
    for (backend, arguments) in WAYS {
        let servers = [MemcachedServer::start(&[])];
        let on = open(backend, &at(&servers, arguments));
        for text in keys {
            for (method, error) in every_method(&on, &key(text)) {
                assert!(error.is_none(), "{backend}, {method}, {text}: {error:?}");
            }
            set(&on, text, text.as_bytes()).unwrap();
            assert_eq!(get(&on, text).unwrap().unwrap(), text.as_bytes());
        }
        // There is no room for the name of a lock: everything else works.
        let long = "k".repeat(250);
        set(&on, &long, b"value").unwrap();
        assert_eq!(get(&on, &long).unwrap().unwrap(), b"value");
        on.delete(&key(&long).as_key()).unwrap();
        let mutex = on.mutex(&key(&long).as_key()).unwrap().unwrap();
        let error = mutex.try_acquire(Duration::from_secs(1)).unwrap_err();
        assert!(error.message().contains("no more than 245"), "{error}");
    }
}
