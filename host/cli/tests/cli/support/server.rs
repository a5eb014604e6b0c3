use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Response;

/// Longer than anything takes that is waited for.
const LIMIT: Duration = Duration::from_mins(1);

/// A running `dogpile serve`, killed at the end of the test however that comes.
pub struct Server {
    child: Child,
    pub address: String,
    log: Receiver<String>,
    /// Lines of the log that were read.
    seen: Vec<String>,
}

impl Server {
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, log) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                // The test may have ended.
                let _gone = send.send(line);
            }
        });
        let stdout = child.stdout.take().unwrap();
        let mut server = Self {
            child,
            address: String::new(),
            log,
            seen: Vec::new(),
        };
        let mut url = String::new();
        BufReader::new(stdout).read_line(&mut url).unwrap();
        match url.trim_end().strip_prefix("http://") {
            Some(address) => address
                .trim_end_matches('/')
                .clone_into(&mut server.address),
            None => panic!("no address: {url:?}\n{}", server.rest_of_log()),
        }
        server
    }

    pub fn get(&self, target: &str) -> Response {
        self.get_with(target, "")
    }

    /// With header lines, each with its end.
    pub fn get_with(&self, target: &str, headers: &str) -> Response {
        Response::of(&self.address, "GET", target, headers)
    }

    pub fn ask(&self, method: &str, target: &str) -> Response {
        Response::of(&self.address, method, target, "")
    }

    pub fn process(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.process(), signal).unwrap();
    }

    /// Waits for a line of the log, after those that were waited for before.
    pub fn wait_for_log(&mut self, part: &str) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.log.recv_timeout(left) {
                Ok(line) if line.contains(part) => {
                    self.seen.push(line.clone());
                    return line;
                }
                Ok(line) => self.seen.push(line),
                Err(why) => panic!(
                    "no line with {part:?} in the log ({why}):\n{}",
                    self.seen.join("\n")
                ),
            }
        }
    }

    /// The lines of the log up to the last that was waited for.
    pub fn log_so_far(&self) -> impl Iterator<Item = &String> {
        self.seen.iter()
    }

    /// Waits until the server has ended by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let rest = self.rest_of_log();
        self.seen.push(rest);
        self.child.wait().unwrap()
    }

    /// What was logged from now to the end of the server.
    fn rest_of_log(&mut self) -> String {
        let deadline = Instant::now() + LIMIT;
        let mut rest = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.log.recv_timeout(left) {
                Ok(line) => rest.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => return rest.join("\n"),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    panic!("the server did not end:\n{}", rest.join("\n"))
                }
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            let rest: Vec<_> = self.log.try_iter().collect();
            eprintln!(
                "log of the server:\n{}\n{}",
                self.seen.join("\n"),
                rest.join("\n")
            );
        }
        // It may have ended already.
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}
