use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A server of the benchmark's own, on a free port of 127.0.0.1; ended with this.
pub(crate) struct Server {
    process: Child,
    pub(crate) port: u16,
    folder: TempDir,
}

const SOON: Duration = Duration::from_secs(20);

impl Server {
    /// Starts a program with these arguments and its port after them, in a folder that goes with it.
    pub(crate) fn start(program: &str, arguments: &[&str]) -> Result<Self, String> {
        let started = Self::spawn(program, arguments);
        let mut server =
            started.map_err(|error| format!("{program} cannot be started: {error}"))?;
        let since = Instant::now();
        while since.elapsed() < SOON && matches!(server.process.try_wait(), Ok(None)) {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).is_ok() {
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let log = fs::read_to_string(server.folder.path().join("log")).unwrap_or_default();
        Err(format!("{program} does not answer: {log}"))
    }

    fn spawn(program: &str, arguments: &[&str]) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let log = File::create(folder.path().join("log"))?;
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = free.local_addr()?.port();
        drop(free);
        let process = Command::new(program)
            .args(arguments)
            .arg(port.to_string())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(Self {
            process,
            port,
            folder,
        })
    }

    /// Where it is.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.process.kill();
        let _waited = self.process.wait();
    }
}
