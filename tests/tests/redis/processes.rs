//! Processes that share a server.

use std::time::Duration;

use dogpile::RegionConfig;
use dogpile_tests::process::Process;
use dogpile_tests::redis_server::RedisServer;
use serde_json::{Value as Json, json};

use crate::clustered::Clustered;
use crate::support::at;

const PART: &str = "DOGPILE_TEST_PART";

/// The part of a worker.
pub(crate) struct Part {
    backend: String,
    arguments: Json,
    pub(crate) lease: Duration,
    /// Its clock is the system's, as that of Python, and cannot be set.
    pub(crate) has_system_clock: bool,
}

impl Part {
    /// A region on that backend.
    pub(crate) fn of(backend: &str, arguments: Json, lease: Duration) -> Self {
        Self {
            backend: backend.to_owned(),
            arguments,
            lease,
            has_system_clock: false,
        }
    }

    /// In a worker: its part.
    pub(crate) fn mine() -> Option<Self> {
        let part: Json = serde_json::from_str(&std::env::var(PART).ok()?).unwrap();
        let lease = Duration::from_secs_f64(part["lease"].as_f64().unwrap());
        let backend = part["backend"].as_str().unwrap();
        Some(Self {
            has_system_clock: part["has_system_clock"].as_bool().unwrap(),
            ..Self::of(backend, part["arguments"].clone(), lease)
        })
    }

    /// The region `users`.
    pub(crate) fn region(&self) -> RegionConfig {
        let arguments = self.arguments.as_object().unwrap();
        let users = RegionConfig::on("users", &self.backend).lock_timeout(self.lease);
        arguments.iter().fold(users, |users, (name, value)| {
            users.argument(name, value.clone())
        })
    }

    /// A process that plays it.
    pub(crate) fn start(&self) -> Process {
        let part = json!({
            "backend": self.backend, "arguments": self.arguments, "lease": self.lease.as_secs_f64(),
            "has_system_clock": self.has_system_clock,
        });
        Process::start("worker::a_worker", &[(PART, part.to_string().into())])
    }
}

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
