use std::fs::File;
use std::io;
use std::path::Path;

use crate::file::{Range, retried};

/// What is locked for other processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kernel {
    /// A byte of the lock file.
    Byte(Range),
    /// All of it, by flock, as dogpile has it.
    Whole,
}

impl Kernel {
    /// False if another opening of the file has it.
    pub(super) fn try_lock(self, file: &File) -> io::Result<bool> {
        match self {
            Self::Byte(byte) => byte.try_lock(file),
            Self::Whole => tried(|| fs2::FileExt::try_lock_exclusive(file)),
        }
    }

    /// Waits as long as it takes.
    pub(super) fn lock(self, file: &File) -> io::Result<()> {
        match self {
            Self::Byte(byte) => byte.lock(file),
            Self::Whole => retried(|| fs2::FileExt::lock_exclusive(file)),
        }
    }

    pub(super) fn unlock(self, file: &File) -> io::Result<()> {
        match self {
            Self::Byte(byte) => byte.unlock(file),
            Self::Whole => retried(|| fs2::FileExt::unlock(file)),
        }
    }

    /// Whether another opening than `file` has it. Nobody can ask for a whole file but by taking it for a moment.
    pub(super) fn is_locked_elsewhere(self, file: &File, path: &Path) -> io::Result<bool> {
        match self {
            Self::Byte(byte) => byte.is_locked_elsewhere(file),
            Self::Whole => {
                let own = File::open(path)?;
                let free = tried(|| fs2::FileExt::try_lock_shared(&own))?;
                Ok(!free)
            }
        }
    }
}

fn tried(lock: impl Fn() -> io::Result<()>) -> io::Result<bool> {
    match retried(lock) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}
