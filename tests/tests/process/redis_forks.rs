//! A child that goes on with its parent's backend: of one server, of those that sentinels watch, or of a cluster.

use std::thread;
use std::time::Instant;

use dogpile_plugin_api::testing::{TestHost, host};
use dogpile_plugin_api::{Backend, Guarded, Metadata, Mutex, Value};
use dogpile_plugin_redis::{Redis, RedisCluster, RedisSentinel};
use dogpile_tests::redis_server::RedisServer;
use serde_json::{Value as Json, json};

use crate::c_library::in_a_child;
use crate::children::{LONG, Step, alone, ended};

const CALLS: u32 = 300;

fn mutex(on: &impl Backend, host: &TestHost, key: &str) -> Box<dyn Mutex> {
    on.mutex(&host.key(key).as_key()).unwrap()
}

/// Stores and reads values that nobody else has.
fn use_it(on: &impl Backend, host: &TestHost, whose: &str) {
    for number in 0..CALLS {
        let key = host.key(format!("{whose} {number}"));
        let bytes = format!("value of {whose} {number}");
        let value = Value::copied(&Metadata::default(), key.as_key(), bytes.as_bytes());
        on.set(&key.as_key(), &value).unwrap();
        let found = on.get(&key.as_key()).unwrap().unwrap();
        assert_eq!(found.as_bytes().unwrap(), bytes.as_bytes());
    }
}

#[test]
fn a_child_has_connections_of_its_own_and_none_of_the_leases_of_its_parent() {
    alone(
        "redis_forks::a_child_has_connections_of_its_own_and_none_of_the_leases_of_its_parent",
        || {
            let server = RedisServer::start(&[]);
            both_use_it::<Redis>(&json!({ "host": "127.0.0.1", "port": server.port() }));
        },
    );
}

#[test]
fn a_child_has_a_connection_of_its_own_for_all_its_calls() {
    alone(
        "redis_forks::a_child_has_a_connection_of_its_own_for_all_its_calls",
        || {
            let server = RedisServer::start(&[]);
            let port = server.port();
            both_use_it::<Redis>(&json!({ "host": "127.0.0.1", "port": port, "multiplex": true }));
        },
    );
}

#[test]
fn a_child_finds_the_servers_that_sentinels_watch_for_itself() {
    alone(
        "redis_forks::a_child_finds_the_servers_that_sentinels_watch_for_itself",
        || {
            let server = RedisServer::start(&[]);
            let lines = format!("sentinel monitor mymaster 127.0.0.1 {} 2\n", server.port());
            let sentinel = RedisServer::start_sentinel(&lines, &[]);
            let place = ["127.0.0.1".into(), json!(sentinel.port())];
            both_use_it::<RedisSentinel>(&json!({ "sentinels": [place] }));
        },
    );
}

#[test]
fn a_child_finds_the_nodes_of_a_cluster_for_itself() {
    alone(
        "redis_forks::a_child_finds_the_nodes_of_a_cluster_for_itself",
        || {
            let options = ["--cluster-enabled", "yes", "--cluster-port", "{free}"];
            let server = RedisServer::start(&options);
            let url = format!("redis://127.0.0.1:{}", server.port());
            let mut client = redis::Client::open(&*url)
                .unwrap()
                .get_connection()
                .unwrap();
            let mut slots = redis::cmd("CLUSTER");
            slots.arg(&["ADDSLOTSRANGE", "0", "16383"]);
            slots.exec(&mut client).unwrap();
            // It takes a moment until it sees that it has all.
            let deadline = Instant::now() + LONG;
            while redis::cmd("GET").arg("key").exec(&mut client).is_err() {
                assert!(Instant::now() < deadline);
                thread::yield_now();
            }
            both_use_it::<RedisCluster>(&json!({ "url": url }));
        },
    );
}

fn both_use_it<B: Backend>(arguments: &Json) {
    let host = host();
    let arguments = serde_json::from_value(arguments.clone()).unwrap();
    let on = B::open(arguments, &host.context()).unwrap();
    let key = host.key("key");
    let value = Value::copied(&Metadata::default(), key.as_key(), b"value");
    let mut lease = mutex(&on, &host, "key").try_acquire(LONG).unwrap().unwrap();
    // The parent has connections, and a thread that is told of locks.
    mutex(&on, &host, "key").wait(LONG / 1000).unwrap();
    let (forked, waits) = (Step::new(), Step::new());
    let child = in_a_child(|| {
        forked.done();
        use_it(&on, &host, "child");
        let mutex = mutex(&on, &host, "key");
        mutex.release(lease).unwrap();
        assert!(!mutex.renew(&mut lease.clone()).unwrap());
        let stored = on.set_guarded(&key.as_key(), &value, &lease).unwrap();
        assert_eq!(stored, Guarded::LeaseLost);
        assert!(mutex.try_acquire(LONG).unwrap().is_none());
        waits.done();
        while mutex.try_acquire(LONG).unwrap().is_none() {
            mutex.wait(LONG).unwrap();
        }
        on.close().unwrap();
    });
    forked.wait();
    use_it(&on, &host, "parent");
    waits.wait();
    let mutex = mutex(&on, &host, "key");
    assert!(mutex.renew(&mut lease).unwrap());
    assert_eq!(
        on.set_guarded(&key.as_key(), &value, &lease).unwrap(),
        Guarded::Stored
    );
    mutex.release(lease).unwrap();
    assert_eq!(ended(child), Some(0));
    // What the child closed was its own.
    use_it(&on, &host, "parent");
    assert!(mutex.is_locked().unwrap());
}
