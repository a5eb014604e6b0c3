//! Keys over the masters of a cluster.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use dogpile_plugin_api::{
    BackendInstance, ErrorKind, Guarded, Lease, Metadata, OwnedKey, Result, Value,
};
use redis::Value as Reply;
use serde_json::Value as Json;

use crate::clustered::Clustered;
use crate::support::{client, get, key, open_clustered, set, until};
use crate::watched::{ask, calls};

const LONG: Duration = Duration::from_mins(1);

fn store(backend: &BackendInstance, name: &str, lease: &Lease) -> Guarded {
    try_store(backend, name, lease).unwrap()
}

fn try_store(backend: &BackendInstance, name: &str, lease: &Lease) -> Result<Guarded> {
    let key = key(name);
    let value = Value::copied(&Metadata::default(), key.as_key(), b"value");
    backend.set_guarded(&key.as_key(), &value, lease)
}

fn with(mut arguments: Json, argument: &str, value: impl Into<Json>) -> Json {
    arguments[argument] = value.into();
    arguments
}

/// All names in the cluster, each with the master that has it.
fn names(cluster: &Clustered) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for at in 0..3 {
        let names = ask(&cluster.nodes[at], &["KEYS", "*"]);
        let names: Vec<String> = redis::from_redis_value(names).unwrap();
        all.extend(names.into_iter().map(|name| (name, at)));
    }
    all
}

fn found(backend: &BackendInstance, keys: &[OwnedKey]) -> Vec<Option<Vec<u8>>> {
    let keys: Vec<_> = keys.iter().map(OwnedKey::as_key).collect();
    let found = backend.get_multi(&keys).unwrap();
    let fresh = backend.get_multi_fresh(&keys).unwrap();
    let bytes = |value: Option<Value>| value.map(|value| value.as_bytes().unwrap().to_owned());
    let found: Vec<_> = found.into_iter().map(bytes).collect();
    let fresh: Vec<_> = fresh.into_iter().map(bytes).collect();
    assert!(found == fresh);
    found
}

#[test]
fn keys_of_all_slots_are_stored_read_and_deleted_where_they_belong() {
    let cluster = Clustered::start();
    let backend = open_clustered(&cluster.arguments());
    let many: Vec<OwnedKey> = (0..300)
        .map(|number| key(&format!("key {number}")))
        .collect();
    let bytes = |number: usize| format!("value {number}").into_bytes();
    // Every third one is missing.
    let entries: Vec<_> = (0..300)
        .filter(|number| number % 3 != 2)
        .map(|number| {
            let key = many[number].as_key();
            (
                key,
                Value::copied(&Metadata::default(), key, &bytes(number)),
            )
        })
        .collect();
    backend.set_multi(&entries).unwrap();
    for (name, at) in names(&cluster) {
        assert_eq!(at, cluster.owner(&name), "{name}");
    }
    let expected: Vec<_> = (0..300)
        .map(|number| (number % 3 != 2).then(|| bytes(number)))
        .collect();
    assert!(found(&backend, &many) == expected);
    for number in [0, 1, 2, 100] {
        let name = format!("key {number}");
        assert_eq!(get(&backend, &name).unwrap(), expected[number], "{name}");
    }
    let (gone, left) = many.split_at(150);
    let gone_keys: Vec<_> = gone.iter().map(OwnedKey::as_key).collect();
    backend.delete_multi(&gone_keys).unwrap();
    assert!(found(&backend, gone).iter().all(Option::is_none));
    assert!(found(&backend, left) == expected[150..]);
    assert!(found(&backend, &[]).is_empty());
    backend.delete_multi(&[]).unwrap();
    backend.set_multi(&[]).unwrap();
    // Without a lock they are deleted by themselves.
    let arguments = with(cluster.arguments(), "distributed_lock", false);
    let keys: Vec<_> = left.iter().map(OwnedKey::as_key).collect();
    open_clustered(&arguments).delete_multi(&keys).unwrap();
    assert!(names(&cluster).is_empty());
    // What another program stored is a miss, among others too.
    let list = ask(
        &cluster.nodes[cluster.owner("{a}list")],
        &["RPUSH", "{a}list", "x"],
    );
    assert_eq!(list, Reply::Int(1));
    set(&backend, "{a}value", b"value").unwrap();
    let keys = ["{a}list", "{a}value", "elsewhere"].map(key);
    assert!(found(&backend, &keys) == [None, Some(b"value".to_vec()), None]);
    assert_eq!(get(&backend, "{a}list").unwrap(), None);
    backend.close().unwrap();
    for node in &cluster.nodes {
        let mut client = client(node);
        until("no other client is left after close", || {
            let list: String = redis::cmd("CLIENT").arg("LIST").query(&mut client).unwrap();
            list.lines().count() == 1
        });
    }
    let error = get(&backend, "{a}value").unwrap_err();
    assert!(error.to_string().contains("closed"), "{error}");
}

