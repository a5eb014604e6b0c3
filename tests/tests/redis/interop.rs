//! One cache for Python and Rust: values, and locks.

use std::thread;
use std::time::{Duration, Instant};

use dogpile::Invalidation;
use dogpile_tests::part::Part;
use dogpile_tests::process::{Process, created_for};
use dogpile_tests::redis_server::RedisServer;
use redis::Commands;
use serde_json::{Value as Json, json};

use crate::clustered::Clustered;
use crate::peer::{LEASE, get, python_as, python_in, python_on, rust, rust_in};
use crate::support::{at, client, until};

#[test]
fn what_one_language_stores_the_other_reads_and_deletes() {
    let server = RedisServer::start(&[]);
    let (mut python, rust) = (python_on(&server), rust(&server));
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
    let (mut python, rust) = (python_on(&server), rust(&server));
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
fn a_python_process_that_dies_with_a_lock_is_followed_when_its_lock_timeout_has_passed() {
    let server = RedisServer::start(&[]);
    let mut arguments = at(&server);
    arguments["lock_timeout"] = json!(1);
    let (mut python, rust) = (python_as("redis", &arguments, None), rust(&server));
    python.ask("hold key 1", "creating key");
    let held = Instant::now();
    drop(python);
    assert_eq!(*rust.get_or_create("key", || 2_u32).unwrap(), 2);
    let followed = held.elapsed();
    let loaded = Duration::from_secs(3);
    assert!(followed >= Duration::from_millis(500), "{followed:?}");
    assert!(
        followed < Duration::from_millis(1250) + loaded,
        "{followed:?}"
    );
}

/// The processes of both languages want the key, each with two threads, whenever its server has dropped it.
fn create_once_at_each(
    expiries: u32,
    pythons: &mut [Process],
    rusts: &mut [Process],
    server: &RedisServer,
) {
    let mut client = client(server);
    let mut by_python = 0;
    for expiry in 1..=expiries {
        let call = format!("call 2 key {expiry}");
        for python in &mut *pythons {
            python.tell(&call);
        }
        let call = format!("call 2 {expiry} key");
        for rust in &mut *rusts {
            rust.tell(&call);
        }
        let (python, rust) = (created_for(pythons, expiry), created_for(rusts, expiry));
        assert_eq!(python + rust, 1, "{expiry}");
        by_python += python;
        let () = client.pexpire("key", 1).unwrap();
        until("the server drops it", || {
            !client.exists::<_, bool>("key").unwrap()
        });
    }
    println!("Python created {by_python} of {expiries}");
}

#[test]
fn four_processes_of_each_language_create_once_at_each_of_a_hundred_expiries() {
    // By default Python looks every 0.1 s.
    let is_soak = std::env::var_os("DOGPILE_TEST_FULL").is_some();
    let server = RedisServer::start(&[]);
    let mut arguments = at(&server);
    arguments["lock_sleep"] = json!(if is_soak { 0.1 } else { 0.02 });
    let pythons = (0..4).map(|_| python_as("redis", &arguments, None));
    let mut pythons: Vec<Process> = pythons.collect();
    let mut rusts = rust_processes("redis", at(&server), 4);
    create_once_at_each(100, &mut pythons, &mut rusts, &server);
}

fn rust_processes(backend: &str, arguments: Json, count: usize) -> Vec<Process> {
    let mut part = Part::of(backend, arguments, LEASE);
    part.has_system_clock = true;
    (0..count).map(|_| part.start()).collect()
}

#[test]
fn in_a_cluster_both_languages_share_values_locks_and_invalidations() {
    let cluster = Clustered::start();
    let (mut python, rust) = (python_in(&cluster), rust_in(&cluster));
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
    python.ask("get a b c d", "RedisClusterException");
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
    let mut pythons = [python, python_in(&cluster)];
    let mut rusts = rust_processes("redis_cluster", cluster.place(1), 2);
    let owner = &cluster.nodes[cluster.owner("key")];
    create_once_at_each(10, &mut pythons, &mut rusts, owner);
}
