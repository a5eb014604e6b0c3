//! Processes that share a server.

use std::time::Duration;

use dogpile_tests::process::Process;
use dogpile_tests::redis_server::RedisServer;

use crate::watched::Watched;

const PORT: &str = "DOGPILE_TEST_REDIS_PORT";
const SENTINELS: &str = "DOGPILE_TEST_REDIS_SENTINELS";
const MULTIPLEX: &str = "DOGPILE_TEST_MULTIPLEX";
const LEASE: &str = "DOGPILE_TEST_LEASE";

/// In a worker: where the server is, and the lease of its locks.
pub(crate) fn part() -> Option<(Place, Duration)> {
    let port = |text: &str| text.parse().unwrap();
    let place = match (std::env::var(PORT), std::env::var(SENTINELS)) {
        (Ok(text), _) => Place::Port(port(&text)),
        (_, Ok(text)) => Place::Sentinels(text.split(' ').map(port).collect()),
        _ => return None,
    };
    let lease = std::env::var(LEASE).ok()?.parse().unwrap();
    Some((place, Duration::from_millis(lease)))
}

/// Where a server is.
pub(crate) enum Place {
    Port(u16),
    /// Where they say, on these ports.
    Sentinels(Vec<u16>),
}

/// A process with a region where those sentinels say.
pub(crate) fn worker_watched(watched: &Watched, lease: Duration) -> Process {
    let sentinels = watched.sentinels.iter();
    let ports: Vec<String> = sentinels
        .map(|sentinel| sentinel.port().to_string())
        .collect();
    let variables = [
        (SENTINELS, ports.join(" ").into()),
        (LEASE, lease.as_millis().to_string().into()),
    ];
    Process::start("worker::a_worker", &variables)
}

/// Whether there is to be one connection for all calls.
pub(crate) fn multiplexes() -> bool {
    std::env::var_os(MULTIPLEX).is_some_and(|is| is == "true")
}

/// A process with a region on that server.
pub(crate) fn worker(server: &RedisServer, lease: Duration) -> Process {
    worker_that(server, lease, false)
}

/// As `worker`, perhaps with one connection for all calls.
pub(crate) fn worker_that(server: &RedisServer, lease: Duration, multiplexes: bool) -> Process {
    let variables = [
        (PORT, server.port().to_string().into()),
        (LEASE, lease.as_millis().to_string().into()),
        (MULTIPLEX, multiplexes.to_string().into()),
    ];
    Process::start("worker::a_worker", &variables)
}
