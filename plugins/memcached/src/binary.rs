//! The binary protocol.

use crate::command::{Command, Item, Outcome, Refusal, Reply, Store, When};
use crate::connection::{Connection, FULL, numbers};
use crate::failure::{Answer, Failure};
use crate::target::Login;
use crate::values::LARGEST;

const REQUEST: u8 = 0x80;
const RESPONSE: u8 = 0x81;

const GET: u8 = 0x00;
const SET: u8 = 0x01;
const ADD: u8 = 0x02;
const DELETE: u8 = 0x04;
/// As `GET`, of which only what is there is told.
const GET_QUIETLY: u8 = 0x09;
const NOTHING: u8 = 0x0a;
const APPEND: u8 = 0x0e;
const LOG_IN: u8 = 0x21;

const DONE: u16 = 0x00;
const ABSENT: u16 = 0x01;
const PRESENT: u16 = 0x02;
const TOO_LARGE: u16 = 0x03;
const NOT_STORED: u16 = 0x05;
const NOT_LET_IN: u16 = 0x20;
const MORE: u16 = 0x21;
const UNKNOWN: u16 = 0x81;
const OUT_OF_MEMORY: u16 = 0x82;

/// A reply has no more bytes beside its value.
const EXTRA: usize = 1024;

/// SASL, by the mechanism PLAIN.
pub(crate) fn log_in(on: &mut Connection, login: &Login) -> Answer<()> {
    let number = on.take_numbers(1);
    on.send_bytes(|out| {
        let value = format!("\0{}\0{}", login.username, login.password.reveal());
        let head = Head {
            command: LOG_IN,
            number,
            cas: 0,
        };
        head.write(out, &[], "PLAIN", value.as_bytes());
    })?;
    let response = Response::read(on, LOG_IN, number)?;
    match response.status {
        DONE => Ok(()),
        NOT_LET_IN | MORE => Err(Failure::Login(response.said())),
        UNKNOWN => Err(Failure::Login(String::from(
            "it has no logins: leave `username` and `password` out, or start it with `-S`",
        ))),
        _ => Err(Failure::Rejected(response.said())),
    }
}

/// Puts all of them into what is sent. Several reads are asked for quietly, and a command of no effect ends them.
pub(crate) fn write(out: &mut Vec<u8>, commands: &[&Command], first: u32) {
    let quietly = are_quiet(commands);
    for (command, number) in commands.iter().zip(numbers(first)) {
        let head = |command, cas| Head {
            command,
            number,
            cas,
        };
        match command {
            Command::Get(key) | Command::Look(key) => {
                let get = if quietly { GET_QUIETLY } else { GET };
                head(get, 0).write(out, &[], key, &[]);
            }
            Command::Store(Store {
                key,
                bytes,
                flags,
                ttl,
                when,
            }) => {
                let (store, cas) = match when {
                    When::Always => (SET, 0),
                    When::Absent => (ADD, 0),
                    When::Unchanged(cas) => (SET, *cas),
                };
                let mut extras = [0; 8];
                extras[..4].copy_from_slice(&flags.to_be_bytes());
                extras[4..].copy_from_slice(&ttl.to_be_bytes());
                head(store, cas).write(out, &extras, key, bytes);
            }
            Command::Append { key, bytes, cas } => head(APPEND, *cas).write(out, &[], key, bytes),
            Command::Delete { key, cas } => {
                head(DELETE, cas.unwrap_or(0)).write(out, &[], key, &[]);
            }
            Command::Ping => head(NOTHING, 0).write(out, &[], "", &[]),
        }
    }
    if quietly {
        let number = end(first, commands);
        Head {
            command: NOTHING,
            number,
            cas: 0,
        }
        .write(out, &[], "", &[]);
    }
}

