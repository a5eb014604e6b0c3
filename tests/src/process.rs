//! Processes that play a part in a test: the test's own program, started again, and others.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::running::Running;

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
    running: Running,
    input: ChildStdin,
    lines: BufReader<File>,
}

/// A test wants a process that works: anything else is the end of the test.
#[expect(clippy::missing_panics_doc, reason = "said once, above")]
impl Process {
    /// Runs one test of this program, which is to know its part by these variables and to call [`end_with_input`].
    pub fn start(test: &str, variables: &[(&str, OsString)]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args([test, "--exact", "--nocapture"])
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        Self::run(&mut command, |child| child.stderr.take().unwrap().into())
    }

    /// Runs a program, which is to say that it is `ready`, and says all else on that stream of its own too.
    pub(crate) fn run(command: &mut Command, says: impl FnOnce(&mut Child) -> OwnedFd) -> Self {
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let lines = BufReader::new(File::from(says(&mut child)));
        let mut process = Self {
            running: Running(child),
            input,
            lines,
        };
        process.expect("ready");
        process
    }

    /// Gives it a line.
    pub fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    /// The next line that it says.
    pub fn hear(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// What it says to a line.
    pub fn answer(&mut self, line: &str) -> String {
        self.tell(line);
        self.hear()
    }

    /// The next line that it says is this.
    #[track_caller]
    pub fn expect(&mut self, line: &str) {
        assert_eq!(self.hear(), line);
    }

    /// What it says to a line is this.
    #[track_caller]
    pub fn ask(&mut self, line: &str, answer: &str) {
        assert_eq!(self.answer(line), answer, "{line}");
    }

    /// After `call`: how many values it created, and what its callers got.
    pub fn created(&mut self) -> (u32, String) {
        let line = self.hear();
        let told = line.strip_prefix("created ");
        let told = told.and_then(|told| told.split_once(" got "));
        let told = told.and_then(|(count, got)| Some((count.parse().ok()?, got.to_owned())));
        told.expect(&line)
    }

    /// None of its threads does anything from then on.
    pub fn stop(&self) {
        self.running.stop();
    }

    /// Ends a stop.
    pub fn go_on(&self) {
        self.running.go_on();
    }

    /// It has no chance to give anything back.
    pub fn kill(&mut self) {
        self.running.kill();
    }
}

/// After `call`: how many values they created together.
pub fn created(processes: &mut [Process]) -> u32 {
    processes
        .iter_mut()
        .map(|process| process.created().0)
        .sum()
}

/// As `created`, where all callers got this.
///
/// # Panics
///
/// If they got something else.
pub fn created_for(processes: &mut [Process], got: u32) -> u32 {
    let by_each = processes.iter_mut().map(|process| {
        let (count, values) = process.created();
        assert_eq!(values, format!("[{got}]"));
        count
    });
    by_each.sum()
}
