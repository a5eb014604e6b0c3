//! Masters of a cluster that die or hang, and processes that share it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dogpile_tests::process::created;
use dogpile_tests::worker::{create_once_at_each, set_time, until_answered};
use redis::Value as Reply;
use serde_json::json;

use crate::clients::{Client, Ends};
use crate::clustered::{Clustered, FAILOVER, Setup};
use crate::processes::worker_clustered;
use crate::support::{open_clustered, until};
use crate::watched::{ask, role, try_ask};

/// How late that may be which is to happen at once, on a machine that has more to do than it can.
const LOADED: Duration = Duration::from_secs(3);

fn with_replicas(options: &[&str]) -> Clustered {
    Clustered::with(&Setup {
        node_timeout: FAILOVER,
        replicas: true,
        options,
        ..Setup::default()
    })
}

/// Until the replica of that master is in its place, for all nodes that are up.
fn until_replaced(cluster: &Clustered, master: usize) {
    until("the replica is the master", || {
        role(&cluster.nodes[master + 3]) == "master"
    });
    let others = (0..6).filter(|at| *at != master);
    for at in others {
        until("all know", || {
            let info = ask(&cluster.nodes[at], &["CLUSTER", "INFO"]);
            let info: String = redis::from_redis_value(info).unwrap();
            info.contains("cluster_state:ok")
        });
    }
}

#[test]
fn masters_that_die_or_hang_under_load_are_replaced_with_no_wrong_value() {
    // The others go on meanwhile.
    let mut cluster = with_replicas(&["--cluster-require-full-coverage", "no"]);
    // All but the one that dies first are found by it.
    let dies = format!("127.0.0.1:{}", cluster.nodes[0].port());
    let arguments = json!({ "startup_nodes": [dies], "socket_timeout": 1 });
    let backend = open_clustered(&arguments);
    // Each on a master of its own.
    let mut names = (0..).map(|number| format!("client {number}:"));
    let clients: Vec<Client> = [0, 1, 2]
        .into_iter()
        .map(|at| names.find(|name| cluster.owner(name) == at).unwrap())
        .map(Client::new)
        .collect();
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        for client in &clients {
            scope.spawn(|| client.run(&backend, &ends));
        }
        let _ends = Ends(&ends);
        Client::go_on(&clients);
        cluster.nodes[0].kill();
        Client::go_on(&clients[1..]);
        until_replaced(&cluster, 0);
        let since = Instant::now();
        Client::go_on(&clients);
        let took = since.elapsed();
        assert!(took < Duration::from_secs(1) + LOADED, "{took:?}");
        // It comes back as what it was, empty, until the others tell it.
        cluster.nodes[0].restart();
        until("it is a replica", || role(&cluster.nodes[0]) == "slave");
        Client::go_on(&clients);
        // Whose connections stand.
        cluster.nodes[1].stop();
        until_replaced(&cluster, 1);
        let since = Instant::now();
        Client::go_on(&clients);
        let took = since.elapsed();
        // A call may have begun just before.
        assert!(took < Duration::from_secs(2) + LOADED, "{took:?}");
        cluster.nodes[1].go_on();
        until("it is a replica", || role(&cluster.nodes[1]) == "slave");
        Client::go_on(&clients);
    });
}

/// Whether no client is connected but who asks this.
fn is_left_alone(cluster: &Clustered, at: usize) -> bool {
    let clients = ["CLIENT", "LIST", "TYPE", "normal"];
    let clients = try_ask(&cluster.nodes[at], &clients).unwrap();
    let clients: String = redis::from_redis_value(clients).unwrap();
    clients.lines().count() == 1
}

