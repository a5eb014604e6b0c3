//! A region that several processes and languages share: the part of a process that has it, or a host of its own here.

use std::time::Duration;

use dogpile::{Host, OnBackendError, Region, RegionConfig};
use dogpile_plugin_api::Plugin;
use serde_json::{Value as Json, json};

use crate::process::Process;
use crate::worker::{obey, obey_by_system_clock};

const PART: &str = "DOGPILE_TEST_PART";

/// The part of a worker.
#[derive(Debug)]
pub struct Part {
    backend: String,
    arguments: Json,
    lease: Duration,
    /// Its clock is the system's, as that of Python, and cannot be set.
    pub has_system_clock: bool,
}

/// A test wants a process that works: anything else is the end of the test.
#[expect(clippy::missing_panics_doc, reason = "said once, above")]
impl Part {
    /// A region on that backend.
    pub fn of(backend: &str, arguments: Json, lease: Duration) -> Self {
        Self {
            backend: backend.to_owned(),
            arguments,
            lease,
            has_system_clock: false,
        }
    }

    /// The region `users`, whose errors are the backend's.
    pub fn region(&self) -> RegionConfig {
        let arguments = self.arguments.as_object().unwrap();
        let users = RegionConfig::on("users", &self.backend)
            .lock_timeout(self.lease)
            .on_backend_error(OnBackendError::Fail);
        arguments.iter().fold(users, |users, (name, value)| {
            users.argument(name, value.clone())
        })
    }

    /// A process that plays it: its test `worker::a_worker` is [`Part::play`].
    pub fn start(&self) -> Process {
        let part = json!({
            "backend": self.backend, "arguments": self.arguments, "lease": self.lease.as_secs_f64(),
            "has_system_clock": self.has_system_clock,
        });
        Process::start("worker::a_worker", &[(PART, part.to_string().into())])
    }

    /// In a process that was started so: plays its part, of a region on that plugin.
    pub fn play(plugin: Plugin) {
        let Ok(part) = std::env::var(PART) else {
            return;
        };
        let part: Json = serde_json::from_str(&part).unwrap();
        let lease = Duration::from_secs_f64(part["lease"].as_f64().unwrap());
        let backend = part["backend"].as_str().unwrap();
        let users = Self::of(backend, part["arguments"].clone(), lease).region();
        let host = Host::builder().plugin(plugin);
        if part["has_system_clock"].as_bool().unwrap() {
            obey_by_system_clock(host, users);
        }
        obey(host, users);
    }
}

/// The region of a host of its own, which is to the others what another process is.
///
/// # Panics
///
/// If there is no such host.
pub fn region_on(plugin: Plugin, users: RegionConfig) -> Region {
    let users = users
        .expiration_time(Duration::from_mins(1))
        .invalidation_interval(Duration::from_millis(10));
    let host = Host::builder().plugin(plugin).region(users);
    host.build().unwrap().region("users").unwrap()
}
