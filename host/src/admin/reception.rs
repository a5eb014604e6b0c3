//! Lets clients in: some are answered at once, some wait for their turn, and no more.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::process::Uid;

use super::connection::{Desk, serve, turn_away};
use super::files::Found;
use crate::inner::Inner;

/// So many clients are answered at once. Each takes a thread.
const CLIENTS: usize = 16;

/// So many others may wait for that.
const QUEUE: usize = 64;

/// How long one waits before it is turned away. Longer than a client may be silent.
const TURN: Duration = Duration::from_secs(15);

/// How often the host sees whether the socket can be found yet.
const LOOK: Duration = Duration::from_secs(2);

/// What those are told for whom there was no thread in time.
const TOO_MANY: &str = "the host is answering too many clients; try again";

/// How long no client is accepted after the system refused one.
const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// How often a client is told that its request is worked at.
const BEAT: Duration = Duration::from_secs(2);

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
        reception.tell();
        if looked.elapsed() >= LOOK {
            match look() {
                Found::InPlace => {}
                Found::Anew(other) => {
                    let before = std::mem::replace(&mut listener, other);
                    reception.admit_all(&before);
                }
                Found::Taken => {
                    reception.admit_all(&listener);
                    break Ended::Taken;
                }
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
    clients: Vec<(JoinHandle<()>, Arc<Desk>)>,
    /// Those of them that have not ended.
    busy: usize,
    waiting: VecDeque<(UnixStream, Instant)>,
    /// When the clients were told last that their requests are worked at.
    told: Instant,
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
            told: Instant::now(),
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
        timespec(left + Duration::from_millis(1))
    }

    fn tell(&mut self) {
        if self.told.elapsed() >= BEAT {
            self.told = Instant::now();
            for (_, desk) in &self.clients {
                desk.tell();
            }
        }
    }

    fn count_ended(&mut self) {
        let mut bytes = [0; CLIENTS];
        while let Ok(ended @ 1..) = self.ended.read(&mut bytes) {
            self.busy -= ended;
        }
        self.clients.retain(|(thread, _)| !thread.is_finished());
    }

    /// Those who came while their socket was still this one's.
    fn admit_all(&mut self, listener: &UnixListener) {
        while let Ok((stream, _)) = listener.accept() {
            if let Err(error) = self.admit(stream) {
                tracing::debug!(target: "dogpile.admin", %error, "a client was not accepted");
            }
        }
    }

    fn admit(&mut self, stream: UnixStream) -> io::Result<()> {
        let peer = socket_peercred(&stream)?.uid;
        if peer != rustix::process::getuid() && peer != Uid::ROOT {
            tracing::warn!(target: "dogpile.admin", user = peer.as_raw(), "a client of another user was turned away");
            turn_away(stream, "this host belongs to another user");
        } else if self.waiting.len() >= QUEUE {
            turn_away(stream, TOO_MANY);
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
            turn_away(stream, TOO_MANY);
        }
        Ok(())
    }

    fn begin(&mut self, stream: UnixStream) -> io::Result<(JoinHandle<()>, Arc<Desk>)> {
        let desk = Arc::new(Desk::new(stream.try_clone()?));
        let host = Weak::clone(self.host);
        let end = End {
            desk: Arc::clone(&desk),
            told: Arc::clone(&self.end),
        };
        let thread = thread::Builder::new()
            .name("dogpile-admin-client".to_owned())
            .spawn(move || {
                let end = end;
                serve(stream, &end.desk, &host);
            });
        // Without a thread the end is told by who drops it here.
        self.busy += 1;
        Ok((thread?, desk))
    }

    /// Waits for the answers that are on their way.
    fn close(mut self) {
        for (_, desk) in &self.clients {
            desk.close();
        }
        for (stream, _) in std::mem::take(&mut self.waiting) {
            turn_away(stream, "the host stops answering here; try again");
        }
        while self.busy > 0 {
            let mut ended = [PollFd::new(&self.ended, PollFlags::IN)];
            if let Err(error) = poll(&mut ended, Some(&timespec(BEAT)))
                && error != Errno::INTR
            {
                tracing::debug!(target: "dogpile.admin", %error, "clients are not told that their requests are worked at");
                break;
            }
            self.count_ended();
            self.tell();
        }
        for (thread, _) in self.clients {
            if thread.join().is_err() {
                tracing::error!(target: "dogpile.admin", "answering a client panicked");
            }
        }
    }
}

/// Hangs up and tells that a client has ended, also by a panic.
struct End {
    desk: Arc<Desk>,
    told: Arc<UnixStream>,
}

impl Drop for End {
    fn drop(&mut self) {
        self.desk.hang_up();
        // Without its other end there is nobody to tell.
        let _gone = (&*self.told).write_all(&[0]);
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, Interrupted, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | ConnectionAborted)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::path::Path;

    use super::*;

    fn listening(path: &Path) -> UnixListener {
        let listener = UnixListener::bind(path).unwrap();
        listener.set_nonblocking(true).unwrap();
        listener
    }

    /// What a client is told that comes when a look is taken, whose outcome is `found`.
    fn told(found: impl FnOnce(&Path) -> Found) -> (Ended, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let listener = listening(&path);
        let (stop, stopped) = UnixStream::pair().unwrap();
        let stop = RefCell::new(Some(stop));
        let found = RefCell::new(Some(found));
        let client = RefCell::new(None);
        let ended = receive(listener, &stopped.into(), &Weak::new(), || {
            let Some(found) = found.take() else {
                stop.take();
                return Found::InPlace;
            };
            let mut come = UnixStream::connect(&path).unwrap();
            come.write_all(b"x\n").unwrap();
            client.replace(Some(come));
            std::fs::remove_file(&path).unwrap();
            found(&path)
        });
        let mut answer = String::new();
        let read = client.take().unwrap().read_to_string(&mut answer);
        (ended, format!("{answer}{read:?}"))
    }

    #[test]
    fn who_came_to_the_old_socket_is_answered() {
        let (ended, answer) = told(|path| Found::Anew(listening(path)));
        assert_eq!(ended, Ended::Stopped);
        assert!(answer.contains("not a message"), "{answer}");
    }

    #[test]
    fn who_waits_when_another_host_has_the_socket_is_turned_away() {
        let (ended, answer) = told(|_| Found::Taken);
        assert_eq!(ended, Ended::Taken);
        assert!(
            answer.contains("stops answering here; try again"),
            "{answer}"
        );
    }
}
