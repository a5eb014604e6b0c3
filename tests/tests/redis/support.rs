//! What the tests share.

use std::time::{Duration, Instant};

use dogpile_plugin_api::testing::{Offered, TestHost, host};
use dogpile_plugin_api::{BackendInstance, Metadata, OwnedKey, Result, Value};
use dogpile_plugin_redis::plugin;
use dogpile_tests::redis_server::RedisServer;
use serde_json::{Value as Json, json};

/// How long anything may take that must happen soon.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// The arguments for a server, as most tests want them.
pub(crate) fn at(server: &RedisServer) -> Json {
    json!({ "port": server.port(), "host": "127.0.0.1" })
}

/// These arguments as they are, and with one connection for all calls.
pub(crate) fn both_ways(arguments: &Json) -> [Json; 2] {
    let mut multiplexed = arguments.clone();
    multiplexed["multiplex"] = json!(true);
    [arguments.clone(), multiplexed]
}

pub(crate) fn try_open(arguments: &Json) -> Result<BackendInstance> {
    try_open_on(&host(), arguments)
}

pub(crate) fn try_open_on(host: &TestHost, arguments: &Json) -> Result<BackendInstance> {
    try_open_named(host, "redis", arguments)
}

pub(crate) fn try_open_named(
    host: &TestHost,
    name: &str,
    arguments: &Json,
) -> Result<BackendInstance> {
    let arguments = arguments.to_string();
    let backend = Offered {
        plugin: plugin(),
        name,
        arguments: &arguments,
    };
    host.open(backend, &[])
}

pub(crate) fn open(arguments: &Json) -> BackendInstance {
    try_open(arguments).unwrap()
}

/// As `redis_sentinel`.
pub(crate) fn open_watched(arguments: &Json) -> BackendInstance {
    try_open_named(&host(), "redis_sentinel", arguments).unwrap()
}

/// As `redis_cluster`.
pub(crate) fn open_clustered(arguments: &Json) -> BackendInstance {
    try_open_named(&host(), "redis_cluster", arguments).unwrap()
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

/// Another client, on the server's Unix socket.
pub(crate) fn client(server: &RedisServer) -> redis::Connection {
    try_client(server).unwrap()
}

pub(crate) fn try_client(server: &RedisServer) -> redis::RedisResult<redis::Connection> {
    let url = format!("unix://{}", server.socket().display());
    redis::Client::open(url)?.get_connection()
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
