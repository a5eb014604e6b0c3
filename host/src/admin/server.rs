//! The host's end of the socket.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::lock_file::LockFile;
use super::reception::{Ended, Found, receive};
use super::{AdminSocket, place};
use crate::inner::Inner;
use crate::manifest::Manifest;
use crate::{Error, ErrorKind, Result};

/// How often a host sees whether the one that has the socket has gone.
const LOOK: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

/// A socket with its threads, or a thread that waits for the socket of another host. Dropping it removes the socket's
/// file and lets the requests that are being answered come to their end: it blocks for as long as they take, and up to
/// ten seconds for a client that does not take its answer.
pub(crate) struct Server {
    state: Arc<Mutex<State>>,
    /// Its other end sees when this one is closed.
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
    /// The process that made it.
    process: u32,
}

enum State {
    /// Another host has it.
    Waiting,
    Listening(Files),
    Stopped,
}

/// Where the socket is to be, and where it is looked for.
struct Where {
    socket: PathBuf,
    usual: Option<PathBuf>,
}

/// What the socket is in the file system.
struct Files {
    socket: PathBuf,
    /// Device and inode of the socket, once it is made.
    made: Option<(u64, u64)>,
    /// A link in the usual place to a socket elsewhere.
    link: Option<PathBuf>,
    lock: Option<LockFile>,
    /// The process that made it.
    process: u32,
    /// Whether it was told that they cannot be put back.
    is_told: bool,
}

impl Server {
    /// Listens, or waits until it can if another host of the manifest does. `None` if it is not to, or if the host has
    /// no manifest to be found by.
    pub(crate) fn start(host: &Arc<Inner>, socket: AdminSocket) -> Result<Option<Self>> {
        let manifest = host.status().manifest;
        let set = || {
            let set = manifest.as_deref().and_then(|manifest| {
                let manifest = Manifest::load_trusting(manifest, host.engine.trust).ok()?;
                manifest.host().admin_socket.clone()
            });
            if let Some(follower) = &host.follower {
                follower.listens(set.clone());
            }
            set
        };
        let (path, required) = match socket {
            AdminSocket::Off => return Ok(None),
            AdminSocket::At(path) => (Some(path), true),
            AdminSocket::Auto => {
                let path = set();
                let required = path.is_some();
                (path, required)
            }
        };
        match Self::open(host, manifest.as_deref(), path.as_deref()) {
            Err(error) if !required => {
                tracing::warn!(
                    target: "dogpile.admin", %error,
                    "the host runs without a socket, so the `dogpile` command cannot reach it"
                );
                Ok(None)
            }
            other => other,
        }
    }

    fn open(
        host: &Arc<Inner>,
        manifest: Option<&Path>,
        set: Option<&Path>,
    ) -> Result<Option<Self>> {
        let usual = match manifest {
            Some(manifest) => usual_place(manifest),
            None => Err(failed(
                "there is no manifest to name it after; give the socket a path",
            )),
        };
        let socket = match set {
            Some(path) => path.to_owned(),
            None => usual.as_ref().map_err(Error::clone)?.clone(),
        };
        let place = Where {
            socket,
            usual: usual.ok(),
        };
        let taken = place.take().map_err(|error| place.failed(&error))?;
        let (state, listener) = match taken {
            Some((files, listener)) => (State::Listening(files), Some(listener)),
            None => (State::Waiting, None),
        };
        if listener.is_none() {
            tracing::info!(
                target: "dogpile.admin", socket = %place.socket.display(),
                "another host answers the `dogpile` command here; this one does when that has gone"
            );
        }
        let state = Arc::new(Mutex::new(state));
        let theirs = Arc::clone(&state);
        let (stop, stopped) = UnixStream::pair().map_err(failed)?;
        let host = Arc::downgrade(host);
        let thread = thread::Builder::new()
            .name("dogpile-admin".to_owned())
            .spawn(move || run(listener, &place, &theirs, &stopped.into(), &host))
            .map_err(failed)?;
        Ok(Some(Self {
            state,
            stop: Some(stop),
            thread: Some(thread),
            process: std::process::id(),
        }))
    }
}

