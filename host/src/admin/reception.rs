//! Lets clients in: some are answered at once, some wait for their turn, and no more.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::socket_peercred;
use rustix::process::Uid;

use super::connection::{serve, turn_away};
use crate::inner::Inner;

/// So many clients are answered at once. Each takes a thread.
const CLIENTS: usize = 16;

/// So many others may wait for that.
const QUEUE: usize = 64;

/// How long one waits before it is turned away. Longer than a client may be silent.
const TURN: Duration = Duration::from_secs(15);

/// How often the host sees whether the socket can be found yet.
const LOOK: Duration = Duration::from_secs(2);

/// How long no client is accepted after the system refused one.
const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// A client's thread, and its stream to wake it by.
type Serving = (JoinHandle<()>, UnixStream);

/// What became of the socket's files since the last look.
pub(super) enum Found {
    InPlace,
    /// They had gone, and this is the socket that was made anew.
    Anew(UnixListener),
    /// Another host has made its own in their place.
    Taken,
}

/// Why nobody is answered any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Stopped,
    /// Another host answers.
    Taken,
}

/// Answers until `stopped` is closed at its other end, or another host does, and then waits for the answers that are on
/// their way. `look` is called every two seconds or so.
pub(super) fn receive(
    mut listener: UnixListener,
    stopped: &OwnedFd,
    host: &Weak<Inner>,
    look: impl Fn() -> Found,
) -> Ended {
    let mut reception = match Reception::new(host) {
        Ok(reception) => reception,
        Err(error) => {
            tracing::error!(target: "dogpile.admin", %error, "nobody can be answered");
            return Ended::Stopped;
        }
    };
    let mut looked = Instant::now();
    let end = loop {
        if reception.next(&listener, stopped) {
            break Ended::Stopped;
        }
        if looked.elapsed() >= LOOK {
            match look() {
                Found::InPlace => {}
                Found::Anew(other) => listener = other,
                Found::Taken => break Ended::Taken,
            }
            looked = Instant::now();
        }
    };
    drop(listener);
    reception.close();
    end
}

struct Reception<'h> {
    host: &'h Weak<Inner>,
    clients: Vec<Serving>,
    /// Those of them that have not ended.
    busy: usize,
    waiting: VecDeque<(UnixStream, Instant)>,
    /// A byte for each client that has ended.
    ended: UnixStream,
    end: Arc<UnixStream>,
}

impl<'h> Reception<'h> {
    fn new(host: &'h Weak<Inner>) -> io::Result<Self> {
        let (ended, end) = UnixStream::pair()?;
        ended.set_nonblocking(true)?;
        Ok(Self {
            host,
            clients: Vec::new(),
            busy: 0,
            waiting: VecDeque::new(),
            ended,
            end: Arc::new(end),
        })
    }

    /// Whatever happens next. Whether it is the end.
    fn next(&mut self, listener: &UnixListener, stopped: &OwnedFd) -> bool {
        let mut ready = [
            PollFd::new(stopped, PollFlags::IN),
            PollFd::new(listener, PollFlags::IN),
            PollFd::new(&self.ended, PollFlags::IN),
        ];
        let polled = poll(&mut ready, Some(&self.patience()));
        let [is_stopped, has_come, has_ended] = ready.map(|one| !one.revents().is_empty());
        if is_stopped {
            return true;
        }
        if has_ended {
            self.count_ended();
        }
        let come = match polled {
            Ok(_) if has_come => listener.accept().and_then(|(stream, _)| self.admit(stream)),
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        };
        match come.and_then(|()| self.seat()) {
            Err(error) if !is_passing(&error) => {
                tracing::debug!(target: "dogpile.admin", %error, "a client was not accepted");
                poll(&mut [PollFd::new(stopped, PollFlags::IN)], Some(&PAUSE)) != Ok(0)
            }
            _ => false,
        }
    }

    /// Until the next look, or until the first of those that wait has waited too long.
    fn patience(&self) -> Timespec {
        let first = self.waiting.front();
        let left = first.map(|(_, since)| TURN.saturating_sub(since.elapsed()));
        let left = left.map_or(LOOK, |left| left.min(LOOK));
        // Rounded up, so that it is over when the poll is.
        let left = left + Duration::from_millis(1);
        Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        }
    }

    fn count_ended(&mut self) {
        let mut bytes = [0; CLIENTS];
        while let Ok(ended @ 1..) = self.ended.read(&mut bytes) {
            self.busy -= ended;
        }
        self.clients.retain(|(thread, _)| !thread.is_finished());
    }

    fn admit(&mut self, stream: UnixStream) -> io::Result<()> {
        let peer = socket_peercred(&stream)?.uid;
        if peer != rustix::process::getuid() && peer != Uid::ROOT {
            tracing::warn!(target: "dogpile.admin", user = peer.as_raw(), "a client of another user was turned away");
            turn_away(stream, "this host belongs to another user");
        } else if self.waiting.len() >= QUEUE {
            turn_away(stream, "the host is answering too many clients; try again");
        } else {
            self.waiting.push_back((stream, Instant::now()));
        }
        Ok(())
    }

    /// Lets those who wait have the threads that are free, in their order.
    fn seat(&mut self) -> io::Result<()> {
        while self.busy < CLIENTS
            && let Some((stream, _)) = self.waiting.pop_front()
        {
            let client = self.begin(stream)?;
            self.clients.push(client);
        }
        while let Some((_, since)) = self.waiting.front()
            && since.elapsed() >= TURN
            && let Some((stream, _)) = self.waiting.pop_front()
        {
            turn_away(stream, "the host is answering too many clients; try again");
        }
        Ok(())
    }

    fn begin(&mut self, stream: UnixStream) -> io::Result<Serving> {
        let other = stream.try_clone()?;
        let (host, end) = (Weak::clone(self.host), End(Arc::clone(&self.end)));
        let thread = thread::Builder::new()
            .name("dogpile-admin-client".to_owned())
            .spawn(move || {
                let _end = end;
                serve(stream, &host);
            });
        // Without a thread the end is told by who drops it here.
        self.busy += 1;
        Ok((thread?, other))
    }

    fn close(self) {
        for (_, stream) in &self.clients {
            // Nothing more is read; an answer that is on its way is still sent.
            if let Err(error) = stream.shutdown(std::net::Shutdown::Read) {
                tracing::trace!(target: "dogpile.admin", %error, "a client had gone");
            }
        }
        drop(self.waiting);
        for (thread, _) in self.clients {
            if thread.join().is_err() {
                tracing::error!(target: "dogpile.admin", "answering a client panicked");
            }
        }
    }
}

/// Tells that a client has ended, also by a panic.
struct End(Arc<UnixStream>);

impl Drop for End {
    fn drop(&mut self) {
        // Without its other end there is nobody to tell.
        let _gone = (&*self.0).write_all(&[0]);
    }
}

fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, Interrupted, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | ConnectionAborted)
}
