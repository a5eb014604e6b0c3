//! What the sentinels say, and what it comes to where they do not.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use dogpile_plugin_api::{BackendInstance, ErrorKind};
use dogpile_tests::redis_server::{RedisServer, free_port};
use serde_json::{Value as Json, json};

use crate::certificates::Certificates;
use crate::support::{client, get, key, open_watched, set, until};
use crate::watched::{Watched, ask, calls};

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

/// A sentinel of its own for that server. Alone it elects nobody.
fn sentinel(server: &RedisServer, lines: &str) -> RedisServer {
    let port = server.port();
    let monitor = format!("sentinel monitor mymaster 127.0.0.1 {port} 2\n{lines}\n");
    RedisServer::start_sentinel(&monitor, &[])
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

#[test]
fn replicas_read_and_the_master_does_where_it_must_or_none_is_left() {
    let mut watched = Watched::start(&[], &[]);
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
