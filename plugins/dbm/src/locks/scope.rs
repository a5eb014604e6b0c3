use std::fs::File;
use std::io;

use super::kernel::Kernel;
use crate::arguments::Scope;
use crate::file::Range;

/// While an instance has the lock file open, it has one of these bytes, shared: no key's byte is that far.
const KEY: Range = Range::byte(1 << 62);
const FILE: Range = Range::byte((1 << 62) + 1);

impl Scope {
    /// Announces itself on the file, until it is closed. False if an instance with the other scope has it open.
    pub(super) fn announce(self, file: &File) -> io::Result<bool> {
        let (own, other) = match self {
            Self::Key => (KEY, FILE),
            Self::File => (FILE, KEY),
        };
        // Announced before it looks, so that of two at once at most one goes on.
        own.try_lock_shared(file)?;
        if other.is_locked_elsewhere(file)? {
            own.unlock(file)?;
            return Ok(false);
        }
        Ok(true)
    }

    /// What a creation of the key at that offset locks.
    pub(super) fn kernel(self, offset: u64) -> Kernel {
        match self {
            Self::Key => Kernel::Byte(Range::byte(offset)),
            Self::File => Kernel::Whole,
        }
    }
}
