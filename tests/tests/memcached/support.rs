//! What the tests share.

use std::time::{Duration, Instant};

use dogpile_plugin_api::testing::{Offered, host};
use dogpile_plugin_api::{BackendInstance, Metadata, OwnedKey, Result, Value};
use dogpile_plugin_memcached::plugin;
use dogpile_tests::certificates::CertificateFiles;
use dogpile_tests::memcached_server::MemcachedServer;
use serde_json::{Value as Json, json};

/// How long anything may take that must happen soon.
pub(crate) const SOON: Duration = Duration::from_secs(20);

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

pub(crate) fn key(text: &str) -> OwnedKey {
    host().key(text)
}

pub(crate) fn set(backend: &BackendInstance, name: &str, bytes: &[u8]) -> Result<()> {
    let key = key(name);
    backend.set(
        &key.as_key(),
        &Value::copied(&Metadata::default(), key.as_key(), bytes),
    )
}

pub(crate) fn get(backend: &BackendInstance, name: &str) -> Result<Option<Vec<u8>>> {
    let found = backend.get(&key(name).as_key())?;
    Ok(found.map(|value| value.as_bytes().unwrap().to_owned()))
}

/// Until it is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
