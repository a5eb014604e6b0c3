//! Whether what a file says may be believed: code is loaded from it, or it says what code is.

mod judge;
mod walk;

use std::env;
use std::fs::File;
use std::io;
use std::path::Path;

use rustix::io::Errno;

use self::judge::{Rules, Writers};

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
/// Files that `${file:…}` names are not looked at: they give text, as the environment does. What is asked of the folder of
/// a file is also asked of that of an admin socket, where another's host could take its place; a mount that is read-only
/// here says nothing there.
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
        let Some(writers) = self.writers() else {
            return Ok(walk::open(path)?);
        };
        let rules = Rules {
            writers,
            read_only: true,
            tenant: None,
        };
        walk::open_judged(path, rules)
    }

    /// Whether nobody else can put anything at `path`, where a socket is or is to be; but for the user `tenant`, in folders
    /// that only root or this user can have given him.
    pub(crate) fn judge_place(self, path: &Path, tenant: Option<u32>) -> Result<(), Distrust> {
        let Some(writers) = self.writers() else {
            return Ok(());
        };
        let rules = Rules {
            writers,
            read_only: false,
            tenant,
        };
        walk::judge_place(path, rules).map_err(|why| {
            let error = match why {
                Unopened::Distrusted(distrust) => return distrust,
                Unopened::Io(error) => error,
                Unopened::NotAFile => Errno::NXIO.into(),
            };
            let remedy = match error.kind() {
                io::ErrorKind::NotFound => "make its folder, or set another path",
                io::ErrorKind::PermissionDenied => "run this as the user of the host, or as root",
                _ => "set another path",
            };
            Distrust {
                message: format!("cannot be reached: {error}"),
                remedy: remedy.to_owned(),
            }
        })
    }

    fn writers(self) -> Option<Writers> {
        match self {
            Self::Strict => Some(Writers::Owner),
            Self::Owner => Some(Writers::Group),
            Self::Off => None,
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

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown, symlink};
    use std::path::PathBuf;

    use super::*;

    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new() -> Self {
            let tree = Self(tempfile::tempdir().unwrap());
            fs::create_dir(tree.at("own")).unwrap();
            tree
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn mode(&self, name: &str, mode: u32) {
            fs::set_permissions(self.at(name), Permissions::from_mode(mode)).unwrap();
        }

        /// What is said of a place, by the rules of `trust`; nothing if nobody else can put anything there.
        fn told(&self, trust: Trust, name: &str, tenant: Option<u32>) -> String {
            let judged = trust.judge_place(&self.at(name), tenant);
            judged.map_or_else(|distrust| distrust.message, |()| String::new())
        }
    }

    #[test]
    fn a_place_is_judged_by_its_folder_and_those_above() {
        let tree = Tree::new();
        let strict = |name| tree.told(Trust::Strict, name, None);
        assert_eq!(strict("own/a.sock"), "");
        fs::write(tree.at("own/a.sock"), "").unwrap();
        assert_eq!(strict("own/a.sock"), "");
        assert!(strict("absent/a.sock").starts_with("cannot be reached: "));
        tree.mode("own", 0o1777);
        for name in ["own/a.sock", "own/b.sock"] {
            let told = strict(name);
            assert!(told.starts_with("is not trusted: its folder "), "{told}");
            assert!(
                told.ends_with(" can be written by others (mode 1777)"),
                "{told}"
            );
        }
        tree.mode("own", 0o775);
        assert!(strict("own/a.sock").contains("by its group"));
        assert_eq!(tree.told(Trust::Owner, "own/a.sock", None), "");
        tree.mode("own", 0o777);
        assert!(
            tree.told(Trust::Owner, "own/a.sock", None)
                .contains("by everybody")
        );
        assert_eq!(tree.told(Trust::Off, "own/a.sock", None), "");
        // A link leads there, and what it leads through is looked at.
        symlink(tree.at("own/a.sock"), tree.at("link.sock")).unwrap();
        assert!(strict("link.sock").contains("/own can be written"));
    }

    /// In a folder that everybody may write in, he may have been the first to make it.
    #[test]
    fn a_tenant_has_a_folder_that_only_root_could_give_him() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let tree = Tree::new();
        let strict = |tenant| tree.told(Trust::Strict, "own/a.sock", Some(tenant));
        assert_eq!(strict(4242), "");
        chown(tree.at("own"), Some(4242), None).unwrap();
        assert_eq!(strict(4242), "");
        assert!(strict(4243).contains("belongs to the user 4242"));
        assert!(
            tree.told(Trust::Strict, "own/a.sock", None)
                .contains("belongs to the user 4242")
        );
        tree.mode("", 0o1777);
        assert!(strict(4242).contains(" above it can be written by others (mode 1777)"));
        tree.mode("", 0o755);
        tree.mode("own", 0o777);
        assert!(strict(4242).contains("/own can be written by its group and everybody"));
        // What lies deeper in it is as much his, whoever made it.
        tree.mode("own", 0o755);
        fs::create_dir(tree.at("own/deep")).unwrap();
        let deep = || tree.told(Trust::Strict, "own/deep/a.sock", Some(4242));
        assert_eq!(deep(), "");
        chown(tree.at("own/deep"), Some(4242), None).unwrap();
        assert_eq!(deep(), "");
        chown(tree.at("own/deep"), Some(4243), None).unwrap();
        assert!(
            deep().contains("/own/deep belongs to the user 4243"),
            "{}",
            deep()
        );
    }

    /// A socket is listened to from where the mount is another.
    #[test]
    fn a_mount_that_is_read_only_says_nothing_of_a_socket() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("folder");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
        fs::write(folder.join("file"), "").unwrap();
        fs::set_permissions(folder.join("file"), Permissions::from_mode(0o666)).unwrap();
        let mounted = Mounted::read_only(&folder);
        let Some(_mounted) = mounted else { return };
        assert!(Trust::Strict.open(&folder.join("file")).is_ok());
        assert!(
            Trust::Strict
                .judge_place(&folder.join("a.sock"), None)
                .is_err()
        );
    }

    struct Mounted(PathBuf);

    impl Mounted {
        /// `None` where this process may not mount.
        fn read_only(folder: &Path) -> Option<Self> {
            let mount = |options: &[&str]| {
                let mut command = std::process::Command::new("mount");
                command.args(options).arg(folder);
                command.stderr(std::process::Stdio::null());
                command.status().is_ok_and(|status| status.success())
            };
            if !mount(&["--bind", folder.to_str()?]) {
                return None;
            }
            let mounted = Self(folder.to_owned());
            mount(&["-o", "remount,bind,ro"]).then_some(mounted)
        }
    }

    impl Drop for Mounted {
        fn drop(&mut self) {
            let mut command = std::process::Command::new("umount");
            let unmounted = command.arg("--lazy").arg(&self.0).status();
            assert!(unmounted.is_ok_and(|status| status.success()));
        }
    }
}
