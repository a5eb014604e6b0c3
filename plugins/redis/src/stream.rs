use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, recv, sockopt};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::target::{Place, Target};

/// A stream of bytes to a server and back, each read and write of which ends by a deadline.
pub(crate) enum Stream {
    Plain(Socket),
    Tls(Box<StreamOwned<ClientConnection, Socket>>),
}

/// The socket under it.
pub(crate) struct Socket {
    raw: Raw,
    deadline: Instant,
    /// What the kernel was told last.
    reading: Duration,
    writing: Duration,
}

enum Raw {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Ends a stream from another thread.
pub(crate) struct Closer(Raw);

/// How much longer than its deadline a call may take, so that the kernel need not be told a time for each.
const SLACK: Duration = Duration::from_millis(50);

impl Stream {
    /// Connects, and makes itself known to the other end of TLS.
    pub(crate) fn connect(target: &Target, deadline: Instant) -> io::Result<Self> {
        let raw = match &target.place {
            Place::Tcp(host, port) => Raw::Tcp(connect(host, *port, deadline)?),
            Place::Unix(path) => Raw::Unix(UnixStream::connect(path)?),
        };
        if let Raw::Tcp(stream) = &raw {
            stream.set_nodelay(true)?;
            sockopt::set_socket_keepalive(stream, target.keepalive)?;
        }
        let mut socket = Socket {
            raw,
            deadline,
            reading: Duration::ZERO,
            writing: Duration::ZERO,
        };
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
        self.socket_mut().deadline = deadline;
    }

    /// What ends it from another thread.
    pub(crate) fn closer(&self) -> io::Result<Closer> {
        self.socket().raw.try_clone().map(Closer)
    }

    /// Whether it stands, with nothing to be read that nobody asked for.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut byte = [0];
        let peeked = recv(
            &self.socket().raw,
            &mut byte[..],
            RecvFlags::PEEK | RecvFlags::DONTWAIT,
        );
        match peeked {
            Err(error) => error == rustix::io::Errno::AGAIN,
            Ok((_, length)) => length > 0 && matches!(self, Self::Tls(_)),
        }
    }

    fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref(),
        }
    }

    fn socket_mut(&mut self) -> &mut Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_mut(),
        }
    }
}

impl Closer {
    /// Whoever reads from the stream sees its end.
    pub(crate) fn close(&self) {
        // An error says that it has ended by itself.
        let _ended = match &self.0 {
            Raw::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Raw::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}

/// A server without TLS may wait for the rest of a command.
fn no_tls(error: io::Error) -> io::Error {
    if error.kind() != ErrorKind::TimedOut {
        return error;
    }
    io::Error::other("it began no TLS in time: is it on at its end too (`ssl`)?")
}

/// Tries the host's addresses one after the other.
fn connect(host: &str, port: u16, deadline: Instant) -> io::Result<TcpStream> {
    let mut last = None;
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::new(ErrorKind::NotFound, "the name has no address")))
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }
    Ok(left)
}

/// What to tell the kernel, if what it was told last is too far off.
fn retold(told: Duration, deadline: Instant) -> io::Result<Option<Duration>> {
    let left = left(deadline)?;
    let is_near = left.abs_diff(told) <= SLACK && !told.is_zero();
    Ok((!is_near).then_some(left))
}

impl Socket {
    /// Repeats what was interrupted, and tells a time-out from anything else.
    fn until_done(mut transfer: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
        loop {
            match transfer() {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Err(ErrorKind::TimedOut.into());
                }
                done => return done,
            }
        }
    }
}

impl Read for Socket {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if let Some(time) = retold(self.reading, self.deadline)? {
            self.raw.set_read_timeout(time)?;
            self.reading = time;
        }
        Self::until_done(|| match &mut self.raw {
            Raw::Tcp(stream) => stream.read(bytes),
            Raw::Unix(stream) => stream.read(bytes),
        })
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(time) = retold(self.writing, self.deadline)? {
            self.raw.set_write_timeout(time)?;
            self.writing = time;
        }
        Self::until_done(|| match &mut self.raw {
            Raw::Tcp(stream) => stream.write(bytes),
            Raw::Unix(stream) => stream.write(bytes),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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

impl Raw {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(stream) => Self::Tcp(stream.try_clone()?),
            Self::Unix(stream) => Self::Unix(stream.try_clone()?),
        })
    }

    fn set_read_timeout(&self, time: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(Some(time)),
            Self::Unix(stream) => stream.set_read_timeout(Some(time)),
        }
    }

    fn set_write_timeout(&self, time: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_write_timeout(Some(time)),
            Self::Unix(stream) => stream.set_write_timeout(Some(time)),
        }
    }
}

impl AsFd for Raw {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}
