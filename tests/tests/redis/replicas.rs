//! Which servers read.

use std::time::{Duration, Instant};

use dogpile_plugin_api::BackendInstance;
use dogpile_tests::redis_server::RedisServer;
use serde_json::json;

use crate::proxy::{Fault, Proxy};
use crate::support::{client, get, key, open_watched, set, until};
use crate::watched::{Watched, calls, hurry, lone_sentinel, of_replicas};

#[test]
fn replicas_read_and_the_master_does_where_it_must_or_none_is_left() {
    let mut watched = Watched::start();
    let mut arguments = watched.arguments();
    arguments
        .as_object_mut()
        .unwrap()
        .remove("read_from_replicas");
    let backend = open_watched(&arguments);
    set(&backend, "key", b"value").unwrap();
    until("the replicas have it", || {
        watched.servers.iter().all(|server| {
            let found: Option<String> = redis::cmd("GET")
                .arg("key")
                .query(&mut client(server))
                .unwrap();
            found.is_some()
        })
    });
    let reads = |watched: &Watched, at: usize| calls(&watched.servers[at], "get");
    let before = [0, 1, 2].map(|at| reads(&watched, at));
    for _ in 0..10 {
        assert_eq!(get(&backend, "key").unwrap().unwrap(), b"value");
    }
    let after = [0, 1, 2].map(|at| reads(&watched, at));
    assert_eq!(after, [before[0], before[1] + 5, before[2] + 5]);
    backend.get_fresh(&key("key").as_key()).unwrap();
    assert_eq!(reads(&watched, 0), before[0] + 1);
    for at in [1, 2] {
        watched.servers[at].kill();
        for _ in 0..10 {
            assert_eq!(get(&backend, "key").unwrap().unwrap(), b"value");
        }
    }
    assert!(reads(&watched, 0) > before[0] + 1);
    for at in [1, 2] {
        watched.servers[at].restart();
    }
    watched.until_complete();
    let before = reads(&watched, 0);
    until("replicas read again", || {
        assert_eq!(get(&backend, "key").unwrap().unwrap(), b"value");
        reads(&watched, 1) + reads(&watched, 2) > 0
    });
    assert!(reads(&watched, 0) >= before);
}

/// A master, its replica, and between them a proxy, through which the replica hears from the master.
pub(crate) struct Linked {
    pub(crate) link: Proxy,
    replica: RedisServer,
    master: RedisServer,
    pub(crate) sentinel: RedisServer,
}

impl Linked {
    pub(crate) fn start() -> Self {
        let master = RedisServer::start(&["--repl-diskless-sync-delay", "0"]);
        let link = Proxy::to(master.port());
        let of_master = format!("127.0.0.1 {}", link.port());
        let replica = RedisServer::start(&["--replicaof", &of_master]);
        // It is not to correct where the replica replicates from.
        let lines = "sentinel down-after-milliseconds mymaster 1000\n\
                     sentinel failover-timeout mymaster 3600000";
        let sentinel = lone_sentinel(master.port(), lines);
        hurry(&sentinel);
        let linked = Self {
            link,
            replica,
            master,
            sentinel,
        };
        linked.until_replica("master-link-status", "ok");
        linked.until_replica("flags", "slave");
        linked
    }

    fn open(&self) -> BackendInstance {
        let place = format!("127.0.0.1:{}", self.sentinel.port());
        open_watched(&json!({ "sentinels": [place], "socket_timeout": "500ms" }))
    }

    /// Until the sentinel says this of it.
    fn until_replica(&self, field: &str, says: &str) {
        until(says, || of_replicas(&self.sentinel, field) == [says]);
    }
}

/// Reads until that server does.
fn until_reads(backend: &BackendInstance, server: &RedisServer) {
    let before = calls(server, "get");
    until("it reads", || {
        get(backend, "key").unwrap();
        calls(server, "get") > before
    });
}

#[test]
fn a_replica_that_does_not_hear_from_its_master_is_not_read_until_it_does_again() {
    let linked = Linked::start();
    let backend = linked.open();
    set(&backend, "key", b"old").unwrap();
    until_reads(&backend, &linked.replica);
    linked.link.set(Fault::Refuse);
    linked.link.cut();
    linked.until_replica("master-link-status", "err");
    set(&backend, "key", b"new").unwrap();
    until_reads(&backend, &linked.master);
    let before = calls(&linked.replica, "get");
    // Longer than what the sentinels said is relied on.
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(1500) {
        assert_eq!(get(&backend, "key").unwrap().unwrap(), b"new");
    }
    assert_eq!(calls(&linked.replica, "get"), before);
    linked.link.set(Fault::None);
    linked.until_replica("master-link-status", "ok");
    until_reads(&backend, &linked.replica);
    assert_eq!(get(&backend, "key").unwrap().unwrap(), b"new");
}

#[test]
fn a_replica_that_hangs_is_not_read_once_the_sentinels_see_it() {
    let linked = Linked::start();
    let backend = linked.open();
    set(&backend, "key", b"value").unwrap();
    until_reads(&backend, &linked.replica);
    linked.replica.stop();
    linked.until_replica("flags", "s_down,slave");
    let before = calls(&linked.master, "get");
    until("the master reads", || {
        // The replica may be asked once more.
        let _found = get(&backend, "key");
        calls(&linked.master, "get") > before
    });
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(2500) {
        // It would take the call's time.
        assert_eq!(get(&backend, "key").unwrap().unwrap(), b"value");
    }
    linked.replica.go_on();
    linked.until_replica("flags", "slave");
    until_reads(&backend, &linked.replica);
}
