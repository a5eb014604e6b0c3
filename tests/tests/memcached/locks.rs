//! The creation locks as other clients see them, and what they do to them.

use std::time::{Duration, Instant};

use dogpile_plugin_api::{BackendInstance, Guarded, Lease, Metadata, Mutex, Value};
use dogpile_tests::memcached_server::MemcachedServer;
use serde_json::json;

use crate::raw::Raw;
use crate::support::{WAYS, at, get, key, open, servers, set};

const LONG: Duration = Duration::from_mins(1);

fn mutex(on: &BackendInstance) -> Box<dyn Mutex> {
    on.mutex(&key("key").as_key()).unwrap().unwrap()
}

fn guarded(on: &BackendInstance, lease: &Lease) -> Guarded {
    let key = key("key");
    let value = Value::copied(&Metadata::default(), key.as_key(), b"value");
    on.set_guarded(&key.as_key(), &value, lease).unwrap()
}

/// Each way, on a server of its own.
fn each_way(look: impl Fn(&BackendInstance, &mut Raw)) {
    for (backend, arguments) in WAYS {
        println!("{backend} {arguments}");
        let servers = [MemcachedServer::start(&[])];
        let on = open(backend, &at(&servers, arguments));
        look(&on, &mut Raw::to(&servers[0]));
    }
}

#[test]
fn a_lock_is_dogpiles_with_a_token_and_a_time() {
    each_way(|on, raw| {
        let lease = mutex(on).try_acquire(LONG).unwrap().unwrap();
        let there = raw.get("_lockkey").unwrap();
        assert_eq!(there.bytes.len(), 32);
        assert!(there.bytes.iter().all(u8::is_ascii_hexdigit));
        assert!((50..=60).contains(&there.ttl), "{}", there.ttl);
        // What Python does to take it.
        assert_eq!(raw.ask("add _lockkey 2 30 1\r\n1\r\n"), "NOT_STORED");
        mutex(on).release(lease).unwrap();
        assert_eq!(raw.get("_lockkey"), None);
    });
}

#[test]
fn a_lock_of_pythons_is_respected_and_left_as_it_is() {
    each_way(|on, raw| {
        assert_eq!(raw.ask("add _lockkey 2 60 1\r\n1\r\n"), "STORED");
        let mutex = mutex(on);
        assert!(mutex.is_locked().unwrap());
        assert!(mutex.try_acquire(LONG).unwrap().is_none());
        // Python reads it as a number: a deletion must add nothing to it.
        on.delete(&key("key").as_key()).unwrap();
        assert_eq!(raw.text("_lockkey").unwrap(), "1");
        assert_eq!(raw.ask("delete _lockkey\r\n"), "DELETED");
        let lease = mutex.try_acquire(LONG).unwrap().unwrap();
        mutex.release(lease).unwrap();
    });
}

#[test]
fn a_lock_that_python_released_for_us_is_lost() {
    each_way(|on, raw| {
        let mutex = mutex(on);
        let mut lease = mutex.try_acquire(LONG).unwrap().unwrap();
        assert_eq!(raw.ask("delete _lockkey\r\n"), "DELETED");
        assert_eq!(guarded(on, &lease), Guarded::LeaseLost);
        assert!(!mutex.renew(&mut lease).unwrap());
        // Python took it since: it stays Python's.
        assert_eq!(raw.ask("add _lockkey 2 60 1\r\n1\r\n"), "STORED");
        assert_eq!(guarded(on, &lease), Guarded::LeaseLost);
        assert!(!mutex.renew(&mut lease).unwrap());
        mutex.release(lease).unwrap();
        assert_eq!(raw.text("_lockkey").unwrap(), "1");
        assert_eq!(raw.get("key"), None);
    });
}

#[test]
fn a_deletion_is_noted_in_the_lock_once_and_lasts_over_renewals() {
    each_way(|on, raw| {
        let mutex = mutex(on);
        let mut lease = mutex.try_acquire(LONG).unwrap().unwrap();
        let token = raw.text("_lockkey").unwrap();
        for _ in 0..2 {
            on.delete(&key("key").as_key()).unwrap();
            assert_eq!(raw.text("_lockkey").unwrap(), format!("{token}!"));
            assert!(mutex.renew(&mut lease).unwrap());
        }
        assert!((50..=60).contains(&raw.get("_lockkey").unwrap().ttl));
        assert_eq!(guarded(on, &lease), Guarded::Deleted);
        mutex.release(lease).unwrap();
        assert_eq!(raw.get("_lockkey"), None);
        let next = mutex.try_acquire(LONG).unwrap().unwrap();
        assert_eq!(guarded(on, &next), Guarded::Stored);
    });
}

