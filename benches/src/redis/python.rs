//! dogpile.cache, in processes of Python that stay for the whole benchmark.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::calls::{Contender, KEYS, LENGTH, SEVERAL, What};

/// Where a Python is that has dogpile.cache and redis.
const PYTHON: &str = "DOGPILE_BENCH_PYTHON";

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/redis/peer.py");

/// The Python to use, or what is missing.
pub(super) fn python() -> Result<PathBuf, String> {
    let python = std::env::var_os(PYTHON).map_or_else(|| "python3".into(), PathBuf::from);
    let works = Command::new(&python)
        .args(["-c", "import dogpile.cache, redis"])
        .stderr(Stdio::null())
        .status();
    if works.is_ok_and(|status| status.success()) {
        Ok(python)
    } else {
        Err(format!(
            "{} lacks dogpile.cache or redis: set {PYTHON} to one that has both",
            python.display()
        ))
    }
}

/// A child that is told what to do in lines, and answers in lines; ended with this.
pub(super) struct Told {
    process: Child,
    lines: BufReader<ChildStdout>,
}

impl Told {
    pub(super) fn start(command: &mut Command) -> Self {
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = spawned.expect("a process");
        let lines = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut told = Self { process, lines };
        assert_eq!(told.answer(), "ready");
        told
    }

    pub(super) fn python(python: &Path, port: u16) -> Self {
        let numbers = [port.into(), KEYS, SEVERAL, LENGTH].map(|number: usize| number.to_string());
        Self::start(Command::new(python).arg(SCRIPT).args(numbers))
    }

    pub(super) fn tell(&mut self, what: &str) {
        let input = self.process.stdin.as_mut().expect("it is piped");
        writeln!(input, "{what}").expect("it waits");
    }

    pub(super) fn answer(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    /// Numbers, with a space between.
    pub(super) fn numbers(&mut self) -> Vec<f64> {
        let answer = self.answer();
        let numbers = answer.split(' ').map(str::parse);
        numbers.collect::<Result<_, _>>().expect("numbers")
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.process.kill();
        let _waited = self.process.wait();
    }
}

/// Callers are threads of one process.
pub(super) struct PythonThreads(pub(super) RefCell<Told>);

impl Contender for PythonThreads {
    fn name(&self) -> &'static str {
        "dogpile.cache, threads"
    }

    fn turn(&self, what: What, callers: usize, calls: usize) -> f64 {
        let mut told = self.0.borrow_mut();
        told.tell(&format!("{} {callers} {calls}", what.name()));
        let span = told.numbers();
        span[1] - span[0]
    }
}

/// Callers are processes.
pub(super) struct PythonProcesses(pub(super) RefCell<Vec<Told>>);

impl Contender for PythonProcesses {
    fn name(&self) -> &'static str {
        "dogpile.cache, processes"
    }

    fn turn(&self, what: What, callers: usize, calls: usize) -> f64 {
        let mut all = self.0.borrow_mut();
        let children = &mut all[..callers];
        for child in &mut *children {
            child.tell(&format!("{} 1 {calls}", what.name()));
        }
        let spans: Vec<_> = children.iter_mut().map(Told::numbers).collect();
        let start = spans.iter().map(|span| span[0]).fold(f64::MAX, f64::min);
        let end = spans.iter().map(|span| span[1]).fold(0.0, f64::max);
        end - start
    }
}
