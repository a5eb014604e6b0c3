use std::marker::PhantomData;
use std::slice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dogpile_plugin_api::{
    Backend, Error, ErrorKind, Guarded, HostContext, Key, Lease, Metadata, Mutex, Result, Value,
};
use redis::Cmd;

use crate::arguments::RedisArguments;
use crate::clear::clear;
use crate::connection::Connection;
use crate::doubtful::Doubtful;
use crate::failure::{Answer, Failure};
use crate::kinds::{BySentinels, Kind, OneServer};
use crate::locks::{KeyMutex, Locks, token};
use crate::names::tombstone;
use crate::script::{DELETE, STORE};
use crate::server::Servers;

/// The backends `redis` and `valkey`: a single server.
pub type Redis = Backed<OneServer>;

/// The backends `redis_sentinel` and `valkey_sentinel`: a master and its replicas, which sentinels watch.
pub type RedisSentinel = Backed<BySentinels>;

/// All backends here, which differ in how they find the servers. Its methods block for the server, at most for
/// `socket_timeout`.
pub struct Backed<K> {
    servers: Arc<dyn Servers>,
    host: HostContext,
    locks: Arc<Locks>,
    distributed_lock: bool,
    expiry: Expiry,
    clear_empties_db: bool,
    kind: PhantomData<fn() -> K>,
}

/// Until when the server keeps what is stored.
enum Expiry {
    /// For as long as anybody may want it.
    KeepUntil,
    After(Duration),
    Never,
}

impl<K: Kind> Backend for Backed<K> {
    type Arguments = RedisArguments;

    /// Connects to nothing: a server that is down then is one that is down later.
    fn open(arguments: RedisArguments, host: &HostContext) -> Result<Self> {
        arguments.check()?;
        let servers = K::servers(&arguments)?;
        let expiry = match arguments.redis_expiration_time {
            None => Expiry::KeepUntil,
            Some(time) if time.duration().is_zero() => Expiry::Never,
            Some(time) => Expiry::After(time.duration()),
        };
        Ok(Self {
            locks: Arc::new(Locks {
                servers: Arc::clone(&servers),
                host: *host,
                prefix: arguments.lock_prefix,
                sleep: arguments.lock_sleep.duration(),
                doubtful: Doubtful::default(),
            }),
            servers,
            host: *host,
            distributed_lock: arguments.distributed_lock,
            expiry,
            clear_empties_db: arguments.clear_empties_db,
            kind: PhantomData,
        })
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        let command = command("GET", slice::from_ref(key));
        self.servers.read(|on| get(on, key, &command))
    }

    fn get_fresh(&self, key: &Key) -> Result<Option<Value>> {
        let command = command("GET", slice::from_ref(key));
        self.servers.write(|on| get(on, key, &command))
    }

    fn get_multi(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.servers.read(|on| get_multi(on, keys))
    }

    fn get_multi_fresh(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.servers.write(|on| get_multi(on, keys))
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        let command = self.set_command(key, value)?;
        self.servers.write(|on| stored(&on.call(&command)?))
    }

    /// All at once. Some may be stored where others are refused.
    fn set_multi(&self, entries: &[(Key, Value)]) -> Result<()> {
        let commands: Result<Vec<Cmd>> = entries
            .iter()
            .map(|(key, value)| self.set_command(key, value))
            .collect();
        let commands = commands?;
        // Each of them is answered with no more than that it is done.
        self.servers.write(|on| on.all_accepted(&commands))
    }

    fn delete(&self, key: &Key) -> Result<()> {
        self.delete_multi(&[*key])
    }

    fn delete_multi(&self, keys: &[Key]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        if self.distributed_lock {
            return self.delete_noted(keys);
        }
        let command = command("DEL", keys);
        self.servers.write(|on| match on.call(&command)? {
            redis::Value::Int(_) => Ok(()),
            _ => Err(Failure::Nonsense),
        })
    }

    fn clear(&self) -> Result<()> {
        if !self.clear_empties_db {
            return Err(Error::unsupported(
                "the database may hold what others stored: say `clear_empties_db = true` in the region's arguments \
                 if all of it may go, or invalidate the region",
            ));
        }
        let servers = self.servers.all(Instant::now() + self.servers.timeout())?;
        servers
            .iter()
            .try_for_each(|server| clear(server, &self.locks))
    }

    fn ping(&self) -> Result<()> {
        let command = redis::cmd("PING");
        self.servers.write(|on| match on.call(&command)? {
            redis::Value::SimpleString(pong) if pong == "PONG" => Ok(()),
            _ => Err(Failure::Nonsense),
        })
    }

    fn close(&self) -> Result<()> {
        self.servers.close();
        Ok(())
    }

