//! Starting, telling, stopping and ending processes.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tempfile::TempDir;

const FILE: &str = "DOGPILE_TEST_FILE";
const PATIENCE: &str = "DOGPILE_TEST_PATIENCE";

/// In a worker: the data file, and how long a creator waits for another process, in milliseconds.
pub(crate) fn part() -> Option<(OsString, Duration)> {
    let patience = std::env::var(PATIENCE).ok()?.parse().unwrap();
    Some((std::env::var_os(FILE)?, Duration::from_millis(patience)))
}

/// On the error stream, where the harness prints nothing of its own.
pub(crate) fn tell(line: &str) {
    eprintln!("{line}");
}

/// A folder with a data file that processes share.
pub(crate) struct Shared(TempDir);

impl Shared {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.path().join("cache")
    }

    pub(crate) fn worker(&self) -> Process {
        self.worker_with(Duration::from_secs(30))
    }

    pub(crate) fn worker_with(&self, patience: Duration) -> Process {
        Process::start(&self.file(), patience)
    }
}

/// A process that plays the worker; ended with this at the latest.
pub(crate) struct Process {
    child: Child,
    lines: BufReader<ChildStderr>,
}

impl Process {
    fn start(file: &Path, patience: Duration) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["worker::a_worker", "--exact", "--nocapture"])
            .env(FILE, file)
            .env(PATIENCE, patience.as_millis().to_string())
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
