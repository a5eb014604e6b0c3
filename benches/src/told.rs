use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A child that is told what to do in lines, and answers in lines; ended with this at the latest.
pub(crate) struct Told {
    process: Child,
    lines: BufReader<ChildStdout>,
}

impl Told {
    /// Starts it, and waits until it says that it is ready.
    pub(crate) fn start(command: &mut Command) -> Self {
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = spawned.expect("a process");
        let lines = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut told = Self { process, lines };
        assert_eq!(told.answer(), "ready");
        told
    }

    pub(crate) fn tell(&mut self, what: &str) {
        let input = self.process.stdin.as_mut().expect("it is piped");
        writeln!(input, "{what}").expect("it waits");
    }

    pub(crate) fn answer(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    /// Numbers, with a space between.
    pub(crate) fn numbers(&mut self) -> Vec<f64> {
        let answer = self.answer();
        let numbers = answer.split(' ').map(str::parse);
        numbers.collect::<Result<_, _>>().expect("numbers")
    }

    /// All that it says before it ends, which is well.
    pub(crate) fn rest(mut self) -> Vec<String> {
        let lines = self.lines.by_ref().lines().collect::<Result<_, _>>();
        assert!(self.process.wait().expect("it was started").success());
        lines.expect("lines")
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.process.kill();
        let _waited = self.process.wait();
    }
}
