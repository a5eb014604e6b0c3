//! A socket that keeps to a deadline.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv, sockopt};

use crate::clock::left;
use crate::dial;
use crate::endpoint::{Endpoint, Place};

/// A socket, each read and write of which ends by a deadline. Its clones are of the same socket, of which at most one reads
/// and one writes at a time.
#[derive(Debug)]
pub(crate) struct Socket {
    raw: Arc<Raw>,
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

/// Ends a socket from another thread.
#[derive(Debug)]
pub struct Closer(Arc<Raw>);

/// How much longer than its deadline a call may take, so that the kernel need not be told a time for each, nor asked for the
/// exact time.
const SLACK: Duration = Duration::from_millis(50);

impl Socket {
    pub(crate) fn connect(to: &Endpoint, deadline: Instant) -> io::Result<Self> {
        let raw = match &to.place {
            Place::Tcp(host, port) => Raw::Tcp(dial::tcp(host, *port, deadline)?),
            Place::Unix(path) => Raw::Unix(dial::unix(path, deadline)?),
        };
        if let Raw::Tcp(stream) = &raw {
            stream.set_nodelay(true)?;
            sockopt::set_socket_keepalive(stream, to.keepalive)?;
        }
        Ok(Self {
            raw: Arc::new(raw),
            deadline,
            reading: Duration::ZERO,
            writing: Duration::ZERO,
        })
    }

    /// Whatever is read and written from now on ends by then.
    pub(crate) fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// What ends it from another thread.
    pub(crate) fn closer(&self) -> Closer {
        Closer(Arc::clone(&self.raw))
    }

    /// Whether it stands, with nothing to be read.
    pub(crate) fn is_quiet(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        recv(&*self.raw, &mut [0][..], flags).is_err_and(|error| error == Errno::AGAIN)
    }

    /// Whether it stands, whatever there is to be read: TLS says something of its own now and then, and as it ends.
    pub(crate) fn stands(&self) -> bool {
        let mut ended = [PollFd::new(&*self.raw, PollFlags::RDHUP)];
        matches!(poll(&mut ended, Some(&Timespec::default())), Ok(0))
    }
}

impl Clone for Socket {
    fn clone(&self) -> Self {
        Self {
            raw: Arc::clone(&self.raw),
            ..*self
        }
    }
}

impl Closer {
    /// Whoever reads from the socket sees its end.
    pub fn close(&self) {
        // An error says that it has ended by itself.
        let _ended = match &*self.0 {
            Raw::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Raw::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}

/// What to tell the kernel, if what it was told last is too far off.
fn retold(told: Duration, deadline: Instant) -> io::Result<Option<Duration>> {
    let left = left(deadline)?;
    let is_near = left.abs_diff(told) <= SLACK && !told.is_zero();
    Ok((!is_near).then_some(left))
}

/// What came of a transfer: nothing if it was interrupted, and is to be made again.
fn ended(transfer: io::Result<usize>) -> Option<io::Result<usize>> {
    match transfer {
        Err(error) if error.kind() == ErrorKind::Interrupted => None,
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            Some(Err(ErrorKind::TimedOut.into()))
        }
        ended => Some(ended),
    }
}

impl Read for Socket {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(time) = retold(self.reading, self.deadline)? {
                self.raw.set_read_timeout(time)?;
                self.reading = time;
            }
            let read = match &*self.raw {
                Raw::Tcp(stream) => (&*stream).read(bytes),
                Raw::Unix(stream) => (&*stream).read(bytes),
            };
            if let Some(ended) = ended(read) {
                return ended;
            }
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            if let Some(time) = retold(self.writing, self.deadline)? {
                self.raw.set_write_timeout(time)?;
                self.writing = time;
            }
            let written = match &*self.raw {
                Raw::Tcp(stream) => (&*stream).write(bytes),
                Raw::Unix(stream) => (&*stream).write(bytes),
            };
            if let Some(ended) = ended(written) {
                return ended;
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use nix::sys::pthread::{pthread_kill, pthread_self};
    use nix::sys::signal::Signal;
    use signal_hook::consts::SIGUSR1;

    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(300);

    const LIMIT: Duration = Duration::from_secs(20);

    fn to(port: u16) -> Endpoint {
        Endpoint {
            place: Place::Tcp(String::from("127.0.0.1"), port),
            tls: None,
            connect_timeout: LIMIT,
            keepalive: false,
        }
    }

    #[test]
    fn one_that_its_server_closed_does_not_stand_though_there_is_something_to_be_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let socket = Socket::connect(&to(port), Instant::now() + LIMIT).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        assert!(socket.stands() && socket.is_quiet());
        let until = |is_so: &dyn Fn() -> bool| {
            let began = Instant::now();
            while !is_so() {
                assert!(began.elapsed() < LIMIT);
                thread::yield_now();
            }
        };
        server.write_all(b"a").unwrap();
        until(&|| !socket.is_quiet());
        assert!(socket.stands());
        drop(server);
        until(&|| !socket.stands());
    }

    /// Makes a transfer that cannot end by itself, while signals interrupt it.
    fn interrupted(transfer: impl Fn(&mut Socket) -> io::Result<usize>) {
        signal_hook::flag::register(SIGUSR1, Arc::default()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let began = Instant::now();
        let mut socket = Socket::connect(&to(port), began + LIMIT).unwrap();
        let (deadline, has_ended) = (Instant::now() + TIMEOUT, AtomicBool::new(false));
        socket.set_deadline(deadline);
        let transferring = pthread_self();
        thread::scope(|scope| {
            scope.spawn(|| {
                // Who waits for all of his time again after each signal ends no sooner.
                while !has_ended.load(Ordering::SeqCst) && began.elapsed() < LIMIT {
                    pthread_kill(transferring, Signal::SIGUSR1).unwrap();
                    thread::sleep(Duration::from_millis(5));
                }
            });
            let error = transfer(&mut socket).unwrap_err();
            let ended = Instant::now();
            has_ended.store(true, Ordering::SeqCst);
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert!(ended >= deadline);
            assert!(ended < began + LIMIT, "only when no signals came any more");
        });
    }

    #[test]
    fn a_read_that_signals_interrupt_again_and_again_ends_at_its_deadline() {
        interrupted(|socket| socket.read(&mut [0]));
    }

    #[test]
    fn a_write_that_signals_interrupt_again_and_again_ends_at_its_deadline() {
        // More than the kernel takes for a server that reads nothing.
        let large = vec![0; 64 << 20];
        interrupted(|socket| socket.write_all(&large).map(|()| large.len()));
    }
}
