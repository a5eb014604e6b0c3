//! What is stored of values, as other clients see it, and for how long.

use std::time::Duration;

use dogpile_plugin_api::testing::host;
use dogpile_plugin_api::{BackendInstance, ErrorKind, Metadata, Value};
use dogpile_tests::memcached_server::MemcachedServer;
use serde_json::json;

use crate::raw::{Raw, There};
use crate::support::{WAYS, at, get, key, open, servers, set};

/// The flag of bytes.
fn flag(backend: &str) -> u32 {
    if backend == "memcached_binary" { 16 } else { 0 }
}

fn store_until(on: &BackendInstance, name: &str, seconds: u64) {
    let key = key(name);
    let metadata = Metadata {
        keep_until: host().context().now() + seconds * 1_000_000_000,
        ..Metadata::default()
    };
    let value = Value::copied(&metadata, key.as_key(), b"value");
    on.set(&key.as_key(), &value).unwrap();
}

#[test]
fn values_are_bytes_with_the_flags_of_pythons_client() {
    for (backend, arguments) in WAYS {
        let servers = [MemcachedServer::start(&[])];
        let mut raw = Raw::to(&servers[0]);
        let on = open(backend, &at(&servers, arguments));
        set(&on, "key", b"value").unwrap();
        let expected = There {
            bytes: b"value".into(),
            flags: flag(backend),
            ttl: -1,
        };
        assert_eq!(raw.get("key").unwrap(), expected, "{backend}");
        for flags in [0, 2, 4, 16] {
            raw.set("other", flags, b"bytes");
            assert_eq!(
                get(&on, "other").unwrap().unwrap(),
                b"bytes",
                "{backend}, {flags}"
            );
        }
    }
}

#[test]
fn long_values_are_compressed_if_that_is_wanted_and_read_by_all() {
    for (backend, arguments) in WAYS {
        let servers = [MemcachedServer::start(&[])];
        let mut raw = Raw::to(&servers[0]);
        let mut arguments = at(&servers, arguments);
        let plain = open(backend, &arguments);
        arguments["min_compress_len"] = json!(100);
        let on = open(backend, &arguments);
        let long = vec![b'a'; 1000];
        set(&on, "long", &long).unwrap();
        set(&on, "short", b"short").unwrap();
        let there = raw.get("long").unwrap();
        assert_eq!(there.flags, flag(backend) | 8);
        assert!(there.bytes.len() < 100);
        assert_eq!(raw.get("short").unwrap().flags, flag(backend));
        assert_eq!(get(&plain, "long").unwrap().unwrap(), long);
        // What says so and is not is nobody's value, and no error.
        raw.set("wrong", flag(backend) | 8, b"no zlib");
        assert_eq!(get(&on, "wrong").unwrap().unwrap(), b"no zlib");
    }
}

#[test]
fn the_servers_keep_a_value_as_long_as_anybody_may_want_it() {
    const DAY: u64 = 24 * 60 * 60;
    for (backend, arguments) in WAYS {
        let servers = [MemcachedServer::start(&[])];
        let mut raw = Raw::to(&servers[0]);
        let on = open(backend, &at(&servers, arguments));
        for days in [1, 29, 31, 400] {
            store_until(&on, "key", days * DAY);
            let seconds = i64::try_from(days * DAY).unwrap();
            let ttl = raw.get("key").unwrap().ttl;
            assert!(
                (seconds - 20..=seconds + 2).contains(&ttl),
                "{backend}, {days} days: {ttl}"
            );
        }
        // Who may want it for no time gets it for a moment, not for ever.
        store_until(&on, "key", 0);
        assert!((0..=2).contains(&raw.get("key").map_or(0, |there| there.ttl)));
    }
}

