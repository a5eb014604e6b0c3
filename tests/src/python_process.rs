//! A Python program with a region of dogpile.cache, which does what it is told.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::process::Process;

/// The folder of what Python programs copy.
pub const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");

/// Where what they share lies.
const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python");

/// Runs this program.
///
/// # Panics
///
/// If it does not say that it is `ready`.
pub fn start(interpreter: &Path, program: &str, arguments: &[&str]) -> Process {
    let mut command = Command::new(interpreter);
    command
        .args(["-B", program])
        .args(arguments)
        .env("PYTHONPATH", format!("{DOCS}:{SHARED}"))
        .stdout(Stdio::piped());
    Process::run(&mut command, |child| {
        child.stdout.take().expect("it is piped").into()
    })
}