/// How often a master has read from its clients, by one of these.
fn reads(clients: &mut [redis::Connection]) -> Vec<u64> {
    let read = |client: &mut redis::Connection| -> u64 {
        let info: redis::InfoDict = redis::cmd("INFO").arg("stats").query(client).unwrap();
        info.get("total_reads_processed").unwrap()
    };
    clients.iter_mut().map(read).collect()
}

#[test]
fn many_keys_take_one_exchange_with_each_master_and_all_are_asked_at_once() {
    let cluster = Clustered::start();
    let arguments = with(cluster.arguments(), "socket_timeout", 20);
    let backend = open_clustered(&arguments);
    let many: Vec<OwnedKey> = (0..60)
        .map(|number| key(&format!("key {number}")))
        .collect();
    let keys: Vec<_> = many.iter().map(OwnedKey::as_key).collect();
    let entries: Vec<_> = keys
        .iter()
        .map(|key| (*key, Value::copied(&Metadata::default(), *key, b"value")))
        .collect();
    let leases: Vec<_> = entries
        .iter()
        .map(|(key, value)| {
            let mutex = backend.mutex(key).unwrap().unwrap();
            (
                *key,
                value.clone(),
                mutex.try_acquire(LONG).unwrap().unwrap(),
            )
        })
        .collect();
    backend.delete_multi(&keys).unwrap();
    let mut clients: Vec<_> = cluster.nodes.iter().map(client).collect();
    let rounds = |clients: &mut [redis::Connection], call: &dyn Fn()| {
        // The first time there may be connections to be made.
        call();
        let before = reads(clients);
        call();
        let after = reads(clients);
        let read = after
            .iter()
            .zip(&before)
            .map(|(after, before)| after - before);
        // Each look is one by itself.
        read.map(|read| read - 1).collect::<Vec<_>>()
    };
    let get_multi = || drop(backend.get_multi(&keys).unwrap());
    assert_eq!(rounds(&mut clients, &get_multi), [1, 1, 1]);
    let set_multi = || backend.set_multi(&entries).unwrap();
    assert_eq!(rounds(&mut clients, &set_multi), [1, 1, 1]);
    // It looks at locks and notes, and deletes or stores; the last is noted already.
    let delete_multi = || backend.delete_multi(&keys).unwrap();
    assert_eq!(rounds(&mut clients, &delete_multi), [3, 3, 3]);
    let set_guarded = || {
        let outcomes = backend.set_guarded_multi(&leases).unwrap();
        assert!(outcomes.iter().all(|outcome| *outcome == Guarded::Deleted));
    };
    assert_eq!(rounds(&mut clients, &set_guarded), [1, 1, 1]);
    // By slot.
    let before: u64 = cluster.nodes.iter().map(|node| calls(node, "mget")).sum();
    let tagged: Vec<OwnedKey> = (0..60).map(|n| key(&format!("{{{}}}{n}", n % 4))).collect();
    found(&backend, &tagged);
    let after: u64 = cluster.nodes.iter().map(|node| calls(node, "mget")).sum();
    assert_eq!(after - before, 8);
    // Whichever does not answer, the others are asked.
    for silent in 0..3 {
        let others: Vec<_> = (0..3).filter(|at| *at != silent).collect();
        let asked = || {
            let calls = others.iter().map(|at| calls(&cluster.nodes[*at], "mget"));
            calls.collect::<Vec<_>>()
        };
        let before = asked();
        cluster.nodes[silent].stop();
        thread::scope(|scope| {
            let call = scope.spawn(get_multi);
            until("the others are asked", || {
                let mut now = asked().into_iter().zip(&before);
                now.all(|(now, before)| now > *before)
            });
            assert!(!call.is_finished());
            cluster.nodes[silent].go_on();
            call.join().unwrap();
        });
    }
}

#[test]
fn callers_that_want_connections_to_all_masters_do_not_keep_them_from_each_other() {
    let cluster = Clustered::start();
    let arguments = with(cluster.arguments(), "max_connections", 1);
    let backend = open_clustered(&arguments);
    // One of each master, in all orders.
    let mut names = (0..).map(|number| format!("key {number}"));
    let of_masters = [0, 1, 2].map(|at| {
        let name = names.find(|name| cluster.owner(name) == at);
        key(&name.unwrap())
    });
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    thread::scope(|scope| {
        for order in orders {
            let keys = order.map(|at: usize| of_masters[at].as_key());
            let backend = &backend;
            scope.spawn(move || {
                for _ in 0..200 {
                    backend.get_multi(&keys).unwrap();
                }
            });
        }
    });
}

