//! What the tests share.

use dogpile_plugin_api::testing::{Offered, TestHost, host};
use dogpile_plugin_api::{BackendInstance, Result};
use dogpile_plugin_redis::plugin;
use dogpile_tests::redis_server::RedisServer;
use serde_json::{Value as Json, json};

pub(crate) use dogpile_tests::backend::{get, key, set};
pub(crate) use dogpile_tests::until::{SOON, until};

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

/// Another client, on the server's Unix socket.
pub(crate) fn client(server: &RedisServer) -> redis::Connection {
    try_client(server).unwrap()
}

pub(crate) fn try_client(server: &RedisServer) -> redis::RedisResult<redis::Connection> {
    let url = format!("unix://{}", server.socket().display());
    redis::Client::open(url)?.get_connection()
}
