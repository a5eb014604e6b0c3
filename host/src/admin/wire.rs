//! Messages on a stream, bounded in size and time.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::net::{SendFlags, send};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::protocol::{AnyLine, Line, VERSION};

const CHUNK: usize = 64 * 1024;

/// How much a message may have.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) line: usize,
    pub(super) body: usize,
}

/// What a host takes.
pub(super) const REQUEST: Limits = Limits {
    line: 1 << 20,
    body: 16 << 20,
};

/// What the command takes of its host, which it trusts: a limit to notice damage by.
pub(super) const ANSWER: Limits = Limits {
    line: 256 << 20,
    body: 1 << 30,
};

/// A stream of messages.
pub(super) struct Wire {
    stream: UnixStream,
    /// Read, and not used yet.
    ahead: Vec<u8>,
    limits: Limits,
}

/// Why there is no message. `Refused` is worth an answer.
#[derive(Debug)]
pub(super) enum Broken {
    Io(io::Error),
    Refused(String),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Wire {
    pub(super) fn new(stream: UnixStream, limits: Limits) -> Self {
        Self {
            stream,
            ahead: Vec::new(),
            limits,
        }
    }

    /// The next message with its body; `None` at the end of the stream. It must be whole within `time`.
    pub(super) fn read<T: DeserializeOwned>(
        &mut self,
        time: Option<Duration>,
    ) -> Result<Option<(T, Vec<u8>)>, Broken> {
        let deadline = time.map(|time| Instant::now() + time);
        let Some(line) = self.line(deadline)? else {
            return Ok(None);
        };
        let line = parse(&line)?;
        if line.body > self.limits.body {
            return Err(Broken::Refused(format!(
                "a body of {} bytes is too large: {} is the most",
                line.body, self.limits.body
            )));
        }
        while self.ahead.len() < line.body {
            if self.more(deadline)? == 0 {
                return Err(ended());
            }
        }
        let rest = self.ahead.split_off(line.body);
        Ok(Some((
            line.message,
            std::mem::replace(&mut self.ahead, rest),
        )))
    }

    /// Sends a message, which must be taken within `time`.
    pub(super) fn write<T: Serialize>(
        &mut self,
        message: T,
        body: &[u8],
        time: Option<Duration>,
    ) -> io::Result<()> {
        let deadline = time.map(|time| Instant::now() + time);
        self.send(&line_of(message, body.len())?, deadline)?;
        self.send(body, deadline)
    }

    fn line(&mut self, deadline: Option<Instant>) -> Result<Option<Vec<u8>>, Broken> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.ahead[searched..]
                .iter()
                .position(|byte| *byte == b'\n')
            {
                let rest = self.ahead.split_off(searched + end + 1);
                return Ok(Some(std::mem::replace(&mut self.ahead, rest)));
            }
            searched = self.ahead.len();
            if searched > self.limits.line {
                let most = self.limits.line;
                return Err(Broken::Refused(format!(
                    "a line is too long: {most} bytes is the most"
                )));
            }
            if self.more(deadline)? == 0 {
                return if searched == 0 {
                    Ok(None)
                } else {
                    Err(ended())
                };
            }
        }
    }

    /// Reads on; 0 at the end.
    fn more(&mut self, deadline: Option<Instant>) -> io::Result<usize> {
        let start = self.ahead.len();
        self.ahead.resize(start + CHUNK, 0);
        let read = loop {
            self.stream.set_read_timeout(left(deadline)?)?;
            match self.stream.read(&mut self.ahead[start..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.ahead.truncate(start + *read.as_ref().unwrap_or(&0));
        read
    }

    fn send(&mut self, mut bytes: &[u8], deadline: Option<Instant>) -> io::Result<()> {
        while !bytes.is_empty() {
            self.stream.set_write_timeout(left(deadline)?)?;
            // By parts, so that the deadline is looked at in between.
            match self.stream.write(&bytes[..bytes.len().min(CHUNK)]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Sends a message without a body if it fits in at once, whoever reads or writes the stream meanwhile.
pub(super) fn send_now<T: Serialize>(stream: &UnixStream, message: T) -> io::Result<()> {
    let line = line_of(message, 0)?;
    // Of a stream's buffer that has too little room for so short a line nothing is taken.
    send(stream, &line, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?;
    Ok(())
}

fn line_of<T: Serialize>(message: T, body: usize) -> io::Result<Vec<u8>> {
    let line = Line {
        version: VERSION,
        message,
        body,
    };
    let mut line = serde_json::to_vec(&line)?;
    line.push(b'\n');
    Ok(line)
}

fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<Line<T>, Broken> {
    let malformed = |error: serde_json::Error| Broken::Refused(format!("not a message: {error}"));
    let any: AnyLine = serde_json::from_slice(line).map_err(malformed)?;
    if any.version != VERSION {
        return Err(Broken::Refused(format!(
            "a message of version {} of the protocol, and this program speaks version {VERSION}; use the command \
             and the library of one release",
            any.version
        )));
    }
    serde_json::from_slice(line).map_err(malformed)
}

fn ended() -> Broken {
    Broken::Io(io::ErrorKind::UnexpectedEof.into())
}

/// The time that is left, which is more than none: as a timeout, zero would mean for ever.
fn left(deadline: Option<Instant>) -> io::Result<Option<Duration>> {
    let Some(deadline) = deadline else {
        return Ok(None);
    };
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(Some(left))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const SMALL: Limits = Limits {
        line: 100,
        body: 10,
    };

    /// What a reader with small limits makes of these bytes.
    fn read(bytes: &[u8]) -> Vec<Result<(u32, Vec<u8>), Broken>> {
        let (mut theirs, ours) = UnixStream::pair().unwrap();
        let mut wire = Wire::new(ours, SMALL);
        theirs.write_all(bytes).unwrap();
        drop(theirs);
        let mut all = Vec::new();
        loop {
            match wire.read(None) {
                Ok(None) => return all,
                Ok(Some(message)) => all.push(Ok(message)),
                Err(broken) => {
                    all.push(Err(broken));
                    return all;
                }
            }
        }
    }

    #[test]
    fn messages_follow_each_other_with_and_without_bodies() {
        let bytes =
            b"{\"version\":1,\"message\":1,\"body\":3}\na\nb{\"version\":1,\"message\":2}\n";
        let all: Vec<_> = read(bytes).into_iter().map(Result::unwrap).collect();
        assert_eq!(all, [(1, b"a\nb".to_vec()), (2, Vec::new())]);
    }

    #[test]
    fn what_is_no_message_is_refused_with_the_reason() {
        let long = [b'x'; 200];
        for (bytes, reason) in [
            (&b"garbage\n"[..], "not a message"),
            (b"{\"version\":1}\n", "not a message"),
            (b"{\"version\":2,\"message\":1}\n", "version 2"),
            (
                b"{\"version\":1,\"message\":1,\"body\":11}\n",
                "11 bytes is too large",
            ),
            (&long, "too long"),
        ] {
            match read(bytes).remove(0) {
                Err(Broken::Refused(text)) => assert!(text.contains(reason), "{text}"),
                other => panic!("{reason}: {other:?}"),
            }
        }
    }

    #[test]
    fn half_a_message_is_no_message() {
        for bytes in [
            &b"{\"version\":1"[..],
            b"{\"version\":1,\"message\":1,\"body\":3}\nab",
        ] {
            assert!(matches!(read(bytes)[..], [Err(Broken::Io(_))]));
        }
    }

    #[test]
    fn a_sender_which_never_ends_is_given_up_at_the_deadline() {
        let (mut theirs, ours) = UnixStream::pair().unwrap();
        let sender = thread::spawn(move || while theirs.write_all(b" ").is_ok() {});
        let limits = Limits {
            line: usize::MAX,
            body: 0,
        };
        let mut wire = Wire::new(ours, limits);
        let given_up = wire.read::<u32>(Some(Duration::from_millis(20)));
        assert!(matches!(given_up, Err(Broken::Io(_))));
        drop(wire);
        sender.join().unwrap();
    }

    #[test]
    fn who_does_not_read_is_given_up_at_the_deadline() {
        let (theirs, ours) = UnixStream::pair().unwrap();
        let mut wire = Wire::new(ours, SMALL);
        let sent = wire.write(1, &vec![0; 16 << 20], Some(Duration::from_millis(20)));
        assert!(sent.is_err());
        drop(theirs);
    }
}
