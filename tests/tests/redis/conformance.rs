//! The conformance suite, on every way to a server.

use std::path::Path;
use std::thread;

use dogpile_plugin_api::testing::{backend_suite, mutex_suite, serializer_suite};
use dogpile_plugin_redis::plugin;
use dogpile_tests::command::Conformance;
use dogpile_tests::plugin_file;
use dogpile_tests::python::{python, valkey_server};
use dogpile_tests::redis_server::RedisServer;
use serde_json::{Value as Json, json};

use crate::certificates::Certificates;
use crate::clustered::{Clustered, Setup};
use crate::support::{at, both_ways};
use crate::watched::Watched;

fn conforms(backend: &str, arguments: &Json) {
    let arguments = arguments.to_string();
    let suites = [
        backend_suite(plugin(), backend, &arguments),
        serializer_suite(plugin(), backend, &arguments),
        mutex_suite(plugin(), backend, &arguments),
    ];
    for report in suites {
        println!("{report}");
        report.assert_passed();
    }
}

#[test]
fn redis_conforms_on_a_server_of_its_own() {
    let server = RedisServer::start(&[]);
    let mut arguments = at(&server);
    arguments["clear_empties_db"] = json!(true);
    conforms("redis", &arguments);
}

#[test]
fn redis_conforms_as_a_file_to_the_command() {
    let server = RedisServer::start(&[]);
    let arguments = format!(
        "host = \"127.0.0.1\"\nport = {}\nclear_empties_db = true",
        server.port()
    );
    let words = ["--backend", "redis", "--arguments", &arguments];
    Conformance::of(&plugin_file("redis"), &words).assert_passed(69);
}

#[test]
fn redis_conforms_with_one_connection_for_all_calls() {
    let server = RedisServer::start(&["--requirepass", "secret"]);
    let mut arguments = at(&server);
    for (name, value) in [
        ("clear_empties_db", json!(true)),
        ("password", json!("secret")),
        ("db", json!(2)),
        ("multiplex", json!(true)),
    ] {
        arguments[name] = value;
    }
    conforms("redis", &arguments);
}

#[test]
fn redis_conforms_with_a_password_and_another_database() {
    let server = RedisServer::start(&["--requirepass", "secret"]);
    let url = format!("redis://:secret@127.0.0.1:{}/3", server.port());
    conforms("redis", &json!({ "url": url, "lock_prefix": "lock:" }));
}

#[test]
fn redis_conforms_over_tls_with_a_certificate_of_its_own() {
    let certificates = Certificates::new();
    let server = certificates.server();
    for arguments in both_ways(&certificates.arguments(&server)) {
        conforms("redis", &arguments);
    }
}

#[test]
fn valkey_conforms_on_a_unix_socket() {
    let server = RedisServer::start(&[]);
    let url = format!("unix://{}?db=1", server.socket().display());
    conforms("valkey", &json!({ "url": url, "max_connections": 8 }));
    conforms("valkey", &json!({ "url": url, "multiplex": true }));
}

#[test]
fn valkey_conforms_on_a_server_of_valkey() {
    let python = python(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let server = RedisServer::start_program(valkey_server(&python), &[]);
    conforms("valkey", &at(&server));
}

#[test]
fn redis_sentinel_conforms_on_servers_that_sentinels_watch() {
    watched_conforms("redis_sentinel", &Watched::start(), false);
}

#[test]
fn valkey_sentinel_conforms_on_servers_of_valkey_that_its_sentinels_watch() {
    watched_conforms("valkey_sentinel", &Watched::start_valkey(), true);
}

fn watched_conforms(backend: &str, watched: &Watched, multiplex: bool) {
    let mut arguments = watched.arguments();
    arguments["multiplex"] = json!(multiplex);
    arguments["clear_empties_db"] = json!(true);
    conforms(backend, &arguments);
}

#[test]
fn redis_cluster_conforms_with_locks_apart_and_by_hashtag_and_without() {
    let cluster = Clustered::with(&Setup {
        replicas: true,
        ..Setup::default()
    });
    let mut arguments = cluster.arguments();
    arguments["cluster_lock"] = json!("hashtag");
    arguments["clear_empties_db"] = json!(true);
    conforms("redis_cluster", &arguments);
    // By a replica.
    let port = cluster.nodes[5].port();
    let mut by_url = json!({ "url": format!("redis://127.0.0.1:{port}/0") });
    let mut without = by_url.clone();
    by_url["multiplex"] = json!(true);
    without["distributed_lock"] = json!(false);
    thread::scope(|scope| {
        for arguments in [&by_url, &without] {
            scope.spawn(|| conforms("redis_cluster", arguments));
        }
    });
}

#[test]
fn valkey_cluster_conforms_on_servers_of_valkey() {
    let python = python(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let cluster = Clustered::with(&Setup {
        program: &valkey_server(&python),
        ..Setup::default()
    });
    let mut arguments = cluster.arguments();
    arguments["clear_empties_db"] = json!(true);
    conforms("valkey_cluster", &arguments);
}

#[test]
fn redis_conforms_without_a_lock_that_others_respect() {
    let server = RedisServer::start(&[]);
    let mut arguments = at(&server);
    arguments["distributed_lock"] = json!(false);
    conforms("redis", &arguments);
}

#[test]
fn redis_conforms_where_the_server_cannot_tell_of_locks() {
    let server = RedisServer::start(&["--rename-command", "HELLO", ""]);
    let mut arguments = at(&server);
    arguments["lock_sleep"] = json!("20ms");
    conforms("redis", &arguments);
}