#[test]
fn who_waits_for_a_lock_of_a_master_that_steps_down_waits_at_the_next() {
    let cluster = with_replicas(&[]);
    let backend = open_clustered(&cluster.arguments());
    let key = crate::support::key("key");
    let mutex = || backend.mutex(&key.as_key()).unwrap().unwrap();
    let lease = mutex()
        .try_acquire(Duration::from_mins(1))
        .unwrap()
        .unwrap();
    let master = cluster.owner("_lockkey");
    let replica = &cluster.nodes[master + 3];
    until("the replica has the lock", || {
        let found: String = redis::from_redis_value(ask(replica, &["INFO", "keyspace"])).unwrap();
        found.contains("keys=1")
    });
    let was_released = AtomicBool::new(false);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let deadline = Instant::now() + Duration::from_secs(20);
            while Instant::now() < deadline {
                let _ended = mutex().wait(Duration::from_secs(20));
                if let Ok(Some(lease)) = mutex().try_acquire(Duration::from_mins(1)) {
                    assert!(was_released.load(Ordering::SeqCst));
                    return lease;
                }
            }
            panic!("it is not woken");
        });
        ask(replica, &["CLUSTER", "FAILOVER"]);
        until_replaced(&cluster, master);
        until("the next is used", || {
            mutex().is_locked().is_ok_and(|is_locked| is_locked)
                && try_ask(replica, &["INFO", "commandstats"]).is_ok_and(|stats| {
                    let stats: String = redis::from_redis_value(stats).unwrap();
                    stats.contains("cmdstat_exists")
                })
        });
        was_released.store(true, Ordering::SeqCst);
        mutex().release(lease).unwrap();
        let lease = waiter.join().unwrap();
        assert_ne!(ask(replica, &["GET", "_lockkey"]), Reply::Nil);
        mutex().release(lease).unwrap();
    });
    // Who was told of locks there too.
    until("it is left alone", || {
        assert!(!mutex().is_locked().unwrap());
        is_left_alone(&cluster, master)
    });
}

#[test]
fn processes_create_once_at_each_expiry_also_after_a_failover() {
    let mut cluster = with_replicas(&[]);
    let lease = Duration::from_secs(30);
    let mut workers: Vec<_> = (0..4)
        .map(|_| worker_clustered(&cluster, "dogpile", lease))
        .collect();
    create_once_at_each(10, &mut workers);
    let master = cluster.owner("_lockkey");
    cluster.nodes[master].kill();
    until_replaced(&cluster, master);
    until_answered(&mut workers);
    for expiry in 0..10 {
        set_time(&mut workers, 10_000 + 121 * expiry);
        for worker in &mut workers {
            worker.tell(&format!("call 4 {expiry} key"));
        }
        assert_eq!(created(&mut workers), 1, "{expiry}");
    }
}

#[test]
fn processes_whose_locks_have_hashtags_create_once_and_follow_who_dies_or_was_stopped() {
    let cluster = Clustered::start();
    let lease = Duration::from_millis(800);
    let worker = || worker_clustered(&cluster, "hashtag", lease);
    let mut workers = [worker(), worker(), worker()];
    create_once_at_each(20, &mut workers);
    let [mut owner, mut next, mut other] = workers;
    set_time([&mut owner, &mut next, &mut other], 10_000);
    owner.tell("hold 1 key");
    owner.expect("creating key");
    owner.kill();
    next.tell("call 8 2 key");
    next.expect("created 1 got [2]");
    next.tell("delete key");
    next.expect("done");
    other.tell("hold 3 key");
    other.expect("creating key");
    other.stop();
    next.tell("call 8 4 key");
    next.expect("created 1 got [4]");
    other.go_on();
    other.tell("go key");
    other.expect("got 3 Created");
    for worker in [&mut next, &mut other] {
        worker.tell("call 1 5 key");
        worker.expect("created 0 got [4]");
    }
    // What another deletes while it is created is not stored.
    for delete in ["delete key", "clear"] {
        next.tell("delete key");
        next.expect("done");
        other.tell("hold 6 key");
        other.expect("creating key");
        next.tell(delete);
        next.expect("done");
        other.tell("go key");
        other.expect("got 6 Created");
        next.tell("call 1 7 key");
        next.expect("created 1 got [7]");
    }
}
