//! How the nodes of a cluster are found and spoken to, and what it comes to where that cannot be.

use dogpile_plugin_api::{BackendInstance, ErrorKind};
use dogpile_tests::redis_server::RedisServer;
use dogpile_tests::running::free_port;
use serde_json::{Value as Json, json};

use crate::certificates::Certificates;
use crate::clustered::{Clustered, Setup};
use crate::support::{at, get, open, open_clustered, set, until};
use crate::watched::ask;

/// Reading, storing and a ping fail, with an error that has these words and no secret.
#[track_caller]
fn fails(arguments: &Json, words: &[&str]) {
    let backend = open_clustered(arguments);
    let failures = [
        get(&backend, "key").err(),
        set(&backend, "key", b"value").err(),
        backend.ping().err(),
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

/// Keys on all masters.
fn stored(arguments: &Json) {
    let backend = open_clustered(arguments);
    backend.ping().unwrap();
    for number in 0..20 {
        let (name, bytes) = (format!("key {number}"), format!("{number}").into_bytes());
        set(&backend, &name, &bytes).unwrap();
        assert_eq!(get(&backend, &name).unwrap().unwrap(), bytes);
    }
    backend.close().unwrap();
}

#[test]
fn servers_that_are_no_nodes_and_nodes_without_slots_are_told() {
    let server = RedisServer::start(&[]);
    let place = format!("127.0.0.1:{}", server.port());
    let nobody = format!("127.0.0.1:{}", free_port());
    fails(
        &json!({ "startup_nodes": [nobody, place] }),
        &[
            &nobody,
            "is it running there?",
            &place,
            "is in no cluster",
            "backend `redis`",
        ],
    );
    let alone = RedisServer::start(&["--cluster-enabled", "yes", "--cluster-port", "{free}"]);
    let place = format!("127.0.0.1:{}", alone.port());
    let arguments = json!({ "startup_nodes": [place] });
    let backend = open_clustered(&arguments);
    let error = set(&backend, "key", b"value").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no node of the cluster has the slot 12539"),
        "{error}"
    );
    let error = backend.ping().unwrap_err();
    assert!(error.to_string().contains("the cluster is down"), "{error}");
    // Only some of the slots: all is down, or what is missing is.
    ask(&alone, &["CLUSTER", "ADDSLOTSRANGE", "0", "16000"]);
    until("it has heard", || {
        let error = set(&backend, "key", b"value").unwrap_err();
        error.to_string().contains("its cluster is down")
    });
    assert!(backend.ping().is_err());
    ask(
        &alone,
        &["CONFIG", "SET", "cluster-require-full-coverage", "no"],
    );
    until("some slots are served", || {
        set(&backend, "key", b"value").is_ok() && backend.ping().is_ok()
    });
    let mut names = (0..).map(|number| format!("key {number}"));
    let name = names.find(|name| slot(&alone, name) > 16000).unwrap();
    let error = set(&backend, &name, b"value").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no node of the cluster has the slot"),
        "{error}"
    );
    // What is for one server says what is for a cluster.
    let cluster = Clustered::start();
    let backend = open(&at(&cluster.nodes[0]));
    let mut names = (0..).map(|number| format!("key {number}"));
    let name = names.find(|name| cluster.owner(name) != 0).unwrap();
    let error = set(&backend, &name, b"value").unwrap_err();
    assert!(
        error.to_string().contains("backend `redis_cluster`"),
        "{error}"
    );
}

fn slot(node: &RedisServer, key: &str) -> u16 {
    redis::from_redis_value(ask(node, &["CLUSTER", "KEYSLOT", key])).unwrap()
}

#[test]
fn all_nodes_are_spoken_to_over_tls_with_the_password() {
    let certificates = Certificates::new();
    let options = certificates.options();
    let mut options: Vec<&str> = options.iter().map(String::as_str).collect();
    options.extend(["--requirepass", "hunter2", "--tls-cluster", "yes"]);
    let cluster = Clustered::with(&Setup {
        options: &options,
        password: Some("hunter2"),
        ..Setup::default()
    });
    let mut arguments = certificates.arguments(&cluster.nodes[0]);
    for argument in ["host", "port"] {
        arguments.as_object_mut().unwrap().remove(argument);
    }
    let port = cluster.nodes[0].port();
    arguments["startup_nodes"] = json!([["127.0.0.1", port]]);
    fails(&arguments, &["wants a password", "`password`"]);
    arguments["password"] = json!("not hunter2");
    fails(&arguments, &["refuses", "correct `username`"]);
    arguments["password"] = json!("hunter2");
    stored(&arguments);
    arguments.as_object_mut().unwrap().remove("startup_nodes");
    arguments.as_object_mut().unwrap().remove("password");
    arguments["url"] = json!(format!("rediss://:hunter2@127.0.0.1:{port}"));
    stored(&arguments);
    arguments.as_object_mut().unwrap().remove("ssl_certfile");
    arguments.as_object_mut().unwrap().remove("ssl_keyfile");
    let error = set(&open_clustered(&arguments), "key", b"value").unwrap_err();
    assert!(
        error.to_string().contains(&format!("127.0.0.1:{port}")),
        "{error}"
    );
}

#[test]
fn nodes_are_reached_by_the_names_and_addresses_that_they_announce() {
    let cluster = Clustered::with(&Setup {
        options: &["--cluster-announce-hostname", "localhost"],
        ..Setup::default()
    });
    let mut owner = cluster.owner("key");
    for (kind, named, announced) in [
        ("hostname", "127.0.0.1", "localhost"),
        ("ip", "localhost", "127.0.0.1"),
        ("unknown-endpoint", "127.0.0.1", "127.0.0.1"),
        ("unknown-endpoint", "localhost", "localhost"),
    ] {
        for node in &cluster.nodes {
            ask(
                node,
                &["CONFIG", "SET", "cluster-preferred-endpoint-type", kind],
            );
        }
        let next = (owner + 1) % 3;
        let port = cluster.nodes[3 - owner - next].port();
        let backend = open_clustered(&json!({ "startup_nodes": [[named, port]] }));
        // As the first node says, and as the one says that had the slot.
        set(&backend, "key", b"value").unwrap();
        refuses_at(&cluster.nodes[owner], &backend, announced);
        cluster.move_slot(cluster.slot("key"), owner, next, || {});
        assert_eq!(get(&backend, "key").unwrap().unwrap(), b"value");
        refuses_at(&cluster.nodes[next], &backend, announced);
        owner = next;
    }
}

/// It is that node that stores, and it is called so.
fn refuses_at(node: &RedisServer, backend: &BackendInstance, host: &str) {
    ask(node, &["CONFIG", "SET", "maxmemory", "1"]);
    let error = set(backend, "key", b"value").unwrap_err().to_string();
    let said = format!("the server {host}:{} has no memory left", node.port());
    assert!(error.contains(&said), "{error}");
    ask(node, &["CONFIG", "SET", "maxmemory", "0"]);
}