/// Keys with braces of all kinds, and without.
const KEYS: [&str; 12] = [
    "key",
    "",
    "{",
    "}",
    "{}",
    "{}key",
    "key}",
    "key{",
    "}{key",
    "{key}",
    "a{b}c{d}e",
    "{{key}}",
];

#[test]
fn locks_have_the_names_of_dogpile_or_lie_beside_their_values() {
    let cluster = Clustered::start();
    for (layout, is_beside) in [("dogpile", false), ("hashtag", true)] {
        let arguments = with(cluster.arguments(), "cluster_lock", layout);
        let (owner, other) = (open_clustered(&arguments), open_clustered(&arguments));
        for name in KEYS {
            let mutex = owner.mutex(&key(name).as_key()).unwrap().unwrap();
            let mut lease = mutex.try_acquire(LONG).unwrap().unwrap();
            let lock = names(&cluster).into_keys().next().unwrap();
            if is_beside {
                assert_eq!(cluster.slot(&lock), cluster.slot(name), "{lock}");
            } else {
                assert_eq!(lock, format!("_lock{name}"));
            }
            assert_eq!(store(&owner, name, &lease), Guarded::Stored);
            assert_eq!(get(&other, name).unwrap().unwrap(), b"value");
            other.delete(&key(name).as_key()).unwrap();
            let all = names(&cluster);
            let note = all
                .keys()
                .find(|name| name.starts_with("_dogpile_del"))
                .unwrap();
            let at = cluster.owner(note);
            let left = || ask(&cluster.nodes[at], &["PTTL", note]);
            assert!(
                matches!(left(), Reply::Int(50_000..=60_000)),
                "{:?}",
                left()
            );
            // It lasts as long as the lock, and goes with it.
            ask(&cluster.nodes[at], &["PEXPIRE", note, "20000"]);
            assert!(mutex.renew(&mut lease).unwrap());
            assert!(
                matches!(left(), Reply::Int(50_000..=60_000)),
                "{:?}",
                left()
            );
            assert_eq!(store(&owner, name, &lease), Guarded::Deleted);
            mutex.release(lease).unwrap();
            assert_eq!(names(&cluster), BTreeMap::new(), "{layout} {name}");
        }
    }
}

#[test]
fn what_is_deleted_or_lost_while_it_is_stored_is_taken_back() {
    let cluster = Clustered::start();
    let within = |seconds: u64| {
        let arguments = with(cluster.arguments(), "socket_timeout", seconds);
        open_clustered(&arguments)
    };
    // The value is on a master of its own, on which nobody may write for a while.
    let mut keys = (0..).map(|number| format!("key {number}"));
    let name = keys
        .find(|name| {
            let at = cluster.owner(name);
            cluster.owner(&format!("_lock{name}")) != at
                && cluster.owner(&format!("_dogpile_del{name}")) != at
        })
        .unwrap();
    let of = |name: &str| &cluster.nodes[cluster.owner(name)];
    let (lock, note) = (format!("_lock{name}"), format!("_dogpile_del{name}"));
    let while_it_is_stored = |backend: BackendInstance, meanwhile: &dyn Fn(&str)| {
        let mutex = backend.mutex(&key(&name).as_key()).unwrap().unwrap();
        let lease = mutex.try_acquire(LONG).unwrap().unwrap();
        let token: String = redis::from_redis_value(ask(of(&lock), &["GET", &lock])).unwrap();
        ask(of(&name), &["CLIENT", "PAUSE", "20000", "WRITE"]);
        let outcome = thread::scope(|scope| {
            let outcome = scope.spawn(|| try_store(&backend, &name, &lease));
            until("it is being stored", || {
                let info: redis::InfoDict =
                    redis::from_redis_value(ask(of(&name), &["INFO", "clients"])).unwrap();
                info.get::<u64>("blocked_clients").unwrap() > 0
            });
            meanwhile(&token);
            ask(of(&name), &["CLIENT", "UNPAUSE"]);
            outcome.join().unwrap()
        });
        for name in [&lock, &note] {
            of(name).go_on();
            ask(of(name), &["DEL", name]);
        }
        (outcome, get(&backend, &name).unwrap())
    };
    let (outcome, found) = while_it_is_stored(within(20), &|_| {});
    assert_eq!(
        (outcome.unwrap(), &*found.unwrap()),
        (Guarded::Stored, &b"value"[..])
    );
    let deleted = |token: &str| drop(ask(of(&note), &["SET", &note, token]));
    let (outcome, found) = while_it_is_stored(within(20), &deleted);
    assert_eq!((outcome.unwrap(), found), (Guarded::Deleted, None));
    let lost = |_: &str| drop(ask(of(&lock), &["SET", &lock, "another"]));
    let (outcome, found) = while_it_is_stored(within(20), &lost);
    assert_eq!((outcome.unwrap(), found), (Guarded::LeaseLost, None));
    // Nobody says how it is with the lock: all that within the time of one call.
    let since = Instant::now();
    let (outcome, found) = while_it_is_stored(within(4), &|_| of(&lock).stop());
    assert_eq!(
        (outcome.unwrap_err().kind(), found),
        (ErrorKind::Unavailable, None)
    );
    assert!(
        since.elapsed() < Duration::from_secs(8),
        "{:?}",
        since.elapsed()
    );
}

