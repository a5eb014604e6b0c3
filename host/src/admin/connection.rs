//! One client of the socket.

use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Weak;
use std::time::Duration;

use parking_lot::Mutex;

use super::answer::answer;
use super::protocol::{Answer, Failure};
use super::wire::{Broken, REQUEST, Wire, send_now};
use crate::inner::Inner;
use crate::{Error, ErrorKind};

/// How long a client may take to send a request, and to take the answer.
const PATIENCE: Option<Duration> = Some(Duration::from_secs(10));

/// A client, as it is seen by the thread that lets clients in.
pub(super) struct Desk {
    stream: UnixStream,
    /// Whether its request is being worked at. Held while it is told so, so that this comes before its answer.
    is_working: Mutex<bool>,
}

impl Desk {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            is_working: Mutex::new(false),
        }
    }

    /// Tells the client that its request is worked at, if it is. Does not wait for it: one that has not taken what it was
    /// told before needs no more of it.
    pub(super) fn tell(&self) {
        let is_working = self.is_working.lock();
        if *is_working && let Err(error) = send_now(&self.stream, &Answer::Working) {
            tracing::trace!(target: "dogpile.admin", %error, "a client is not told that its request is worked at");
        }
    }

    /// Nothing more is read; an answer that is on its way is still sent.
    pub(super) fn close(&self) {
        if let Err(error) = self.stream.shutdown(Shutdown::Read) {
            tracing::trace!(target: "dogpile.admin", %error, "a client had gone");
        }
    }

    /// Ends the stream, whoever else has it.
    pub(super) fn hang_up(&self) {
        if let Err(error) = self.stream.shutdown(Shutdown::Both) {
            tracing::trace!(target: "dogpile.admin", %error, "the other end had gone");
        }
    }

    fn working<T>(&self, work: impl FnOnce() -> T) -> T {
        *self.is_working.lock() = true;
        let worked = work();
        *self.is_working.lock() = false;
        worked
    }
}

/// Answers until the client goes, is too slow, or sends what is no request.
pub(super) fn serve(stream: UnixStream, desk: &Desk, host: &Weak<Inner>) {
    let mut wire = Wire::new(stream, REQUEST);
    loop {
        let (answer, body) = match wire.read(PATIENCE) {
            Ok(Some((request, body))) => {
                let Some(host) = host.upgrade() else { return };
                desk.working(|| answer(&host, request, &body))
            }
            Ok(None) => return,
            Err(Broken::Io(error)) => {
                tracing::debug!(target: "dogpile.admin", %error, "a client went before its request was whole");
                return;
            }
            Err(Broken::Refused(why)) => {
                tracing::debug!(target: "dogpile.admin", why, "a client was refused");
                refuse(&mut wire, &why);
                return;
            }
        };
        if let Err(error) = wire.write(answer, &body, PATIENCE) {
            tracing::debug!(target: "dogpile.admin", %error, "a client did not take its answer");
            return;
        }
    }
}

/// Tells a client why it is turned away, without waiting for it.
pub(super) fn turn_away(stream: UnixStream, why: &str) {
    refuse(&mut Wire::new(stream, REQUEST), why);
}

fn refuse(wire: &mut Wire, why: &str) {
    let failure = Failure::from(&Error::new(ErrorKind::Admin, why));
    if let Err(error) = wire.write(Answer::Failed(failure), &[], PATIENCE) {
        tracing::debug!(target: "dogpile.admin", %error, "a client that was refused did not listen");
    }
}
