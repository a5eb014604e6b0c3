//! Arguments that cannot be are refused, by name.

use std::time::Duration;

use dogpile_plugin_api::testing::host;
use serde_json::{Value as Json, json};

use crate::support::try_open_named;

#[track_caller]
fn refused(arguments: &Json, place: &str, words: &str) {
    refused_by("redis", arguments, place, words);
}

#[track_caller]
fn refused_by(backend: &str, arguments: &Json, place: &str, words: &str) {
    let opened = try_open_named(&host(), backend, arguments);
    let error = opened.err().expect("it is refused");
    assert_eq!(error.place(), Some(place), "{error}");
    let shown = format!("{error} {error:?}");
    assert!(
        shown.contains(words) && !shown.contains("hunter2"),
        "{shown}"
    );
}

#[test]
fn what_contradicts_itself_is_refused() {
    let url = "redis://app:hunter2@cache/1";
    refused(
        &json!({ "url": url, "host": "cache" }),
        "host",
        "leave one of them out",
    );
    refused(
        &json!({ "url": url, "port": 1 }),
        "port",
        "leave one of them out",
    );
    refused(
        &json!({ "url": url, "db": 1 }),
        "db",
        "leave one of them out",
    );
    refused(
        &json!({ "url": url, "password": "hunter2" }),
        "password",
        "leave one of them out",
    );
    refused(
        &json!({ "url": url, "username": "app" }),
        "username",
        "leave one of them out",
    );
    refused(&json!({ "username": "app" }), "password", "no password");
    refused(
        &json!({ "url": "rediss://cache", "ssl": false }),
        "ssl",
        "asks for TLS",
    );
    refused(
        &json!({ "url": "unix:///socket", "ssl": true }),
        "ssl",
        "Unix socket",
    );
    refused(
        &json!({ "ssl_ca_certs": "/ca.pem" }),
        "ssl_ca_certs",
        "ssl = true",
    );
    refused(&json!({ "url": "cache" }), "url", "redis://");
}

#[test]
fn what_is_for_another_backend_is_refused_with_the_one_that_has_it() {
    for (argument, value) in [
        ("sentinels", json!(["cache:1"])),
        ("service_name", json!("mymaster")),
        ("sentinel_username", json!("app")),
        ("sentinel_password", json!("hunter2")),
        ("sentinel_ssl", json!(true)),
        ("sentinel_timeout", json!(1)),
        ("read_from_replicas", json!(true)),
    ] {
        for backend in ["redis", "valkey", "redis_cluster", "valkey_cluster"] {
            refused_by(
                backend,
                &json!({ argument: value }),
                argument,
                "`redis_sentinel`",
            );
        }
    }
    for (argument, value) in [
        ("url", json!("redis://:hunter2@cache")),
        ("host", json!("cache")),
        ("port", json!(6379)),
    ] {
        let arguments = json!({ "sentinels": ["cache"], argument: value });
        for backend in ["redis_sentinel", "valkey_sentinel"] {
            refused_by(backend, &arguments, argument, "the backend `redis`");
        }
    }
}

#[test]
fn what_is_for_a_cluster_is_refused_by_the_others() {
    for (argument, value) in [
        ("startup_nodes", json!(["cache:1"])),
        ("cluster_lock", json!("hashtag")),
    ] {
        for backend in ["redis", "valkey", "redis_sentinel", "valkey_sentinel"] {
            let mut arguments = json!({ argument: value });
            if backend.ends_with("sentinel") {
                arguments["sentinels"] = json!(["cache"]);
            }
            refused_by(backend, &arguments, argument, "`redis_cluster`");
        }
    }
}