#[test]
fn clear_empties_all_masters_but_for_locks() {
    let cluster = Clustered::start();
    for layout in ["dogpile", "hashtag"] {
        let arguments = with(cluster.arguments(), "cluster_lock", layout);
        let error = open_clustered(&arguments).clear().unwrap_err();
        assert!(error.to_string().contains("clear_empties_db"), "{error}");
        let backend = open_clustered(&with(arguments, "clear_empties_db", true));
        let many: Vec<OwnedKey> = (0..5000)
            .map(|number| key(&format!("key {number}")))
            .collect();
        let entries: Vec<_> = many
            .iter()
            .map(OwnedKey::as_key)
            .map(|key| (key, Value::copied(&Metadata::default(), key, b"value")))
            .collect();
        backend.set_multi(&entries).unwrap();
        // Values whose names are like those of locks, and of notes of deletions.
        for name in ["_locksmiths", "_lock{a}a", "_dogpile_delta"] {
            set(&backend, name, b"value").unwrap();
        }
        let held: Vec<_> = ["one", "two", "three"]
            .into_iter()
            .map(|name| {
                let mutex = backend.mutex(&key(name).as_key()).unwrap().unwrap();
                (name, mutex.try_acquire(LONG).unwrap().unwrap(), mutex)
            })
            .collect();
        backend.clear().unwrap();
        let left = names(&cluster);
        let is_beside = |name: &&String| name.starts_with("_lock") || name.starts_with("_dogpile");
        assert_eq!(
            (left.len(), left.keys().filter(is_beside).count()),
            (6, 6),
            "{left:?}"
        );
        for (name, lease, mutex) in held {
            assert_eq!(store(&backend, name, &lease), Guarded::Deleted);
            mutex.release(lease).unwrap();
        }
        assert_eq!(names(&cluster), BTreeMap::new());
    }
}

#[test]
fn waiters_are_woken_by_the_master_that_has_the_lock() {
    /// Less than how often a waiter looks by itself, and much more than a server needs to tell.
    const AT_ONCE: Duration = Duration::from_millis(700);
    let cluster = Clustered::start();
    let backend = open_clustered(&cluster.arguments());
    let mut seen = [false; 3];
    for number in 0.. {
        let name = format!("key {number}");
        let lock = format!("_lock{name}");
        let at = cluster.owner(&lock);
        if std::mem::replace(&mut seen[at], true) {
            if seen == [true; 3] {
                break;
            }
            continue;
        }
        let node = &cluster.nodes[at];
        let waits = (0..5).map(|_| {
            ask(node, &["SET", &lock, "token"]);
            thread::scope(|scope| {
                let wait = scope.spawn(|| {
                    let mutex = backend.mutex(&key(&name).as_key()).unwrap().unwrap();
                    mutex.wait(LONG).unwrap();
                });
                until("the master knows of the wait", || {
                    let info: redis::InfoDict =
                        redis::from_redis_value(ask(node, &["INFO", "stats"])).unwrap();
                    info.get::<u64>("tracking_total_keys").unwrap() > 0
                });
                let since = Instant::now();
                ask(node, &["DEL", &lock]);
                wait.join().unwrap();
                since.elapsed()
            })
        });
        let shortest = waits.min().unwrap();
        assert!(shortest < AT_ONCE, "{shortest:?}");
    }
    backend.close().unwrap();
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let names = threads.map(|thread| {
        std::fs::read_to_string(thread.unwrap().path().join("comm")).unwrap_or_default()
    });
    let left = names.filter(|name| name.contains("dogpile-redis")).count();
    assert_eq!(left, 0);
}
