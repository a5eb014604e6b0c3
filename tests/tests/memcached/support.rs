//! What the tests share.

use dogpile_plugin_api::testing::{Offered, host};
use dogpile_plugin_api::{BackendInstance, Result};
use dogpile_plugin_memcached::plugin;
use dogpile_tests::certificates::CertificateFiles;
use dogpile_tests::memcached_server::MemcachedServer;
use serde_json::{Value as Json, json};

pub(crate) use dogpile_tests::backend::{get, key, set};
pub(crate) use dogpile_tests::until::{SOON, until};

/// Each backend in each protocol, with arguments that say so.
pub(crate) const WAYS: [(&str, &str); 5] = [
    ("memcached", "{}"),
    ("memcached", r#"{ "distribution": "pymemcache" }"#),
    ("memcached_ketama", r#"{ "behaviors": { "ketama": true } }"#),
    ("memcached_ketama", r#"{ "binary": true }"#),
    ("memcached_binary", "{}"),
];

/// So many servers.
pub(crate) fn servers(count: usize, options: &[&str]) -> Vec<MemcachedServer> {
    (0..count)
        .map(|_| MemcachedServer::start(options))
        .collect()
}

/// The arguments for these servers, with others.
pub(crate) fn at(servers: &[MemcachedServer], others: &str) -> Json {
    let mut arguments: Json = serde_json::from_str(others).unwrap();
    arguments["url"] = servers.iter().map(MemcachedServer::url).collect();
    arguments
}

/// A server that speaks TLS alone, with options beside.
pub(crate) fn tls_options(certificates: &CertificateFiles) -> [String; 3] {
    let file = |name| certificates.file(name).display().to_string();
    [
        String::from("-Z"),
        String::from("-o"),
        format!(
            "ssl_chain_cert={},ssl_key={},ssl_ca_cert={},ssl_verify_mode=2",
            file("server.pem"),
            file("server.key"),
            file("ca.pem")
        ),
    ]
}

/// What that server wants.
pub(crate) fn tls(certificates: &CertificateFiles) -> Json {
    json!({
        "ca": certificates.file("ca.pem"),
        "certificate": certificates.file("client.pem"),
        "key": certificates.file("client.key"),
    })
}

pub(crate) fn try_open(backend: &str, arguments: &Json) -> Result<BackendInstance> {
    let arguments = arguments.to_string();
    let offered = Offered {
        plugin: plugin(),
        name: backend,
        arguments: &arguments,
    };
    host().open(offered, &[])
}

pub(crate) fn open(backend: &str, arguments: &Json) -> BackendInstance {
    try_open(backend, arguments).unwrap()
}
