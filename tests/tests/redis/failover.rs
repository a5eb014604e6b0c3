//! Masters that die, and are replaced.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dogpile_plugin_api::{Guarded, Result, Value};
use dogpile_tests::part::Part;
use dogpile_tests::process::{Process, created};
use dogpile_tests::redis_server::RedisServer;
use dogpile_tests::running::free_port;
use dogpile_tests::worker::{set_time, until_answered};
use redis::Value as Reply;
use serde_json::json;

use crate::clients::{Client, Ends};
use crate::support::{get, key, open_watched, set, until};
use crate::watched::{Watched, ask, role, try_ask};

/// Whether anybody but replication has stored in it.
fn was_stored_in_by_clients(watched: &Watched, at: usize) -> bool {
    let Ok(Reply::BulkString(list)) = try_ask(&watched.servers[at], &["CLIENT", "LIST"]) else {
        return false;
    };
    let list = String::from_utf8(list).unwrap();
    list.lines()
        .any(|client| client.contains(" cmd=set ") && !client.contains(" flags=M "))
}

#[test]
fn a_master_that_is_killed_under_load_is_replaced_with_no_wrong_value() {
    let mut watched = Watched::start();
    let mut arguments = watched.arguments();
    arguments["socket_timeout"] = json!(1);
    let backend = open_watched(&arguments);
    let idle = open_watched(&arguments);
    set(&idle, "idle", b"value").unwrap();
    let clients: Vec<Client> = (0..4)
        .map(|client| Client::new(format!("client {client}:")))
        .collect();
    let ends = AtomicBool::new(false);
    let go_on = || Client::go_on(&clients);
    thread::scope(|scope| {
        for client in &clients {
            scope.spawn(|| client.run(&backend, &ends));
        }
        let _ends = Ends(&ends);
        go_on();
        watched.servers[0].kill();
        watched.until_replaced(0);
        go_on();
        // It comes back as what it was, until the sentinels tell it.
        watched.servers[0].restart();
        set(&idle, "idle", b"another").unwrap();
        until("it is a replica", || {
            assert!(!was_stored_in_by_clients(&watched, 0));
            role(&watched.servers[0]) == "slave"
        });
        watched.until_complete();
        // On a machine that has much to do they may elect once more.
        let master = watched.master();
        go_on();
        assert!(master == 0 || !was_stored_in_by_clients(&watched, 0));
        // With other sentinels than before.
        for sentinel in &mut watched.sentinels {
            sentinel.kill();
        }
        go_on();
        for sentinel in &mut watched.sentinels {
            sentinel.restart();
        }
        watched.until_complete();
        watched.servers[master].kill();
        watched.until_replaced(master);
        go_on();
    });
    assert_eq!(get(&idle, "idle").unwrap().unwrap(), b"another");
}

#[test]
fn who_waits_for_a_lock_of_a_master_that_steps_down_waits_at_the_next() {
    let watched = Watched::start();
    let backend = open_watched(&watched.arguments());
    let mutex = || backend.mutex(&key("key").as_key()).unwrap().unwrap();
    let lease = mutex()
        .try_acquire(Duration::from_mins(1))
        .unwrap()
        .unwrap();
    until("the replicas have the lock", || {
        let found = |at: usize| ask(&watched.servers[at], &["EXISTS", "_lockkey"]) == Reply::Int(1);
        found(1) && found(2)
    });
    let was_released = AtomicBool::new(false);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let deadline = Instant::now() + Duration::from_secs(20);
            while Instant::now() < deadline {
                // While nobody is the master that is an error.
                let _ended = mutex().wait(Duration::from_secs(20));
                if let Ok(Some(lease)) = mutex().try_acquire(Duration::from_mins(1)) {
                    assert!(was_released.load(Ordering::SeqCst));
                    return lease;
                }
            }
            panic!("it is not woken");
        });
        ask(&watched.sentinels[0], &["SENTINEL", "FAILOVER", "mymaster"]);
        let next = watched.until_replaced(0);
        until("the next is used", || {
            let stored = set(&backend, "other", b"value").is_ok();
            stored && ask(&watched.servers[next], &["EXISTS", "other"]) == Reply::Int(1)
        });
        assert!(mutex().is_locked().unwrap());
        was_released.store(true, Ordering::SeqCst);
        mutex().release(lease).unwrap();
        let lease = waiter.join().unwrap();
        mutex().release(lease).unwrap();
    });
}

#[test]
fn after_a_failover_processes_create_once_at_each_expiry() {
    create_once_at_each("redis_sentinel", Watched::start());
}

#[test]
fn after_a_failover_of_valkey_processes_create_once_at_each_expiry() {
    create_once_at_each("valkey_sentinel", Watched::start_valkey());
}

