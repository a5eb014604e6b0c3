//! Processes that share a server.

use std::time::Duration;

use dogpile_tests::process::Process;
use dogpile_tests::redis_server::RedisServer;

const PORT: &str = "DOGPILE_TEST_REDIS_PORT";
const LEASE: &str = "DOGPILE_TEST_LEASE";

/// In a worker: the server's port, and the lease of its locks.
pub(crate) fn part() -> Option<(u16, Duration)> {
    let port = std::env::var(PORT).ok()?.parse().unwrap();
    let lease = std::env::var(LEASE).ok()?.parse().unwrap();
    Some((port, Duration::from_millis(lease)))
}

/// A process with a region on that server.
pub(crate) fn worker(server: &RedisServer, lease: Duration) -> Process {
    let variables = [
        (PORT, server.port().to_string().into()),
        (LEASE, lease.as_millis().to_string().into()),
    ];
    Process::start("worker::a_worker", &variables)
}