/// Waits for the socket if it is another's, and answers.
fn run(
    listener: Option<UnixListener>,
    place: &Where,
    state: &Mutex<State>,
    stopped: &OwnedFd,
    host: &Weak<Inner>,
) {
    let mut listener = listener;
    while let Some(own) = listener.take().or_else(|| wait(place, state, stopped)) {
        if receive(own, stopped, host, || look(place, state)) == Ended::Stopped {
            return;
        }
    }
}

/// Sees whether the files are where they were made, and puts back what is not: folders for temporary files are tidied.
fn look(place: &Where, state: &Mutex<State>) -> Found {
    let mut state = state.lock();
    let State::Listening(files) = &mut *state else {
        return Found::InPlace;
    };
    let socket = place.socket.display();
    match place.put_back(files) {
        Ok(found) => {
            files.is_told = false;
            match &found {
                Found::InPlace => {}
                Found::Anew(_) => {
                    tracing::warn!(target: "dogpile.admin", %socket, "the socket had been removed, and was made anew");
                }
                Found::Taken => {
                    *state = State::Waiting;
                    tracing::warn!(
                        target: "dogpile.admin", %socket,
                        "the socket had been removed, and another host answers the `dogpile` command there now"
                    );
                }
            }
            found
        }
        Err(error) => {
            if !std::mem::replace(&mut files.is_told, true) {
                tracing::warn!(
                    target: "dogpile.admin", error = %place.failed(&error),
                    "the socket was removed and cannot be made anew yet, so the `dogpile` command cannot reach this host"
                );
            }
            Found::InPlace
        }
    }
}

/// Takes the socket over from a host that goes; `None` if this one goes first.
fn wait(place: &Where, state: &Mutex<State>, stopped: &OwnedFd) -> Option<UnixListener> {
    loop {
        let mut ended = [PollFd::new(stopped, PollFlags::IN)];
        if poll(&mut ended, Some(&LOOK)).is_ok_and(|ready| ready > 0) {
            return None;
        }
        let mut state = state.lock();
        if matches!(*state, State::Stopped) {
            return None;
        }
        match place.take() {
            Ok(None) => {}
            Ok(Some((files, listener))) => {
                *state = State::Listening(files);
                tracing::info!(
                    target: "dogpile.admin", socket = %place.socket.display(),
                    "this host answers the `dogpile` command now"
                );
                return Some(listener);
            }
            Err(error) => {
                tracing::debug!(target: "dogpile.admin", error = %place.failed(&error), "not taken over yet");
            }
        }
    }
}

impl Where {
    /// The socket with its files, unless another host has it.
    fn take(&self) -> io::Result<Option<(Files, UnixListener)>> {
        let Some(lock) = self.lock()? else {
            return Ok(None);
        };
        // From here on, what was made is taken away again when something fails.
        let mut files = Files {
            made: None,
            link: None,
            lock: Some(lock),
            process: std::process::id(),
            socket: self.socket.clone(),
            is_told: false,
        };
        let listener = files.listen()?;
        if let Some(usual) = &self.usual {
            files.link(usual);
        }
        tracing::debug!(target: "dogpile.admin", socket = %self.socket.display(), "listening");
        Ok(Some((files, listener)))
    }

    /// The file of the lock, unless another host holds it.
    fn lock(&self) -> io::Result<Option<LockFile>> {
        if self.usual.as_ref() == Some(&self.socket) {
            prepare_folder_of(&self.socket)?;
        }
        LockFile::try_hold(&lock_of(&self.socket))
    }

