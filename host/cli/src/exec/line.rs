//! The command that is to be run.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{Access, access};

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

    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]);
        command
    }

    /// The same for a file that names no interpreter, which is the shell's, as for any caller's `execvp`. None if it is not
    /// found.
    pub(super) fn by_shell(&self) -> Option<Command> {
        let program = Path::new(&self.words[0]);
        let is_path = program.as_os_str().as_bytes().contains(&b'/');
        let script = if is_path {
            program.to_owned()
        } else {
            let all = env::var_os("PATH")?;
            let mut places = env::split_paths(&all).map(|folder| folder.join(program));
            places.find(|place| access(place, Access::EXEC_OK).is_ok())?
        };
        let mut command = Command::new("/bin/sh");
        command.arg(script).args(&self.words[1..]);
        Some(command)
    }

    /// Becomes the command. Returns only if it cannot be started.
    pub(super) fn exec(&self) -> io::Error {
        self.command().exec()
    }
}
