//! What the sentinels say, and what it comes to where they do not.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use dogpile_plugin_api::{BackendInstance, ErrorKind};
use dogpile_tests::redis_server::RedisServer;
use dogpile_tests::running::free_port;
use serde_json::{Value as Json, json};

use crate::certificates::Certificates;
use crate::support::{get, key, open_watched, set, until};
use crate::watched::{ask, lone_sentinel};

/// Reading and storing fail, with an error that has these words and no secret.
#[track_caller]
fn fails(arguments: &Json, words: &[&str]) {
    let backend = open_watched(arguments);
    let failures = [
        get(&backend, "key").err(),
        set(&backend, "key", b"value").err(),
    ];
    for failure in failures {
        let error = failure.expect("it fails");
        let shown = format!("{error} {error:?}");
        let has_words = words.iter().all(|words| shown.contains(words));
        assert!(
            has_words && error.kind() == ErrorKind::Unavailable,
            "{shown}"
        );
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

fn sentinel(server: &RedisServer, lines: &str) -> RedisServer {
    lone_sentinel(server.port(), lines)
}

fn of(sentinel: &RedisServer) -> Json {
    json!({ "sentinels": [["127.0.0.1", sentinel.port()]] })
}

fn stored(backend: &BackendInstance) {
    set(backend, "key", b"value").unwrap();
    let found = backend.get_fresh(&key("key").as_key()).unwrap().unwrap();
    assert_eq!(found.as_bytes().unwrap(), b"value");
}

#[test]
fn a_wrong_service_and_servers_that_are_no_sentinels_are_told() {
    let server = RedisServer::start(&[]);
    let sentinel = sentinel(&server, "");
    let place = format!("127.0.0.1:{}", sentinel.port());
    let mut arguments = of(&sentinel);
    stored(&open_watched(&arguments));
    arguments["service_name"] = json!("another");
    fails(&arguments, &[&place, "`another`", "correct `service_name`"]);
    fails(&of(&server), &["`mymaster`", "is it a sentinel"]);
    let nobody = format!("127.0.0.1:{}", free_port());
    fails(
        &json!({ "sentinels": [nobody] }),
        &[&nobody, "is it running there?"],
    );
}

#[test]
fn passwords_of_sentinels_and_servers_are_their_own() {
    let server = RedisServer::start(&["--requirepass", "hunter2"]);
    let login = "sentinel auth-pass mymaster hunter2\nrequirepass hunter2 of sentinels";
    let sentinel = sentinel(&server, &login.replace(" of sentinels", "-of-sentinels"));
    let mut arguments = of(&sentinel);
    arguments["password"] = json!("hunter2");
    fails(
        &arguments,
        &[
            "the sentinel 127.0.0.1:",
            "wants a password",
            "`sentinel_password`",
        ],
    );
    arguments["sentinel_password"] = json!("hunter2");
    fails(
        &arguments,
        &[
            "the sentinel 127.0.0.1:",
            "refuses",
            "correct `sentinel_username`",
        ],
    );
    arguments["sentinel_password"] = json!("hunter2-of-sentinels");
    stored(&open_watched(&arguments));
    arguments["password"] = json!("not hunter2");
    fails(
        &arguments,
        &["the server 127.0.0.1:", "refuses", "correct `username`"],
    );
    arguments.as_object_mut().unwrap().remove("password");
    fails(
        &arguments,
        &["the server 127.0.0.1:", "wants a password", "`password`"],
    );
}

#[test]
fn a_user_who_may_not_ask_for_the_role_relies_on_the_sentinels() {
    let server = RedisServer::start(&[]);
    let rules = [
        "ACL", "SETUSER", "app", "on", ">hunter2", "~*", "+@all", "-role",
    ];
    ask(&server, &rules);
    let sentinel = sentinel(&server, "");
    let mut arguments = of(&sentinel);
    arguments["username"] = json!("app");
    arguments["password"] = json!("hunter2");
    stored(&open_watched(&arguments));
}

#[test]
fn a_master_that_is_down_and_one_that_is_a_replica_are_told_until_another_is_elected() {
    let mut server = RedisServer::start(&[]);
    let sentinel = sentinel(&server, "");
    let place = format!("127.0.0.1:{}", server.port());
    server.kill();
    fails(
        &of(&sentinel),
        &[&place, "cannot be reached", "a failover may be under way"],
    );
    server.restart();
    let backend = open_watched(&of(&sentinel));
    stored(&backend);
    ask(
        &server,
        &["REPLICAOF", "127.0.0.1", &free_port().to_string()],
    );
    fails(
        &of(&sentinel),
        &[&place, "is a replica", "a failover may be under way"],
    );
    let error = set(&backend, "key", b"value").unwrap_err();
    assert!(error.to_string().contains("is a replica"), "{error}");
    ask(&server, &["REPLICAOF", "NO", "ONE"]);
    until("it is used again", || {
        set(&backend, "key", b"value").is_ok()
    });
}

/// How often somebody connected since this was asked last.
fn connected(silent: &TcpListener) -> usize {
    let accepted = silent.incoming();
    accepted.take_while(std::io::Result::is_ok).count()
}

#[test]
fn sentinels_that_hang_cost_their_time_and_the_known_master_is_used_without_them() {
    let mut server = RedisServer::start(&[]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    silent.set_nonblocking(true).unwrap();
    let mut other = sentinel(&server, "");
    let ports = [silent.local_addr().unwrap().port(), other.port()];
    let ports = ports.map(|port| json!(["127.0.0.1", port]));
    // Two of them would take longer by themselves.
    let arguments = json!({ "sentinels": ports, "socket_timeout": "600ms" });
    let backend = open_watched(&arguments);
    stored(&backend);
    other.stop();
    let since = Instant::now();
    fails(&arguments, &["did not answer", "`sentinel_timeout`"]);
    let took = since.elapsed();
    assert!(took >= Duration::from_millis(400), "{took:?}");
    // Longer than what they said is relied on.
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(2) {
        stored(&backend);
    }
    server_restarts(&mut server, &backend);
    connected(&silent);
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(2) {
        stored(&backend);
    }
    // They are asked once more, since a call failed just after the last time.
    let asked = connected(&silent);
    assert!(asked <= 1, "{asked}");
    other.kill();
    drop(silent);
    server_restarts(&mut server, &backend);
    other.restart();
    stored(&open_watched(&arguments));
    stored(&backend);
}

/// Nobody tells of it.
fn server_restarts(server: &mut RedisServer, backend: &BackendInstance) {
    server.kill();
    until("nobody is reached", || {
        let error = get(backend, "key").unwrap_err();
        error.to_string().contains("is it running there?")
    });
    server.restart();
    until("it is used again", || set(backend, "key", b"value").is_ok());
}

/// The sentinel names the same master all the time.
#[test]
fn a_master_that_comes_back_is_used_well_within_a_second() {
    let mut server = RedisServer::start(&[]);
    let sentinel = sentinel(&server, "");
    let backend = open_watched(&of(&sentinel));
    let took = (0..3).map(|_| {
        stored(&backend);
        server.kill();
        for _ in 0..20 {
            set(&backend, "key", b"value").unwrap_err();
        }
        thread::scope(|scope| {
            let back = scope.spawn(|| {
                until("it is used again", || {
                    set(&backend, "key", b"value").is_ok()
                });
                Instant::now()
            });
            server.restart();
            let since = Instant::now();
            back.join().unwrap().saturating_duration_since(since)
        })
    });
    let shortest = took.min().unwrap();
    assert!(shortest < Duration::from_millis(500), "{shortest:?}");
}

#[test]
fn servers_and_sentinels_speak_tls_each_where_it_is_told() {
    let certificates = Certificates::new();
    let server = certificates.server();
    let sentinel = certificates.sentinel(&server);
    let mut arguments = certificates.arguments(&server);
    for argument in ["host", "port"] {
        arguments.as_object_mut().unwrap().remove(argument);
    }
    arguments["sentinels"] = json!([["127.0.0.1", sentinel.port()]]);
    fails(&arguments, &["the sentinel 127.0.0.1:", "`sentinel_ssl`"]);
    arguments["sentinel_ssl"] = json!(true);
    stored(&open_watched(&arguments));
    arguments["ssl"] = json!(false);
    fails(&arguments, &["the server 127.0.0.1:", "(`ssl`)"]);
}
