use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use redis::{Cmd, Parser, Value};

use crate::failure::{Answer, Failure};
use crate::stream::{Closer, Stream};
use crate::target::Target;

/// A connection, on which one call is made after the other. After a failure that does not keep it, it is not used again:
/// a reply that comes late would be taken for that of another call.
pub(crate) struct Connection {
    stream: Stream,
    parser: Parser,
    packed: Vec<u8>,
    used: Instant,
    /// Each command is preceded by one that asks for keys which are on their way to this server.
    asks: bool,
    /// To which connection, by the server's number, the server tells what becomes of keys that were asked for here.
    pub(crate) tracks_to: Option<i64>,
}

/// A connection that was idle for longer is looked at before it is used: the server may have closed it.
const IDLE: Duration = Duration::from_millis(50);

/// What is kept for packing commands, in bytes.
const PACKED: usize = 64 * 1024;

impl Connection {
    /// Connects and logs in; within the time to connect, and by the deadline.
    pub(crate) fn open(target: &Target, deadline: Instant) -> Answer<Self> {
        let now = Instant::now();
        let connected = deadline.min(now + target.connect_timeout);
        let stream = Stream::connect(target, connected).map_err(Failure::Connect)?;
        let mut connection = Self {
            stream,
            parser: Parser::new(),
            packed: Vec::new(),
            used: now,
            asks: false,
            tracks_to: None,
        };
        connection.begin(deadline);
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
        for reply in connection.pipeline(&commands)? {
            accepted(reply)?;
        }
        Ok(connection)
    }

    /// The next calls end by then.
    pub(crate) fn begin(&mut self, deadline: Instant) {
        self.stream.set_deadline(deadline);
    }

    /// The last call has ended.
    pub(crate) fn rest(&mut self) {
        self.used = Instant::now();
        self.packed.shrink_to(PACKED);
    }

    /// Whether it can be used after it rested.
    pub(crate) fn is_usable(&self) -> bool {
        self.used.elapsed() < IDLE || self.is_quiet()
    }

    /// Whether it stands, with no reply that nobody waits for.
    pub(crate) fn is_quiet(&self) -> bool {
        self.stream.is_quiet()
    }

    /// What ends it from another thread.
    pub(crate) fn closer(&self) -> Answer<Closer> {
        self.stream.closer().map_err(Failure::Broken)
    }

    /// Makes a call, each of whose commands may `ask` for keys that are on their way to this server.
    pub(crate) fn asking<T>(
        &mut self,
        asks: bool,
        call: impl FnOnce(&mut Self) -> Answer<T>,
    ) -> Answer<T> {
        self.asks = asks;
        let answer = call(self);
        self.asks = false;
        answer
    }

    /// One command, and the reply to it, which is no error.
    pub(crate) fn call(&mut self, command: &Cmd) -> Answer<Value> {
        self.packed.clear();
        self.pack(command);
        self.send()?;
        accepted(self.reply()?)
    }

    /// All commands at once, and the replies to them, each of which may be an error of the server's.
    pub(crate) fn pipeline<'c>(
        &mut self,
        commands: impl IntoIterator<Item = &'c Cmd>,
    ) -> Answer<Vec<Value>> {
        self.pipeline_around(commands, || {})
    }

    /// As `pipeline`. What is to happen `meanwhile` does once the commands are sent, before the replies are read.
    pub(crate) fn pipeline_around<'c>(
        &mut self,
        commands: impl IntoIterator<Item = &'c Cmd>,
        meanwhile: impl FnOnce(),
    ) -> Answer<Vec<Value>> {
        self.packed.clear();
        let mut count = 0_usize;
        for command in commands {
            self.pack(command);
            count += 1;
        }
        if count > 0 {
            self.send()?;
        }
        meanwhile();
        (0..count).map(|_| self.reply()).collect()
    }

    /// What the server sends next. A time-out does not spoil it: the rest may be read later.
    pub(crate) fn read(&mut self) -> Answer<Value> {
        let mut reader = Reader {
            stream: &mut self.stream,
            error: None,
        };
        let parsed = self.parser.parse_value(&mut reader);
        parsed.map_err(|error| match reader.error.take() {
            Some(error) => Failure::Broken(error),
            None if error.is_io_error() => Failure::Broken(ErrorKind::UnexpectedEof.into()),
            None => Failure::Nonsense,
        })
    }

    /// Asks for a reply, which `read` gives.
    pub(crate) fn ping(&mut self) -> Answer<()> {
        self.packed.clear();
        redis::cmd("PING").write_packed_command(&mut self.packed);
        self.send()
    }

    fn pack(&mut self, command: &Cmd) {
        if self.asks {
            redis::cmd("ASKING").write_packed_command(&mut self.packed);
        }
        command.write_packed_command(&mut self.packed);
    }

    fn send(&mut self) -> Answer<()> {
        let sent = self.stream.write_all(&self.packed);
        sent.and_then(|()| self.stream.flush())
            .map_err(Failure::Broken)
    }

    fn reply(&mut self) -> Answer<Value> {
        if !self.asks {
            return self.next_reply();
        }
        let asked = self.next_reply()?;
        let reply = self.next_reply()?;
        Ok(match asked {
            Value::ServerError(_) => asked,
            _ => reply,
        })
    }

    fn next_reply(&mut self) -> Answer<Value> {
        loop {
            match self.read()? {
                Value::Push { .. } => {}
                reply => return Ok(reply),
            }
        }
    }
}

/// The stream, whose error is kept: the parser shows its own alone.
struct Reader<'s> {
    stream: &'s mut Stream,
    error: Option<io::Error>,
}

impl Read for Reader<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.stream.read(bytes).map_err(|error| {
            let kind = error.kind();
            self.error = Some(error);
            kind.into()
        })
    }
}

/// The reply, unless it is an error of the server's.
pub(crate) fn accepted(reply: Value) -> Answer<Value> {
    match reply {
        Value::ServerError(error) => Err(Failure::Refused(error)),
        reply => Ok(reply),
    }
}
