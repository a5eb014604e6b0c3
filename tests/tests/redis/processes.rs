//! Processes that share a server.

use std::time::Duration;

use dogpile_tests::process::Process;
use dogpile_tests::redis_server::RedisServer;

use crate::clustered::Clustered;
use crate::watched::Watched;

const PORT: &str = "DOGPILE_TEST_REDIS_PORT";
const SENTINELS: &str = "DOGPILE_TEST_REDIS_SENTINELS";
const CLUSTER: &str = "DOGPILE_TEST_REDIS_CLUSTER";
const LAYOUT: &str = "DOGPILE_TEST_REDIS_CLUSTER_LOCK";
const LEASE: &str = "DOGPILE_TEST_LEASE";

/// In a worker: where the server is, and the lease of its locks.
pub(crate) fn part() -> Option<(Place, Duration)> {
    let port = |text: &str| text.parse().unwrap();
    let place = match (std::env::var(PORT), std::env::var(SENTINELS)) {
        (Ok(text), _) => Place::Port(port(&text)),
        (_, Ok(text)) => Place::Sentinels(text.split(' ').map(port).collect()),
        _ => Place::Cluster(
            port(&std::env::var(CLUSTER).ok()?),
            std::env::var(LAYOUT).ok()?,
        ),
    };
    let lease = std::env::var(LEASE).ok()?.parse().unwrap();
    Some((place, Duration::from_millis(lease)))
}

/// Where a server is.
pub(crate) enum Place {
    Port(u16),
    /// Where they say, on these ports.
    Sentinels(Vec<u16>),
    /// A node, and where locks are.
    Cluster(u16, String),
}

/// A process with a region in that cluster, whose locks are so.
pub(crate) fn worker_clustered(cluster: &Clustered, layout: &str, lease: Duration) -> Process {
    let variables = [
        (CLUSTER, cluster.nodes[1].port().to_string().into()),
        (LAYOUT, layout.into()),
        (LEASE, lease.as_millis().to_string().into()),
    ];
    Process::start("worker::a_worker", &variables)
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

/// A process with a region on that server.
pub(crate) fn worker(server: &RedisServer, lease: Duration) -> Process {
    let variables = [
        (PORT, server.port().to_string().into()),
        (LEASE, lease.as_millis().to_string().into()),
    ];
    Process::start("worker::a_worker", &variables)
}
