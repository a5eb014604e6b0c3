//! A memcached server of a test's own, on a free port or a Unix socket, in a folder that goes with it.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::process::getuid;
use tempfile::TempDir;

use crate::running::{Running, free_port, log, missing};
use crate::until::SOON;

/// A server that runs; ended with this at the latest.
#[derive(Debug)]
pub struct MemcachedServer {
    running: Running,
    port: u16,
    options: Vec<String>,
    folder: TempDir,
}

/// A test wants a server that works: anything else is the end of the test.
#[expect(clippy::missing_panics_doc, reason = "said once, above")]
impl MemcachedServer {
    /// Starts one with these options beside those that every test wants, and waits until it takes connections.
    pub fn start(options: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), options)
    }

    /// As `start`, on a Unix socket instead of a port.
    pub fn start_on_socket(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let mut all = vec!["-s", socket.to_str().unwrap()];
        all.extend(options);
        Self::start_in(folder, &all)
    }

    /// As `start`, and wants a login by SASL: this one.
    pub fn start_with_sasl(username: &str, password: &str, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("sasl.db");
        let settings = format!(
            "mech_list: plain\npwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {}\n",
            database.display()
        );
        fs::write(folder.path().join("memcached.conf"), settings).unwrap();
        let mut command = Command::new("saslpasswd2");
        command.args(["-p", "-c", "-a", "memcached", "-f"]);
        command.arg(&database).arg(username);
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        let mut child =
            spawned.unwrap_or_else(|error| panic!("{}", missing(&command, "sasl2-bin", &error)));
        let mut input = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut input, password.as_bytes()).unwrap();
        drop(input);
        assert!(child.wait().unwrap().success());
        let mut all = vec!["-S"];
        all.extend(options);
        Self::start_in(folder, &all)
    }

    /// As `start`, and wants a login in the text protocol: this one.
    pub fn start_with_login(username: &str, password: &str, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users");
        fs::write(&file, format!("{username}:{password}\n")).unwrap();
        let mut all = vec!["-Y", file.to_str().unwrap()];
        all.extend(options);
        Self::start_in(folder, &all)
    }

    fn start_in(folder: TempDir, options: &[&str]) -> Self {
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        // Another program may take the port first.
        for _ in 0..10 {
            let port = free_port();
            if let Some(running) = spawn(&folder, port, &options) {
                return Self {
                    running,
                    port,
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

    /// That, as a region's `url` has it.
    pub fn url(&self) -> String {
        if self.is_on_socket() {
            format!("unix:{}", self.socket().display())
        } else {
            format!("127.0.0.1:{}", self.port)
        }
    }

    /// Where it listens that was started so.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn is_on_socket(&self) -> bool {
        self.options.iter().any(|option| option == "-s")
    }

    /// It has no chance to tell anybody.
    pub fn kill(&mut self) {
        self.running.kill();
    }

    /// Starts it again on the same port, after it was killed.
    pub fn restart(&mut self) {
        let deadline = Instant::now() + SOON;
        loop {
            if let Some(running) = spawn(&self.folder, self.port, &self.options) {
                self.running = running;
                return;
            }
            // The kernel may not have given the port back yet.
            assert!(
                Instant::now() < deadline,
                "no second start: {}",
                log(self.folder.path())
            );
        }
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
fn spawn(folder: &TempDir, port: u16, options: &[String]) -> Option<Running> {
    let path = folder.path();
    let mut command = Command::new("memcached");
    command.args(["-U", "0", "-t", "2"]);
    let is_on_socket = options.iter().any(|option| option == "-s");
    if !is_on_socket {
        command.args(["-l", "127.0.0.1", "-p", &port.to_string()]);
    }
    if getuid().is_root() {
        command.args(["-u", "root"]);
    }
    // It tells where it listens once it does; at the port itself another program may.
    let told = path.join("port");
    let _was_there_before = fs::remove_file(&told);
    command
        .args(options)
        .env("SASL_CONF_PATH", path)
        .env("MEMCACHED_PORT_FILENAME", &told)
        .stderr(fs::File::create(path.join("log")).expect("the folder is writable"));
    Running::server(&mut command, "memcached", path, || {
        if is_on_socket {
            UnixStream::connect(path.join("socket")).is_ok()
        } else {
            told.exists()
        }
    })
}