    fn mutex(&self, key: &Key) -> Option<Box<dyn Mutex>> {
        self.distributed_lock
            .then(|| Box::new(KeyMutex::new(Arc::clone(&self.locks), key)) as _)
    }

    fn set_guarded(&self, key: &Key, value: &Value, lease: &Lease) -> Result<Guarded> {
        let call = self.store_call(key, value, lease)?;
        self.servers.write(|on| outcome(STORE.run(on, &call)?))
    }

    fn set_guarded_multi(&self, entries: &[(Key, Value, Lease)]) -> Result<Vec<Guarded>> {
        let calls: Result<Vec<Cmd>> = entries
            .iter()
            .map(|(key, value, lease)| self.store_call(key, value, lease))
            .collect();
        let calls = calls?;
        self.servers.write(|on| {
            let numbers = STORE.run_all(on, &calls)?;
            numbers.into_iter().map(outcome).collect()
        })
    }
}

impl<K> Backed<K> {
    fn set_command(&self, key: &Key<'_>, value: &Value) -> Result<Cmd> {
        let bytes = bytes(value)?;
        let mut command = Cmd::with_capacity(5, key.len() + bytes.len() + 32);
        command.arg("SET").arg(key.as_str()).arg(bytes);
        match self.milliseconds(value) {
            0 => {}
            milliseconds => {
                command.arg("PX").arg(milliseconds);
            }
        }
        Ok(command)
    }

    /// For how long the server is to keep it; 0: for ever.
    fn milliseconds(&self, value: &Value) -> u64 {
        const MILLISECOND: u64 = 1_000_000;
        match (&self.expiry, value.keep_until()) {
            (Expiry::Never, _) | (Expiry::KeepUntil, 0) => 0,
            (Expiry::After(time), _) => u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1),
            (Expiry::KeepUntil, until) => until
                .saturating_sub(self.host.now())
                .div_ceil(MILLISECOND)
                .max(1),
        }
    }

    /// Deletes, and notes it for those who create these keys.
    fn delete_noted(&self, keys: &[Key]) -> Result<()> {
        let calls: Vec<Cmd> = keys
            .iter()
            .map(|key| {
                let (lock, note) = (self.locks.name(key), tombstone(key));
                DELETE.call(&[key.as_bytes(), lock.as_bytes(), note.as_bytes()], &[])
            })
            .collect();
        let servers = &self.servers;
        servers.write(|on| DELETE.run_all(on, &calls)).map(drop)
    }

    fn store_call(&self, key: &Key, value: &Value, lease: &Lease) -> Result<Cmd> {
        let (lock, note) = (self.locks.name(key), tombstone(key));
        let (token, milliseconds) = (token(lease), self.milliseconds(value).to_string());
        Ok(STORE.call(
            &[key.as_bytes(), lock.as_bytes(), note.as_bytes()],
            &[token.as_bytes(), bytes(value)?, milliseconds.as_bytes()],
        ))
    }
}

fn outcome(number: i64) -> Answer<Guarded> {
    match number {
        0 => Ok(Guarded::LeaseLost),
        1 => Ok(Guarded::Stored),
        2 => Ok(Guarded::Deleted),
        _ => Err(Failure::Nonsense),
    }
}

fn value(key: &Key<'_>, bytes: &[u8]) -> Value {
    Value::copied(&Metadata::default(), *key, bytes)
}

fn bytes(value: &Value) -> Result<&[u8]> {
    value.as_bytes().ok_or_else(|| {
        Error::new(
            ErrorKind::Refused,
            "an object of the program cannot be stored in a server",
        )
    })
}

/// A command that wants these keys and nothing else.
fn command(name: &str, keys: &[Key]) -> Cmd {
    let length = keys.iter().map(|key| key.len()).sum::<usize>();
    let mut command = Cmd::with_capacity(keys.len() + 1, length + name.len());
    command.arg(name);
    for key in keys {
        command.arg(key.as_str());
    }
    command
}

fn get(on: &mut Connection, key: &Key<'_>, command: &Cmd) -> Answer<Option<Value>> {
    match on.text(command, |bytes| bytes.map(|bytes| value(key, bytes))) {
        // A list or the like, which another program stored: no value of ours, as MGET says too.
        Err(failure) if failure.is_code("WRONGTYPE") => Ok(None),
        answer => answer,
    }
}

fn get_multi(on: &mut Connection, keys: &[Key]) -> Answer<Vec<Option<Value>>> {
    let command = command("MGET", keys);
    let mut found = Vec::with_capacity(keys.len());
    on.texts(&command, keys.len(), |bytes| {
        let key = &keys[found.len()];
        found.push(bytes.map(|bytes| value(key, bytes)));
    })?;
    Ok(found)
}

fn stored(reply: &redis::Value) -> Answer<()> {
    match reply {
        redis::Value::Okay => Ok(()),
        _ => Err(Failure::Nonsense),
    }
}