#[test]
fn memcached_expire_time_is_for_all_values_and_may_be_for_ever() {
    for (backend, arguments) in WAYS {
        let servers = [MemcachedServer::start(&[])];
        let mut raw = Raw::to(&servers[0]);
        let mut arguments = at(&servers, arguments);
        for (time, least, most) in [
            (json!(100), 80, 100),
            (json!("60m"), 3580, 3600),
            (json!(40 * 24 * 60 * 60), 3_455_980, 3_456_002),
            (json!(0), -1, -1),
        ] {
            arguments["memcached_expire_time"] = time.clone();
            let on = open(backend, &arguments);
            store_until(&on, "key", 5);
            let ttl = raw.get("key").unwrap().ttl;
            assert!((least..=most).contains(&ttl), "{backend}, {time}: {ttl}");
        }
    }
}

#[test]
fn what_has_expired_is_gone() {
    let servers = [MemcachedServer::start(&[])];
    let mut arguments = at(&servers, "{}");
    arguments["memcached_expire_time"] = json!("1s");
    let on = open("memcached", &arguments);
    set(&on, "key", b"value").unwrap();
    crate::support::until("it has expired", || get(&on, "key").unwrap().is_none());
}

#[test]
fn a_value_that_is_too_large_is_refused_with_what_to_do_and_takes_the_old_one_along() {
    for (backend, arguments) in WAYS {
        let servers = servers(3, &[]);
        let on = open(backend, &at(&servers, arguments));
        set(&on, "key", b"old").unwrap();
        let large = vec![b'x'; 2 << 20];
        let error = set(&on, "key", &large).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{backend}: {error}");
        assert!(error.message().contains("min_compress_len"), "{error}");
        assert_ne!(get(&on, "key").unwrap().as_deref(), Some(&large[..]));
        // Among many, it keeps none of the others from being stored.
        let keys: Vec<_> = (0..30).map(|number| key(&format!("k{number}"))).collect();
        let entries: Vec<_> = keys
            .iter()
            .enumerate()
            .map(|(number, key)| {
                let bytes = if number == 7 { &large[..] } else { b"small" };
                (
                    key.as_key(),
                    Value::copied(&Metadata::default(), key.as_key(), bytes),
                )
            })
            .collect();
        let error = on.set_multi(&entries).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{backend}: {error}");
        for (number, key) in keys.iter().enumerate().filter(|(number, _)| *number != 7) {
            let found = on.get(&key.as_key()).unwrap().unwrap();
            assert_eq!(found.as_bytes().unwrap(), b"small", "{backend}, {number}");
        }
        let mutex = on.mutex(&keys[0].as_key()).unwrap().unwrap();
        let lease = mutex.try_acquire(Duration::from_mins(1)).unwrap().unwrap();
        let value = Value::copied(&Metadata::default(), keys[0].as_key(), &large);
        let error = on
            .set_guarded(&keys[0].as_key(), &value, &lease)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{backend}: {error}");
    }
}

#[test]
fn a_value_that_no_server_holds_is_not_sent() {
    for (backend, arguments) in WAYS {
        let servers = servers(1, &[]);
        let on = open(backend, &at(&servers, arguments));
        let key = key("key");
        let bytes = vec![0; (1 << 30) + 1];
        let value = Value::with(&Metadata::default(), key.as_key(), bytes);
        let error = on.set(&key.as_key(), &value).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{backend}: {error}");
        assert!(error.message().contains("1 GiB"), "{backend}: {error}");
        assert!(Raw::to(&servers[0]).stat("bytes_read") < 1000, "{backend}");
    }
}

#[test]
fn a_server_without_memory_refuses_and_reads_on() {
    for (backend, arguments) in WAYS {
        let servers = [MemcachedServer::start(&["-M", "-m", "8"])];
        let on = open(backend, &at(&servers, arguments));
        let chunk = vec![b'x'; 400_000];
        let mut stored = 0;
        let error = loop {
            match set(&on, &format!("k{stored}"), &chunk) {
                Ok(()) => stored += 1,
                Err(error) => break error,
            }
            assert!(stored < 1000, "it is never full");
        };
        assert_eq!(error.kind(), ErrorKind::Refused, "{backend}: {error}");
        assert!(error.message().contains("`-m`"), "{error}");
        assert!(stored > 0, "{error}");
        assert_eq!(get(&on, "k0").unwrap().unwrap(), chunk);
    }
}