#[test]
fn a_guarded_store_replaces_what_is_there_whoever_stored_it() {
    each_way(|on, raw| {
        let lease = mutex(on).try_acquire(LONG).unwrap().unwrap();
        raw.set("key", 0, b"python's");
        assert_eq!(guarded(on, &lease), Guarded::Stored);
        assert_eq!(raw.text("key").unwrap(), "value");
        assert_eq!(guarded(on, &lease), Guarded::Stored);
    });
}

#[test]
fn every_server_of_memcached_binary_has_the_value_and_the_lock() {
    let servers = servers(3, &[]);
    let on = open("memcached_binary", &at(&servers, "{}"));
    let mutex = mutex(&on);
    let lease = mutex.try_acquire(LONG).unwrap().unwrap();
    assert_eq!(guarded(&on, &lease), Guarded::Stored);
    for server in &servers {
        let mut raw = Raw::to(server);
        assert_eq!(raw.text("key").unwrap(), "value");
        assert_eq!(raw.text("_lockkey").unwrap().len(), 32);
    }
    on.delete(&key("key").as_key()).unwrap();
    for server in &servers {
        let mut raw = Raw::to(server);
        assert_eq!(raw.text("key"), None);
        assert!(raw.text("_lockkey").unwrap().ends_with('!'));
    }
    assert_eq!(guarded(&on, &lease), Guarded::Deleted);
    mutex.release(lease).unwrap();
    for server in &servers {
        assert_eq!(Raw::to(server).text("_lockkey"), None);
    }
}

#[test]
fn of_two_locks_of_a_key_on_several_servers_none_is_both() {
    let servers = servers(3, &[]);
    let on = open("memcached_binary", &at(&servers, "{}"));
    // Somebody took it while the first server was down.
    for server in &servers[1..] {
        let stored = Raw::to(server).ask("add _lockkey 2 60 1\r\n1\r\n");
        assert_eq!(stored, "STORED");
    }
    assert!(mutex(&on).try_acquire(LONG).unwrap().is_none());
    assert_eq!(Raw::to(&servers[0]).text("_lockkey"), None);
    assert_eq!(Raw::to(&servers[1]).text("_lockkey").unwrap(), "1");
}

#[test]
fn a_server_that_comes_back_empty_gets_the_lock_back_with_the_next_renewal() {
    let mut servers = servers(3, &[]);
    let mut arguments = at(&servers, "{}");
    arguments["dead_retry"] = json!("20ms");
    let on = open("memcached_binary", &arguments);
    let mutex = mutex(&on);
    let mut lease = mutex.try_acquire(LONG).unwrap().unwrap();
    servers[0].kill();
    assert!(mutex.renew(&mut lease).unwrap());
    assert_eq!(guarded(&on, &lease), Guarded::Stored);
    servers[0].restart();
    let mut raw = Raw::to(&servers[0]);
    crate::support::until("it has the lock", || {
        assert!(mutex.renew(&mut lease).unwrap());
        raw.text("_lockkey").is_some()
    });
    assert_eq!(guarded(&on, &lease), Guarded::Stored);
    mutex.release(lease).unwrap();
    assert_eq!(raw.text("_lockkey"), None);
    assert_eq!(get(&on, "key").unwrap().unwrap(), b"value");
}

#[test]
fn a_waiter_sees_a_release_soon_however_long_it_waited() {
    each_way(|on, raw| {
        assert_eq!(raw.ask("add _lockkey 2 60 1\r\n1\r\n"), "STORED");
        let mutex = mutex(on);
        // So that it looks as rarely as it ever does.
        for _ in 0..3 {
            mutex.wait(Duration::from_millis(200)).unwrap();
        }
        raw.ask("delete _lockkey\r\n");
        let since = Instant::now();
        mutex.wait(Duration::from_secs(10)).unwrap();
        let waited = since.elapsed();
        assert!(waited < Duration::from_secs(3), "{waited:?}");
    });
}

#[test]
fn a_server_that_cannot_compare_holds_values_and_no_locks() {
    for (backend, arguments) in WAYS {
        let servers = servers(1, &["-C"]);
        let mut arguments = at(&servers, arguments);
        let on = open(backend, &arguments);
        let error = mutex(&on).try_acquire(LONG).unwrap_err();
        assert!(error.message().contains("`-C`"), "{backend}: {error}");
        assert_eq!(Raw::to(&servers[0]).text("_lockkey"), None, "{backend}");
        arguments["distributed_lock"] = json!(false);
        let on = open(backend, &arguments);
        set(&on, "key", b"value").unwrap();
        assert_eq!(get(&on, "key").unwrap().unwrap(), b"value");
    }
}
