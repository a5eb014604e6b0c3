use redis::{Cmd, Value};

use crate::failure::{Answer, Failure};
use crate::replies::{text, texts, value};

/// What calls of a server are made on, for one caller: a connection of its own, or a share in one.
pub(crate) struct Connection<'e> {
    exchange: &'e mut dyn Exchange,
    /// Each command is preceded by one that asks for keys which are on their way to this server.
    asks: bool,
}

/// How commands get to the server, and replies back.
pub(crate) trait Exchange {
    /// Where commands are packed.
    fn packed(&mut self) -> &mut Vec<u8>;

    /// Sends what is packed, together; does what is to happen `meanwhile`; hands over each of so many replies, whole, and
    /// in their order. The first error of `each` is the outcome, after all.
    fn exchange(
        &mut self,
        count: usize,
        meanwhile: &mut dyn FnMut(),
        each: &mut dyn FnMut(&[u8]) -> Answer<()>,
    ) -> Answer<()>;

    /// To which connection, by the server's number, the server tells what becomes of keys that were asked for here.
    fn tracks_to(&mut self) -> Option<i64>;

    /// It was told to.
    fn track_to(&mut self, link: i64);
}

impl<'e> Connection<'e> {
    pub(crate) fn on(exchange: &'e mut dyn Exchange) -> Self {
        Self {
            exchange,
            asks: false,
        }
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
        let mut reply = Value::Nil;
        self.exchange(
            [command],
            || {},
            |read| {
                reply = accepted(value(read)?)?;
                Ok(())
            },
        )?;
        Ok(reply)
    }

    /// All commands at once, and the replies to them, each of which may be an error of the server's.
    pub(crate) fn pipeline<'c>(
        &mut self,
        commands: impl IntoIterator<Item = &'c Cmd>,
    ) -> Answer<Vec<Value>> {
        self.pipeline_around(commands, || {})
    }

    /// As `pipeline`. What is to happen `meanwhile` does once the commands are sent, before the replies are waited for.
    pub(crate) fn pipeline_around<'c>(
        &mut self,
        commands: impl IntoIterator<Item = &'c Cmd>,
        meanwhile: impl FnOnce(),
    ) -> Answer<Vec<Value>> {
        let mut replies = Vec::new();
        self.exchange(commands, meanwhile, |read| {
            replies.push(value(read)?);
            Ok(())
        })?;
        Ok(replies)
    }

    /// All commands at once. None of the replies is an error.
    pub(crate) fn all_accepted<'c>(
        &mut self,
        commands: impl IntoIterator<Item = &'c Cmd>,
    ) -> Answer<()> {
        self.exchange(commands, || {}, |read| accepted(value(read)?).map(drop))
    }

    /// One command that asks for a text, of which `found` is told.
    pub(crate) fn text<T>(
        &mut self,
        command: &Cmd,
        found: impl FnOnce(Option<&[u8]>) -> T,
    ) -> Answer<T> {
        let (mut found, mut given) = (Some(found), None);
        self.exchange(
            [command],
            || {},
            |read| {
                let text = text(read)?;
                given = found.take().map(|found| found(text));
                Ok(())
            },
        )?;
        given.ok_or(Failure::Nonsense)
    }

    /// One command that asks for so many texts, of each of which `found` is told.
    pub(crate) fn texts(
        &mut self,
        command: &Cmd,
        count: usize,
        mut found: impl FnMut(Option<&[u8]>),
    ) -> Answer<()> {
        self.exchange(
            [command],
            || {},
            |read| {
                let mut texts = texts(read)?;
                if texts.left() != count {
                    return Err(Failure::Nonsense);
                }
                texts.try_for_each(|text| {
                    found(text?);
                    Ok(())
                })
            },
        )
    }

    /// To which connection, by the server's number, the server tells what becomes of keys that were asked for here.
    pub(crate) fn tracks_to(&mut self) -> Option<i64> {
        self.exchange.tracks_to()
    }

    /// It was told to.
    pub(crate) fn track_to(&mut self, link: i64) {
        self.exchange.track_to(link);
    }

    fn exchange<'c>(
        &mut self,
        commands: impl IntoIterator<Item = &'c Cmd>,
        meanwhile: impl FnOnce(),
        mut each: impl FnMut(&[u8]) -> Answer<()>,
    ) -> Answer<()> {
        let packed = self.exchange.packed();
        packed.clear();
        let mut count = 0;
        for command in commands {
            if self.asks {
                redis::cmd("ASKING").write_packed_command(packed);
                count += 1;
            }
            command.write_packed_command(packed);
            count += 1;
        }
        if count == 0 {
            meanwhile();
            return Ok(());
        }
        let mut meanwhile = Some(meanwhile);
        let mut once = || {
            if let Some(meanwhile) = meanwhile.take() {
                meanwhile();
            }
        };
        if !self.asks {
            return self.exchange.exchange(count, &mut once, &mut each);
        }
        let (mut is_asking, mut refused) = (false, None);
        let mut each = |read: &[u8]| {
            is_asking = !is_asking;
            if is_asking {
                refused = read.starts_with(b"-").then(|| read.to_vec());
                return Ok(());
            }
            each(refused.as_deref().unwrap_or(read))
        };
        self.exchange.exchange(count, &mut once, &mut each)
    }
}

/// The reply, unless it is an error of the server's.
pub(crate) fn accepted(reply: Value) -> Answer<Value> {
    match reply {
        Value::ServerError(error) => Err(Failure::Refused(error)),
        reply => Ok(reply),
    }
}
