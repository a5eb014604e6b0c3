//! Arguments that are wrong, and what is said of them.

use std::time::Duration;

use dogpile_plugin_api::ErrorKind;
use serde_json::{Value as Json, json};

use crate::support::try_open;

#[track_caller]
fn refused(backend: &str, arguments: &Json, place: &str, words: &str) {
    let error = try_open(backend, arguments).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Arguments, "{arguments}: {error}");
    assert_eq!(error.place(), Some(place), "{arguments}: {error}");
    assert!(error.message().contains(words), "{arguments}: {error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    let all = ["memcached", "memcached_ketama", "memcached_binary"];
    for (arguments, place, words) in [
        (json!({ "url": "cache:x" }), "url", "HOST:PORT"),
        (json!({ "url": "a:1,b:1" }), "url", "several in a list"),
        (json!({ "url": [] }), "url", "at least one"),
        (json!({ "url": ["a", "a:11211"] }), "url", "twice"),
        (
            json!({ "url": { "server": "a", "wieght": 2 } }),
            "url",
            "weight",
        ),
        (
            json!({ "url": "a", "socket_timeout": 0 }),
            "socket_timeout",
            "write seconds",
        ),
        (
            json!({ "url": "a", "dead_retry": 0 }),
            "dead_retry",
            "write seconds",
        ),
        (
            json!({ "url": "a", "password": "hunter2" }),
            "username",
            "`password`",
        ),
        (
            json!({ "url": "a", "username": "scott" }),
            "password",
            "`username`",
        ),
        (
            json!({ "url": "a", "tls": { "ca": "/no/such/file" } }),
            "tls.ca",
            "/no/such/file",
        ),
        (
            json!({ "url": "a", "tls": { "key": "/no/such/file" } }),
            "tls.certificate",
            "`tls.key`",
        ),
        (
            json!({ "url": "/run/a", "tls": true }),
            "tls",
            "Unix socket",
        ),
        (json!({ "url": "a", "tls": "yes" }), "tls", "certificate"),
    ] {
        for backend in all {
            refused(backend, &arguments, place, words);
        }
    }
}

#[test]
fn what_is_for_another_backend_is_refused_with_its_name() {
    let behaviors = json!({ "url": "a", "behaviors": { "ketama": true } });
    let binary = json!({ "url": "a", "binary": true });
    for backend in ["memcached", "memcached_binary"] {
        refused(backend, &behaviors, "behaviors", "`memcached_ketama`");
        refused(backend, &binary, "binary", "`memcached_ketama`");
    }
    let distribution = json!({ "url": "a", "distribution": "pymemcache" });
    for backend in ["memcached_ketama", "memcached_binary"] {
        refused(backend, &distribution, "distribution", "`memcached`");
    }
    refused(
        "memcached_binary",
        &json!({ "url": ["a:1:2"] }),
        "url",
        "no weight",
    );
    let off = json!({ "url": "a", "behaviors": { "tcp_nodelay": false } });
    refused(
        "memcached_ketama",
        &off,
        "behaviors.tcp_nodelay",
        "always on",
    );
    let text = json!({ "url": "a", "behaviors": "ketama" });
    refused("memcached_ketama", &text, "behaviors", "{ ketama = true }");
}

#[test]
fn an_unknown_behavior_or_hash_is_refused_by_name() {
    for (behaviors, word) in [
        (json!({ "ketam": true }), "ketam"),
        (json!({ "hash": "murmur" }), "murmur"),
        (json!({ "remove_failed": 1 }), "remove_failed"),
    ] {
        let arguments = json!({ "url": "a", "behaviors": behaviors });
        let error = try_open("memcached_ketama", &arguments)
            .map(drop)
            .unwrap_err();
        assert!(error.place().unwrap().starts_with("behaviors"), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn arguments_by_dogpiles_names_are_taken() {
    for (backend, arguments) in [
        (
            "memcached",
            json!({ "url": "127.0.0.1", "distributed_lock": true, "dead_retry": 30, "socket_timeout": 3,
            "memcached_expire_time": 60, "min_compress_len": 0, "retry_attempts": 2, "retry_delay": 0.1,
            "socket_keepalive": true }),
        ),
        (
            "memcached_ketama",
            json!({ "url": ["127.0.0.1"], "binary": true,
            "behaviors": { "tcp_nodelay": true, "ketama": true, "ketama_weighted": true, "hash": "fnv1a_32" } }),
        ),
        (
            "memcached_binary",
            json!({ "url": ["127.0.0.1"], "username": "scott", "password": "tiger", "tls": false }),
        ),
    ] {
        try_open(backend, &arguments).unwrap();
    }
}

#[test]
fn calls_take_no_longer_than_socket_timeout_and_it_says_so() {
    let arguments = json!({ "url": "127.0.0.1", "socket_timeout": 7 });
    for backend in ["memcached", "memcached_ketama", "memcached_binary"] {
        let longest = try_open(backend, &arguments)
            .unwrap()
            .properties()
            .longest_call;
        assert_eq!(longest, Some(Duration::from_secs(7)), "{backend}");
    }
}
