//! One cache for Python and Rust on servers that sentinels watch, which both ask.

use std::thread;

use dogpile::{Cached, Invalidation, Region};
use dogpile_tests::part::Part;
use dogpile_tests::process::Process;
use redis::Value as Reply;
use serde_json::json;

use crate::peer::{LEASE, get, python_as, rust_on};
use crate::proxy::Fault;
use crate::replicas::Linked;
use crate::support::until;
use crate::watched::{Watched, ask};

/// Both write, and read what the other wrote, once the replicas have it.
fn share_values(python: &mut Process, rust: &Region, number: u32) {
    let [by_python, by_rust] = ["Python", "Rust"].map(|whose| format!("{whose}{number}"));
    until("Python writes", || {
        python.answer(&format!("set {by_python} {number}")) == "done"
    });
    // It may not call the servers yet that did not answer.
    let reads = |got: Option<Cached<u32>>| got.is_some_and(|got| *got == number);
    until("Rust reads it", || rust.get(&by_python).is_ok_and(reads));
    until("Rust writes", || rust.set(&by_rust, number).is_ok());
    until("Python reads it", || {
        python.answer(&format!("get {by_rust}")) == number.to_string()
    });
    rust.delete(&by_python).unwrap();
    python.ask(&format!("delete {by_rust}"), "done");
    until("both see what is deleted", || {
        get(rust, &by_rust).is_none() && python.answer(&format!("get {by_python}")) == "none"
    });
}

/// Each holds the lock of a key, and the other waits and gets the value.
fn share_locks(watched: &Watched, python: &mut Process, rust: &Region, number: u32) {
    let key = format!("held{number}");
    let master = &watched.servers[watched.master()];
    python.ask(&format!("hold {key} 1"), &format!("creating {key}"));
    assert!(rust.key_is_locked(&key).unwrap());
    thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let got = rust.get_or_create(&key, || -> u32 { panic!("Python creates it") });
            *got.unwrap()
        });
        until("the server knows of the wait", || {
            let Reply::BulkString(info) = ask(master, &["INFO", "stats"]) else {
                panic!("it is a text");
            };
            !String::from_utf8(info)
                .unwrap()
                .contains("tracking_total_keys:0")
        });
        python.ask("go", "got 1");
        assert_eq!(waits.join().unwrap(), 1);
    });
    let key = format!("{key}again");
    let got = rust.get_or_create(&key, || {
        python.ask(&format!("locked {key}"), "true");
        python.tell(&format!("call 4 {key} 3"));
        2_u32
    });
    assert_eq!(*got.unwrap(), 2);
    python.expect("created 0 got [2]");
    python.ask(&format!("locked {key}"), "false");
}

#[test]
fn values_and_locks_are_shared_behind_sentinels_and_after_a_failover() {
    let mut watched = Watched::start();
    let mut arguments = watched.arguments_alone();
    arguments["socket_timeout"] = json!(2);
    let mut python = python_as("redis_sentinel", &arguments, None);
    let rust = rust_on(Part::of("redis_sentinel", arguments, LEASE).region());
    share_values(&mut python, &rust, 1);
    // By default Python looks at a replica again when it has the lock, which may not have the value yet.
    python.ask("from_master", "done");
    share_locks(&watched, &mut python, &rust, 1);
    let before = watched.master();
    watched.servers[before].kill();
    watched.until_replaced(before);
    watched.until_agreed();
    share_values(&mut python, &rust, 2);
    share_locks(&watched, &mut python, &rust, 2);
    watched.servers[before].restart();
    watched.until_complete();
    share_values(&mut python, &rust, 3);
    share_locks(&watched, &mut python, &rust, 3);
}

#[test]
fn python_sees_an_invalidation_that_its_replica_has_not_heard_of() {
    let linked = Linked::start();
    let place = json!({ "sentinels": [["127.0.0.1", linked.sentinel.port()]] });
    let mut python = python_as("redis_sentinel", &place, Some(0.0));
    let rust = rust_on(Part::of("redis_sentinel", place, LEASE).region());
    rust.set("a", 1_u32).unwrap();
    until("the replica has it", || python.answer("get a") == "1");
    python.ask("judge a", "fresh, last never");
    linked.link.set(Fault::Silence);
    rust.invalidate(Invalidation::Hard).unwrap();
    python.ask("judge a", "hard, last hard");
    python.ask("get a", "none");
}
