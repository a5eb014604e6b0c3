use std::io::{ErrorKind, Read, Write};
use std::ops::Range;
use std::time::Instant;

use dogpile_net::pool::Pooled;
use dogpile_net::stream::Stream;

use crate::command::{Command, Outcome};
use crate::failure::{Answer, Failure};
use crate::target::{Protocol, Target};
use crate::{binary, text};

/// A connection, on which commands are sent and answered in their order. Each has a number, which its reply repeats. After
/// a failure it is not used again: a reply that comes late would be taken for another.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    protocol: Protocol,
    incoming: Box<[u8]>,
    /// What of it was read and not used yet.
    unused: Range<usize>,
    outgoing: Vec<u8>,
    /// Of the next command.
    number: u32,
    /// Whether a part of the replies to what was sent last has come.
    has_begun: bool,
}

/// What is read at once, in bytes.
const READ: usize = 16 * 1024;

/// What is kept for what is sent, in bytes.
const KEPT: usize = 64 * 1024;

/// No line of the text protocol is longer, in bytes.
const LINE: usize = 2048;

/// What a server says in either protocol to who is one too many, before it closes the connection.
pub(crate) const FULL: &[u8] = b"ERROR Too many open connections";

/// A value is believed in so many bytes at a time.
const BELIEVED: usize = 1 << 20;

/// Of commands, from that of the first on.
pub(crate) fn numbers(first: u32) -> impl Iterator<Item = u32> {
    (0..).map(move |at| first.wrapping_add(at))
}

impl Connection {
    /// Connects and logs in; within the time to connect, and by the deadline.
    pub(crate) fn open(target: &Target, deadline: Instant) -> Answer<Self> {
        let stream = Stream::connect(&target.endpoint, deadline).map_err(Failure::Connect)?;
        let mut connection = Self {
            stream,
            protocol: target.protocol,
            incoming: vec![0; READ].into_boxed_slice(),
            unused: 0..0,
            outgoing: Vec::new(),
            number: 0,
            has_begun: false,
        };
        if let Some(login) = &target.login {
            match target.protocol {
                Protocol::Text => text::log_in(&mut connection, login)?,
                Protocol::Binary => binary::log_in(&mut connection, login)?,
            }
        }
        Ok(connection)
    }

    /// What follows ends by then.
    pub(crate) fn begin(&mut self, deadline: Instant) {
        self.stream.set_deadline(deadline);
    }

    /// The last reply has come.
    pub(crate) fn rest(&mut self) {
        self.outgoing.shrink_to(KEPT);
    }

    /// Sends all at once, and gives the number of the first.
    pub(crate) fn send(&mut self, commands: &[&Command]) -> Answer<u32> {
        let first = self.take_numbers(commands.len() + 1);
        self.has_begun = false;
        self.outgoing.clear();
        match self.protocol {
            Protocol::Text => text::write(&mut self.outgoing, commands, first)?,
            Protocol::Binary => binary::write(&mut self.outgoing, commands, first),
        }
        self.flush()?;
        Ok(first)
    }

    /// The replies to what was sent, in its order.
    pub(crate) fn receive(&mut self, commands: &[&Command], first: u32) -> Answer<Vec<Outcome>> {
        let outcomes = match self.protocol {
            Protocol::Text => text::read(self, commands, first),
            Protocol::Binary => binary::read(self, commands, first),
        };
        outcomes.map_err(|failure| match failure {
            Failure::Broken(error) if error.kind() == ErrorKind::TimedOut && self.has_begun => {
                Failure::Slow
            }
            failure => failure,
        })
    }

    /// Whether nothing came beside what was asked for.
    pub(crate) fn has_read_all(&self) -> bool {
        self.unused.is_empty()
    }

    /// Sends what is no command.
    pub(crate) fn send_bytes(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Answer<()> {
        self.outgoing.clear();
        write(&mut self.outgoing);
        let sent = self.flush();
        // It may hold a password.
        self.outgoing.fill(0);
        sent
    }

    /// So many numbers, which no others have had for long.
    pub(crate) fn take_numbers(&mut self, count: usize) -> u32 {
        let first = self.number;
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.number = first.wrapping_add(count);
        first
    }

    fn flush(&mut self) -> Answer<()> {
        let sent = self.stream.write_all(&self.outgoing);
        sent.and_then(|()| self.stream.flush())
            .map_err(Failure::Broken)
    }

    /// The next line, without its end.
    pub(crate) fn line(&mut self) -> Answer<&[u8]> {
        let mut looked_at = 0;
        loop {
            let unused = &self.incoming[self.unused.clone()];
            if let Some(length) = unused[looked_at..].iter().position(|byte| *byte == b'\n') {
                let start = self.unused.start;
                let end = start + looked_at + length;
                self.unused.start = end + 1;
                let line = &self.incoming[start..end];
                let line = line.strip_suffix(b"\r").ok_or(Failure::Nonsense)?;
                return if line == FULL {
                    Err(Failure::Full)
                } else {
                    Ok(line)
                };
            }
            looked_at = unused.len();
            if looked_at > LINE {
                return Err(Failure::Nonsense);
            }
            self.fill()?;
        }
    }

    /// The next bytes.
    pub(crate) fn bytes<const COUNT: usize>(&mut self) -> Answer<[u8; COUNT]> {
        while self.unused.len() < COUNT {
            self.fill()?;
        }
        let mut bytes = [0; COUNT];
        bytes.copy_from_slice(&self.incoming[self.unused.start..][..COUNT]);
        self.unused.start += COUNT;
        Ok(bytes)
    }

    /// The next `count` bytes.
    pub(crate) fn value(&mut self, count: usize) -> Answer<Vec<u8>> {
        let mut value = Vec::with_capacity(count.min(BELIEVED));
        let there = count.min(self.unused.len());
        value.extend_from_slice(&self.incoming[self.unused.start..][..there]);
        self.unused.start += there;
        while value.len() < count {
            let had = value.len();
            value.resize(count.min(had + BELIEVED), 0);
            let read = self
                .stream
                .read(&mut value[had..])
                .map_err(Failure::Broken)?;
            if read == 0 {
                return Err(Failure::Broken(ErrorKind::UnexpectedEof.into()));
            }
            value.truncate(had + read);
        }
        Ok(value)
    }

    /// Reads more, behind what is unused, for which there is room.
    fn fill(&mut self) -> Answer<()> {
        if self.unused.is_empty() {
            self.unused = 0..0;
        } else if self.unused.end == self.incoming.len() {
            self.incoming.copy_within(self.unused.clone(), 0);
            self.unused = 0..self.unused.len();
        }
        let free = &mut self.incoming[self.unused.end..];
        match self.stream.read(free).map_err(Failure::Broken)? {
            0 => Err(Failure::Broken(ErrorKind::UnexpectedEof.into())),
            read => {
                self.has_begun = true;
                self.unused.end += read;
                Ok(())
            }
        }
    }
}

impl Pooled for Connection {
    fn is_quiet(&self) -> bool {
        self.has_read_all() && self.stream.is_quiet()
    }
}
