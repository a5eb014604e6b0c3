//! The host's end of the socket.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::files::{Files, Found, Where};
use super::place::Refusal;
use super::reception::{Ended, receive};
use super::{AdminSocket, place, socket};
use crate::inner::Inner;
use crate::manifest::Manifest;
use crate::reload::Listening;
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
                follower.listens(Listening {
                    admin_socket: set.clone(),
                    moved: socket::moved,
                });
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
        let set = set.map(std::path::absolute).transpose().map_err(failed)?;
        if let Some(socket) = &set {
            let judged = place::judge(socket, host.engine.trust, None);
            judged.map_err(
                |Refusal {
                     message, remedy, ..
                 }| { failed(format!("{} {message}; {remedy}", socket.display())) },
            )?;
        }
        let usual = match manifest {
            Some(manifest) => usual_place(manifest),
            None => Err(failed(
                "there is no manifest to name it after; give the socket a path",
            )),
        };
        let socket = match set {
            Some(path) => path,
            None => usual.as_ref().map_err(Error::clone)?.clone(),
        };
        let place = Where {
            socket,
            usual: usual.ok(),
        };
        let taken = place
            .take()
            .map_err(|error| failed_at(&place.socket, &error))?;
        let (state, listener) = match taken {
            Some((files, listener)) => (State::Listening(files), Some(listener)),
            None => (State::Waiting, None),
        };
        if listener.is_none() {
            tracing::info!(
                target: "dogpile.admin", socket = %place.socket.display(),
                "another host answers the `dogpile` command here, or holds the lock beside the socket; this one does when \
                 that has gone"
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
                    target: "dogpile.admin", error = %failed_at(&place.socket, &error),
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
                tracing::debug!(target: "dogpile.admin", error = %failed_at(&place.socket, &error), "not taken over yet");
            }
        }
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

fn failed_at(socket: &Path, error: &io::Error) -> Error {
    failed(format!("{}: {error}", socket.display()))
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
