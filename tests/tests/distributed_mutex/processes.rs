//! Starting, telling, stopping and ending processes.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tempfile::TempDir;

use crate::backend::Client;
use crate::protocol::{Reply, Request};

const PART: &str = "DOGPILE_TEST_PART";
const SOCKET: &str = "DOGPILE_TEST_SOCKET";
const LEASE: &str = "DOGPILE_TEST_LEASE";

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

/// On the error stream, where the harness prints nothing of its own.
pub(crate) fn tell(line: &str) {
    eprintln!("{line}");
}

/// Does what it is told, line by line, until the process that started this one has gone or wants it to end.
pub(crate) fn end_with_input(mut line: impl FnMut(String)) {
    for told in std::io::stdin().lines() {
        line(told.unwrap());
    }
    // Creators may be at work, and are not waited for.
    std::process::exit(0);
}

/// A process that plays a part; ended with this at the latest.
pub(crate) struct Process {
    child: Child,
    lines: BufReader<ChildStderr>,
}

impl Process {
    fn start(test: &str, part: &str, socket: &Path, lease: Duration) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture"])
            .env(PART, part)
            .env(SOCKET, socket)
            .env(LEASE, OsStr::new(&lease.as_millis().to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        let mut process = Self { child, lines };
        process.expect("ready");
        process
    }

    pub(crate) fn tell(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
    }

    pub(crate) fn hear(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub(crate) fn expect(&mut self, line: &str) {
        assert_eq!(self.hear(), line);
    }

    /// None of its threads does anything from then on.
    pub(crate) fn stop(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::STOP).unwrap();
        // The signal is on its way for a moment.
        let status = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap();
        assert!(status.expect("it was waited for").1.stopped());
    }

    pub(crate) fn go_on(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).unwrap();
    }

    /// It has no chance to give anything back.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already. A stopped process is ended by this too.
        let _gone = self.child.kill();
        let _waited = self.child.wait();
    }
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
            _process: Process::start("store::the_store", "store", &socket, Duration::ZERO),
            client: Client::new(socket.clone()),
            socket,
            _folder: folder,
        }
    }

    /// A process that uses it.
    pub(crate) fn worker(&self, lease: Duration) -> Process {
        Process::start("worker::a_worker", "worker", &self.socket, lease)
    }

    /// How often it was asked for that; see [`Request::Counts`].
    pub(crate) fn count(&self, what: &str) -> u64 {
        match self.client.ask(&Request::Counts).unwrap() {
            Reply::Counts(counts) => counts.get(what).copied().unwrap_or(0),
            other => unreachable!("{other:?}"),
        }
    }

    pub(crate) fn until_counted(&self, what: &str, times: u64) {
        while self.count(what) < times {
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
