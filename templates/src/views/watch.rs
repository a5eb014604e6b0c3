use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::fs::statfs;
use rustix::io::ioctl_fionread;

/// How many links on one way are followed.
const LINKS: u8 = 40;

/// Filesystems that tell of each change at once, since all changes are made by this kernel: ext4 and its elders, XFS,
/// Btrfs, tmpfs, ramfs, overlayfs, F2FS, ZFS, bcachefs, `SquashFS` and EROFS, by what `statfs` calls them.
const LOCAL: [u64; 11] = [
    0xEF53,
    0x5846_5342,
    0x9123_683E,
    0x0102_1994,
    0x8584_58F6,
    0x794C_7630,
    0xF2F5_2010,
    0x2FC1_2FC1,
    0xCA45_1A4E,
    0x7371_7368,
    0xE0F5_E1E2,
];

/// Whether what stands at a path became something else, or somebody else may read it.
const SELF: WatchFlags = WatchFlags::ATTRIB
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);

/// By a mapping a file is written without an event, but who maps one for writing has it open for that.
const CONTENT: WatchFlags = SELF
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::CLOSE_WRITE);

const NAMES: WatchFlags = SELF
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE);

/// What the kernel tells of changes to files and folders.
///
/// It tells while the change is made, before the call that makes it returns: who asks afterwards knows. Events are never
/// read, so whoever asks gets the same answer, and each look at the files has a watch of its own, from before it.
pub(crate) struct Watch {
    /// None: the kernel cannot tell, or not of all.
    inotify: Option<OwnedFd>,
}

impl Watch {
    pub(crate) fn new() -> Self {
        let made = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
        Self { inotify: made.ok() }
    }

    /// Whether nothing has changed, if it can tell: one short system call.
    pub(crate) fn is_quiet(&self) -> Option<bool> {
        let inotify = self.inotify.as_ref()?;
        Some(ioctl_fionread(inotify) == Ok(0))
    }

    /// It shall tell nothing: something can change of which it would not know.
    pub(crate) fn give_up(&mut self) {
        self.inotify = None;
    }

    /// A folder: what is in it, by names.
    pub(crate) fn folder(&mut self, path: &Path) {
        self.with(|inotify| add_local(inotify, path, NAMES));
    }

    /// A file: what is in it, by whatever name it is written.
    pub(crate) fn file(&mut self, path: &Path) {
        self.with(|inotify| add_local(inotify, path, CONTENT));
    }

    /// Where an absolute path leads to: each folder and each symbolic link on the way.
    pub(crate) fn way(&mut self, path: &Path) {
        self.with(|inotify| way(inotify, path));
    }

    fn with(&mut self, add: impl FnOnce(&OwnedFd) -> io::Result<()>) {
        if let Some(inotify) = &self.inotify
            && add(inotify).is_err()
        {
            self.give_up();
        }
    }
}

fn add_local(inotify: &OwnedFd, path: &Path, what: WatchFlags) -> io::Result<()> {
    #[expect(clippy::cast_sign_loss, reason = "it is a pattern of bits")]
    let kind = statfs(path)?.f_type as u64;
    if !LOCAL.contains(&kind) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    add(inotify, path, what)
}

/// What is watched twice is watched for both.
fn add(inotify: &OwnedFd, path: &Path, what: WatchFlags) -> io::Result<()> {
    let flags = what | WatchFlags::DONT_FOLLOW | WatchFlags::MASK_ADD;
    inotify::add_watch(inotify, path, flags)?;
    Ok(())
}

fn way(inotify: &OwnedFd, path: &Path) -> io::Result<()> {
    let mut rest = components(path);
    let (mut at, mut links) = (PathBuf::from("/"), 0);
    while let Some(name) = rest.pop() {
        if name == ".." {
            at.pop();
            continue;
        }
        at.push(name);
        add(inotify, &at, SELF)?;
        // After it is watched: what it becomes meanwhile is told.
        if fs::symlink_metadata(&at)?.is_symlink() {
            links += 1;
            if links > LINKS {
                return Err(io::ErrorKind::Unsupported.into());
            }
            let target = fs::read_link(&at)?;
            at.pop();
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            rest.extend(components(&target));
        } else {
            add_local(inotify, &at, SELF)?;
        }
    }
    Ok(())
}

