//! A Python program with a region of dogpile.cache, which does what it is told.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// The folder of what Python programs copy.
pub const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");

/// Where what they share lies.
const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python");

/// A program that plays a part; ended with this at the latest.
#[derive(Debug)]
pub struct PythonProcess {
    child: Child,
    lines: BufReader<ChildStdout>,
}

/// A test wants a program that works: anything else is the end of the test.
#[expect(clippy::missing_panics_doc, reason = "said once, above")]
impl PythonProcess {
    /// Runs this program, which is to say that it is `ready`.
    pub fn start(interpreter: &Path, program: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(interpreter)
            .args(["-B", program])
            .args(arguments)
            .env("PYTHONPATH", format!("{DOCS}:{SHARED}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut python = Self { child, lines };
        python.expect("ready");
        python
    }

    /// Gives it a line.
    pub fn tell(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
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

    /// After `call`: how many values it created, all callers having got this one.
    pub fn created(&mut self, got: u32) -> u32 {
        let line = self.hear();
        let count = line
            .strip_prefix("created ")
            .and_then(|line| line.strip_suffix(&format!(" got [{got}]")));
        count.and_then(|count| count.parse().ok()).expect(&line)
    }
}

impl Drop for PythonProcess {
    fn drop(&mut self) {
        // It may have ended already.
        let _gone = self.child.kill();
        let _waited = self.child.wait();
    }
}
