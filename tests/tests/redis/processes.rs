//! Processes that share a server.

use std::time::Duration;

use dogpile_tests::part::Part;
use dogpile_tests::process::Process;
use dogpile_tests::redis_server::RedisServer;
use serde_json::json;

use crate::clustered::Clustered;
use crate::support::at;

/// A process with a region in that cluster, whose locks are so.
pub(crate) fn worker_clustered(cluster: &Clustered, layout: &str, lease: Duration) -> Process {
    let mut arguments = cluster.place(1);
    arguments["cluster_lock"] = json!(layout);
    arguments["clear_empties_db"] = json!(true);
    Part::of("redis_cluster", arguments, lease).start()
}

/// A process with a region on that server.
pub(crate) fn worker(server: &RedisServer, lease: Duration) -> Process {
    worker_that(server, lease, false)
}

/// As `worker`, perhaps with one connection for all calls.
pub(crate) fn worker_that(server: &RedisServer, lease: Duration, multiplexes: bool) -> Process {
    let mut arguments = at(server);
    arguments["clear_empties_db"] = json!(true);
    arguments["multiplex"] = json!(multiplexes);
    Part::of("redis", arguments, lease).start()
}
