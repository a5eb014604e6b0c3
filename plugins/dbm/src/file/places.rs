use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::unistd::geteuid;

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
        folder_of(&self.data)
    }
}

/// The folder of a file, as the operating system wants it.
pub(crate) fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// What a file is made with, less what the umask takes: others could read the values, and lock the lock files.
const RIGHTS: u32 = 0o660;

/// Opens a file for reading and writing, and makes it if it is not there. Refuses what is no file.
pub(crate) fn open_or_make(path: &Path) -> Result<File, Failure> {
    open_or_make_with(path, 0)
}

/// As [`open_or_make`], and refuses a link, behind which anything could be.
pub(super) fn open_or_make_here(path: &Path) -> Result<File, Failure> {
    open_or_make_with(path, libc::O_NOFOLLOW)
}

fn open_or_make_with(path: &Path, flags: i32) -> Result<File, Failure> {
    if geteuid().is_root() {
        make_for_owner(path)?;
    }
    open_with(path, OpenOptions::new().write(true).create(true), flags)
}

/// What root makes belongs to the owner of its folder: who looks at a service's cache as root leaves no file that the
/// service cannot open. Nothing that is there is given away.
fn make_for_owner(path: &Path) -> Result<(), Failure> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(RIGHTS)
        .open(path);
    let made = match made {
        Ok(made) => made,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(explained(path, &error)),
    };
    let folder = folder_of(path);
    let owner = fs::metadata(folder).map_err(|error| explained(folder, &error))?;
    std::os::unix::fs::fchown(&made, Some(owner.uid()), Some(owner.gid()))
        .map_err(|error| explained(path, &error))
}

/// Opens a file for reading. Refuses what is no file.
pub(super) fn open_to_read(path: &Path) -> Result<File, Failure> {
    open_with(path, &mut OpenOptions::new(), 0)
}

fn open_with(path: &Path, options: &mut OpenOptions, flags: i32) -> Result<File, Failure> {
    let named = |error: io::Error| explained(path, &error);
    let file = options
        .read(true)
        .mode(RIGHTS)
        // Opening a FIFO would wait for somebody at its other end.
        .custom_flags(libc::O_NONBLOCK | flags)
        .open(path)
        .map_err(named)?;
    let metadata = file.metadata().map_err(named)?;
    if !metadata.is_file() {
        return Err(Failure::other(format_args!(
            "{}: it is no file: name one",
            path.display()
        )));
    }
    refuse_foreign(path, &metadata)?;
    Ok(file)
}

/// Refuses a file of another user, except root, in a folder where anyone could have put it.
fn refuse_foreign(path: &Path, file: &Metadata) -> Result<(), Failure> {
    const ANYONE: u32 = 0o002;
    if file.uid() == geteuid().as_raw() || file.uid() == 0 {
        return Ok(());
    }
    let folder = folder_of(path);
    let rights = fs::metadata(folder).map_err(|error| explained(folder, &error))?;
    if rights.mode() & ANYONE == 0 {
        return Ok(());
    }
    Err(Failure::Foreign(format!(
        "{}: another user owns it, in a folder that anyone can write to: name another file, in a folder of this user's",
        path.display()
    )))
}

/// An error with the file's name, and what to do about it.
pub(crate) fn explained(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "its folder does not exist: make it, or name another file",
        io::ErrorKind::PermissionDenied => {
            "this user may not write there: change the permissions, or name another file"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "its file system is read-only: name a file on one that can be written"
        }
        io::ErrorKind::IsADirectory => "it is a folder, and no file: name one",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "there is no room left on its disk; nothing stored before is lost: make room, or name a file on another disk"
        }
        io::ErrorKind::FileTooLarge => {
            "this process may not write as far into a file; nothing stored before is lost: raise its limit on the size of \
             files (ulimit -f)"
        }
        _ if error.raw_os_error() == Some(libc::ELOOP) => {
            "it is a link, which is not followed: remove it"
        }
        _ => return Failure::io(path, error),
    };
    Failure::Broken(io::Error::new(
        error.kind(),
        format!("{path}: {remedy} ({error})"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_root_makes_belongs_to_the_owner_of_its_folder_and_what_others_make_to_them() {
        const NOBODY: u32 = 65534;
        let owner_of = |path: &Path| {
            let metadata = fs::metadata(path).unwrap();
            (metadata.uid(), metadata.gid())
        };
        if !geteuid().is_root() {
            // A folder of root's, as a rule, which only root could give it to.
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::remove_file(file.path()).unwrap();
            open_or_make(file.path()).unwrap();
            assert_eq!(owner_of(file.path()).0, geteuid().as_raw());
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let owner = |name: &str| owner_of(&place(name));
        open_or_make(&place("roots")).unwrap();
        assert_eq!(owner("roots"), (0, 0));
        std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        open_or_make(&place("new")).unwrap();
        open_or_make_here(&place("new too")).unwrap();
        assert_eq!(owner("new"), (NOBODY, NOBODY));
        assert_eq!(owner("new too"), (NOBODY, NOBODY));
        // What was there is not given away.
        open_or_make(&place("roots")).unwrap();
        assert_eq!(owner("roots"), (0, 0));
    }
}