/// The replies to all of them.
pub(crate) fn read(on: &mut Connection, commands: &[&Command], first: u32) -> Answer<Vec<Outcome>> {
    if are_quiet(commands) {
        return read_quiet(on, commands, first);
    }
    commands
        .iter()
        .zip(numbers(first))
        .map(|(command, number)| {
            let expected = match command {
                Command::Get(_) | Command::Look(_) => GET,
                Command::Store(Store {
                    when: When::Absent, ..
                }) => ADD,
                Command::Store(_) => SET,
                Command::Append { .. } => APPEND,
                Command::Delete { .. } => DELETE,
                Command::Ping => NOTHING,
            };
            Response::read(on, expected, number)?.outcome(command)
        })
        .collect()
}

/// Whether only what is there is told.
fn are_quiet(commands: &[&Command]) -> bool {
    commands.len() > 1 && commands.iter().all(|command| command.is_read())
}

fn read_quiet(on: &mut Connection, commands: &[&Command], first: u32) -> Answer<Vec<Outcome>> {
    let mut outcomes = vec![Ok(Reply::Absent); commands.len()];
    let end = end(first, commands);
    let mut next = 0;
    loop {
        let response = Response::read_any(on)?;
        if response.command == NOTHING && response.number == end {
            return Ok(outcomes);
        }
        // Replies come in the order of the commands.
        let at = response.number.wrapping_sub(first) as usize;
        let expected = response.command == GET_QUIETLY && at >= next;
        let (true, Some(command)) = (expected, commands.get(at)) else {
            return Err(Failure::Nonsense);
        };
        outcomes[at] = response.outcome(command)?;
        next = at + 1;
    }
}

/// The number of the command that ends quiet ones.
fn end(first: u32, commands: &[&Command]) -> u32 {
    first.wrapping_add(u32::try_from(commands.len()).unwrap_or(u32::MAX))
}

struct Head {
    command: u8,
    number: u32,
    cas: u64,
}

impl Head {
    fn write(&self, out: &mut Vec<u8>, extras: &[u8], key: &str, value: &[u8]) {
        // Keys and values were looked at before.
        let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let key_length = u16::try_from(key.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&[REQUEST, self.command]);
        out.extend_from_slice(&key_length.to_be_bytes());
        out.extend_from_slice(&[u8::try_from(extras.len()).unwrap_or(u8::MAX), 0, 0, 0]);
        out.extend_from_slice(&length(extras.len() + key.len() + value.len()).to_be_bytes());
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(&self.cas.to_be_bytes());
        out.extend_from_slice(extras);
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(value);
    }
}

struct Response {
    command: u8,
    status: u16,
    number: u32,
    cas: u64,
    flags: Option<u32>,
    value: Vec<u8>,
}

impl Response {
    /// The one to that command.
    fn read(on: &mut Connection, command: u8, number: u32) -> Answer<Self> {
        let response = Self::read_any(on)?;
        if response.command != command || response.number != number {
            return Err(Failure::Nonsense);
        }
        Ok(response)
    }

    fn read_any(on: &mut Connection) -> Answer<Self> {
        let head = on.bytes::<24>()?;
        if FULL.starts_with(&head) {
            return Err(Failure::Full);
        }
        let [
            magic,
            command,
            k1,
            k0,
            extras,
            _,
            s1,
            s0,
            b3,
            b2,
            b1,
            b0,
            n3,
            n2,
            n1,
            n0,
            cas @ ..,
        ] = head;
        let key = usize::from(u16::from_be_bytes([k1, k0]));
        let (body, extras) = (
            u32::from_be_bytes([b3, b2, b1, b0]) as usize,
            usize::from(extras),
        );
        if magic != RESPONSE || body > LARGEST + EXTRA || extras + key > body {
            return Err(Failure::Nonsense);
        }
        let flags = match extras {
            4 => Some(u32::from_be_bytes(on.bytes()?)),
            extras => {
                on.value(extras)?;
                None
            }
        };
        on.value(key)?;
        Ok(Self {
            command,
            status: u16::from_be_bytes([s1, s0]),
            number: u32::from_be_bytes([n3, n2, n1, n0]),
            cas: u64::from_be_bytes(cas),
            flags,
            value: on.value(body - extras - key)?,
        })
    }

