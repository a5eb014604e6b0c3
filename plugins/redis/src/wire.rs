use std::io::{ErrorKind, Read, Write};
use std::ops::Range;
use std::time::Instant;

use dogpile_net::halves::{Receiving, Sending};
use dogpile_net::pool::Pooled;
use dogpile_net::socket::Closer;
use dogpile_net::stream::Stream;
use redis::Value;

use crate::connection::{Connection, Exchange};
use crate::failure::{Answer, Failure};
use crate::replies::{Replies, value};
use crate::target::Target;

/// A connection that one caller has at a time, who makes one call after the other. After a failure that does not keep it,
/// it is not used again: a reply that comes late would be taken for that of another call.
pub(crate) struct Wire {
    stream: Stream,
    replies: Replies,
    packed: Vec<u8>,
    tracks_to: Option<i64>,
}

/// What is kept for packing commands, in bytes.
const PACKED: usize = 256 * 1024;

impl Wire {
    /// Connects and logs in; within the time to connect, and by the deadline.
    pub(crate) fn open(target: &Target, deadline: Instant) -> Answer<Self> {
        let stream = Stream::connect(&target.endpoint, deadline).map_err(Failure::Connect)?;
        let mut wire = Self {
            stream,
            replies: Replies::new(),
            packed: Vec::new(),
            tracks_to: None,
        };
        let mut commands = Vec::new();
        if let Some(password) = &target.password {
            let mut login = redis::cmd("AUTH");
            if let Some(user) = &target.username {
                login.arg(user);
            }
            login.arg(password.reveal());
            commands.push(login);
        }
        if target.database != 0 {
            let mut select = redis::cmd("SELECT");
            select.arg(target.database);
            commands.push(select);
        }
        wire.calls().all_accepted(&commands)?;
        Ok(wire)
    }

    /// What calls are made on.
    pub(crate) fn calls(&mut self) -> Connection<'_> {
        Connection::on(self)
    }

    /// The next calls end by then.
    pub(crate) fn begin(&mut self, deadline: Instant) {
        self.stream.set_deadline(deadline);
    }

    /// The last call has ended.
    pub(crate) fn rest(&mut self) {
        self.packed.clear();
        self.packed.shrink_to(PACKED);
        self.replies.rest();
    }

    /// What ends it from another thread.
    pub(crate) fn closer(&self) -> Closer {
        self.stream.closer()
    }

    /// Its two directions, for calls that are under way at once. Nothing is to be read.
    pub(crate) fn halves(self) -> (Receiving, Sending) {
        self.stream.halves()
    }

    /// What the server sends next. A time-out does not spoil it: the rest may be read later.
    pub(crate) fn read(&mut self) -> Answer<Value> {
        let next = self.next()?;
        value(self.replies.get(next))
    }

    /// Asks for a reply, which `read` gives.
    pub(crate) fn ping(&mut self) -> Answer<()> {
        self.packed.clear();
        redis::cmd("PING").write_packed_command(&mut self.packed);
        self.send()
    }

    fn send(&mut self) -> Answer<()> {
        let sent = self.stream.write_all(&self.packed);
        sent.and_then(|()| self.stream.flush())
            .map_err(Failure::Broken)
    }

    fn next(&mut self) -> Answer<Range<usize>> {
        loop {
            if let Some(reply) = self.replies.next()? {
                return Ok(reply);
            }
            match self.stream.read(self.replies.room()) {
                Ok(0) => return Err(Failure::Broken(ErrorKind::UnexpectedEof.into())),
                Ok(length) => self.replies.came(length),
                Err(error) => return Err(Failure::Broken(error)),
            }
        }
    }
}

impl Pooled for Wire {
    fn is_quiet(&self) -> bool {
        self.stream.is_quiet()
    }
}

impl Exchange for Wire {
    fn packed(&mut self) -> &mut Vec<u8> {
        &mut self.packed
    }

    fn exchange(
        &mut self,
        count: usize,
        meanwhile: &mut dyn FnMut(),
        each: &mut dyn FnMut(&[u8]) -> Answer<()>,
    ) -> Answer<()> {
        self.send()?;
        meanwhile();
        let mut outcome = Ok(());
        for _ in 0..count {
            let mut next = self.next()?;
            while self.replies.get(next.clone()).starts_with(b">") {
                next = self.next()?;
            }
            // Whatever one is, the others are read too.
            let read = each(self.replies.get(next));
            outcome = outcome.and(read);
        }
        outcome
    }

    fn tracks_to(&mut self) -> Option<i64> {
        self.tracks_to
    }

    fn track_to(&mut self, link: i64) {
        self.tracks_to = Some(link);
    }
}
