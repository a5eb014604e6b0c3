//! A Python program that shares a region, and that region in Rust.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use dogpile::{Host, OnBackendError, Region, RegionConfig};
use dogpile_tests::python::python;
use dogpile_tests::redis_server::RedisServer;
use serde_json::{Value as Json, json};

use crate::processes::Part;
use crate::support::at;

use crate::clustered::Clustered;

/// The folder of what Python programs copy.
pub(crate) const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");

/// The interpreter that has dogpile.cache.
pub(crate) fn interpreter() -> PathBuf {
    python(Path::new(env!("CARGO_TARGET_TMPDIR")))
}

/// A Python program with a region.
pub(crate) struct Python {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Python {
    pub(crate) fn start(server: &RedisServer) -> Self {
        Self::start_on("redis", &at(server), None)
    }

    /// With this interval for invalidations, in seconds.
    pub(crate) fn start_with(server: &RedisServer, interval: f64) -> Self {
        Self::start_on("redis", &at(server), Some(interval))
    }

    /// In that cluster, reading invalidations each time.
    pub(crate) fn start_in(cluster: &Clustered) -> Self {
        Self::start_on("redis_cluster", &cluster.place(2), Some(0.0))
    }

    /// With a region on that backend of dogpile.cache.
    pub(crate) fn start_on(backend: &str, arguments: &Json, interval: Option<f64>) -> Self {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/redis/interop.py");
        let part = json!({
            "backend": format!("dogpile.cache.{backend}"), "arguments": arguments, "interval": interval,
        });
        let mut child = Command::new(interpreter())
            .args(["-B", program, &part.to_string()])
            .env("PYTHONPATH", DOCS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut python = Self { child, lines };
        python.expect("ready");
        python
    }

    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    pub(crate) fn hear(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub(crate) fn answer(&mut self, line: &str) -> String {
        self.tell(line);
        self.hear()
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, line: &str) {
        assert_eq!(self.hear(), line);
    }

    #[track_caller]
    pub(crate) fn ask(&mut self, line: &str, answer: &str) {
        assert_eq!(self.answer(line), answer, "{line}");
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _waited = self.child.wait();
    }
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
    let users = users
        .on_backend_error(OnBackendError::Fail)
        .expiration_time(Duration::from_mins(1))
        .invalidation_interval(Duration::from_millis(10));
    let host = Host::builder()
        .plugin(dogpile_plugin_redis::plugin())
        .region(users);
    host.build().unwrap().region("users").unwrap()
}

pub(crate) fn get(region: &Region, key: &str) -> Option<u32> {
    region.get::<u32>(key).unwrap().map(|value| *value)
}
