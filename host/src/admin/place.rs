//! Where the socket of a manifest's host is.

use std::fmt::Write;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::io::Errno;
use rustix::net::SocketAddrUnix;
use sha2::{Digest, Sha256};

use crate::trust::{Distrust, Trust};

/// So many bytes of the digest tell manifests apart.
const NAME_BYTES: usize = 12;

/// The name of the socket in whichever folder it is.
///
/// Of the manifest the folder is resolved and the name kept: in a Kubernetes volume the file is a link to another place
/// after each change.
pub(super) fn name(manifest: &Path) -> io::Result<String> {
    let whole = std::path::absolute(manifest)?;
    let path = match (whole.parent(), whole.file_name()) {
        (Some(folder), Some(file)) => fs::canonicalize(folder)?.join(file),
        _ => whole,
    };
    let digest = Sha256::digest(path.as_os_str().as_bytes());
    let mut name = String::new();
    for byte in digest.iter().take(NAME_BYTES) {
        write!(name, "{byte:02x}").expect("writing to a string does not fail");
    }
    Ok(name + ".sock")
}

/// The folders to look in, the best first.
pub(super) fn folders() -> Vec<PathBuf> {
    let user = rustix::process::getuid().as_raw();
    let given = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let given = given.filter(|folder| folder.is_absolute());
    let usual = PathBuf::from(format!("/run/user/{user}"));
    let mut folders: Vec<_> = given
        .into_iter()
        .chain([usual])
        .map(|folder| folder.join("dogpile"))
        .collect();
    folders.push(PathBuf::from(format!("/tmp/dogpile-{user}")));
    folders.dedup();
    folders
}

/// The folder, made if it is not there, if it is ours alone.
pub(super) fn prepare(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => check(folder),
    }
}

/// Whether nobody else can put or exchange anything in the folder.
pub(super) fn check(folder: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(folder)?;
    let refused = if !found.is_dir() {
        "is not a folder"
    } else if found.uid() != rustix::process::getuid().as_raw() {
        "belongs to another user"
    } else if found.mode() & 0o077 != 0 {
        "is open to other users: its mode must be 0700"
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::PermissionDenied, refused))
}

/// Why nobody listens at a path.
pub(super) struct Refusal {
    /// Goes on after the path.
    pub(super) message: String,
    pub(super) remedy: String,
    /// Whether it is so for every user, and at any time.
    pub(super) is_lasting: bool,
}

/// What would keep a host of this user, or of `tenant`, from listening at a path that it was given. Others must not be able
/// to put a socket of theirs there, since the command believes who answers.
pub(super) fn judge(
    socket: &Path,
    trust: Option<Trust>,
    tenant: Option<u32>,
) -> Result<(), Refusal> {
    let lasting = |message: String, remedy: &str| Refusal {
        message,
        remedy: remedy.to_owned(),
        is_lasting: true,
    };
    if let Err(error) = SocketAddrUnix::new(socket) {
        let message = if error == Errno::NAMETOOLONG {
            "is too long for a socket: the most is 107 bytes".to_owned()
        } else {
            io::Error::from(error).to_string()
        };
        return Err(lasting(
            message,
            "set a shorter path, such as /run/app/admin.sock",
        ));
    }
    let found = fs::symlink_metadata(socket);
    if found.is_ok_and(|found| !found.file_type().is_socket()) {
        return Err(lasting(
            "is no socket, and is left alone".to_owned(),
            "remove it or set another path",
        ));
    }
    let passing = |Distrust { message, remedy }| Refusal {
        message,
        remedy,
        is_lasting: false,
    };
    let trust = trust.map_or_else(Trust::of_environment, Ok);
    let judged = trust.and_then(|trust| trust.judge_place(socket, tenant));
    judged.map_err(passing)?;
    let folder = match socket.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| {
        passing(Distrust {
            message: format!("cannot be made: {}", io::Error::from(error)),
            remedy: "let the user of the host write in its folder, or set another path".to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn one_manifest_has_one_name_however_it_is_spelled() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a");
        fs::create_dir(&folder).unwrap();
        symlink(&folder, root.path().join("b")).unwrap();
        let plain = name(&folder.join("dogpile.toml")).unwrap();
        assert_eq!(plain.len(), 2 * NAME_BYTES + ".sock".len());
        for other in ["a/../a/dogpile.toml", "b/dogpile.toml", "a/./dogpile.toml"] {
            assert_eq!(name(&root.path().join(other)).unwrap(), plain, "{other}");
        }
        assert_ne!(name(&folder.join("other.toml")).unwrap(), plain);
    }

    #[test]
    fn a_manifest_that_is_exchanged_by_its_link_keeps_its_name() {
        let root = tempfile::tempdir().unwrap();
        let manifest = root.path().join("dogpile.toml");
        symlink("one.toml", &manifest).unwrap();
        let before = name(&manifest).unwrap();
        fs::remove_file(&manifest).unwrap();
        symlink("two.toml", &manifest).unwrap();
        assert_eq!(name(&manifest).unwrap(), before);
    }

    #[test]
    fn a_folder_that_others_can_enter_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("dogpile");
        prepare(&folder).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        prepare(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o750)).unwrap();
        assert!(prepare(&folder).unwrap_err().to_string().contains("0700"));
        let link = root.path().join("link");
        symlink(root.path(), &link).unwrap();
        assert!(prepare(&link).is_err());
    }
}
