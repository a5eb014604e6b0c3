use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Instant;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::halves::{Receiving, Sending, halves};
use crate::socket::{Closer, Socket};
use crate::target::{Place, Target};

/// A stream of bytes to a server and back, each read and write of which ends by a deadline.
pub(crate) enum Stream {
    Plain(Socket),
    Tls(Box<StreamOwned<ClientConnection, Socket>>),
}

impl Stream {
    /// Connects, and makes itself known to the other end of TLS.
    pub(crate) fn connect(target: &Target, deadline: Instant) -> io::Result<Self> {
        let mut socket = Socket::connect(target, deadline)?;
        let (Some(config), Place::Tcp(host, _)) = (&target.tls, &target.place) else {
            return Ok(Self::Plain(socket));
        };
        let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
        let mut session =
            ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        while session.is_handshaking() {
            session.complete_io(&mut socket).map_err(no_tls)?;
        }
        Ok(Self::Tls(Box::new(StreamOwned::new(session, socket))))
    }

    /// Whatever is read and written from now on ends by then.
    pub(crate) fn set_deadline(&mut self, deadline: Instant) {
        match self {
            Self::Plain(socket) => socket.set_deadline(deadline),
            Self::Tls(stream) => stream.get_mut().set_deadline(deadline),
        }
    }

    /// What ends it from another thread.
    pub(crate) fn closer(&self) -> Closer {
        match self {
            Self::Plain(socket) => socket.closer(),
            Self::Tls(stream) => stream.get_ref().closer(),
        }
    }

    /// Whether it stands, with nothing to be read that nobody asked for.
    pub(crate) fn is_quiet(&self) -> bool {
        match self {
            Self::Plain(socket) => socket.is_quiet(),
            // What there is may be for TLS itself.
            Self::Tls(stream) => stream.get_ref().stands(),
        }
    }

    /// Its two directions, for two threads.
    pub(crate) fn halves(self) -> (Receiving, Sending) {
        match self {
            Self::Plain(socket) => halves(socket, None),
            Self::Tls(stream) => {
                let (session, socket) = stream.into_parts();
                halves(socket, Some(session))
            }
        }
    }
}

/// A server without TLS may wait for the rest of a command.
fn no_tls(error: io::Error) -> io::Error {
    if error.kind() != ErrorKind::TimedOut {
        return error;
    }
    io::Error::other("it began no TLS in time: is it on at its end too (`ssl`)?")
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(bytes),
            Self::Tls(stream) => stream.read(bytes),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
