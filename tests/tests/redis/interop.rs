//! One cache for Python and Rust: values, and locks.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use dogpile::{Invalidation, Region};
use dogpile_tests::redis_server::RedisServer;

use crate::clustered::Clustered;
use crate::peer::{Python, get, rust, rust_in};
use crate::support::{client, until};

#[test]
fn what_one_language_stores_the_other_reads_and_deletes() {
    let server = RedisServer::start(&[]);
    let (mut python, rust) = (Python::start(&server), rust(&server));
    python.ask("set a 1", "done");
    python.ask("set_multi b 2 c 3", "done");
    for (key, value) in [("a", 1), ("b", 2), ("c", 3)] {
        assert_eq!(get(&rust, key), Some(value));
    }
    let all = rust.get_multi::<u32, _>(&["c", "none", "a"]).unwrap();
    let all: Vec<Option<u32>> = all
        .into_iter()
        .map(|value| value.map(|value| *value))
        .collect();
    assert_eq!(all, [Some(3), None, Some(1)]);
    rust.set("a", 4_u32).unwrap();
    rust.set_multi([("b", 5_u32), ("d", 6)]).unwrap();
    python.ask("get a b c d e", "4 5 3 6 none");
    rust.delete("a").unwrap();
    rust.delete_multi(&["b", "c"]).unwrap();
    python.ask("get a b c d", "none none none 6");
    python.ask("delete d", "done");
    assert_eq!(get(&rust, "d"), None);
}

#[test]
fn who_waits_gets_the_value_that_the_other_language_creates() {
    let server = RedisServer::start(&[]);
    let (mut python, rust) = (Python::start(&server), rust(&server));
    python.ask("hold a 1", "creating a");
    assert!(rust.key_is_locked("a").unwrap());
    thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let got = rust.get_or_create("a", || -> u32 { panic!("Python creates it") });
            *got.unwrap()
        });
        let mut client = client(&server);
        until("the server knows of the wait", || {
            let info: redis::InfoDict = redis::cmd("INFO").arg("stats").query(&mut client).unwrap();
            info.get::<u64>("tracking_total_keys").unwrap() > 0
        });
        python.ask("go", "got 1");
        assert_eq!(waits.join().unwrap(), 1);
    });
    let got = rust.get_or_create("b", || {
        python.ask("locked b", "true");
        python.tell("call 4 b 3");
        2_u32
    });
    assert_eq!(*got.unwrap(), 2);
    python.expect("created 0 got [2]");
    python.ask("locked b", "false");
}

#[test]
fn four_of_each_language_create_once_at_each_expiry() {
    let rounds = if std::env::var_os("DOGPILE_TEST_FULL").is_some() {
        100
    } else {
        20
    };
    let server = RedisServer::start(&[]);
    let mut pythons: Vec<Python> = (0..4).map(|_| Python::start(&server)).collect();
    let rusts: Vec<Region> = (0..4).map(|_| rust(&server)).collect();
    let mut client = client(&server);
    create_once(&mut pythons, &rusts, rounds, || {
        redis::cmd("DEL").arg("key").exec(&mut client).unwrap();
    });
}

/// All call for `key`, two threads of each, once it has gone: so many times, and one of them creates it.
fn create_once(pythons: &mut [Python], rusts: &[Region], rounds: u32, mut expire: impl FnMut()) {
    for round in 1..=rounds {
        expire();
        for python in &mut *pythons {
            python.tell(&format!("call 2 key {round}"));
        }
        let created = AtomicU32::new(0);
        thread::scope(|scope| {
            for region in rusts.iter().chain(rusts) {
                scope.spawn(|| {
                    let got = region.get_or_create("key", || {
                        created.fetch_add(1, Ordering::SeqCst);
                        round
                    });
                    assert_eq!(*got.unwrap(), round);
                });
            }
        });
        let mut created = created.into_inner();
        for python in &mut *pythons {
            let line = python.hear();
            let count = line
                .strip_prefix("created ")
                .and_then(|line| line.strip_suffix(&format!(" got [{round}]")));
            created += count
                .and_then(|count| count.parse::<u32>().ok())
                .expect(&line);
        }
        assert_eq!(created, 1, "{round}");
    }
}

#[test]
fn in_a_cluster_both_languages_share_values_locks_and_invalidations() {
    let cluster = Clustered::start();
    let (mut python, rust) = (Python::start_in(&cluster), rust_in(&cluster));
    for (key, value) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
        python.ask(&format!("set {key} {value}"), "done");
        assert_eq!(get(&rust, key), Some(value));
        rust.set(key, value + 10).unwrap();
        python.ask(&format!("get {key}"), &(value + 10).to_string());
    }
    rust.delete_multi(&["a", "b"]).unwrap();
    python.ask("get a", "none");
    python.ask("delete c", "done");
    assert_eq!((get(&rust, "c"), get(&rust, "d")), (None, Some(14)));
    // Python's calls for many keys want them in one slot.
    python.ask("try_get a b c d", "RedisClusterException");
    python.ask("set_multi {x}a 1 {x}b 2", "done");
    let all = rust.get_multi::<u32, _>(&["{x}b", "d", "{x}a"]).unwrap();
    let all: Vec<u32> = all.into_iter().map(|value| *value.unwrap()).collect();
    assert_eq!(all, [2, 14, 1]);
    rust.set_multi([("{x}a", 3_u32), ("d", 4)]).unwrap();
    python.ask("get {x}a {x}b {x}c", "3 2 none");
    // Whoever creates, the other waits for it.
    python.ask("hold a 5", "creating a");
    assert!(rust.key_is_locked("a").unwrap());
    thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let got = rust.get_or_create("a", || -> u32 { panic!("Python creates it") });
            *got.unwrap()
        });
        let at = cluster.owner("_locka");
        let mut client = client(&cluster.nodes[at]);
        until("the master knows of the wait", || {
            let info: redis::InfoDict = redis::cmd("INFO").arg("stats").query(&mut client).unwrap();
            info.get::<u64>("tracking_total_keys").unwrap() > 0
        });
        python.ask("go", "got 5");
        assert_eq!(waits.join().unwrap(), 5);
    });
    let got = rust.get_or_create("b", || {
        python.ask("locked b", "true");
        python.tell("call 4 b 3");
        6_u32
    });
    assert_eq!(*got.unwrap(), 6);
    python.expect("created 0 got [6]");
    python.ask("locked b", "false");
    rust.invalidate(Invalidation::Hard).unwrap();
    python.ask("get b", "none");
    python.ask("set b 7", "done");
    assert_eq!(get(&rust, "b"), Some(7));
    python.ask("invalidate hard", "done");
    until("Rust sees it", || {
        // Of two that write the record at the same time, one finds that and writes again at its next call.
        python.ask("get b", "none");
        get(&rust, "b").is_none()
    });
    let mut pythons = [python, Python::start_in(&cluster)];
    let rusts = [rust, rust_in(&cluster)];
    let owner = &cluster.nodes[cluster.owner("key")];
    create_once(&mut pythons, &rusts, 10, || {
        redis::cmd("DEL")
            .arg("key")
            .exec(&mut client(owner))
            .unwrap();
    });
}
