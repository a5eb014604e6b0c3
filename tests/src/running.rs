//! Programs that a test runs beside itself, and servers among them.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::until::SOON;

/// A program that runs; ended with this at the latest.
#[derive(Debug)]
pub struct Running(pub(crate) Child);

/// A test wants a program that works: anything else is the end of the test.
#[expect(clippy::missing_panics_doc, reason = "said once, above")]
impl Running {
    /// Starts a server, which is in that package and has that folder, and waits until it `answers`. None if it ended at
    /// once: another program may have taken its port.
    pub(crate) fn server(
        command: &mut Command,
        package: &str,
        folder: &Path,
        answers: impl Fn() -> bool,
    ) -> Option<Self> {
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let spawned =
            spawned.unwrap_or_else(|error| panic!("{}", missing(command, package, &error)));
        let mut running = Self(spawned);
        let deadline = Instant::now() + SOON;
        while running.0.try_wait().unwrap().is_none() {
            if answers() {
                return Some(running);
            }
            assert!(
                Instant::now() < deadline,
                "the server does not answer: {}",
                log(folder)
            );
            thread::sleep(Duration::from_millis(1));
        }
        None
    }

    /// It has no chance to tell anybody, nor to give anything back.
    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// It does nothing from then on, in none of its threads.
    pub fn stop(&self) {
        let pid = Pid::from_child(&self.0);
        kill_process(pid, Signal::STOP).unwrap();
        // The signal is on its way for a moment.
        let status = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap();
        assert!(status.expect("it was waited for").1.stopped());
    }

    /// Ends a stop.
    pub fn go_on(&self) {
        kill_process(Pid::from_child(&self.0), Signal::CONT).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already. A stopped one is ended by this too.
        let _gone = self.0.kill();
        let _waited = self.0.wait();
    }
}

/// Why a program cannot be started, and the package to install.
pub(crate) fn missing(command: &Command, package: &str, error: &io::Error) -> String {
    format!(
        "cannot start {} ({error}): install it with `cargo xtask test tools`, or `apt-get install {package}`",
        command.get_program().display()
    )
}

/// What a server wrote into its folder.
pub(crate) fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}

/// A port on which nobody listens.
///
/// # Panics
///
/// If there is none.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.local_addr().expect("it is bound").port()
}
