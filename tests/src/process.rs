//! Processes that play a part in a test: the test's own program, started again.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

/// Tells the process that started this one, on the error stream, where the harness prints nothing of its own.
pub fn say(line: &str) {
    eprintln!("{line}");
}

/// Does what it is told, line by line, until the process that started this one has gone or wants it to end.
///
/// # Panics
///
/// If it is told what is no text.
pub fn end_with_input(mut line: impl FnMut(String)) -> ! {
    say("ready");
    for told in std::io::stdin().lines() {
        line(told.expect("it is text"));
    }
    // Creators may be at work, and are not waited for.
    std::process::exit(0);
}

/// A process that plays a part; ended with this at the latest.
#[derive(Debug)]
pub struct Process {
    child: Child,
    lines: BufReader<ChildStderr>,
}

/// A test wants a process that works: anything else is the end of the test.
#[expect(clippy::missing_panics_doc, reason = "said once, above")]
impl Process {
    /// Runs one test of this program, which is to know its part by these variables and to call [`end_with_input`].
    pub fn start(test: &str, variables: &[(&str, OsString)]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture"])
            .envs(variables.iter().map(|(name, value)| (name, value)))
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

    /// Gives it a line.
    pub fn tell(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
    }

    /// The next line that it says.
    pub fn hear(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The next line that it says is this.
    #[track_caller]
    pub fn expect(&mut self, line: &str) {
        assert_eq!(self.hear(), line);
    }

    /// None of its threads does anything from then on.
    pub fn stop(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::STOP).unwrap();
        // The signal is on its way for a moment.
        let status = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap();
        assert!(status.expect("it was waited for").1.stopped());
    }

    /// Ends a stop.
    pub fn go_on(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).unwrap();
    }

    /// It has no chance to give anything back.
    pub fn kill(&mut self) {
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