fn create_once_at_each(backend: &str, mut watched: Watched) {
    let lease = Duration::from_secs(30);
    let part = Part::of(backend, watched.arguments_alone(), lease);
    let mut workers: Vec<_> = (0..4).map(|_| part.start()).collect();
    let mut seconds = 0;
    let mut expire = |workers: &mut [Process]| {
        for expiry in 0..10 {
            // By turns a value that may be served meanwhile, and none.
            seconds += if expiry % 2 == 0 { 61 } else { 121 };
            set_time(&mut *workers, seconds);
            for worker in &mut *workers {
                worker.tell(&format!("call 4 {expiry} key"));
            }
            assert_eq!(created(workers), 1, "{expiry}");
        }
    };
    expire(&mut workers);
    watched.servers[0].kill();
    watched.until_replaced(0);
    watched.until_agreed();
    until_answered(&mut workers);
    expire(&mut workers);
}

/// A sentinel leads to that server from now on.
fn watch(sentinel: &RedisServer, server: &RedisServer) {
    // There is none the first time.
    let _removed = try_ask(sentinel, &["SENTINEL", "REMOVE", "mymaster"]);
    let port = server.port().to_string();
    ask(
        sentinel,
        &["SENTINEL", "MONITOR", "mymaster", "127.0.0.1", &port, "1"],
    );
}

#[test]
fn a_call_that_finds_its_master_replaced_is_made_of_the_next_one_without_an_error() {
    let mut servers = [(); 3].map(|()| RedisServer::start(&[]));
    let sentinel = RedisServer::start_sentinel("", &[]);
    watch(&sentinel, &servers[0]);
    let place = format!("127.0.0.1:{}", sentinel.port());
    let backend = open_watched(&json!({ "sentinels": [place] }));
    let key = key("key");
    let value = &Value::from(&b"value"[..]);
    let mutex = backend.mutex(&key.as_key()).unwrap().unwrap();
    let calls: [&dyn Fn() -> Result<()>; 5] = [
        &|| set(&backend, "key", b"value"),
        &|| backend.delete(&key.as_key()),
        &|| get(&backend, "key").map(drop),
        &|| mutex.is_locked().map(drop),
        &|| {
            let lease = mutex
                .try_acquire(Duration::from_mins(1))?
                .expect("it is free");
            let stored = backend.set_guarded(&key.as_key(), value, &lease)?;
            assert_eq!(stored, Guarded::Stored);
            mutex.release(lease)
        },
    ];
    for call in calls {
        set(&backend, "key", b"value").unwrap();
        // There is a connection for those who wait.
        mutex.wait(Duration::from_secs(1)).unwrap();
        let nobody = free_port().to_string();
        watch(&sentinel, &servers[1]);
        ask(&servers[0], &["REPLICAOF", "127.0.0.1", &nobody]);
        call().unwrap();
        // One that only reads does not find it.
        set(&backend, "key", b"value").unwrap();
        until("the one before is left alone", || {
            let clients = ask(&servers[0], &["CLIENT", "LIST"]);
            let clients: String = redis::from_redis_value(clients).unwrap();
            clients.lines().count() == 1
        });
        thread::sleep(Duration::from_millis(150));
        watch(&sentinel, &servers[2]);
        servers[1].kill();
        call().unwrap();
        servers[1].restart();
        ask(&servers[0], &["REPLICAOF", "NO", "ONE"]);
        servers.swap(0, 2);
    }
}

/// How many connections a sentinel had, with that which asks.
fn connections(sentinel: &RedisServer) -> u128 {
    let info: redis::InfoDict = redis::from_redis_value(ask(sentinel, &["INFO", "stats"])).unwrap();
    info.get("total_connections_received").unwrap()
}

#[test]
fn many_callers_ask_the_sentinels_a_few_times_whether_the_master_is_up_or_down() {
    let mut server = RedisServer::start(&[]);
    let sentinel = RedisServer::start_sentinel("", &[]);
    watch(&sentinel, &server);
    let place = format!("127.0.0.1:{}", sentinel.port());
    let backend = open_watched(&json!({ "sentinels": [place] }));
    // It is up at first: asked each second. Then it is down: asked after a tenth of one at the earliest.
    for pause in [Duration::from_secs(1), Duration::from_millis(100)] {
        let (before, since) = (connections(&sentinel), Instant::now());
        let calls = AtomicU64::new(0);
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    while since.elapsed() < Duration::from_millis(1500) {
                        let stored = set(&backend, "key", b"value");
                        assert_eq!(stored.is_ok(), pause == Duration::from_secs(1));
                        calls.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let most = since.elapsed().as_millis() / pause.as_millis() + 2;
        let asked = connections(&sentinel) - before - 1;
        assert!(asked >= 2 && asked <= most, "{asked} of {most}");
        assert!(calls.into_inner() > 100);
        server.kill();
    }
}
