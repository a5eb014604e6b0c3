//! A proxy between a client and a server that does to the server's replies what networks do.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::net::connect_unspec;

/// What becomes of what the server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// It arrives once there is another fault, or none.
    Held,
    /// It does not arrive, and the connection stands.
    Silence,
    /// It arrives byte by byte.
    Slices,
    /// It arrives byte by byte, with so much time in between.
    Trickle(Duration),
    /// So late.
    Late(Duration),
    /// So late, the first half of it arrives, and the rest does not.
    LateHalf(Duration),
    /// The connection is reset before it.
    Reset,
    /// The first half arrives, then the connection is reset.
    HalfThenReset,
    /// The first half arrives, then the stream ends.
    HalfThenEnd,
    /// Other bytes arrive in its place.
    Garbage(&'static [u8]),
    /// Connections are taken and ended at once.
    Refuse,
}

/// The proxy; ended with this.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    server: AtomicU16,
    accepted: AtomicUsize,
    fault: Mutex<Fault>,
    ended: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// To a server on that port.
    pub(crate) fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            server: AtomicU16::new(server),
            accepted: AtomicUsize::new(0),
            fault: Mutex::new(Fault::None),
            ended: AtomicBool::new(false),
            streams: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        let thread = thread::spawn(move || accepting.accept(&listener));
        Self {
            port,
            shared,
            thread: Some(thread),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// From now on, on connections that stand too.
    pub(crate) fn set(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap() = fault;
    }

    /// New connections lead to the server on that port from now on.
    pub(crate) fn lead(&self, server: u16) {
        self.shared.server.store(server, Ordering::SeqCst);
    }

    /// How many connections there were, with those that were refused.
    pub(crate) fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Ends all connections.
    pub(crate) fn cut(&self) {
        for stream in self.shared.streams.lock().unwrap().drain(..) {
            let _ended = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.cut();
        // Wakes the thread that accepts.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        let _ended = self.thread.take().map(JoinHandle::join);
        self.cut();
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        while let Ok((client, _)) = listener.accept() {
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            self.accepted.fetch_add(1, Ordering::SeqCst);
            if self.fault() == Fault::Refuse {
                continue;
            }
            let Ok(server) = TcpStream::connect(("127.0.0.1", self.server.load(Ordering::SeqCst)))
            else {
                continue;
            };
            let mut streams = self.streams.lock().unwrap();
            streams.extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
            drop(streams);
            let (to_server, from_client) =
                (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || forward(from_client, to_server));
            let shared = Arc::clone(self);
            thread::spawn(move || shared.replies(server, client));
        }
    }

    fn fault(&self) -> Fault {
        *self.fault.lock().unwrap()
    }

    fn replies(&self, mut server: TcpStream, mut client: TcpStream) {
        let mut bytes = vec![0; 1 << 16];
        let mut is_whole = true;
        while let Ok(length @ 1..) = server.read(&mut bytes) {
            // A stream that has lost something does not go on as if nothing had been.
            if !is_whole {
                continue;
            }
            match self.reply(&mut client, &bytes[..length]) {
                Ok(arrived) => is_whole = arrived,
                Err(_) => break,
            }
        }
        let _ended = client.shutdown(Shutdown::Both);
        let _ended = server.shutdown(Shutdown::Both);
    }

    /// Whether it arrived, be it late. An error ends the connection.
    fn reply(&self, client: &mut TcpStream, bytes: &[u8]) -> std::io::Result<bool> {
        let half = &bytes[..bytes.len() / 2];
        let reset = |client: &TcpStream| {
            // Linux resets a connection whose socket is taken from it.
            connect_unspec(client)?;
            Err(std::io::ErrorKind::ConnectionReset.into())
        };
        let mut fault = self.fault();
        while fault == Fault::Held {
            thread::sleep(Duration::from_millis(1));
            fault = self.fault();
        }
        match fault {
            Fault::None | Fault::Held | Fault::Refuse => client.write_all(bytes),
            Fault::Silence => Ok(()),
            Fault::Slices => bytes.iter().try_for_each(|byte| client.write_all(&[*byte])),
            Fault::Trickle(time) => bytes.iter().try_for_each(|byte| {
                thread::sleep(time);
                client.write_all(&[*byte])
            }),
            Fault::Late(time) => {
                thread::sleep(time);
                client.write_all(bytes)
            }
            Fault::LateHalf(time) => {
                thread::sleep(time);
                client.write_all(half)
            }
            Fault::Reset => reset(client),
            Fault::HalfThenReset => {
                client.write_all(half)?;
                reset(client)
            }
            Fault::HalfThenEnd => {
                client.write_all(half)?;
                Err(std::io::ErrorKind::UnexpectedEof.into())
            }
            Fault::Garbage(garbage) => client.write_all(garbage),
        }?;
        Ok(!matches!(
            fault,
            Fault::Silence | Fault::LateHalf(_) | Fault::Garbage(_)
        ))
    }
}

fn forward(mut client: TcpStream, mut server: TcpStream) {
    let _ended = std::io::copy(&mut client, &mut server);
    let _ended = server.shutdown(Shutdown::Both);
}
