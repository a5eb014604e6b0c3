//! A socket, with TLS or without, each read and write of which ends by a deadline.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, recv, sockopt};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::dial;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A name or address, and a port.
    Tcp(String, u16),
    /// A socket of Unix.
    Unix(PathBuf),
}

/// A server's place, and how it is connected to.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Where it is.
    pub place: Place,
    /// How TLS is spoken, if at all.
    pub tls: Option<Arc<ClientConfig>>,
    /// The argument that asks for TLS, for errors.
    pub tls_argument: &'static str,
    /// Whether the kernel asks now and then whether an idle connection still stands.
    pub keepalive: bool,
}

/// A stream of bytes to a server and back, each read and write of which ends by a deadline.
#[derive(Debug)]
pub struct Stream(Layer);

#[derive(Debug)]
enum Layer {
    Plain(Socket),
    Tls(Box<StreamOwned<ClientConnection, Socket>>),
}

/// The socket under it.
#[derive(Debug)]
struct Socket {
    raw: Raw,
    deadline: Instant,
    /// What the kernel was told last.
    reading: Duration,
    writing: Duration,
}

#[derive(Debug)]
enum Raw {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// How much longer than its deadline a call may take, so that the kernel need not be told a time for each.
const SLACK: Duration = Duration::from_millis(50);

impl Stream {
    /// Connects, and makes itself known to the other end of TLS.
    pub fn connect(to: &Endpoint, deadline: Instant) -> io::Result<Self> {
        let raw = match &to.place {
            Place::Tcp(host, port) => Raw::Tcp(dial::tcp(host, *port, deadline)?),
            Place::Unix(path) => Raw::Unix(dial::unix(path, deadline)?),
        };
        if let Raw::Tcp(stream) = &raw {
            stream.set_nodelay(true)?;
            sockopt::set_socket_keepalive(stream, to.keepalive)?;
        }
        let mut socket = Socket {
            raw,
            deadline,
            reading: Duration::ZERO,
            writing: Duration::ZERO,
        };
        let (Some(config), Place::Tcp(host, _)) = (&to.tls, &to.place) else {
            return Ok(Self(Layer::Plain(socket)));
        };
        let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
        let mut session =
            ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        while session.is_handshaking() {
            let done = session.complete_io(&mut socket);
            done.map_err(|error| no_tls(error, to.tls_argument))?;
        }
        Ok(Self(Layer::Tls(Box::new(StreamOwned::new(
            session, socket,
        )))))
    }

    /// Whatever is read and written from now on ends by then.
    pub fn set_deadline(&mut self, deadline: Instant) {
        self.socket_mut().deadline = deadline;
    }

    /// Whether it stands, with nothing to be read that nobody asked for.
    pub fn is_quiet(&self) -> bool {
        let mut byte = [0];
        let peeked = recv(
            &self.socket().raw,
            &mut byte[..],
            RecvFlags::PEEK | RecvFlags::DONTWAIT,
        );
        match peeked {
            Err(error) => error == rustix::io::Errno::AGAIN,
            Ok((_, length)) => length > 0 && matches!(self.0, Layer::Tls(_)),
        }
    }

    fn socket(&self) -> &Socket {
        match &self.0 {
            Layer::Plain(socket) => socket,
            Layer::Tls(stream) => stream.get_ref(),
        }
    }

    fn socket_mut(&mut self) -> &mut Socket {
        match &mut self.0 {
            Layer::Plain(socket) => socket,
            Layer::Tls(stream) => stream.get_mut(),
        }
    }
}

/// A server without TLS may wait for the rest of a command, or answer what is no TLS.
fn no_tls(error: io::Error, argument: &str) -> io::Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match (error.kind(), inner) {
        (ErrorKind::TimedOut, _) => io::Error::other(format!(
            "it began no TLS in time: is it on at its end too (`{argument}`)?"
        )),
        (_, Some(rustls::Error::InvalidMessage(_))) => io::Error::other(format!(
            "it speaks no TLS: is it on at its end too (`{argument}`)?"
        )),
        _ => error,
    }
}

/// Tries the host's addresses one after the other.
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

impl Raw {
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

/// As errors name it.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}