    fn outcome(self, command: &Command) -> Answer<Outcome> {
        let reply = match (self.status, command) {
            (DONE, Command::Get(_) | Command::Look(_)) => Reply::Found(Item {
                flags: self.flags.ok_or(Failure::Nonsense)?,
                cas: self.cas,
                bytes: self.value,
            }),
            (DONE, _) => Reply::Done(self.cas),
            (NOT_STORED, Command::Append { .. }) | (ABSENT, _) => Reply::Absent,
            (NOT_STORED | PRESENT, _) => Reply::Present,
            (TOO_LARGE, _) => return Ok(Err(Refusal::TooLarge)),
            (OUT_OF_MEMORY, _) => return Ok(Err(Refusal::OutOfMemory)),
            (NOT_LET_IN, _) => return Err(Failure::Login(self.said())),
            (UNKNOWN, _) => return Err(Failure::Rejected(self.said())),
            _ => return Ok(Err(Refusal::Other(self.said()))),
        };
        Ok(Ok(reply))
    }

    /// The text of an error.
    fn said(&self) -> String {
        let said = String::from_utf8_lossy(&self.value);
        format!("{said} (status {:#x})", self.status)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn written(commands: &[Command]) -> Vec<u8> {
        let commands: Vec<&Command> = commands.iter().collect();
        let mut out = Vec::new();
        // Numbers go on from the greatest to the least.
        write(&mut out, &commands, u32::MAX);
        out
    }

    /// What is sent: command, number, compare-and-set number, extras, key and value.
    fn sent(command: u8, number: u32, cas: u64, [extras, key, value]: [&[u8]; 3]) -> Vec<u8> {
        let body = u8::try_from(extras.len() + key.len() + value.len()).unwrap();
        let (keys, extra) = (
            key.len().try_into().unwrap(),
            extras.len().try_into().unwrap(),
        );
        let mut sent = vec![0x80, command, 0, keys, extra, 0, 0, 0, 0, 0, 0, body];
        sent.extend(number.to_be_bytes());
        sent.extend(cas.to_be_bytes());
        sent.extend([extras, key, value].concat());
        sent
    }

    #[test]
    fn several_reads_are_quiet_and_ended_and_one_is_not() {
        let (key, none): (_, &[u8]) = ("key", &[]);
        assert_eq!(
            written(&[Command::Get(key)]),
            sent(0x00, u32::MAX, 0, [none, b"key", none])
        );
        let expected = [
            sent(0x09, u32::MAX, 0, [none, b"key", none]),
            sent(0x09, 0, 0, [none, b"other", none]),
            sent(0x0a, 1, 0, [none; 3]),
        ];
        let reads = [Command::Get(key), Command::Look("other")];
        assert_eq!(written(&reads), expected.concat());
    }

    #[test]
    fn what_changes_something_is_answered_each_by_itself() {
        let (key, bytes, cas, none): (_, &[u8], _, &[u8]) = ("key", b"!", 7, &[]);
        let store = |when| {
            Command::Store(Store {
                key,
                bytes: Cow::Borrowed(b"value"),
                flags: 24,
                ttl: 60,
                when,
            })
        };
        let extras = [0, 0, 0, 24, 0, 0, 0, 60];
        for (command, expected) in [
            (
                store(When::Always),
                sent(0x01, u32::MAX, 0, [&extras, b"key", b"value"]),
            ),
            (
                store(When::Absent),
                sent(0x02, u32::MAX, 0, [&extras, b"key", b"value"]),
            ),
            (
                store(When::Unchanged(7)),
                sent(0x01, u32::MAX, 7, [&extras, b"key", b"value"]),
            ),
            (
                Command::Append { key, bytes, cas },
                sent(0x0e, u32::MAX, 7, [none, b"key", b"!"]),
            ),
            (
                Command::Delete { key, cas: None },
                sent(0x04, u32::MAX, 0, [none, b"key", none]),
            ),
            (
                Command::Delete { key, cas: Some(7) },
                sent(0x04, u32::MAX, 7, [none, b"key", none]),
            ),
            (Command::Ping, sent(0x0a, u32::MAX, 0, [none; 3])),
        ] {
            assert_eq!(
                written(std::slice::from_ref(&command)),
                expected,
                "{command:?}"
            );
        }
    }
}
