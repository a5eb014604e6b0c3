//! What tests of children have in common.

use std::env;
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::process::Command;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, WaitOptions, waitpid};

pub(crate) const LONG: Duration = Duration::from_secs(30);

/// A step of one process that another waits for.
pub(crate) struct Step(PipeReader, PipeWriter);

impl Step {
    pub(crate) fn new() -> Self {
        let (reader, writer) = pipe().unwrap();
        Self(reader, writer)
    }

    pub(crate) fn done(&self) {
        (&self.1).write_all(b"x").unwrap();
    }

    pub(crate) fn wait(&self) {
        assert!(self.comes(), "the other process is not there yet");
        (&self.0).read_exact(&mut [0]).unwrap();
    }

    /// Whether it is done soon. Leaves it to be waited for.
    pub(crate) fn comes(&self) -> bool {
        let mut reader = [PollFd::new(&self.0, PollFlags::IN)];
        let limit = Timespec::try_from(LONG).unwrap();
        poll(&mut reader, Some(&limit)).unwrap() == 1
    }
}

pub(crate) fn ended(child: Pid) -> Option<i32> {
    let (_, status) = waitpid(Some(child), WaitOptions::empty()).unwrap().unwrap();
    status.exit_status()
}

/// Does the test of that path in a process where nothing else is done: what another thread has locked when it forks, its
/// child never gets.
pub(crate) fn alone(test: &str, work: impl FnOnce()) {
    const ALONE: &str = "DOGPILE_TEST_ALONE";
    if env::var_os(ALONE).is_some() {
        return work();
    }
    let output = Command::new(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let result = String::from_utf8_lossy(&output.stdout);
    assert!(result.contains("1 passed"), "{result}");
}
