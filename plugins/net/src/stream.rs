//! A socket with TLS, or without.

use std::io::{self, Read, Write};
use std::time::Instant;

use rustls::{ClientConnection, StreamOwned};

use crate::clock::coarse_now;
use crate::endpoint::{Endpoint, Place};
use crate::halves::{Receiving, Sending, halves};
use crate::socket::{Closer, Socket};

/// A stream of bytes to a server and back, each read and write of which ends by a deadline.
#[derive(Debug)]
pub struct Stream(Layer);

#[derive(Debug)]
enum Layer {
    Plain(Socket),
    Tls(Box<StreamOwned<ClientConnection, Socket>>),
}

impl Stream {
    /// Connects, and makes itself known to the other end of TLS; within the endpoint's time, and by the deadline, which also
    /// goes for what follows. Blocks for the server.
    pub fn connect(to: &Endpoint, deadline: Instant) -> io::Result<Self> {
        let connected = deadline.min(coarse_now() + to.connect_timeout);
        let mut socket = Socket::connect(to, connected)?;
        let layer = match (&to.tls, &to.place) {
            (Some(tls), Place::Tcp(host, _)) => {
                let session = tls.connect(host, &mut socket)?;
                Layer::Tls(Box::new(StreamOwned::new(session, socket)))
            }
            _ => Layer::Plain(socket),
        };
        let mut stream = Self(layer);
        stream.set_deadline(deadline);
        Ok(stream)
    }

    /// Whatever is read and written from now on ends by then.
    pub fn set_deadline(&mut self, deadline: Instant) {
        match &mut self.0 {
            Layer::Plain(socket) => socket.set_deadline(deadline),
            Layer::Tls(stream) => stream.get_mut().set_deadline(deadline),
        }
    }

    /// What ends it from another thread.
    pub fn closer(&self) -> Closer {
        match &self.0 {
            Layer::Plain(socket) => socket.closer(),
            Layer::Tls(stream) => stream.get_ref().closer(),
        }
    }

    /// Whether it stands, with nothing to be read that nobody asked for.
    pub fn is_quiet(&self) -> bool {
        match &self.0 {
            Layer::Plain(socket) => socket.is_quiet(),
            // What there is may be for TLS itself.
            Layer::Tls(stream) => stream.get_ref().stands(),
        }
    }

    /// Its two directions, for two threads.
    pub fn halves(self) -> (Receiving, Sending) {
        match self.0 {
            Layer::Plain(socket) => halves(socket, None),
            Layer::Tls(stream) => {
                let (session, socket) = stream.into_parts();
                halves(socket, Some(session))
            }
        }
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Layer::Plain(socket) => socket.read(bytes),
            Layer::Tls(stream) => stream.read(bytes),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Layer::Plain(socket) => socket.write(bytes),
            Layer::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Layer::Plain(socket) => socket.flush(),
            Layer::Tls(stream) => stream.flush(),
        }
    }
}
