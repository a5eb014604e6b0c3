//! A file in memory that nobody can change any more.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;

use super::{Fault, LoadErrorKind};

/// A sealed file in memory that holds `bytes`.
pub(super) fn sealed(bytes: &[u8]) -> Result<OwnedFd, Fault> {
    let refused = |what: &str, error: &io::Error| {
        Fault::new(
            LoadErrorKind::Memory,
            format!("the system refuses to {what}: {error}"),
            "allow the process more memory and open files, and memfd_create in its sandbox",
        )
    };
    let descriptor =
        create().map_err(|error| refused("make a file in memory for it", &error.into()))?;
    let mut file = File::from(descriptor);
    file.write_all(bytes)
        .map_err(|error| refused("copy it into memory", &error))?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    rustix::fs::fcntl_add_seals(&file, seals)
        .map_err(|error| refused("seal its copy in memory", &error.into()))?;
    Ok(file.into())
}

/// A plugin is mapped, never executed as a program, so it needs no permission to be: `NOEXEC_SEAL` is granted
/// whatever the system's `vm.memfd_noexec` says. Kernels before 6.3 know neither.
fn create() -> rustix::io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match rustix::fs::memfd_create("dogpile-plugin", flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => rustix::fs::memfd_create("dogpile-plugin", flags),
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn what_is_sealed_can_be_read_but_not_changed() {
        let file = File::from(sealed(b"plugin").unwrap());
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        assert_eq!(fs::read(&path).unwrap(), b"plugin");
        assert!((&file).write_all(b"other").is_err());
        assert!(fs::write(&path, b"other").is_err());
        for length in [0, 100] {
            assert!(file.set_len(length).is_err());
        }
        assert_eq!(fs::read(&path).unwrap(), b"plugin");
    }
}
