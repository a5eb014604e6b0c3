//! The processes: the store, and those that use it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use dogpile_tests::process::Process;
use tempfile::TempDir;

use crate::backend::Client;
use crate::protocol::{Gate, Reply, Request};

const PART: &str = "DOGPILE_TEST_PART";
const SOCKET: &str = "DOGPILE_TEST_SOCKET";
const LEASE: &str = "DOGPILE_TEST_LEASE";
/// The longest that a test waits for something that is to come.
const LONG: Duration = Duration::from_secs(30);

const POLLS: &str = "DOGPILE_TEST_POLLS";

/// In a process that plays this part: the store's socket.
pub(crate) fn part(name: &str) -> Option<OsString> {
    std::env::var_os(PART).filter(|part| part == name)?;
    std::env::var_os(SOCKET)
}

/// In a worker: the lease that its region asks for.
pub(crate) fn lease() -> Duration {
    let lease = std::env::var(LEASE).expect("every worker has one");
    Duration::from_millis(lease.parse().unwrap())
}

/// In a worker: whether its backend cannot be told that a mutex is free.
pub(crate) fn polls() -> bool {
    std::env::var(POLLS).expect("every worker knows") == "true"
}

fn start(test: &str, part: &str, socket: &Path, lease: Duration, polls: bool) -> Process {
    let variables = [
        (PART, part.into()),
        (SOCKET, socket.into()),
        (LEASE, lease.as_millis().to_string().into()),
        (POLLS, polls.to_string().into()),
    ];
    Process::start(test, &variables)
}

/// A store in a process of its own.
pub(crate) struct StoreProcess {
    socket: PathBuf,
    client: Client,
    _process: Process,
    _folder: TempDir,
}

impl StoreProcess {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("store");
        Self {
            _process: start("store::the_store", "store", &socket, Duration::ZERO, false),
            client: Client::new(socket.clone()),
            socket,
            _folder: folder,
        }
    }

    /// A process that uses it.
    pub(crate) fn worker(&self, lease: Duration) -> Process {
        start("worker::a_worker", "worker", &self.socket, lease, false)
    }

    /// The same, with a backend that cannot be told that a mutex is free.
    pub(crate) fn polling_worker(&self, lease: Duration) -> Process {
        start("worker::a_worker", "worker", &self.socket, lease, true)
    }

    /// What becomes of requests of that name, such as `Renew key`, from now on.
    pub(crate) fn gate(&self, name: &str, gate: Gate) {
        let request = Request::Gate(name.to_owned(), gate);
        self.client.ask(&request).unwrap();
    }

    /// For each lease of a key that passed: how much later another had the mutex.
    pub(crate) fn late(&self, key: &str) -> Vec<Duration> {
        match self.client.ask(&Request::Late(key.to_owned())).unwrap() {
            Reply::Times(times) => times,
            other => unreachable!("{other:?}"),
        }
    }

    /// How often it was asked for that; see [`Request::Counts`].
    pub(crate) fn count(&self, what: &str) -> u64 {
        match self.client.ask(&Request::Counts).unwrap() {
            Reply::Counts(counts) => counts.get(what).copied().unwrap_or(0),
            other => unreachable!("{other:?}"),
        }
    }

    pub(crate) fn until_counted(&self, what: &str, times: u64) {
        let began = Instant::now();
        while self.count(what) < times {
            assert!(began.elapsed() < LONG, "{what} was not asked {times} times");
            thread::yield_now();
        }
    }

    /// The payload that is stored under a key.
    pub(crate) fn stored(&self, key: &str) -> Option<String> {
        match self.client.ask(&Request::Get(key.to_owned())).unwrap() {
            Reply::Value(value) => value.map(|value| {
                let text = String::from_utf8(value).unwrap();
                text.split_once('|').expect("an envelope").1.to_owned()
            }),
            other => unreachable!("{other:?}"),
        }
    }
}
