//! What the store is asked and what it answers: a line of JSON each.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Result, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    Get(String),
    Set(String, Vec<u8>),
    Delete(String),
    TryAcquire(String, Duration),
    /// Until it is free, or its lease has passed, or for that time.
    Wait(String, Duration),
    Renew(String, u64, Duration),
    Release(String, u64),
    IsLocked(String),
    SetGuarded(String, u64, Vec<u8>),
    Clear,
    /// What becomes of each request of that name from now on, such as `Renew key`.
    Gate(String, Gate),
    /// How often each of these came, such as `Renew key`; and `Refused key` for stores under a lost lease.
    Counts,
    /// For each lease of a key that passed: how much later another had the mutex.
    Late(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Gate {
    Open,
    /// It waits until the gate is open.
    Shut,
    Fails,
}

/// What became of a guarded store.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Outcome {
    Stored,
    LeaseLost,
    Deleted,
}

impl Request {
    /// What it counts as.
    pub(crate) fn name(&self) -> String {
        let (kind, key) = match self {
            Self::Get(key) => ("Get", key),
            Self::Set(key, _) => ("Set", key),
            Self::Delete(key) => ("Delete", key),
            Self::TryAcquire(key, _) => ("TryAcquire", key),
            Self::Wait(key, _) => ("Wait", key),
            Self::Renew(key, ..) => ("Renew", key),
            Self::Release(key, _) => ("Release", key),
            Self::IsLocked(key) => ("IsLocked", key),
            Self::SetGuarded(key, ..) => ("SetGuarded", key),
            other => return format!("{other:?}"),
        };
        format!("{kind} {key}")
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Done,
    Value(Option<Vec<u8>>),
    Token(Option<u64>),
    Flag(bool),
    Outcome(Outcome),
    Failed,
    Times(Vec<Duration>),
    Counts(BTreeMap<String, u64>),
}

/// One side of a connection.
pub(crate) struct Connection(BufReader<UnixStream>);

impl Connection {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self(BufReader::new(stream))
    }

    pub(crate) fn send(&mut self, message: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        self.0.get_mut().write_all(&line)
    }

    /// `None`: the other side has gone.
    pub(crate) fn receive<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        Ok(Some(serde_json::from_str(&line)?))
    }
}
