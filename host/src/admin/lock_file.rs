//! A file that one process at a time holds.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

/// Held until it is dropped, or its process ends in any way.
pub(super) struct LockFile {
    path: PathBuf,
    held: File,
}

impl LockFile {
    /// `None` if somebody holds it.
    pub(super) fn try_hold(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
                .open(path)?;
            if !file.metadata()?.is_file() {
                let why = "the lock beside the socket is no regular file; remove it";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            }
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            // Its holder removes the file before letting go: then this one is nobody's, and there may be a new one.
            if is_at(&file, path)? {
                return Ok(Some(Self {
                    path: path.to_owned(),
                    held: file,
                }));
            }
        }
    }

    /// Whether who comes next finds this file. Somebody may have removed it, and then another host have made its own.
    pub(super) fn is_in_place(&self) -> io::Result<bool> {
        is_at(&self.held, &self.path)
    }

    /// Takes the file away, if it is there, and lets go.
    pub(super) fn remove(self) -> io::Result<()> {
        if self.is_in_place()? {
            fs::remove_file(&self.path)?;
        }
        Ok(())
    }
}

/// Whether an open file is what lies at a path.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let held = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (held.dev(), held.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn one_at_a_time_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let first = LockFile::try_hold(&path).unwrap().unwrap();
        assert!(LockFile::try_hold(&path).unwrap().is_none());
        first.remove().unwrap();
        assert!(!path.exists());
        assert!(LockFile::try_hold(&path).unwrap().is_some());
    }

    #[test]
    fn a_file_that_somebody_else_removed_is_not_taken_from_who_made_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let first = LockFile::try_hold(&path).unwrap().unwrap();
        assert!(first.is_in_place().unwrap());
        fs::remove_file(&path).unwrap();
        assert!(!first.is_in_place().unwrap());
        let second = LockFile::try_hold(&path).unwrap().unwrap();
        assert!(!first.is_in_place().unwrap());
        first.remove().unwrap();
        assert!(second.is_in_place().unwrap());
    }

    #[test]
    fn a_pipe_is_refused_without_waiting_for_its_reader() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, &path, FileType::Fifo, mode, 0).unwrap();
        assert!(LockFile::try_hold(&path).is_err());
        let _reader = File::from(
            rustix::fs::open(&path, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap(),
        );
        assert!(LockFile::try_hold(&path).is_err());
    }

    #[test]
    fn a_file_that_a_dead_process_left_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        fs::write(&path, "").unwrap();
        assert!(LockFile::try_hold(&path).unwrap().is_some());
    }
}
