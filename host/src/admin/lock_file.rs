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
    _held: File,
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
                .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
                .open(path)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            // Its holder removes the file before letting go: then this one is nobody's, and there may be a new one.
            let held = file.metadata()?;
            match fs::symlink_metadata(path) {
                Ok(there) if (there.dev(), there.ino()) == (held.dev(), held.ino()) => {
                    return Ok(Some(Self {
                        path: path.to_owned(),
                        _held: file,
                    }));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes the file away, and lets go.
    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

#[cfg(test)]
mod tests {
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
    fn a_file_that_a_dead_process_left_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        fs::write(&path, "").unwrap();
        assert!(LockFile::try_hold(&path).unwrap().is_some());
    }
}
