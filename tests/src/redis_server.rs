//! A Redis server of a test's own, on a free port and a Unix socket, in a folder that goes with it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::running::{Running, free_port, log};

/// A server that runs; ended with this at the latest.
#[derive(Debug)]
pub struct RedisServer {
    running: Running,
    port: u16,
    program: PathBuf,
    options: Vec<String>,
    folder: TempDir,
}

/// A test wants a server that works: anything else is the end of the test.
#[expect(clippy::missing_panics_doc, reason = "said once, above")]
impl RedisServer {
    /// Starts one with these options beside those that every test wants, and waits until it answers. In an option `{port}`
    /// is where it listens, and `{free}` another port.
    pub fn start(options: &[&str]) -> Self {
        Self::start_program("redis-server", options)
    }

    /// Starts a sentinel with these lines in its file and these options, and waits until it answers.
    pub fn start_sentinel(lines: &str, options: &[&str]) -> Self {
        Self::start_sentinel_program("redis-server", lines, options)
    }

    /// As `start_sentinel`, of another program of that kind.
    pub fn start_sentinel_program(
        program: impl Into<PathBuf>,
        lines: &str,
        options: &[&str],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sentinel.conf");
        fs::write(&file, lines).unwrap();
        let mut all = vec![file.to_str().unwrap(), "--sentinel"];
        all.extend(options);
        let all: Vec<String> = all.into_iter().map(String::from).collect();
        Self::start_in(folder, program.into(), &all)
    }

    /// As `start`, of another program of that kind.
    pub fn start_program(program: impl Into<PathBuf>, options: &[&str]) -> Self {
        let options = options.iter().map(|option| (*option).to_owned());
        let options: Vec<String> = options.collect();
        Self::start_in(tempfile::tempdir().unwrap(), program.into(), &options)
    }

    fn start_in(folder: TempDir, program: PathBuf, wanted: &[String]) -> Self {
        // Another program may take the port first.
        for _ in 0..10 {
            let port = free_port();
            let other = free_port().to_string();
            let options = wanted.iter().map(|option| option.replace("{free}", &other));
            let options: Vec<String> = options.collect();
            if let Some(running) = spawn(&program, &folder, port, &options) {
                return Self {
                    running,
                    port,
                    program,
                    options,
                    folder,
                };
            }
        }
        panic!("the server does not start: {}", log(folder.path()));
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where else it listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// It has no chance to tell anybody.
    pub fn kill(&mut self) {
        self.running.kill();
    }

    /// Starts it again on the same port, after it was killed.
    pub fn restart(&mut self) {
        let running = spawn(&self.program, &self.folder, self.port, &self.options);
        self.running =
            running.unwrap_or_else(|| panic!("no second start: {}", log(self.folder.path())));
    }

    /// As `restart`, with more options, and without waiting until it can be used.
    pub fn restart_with(&mut self, options: &[&str]) {
        self.options
            .extend(options.iter().map(|option| (*option).to_owned()));
        self.restart();
    }

    /// It does nothing from then on.
    pub fn stop(&self) {
        self.running.stop();
    }

    /// Ends a stop.
    pub fn go_on(&self) {
        self.running.go_on();
    }
}

/// None if it ended at once.
fn spawn(program: &Path, folder: &TempDir, port: u16, options: &[String]) -> Option<Running> {
    let path = folder.path();
    let socket = path.join("socket");
    let has_port = options.iter().any(|option| option == "--port");
    let mut command = Command::new(program);
    // A file comes first.
    let (files, options) = options.split_at(
        options
            .iter()
            .take_while(|option| !option.starts_with('-'))
            .count(),
    );
    command
        .args(files)
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(["--enable-debug-command", "yes", "--dir"])
        .arg(path)
        .arg("--unixsocket")
        .arg(&socket)
        .arg("--logfile")
        .arg(path.join("log"));
    if !has_port {
        command.arg("--port").arg(port.to_string());
    }
    for option in options {
        command.arg(option.replace("{port}", &port.to_string()));
    }
    Running::server(&mut command, "redis-server", path, || answers(&socket))
}

/// Whether it says anything: that it wants a password is an answer too.
fn answers(socket: &PathBuf) -> bool {
    let Ok(mut stream) = UnixStream::connect(socket) else {
        return false;
    };
    let mut byte = [0];
    stream.write_all(b"PING\r\n").is_ok() && stream.read_exact(&mut byte).is_ok()
}
