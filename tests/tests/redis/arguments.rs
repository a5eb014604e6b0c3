//! Arguments that cannot be are refused, by name.

use serde_json::{Value as Json, json};

use crate::support::try_open;

#[track_caller]
fn refused(arguments: &Json, place: &str, words: &str) {
    let error = try_open(arguments).err().expect("it is refused");
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
fn what_cannot_be_is_refused() {
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
