//! A Python program that shares a region, and that region in Rust.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dogpile::{Host, OnBackendError, Region, RegionConfig};
use dogpile_tests::python::python;
use dogpile_tests::python_process::PythonProcess;
use dogpile_tests::redis_server::RedisServer;

/// The interpreter that has dogpile.cache.
pub(crate) fn interpreter() -> PathBuf {
    python(Path::new(env!("CARGO_TARGET_TMPDIR")))
}

/// A Python program with a region.
pub(crate) fn python_on(server: &RedisServer) -> PythonProcess {
    python_with(server, &[])
}

/// With this interval for invalidations, in seconds.
pub(crate) fn python_with(server: &RedisServer, interval: &[&str]) -> PythonProcess {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/redis/interop.py");
    let port = server.port().to_string();
    let arguments = [&[&*port], interval].concat();
    PythonProcess::start(&interpreter(), program, &arguments)
}

/// The region of a host of its own, which is to the others what another process is.
pub(crate) fn rust(server: &RedisServer) -> Region {
    rust_with(server, |config| config)
}

pub(crate) fn rust_with(
    server: &RedisServer,
    change: impl FnOnce(RegionConfig) -> RegionConfig,
) -> Region {
    let config = RegionConfig::on("users", "redis")
        .argument("host", "127.0.0.1")
        .argument("port", server.port())
        .on_backend_error(OnBackendError::Fail)
        .expiration_time(Duration::from_mins(1))
        .invalidation_interval(Duration::from_millis(10));
    let host = Host::builder()
        .plugin(dogpile_plugin_redis::plugin())
        .region(change(config));
    host.build().unwrap().region("users").unwrap()
}

pub(crate) fn get(region: &Region, key: &str) -> Option<u32> {
    region.get::<u32>(key).unwrap().map(|value| *value)
}
