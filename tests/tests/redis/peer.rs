//! A Python program that shares a region, and that region in Rust.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dogpile::{Region, RegionConfig};
use dogpile_tests::part::{Part, region_on};
use dogpile_tests::process::Process;
use dogpile_tests::python::python;
use dogpile_tests::python_process;
use dogpile_tests::redis_server::RedisServer;
use serde_json::{Value as Json, json};

use crate::clustered::Clustered;
use crate::support::at;

/// The interpreter that has dogpile.cache.
pub(crate) fn interpreter() -> PathBuf {
    python(Path::new(env!("CARGO_TARGET_TMPDIR")))
}

/// A Python program with a region.
pub(crate) fn python_on(server: &RedisServer) -> Process {
    python_as("redis", &at(server), None)
}

/// With this interval for invalidations, in seconds.
pub(crate) fn python_with(server: &RedisServer, interval: f64) -> Process {
    python_as("redis", &at(server), Some(interval))
}

/// In that cluster, reading invalidations each time.
pub(crate) fn python_in(cluster: &Clustered) -> Process {
    python_as("redis_cluster", &cluster.place(2), Some(0.0))
}

/// With a region on that backend of dogpile.cache.
pub(crate) fn python_as(backend: &str, arguments: &Json, interval: Option<f64>) -> Process {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/redis/interop.py");
    let part = json!({
        "backend": format!("dogpile.cache.{backend}"), "arguments": arguments, "interval": interval,
    });
    python_process::start(&interpreter(), program, &[&part.to_string()])
}

/// The region of a host of its own, which is to the others what another process is.
pub(crate) fn rust(server: &RedisServer) -> Region {
    rust_with(server, |config| config)
}

pub(crate) fn rust_with(
    server: &RedisServer,
    change: impl FnOnce(RegionConfig) -> RegionConfig,
) -> Region {
    rust_on(change(Part::of("redis", at(server), LEASE).region()))
}

/// As `rust`, in that cluster.
pub(crate) fn rust_in(cluster: &Clustered) -> Region {
    rust_on(Part::of("redis_cluster", cluster.place(1), LEASE).region())
}

/// The lease of Rust's locks.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

pub(crate) fn rust_on(users: RegionConfig) -> Region {
    region_on(dogpile_plugin_redis::plugin(), users)
}

pub(crate) fn get(region: &Region, key: &str) -> Option<u32> {
    region.get::<u32>(key).unwrap().map(|value| *value)
}
