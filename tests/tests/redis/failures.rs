//! Servers that are down, slow or refuse: errors that say what to do, within the time that a call may take.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use dogpile_plugin_api::{BackendInstance, Error, ErrorKind, Result};
use dogpile_tests::redis_server::RedisServer;
use dogpile_tests::running::free_port;
use serde_json::{Value as Json, json};

use crate::certificates::Certificates;
use crate::support::{at, both_ways, client, get, key, open, set, until};

/// All kinds of calls fail, with an error of this kind that has these words, the server's name and no secret.
#[track_caller]
fn all_fail(backend: &BackendInstance, kind: ErrorKind, words: &str) {
    let mutex = backend.mutex(&key("key").as_key()).unwrap().unwrap();
    let failures: [Option<Error>; 6] = [
        get(backend, "key").err(),
        set(backend, "key", b"value").err(),
        backend.delete(&key("key").as_key()).err(),
        backend.ping().err(),
        mutex.try_acquire(Duration::from_secs(1)).err(),
        mutex.is_locked().err(),
    ];
    for failure in failures {
        fails(Err(failure.expect("it fails")), kind, words);
    }
}

#[track_caller]
fn fails(result: Result<()>, kind: ErrorKind, words: &str) {
    let error = result.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(error.kind() == kind && shown.contains(words), "{shown}");
    assert!(
        shown.contains("127.0.0.1:") && !shown.contains("hunter2"),
        "{shown}"
    );
}

#[test]
fn a_server_that_is_down_at_open_is_used_once_it_is_up() {
    let mut server = RedisServer::start(&[]);
    server.kill();
    let backend = open(&at(&server));
    all_fail(&backend, ErrorKind::Unavailable, "is it running there?");
    server.restart();
    backend.ping().unwrap();
    set(&backend, "key", b"value").unwrap();
    assert_eq!(get(&backend, "key").unwrap().unwrap(), b"value");
}

#[test]
fn a_server_that_was_restarted_is_used_without_a_single_error() {
    let mut server = RedisServer::start(&[]);
    for arguments in both_ways(&at(&server)) {
        let backend = open(&arguments);
        // Several connections rest.
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..50).for_each(|_| drop(get(&backend, "key").unwrap())));
            }
        });
        for _ in 0..3 {
            server.kill();
            server.restart();
            // A connection rests for longer than that before it is looked at.
            thread::sleep(Duration::from_millis(60));
            thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| get(&backend, "key").unwrap());
                }
            });
        }
    }
}

#[test]
fn a_server_that_hangs_costs_a_call_its_time_and_no_more() {
    let server = RedisServer::start(&[]);
    let mut arguments = at(&server);
    arguments["socket_timeout"] = json!("300ms");
    for arguments in both_ways(&arguments) {
        let backend = open(&arguments);
        set(&backend, "key", b"value").unwrap();
        server.stop();
        for _ in 0..3 {
            let since = Instant::now();
            fails(
                get(&backend, "key").map(drop),
                ErrorKind::Unavailable,
                "`socket_timeout`",
            );
            assert!(
                since.elapsed() >= Duration::from_millis(250),
                "{:?}",
                since.elapsed()
            );
            assert!(
                since.elapsed() < Duration::from_secs(2),
                "{:?}",
                since.elapsed()
            );
        }
        server.go_on();
        assert_eq!(get(&backend, "key").unwrap().unwrap(), b"value");
    }
}

#[test]
fn a_server_on_a_unix_socket_that_takes_no_connections_any_more_costs_a_call_its_time() {
    // So few wait until it takes them; who comes then is kept waiting by the kernel.
    let server = RedisServer::start(&["--tcp-backlog", "1"]);
    let url = format!("unix://{}", server.socket().display());
    for arguments in both_ways(&json!({ "url": url, "socket_timeout": "300ms" })) {
        let backend = open(&arguments);
        backend.ping().unwrap();
        server.stop();
        let (told, hears) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..6 {
                    let error = backend.ping().unwrap_err();
                    told.send(error.to_string()).unwrap();
                }
            });
            for _ in 0..6 {
                let Ok(error) = hears.recv_timeout(Duration::from_secs(5)) else {
                    server.go_on();
                    panic!("it takes longer than a call may");
                };
                assert!(error.contains("`socket_timeout`"), "{error}");
            }
        });
        server.go_on();
        until("it is used again", || backend.ping().is_ok());
    }
}

#[test]
fn wrong_and_missing_passwords_are_told_and_not_shown() {
    let server = RedisServer::start(&["--requirepass", "hunter2"]);
    let mut arguments = at(&server);
    all_fail(
        &open(&arguments),
        ErrorKind::Unavailable,
        "wants a password",
    );
    arguments["password"] = json!("not hunter2");
    all_fail(
        &open(&arguments),
        ErrorKind::Unavailable,
        "refuses this user and password",
    );
    let url = format!("redis://nobody:hunter2@127.0.0.1:{}", server.port());
    all_fail(
        &open(&json!({ "url": url })),
        ErrorKind::Unavailable,
        "refuses this user and password",
    );
    let open_server = RedisServer::start(&[]);
    let mut arguments = at(&open_server);
    arguments["password"] = json!("hunter2");
    all_fail(&open(&arguments), ErrorKind::Unavailable, "has no password");
    arguments.as_object_mut().unwrap().remove("password");
    arguments["db"] = json!(100);
    all_fail(&open(&arguments), ErrorKind::Unavailable, "correct `db`");
}

