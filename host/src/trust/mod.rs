//! Whether what a file says may be believed: code is loaded from it, or it says what code is.

mod judge;
mod walk;

use std::env;
use std::fs::File;
use std::io;
use std::path::Path;

use rustix::io::Errno;

/// Whose files are believed: the manifest, what it includes, and the plugins that it lists.
///
/// A file is believed if nobody else could have written it, or put another in its place: it, its folder and every
/// folder above, and those that symbolic links lead through, are owned by root or by the user of the process, and are
/// not writable by group or others. A folder with the sticky bit, such as `/tmp`, passes above others, since in it
/// nobody replaces what is another's. What lies on a mount that is read-only here passes: a `ConfigMap` of Kubernetes,
/// an image. A plugin whose SHA-256 is in the manifest needs none of this, as only its bytes matter.
///
/// The path is walked folder by folder, each opened from the one before and looked at through its descriptor, and the
/// file is read through the descriptor that was looked at. So what passed is what is read, whatever is renamed or linked
/// meanwhile.
///
/// Files that `${file:…}` names are not looked at: they give text, as the environment does.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Trust {
    /// As above.
    #[default]
    Strict,
    /// Groups may write: for a folder that a team shares, each of whom may run code as this process.
    Owner,
    /// Everything is believed: for a tree that one's own build writes.
    Off,
}

/// The variable that says it, where the program does not.
const VARIABLE: &str = "DOGPILE_TRUST";

impl Trust {
    /// What `DOGPILE_TRUST` says: `strict`, `owner` or `off`. Default: strict.
    ///
    /// # Errors
    ///
    /// If it says something else.
    pub(crate) fn of_environment() -> Result<Self, Distrust> {
        let Some(said) = env::var_os(VARIABLE) else {
            return Ok(Self::default());
        };
        match said.to_str() {
            Some("strict") => Ok(Self::Strict),
            Some("owner") => Ok(Self::Owner),
            Some("off") => Ok(Self::Off),
            _ => Err(Distrust {
                message: format!("is not read, as {VARIABLE} is {:?}", said.to_string_lossy()),
                remedy: format!("set {VARIABLE} to strict, owner or off, or not at all"),
            }),
        }
    }

    /// Opens the file at `path` for reading, if it may be believed. Does not wait for the writer of a FIFO; whether it is
    /// a regular file is for the caller to see.
    pub(crate) fn open(self, path: &Path) -> Result<File, Unopened> {
        match self {
            Self::Off => Ok(walk::open(path)?),
            Self::Strict => walk::open_judged(path, judge::Writers::Owner),
            Self::Owner => walk::open_judged(path, judge::Writers::Group),
        }
    }
}

/// What is not believed, and what would be.
#[derive(Clone, Debug)]
pub(crate) struct Distrust {
    /// Goes on after the file's name.
    pub(crate) message: String,
    pub(crate) remedy: String,
}

/// Why a file was not opened.
#[derive(Debug)]
pub(crate) enum Unopened {
    Io(io::Error),
    /// It is a socket, or a device that is not there.
    NotAFile,
    Distrusted(Distrust),
}

impl From<io::Error> for Unopened {
    fn from(error: io::Error) -> Self {
        if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) {
            Self::NotAFile
        } else {
            Self::Io(error)
        }
    }
}

impl From<Errno> for Unopened {
    fn from(error: Errno) -> Self {
        io::Error::from(error).into()
    }
}

impl From<Distrust> for Unopened {
    fn from(distrust: Distrust) -> Self {
        Self::Distrusted(distrust)
    }
}
