//! Processes that share servers, and the part that each plays.

use std::time::Duration;

use dogpile::{Host, OnBackendError, RegionConfig};
use dogpile_tests::memcached_server::MemcachedServer;
use dogpile_tests::process::Process;
use dogpile_tests::worker::{obey, obey_by_system_clock};
use serde_json::Value as Json;

use crate::support::at;

const BACKEND: &str = "DOGPILE_TEST_MEMCACHED_BACKEND";
const ARGUMENTS: &str = "DOGPILE_TEST_MEMCACHED_ARGUMENTS";
const LEASE: &str = "DOGPILE_TEST_LEASE";

/// A process with a region of that backend on those servers, whose clock is moved.
pub(crate) fn worker(backend: &str, servers: &[MemcachedServer], lease: Duration) -> Process {
    let variables = [
        (BACKEND, backend.into()),
        (ARGUMENTS, at(servers, "{}").to_string().into()),
        (LEASE, lease.as_millis().to_string().into()),
    ];
    Process::start("worker::a_worker", &variables)
}

/// A process with a region of that backend and these arguments, by the system's clock.
pub(crate) fn worker_by_the_system(backend: &str, arguments: &Json) -> Process {
    let variables = [
        (BACKEND, backend.into()),
        (ARGUMENTS, arguments.to_string().into()),
    ];
    Process::start("worker::a_worker", &variables)
}

#[test]
fn a_worker() {
    let Ok(backend) = std::env::var(BACKEND) else {
        return;
    };
    let arguments = std::env::var(ARGUMENTS).unwrap();
    let arguments: Json = serde_json::from_str(&arguments).unwrap();
    let mut config = RegionConfig::on("users", &backend).on_backend_error(OnBackendError::Fail);
    for (argument, value) in arguments.as_object().unwrap() {
        config = config.argument(argument, value.clone());
    }
    let host = Host::builder().plugin(dogpile_plugin_memcached::plugin());
    match std::env::var(LEASE) {
        Ok(lease) => {
            let lease = Duration::from_millis(lease.parse().unwrap());
            obey(host, config.lock_timeout(lease));
        }
        Err(_) => obey_by_system_clock(host, config),
    }
}