/// The names in a path, the last first.
fn components(path: &Path) -> Vec<OsString> {
    let names = path.components().rev().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::SystemTime;

    use super::*;

    fn open(path: &Path) -> File {
        OpenOptions::new().append(true).open(path).unwrap()
    }

    fn chmod(path: &Path) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
    }

    type Change = (&'static str, fn(&Path));

    /// What is done to the folder `current`, a link to `real`, which has the file `file`, also called `other`, and the
    /// link `link` to `file`.
    const CHANGES: &[Change] = &[
        ("written", |around| {
            open(&around.join("real/file")).write_all(b"x").unwrap();
        }),
        ("written by another name", |around| {
            open(&around.join("other")).write_all(b"x").unwrap();
        }),
        ("cut", |around| {
            open(&around.join("real/file")).set_len(0).unwrap();
        }),
        ("touched", |around| {
            open(&around.join("real/file"))
                .set_modified(SystemTime::UNIX_EPOCH)
                .unwrap();
        }),
        ("closed by who could have mapped it", |around| {
            drop(open(&around.join("real/file")));
        }),
        ("read by others", |around| chmod(&around.join("real/file"))),
        ("a folder read by others", |around| {
            chmod(&around.join("real"));
        }),
        ("replaced", |around| {
            fs::write(around.join("new"), "new").unwrap();
            fs::rename(around.join("new"), around.join("real/file")).unwrap();
        }),
        ("removed", |around| {
            fs::remove_file(around.join("real/file")).unwrap();
        }),
        ("moved away", |around| {
            fs::rename(around.join("real/file"), around.join("new")).unwrap();
        }),
        ("another file", |around| {
            drop(File::create(around.join("real/new")).unwrap());
        }),
        ("another folder", |around| {
            fs::create_dir(around.join("real/new")).unwrap();
        }),
        ("the folder moved", |around| {
            fs::rename(around.join("real"), around.join("new")).unwrap();
        }),
        ("the folder's link removed", |around| {
            fs::remove_file(around.join("current")).unwrap();
        }),
        ("the folder's link replaced", |around| {
            symlink("/", around.join("new")).unwrap();
            fs::rename(around.join("new"), around.join("current")).unwrap();
        }),
        ("a link in the folder replaced", |around| {
            symlink("/", around.join("new")).unwrap();
            fs::rename(around.join("new"), around.join("real/link")).unwrap();
        }),
    ];

    #[test]
    fn each_change_is_told_when_its_call_returns_and_nothing_else_is() {
        for (what, change) in CHANGES {
            let around = tempfile::tempdir().unwrap();
            // What leads to it may be a link too.
            let around = around.path().canonicalize().unwrap();
            fs::create_dir(around.join("real")).unwrap();
            fs::write(around.join("real/file"), "text").unwrap();
            fs::hard_link(around.join("real/file"), around.join("other")).unwrap();
            symlink("file", around.join("real/link")).unwrap();
            symlink("real", around.join("current")).unwrap();
            let mut watch = Watch::new();
            watch.way(&around.join("current"));
            watch.folder(&around.join("real"));
            watch.file(&around.join("real/file"));
            watch.way(&around.join("current/link"));
            fs::read(around.join("current/link")).unwrap();
            fs::read_dir(around.join("real")).unwrap().count();
            fs::write(around.join("beside"), "no matter").unwrap();
            assert_eq!(watch.is_quiet(), Some(true), "before: {what}");
            change(&around);
            assert_eq!(watch.is_quiet(), Some(false), "{what}");
            assert_eq!(watch.is_quiet(), Some(false), "{what}, asked again");
        }
    }

    #[test]
    fn what_it_cannot_watch_it_does_not_vouch_for() {
        // Its files change without a write.
        let mut proc = Watch::new();
        proc.file(Path::new("/proc/uptime"));
        assert_eq!(proc.is_quiet(), None);
        let folder = tempfile::tempdir().unwrap();
        let mut missing = Watch::new();
        missing.folder(&folder.path().join("missing"));
        assert_eq!(missing.is_quiet(), None);
        symlink("loop", folder.path().join("loop")).unwrap();
        let mut circle = Watch::new();
        circle.way(&folder.path().join("loop"));
        assert_eq!(circle.is_quiet(), None);
    }
}
