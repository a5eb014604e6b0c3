//! The way to a file, folder by folder.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::judge::{self, Place, Rules};
use super::{Distrust, Unopened};

/// How many symbolic links one way may lead through: the kernel's own limit.
const LINKS: usize = 40;

/// Without `NONBLOCK` the opening of a FIFO waits for its writer.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOCTTY);

/// Opens what is at `path`.
pub(super) fn open(path: &Path) -> rustix::io::Result<File> {
    Ok(rustix::fs::open(path, READ, Mode::empty())?.into())
}

/// Opens what is at `path`, having looked at it and at all that leads there.
pub(super) fn open_judged(path: &Path, rules: Rules) -> Result<File, Unopened> {
    let mut way = Way::to(path, rules)?;
    while let Some(name) = way.rest.pop_front() {
        if way.step(&name)? {
            return way.file(&name);
        }
    }
    // It is a folder.
    Ok(rustix::fs::openat(&way.here().descriptor, ".", READ, Mode::empty())?.into())
}

/// Looks at all that leads to `path`, where something is or is to be made.
pub(super) fn judge_place(path: &Path, rules: Rules) -> Result<(), Unopened> {
    let mut way = Way::to(path, rules)?;
    while let Some(name) = way.rest.pop_front() {
        match way.step(&name) {
            Ok(false) => {}
            Ok(true) => break,
            Err(Unopened::Io(error))
                if error.kind() == io::ErrorKind::NotFound && way.rest.is_empty() =>
            {
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(way.judge_here(Place::Folder)?)
}

struct Way {
    /// From the root to where the way has come. Never empty.
    folders: Vec<Folder>,
    /// What is to be walked yet.
    rest: VecDeque<OsString>,
    links: usize,
    rules: Rules,
}

struct Folder {
    descriptor: OwnedFd,
    state: Stat,
    path: PathBuf,
}

impl Folder {
    fn root() -> rustix::io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Self::of(
            rustix::fs::open("/", flags, Mode::empty())?,
            PathBuf::from("/"),
        )
    }

    fn of(descriptor: OwnedFd, path: PathBuf) -> rustix::io::Result<Self> {
        Ok(Self {
            state: rustix::fs::fstat(&descriptor)?,
            descriptor,
            path,
        })
    }
}

impl Way {
    fn to(path: &Path, rules: Rules) -> Result<Self, Unopened> {
        let mut way = Self {
            folders: vec![Folder::root()?],
            rest: VecDeque::new(),
            links: 0,
            rules,
        };
        way.go(&std::path::absolute(path)?);
        Ok(way)
    }

    /// Puts a path before what is to be walked.
    fn go(&mut self, path: &Path) {
        for component in path.components().rev() {
            match component {
                Component::Normal(name) => self.rest.push_front(name.to_owned()),
                Component::ParentDir => self.rest.push_front("..".into()),
                Component::RootDir => self.folders.truncate(1),
                Component::CurDir | Component::Prefix(_) => {}
            }
        }
    }

    fn here(&self) -> &Folder {
        self.folders.last().expect("the root is never left")
    }

    /// One step, and whether the way ends there: at what is neither a folder nor a link. A folder is judged for each name
    /// that is looked up in it, the last one by who asked.
    fn step(&mut self, name: &OsStr) -> Result<bool, Unopened> {
        if name == ".." {
            if self.folders.len() > 1 {
                self.folders.pop();
            }
            return Ok(false);
        }
        let found = rustix::fs::statat(&self.here().descriptor, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(found.st_mode) {
            FileType::Symlink => self.follow(name, &found)?,
            FileType::Directory => self.enter(name)?,
            _ if self.rest.is_empty() => return Ok(true),
            _ => return Err(Errno::NOTDIR.into()),
        }
        Ok(false)
    }

    fn follow(&mut self, name: &OsStr, found: &Stat) -> Result<(), Unopened> {
        self.links += 1;
        if self.links > LINKS {
            return Err(Errno::LOOP.into());
        }
        self.judge_here(Place::Above)?;
        let here = self.here();
        // In a folder that everybody may write in, it could be anybody's.
        if !judge::is_ours(found) && Mode::from_raw_mode(here.state.st_mode).contains(Mode::SVTX) {
            return Err(Unopened::Distrusted(judge::foreign_link(
                &here.path.join(name),
                found,
            )));
        }
        let target = rustix::fs::readlinkat(&here.descriptor, name, Vec::new())?;
        self.go(Path::new(&OsString::from_vec(target.into_bytes())));
        Ok(())
    }

    fn enter(&mut self, name: &OsStr) -> Result<(), Unopened> {
        self.judge_here(Place::Above)?;
        let here = self.here();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let entered = rustix::fs::openat(&here.descriptor, name, flags, Mode::empty())?;
        let entered = Folder::of(entered, here.path.join(name))?;
        let is_tenants = |folder: &Folder| {
            self.rules.tenant == Some(folder.state.st_uid) && !judge::is_ours(&folder.state)
        };
        if is_tenants(&entered) && !is_tenants(here) {
            self.judge_here(Place::AboveTenant)?;
        }
        self.folders.push(entered);
        Ok(())
    }

    fn file(&self, name: &OsStr) -> Result<File, Unopened> {
        self.judge_here(Place::Folder)?;
        let here = self.here();
        let flags = READ | OFlags::NOFOLLOW;
        let file = rustix::fs::openat(&here.descriptor, name, flags, Mode::empty())?;
        let found = rustix::fs::fstat(&file)?;
        // What is none is refused by who wanted a file.
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return Ok(file.into());
        }
        let path = here.path.join(name);
        judge::judge(file.as_fd(), &found, (Place::File, &path), self.rules)?;
        Ok(file.into())
    }

    fn judge_here(&self, place: Place) -> Result<(), Distrust> {
        let here = self.here();
        judge::judge(
            here.descriptor.as_fd(),
            &here.state,
            (place, &here.path),
            self.rules,
        )
    }
}