#[test]
fn nodes_that_cannot_be_are_refused() {
    let with = |argument: &str, value: Json| {
        let mut arguments = json!({ "startup_nodes": ["cache"] });
        arguments[argument] = value;
        arguments
    };
    for backend in ["redis_cluster", "valkey_cluster"] {
        let refused = |arguments: &Json, place: &str, words: &str| {
            refused_by(backend, arguments, place, words);
        };
        refused(&json!({}), "startup_nodes", "name some nodes");
        refused(
            &with("startup_nodes", json!([])),
            "startup_nodes",
            "name some nodes",
        );
        refused(
            &with("startup_nodes", json!(["a:x"])),
            "startup_nodes[0]",
            "a:x",
        );
        refused(
            &with("startup_nodes", json!([1])),
            "startup_nodes[0]",
            "HOST:PORT",
        );
        refused(&with("host", json!("cache")), "host", "`startup_nodes`");
        refused(&with("port", json!(1)), "port", "`startup_nodes`");
        let url = "redis://:hunter2@cache";
        refused(
            &with("url", json!(url)),
            "startup_nodes",
            "leave one of them out",
        );
        refused(&with("db", json!(1)), "db", "`key_prefix`");
        refused(&json!({ "url": format!("{url}/1") }), "url", "`key_prefix`");
        refused(
            &json!({ "url": "unix:///socket" }),
            "url",
            "redis://HOST:PORT",
        );
        refused(
            &with("cluster_lock", json!("tag")),
            "cluster_lock",
            "hashtag",
        );
        refused(&with("username", json!("app")), "password", "no password");
    }
}

#[test]
fn sentinels_that_cannot_be_are_refused() {
    let refused = |arguments: &Json, place: &str, words: &str| {
        refused_by("redis_sentinel", arguments, place, words);
    };
    refused(&json!({}), "sentinels", "name the sentinels");
    refused(
        &json!({ "sentinels": [] }),
        "sentinels",
        "name the sentinels",
    );
    let with = |argument: &str, value: Json| {
        let mut arguments = json!({ "sentinels": ["cache"] });
        arguments[argument] = value;
        arguments
    };
    refused(&with("service_name", json!("")), "service_name", "mymaster");
    refused(
        &with("sentinels", json!(["cache:x"])),
        "sentinels[0]",
        "cache:x",
    );
    refused(&with("sentinels", json!([1])), "sentinels[0]", "HOST:PORT");
    refused(
        &with("sentinel_username", json!("app")),
        "sentinel_password",
        "no password",
    );
    refused(&with("sentinel_timeout", json!(0)), "sentinel_timeout", "0");
    refused(
        &with("ssl_ca_certs", json!("/ca.pem")),
        "ssl_ca_certs",
        "ssl = true",
    );
    let mut secret = with("sentinel_password", json!("hunter2"));
    secret["sentinel_ssl"] = json!(true);
    secret["ssl_ca_certs"] = json!("/no/such/file");
    refused(&secret, "ssl_ca_certs", "/no/such/file");
}

#[test]
fn what_cannot_be_is_refused() {
    refused(&json!({ "host": "" }), "host", "localhost");
    refused(&json!({ "port": 0 }), "port", "1 to 65535");
    refused(&json!({ "url": "redis://cache:0" }), "url", "1 to 65535");
    refused(&json!({ "socket_timeout": 0 }), "socket_timeout", "0");
    refused(&json!({ "socket_timeout": -1 }), "socket_timeout", "-1");
    refused(
        &json!({ "socket_connect_timeout": "soon" }),
        "socket_connect_timeout",
        "soon",
    );
    refused(
        &json!({ "lock_blocking": false }),
        "lock_blocking",
        "lock_wait",
    );
    refused(&json!({ "lock_prefix": "l" }), "lock_prefix", "2 to 10");
    refused(&json!({ "lock_prefix": "a*" }), "lock_prefix", "2 to 10");
    refused(
        &json!({ "lock_prefix": "_dogpile" }),
        "lock_prefix",
        "deletions",
    );
    refused(&json!({ "max_connections": 0 }), "max_connections", "0");
    refused(
        &json!({ "ssl": true, "ssl_ca_certs": "/no/such/file" }),
        "ssl_ca_certs",
        "/no/such/file",
    );
    refused(&json!({ "hots": "cache" }), "hots", "hots");
}

#[test]
fn calls_take_no_longer_than_socket_timeout_and_it_says_so() {
    let arguments = json!({ "socket_timeout": 7 });
    let redis = try_open_named(&host(), "redis", &arguments).unwrap();
    let longest = redis.properties().longest_call;
    assert_eq!(longest, Some(Duration::from_secs(7)));
}
