//! The backend whose storage is that process.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dogpile_plugin_api::{
    self as api, Backend, Deserialize, Error, Guarded, HostContext, JsonSchema, Key, Lease, Result,
    Value, schemars, serde,
};

use crate::protocol::{Connection, Reply, Request};

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "serde")]
#[schemars(crate = "schemars")]
pub(crate) struct Arguments {
    socket: PathBuf,
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
            reply.ok_or_else(|| io::Error::other("the store has gone"))
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

pub(crate) struct Remote(Arc<Client>);

fn bytes(value: &Value) -> Vec<u8> {
    value.as_bytes().expect("the region stores bytes").to_vec()
}

impl Backend for Remote {
    type Arguments = Arguments;

    fn open(arguments: Arguments, _: &HostContext) -> Result<Self> {
        Ok(Self(Arc::new(Client::new(arguments.socket))))
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        match self.0.ask(&Request::Get(key.to_string()))? {
            Reply::Value(value) => Ok(value.map(Value::from)),
            other => unreachable!("{other:?}"),
        }
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        let request = Request::Set(key.to_string(), bytes(value));
        self.0.ask(&request).map(drop)
    }

    fn delete(&self, key: &Key) -> Result<()> {
        self.0.ask(&Request::Delete(key.to_string())).map(drop)
    }

    fn mutex(&self, key: &Key) -> Option<Box<dyn api::Mutex>> {
        Some(Box::new(KeyMutex {
            client: Arc::clone(&self.0),
            key: key.to_string(),
        }))
    }

    fn set_guarded(&self, key: &Key, value: &Value, lease: &Lease) -> Result<Guarded> {
        let request = Request::SetGuarded(key.to_string(), lease.tag, bytes(value));
        Ok(if self.0.flag(&request)? {
            Guarded::Stored
        } else {
            Guarded::LeaseLost
        })
    }
}

struct KeyMutex {
    client: Arc<Client>,
    key: String,
}

/// What the renewal of a lease must know of it beside its number.
fn with_length(number: u64, length: Duration) -> Lease {
    let mut token = [0; 16];
    token.copy_from_slice(&length.as_nanos().to_le_bytes());
    Lease {
        token,
        expires: 0,
        tag: number,
    }
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
