//! The command that is to be run.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A command with its arguments, and where it is run.
#[derive(Clone, Debug)]
pub(super) struct Line {
    words: Vec<OsString>,
    folder: Option<PathBuf>,
}

/// Never without a program.
impl Line {
    pub(super) fn here(words: Vec<OsString>) -> Self {
        let folder = env::current_dir().ok();
        Self { words, folder }
    }

    pub(super) fn words(&self) -> &[OsString] {
        &self.words
    }

    /// None if it was removed.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The program, for messages.
    pub(super) fn program(&self) -> String {
        self.words[0].display().to_string()
    }

    /// A cached output must not depend on what one of its callers had on the standard input, so there is nothing on it.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).stdin(Stdio::null());
        command
    }

    /// Becomes the command. Returns only if it cannot be started.
    pub(super) fn exec(&self) -> io::Error {
        self.command().exec()
    }
}
