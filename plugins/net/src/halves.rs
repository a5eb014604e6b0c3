//! The two directions of a stream, for one thread each at a time.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use rustls::ClientConnection;

use crate::socket::{Closer, Socket};

/// What is read. While it waits for the socket, nobody waits for it who writes.
#[derive(Debug)]
pub struct Receiving {
    socket: Socket,
    tls: Option<Decrypting>,
}

/// What is written.
#[derive(Debug)]
pub struct Sending {
    socket: Socket,
    tls: Option<Session>,
}

type Session = Arc<Mutex<ClientConnection>>;

#[derive(Debug)]
struct Decrypting {
    session: Session,
    /// What came and is not decrypted yet.
    came: Vec<u8>,
    at: usize,
}

/// As much as a record of TLS may have, and more than most replies.
const ROOM: usize = 32 * 1024;

pub(crate) fn halves(socket: Socket, session: Option<ClientConnection>) -> (Receiving, Sending) {
    let session = session.map(|session| Arc::new(Mutex::new(session)));
    let receiving = Receiving {
        socket: socket.clone(),
        tls: session.clone().map(|session| Decrypting {
            session,
            came: Vec::new(),
            at: 0,
        }),
    };
    let sending = Sending {
        socket,
        tls: session,
    };
    (receiving, sending)
}

impl Receiving {
    /// At least one byte by the deadline, or none at the end.
    pub fn read(&mut self, bytes: &mut [u8], deadline: Instant) -> io::Result<usize> {
        self.socket.set_deadline(deadline);
        let Some(tls) = &mut self.tls else {
            return self.socket.read(bytes);
        };
        loop {
            match tls.read(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            tls.came.resize(ROOM, 0);
            let length = self.socket.read(&mut tls.came);
            tls.came.truncate(*length.as_ref().unwrap_or(&0));
            tls.at = 0;
            if length? == 0 {
                return Ok(0);
            }
        }
    }

    /// What ends both directions from another thread.
    pub fn closer(&self) -> Closer {
        self.socket.closer()
    }

    /// As [`crate::stream::Stream::is_quiet`].
    pub fn is_quiet(&self) -> bool {
        match self.tls {
            None => self.socket.is_quiet(),
            Some(_) => self.socket.stands(),
        }
    }
}

impl Decrypting {
    /// Of what has come already.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut session = self.session.lock();
        loop {
            match session.reader().read(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            let mut rest = &self.came[self.at..];
            if rest.is_empty() {
                return Err(ErrorKind::WouldBlock.into());
            }
            self.at += session.read_tls(&mut rest)?;
            session.process_new_packets().map_err(io::Error::other)?;
        }
    }
}

impl Sending {
    /// All of it, by the deadline.
    pub fn write_all(&mut self, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
        self.socket.set_deadline(deadline);
        let Some(session) = &self.tls else {
            return self.socket.write_all(bytes);
        };
        while !bytes.is_empty() {
            let mut encrypted = Vec::new();
            {
                let mut session = session.lock();
                let taken = session.writer().write(bytes)?;
                bytes = &bytes[taken..];
                while session.wants_write() {
                    session.write_tls(&mut encrypted)?;
                }
            }
            self.socket.write_all(&encrypted)?;
        }
        Ok(())
    }
}
