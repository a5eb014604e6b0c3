use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::lock_file::beside;

/// Where the data file is, and those that belong to it.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) data: PathBuf,
    /// What is known of the data file; never unlinked, and locked while the data file is opened or replaced.
    pub(crate) state: PathBuf,
    /// Where a damaged data file is moved to.
    pub(crate) damaged: PathBuf,
}

impl Places {
    pub(crate) fn new(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            state: beside(data, "state"),
            damaged: beside(data, "damaged"),
        }
    }

    /// The folder, as the operating system wants it.
    pub(crate) fn folder(&self) -> &Path {
        match self.data.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }
}

/// Opens a file for reading and writing, and makes it if it is not there.
pub(crate) fn open_or_make(path: &Path) -> Result<File, Failure> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|error| explained(path, &error))
}

/// An error with the file's name, and what to do about it.
pub(crate) fn explained(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "its folder does not exist: make it, or name another `filename`",
        io::ErrorKind::PermissionDenied => {
            "this user may not write there: change the permissions, or name another `filename`"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "its file system is read-only: name a `filename` on one that can be written"
        }
        io::ErrorKind::IsADirectory => "it is a folder: `filename` names a file",
        io::ErrorKind::StorageFull => "there is no room left on its disk",
        _ => return Failure::io(path, error),
    };
    Failure::Broken(io::Error::new(
        error.kind(),
        format!("{path}: {remedy} ({error})"),
    ))
}
