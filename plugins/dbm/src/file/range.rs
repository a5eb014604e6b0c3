//! Locks on bytes of a file that belong to its open description: another opening of the file is another owner, in the
//! same process too, and the kernel frees them when the last descriptor is closed.

use std::fs::File;
use std::io;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

/// One byte of a file, which need not be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Range(i64);

#[derive(Clone, Copy)]
enum Kind {
    Shared,
    Exclusive,
    Free,
}

impl Range {
    /// # Panics
    ///
    /// Never for offsets below 2^63.
    pub(crate) const fn byte(offset: u64) -> Self {
        Self(offset.cast_signed())
    }

    fn lock_of(self, kind: Kind) -> libc::flock {
        let kind = match kind {
            Kind::Shared => libc::F_RDLCK,
            Kind::Exclusive => libc::F_WRLCK,
            Kind::Free => libc::F_UNLCK,
        };
        libc::flock {
            l_type: i16::try_from(kind).unwrap_or_default(),
            l_whence: i16::try_from(libc::SEEK_SET).unwrap_or_default(),
            l_start: self.0,
            l_len: 1,
            l_pid: 0,
        }
    }

    /// False if another has it.
    pub(crate) fn try_lock(self, file: &File) -> io::Result<bool> {
        self.try_set(file, Kind::Exclusive)
    }

    /// False if another has it alone.
    pub(crate) fn try_lock_shared(self, file: &File) -> io::Result<bool> {
        self.try_set(file, Kind::Shared)
    }

    /// Waits as long as it takes.
    pub(crate) fn lock(self, file: &File) -> io::Result<()> {
        let lock = self.lock_of(Kind::Exclusive);
        uninterrupted(|| fcntl(file, FcntlArg::F_OFD_SETLKW(&lock)))?;
        Ok(())
    }

    pub(crate) fn unlock(self, file: &File) -> io::Result<()> {
        let lock = self.lock_of(Kind::Free);
        uninterrupted(|| fcntl(file, FcntlArg::F_OFD_SETLK(&lock)))?;
        Ok(())
    }

    /// Whether another opening of the file has it, alone or shared.
    pub(crate) fn is_locked_elsewhere(self, file: &File) -> io::Result<bool> {
        let mut lock = self.lock_of(Kind::Exclusive);
        loop {
            match fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock)) {
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
                Ok(_) => return Ok(i32::from(lock.l_type) != libc::F_UNLCK),
            }
        }
    }

    fn try_set(self, file: &File, kind: Kind) -> io::Result<bool> {
        let lock = self.lock_of(kind);
        match uninterrupted(|| fcntl(file, FcntlArg::F_OFD_SETLK(&lock))) {
            Ok(_) => Ok(true),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

fn uninterrupted(call: impl Fn() -> nix::Result<i32>) -> nix::Result<i32> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> (tempfile::TempDir, File, File) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let one = File::create(&path).unwrap();
        let other = File::options().write(true).read(true).open(&path).unwrap();
        (folder, one, other)
    }

    #[test]
    fn a_byte_is_locked_for_another_opening_and_its_neighbours_are_not() {
        let (_folder, one, other) = two();
        let far = Range::byte((1 << 62) - 2);
        assert!(far.try_lock(&one).unwrap());
        assert!(!far.try_lock(&other).unwrap());
        assert!(far.is_locked_elsewhere(&other).unwrap());
        assert!(!far.is_locked_elsewhere(&one).unwrap());
        for near in [(1 << 62) - 3, (1 << 62) - 1, 0] {
            assert!(Range::byte(near).try_lock(&other).unwrap());
        }
        far.unlock(&one).unwrap();
        assert!(far.try_lock(&other).unwrap());
        // Nothing is ever written.
        assert_eq!(one.metadata().unwrap().len(), 0);
    }

    #[test]
    fn a_lock_ends_with_its_file() {
        let (_folder, one, other) = two();
        assert!(Range::byte(5).try_lock(&one).unwrap());
        drop(one);
        assert!(Range::byte(5).try_lock(&other).unwrap());
    }
}
