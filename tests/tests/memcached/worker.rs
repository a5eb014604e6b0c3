//! Processes that share servers, and the part that each plays.

use std::time::Duration;

use dogpile::{Host, OnBackendError, RegionConfig};
use dogpile_tests::memcached_server::MemcachedServer;
use dogpile_tests::process::Process;
use dogpile_tests::worker::obey;

const BACKEND: &str = "DOGPILE_TEST_MEMCACHED_BACKEND";
const SERVERS: &str = "DOGPILE_TEST_MEMCACHED_SERVERS";
const LEASE: &str = "DOGPILE_TEST_LEASE";

/// A process with a region of that backend on those servers.
pub(crate) fn worker(backend: &str, servers: &[MemcachedServer], lease: Duration) -> Process {
    let urls: Vec<String> = servers.iter().map(MemcachedServer::url).collect();
    let variables = [
        (BACKEND, backend.into()),
        (SERVERS, urls.join(" ").into()),
        (LEASE, lease.as_millis().to_string().into()),
    ];
    Process::start("worker::a_worker", &variables)
}

#[test]
fn a_worker() {
    let Ok(backend) = std::env::var(BACKEND) else {
        return;
    };
    let servers = std::env::var(SERVERS).unwrap();
    let servers: Vec<String> = servers.split(' ').map(String::from).collect();
    let lease = std::env::var(LEASE).unwrap().parse().unwrap();
    let config = RegionConfig::on("users", &backend)
        .argument("url", servers)
        .on_backend_error(OnBackendError::Fail)
        .lock_timeout(Duration::from_millis(lease));
    let plugin = dogpile_plugin_memcached::plugin();
    obey(Host::builder().plugin(plugin), config);
}
