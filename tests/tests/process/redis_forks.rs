//! A child that goes on with its parent's backend: of one server, of those that sentinels watch, or of a cluster.

use std::thread;
use std::time::Instant;

use dogpile_plugin_redis::{Redis, RedisCluster, RedisSentinel};
use dogpile_tests::redis_server::RedisServer;
use serde_json::json;

use crate::children::{LONG, alone};
use crate::shared_backend::both_use_it;

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
