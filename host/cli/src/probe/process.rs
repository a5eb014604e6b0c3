//! This program again, as a child that may die.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::de::DeserializeOwned;

/// This very file, also if another has taken its place.
pub(super) const OURSELVES: &str = "/proc/self/exe";

/// How a child ended without an answer; continues a sentence.
#[derive(Debug)]
pub(crate) enum Died {
    Signal(i32),
    Ended(ExitStatus),
    TooSlow(Duration),
    NotStarted(io::Error),
}

/// The answer of `dogpile probe ARGUMENTS`: the last line that it prints. What it says on the standard error is shown.
pub(super) fn run<T: DeserializeOwned>(arguments: &[&OsStr], limit: Duration) -> Result<T, Died> {
    let mut child = Command::new(OURSELVES)
        .arg("probe")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(Died::NotStarted)?;
    let output = output(&mut child, limit);
    if output.is_err() {
        // Dead already, perhaps; then this changes nothing.
        child.kill().map_err(Died::NotStarted)?;
    }
    let status = child.wait().map_err(Died::NotStarted)?;
    let text = output?;
    if status.signal().is_some() {
        return Err(died(status));
    }
    let last = text.trim_end_matches('\n').rsplit('\n').next();
    let answer = last.and_then(|line| serde_json::from_str(line).ok());
    answer.ok_or(Died::Ended(status))
}

/// How a process died that should not have ended.
pub(super) fn died(status: ExitStatus) -> Died {
    status.signal().map_or(Died::Ended(status), Died::Signal)
}

fn output(child: &mut Child, limit: Duration) -> Result<String, Died> {
    let mut stdout = child.stdout.take().expect("the standard output is a pipe");
    let (whole, read) = mpsc::channel();
    let reader = thread::Builder::new().name("dogpile-probe".to_owned());
    let spawned = reader.spawn(move || {
        let mut bytes = Vec::new();
        let result = stdout.read_to_end(&mut bytes);
        // Nobody listens any more if it took too long.
        let _gone = whole.send(result.map(|_| String::from_utf8_lossy(&bytes).into_owned()));
    });
    spawned.map_err(Died::NotStarted)?;
    match read.recv_timeout(limit) {
        Ok(text) => text.map_err(Died::NotStarted),
        Err(_) => Err(Died::TooSlow(limit)),
    }
}

impl fmt::Display for Died {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(number) => match name(*number) {
                Some(name) => write!(f, "kills the process by signal {number} ({name})"),
                None => write!(f, "kills the process by signal {number}"),
            },
            Self::Ended(status) => write!(f, "ends the process ({status})"),
            Self::TooSlow(limit) => write!(f, "takes longer than {limit:?}"),
            Self::NotStarted(error) => {
                write!(f, "could not be tried in a process of its own: {error}")
            }
        }
    }
}

/// The signals by which programs die of themselves.
fn name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        31 => "SIGSYS",
        _ => return None,
    })
}
