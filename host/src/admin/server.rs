//! The host's end of the socket.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};

use super::connection::{serve, turn_away};
use super::lock_file::LockFile;
use super::{AdminSocket, place};
use crate::inner::Inner;
use crate::manifest::Manifest;
use crate::{Error, ErrorKind, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::socket_peercred;
use rustix::process::Uid;

/// So many clients are answered at once. Each takes a thread.
const CLIENTS: usize = 16;

/// How long no client is accepted after the system refused one.
const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// A socket with its threads. Dropping it removes the socket's file and lets the requests that are being answered come
/// to their end: it blocks for as long as they take, and up to ten seconds for a client that does not take its answer.
pub(crate) struct Server {
    files: Option<Files>,
    /// Its other end sees when this one is closed.
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
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
}

impl Server {
    /// Listens. `None` if it is not to, if the host has no manifest to be found by, or if another host of the manifest
    /// does already.
    pub(crate) fn start(host: &Arc<Inner>, socket: AdminSocket) -> Result<Option<Self>> {
        let manifest = host.status().manifest;
        let set = || {
            let manifest = Manifest::load(manifest.as_deref()?).ok()?;
            manifest.host().admin_socket.clone()
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
        let at = |error: io::Error| failed(format!("{}: {error}", socket.display()));
        let Some(lock) = LockFile::try_hold(&lock_of(&socket)).map_err(at)? else {
            tracing::info!(
                target: "dogpile.admin", socket = %socket.display(),
                "another host answers the `dogpile` command here; this one runs without a socket"
            );
            return Ok(None);
        };
        // From here on, what was made is taken away again when something fails.
        let mut files = Files {
            made: None,
            link: None,
            lock: Some(lock),
            process: std::process::id(),
            socket: socket.clone(),
        };
        let listener = listen(&socket).map_err(at)?;
        let found = fs::symlink_metadata(&socket).map_err(at)?;
        files.made = Some((found.dev(), found.ino()));
        if let Ok(usual) = usual {
            files.link(&usual);
        }
        let (stop, stopped) = UnixStream::pair().map_err(failed)?;
        let host = Arc::downgrade(host);
        let thread = thread::Builder::new()
            .name("dogpile-admin".to_owned())
            .spawn(move || accept_all(&listener, &stopped.into(), &host))
            .map_err(failed)?;
        tracing::debug!(target: "dogpile.admin", socket = %files.socket.display(), "listening");
        Ok(Some(Self {
            files: Some(files),
            stop: Some(stop),
            thread: Some(thread),
        }))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.files.take().is_none_or(|files| !files.are_ours()) {
            return;
        }
        // The files went first, so that nobody connects any more.
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(target: "dogpile.admin", "the thread of the socket had panicked");
        }
    }
}

impl Files {
    /// Lets the socket be found in the usual place too, also while the manifest that says where it is cannot be read.
    fn link(&mut self, usual: &Path) {
        if usual == self.socket {
            return;
        }
        let linked = std::path::absolute(&self.socket).and_then(|target| {
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
        let found = fs::symlink_metadata(&self.socket);
        let is_ours = found.is_ok_and(|found| Some((found.dev(), found.ino())) == self.made);
        let link = self.link.as_ref().map(fs::remove_file);
        let socket = is_ours.then(|| fs::remove_file(&self.socket));
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

/// A client's thread, and its stream to wake it by.
type Serving = (JoinHandle<()>, UnixStream);

/// Until `stopped` is closed at its other end.
fn accept_all(listener: &UnixListener, stopped: &OwnedFd, host: &Weak<Inner>) {
    let mut clients: Vec<Serving> = Vec::new();
    loop {
        let mut ready = [
            PollFd::new(listener, PollFlags::IN),
            PollFd::new(stopped, PollFlags::IN),
        ];
        let polled = poll(&mut ready, None);
        if !ready[1].revents().is_empty() {
            break;
        }
        let accepted = polled
            .map_err(io::Error::from)
            .and_then(|_| listener.accept());
        clients.retain(|(thread, _)| !thread.is_finished());
        let started = accepted.and_then(|(stream, _)| begin(stream, clients.len(), host));
        match started {
            Ok(client) => clients.extend(client),
            Err(error) if is_passing(&error) => {}
            Err(error) => {
                tracing::debug!(target: "dogpile.admin", %error, "a client was not accepted");
                if poll(&mut [PollFd::new(stopped, PollFlags::IN)], Some(&PAUSE)) != Ok(0) {
                    break;
                }
            }
        }
    }
    for (_, stream) in &clients {
        // Nothing more is read; an answer that is on its way is still sent.
        if let Err(error) = stream.shutdown(std::net::Shutdown::Read) {
            tracing::trace!(target: "dogpile.admin", %error, "a client had gone");
        }
    }
    for (thread, _) in clients {
        if thread.join().is_err() {
            tracing::error!(target: "dogpile.admin", "answering a client panicked");
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, Interrupted, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | ConnectionAborted)
}

fn begin(stream: UnixStream, clients: usize, host: &Weak<Inner>) -> io::Result<Option<Serving>> {
    let peer = socket_peercred(&stream)?.uid;
    if peer != rustix::process::getuid() && peer != Uid::ROOT {
        tracing::warn!(target: "dogpile.admin", user = peer.as_raw(), "a client of another user was turned away");
        turn_away(stream, "this host belongs to another user");
        return Ok(None);
    }
    if clients >= CLIENTS {
        turn_away(stream, "the host is answering too many clients; try again");
        return Ok(None);
    }
    let other = stream.try_clone()?;
    let host = Weak::clone(host);
    let thread = thread::Builder::new()
        .name("dogpile-admin-client".to_owned())
        .spawn(move || serve(stream, &host))?;
    Ok(Some((thread, other)))
}
