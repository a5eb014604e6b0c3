//! The conformance suite, on every way to a server, and to three.

use dogpile_plugin_api::testing::{backend_suite, mutex_suite, serializer_suite};
use dogpile_plugin_memcached::plugin;
use dogpile_tests::certificates::CertificateFiles;
use dogpile_tests::command::Conformance;
use dogpile_tests::memcached_server::MemcachedServer;
use dogpile_tests::plugin_file;
use serde_json::{Value as Json, json};

use crate::support::{at, servers, tls, tls_options};

/// Values of a mebibyte are among those that must come back.
const LARGE: [&str; 2] = ["-I", "4m"];

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

/// With one server, and with three.
fn conforms_on_servers(backend: &str, others: &str) {
    for count in [1, 3] {
        let servers = servers(count, &LARGE);
        conforms(backend, &at(&servers, others));
    }
}

#[test]
fn memcached_conforms() {
    conforms_on_servers("memcached", "{}");
}

#[test]
fn memcached_conforms_as_a_file_to_the_command_whatever_its_servers_hold() {
    // As long as it may be by default: longer values are refused, or not tried.
    let servers = servers(1, &[]);
    let arguments = format!("url = [{:?}]", servers[0].url());
    let backend = ["--backend", "memcached", "--arguments", &arguments];
    let run = Conformance::of(&plugin_file("memcached"), &backend);
    run.assert_passed(66);
    assert!(run.cases("not supported").contains("a_mebibyte_survives"));
    let words = [&backend[..], &["--largest-value", "512KiB"]].concat();
    let words = [&words[..], &["--case", "a_mebibyte_survives"]].concat();
    let run = Conformance::of(&plugin_file("memcached"), &words);
    assert!(run.cases("skipped").contains("a_mebibyte_survives"));
}

#[test]
fn memcached_conforms_in_the_place_of_pymemcache() {
    conforms_on_servers("memcached", r#"{ "distribution": "pymemcache" }"#);
}

#[test]
fn memcached_ketama_conforms() {
    conforms_on_servers("memcached_ketama", r#"{ "behaviors": { "ketama": true } }"#);
}

#[test]
fn memcached_ketama_conforms_in_the_binary_protocol() {
    conforms_on_servers(
        "memcached_ketama",
        r#"{ "binary": true, "behaviors": { "hash": "md5" }, "min_compress_len": 100 }"#,
    );
}

#[test]
fn memcached_binary_conforms() {
    conforms_on_servers("memcached_binary", "{}");
}

#[test]
fn memcached_binary_conforms_with_a_login() {
    for count in [1, 3] {
        let start = || MemcachedServer::start_with_sasl("scott", "tiger", &LARGE);
        let servers: Vec<_> = (0..count).map(|_| start()).collect();
        let login = r#"{ "username": "scott", "password": "tiger" }"#;
        conforms("memcached_binary", &at(&servers, login));
    }
}

#[test]
fn memcached_binary_conforms_over_tls() {
    let certificates = CertificateFiles::new();
    let options = tls_options(&certificates);
    let options = [&LARGE[..], &options.each_ref().map(String::as_str)].concat();
    for count in [1, 3] {
        let servers = servers(count, &options);
        let mut arguments = at(&servers, "{}");
        arguments["tls"] = tls(&certificates);
        conforms("memcached_binary", &arguments);
    }
}

#[test]
fn memcached_binary_conforms_with_a_login_over_tls() {
    let certificates = CertificateFiles::new();
    let options = tls_options(&certificates);
    let options = [&LARGE[..], &options.each_ref().map(String::as_str)].concat();
    let start = || MemcachedServer::start_with_sasl("scott", "tiger", &options);
    let servers = [start(), start(), start()];
    let mut arguments = at(&servers, r#"{ "username": "scott", "password": "tiger" }"#);
    arguments["tls"] = tls(&certificates);
    conforms("memcached_binary", &arguments);
}

#[test]
fn memcached_conforms_with_a_login_over_tls_and_no_lock_that_others_respect() {
    let certificates = CertificateFiles::new();
    let options = tls_options(&certificates);
    let options = [&LARGE[..], &options.each_ref().map(String::as_str)].concat();
    let servers = [MemcachedServer::start_with_login(
        "scott", "tiger", &options,
    )];
    let mut arguments = at(&servers, r#"{ "username": "scott", "password": "tiger" }"#);
    arguments["tls"] = tls(&certificates);
    arguments["distributed_lock"] = json!(false);
    conforms("memcached", &arguments);
}

#[test]
fn memcached_ketama_conforms_on_unix_sockets() {
    let servers = [(); 2].map(|()| MemcachedServer::start_on_socket(&LARGE));
    conforms(
        "memcached_ketama",
        &at(&servers, r#"{ "max_connections": 8 }"#),
    );
}