    /// Makes anew what somebody else has removed. Who holds the file of the lock that can be found has the socket: if that
    /// is another host, nothing is changed, and `files` forget what may be its.
    fn put_back(&self, files: &mut Files) -> io::Result<Found> {
        let has_lock = files.lock.as_ref().map(LockFile::is_in_place);
        let has_socket = files.has_socket();
        if !has_lock.unwrap_or(Ok(false))? {
            // Held beside the old one, which nobody finds any more.
            let Some(lock) = self.lock()? else {
                (files.made, files.link) = (None, None);
                return Ok(Found::Taken);
            };
            files.lock = Some(lock);
        }
        let found = if has_socket {
            Found::InPlace
        } else {
            Found::Anew(files.listen()?)
        };
        if let Some(usual) = &self.usual
            && fs::symlink_metadata(usual)
                .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        {
            files.link(usual);
        }
        Ok(found)
    }

    fn failed(&self, error: &io::Error) -> Error {
        failed(format!("{}: {error}", self.socket.display()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A process that was forked off has copies of everything but the threads.
        if self.process != std::process::id() {
            return;
        }
        // The files go first, so that nobody connects any more.
        *self.state.lock() = State::Stopped;
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(target: "dogpile.admin", "the thread of the socket had panicked");
        }
    }
}

impl Files {
    /// The holder of the lock makes the socket.
    fn listen(&mut self) -> io::Result<UnixListener> {
        let listener = listen(&self.socket)?;
        let found = fs::symlink_metadata(&self.socket)?;
        self.made = Some((found.dev(), found.ino()));
        Ok(listener)
    }

    /// Whether the socket is where it was made. While it is open no other file has its number.
    fn has_socket(&self) -> bool {
        let found = fs::symlink_metadata(&self.socket);
        found.is_ok_and(|found| Some((found.dev(), found.ino())) == self.made)
    }

    /// Lets the socket be found in the usual place too, also while the manifest that says where it is cannot be read.
    fn link(&mut self, usual: &Path) {
        if usual == self.socket {
            return;
        }
        let linked = std::path::absolute(&self.socket).and_then(|target| {
            prepare_folder_of(usual)?;
            remove_stale(usual, |kind| kind.is_symlink() || kind.is_socket())?;
            symlink(target, usual)
        });
        match linked {
            Ok(()) => self.link = Some(usual.to_owned()),
            Err(error) => {
                tracing::debug!(target: "dogpile.admin", %error, "no link to the socket");
            }
        }
    }

    /// A process that was forked off has copies of everything but the threads, and owns nothing.
    fn are_ours(&self) -> bool {
        self.process == std::process::id()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if !self.are_ours() {
            return;
        }
        let link = self.link.as_ref().map(fs::remove_file);
        let socket = self.has_socket().then(|| fs::remove_file(&self.socket));
        let lock = self.lock.take().map(LockFile::remove);
        for result in [link, socket, lock].into_iter().flatten() {
            if let Err(error) = result {
                tracing::debug!(target: "dogpile.admin", %error, "a file of the socket stays behind");
            }
        }
    }
}

fn failed(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Admin, format!("no admin socket: {what}"))
}

/// The path in the first folder that can be used.
fn usual_place(manifest: &Path) -> Result<PathBuf> {
    let name = place::name(manifest).map_err(failed)?;
    let mut reasons = Vec::new();
    for folder in place::folders() {
        match place::prepare(&folder) {
            Ok(()) => return Ok(folder.join(name)),
            Err(error) => reasons.push(format!("{}: {error}", folder.display())),
        }
    }
    Err(failed(format!(
        "{}; set [host] admin_socket",
        reasons.join("; ")
    )))
}

/// The folder of a usual place, which somebody may have removed.
fn prepare_folder_of(usual: &Path) -> io::Result<()> {
    usual.parent().map_or(Ok(()), place::prepare)
}

fn lock_of(socket: &Path) -> PathBuf {
    let mut path = socket.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

/// Called by the holder of the lock, so a socket that is there is nobody's.
fn listen(path: &Path) -> io::Result<UnixListener> {
    remove_stale(path, FileTypeExt::is_socket)?;
    let listener = UnixListener::bind(path)?;
    // Until then whoever may enter the folder can connect, and is turned away by his user id.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn remove_stale(path: &Path, is_stale: impl Fn(&fs::FileType) -> bool) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if is_stale(&found.file_type()) => fs::remove_file(path),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "this is no socket, and is left alone; remove it or set another path",
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