#[test]
fn a_user_who_may_not_is_told_what_to_change() {
    let server = RedisServer::start(&[]);
    redis::cmd("ACL")
        .arg(&["SETUSER", "app", "on", ">hunter2", "~*", "+@read"])
        .exec(&mut client(&server))
        .unwrap();
    let url = format!("redis://app:hunter2@127.0.0.1:{}", server.port());
    let backend = open(&json!({ "url": url }));
    assert_eq!(get(&backend, "key").unwrap(), None);
    fails(
        set(&backend, "key", b"value"),
        ErrorKind::Unavailable,
        "change its ACL",
    );
}

#[test]
fn a_server_without_memory_reads_and_deletes_and_forgets_no_deletion() {
    let server = RedisServer::start(&["--maxmemory-policy", "noeviction"]);
    let backend = open(&at(&server));
    let mut client = client(&server);
    set(&backend, "key", b"value").unwrap();
    let mutex = backend.mutex(&key("key").as_key()).unwrap().unwrap();
    let mut lease = mutex.try_acquire(Duration::from_mins(1)).unwrap().unwrap();
    let mut limit = |bytes: u32| {
        let mut command = redis::cmd("CONFIG");
        command
            .arg(&["SET", "maxmemory"])
            .arg(bytes)
            .exec(&mut client)
            .unwrap();
    };
    limit(1);
    fails(
        set(&backend, "key", b"another"),
        ErrorKind::Refused,
        "raise its `maxmemory`",
    );
    let other = backend.mutex(&key("other").as_key()).unwrap().unwrap();
    fails(
        other.try_acquire(Duration::from_secs(1)).map(drop),
        ErrorKind::Refused,
        "raise its `maxmemory`",
    );
    assert_eq!(get(&backend, "key").unwrap().unwrap(), b"value");
    assert!(mutex.renew(&mut lease).unwrap());
    backend.delete(&key("key").as_key()).unwrap();
    assert_eq!(get(&backend, "key").unwrap(), None);
    limit(0);
    let value = dogpile_plugin_api::Value::from(&b"value"[..]);
    let stored = backend
        .set_guarded(&key("key").as_key(), &value, &lease)
        .unwrap();
    assert_eq!(stored, dogpile_plugin_api::Guarded::Deleted);
    limit(1);
    mutex.release(lease).unwrap();
    assert!(!mutex.is_locked().unwrap());
}

#[test]
fn a_replica_reads_and_says_that_it_stores_nothing() {
    let nobody = free_port().to_string();
    let server = RedisServer::start(&["--replicaof", &format!("127.0.0.1 {nobody}")]);
    let backend = open(&at(&server));
    assert_eq!(get(&backend, "key").unwrap(), None);
    fails(
        set(&backend, "key", b"value"),
        ErrorKind::Unavailable,
        "name the primary",
    );
    fails(
        backend.delete(&key("key").as_key()),
        ErrorKind::Unavailable,
        "name the primary",
    );
}

#[test]
fn a_server_that_reads_its_data_is_waited_out() {
    let mut server = RedisServer::start(&["--save", "3600 1"]);
    let backend = open(&at(&server));
    let mut connection = client(&server);
    redis::cmd("DEBUG")
        .arg("POPULATE")
        .arg(2000)
        .exec(&mut connection)
        .unwrap();
    set(&backend, "key", b"value").unwrap();
    redis::cmd("SAVE").exec(&mut connection).unwrap();
    server.kill();
    // A thousandth of a second for each key.
    server.restart_with(&[
        "--key-load-delay",
        "1000",
        "--loading-process-events-interval-bytes",
        "1024",
    ]);
    fails(
        backend.ping(),
        ErrorKind::Unavailable,
        "still reading its data",
    );
    fails(
        get(&backend, "key").map(drop),
        ErrorKind::Unavailable,
        "still reading its data",
    );
    until("it has read all", || backend.ping().is_ok());
    assert_eq!(get(&backend, "key").unwrap().unwrap(), b"value");
}

#[test]
fn tls_at_one_end_alone_or_with_a_stranger_is_told() {
    let certificates = Certificates::new();
    let server = certificates.server();
    let plain = RedisServer::start(&[]);
    let without = |mut arguments: Json, names: &[&str]| {
        for name in names {
            arguments.as_object_mut().unwrap().remove(*name);
        }
        arguments
    };
    let right = certificates.arguments(&server);
    open(&right).ping().unwrap();
    let cases = [
        (at(&server), "`ssl`"),
        (certificates.arguments(&plain), "`ssl`"),
        (
            without(right.clone(), &["ssl_certfile", "ssl_keyfile"]),
            "ertificate",
        ),
        (
            {
                let mut arguments = right.clone();
                arguments["ssl_ca_certs"] = json!(Certificates::new().into_file("ca.pem"));
                arguments
            },
            "ertificate",
        ),
        (
            {
                let mut arguments = right;
                arguments["host"] = json!("127.0.0.2");
                arguments
            },
            "not valid for name",
        ),
    ];
    for (arguments, words) in cases {
        let error = open(&arguments).ping().unwrap_err();
        assert!(
            error.kind() == ErrorKind::Unavailable && error.to_string().contains(words),
            "{error}"
        );
    }
}

#[test]
fn more_callers_than_connections_take_turns() {
    let server = RedisServer::start(&[]);
    let mut arguments = at(&server);
    arguments["max_connections"] = json!(2);
    let backend = open(&arguments);
    thread::scope(|scope| {
        for thread in 0..8 {
            let backend = &backend;
            scope.spawn(move || {
                for _ in 0..100 {
                    set(backend, &format!("{thread}"), b"value").unwrap();
                }
            });
        }
    });
    let list: String = redis::cmd("CLIENT")
        .arg("LIST")
        .query(&mut client(&server))
        .unwrap();
    assert!(list.lines().count() <= 3, "{list}");
    backend.close().unwrap();
    let error = get(&backend, "key").unwrap_err();
    assert!(error.to_string().contains("closed"), "{error}");
}
