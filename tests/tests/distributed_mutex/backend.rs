//! The backend whose storage is that process.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use dogpile_plugin_api::{
    self as api, Backend, Deserialize, Error, Guarded, HostContext, JsonSchema, Key, Lease, Result,
    Value, schemars, serde,
};

use crate::protocol::{Connection, Outcome, Reply, Request};

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "serde")]
#[schemars(crate = "schemars")]
pub(crate) struct Arguments {
    socket: PathBuf,
    /// Whether it cannot be told that a mutex is free, and looks from time to time.
    #[serde(default)]
    polls: bool,
}

/// As many connections as there are calls at once.
pub(crate) struct Client {
    socket: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Client {
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self {
            socket,
            idle: Mutex::default(),
        }
    }

    pub(crate) fn ask(&self, request: &Request) -> Result<Reply> {
        let answer = || -> io::Result<Reply> {
            let idle = self.idle.lock().unwrap().pop();
            let mut connection = match idle {
                Some(connection) => connection,
                None => Connection::new(UnixStream::connect(&self.socket)?),
            };
            connection.send(request)?;
            let reply = connection.receive()?;
            self.idle.lock().unwrap().push(connection);
            match reply {
                Some(Reply::Failed) => Err(io::Error::other("the store fails")),
                Some(reply) => Ok(reply),
                None => Err(io::Error::other("the store has gone")),
            }
        };
        answer().map_err(|error| Error::unavailable(error.to_string()))
    }

    fn flag(&self, request: &Request) -> Result<bool> {
        match self.ask(request)? {
            Reply::Flag(flag) => Ok(flag),
            other => unreachable!("{other:?}"),
        }
    }
}

pub(crate) struct Remote {
    client: Arc<Client>,
    polls: bool,
}

fn bytes(value: &Value) -> Vec<u8> {
    value.as_bytes().expect("the region stores bytes").to_vec()
}

impl Backend for Remote {
    type Arguments = Arguments;

    fn open(arguments: Arguments, _: &HostContext) -> Result<Self> {
        Ok(Self {
            client: Arc::new(Client::new(arguments.socket)),
            polls: arguments.polls,
        })
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        match self.client.ask(&Request::Get(key.to_string()))? {
            Reply::Value(value) => Ok(value.map(Value::from)),
            other => unreachable!("{other:?}"),
        }
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        let request = Request::Set(key.to_string(), bytes(value));
        self.client.ask(&request).map(drop)
    }

    fn delete(&self, key: &Key) -> Result<()> {
        self.client.ask(&Request::Delete(key.to_string())).map(drop)
    }

    fn clear(&self) -> Result<()> {
        self.client.ask(&Request::Clear).map(drop)
    }

    fn mutex(&self, key: &Key) -> Result<Option<Box<dyn api::Mutex>>> {
        Ok(Some(Box::new(KeyMutex {
            client: Arc::clone(&self.client),
            polls: self.polls,
            key: key.to_string(),
        })))
    }

    fn set_guarded(&self, key: &Key, value: &Value, lease: &Lease) -> Result<Guarded> {
        let request = Request::SetGuarded(key.to_string(), lease.tag, bytes(value));
        match self.client.ask(&request)? {
            Reply::Outcome(Outcome::Stored) => Ok(Guarded::Stored),
            Reply::Outcome(Outcome::LeaseLost) => Ok(Guarded::LeaseLost),
            Reply::Outcome(Outcome::Deleted) => Ok(Guarded::Deleted),
            other => unreachable!("{other:?}"),
        }
    }
}

struct KeyMutex {
    client: Arc<Client>,
    polls: bool,
    key: String,
}

/// What the renewal of a lease must know of it beside its number. When it passes, only the store knows.
fn with_length(number: u64, length: Duration) -> Lease {
    let mut token = [0; 16];
    token.copy_from_slice(&length.as_nanos().to_le_bytes());
    Lease::new(token, u64::MAX).tagged(number)
}

impl api::Mutex for KeyMutex {
    fn try_acquire(&self, lease: Duration) -> Result<Option<Lease>> {
        let request = Request::TryAcquire(self.key.clone(), lease);
        match self.client.ask(&request)? {
            Reply::Token(number) => Ok(number.map(|number| with_length(number, lease))),
            other => unreachable!("{other:?}"),
        }
    }

    fn wait(&self, timeout: Duration) -> Result<()> {
        if self.polls {
            thread::sleep(timeout);
            return Ok(());
        }
        let request = Request::Wait(self.key.clone(), timeout);
        self.client.ask(&request).map(drop)
    }

    fn renew(&self, lease: &mut Lease) -> Result<bool> {
        let length = u128::from_le_bytes(lease.token);
        let length = Duration::from_nanos(u64::try_from(length).expect("it was a duration's"));
        let request = Request::Renew(self.key.clone(), lease.tag, length);
        self.client.flag(&request)
    }

    fn release(&self, lease: Lease) -> Result<()> {
        let request = Request::Release(self.key.clone(), lease.tag);
        self.client.ask(&request).map(drop)
    }

    fn is_locked(&self) -> Result<bool> {
        self.client.flag(&Request::IsLocked(self.key.clone()))
    }
}
